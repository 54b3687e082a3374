"""SQLite's part of `bench_upgrade`: the longest single lock is the longest write that waited for it.

Temporal has no upgrade for SQLite files. Beside ours stands the least that SQLite needs for it: one transaction with a
new table, INSERT … SELECT, the indexes and full-text tables, by the plain sqlite3 module.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tests.bench import load
from tests.bench.load import NAMESPACE
from tests.support import journeys
from tests.support.catalogs import released
from tests.support.sqlite import path_of
from toolkit.apply.runner import plan_store
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import Sql
from toolkit.versions import find

INSERT = """
INSERT INTO executions_visibility (namespace_id, run_id, start_time, execution_time, workflow_id, workflow_type_name,
                                   status, encoding, search_attributes, task_queue, _version)
VALUES (?, ?, datetime('now'), datetime('now'), 'load', 'load', 1, '', json_object('Keyword01', ?), 'queue', 1)
"""
UPDATE = """
UPDATE executions_visibility
SET status = 2, close_time = datetime('now'), search_attributes = json_object('Keyword01', ?), _version = _version + 1
WHERE namespace_id = ? AND run_id = ?
"""
DELETE = "DELETE FROM executions_visibility WHERE namespace_id = ? AND run_id = ?"


class _Session:
    """Opened in the thread that uses it."""

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(path_of(url), isolation_level=None, timeout=600)

    def insert(self, run: str, word: str) -> None:
        self._connection.execute(INSERT, (NAMESPACE, run, word))

    def update(self, run: str, word: str) -> None:
        self._connection.execute(UPDATE, (word, NAMESPACE, run))

    def delete(self, run: str) -> None:
        self._connection.execute(DELETE, (NAMESPACE, run))

    def close(self) -> None:
        self._connection.close()


def session(url: str) -> _Session:
    """See `Bench.session`."""
    return _Session(url)


def stored(url: str) -> Mapping[str, str]:
    """See `Bench.stored`."""
    with closing(sqlite3.connect(path_of(url))) as connection:
        rows = connection.execute(
            "SELECT run_id, Keyword01 FROM executions_visibility WHERE namespace_id = ?", (NAMESPACE,)
        )
        return dict(rows.fetchall())


def prepare(url: str) -> None:
    """See `Bench.prepare`; a file has none."""


def settle(url: str) -> None:
    """See `Bench.settle`: as Temporal opens its files in production, with a write-ahead log."""
    with closing(sqlite3.connect(path_of(url))) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("ANALYZE")


def plain(url: str, log: Path) -> Mapping[str, float | str]:
    """The same statements in one transaction, with SQLite's usual settings."""
    with journeys.opened(url) as (engine, client):
        plan = plan_store(engine, client, find("1.14"), released(), NO_OVERLAY)
    statements = [s.text for step in plan.steps for s in step.statements if isinstance(s, Sql)]
    with closing(sqlite3.connect(path_of(url), isolation_level=None, timeout=600)) as connection:
        connection.execute("PRAGMA legacy_alter_table = ON")
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")
    return {}


def ours(url: str, log: Path) -> Mapping[str, float | str]:
    """See `load.command`."""
    return load.command(["schema", "upgrade", url, "--yes"], log)


WAYS = {"the statements in plain sqlite3": plain, "temporal-visibility": ours}
