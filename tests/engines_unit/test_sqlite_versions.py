"""The version history of SQLite without a schema: many versions in one moment, and a clock that goes back."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from itertools import pairwise

from tests.support.catalogs import released
from toolkit.definition import Definition
from toolkit.engines import engine
from toolkit.engines.sqlite import versions
from toolkit.plan import Observed, Sql

NOTHING = Observed(engine("sqlite").empty(), None, "SQLite")


def run(connection: sqlite3.Connection, observed: Observed, wanted: Definition) -> None:
    """Record one version."""
    for step in versions.record_steps(observed, wanted):
        for statement in step.statements:
            assert isinstance(statement, Sql)
            connection.execute(statement.text)


def record(connection: sqlite3.Connection) -> list[str]:
    """Record all versions after one another; the history's old and new versions by its key."""
    observed = NOTHING
    for definition in released():
        run(connection, observed, definition)
        observed = replace(observed, recorded=definition.version, marks={"alembic": definition.version})
    rows = connection.execute(
        "SELECT old_version || '-' || new_version FROM schema_update_history ORDER BY update_time"
    )
    return [row[0] for row in rows]


def chain() -> list[str]:
    names = ["0", *(definition.version for definition in released())]
    return [f"{old}-{new}" for old, new in pairwise(names)]


def test_many_versions_in_one_millisecond_stand_in_order() -> None:
    assert record(sqlite3.connect(":memory:")) == chain()


def test_a_clock_that_went_back_does_not_turn_the_order() -> None:
    connection = sqlite3.connect(":memory:")
    run(connection, NOTHING, released()[0])
    connection.execute("UPDATE schema_update_history SET update_time = '2099-12-31 23:59:59.999+00:00'")
    connection.execute("UPDATE schema_update_history SET year = 2099, month = 12")
    assert record(connection) == [chain()[0], *chain()]
    latest = "SELECT year, month, update_time FROM schema_update_history ORDER BY update_time DESC LIMIT 1"
    assert connection.execute(latest).fetchone() == (2100, 1, "2100-01-01 00:00:00.014+00:00")
