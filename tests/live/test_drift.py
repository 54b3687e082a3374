"""Small damages to a live store: each is found, named right, repaired, and found no more; no false alarm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import psycopg
import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.catalogs import released
from tests.support.damages import MYSQL, POSTGRESQL, SQLITE, Damage
from tests.support.mysql import sql as mysql_sql
from toolkit.apply.checking import Check, check_store, repair_task
from toolkit.apply.runner import Options, perform
from toolkit.drift import Report
from toolkit.engines import Client, Engine
from toolkit.engines.sqlite.client import SqliteClient
from toolkit.overlay import NO_OVERLAY
from toolkit.sample import generate

NEWEST = released()[-1]
# One of each kind; all of them are `long`.
PLAIN = Check(NO_OVERLAY, offline=True)
Do = Callable[[Sequence[str]], object]


def some(damages: Sequence[Damage]) -> list[object]:
    """Every fourth damage by default, the others as long."""
    return [pytest.param(damages[::4], id="some"), pytest.param(damages, id="all", marks=pytest.mark.long)]


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


def is_found(damage: Damage, report: Report) -> None:
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
    for damages in (POSTGRESQL, MYSQL, SQLITE):
        assert len({damage.name for damage in damages}) == len(damages) >= 30


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


def test_online_and_kept(postgresql: Handle) -> None:
    """Without --offline a repair that rewrites goes beside live writes, and keeps the old table."""
    check = replace(PLAIN, offline=False)
    with journeys.opened(postgresql.url) as (chosen, client):
        filled(chosen, client)
        with psycopg.connect(postgresql.url, autocommit=True) as connection:
            connection.execute("ALTER TABLE executions_visibility DROP COLUMN int03")
        report = found(chosen, client, check)
        assert report.plan.kept
        assert repair(chosen, client, report, check).findings == ()
