"""SQLite's part of `tests.support.writing`, and what a file holds besides."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.writing import NAMESPACE, Truth, Writer


def path_of(url: str) -> Path:
    """The file a URL names."""
    return Path(urlsplit(url).path.removeprefix("/"))


class SqliteWriter(Writer):
    """Writes to a SQLite file, and waits as long as a rebuild may take."""

    def open(self) -> sqlite3.Connection:
        """See `Writer.open`."""
        return sqlite3.connect(path_of(self.url), isolation_level=None, timeout=60)

    def insert(self, connection: sqlite3.Connection, run: str, word: str) -> None:
        """See `Writer.insert`."""
        connection.execute(
            "INSERT INTO executions_visibility (namespace_id, run_id, start_time, execution_time, workflow_id,"
            " workflow_type_name, status, encoding, search_attributes) VALUES"
            " (?, ?, datetime('now'), datetime('now'), 'w', 't', 1, '', json_object('Keyword01', ?, 'Text01', 'a b'))",
            (NAMESPACE, run, word),
        )

    def update(self, connection: sqlite3.Connection, run: str, word: str) -> None:
        """See `Writer.update`."""
        connection.execute(
            "UPDATE executions_visibility SET status = 2, close_time = datetime('now'),"
            " search_attributes = json_object('Keyword01', ?) WHERE namespace_id = ? AND run_id = ?",
            (word, NAMESPACE, run),
        )

    def delete(self, connection: sqlite3.Connection, run: str) -> None:
        """See `Writer.delete`."""
        connection.execute("DELETE FROM executions_visibility WHERE namespace_id = ? AND run_id = ?", (NAMESPACE, run))


def stored(url: str) -> tuple[Truth, int]:
    """The writer's rows as they are in the table, and the number of all others."""
    with closing(sqlite3.connect(path_of(url), isolation_level=None)) as connection:
        rows = connection.execute(
            "SELECT run_id, status, Keyword01 FROM executions_visibility WHERE namespace_id = ?", (NAMESPACE,)
        ).fetchall()
        others = connection.execute("SELECT count(*) FROM executions_visibility WHERE namespace_id <> ?", (NAMESPACE,))
        return {run: (status, word) for run, status, word in rows}, others.fetchone()[0]


def sound(url: str) -> None:
    """Assert that the file, and what full-text tables say of the rows, is whole."""
    with closing(sqlite3.connect(path_of(url), isolation_level=None)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'").fetchall():
            # 1: with the rows themselves, too.
            connection.execute(f"INSERT INTO {name}({name}, rank) VALUES ('integrity-check', 1)")


def leftovers(url: str) -> list[str]:
    """Objects of ours besides the books."""
    with closing(sqlite3.connect(path_of(url), isolation_level=None)) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE name LIKE 'temporal_visibility_%' AND type <> 'index'"
        ).fetchall()
    books = {"temporal_visibility_journal", "temporal_visibility_lock", "temporal_visibility_run"}
    return sorted(name for (name,) in names if name not in books)
