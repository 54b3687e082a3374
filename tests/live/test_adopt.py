"""Stores of other tools are taken over, and versions that Temporal's tool left half-way are recognised and finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.engines.handles import Handle
from tests.support import half, journeys
from tests.support.catalogs import published, released
from tests.support.command import temporal_visibility
from tests.support.mysql import sql as mysql_sql
from toolkit.apply.recognising import identify_store
from toolkit.catalog import differences
from toolkit.definition import Definition
from toolkit.engines import Client, Engine
from toolkit.lineage import Identity
from toolkit.lineage_reports import lines
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import NO_LOCK, Request, Step, StepClass
from toolkit.sample import generate
from toolkit.versions import find

NEWEST = released()[-1]
Do = Callable[..., object]
HOPS = [(a.version, b.version) for a, b in pairwise(released())]


def postgres(url: str) -> Do:
    def do(*statements: str) -> list[tuple[object, ...]]:
        with psycopg.connect(url, autocommit=True) as connection:
            found = [connection.execute(statement) for statement in statements]  # type: ignore[call-overload]
            return found[-1].fetchall() if found and found[-1].description else []

    return do


def made(chosen: Engine, client: Client, before: Definition, rows: int) -> set[str]:
    """A store with records; their run ids."""
    journeys.upgrade(chosen, client, before)
    for _ in client.write(before, generate(before, rows, 3)):
        pass
    return {record.run_id for record in client.read(before)}


def seen(chosen: Engine, client: Client) -> Identity:
    return identify_store(chosen, client.observe(), NO_OVERLAY)


def recognised(chosen: Engine, client: Client, do: Do, before: Definition, after: Definition, statements: Sequence[str],
               base: str = "") -> None:  # fmt: skip
    """One statement more at a time: each state is told for what it is."""
    for number, statement in enumerate(statements, 1):
        do(statement)
        identity = seen(chosen, client)
        if number == len(statements):
            assert after.version in {one.name for one in identity.exact}, list(lines(identity))
            assert f"but it records {before.version}" in list(lines(identity))
            return
        assert identity.partial is not None, (number, statement, list(lines(identity)), identity.differences[:3])
        partial = identity.partial
        assert (partial.base.name, partial.goal.name) == (base or before.version, after.version)
        assert sum(p.done for p in partial.progress) <= sum(p.total for p in partial.progress)
        assert identity.confidence == 1.0


def finished(chosen: Engine, client: Client, runs: set[str]) -> None:
    """To the newest version, with the data."""
    journeys.upgrade(chosen, client, NEWEST)
    assert {record.run_id for record in client.read(NEWEST)} == runs
    assert differences(client.observe().catalog, chosen.catalog(NEWEST)) == ()
    assert client.observe().recorded == NEWEST.version


def some(hops: Sequence[tuple[str, str]]) -> list[object]:
    usual = {"1.6", "1.14"}
    return [pytest.param(*hop, marks=() if hop[1] in usual else pytest.mark.long) for hop in hops]


@pytest.mark.parametrize(("old", "new"), some(HOPS))
def test_postgresql_is_recognised_after_each_statement(postgresql: Handle, old: str, new: str) -> None:
    before, after = find(old), find(new)
    with journeys.opened(postgresql.url) as (chosen, client):
        made(chosen, client, before, 10)
        recognised(chosen, client, postgres(postgresql.url), before, after, list(half.postgresql(before, after)))


@pytest.mark.parametrize(("old", "new"), some(HOPS))
def test_mysql_is_recognised_after_each_statement(mysql: Handle, old: str, new: str) -> None:
    before, after = find(old), find(new)
    with journeys.opened(mysql.url) as (chosen, client):
        made(chosen, client, before, 10)
        statements = list(half.mysql(before, after))
        recognised(chosen, client, lambda *s: mysql_sql(mysql.url, *s), before, after, statements)


def points(count: int, everywhere: bool) -> list[int]:
    return list(range(1, count + 1)) if everywhere else [(count + 1) // 2]


finish = pytest.mark.parametrize(
    ("old", "new", "everywhere"),
    [pytest.param("1.5", "1.6", False), pytest.param("1.10", "1.11", False)]
    + [pytest.param(*hop, True, marks=pytest.mark.long) for hop in HOPS],
)


@finish
def test_postgresql_is_finished(postgresql: Handle, old: str, new: str, everywhere: bool) -> None:
    before, after = find(old), find(new)
    statements = list(half.postgresql(before, after))
    for point in points(len(statements), everywhere):
        url = postgresql.new_database()
        with journeys.opened(url) as (chosen, client):
            runs = made(chosen, client, before, 20)
            postgres(url)(*statements[:point])
            finished(chosen, client, runs)


@finish
def test_mysql_is_finished(mysql: Handle, old: str, new: str, everywhere: bool) -> None:
    before, after = find(old), find(new)
    statements = list(half.mysql(before, after))
    for point in points(len(statements), everywhere):
        url = mysql.new_database()
        with journeys.opened(url) as (chosen, client):
            runs = made(chosen, client, before, 20)
            mysql_sql(url, *statements[:point])
            finished(chosen, client, runs)


@pytest.mark.parametrize("old", ["1.9", pytest.param("1.13", marks=pytest.mark.long)])
def test_the_new_route_interrupted_while_an_index_was_built(postgresql: Handle, old: str) -> None:
    """Releases from 1.30.5 on build concurrently: a stop leaves an INVALID index, which IF NOT EXISTS accepts."""
    before = find(old)
    after, label = (find("1.13"), "1.12") if old == "1.9" else (NEWEST, "1.13")
    statements = list(half.postgresql(before, after, concurrently=True))
    do = postgres(postgresql.url)
    with journeys.opened(postgresql.url) as (chosen, client):
        runs = made(chosen, client, before, 10)
        do(f"UPDATE schema_version SET curr_version = '{label}'")
        do(*statements[: 4 if old == "1.9" else 2])
        last = statements[3 if old == "1.9" else 1].split('"')[1]
        do(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{last}'::regclass")
        identity = seen(chosen, client)
        (line, _) = lines(identity)
        base = "1.12-combined plus 17 of 17 columns and 2 of 17 indexes"
        base = base if old == "1.9" else "1.13 plus 2 of 2 columns and 0 of 2 indexes"
        assert line == f"{base} of {after.version}; an INVALID index {last}"
        finished(chosen, client, runs)


def test_adopting_changes_nothing_but_our_books(postgresql: Handle) -> None:
    """A store as Temporal's tool leaves it by the new route: 1.12 is recorded, the schema is 1.9."""
    url, do = postgresql.url, postgres(postgresql.url)
    with journeys.opened(url) as (chosen, client):
        made(chosen, client, find("1.9"), 10)
        do("DROP TABLE alembic_version", "UPDATE schema_version SET curr_version = '1.12'")
        do("CREATE TABLE mine (id int)")
        before = client.observe()
        books = do("SELECT * FROM schema_version"), do("SELECT * FROM schema_update_history ORDER BY 4")
        dry = temporal_visibility("schema", "adopt", url, "--dry-run")
        assert "although it records 1.12" in dry.out
        assert client.observe() == before
        ran = temporal_visibility("schema", "adopt", url, "--yes", "--output", "json")
        assert ran.code == 0, ran.err
        assert ran.json("schema-adopt")["stores"][0]["adopted_as"] == "1.12-combined"
        after = client.observe()
        assert differences(after.catalog, before.catalog) == ()
        assert (do("SELECT * FROM schema_version"), do("SELECT * FROM schema_update_history ORDER BY 4")) == books
        assert after.marks == {"alembic": "1.9"}
        assert temporal_visibility("schema", "drift", url).code == 0
        again = temporal_visibility("schema", "adopt", url, "--yes")
        assert "recorded already" in again.out
        assert temporal_visibility("schema", "upgrade", url, "--yes").code == 0
        assert client.observe().recorded == "1.14"
        assert do("SELECT count(*) FROM mine") == [(0,)]


def test_a_store_made_by_hand(mysql: Handle) -> None:
    """Nothing is recorded, and an index is missing: it is taken over as what it is nearest to."""
    with journeys.opened(mysql.url) as (chosen, client):
        made(chosen, client, NEWEST, 10)
        books = ("schema_version", "schema_update_history", "alembic_version")
        mysql_sql(mysql.url, *(f"DROP TABLE {table}" for table in books))
        mysql_sql(mysql.url, "DROP INDEX by_status ON executions_visibility")
        assert temporal_visibility("schema", "adopt", mysql.url, "--as", "1.14", "--yes").code == 0
        assert client.observe().recorded == "1.14"
        assert temporal_visibility("schema", "drift", mysql.url).code == 3


def test_nothing_to_adopt(tmp_path: Path) -> None:
    ran = temporal_visibility("schema", "adopt", f"sqlite:///{tmp_path}/none.db", "--yes")
    assert (ran.code, "TV6105" in ran.err) == (2, True)


@pytest.mark.engines("elasticsearch", "opensearch")
def test_an_index_of_temporals_own_tool(engine: Handle) -> None:
    """It records nothing. Only `_meta` is written: fields, settings, template and what others keep in `_meta` stay."""
    body = dict(published("elasticsearch", "v9-upgraded").body)
    path = f"/{engine.url.rpartition('/')[2]}own"
    url = f"{engine.url}own?cluster_settings=skip"
    fields: Any = {**body["properties"], "OrderId": {"type": "keyword"}}  # type: ignore[dict-item]
    mappings: Any = {"_meta": {"team": "payments"}, "dynamic": body["dynamic"], "properties": fields}
    with journeys.opened(url) as (_, client):
        index = Request("PUT", path, {"settings": {"index": body["settings"]}, "mappings": mappings})
        client.execute(Step("test", "", "", StepClass.METADATA, NO_LOCK, (index,), (), ()))
        try:
            before = client.observe()
            ran = temporal_visibility("schema", "adopt", url, "--yes", "--output", "json")
            assert ran.code == 0, ran.err
            assert ran.json("schema-adopt")["stores"][0]["identity"]["foreign"] == ["properties/OrderId"]
            after = client.observe()
            assert (after.recorded, after.catalog) == ("v9", before.catalog)
            assert after.kept.meta == {"team": "payments"}  # type: ignore[attr-defined]
            assert after.template == before.template  # type: ignore[attr-defined]
        finally:
            gone = Request("DELETE", path)
            client.execute(Step("test", "", "", StepClass.METADATA, NO_LOCK, (gone,), (), ()))


def main_store(do: Do) -> None:
    """What makes the main store's presence sure, and its number in the row that both share."""
    for table in ("executions", "namespaces", "shards", "history_node"):
        do(f"CREATE TABLE {table} (id INT PRIMARY KEY)")
    do("UPDATE schema_version SET curr_version = '1.18'")


@pytest.mark.engines("postgresql", "mysql")
def test_a_database_that_holds_the_main_store_too(engine: Handle) -> None:
    """helm-charts#655: schema_version has one row for both stores. It is the main store's, and stays so."""
    do = postgres(engine.url) if engine.engine == "postgresql" else lambda *s: mysql_sql(engine.url, *s)
    with journeys.opened(engine.url) as (chosen, client):
        made(chosen, client, find("1.13"), 10)
        main_store(do)
        said = temporal_visibility("schema", "identify", engine.url).out
        assert "main store is in the same database" in said
        assert "1.13, exactly" in said
        assert temporal_visibility("schema", "drift", engine.url).code == 0
        assert temporal_visibility("schema", "upgrade", engine.url, "--yes").code == 0
        assert [tuple(row) for row in do("SELECT curr_version FROM schema_version")] == [("1.18",)]  # type: ignore[attr-defined]
        assert [one.name for one in seen(chosen, client).exact] == ["1.14"]


@pytest.mark.engines("postgresql", "mysql")
def test_after_an_upgrade_by_temporals_tool_ours_agrees(engine: Handle) -> None:
    """Its statements and its two records, and nothing of ours: the next look knows the new version."""
    before, after = find("1.13"), NEWEST
    is_postgresql = engine.engine == "postgresql"
    do: Any = postgres(engine.url) if is_postgresql else lambda *s: mysql_sql(engine.url, *s)
    now = "now()" if is_postgresql else "NOW(6)"
    with journeys.opened(engine.url) as (chosen, client):
        made(chosen, client, before, 10)
        # Our records are those that its own tool would have written: it finds its row by partition and name.
        (row,) = do("SELECT version_partition, curr_version, min_compatible_version FROM schema_version")
        assert tuple(row) == (0, "1.13", "0.1")
        do(*(half.postgresql(before, after) if is_postgresql else half.mysql(before, after)))
        do("UPDATE schema_version SET curr_version = '1.14', min_compatible_version = '0.1'")
        do("INSERT INTO schema_update_history (version_partition, year, month, update_time, description, manifest_md5,"
           f" new_version, old_version) VALUES (0, 2026, 1, {now}, 'd', 'x', '1.14', '1.13')")  # fmt: skip
        identity = seen(chosen, client)
        assert ([one.name for one in identity.exact], identity.recorded) == (["1.14"], "1.14")
        assert temporal_visibility("schema", "drift", engine.url).code == 0
        steps = [s.id for s in chosen.steps(client.observe(), after)]
        assert steps == ["record.alembic"], "only Alembic's mark is behind"
        assert temporal_visibility("schema", "adopt", engine.url, "--yes").code == 0
        assert client.observe().marks == {"alembic": "1.14"}
