"""Small damages to a live store: each is found, named right, repaired, and found no more; no false alarm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.catalogs import released
from tests.support.damages import CLICKHOUSE, EV, MYSQL, POSTGRESQL, SQLITE, Damage
from tests.support.mysql import sql as mysql_sql
from tests.support.search_damages import SEARCH, SearchDamage
from toolkit.apply.checking import Check, check_store
from toolkit.apply.repairing import repair_task
from toolkit.apply.runner import Options, perform
from toolkit.apply.ways_back import rollback
from toolkit.drift import MISSING, RENAMED, Report, judge
from toolkit.engines import Client, Engine, engine
from toolkit.engines.clickhouse.client import ClickHouseClient
from toolkit.engines.drifting import drifting
from toolkit.engines.sqlite.client import SqliteClient
from toolkit.errors import EngineError
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import NO_LOCK, Observed, Request, Step, StepClass
from toolkit.sample import generate
from toolkit.versions import chain

NEWEST = released()[-1]
# One of each kind; all of them are `long`.
PLAIN = Check(NO_OVERLAY, offline=True)
Do = Callable[[Sequence[str]], object]


def some(damages: Sequence[Damage] | Sequence[SearchDamage]) -> list[object]:
    """Every eighth damage by default, all of them as long."""
    return [pytest.param(damages[::8], id="some"), pytest.param(damages, id="all", marks=pytest.mark.long)]


def filled(chosen: Engine, client: Client, rows: int = 60) -> None:
    journeys.upgrade(chosen, client, NEWEST)
    for _ in client.write(NEWEST, generate(NEWEST, rows, 3)):
        pass


def found(chosen: Engine, client: Client, check: Check = PLAIN) -> Report:
    return check_store(chosen, client, check)[0]


def repair(chosen: Engine, client: Client, report: Report, check: Check = PLAIN) -> Report:
    """As the command does: renames first, then the rest."""
    for _ in range(4):
        if not report.plan.steps:
            break
        task = repair_task(chosen, report.plan, NEWEST, check.overlay)
        perform(client, task, lambda *_: None, lambda: 0.0, Options())
        report = found(chosen, client, check)
    return report


def is_found(damage: Damage | SearchDamage, report: Report) -> None:
    findings = [(f.code, f.name) for f in report.findings]
    assert any(code == damage.code and damage.place in name for code, name in findings), (damage.name, findings)
    assert report.plan.steps, damage.name
    unrepairable = [f.name for f in report.findings if not f.steps]
    assert not unrepairable or report.again, (damage.name, unrepairable)


def each(chosen: Engine, client: Client, damages: Sequence[Damage], do: Do) -> None:
    filled(chosen, client)
    count = client.count()
    assert found(chosen, client).findings == ()
    for damage in damages:
        do(damage.does)
        is_found(damage, found(chosen, client))
        left = repair(chosen, client, found(chosen, client))
        assert [(f.code, f.message) for f in left.findings] == [], damage.name
        assert client.count() == count, damage.name


def test_at_least_thirty_kinds() -> None:
    for damages in (POSTGRESQL, MYSQL, SQLITE, CLICKHOUSE, SEARCH):
        assert len({damage.name for damage in damages}) == len(damages) >= 30


def test_a_column_that_seems_renamed_may_be_the_users_own() -> None:
    """Its values would become those of Temporal's: the finding says how to keep it."""
    chosen, columns = engine("postgresql"), ("tables", EV, "columns")
    whole = chosen.catalog(NEWEST)
    have = whole.without([(*columns, "history_size_bytes")]).having((*columns, "own_bytes"), {"type": "bigint"})

    def judged(keep_extra: bool) -> Report:
        observed = Observed(have, "1.14", "")
        return judge(chosen, drifting("postgresql"), observed, NEWEST, NO_OVERLAY, [whole], keep_extra)

    (renamed,) = judged(False).findings
    assert (renamed.code, "--keep-extra" in renamed.hint) == (RENAMED, True)
    kept = judged(True)
    assert ([f.code for f in kept.findings], kept.beside) == ([MISSING], ((*columns, "own_bytes"),))


def test_of_long_values_the_part_is_shown_where_they_differ() -> None:
    whole, place = engine("postgresql").catalog(NEWEST), ("tables", EV, "indexes", "by_status", "keys")
    keys = whole.at(place)
    assert isinstance(keys, list)
    have = whole.having(place, [str(key).replace("start_time timestamp_ops DESC", "own_time") for key in keys])
    observed = Observed(have, "1.14", "")
    (found,) = judge(
        engine("postgresql"), drifting("postgresql"), observed, NEWEST, NO_OVERLAY, [whole], False
    ).findings
    assert "own_time, run_id bpchar_ops, not " in found.message
    assert found.message.endswith("start_time timestamp_ops DESC, run_id bpchar_ops")


def test_a_repair_of_the_table_itself_says_what_it_weighs() -> None:
    """Everybody waits while it is written anew, or while the index of its key is built."""
    chosen, table = engine("postgresql"), ("tables", EV)
    whole = chosen.catalog(NEWEST)
    for have in (
        whole.having((*table, "persistence"), "unlogged"),
        whole.without([(*table, "constraints"), (*table, "primary_key")]),
    ):
        (step,) = chosen.steps(Observed(have, "1.14", "", marks={"alembic": "1.14"}), NEWEST)
        assert (step.step_class, step.lock.waits) == (StepClass.REBUILD, True)


@pytest.mark.parametrize("damages", some(POSTGRESQL))
def test_postgresql(postgresql: Handle, damages: Sequence[Damage]) -> None:
    def do(statements: Sequence[str]) -> None:
        with psycopg.connect(postgresql.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    with journeys.opened(postgresql.url) as (chosen, client):
        each(chosen, client, damages, do)


@pytest.mark.parametrize("damages", some(MYSQL))
def test_mysql(mysql: Handle, damages: Sequence[Damage]) -> None:
    with journeys.opened(mysql.url) as (chosen, client):
        each(chosen, client, damages, lambda statements: mysql_sql(mysql.url, *statements))


@pytest.mark.parametrize("damages", some(SQLITE))
def test_sqlite(sqlite: EmbeddedHandle, damages: Sequence[Damage]) -> None:
    with journeys.opened(sqlite.url) as (chosen, client):
        assert isinstance(client, SqliteClient)
        connection = client._connection

        def do(statements: Sequence[str]) -> None:
            for statement in statements:
                connection.execute(statement)

        each(chosen, client, damages, do)


@pytest.mark.parametrize("damages", some(CLICKHOUSE))
def test_clickhouse(clickhouse: Handle, damages: Sequence[Damage]) -> None:
    with journeys.opened(clickhouse.url) as (chosen, client):
        assert isinstance(client, ClickHouseClient)
        connection = client._connection

        def do(statements: Sequence[str]) -> None:
            for statement in statements:
                connection.command(statement, settings={"mutations_sync": 2})

        each(chosen, client, damages, do)


@pytest.mark.needs("scaled_float")
@pytest.mark.engines("elasticsearch", "opensearch")
@pytest.mark.parametrize("damages", some(SEARCH))
def test_search_engines(engine: Handle, damages: Sequence[SearchDamage]) -> None:
    for number, damage in enumerate(damages):
        name = f"{engine.url.rpartition('/')[2]}d{number}"
        with journeys.opened(f"{engine.url}d{number}?cluster_settings=skip") as (chosen, client):
            filled(chosen, client, 20)
            report = found(chosen, client)
            assert report.findings == (), [f.message for f in report.findings]
            path, template = f"/{name}", f"/_template/{name}_template"
            if damage.later:
                raw(client, *damage.later(path, template))
            if damage.change:
                records = list(client.read(NEWEST))
                # The template would fill in what the body leaves out.
                raw(client, Request("DELETE", path), Request("DELETE", template))
                raw(client, Request("PUT", path, body(chosen, damage)))
                for _ in client.write(NEWEST, records):
                    pass
            count = client.count() if damage.code != "TV6122" else 20
            is_found(damage, found(chosen, client))
            left = repair(chosen, client, found(chosen, client))
            assert [(f.code, f.message) for f in left.findings] == [], damage.name
            assert client.count() == count


def body(chosen: Engine, damage: SearchDamage) -> Any:
    """The body of an adopted index at the newest label, with the damage in it."""
    catalog = chosen.catalog(NEWEST)
    made: Any = {
        "settings": {"index": dict(catalog.children(("settings",)))},
        "mappings": {"_meta": {"temporal_visibility": {"label": "v14"}}, "dynamic": "false",
                     "properties": dict(catalog.children(("properties",)))},
    }  # fmt: skip
    assert damage.change
    damage.change(made)
    return made


def raw(client: Client, *requests: Request) -> None:
    for request in requests:
        client.execute(Step("test", "", "", StepClass.METADATA, NO_LOCK, (request,), (), ()))


def test_online_and_kept(postgresql: Handle) -> None:
    """Without --offline a repair that rewrites goes beside live writes, and keeps the old table. One that records do
    not allow changes nothing, and can be taken back. What became text has its values again. What the old table cannot
    hold is no way back."""
    check = replace(PLAIN, offline=False)
    values = f"SELECT md5(array_agg((run_id, status, execution_time, memo) ORDER BY run_id)::text) FROM {EV}"
    with journeys.opened(postgresql.url) as (chosen, client):
        filled(chosen, client)
        with psycopg.connect(postgresql.url, autocommit=True) as connection:
            before = connection.execute(values).fetchone()
            connection.execute(
                f"ALTER TABLE {EV} DROP COLUMN int03, ALTER status TYPE text, ALTER execution_time TYPE text, "
                f"ALTER memo TYPE text, ALTER encoding TYPE varchar(30); "
                f"UPDATE {EV} SET status = status || ' no'".encode()
            )
            with pytest.raises(EngineError, match="invalid input syntax"):
                repair(chosen, client, found(chosen, client))
            back = rollback(chosen, client, chain(), NO_OVERLAY)
            perform(client, back, lambda *_: None, lambda: 0.0, Options())
            connection.execute(f"UPDATE {EV} SET status = replace(status, ' no', '')".encode())
            report = found(chosen, client, check)
            assert report.plan.kept
            assert repair(chosen, client, report, check).findings == ()
            assert connection.execute(values).fetchone() == before
            connection.execute(f"UPDATE {EV} SET encoding = repeat('x', 40) WHERE status = 1".encode())
            back = rollback(chosen, client, chain(), NO_OVERLAY)
            with pytest.raises(EngineError, match=r"does not fit .* value too long") as refused:
                perform(client, back, lambda *_: None, lambda: 0.0, Options())
            assert (refused.value.code, "`schema finish`" in refused.value.hint) == ("TV5220", True)
