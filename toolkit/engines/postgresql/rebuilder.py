"""Runs the repeated parts of a rebuild on PostgreSQL; see `toolkit.engines.rebuilding.Rebuilding`.

It decides nothing and knows no statement: a step brings them, named by their part. Every transaction takes hold of the
lock's row first, so that a holder whose lock has expired cannot change anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import errors

from toolkit.engines.postgresql.books import PostgresLease, fence
from toolkit.engines.postgresql.connection import Connection, Failed
from toolkit.engines.postgresql.going_back import LiveTable
from toolkit.engines.postgresql.names import WEAK_LOCK_SECONDS
from toolkit.engines.rebuilding import Busy, Compared, Copied, Key, Ran, Replayed, Swapped, Tick
from toolkit.engines.shared_work import DRAIN_ROUNDS, NEAR, REPLAY_SCALE, REPLAYERS, SharedWork
from toolkit.errors import EngineError, StoreChanged, ToolkitError
from toolkit.plan import Mode, Sql, Step

JOBS = 2
CANCEL_SECONDS = 5.0
LAST_ROUNDS = 3
_ALTERED = Busy("the table was altered by somebody else", at_once=True)
# Who waits long enough for a lock is the one whom the server ends in a deadlock. Either way nothing was done.
_NOT_GRANTED = (errors.LockNotAvailable, errors.DeadlockDetected)
# What a table says to a row that another one took: a value, a constraint, or a type that is not turned back by itself.
_UNFIT = (psycopg.DataError, psycopg.IntegrityError, errors.DatatypeMismatch)
_GONE = (errors.UndefinedColumn, errors.UndefinedTable)
_MEND = (
    "Mend the row and give the same command again. Otherwise: before its swap an upgrade is taken back by `schema "
    "rollback`, and instead of a rollback `schema finish` keeps the table as it is."
)
_UNDO = "Undo that and give the same command again; or, before the swap, `schema rollback` takes back what was done."


class PostgresRebuilder:
    """`open_session` gives another connection for work that runs beside the main one."""

    def __init__(
        self,
        connection: Connection,
        lease: PostgresLease,
        failed: Failed,
        open_session: Callable[[], Connection],
        live: LiveTable,
    ) -> None:
        self._connection = connection
        self._lease = lease
        self._failed = failed
        self._open_session = open_session
        self._live = live
        self._replayers = SharedWork(open_session, lambda session: session.close(), REPLAYERS)

    def close(self) -> None:
        """Give back the sessions that share a replay. They are kept from one replay to the next, until nothing is left
        to share or something fails."""
        self._replayers.close()

    def attempt(self, step: Step, wait: float, tick: Tick) -> Ran | Busy:
        """See `Rebuilding.attempt`."""
        statements = [s for s in step.statements if isinstance(s, Sql)]
        try:
            if step.mode is Mode.PARALLEL:
                self._parallel(statements, tick)
            elif any(s.autocommit for s in statements):
                self._one_by_one(statements, tick)
            else:
                with self._transaction(wait):
                    for statement in statements:
                        self._connection.execute(statement.text)
        except _NOT_GRANTED:
            return Busy(self._blockers())
        except psycopg.Error as error:
            raise self._failed(error) from None
        return Ran()

    def copy(self, step: Step, after: Key | None, rows: int) -> Copied:
        """See `Rebuilding.copy`."""
        began = time.monotonic()
        try:
            with self._transaction():
                self._settings(step)
                upto = self._bound(step, after, rows)
                copied = self._run(step, "copy", _places(after, upto)).rowcount
            seconds = time.monotonic() - began
            strain = self._connection.execute(STRAIN).fetchall()[0]
        except psycopg.Error as error:
            raise self._said(error) from None
        return Copied(upto, copied, seconds, float(strain["lag"]), float(strain["load"]))

    def compare(self, step: Step, after: Key | None, rows: int) -> Compared:
        """See `Rebuilding.compare`."""
        began = time.monotonic()
        try:
            with self._transaction():
                self._settings(step)
                upto = self._bound(step, after, rows)
                found = self._run(step, "compare", _places(after, upto)).fetchall()
        except psycopg.Error as error:
            raise self._said(error) from None
        different = tuple(tuple(str(v) for v in row.values()) for row in found)
        return Compared(upto, rows, time.monotonic() - began, different)

    def replay(self, step: Step, keys: int) -> Replayed:
        """See `Rebuilding.replay`."""
        began = time.monotonic()
        try:
            if self._left(step) > NEAR // 2:
                taken = self._replay_together(step, keys)
            else:
                with self._transaction():
                    self._settings(step)
                    taken = self._replay(step, keys)
            left = self._left(step)
        except psycopg.Error as error:
            raise self._said(error) from None
        if left <= NEAR:
            self.close()
        return Replayed(taken, left, (time.monotonic() - began) / REPLAY_SCALE, left <= NEAR)

    def swap(self, step: Step, wait: float, most: int) -> Swapped | Busy:
        """See `Rebuilding.swap`."""
        try:
            self._drain(step, most)
            with self._transaction(WEAK_LOCK_SECONDS):
                self._settings(step)
                self._run(step, "weak lock")
                # Somebody may have altered the table since the last look, and while the lock was waited for.
                loose = self._live.loose()
                if not self._live.is_as_seen(step):
                    return _ALTERED
                # Each statement sees what was committed before it, and takes less time than a transaction of its own.
                # What is done here is lost when the lock is not granted, so it must stay little.
                for _ in range(LAST_ROUNDS):
                    if self._replay(step, most * 2) <= most // 4:
                        break
                self._wait_at_most(wait)
                began = time.monotonic()
                self._run(step, "lock")
                if self._live.loose() != loose:
                    return _ALTERED
                if self._replay(step, most) >= most:
                    raise _TooMany
                # One message to the server, so that its distance does not count a hundred times under the lock.
                self._connection.execute(";\n".join(s.text for s in _part(step, "swap")))
        except _TooMany:
            return Busy("writers left too many changed keys for the short lock", at_once=True)
        except _NOT_GRANTED:
            return Busy(self._blockers())
        except psycopg.Error as error:
            raise self._said(error) from None
        return Swapped(time.monotonic() - began)

    def _said(self, error: psycopg.Error) -> ToolkitError:
        said = self._failed(error)
        if isinstance(error, _UNFIT):
            return EngineError("TV5220", f"a row does not fit into the other table: {said.message}", _MEND)
        if isinstance(error, _GONE):
            return StoreChanged("TV5001", f"the store was changed by somebody else: {said.message}", _UNDO)
        return said

    def _drain(self, step: Step, most: int) -> None:
        """Before any lock, and to be kept when the lock is not granted: as few keys as writers' pace allows."""
        for _ in range(DRAIN_ROUNDS):
            with self._transaction():
                self._settings(step)
                if self._replay(step, NEAR) <= most // 2:
                    return

    @contextmanager
    def _transaction(self, wait: float = 0.0) -> Any:
        with self._connection.transaction():
            self._lease.check()
            self._wait_at_most(wait)
            yield

    def _wait_at_most(self, seconds: float) -> None:
        self._connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{round(seconds * 1000)}ms",))

    def _run(self, step: Step, part: str, values: Mapping[str, object] | None = None) -> psycopg.Cursor[dict[str, Any]]:
        # Never prepared: a plan for any chunk would be a plan for the whole table.
        (statement,) = _part(step, part)
        return self._connection.execute(statement.text, values, prepare=False)

    def _settings(self, step: Step) -> None:
        for statement in _part(step, "set"):
            self._connection.execute(statement.text)

    def _replay(self, step: Step, keys: int) -> int:
        row = self._run(step, "replay", {"keys": keys, "parts": 1, "part": 0}).fetchone()
        return int(row["taken"]) if row else 0

    def _replay_together(self, step: Step, keys: int) -> int:
        """Each of several sessions refreshes its share of the keys: writers are several, too."""
        (replay,) = _part(step, "replay")

        def work(session: Connection, part: int) -> int:
            with session.transaction():
                fence(session, self._lease.fencing)
                for statement in _part(step, "set"):
                    session.execute(statement.text)
                values = {"keys": keys, "parts": REPLAYERS, "part": part}
                row = session.execute(replay.text, values, prepare=False).fetchone()
            return int(row["taken"]) if row else 0

        return self._replayers.together(work)

    def _left(self, step: Step) -> int:
        row = self._run(step, "left").fetchone()
        return int(row["left"]) if row else 0

    def _bound(self, step: Step, after: Key | None, rows: int) -> Key | None:
        row = self._run(step, "bound", {**_places(after, None), "rows": rows}).fetchone()
        return tuple(str(value) for value in row.values()) if row else None

    def _one_by_one(self, statements: Sequence[Sql], tick: Tick) -> None:
        """Statements that no transaction can hold; waiting for them blocks nobody, so they may wait."""
        for number, statement in enumerate(statements, 1):
            self._lease.check()
            self._connection.execute(statement.text)
            tick(number)

    def _parallel(self, statements: Sequence[Sql], tick: Tick) -> None:
        """Several sessions share the statements; the last one, which looks at the result of all, runs at the end."""
        settings = [s for s in statements if s.part == "set"]
        *shared, last = (s for s in statements if s.part != "set")
        sessions = [self._open_session() for _ in range(min(JOBS, max(1, len(shared))))]
        free = list(sessions)

        def run(statement: Sql) -> None:
            session = free.pop()
            try:
                with session.transaction():
                    fence(session, self._lease.fencing)
                    for one in (*settings, statement):
                        session.execute(one.text)
            finally:
                free.append(session)

        try:
            with ThreadPoolExecutor(len(sessions)) as pool:
                waiting = [pool.submit(run, statement) for statement in shared]
                try:
                    for number, done in enumerate(as_completed(waiting), 1 + len(settings)):
                        done.result()
                        tick(number)
                except BaseException:
                    _cancel(waiting, sessions)
                    raise
            run(last)
            tick(len(statements))
        finally:
            for session in sessions:
                session.close()

    def _blockers(self) -> str:
        """Who holds what we wanted, as far as this role may see."""
        try:
            rows = self._connection.execute(_LONG).fetchall()
        except psycopg.Error:
            return "another session holds a lock"
        if not rows:
            return "another session held a lock"
        return "; ".join(f"session {row['pid']} ({row['who']}) is in a transaction since {row['age']}" for row in rows)


# A role without pg_monitor sees of other sessions and of replicas only that they are there. A replica's own figure is
# how far behind it was when it last said so.
STRAIN = """
SELECT coalesce(extract(epoch FROM r.lag), 0)::float AS lag, r.hidden, r.replicas, a.load
FROM (SELECT max(replay_lag) AS lag, coalesce(bool_or(state IS NULL), false) AS hidden, count(*) AS replicas
      FROM pg_stat_replication) r,
     (SELECT count(*)::float AS load FROM pg_stat_activity
      WHERE datname = current_database() AND state = 'active' AND backend_type = 'client backend'
        AND pid <> pg_backend_pid() AND application_name NOT LIKE 'temporal-visibility%') a
"""
_LONG = """
SELECT a.pid, coalesce(nullif(a.application_name, ''), a.usename, a.backend_type, 'unknown') AS who,
       date_trunc('second', now() - a.xact_start)::text AS age
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
ORDER BY a.xact_start LIMIT 3
"""


class _TooMany(Exception):
    """The exclusive lock was granted, and too much was left to do under it."""


def _cancel(waiting: Sequence[Future[None]], sessions: Sequence[Connection]) -> None:
    for future in waiting:
        future.cancel()
    for session in sessions:
        # A server that is gone may never answer.
        with suppress(psycopg.Error):
            session.cancel_safe(timeout=CANCEL_SECONDS)


def _part(step: Step, part: str) -> list[Sql]:
    return [s for s in step.statements if isinstance(s, Sql) and s.part == part]


def _places(after: Key | None, upto: Key | None) -> dict[str, object]:
    """Values for `after_1…` and `upto_1…`; the key has two columns."""
    pairs = (("after", after or (None, None)), ("upto", upto or (None, None)))
    return {f"{word}_{n}": value for word, key in pairs for n, value in enumerate(key, 1)}
