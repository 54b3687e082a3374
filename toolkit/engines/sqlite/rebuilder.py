"""Runs the steps of a plan on a SQLite file: one transaction each; see `toolkit.engines.rebuilding.Rebuilding`.

It decides nothing and knows no statement. There are no chunks: SQLite has one writer at a time, so that a copy beside
live writes would take the write lock as long in all, and every write twice from then on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager

from toolkit.engines.rebuilding import Busy, Compared, Copied, Key, Ran, Replayed, Swapped, Tick
from toolkit.engines.sqlite.books import Failed, SqliteLease, fence, renew
from toolkit.engines.sqlite.refusals import is_busy
from toolkit.plan import Mode, Sql, Step

# Waiting for SQLite's write lock keeps nobody else waiting.
WAIT_SECONDS = 2.0


class SqliteRebuilder:
    """`transaction` gives the write lock, waited for at most so many seconds."""

    def __init__(
        self, lease: SqliteLease, transaction: Callable[[float], AbstractContextManager[sqlite3.Connection]],
        failed: Failed,
    ) -> None:  # fmt: skip
        self._lease = lease
        self._transaction = transaction
        self._failed = failed

    def attempt(self, step: Step, wait: float, tick: Tick) -> Ran | Busy:
        """See `Rebuilding.attempt`. No beat gets through meanwhile, so the lock is renewed in the same transaction."""
        assert step.mode is Mode.ONCE
        try:
            with self._transaction(max(wait, WAIT_SECONDS)) as connection:
                fence(connection, self._lease.fencing)
                for number, statement in enumerate(step.statements, 1):
                    assert isinstance(statement, Sql)
                    connection.execute(statement.text)
                    tick(number)
                renew(connection, self._lease.fencing, self._lease.seconds)
        except sqlite3.Error as error:
            if is_busy(error):
                return Busy(f"another process is using the file ({error})")
            raise self._failed(error) from None
        return Ran()

    def copy(self, step: Step, after: Key | None, rows: int) -> Copied:
        """No step of this engine asks for it."""
        raise NotImplementedError(step.id)

    def compare(self, step: Step, after: Key | None, rows: int) -> Compared:
        """No step of this engine asks for it."""
        raise NotImplementedError(step.id)

    def replay(self, step: Step, keys: int) -> Replayed:
        """No step of this engine asks for it."""
        raise NotImplementedError(step.id)

    def swap(self, step: Step, wait: float, most: int) -> Swapped | Busy:
        """No step of this engine asks for it."""
        raise NotImplementedError(step.id)
