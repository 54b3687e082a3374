"""Runs the repeated parts of a rebuild on MySQL; see `toolkit.engines.rebuilding.Rebuilding`.

It decides nothing and knows no statement: a step brings them, named by their part. It happens in the session that holds
the server's lock, but for a long replay, which several sessions share; and every transaction reads the lock's row
first, so that a former holder changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import pymysql
from pymysql.constants import ER

from toolkit.engines.mysql import books, others
from toolkit.engines.mysql.books import Failed, MysqlLease
from toolkit.engines.mysql.connection import IDLE_SECONDS, Connection, ask, run, transaction
from toolkit.engines.mysql.refusals import BUSY, number_of
from toolkit.engines.mysql.rows import KEYS_AT_ONCE
from toolkit.engines.mysql.shadow import UNLESS
from toolkit.engines.mysql.watch import Watcher
from toolkit.engines.rebuilding import Busy, Compared, Copied, Key, Ran, Replayed, Swapped, Tick
from toolkit.engines.shared_work import DRAIN_ROUNDS, NEAR, REPLAY_SCALE, REPLAYERS, SharedWork
from toolkit.errors import EngineError, lost_lock
from toolkit.plan import Sql, Step, StepClass

# A long build waits for the table once more when it ends: giving up then throws it away, so it may wait longer.
LONG_SECONDS = 1.0
# A session that stops talking while it holds the tables is ended by the server.
SILENCE_SECONDS = 5
# With fewer keys than this waiting, one session is enough: it cannot keep pace with busy writers, for every row has
# sixty indexes.
FEW = 100


class MysqlRebuilder:
    """`patience`: seconds that a step may wait for a lock which keeps writers out anyway."""

    def __init__(
        self,
        connection: Connection,
        lease: MysqlLease,
        failed: Failed,
        open_session: Callable[[], Connection],
        watcher: Watcher,
        patience: float,
    ) -> None:
        self._connection = connection
        self._open_session = open_session
        self._replayers = SharedWork(open_session, _end, REPLAYERS)
        self._behind = 0
        self._lease = lease
        self._failed = failed
        self._watcher = watcher
        self._patience = patience

    def close(self) -> None:
        """Give back the sessions that share a replay. They are kept from one replay to the next, until little is left
        or something fails."""
        self._replayers.close()

    def attempt(self, step: Step, wait: float, tick: Tick) -> Ran | Busy:
        """See `Rebuilding.attempt`. MySQL commits with every change of schema; what follows the last one is one
        transaction."""
        if step.lock.name == "SHARED":
            wait = self._patience
        elif step.step_class is not StepClass.METADATA:
            wait = max(wait, LONG_SECONDS)
        try:
            with self._watcher.limited(wait), self._one_transaction():
                self._in_order([s for s in step.statements if isinstance(s, Sql)], tick)
        except pymysql.MySQLError as error:
            return self._busy(error)
        return Ran()

    def _in_order(self, statements: Sequence[Sql], tick: Tick) -> None:
        done_before = False
        for number, statement in enumerate(statements, 1):
            if statement.part == UNLESS:
                done_before = bool(ask(self._connection, statement.text)[0]["v"])
                continue
            if not done_before:
                self._lease.check()
                run(self._connection, statement.text)
            done_before = False
            tick(number)

    def copy(self, step: Step, after: Key | None, rows: int) -> Copied:
        """See `Rebuilding.copy`."""
        began = time.monotonic()
        with self._coded(), transaction(self._connection):
            self._lease.check()
            upto = self._bound(step, after, rows)
            copied = run(self._connection, _one(step, "copy"), _places(after, upto))
        return Copied(upto, copied, time.monotonic() - began)

    def compare(self, step: Step, after: Key | None, rows: int) -> Compared:
        """See `Rebuilding.compare`."""
        began = time.monotonic()
        with self._coded(), transaction(self._connection):
            self._lease.check()
            upto = self._bound(step, after, rows)
            found = ask(self._connection, _one(step, "compare"), _places(after, upto))
        different = tuple(tuple(str(v) for v in row.values()) for row in found)
        return Compared(upto, rows, time.monotonic() - began, different)

    def replay(self, step: Step, keys: int) -> Replayed:
        """See `Rebuilding.replay`."""
        began = time.monotonic()
        with self._coded():
            if self._behind > FEW:
                taken = self._replay_together(step, keys)
            else:
                with transaction(self._connection):
                    self._lease.check()
                    taken = _replay(self._connection, step, keys)
            self._behind = self._left(step)
        if self._behind <= NEAR:
            self.close()
        seconds = (time.monotonic() - began) / REPLAY_SCALE
        return Replayed(taken, self._behind, seconds, self._behind <= NEAR)

    def _replay_together(self, step: Step, keys: int) -> int:
        """Each of several sessions refreshes its share of the keys: writers are several, too."""

        def work(session: Connection, part: int) -> int:
            try:
                with transaction(session):
                    MysqlLease(session, self._open_session, self._failed, self._lease.fencing, 0).check()
                    return _replay(session, step, keys, REPLAYERS, part)
            except pymysql.MySQLError as error:
                # Two shares met in an index; the keys are still recorded.
                if number_of(error) == ER.LOCK_DEADLOCK:
                    return 0
                raise

        return self._replayers.together(work)

    def swap(self, step: Step, wait: float, most: int) -> Swapped | Busy:
        """See `Rebuilding.swap`. In autocommit mode 0 a commit keeps the tables locked, which BEGIN would not."""
        try:
            self._drain(step, most)
            run(self._connection, f"SET SESSION autocommit = 0, wait_timeout = {SILENCE_SECONDS}")
            try:
                began = self._lock(step, wait)
                return self._locked(step, most, began)
            finally:
                self._unlock(step)
        except pymysql.MySQLError as error:
            return self._busy(error)
        finally:
            self.close()

    def _drain(self, step: Step, most: int) -> None:
        """Before any lock, and to be kept when the lock is not granted: as few keys as writers' pace allows."""
        for _ in range(DRAIN_ROUNDS):
            if self._left(step) <= most // 2:
                return
            self._replay_together(step, NEAR // REPLAYERS)

    def _left(self, step: Step) -> int:
        return sum(int(ask(self._connection, text)[0]["left"]) for text in _every(step, "left"))

    def _lock(self, step: Step, wait: float) -> float:
        """All tables locked; since when writers may have been waiting."""
        drain = _every(step, "drain")
        if not drain:
            began = time.monotonic()
            with self._watcher.limited(wait):
                run(self._connection, _one(step, "lock"))
            return began
        helper = self._watcher.helper()
        run(helper, f"SET SESSION wait_timeout = {SILENCE_SECONDS}")
        began = time.monotonic()
        try:
            with self._watcher.limited(wait, other=helper):
                run(helper, drain[0])
            with self._watcher.limited(wait, waits=lambda: _give(helper)):
                run(self._connection, _one(step, "lock"))
        finally:
            _give(helper)
        return began

    def _locked(self, step: Step, most: int, began: float) -> Swapped | Busy:
        if not ask(self._connection, books.CHECK, (self._lease.fencing,)):
            raise lost_lock()
        if int(ask(self._connection, _one(step, "remade"))[0]["v"]):
            return Busy("a table was altered by somebody else")
        if _replay(self._connection, step, most) >= most:
            self._connection.rollback()
            return Busy("writers left too many changed keys for the short lock", at_once=True)
        self._connection.commit()
        if any(int(ask(self._connection, text)[0]["v"]) for text in _every(step, "absent")):
            raise EngineError(
                "TV4309",
                "rows are gone from the live table that nobody deleted: it was emptied by TRUNCATE meanwhile",
                "Before a swap, `schema rollback` takes the copy away; after it, only `schema finish` is right.",
            )
        run(self._connection, _one(step, "swap"))
        run(self._connection, _one(step, "unlock"))
        return Swapped(time.monotonic() - began)

    def _unlock(self, step: Step) -> None:
        """Nothing is left locked, whatever happened; a lost session holds nothing."""
        if self._connection.open:
            try:
                self._connection.rollback()
                run(self._connection, _one(step, "unlock"))
                run(self._connection, f"SET SESSION autocommit = 1, wait_timeout = {IDLE_SECONDS}")
            except pymysql.MySQLError:
                self._connection.close()

    def _bound(self, step: Step, after: Key | None, rows: int) -> Key | None:
        found = ask(self._connection, _one(step, "bound"), {**_places(after, None), "rows": rows})
        return tuple(str(value) for value in found[0].values()) if found else None

    @contextmanager
    def _one_transaction(self) -> Iterator[None]:
        self._connection.autocommit(False)
        try:
            yield
            self._connection.commit()
        finally:
            if self._connection.open:
                self._connection.rollback()
                self._connection.autocommit(True)

    @contextmanager
    def _coded(self) -> Iterator[None]:
        try:
            yield
        except pymysql.MySQLError as error:
            raise self._failed(error) from None

    def _busy(self, error: pymysql.MySQLError) -> Busy:
        if number_of(error) not in BUSY:
            raise self._failed(error) from None
        return Busy(self._blockers())

    def _blockers(self) -> str:
        """Who may hold what we wanted, as far as this account may see."""
        try:
            found = others.transactions(partial(ask, self._connection), 0)
        except pymysql.MySQLError:
            return "another session holds a table"
        return "; ".join(found) or "another session held a table"


def _replay(connection: Connection, step: Step, keys: int, parts: int = 1, part: int = 0) -> int:
    """How many recorded keys of each table were refreshed, in total; at most `keys` of each. Of `parts` shares, this
    is number `part`."""
    total = 0
    for number, take in enumerate(_every(step, "take"), 1):
        rows = ask(connection, take, {"keys": keys, "parts": parts, "part": part})
        for start in range(0, len(rows), KEYS_AT_ONCE):
            some = [list(row.values()) for row in rows[start : start + KEYS_AT_ONCE]]
            places = list(dict.fromkeys(tuple(key) for _, *key in some))
            found = ask(connection, _one(step, f"there {number}"), {"keys": places})
            gone = set(places) - {tuple(row.values()) for row in found}
            if gone:
                run(connection, _one(step, f"gone {number}"), {"keys": sorted(gone)})
            run(connection, _one(step, f"refresh {number}"), {"keys": places})
            run(connection, _one(step, f"taken {number}"), {"ids": [row[0] for row in some]})
        total += len(rows)
    return total


def _end(session: Connection) -> None:
    if session.open:
        session.close()


def _give(helper: Connection) -> None:
    """Nothing is locked, and the session may be silent until the next attempt."""
    if helper.open:
        try:
            run(helper, "UNLOCK TABLES")
            run(helper, f"SET SESSION wait_timeout = {IDLE_SECONDS}")
        except pymysql.MySQLError:
            helper.close()


def _every(step: Step, part: str) -> list[str]:
    """The statements of a part, those with a number after it included."""
    found = [s for s in step.statements if isinstance(s, Sql)]
    return [s.text for s in found if s.part == part or s.part.rpartition(" ")[0] == part]


def _one(step: Step, part: str) -> str:
    (text,) = (s.text for s in step.statements if isinstance(s, Sql) and s.part == part)
    return text


def _places(after: Key | None, upto: Key | None) -> Mapping[str, object]:
    """Values for `after_1…` and `upto_1…`; the key has two columns."""
    pairs = (("after", after or (None, None)), ("upto", upto or (None, None)))
    return {f"{word}_{n}": value for word, key in pairs for n, value in enumerate(key, 1)}
