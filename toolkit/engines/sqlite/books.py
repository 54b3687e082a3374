"""The lock and the journal in a SQLite file: `temporal_visibility_lock`, `_run` and `_journal`.

The statements and the little that has to be decided about them; it holds no rule of the run itself. Whoever changes
anything holds SQLite's write lock meanwhile and has looked at the lock's row inside the same transaction.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from toolkit.catalog import Json
from toolkit.engines.online import Entry, Holder, Run
from toolkit.engines.sqlite.render import NOW, TIME_FORM
from toolkit.errors import EngineError, LockHeld, lost_lock

Failed = Callable[[BaseException], EngineError]
Transaction = Callable[[], AbstractContextManager[sqlite3.Connection]]
Ask = Callable[[str, Sequence[object]], list[dict[str, Any]]]

_TABLES = (
    """
CREATE TABLE IF NOT EXISTS temporal_visibility_lock (
  name     TEXT PRIMARY KEY,
  fencing  INTEGER NOT NULL,
  owner    TEXT,
  place    TEXT,
  pid      INTEGER,
  taken_at TEXT,
  expires  REAL
)""",
    """
CREATE TABLE IF NOT EXISTS temporal_visibility_run (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  kind    TEXT NOT NULL,
  status  TEXT NOT NULL,
  wanted  TEXT NOT NULL,
  owner   TEXT NOT NULL,
  started TEXT NOT NULL,
  ended   TEXT,
  plan    TEXT NOT NULL,
  of      INTEGER
)""",
    """
CREATE TABLE IF NOT EXISTS temporal_visibility_journal (
  run     INTEGER NOT NULL,
  line    INTEGER NOT NULL,
  at      TEXT NOT NULL,
  fencing INTEGER NOT NULL,
  action  TEXT NOT NULL,
  note    TEXT NOT NULL,
  state   TEXT NOT NULL,
  PRIMARY KEY (run, line)
) WITHOUT ROWID""",
    # Somebody may have taken the row away; no number that a holder had comes back.
    """
INSERT INTO temporal_visibility_lock (name, fencing)
SELECT 'schema', coalesce(max(fencing), 0) FROM temporal_visibility_journal WHERE true ON CONFLICT DO NOTHING""",
)
EXISTS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
# Seconds since 1970 by the machine's clock, which all users of a file share.
_CLOCK = "((julianday('now') - 2440587.5) * 86400.0)"
_HOLDER = f"""
SELECT fencing, owner, place, pid, taken_at, strftime('{TIME_FORM}', expires, 'unixepoch') AS expires,
       expires < {_CLOCK} AS expired
FROM temporal_visibility_lock WHERE name = 'schema'
"""
_TAKE = f"""
UPDATE temporal_visibility_lock
SET fencing = fencing + 1, owner = :owner, place = :place, pid = :pid, taken_at = {NOW}, expires = {_CLOCK} + :seconds
WHERE name = 'schema'
"""
_BEAT = f"UPDATE temporal_visibility_lock SET expires = {_CLOCK} + ? WHERE name = 'schema' AND fencing = ?"
_RELEASE = """
UPDATE temporal_visibility_lock SET owner = NULL, place = NULL, pid = NULL, expires = NULL
WHERE name = 'schema' AND fencing = ?
"""
_CHECK = "SELECT 1 FROM temporal_visibility_lock WHERE name = 'schema' AND fencing = ?"
_RUNS = """
SELECT r.id, r.kind, r.status, r.wanted, r.owner, r.started, r.ended, r.plan, r.of, j.state,
       coalesce(j.note, '') AS note
FROM temporal_visibility_run AS r
LEFT JOIN temporal_visibility_journal AS j
  ON j.run = r.id AND j.line = (SELECT max(line) FROM temporal_visibility_journal AS k WHERE k.run = r.id)
ORDER BY r.id
"""
_LINES = "SELECT line, at, action, note, state FROM temporal_visibility_journal WHERE run = ? ORDER BY line"
_BEGIN = f"""
INSERT INTO temporal_visibility_run (kind, status, wanted, owner, started, plan, of)
SELECT ?, 'running', ?, coalesce(owner, ''), {NOW}, ?, ? FROM temporal_visibility_lock WHERE name = 'schema'
"""
_APPEND = f"""
INSERT INTO temporal_visibility_journal (run, line, at, fencing, action, note, state)
SELECT :run, coalesce((SELECT max(line) FROM temporal_visibility_journal WHERE run = :run), 0) + 1, {NOW}, fencing,
       :action, :note, :state
FROM temporal_visibility_lock WHERE name = 'schema' AND fencing = :fencing
"""
_CLOSE = f"UPDATE temporal_visibility_run SET status = ?, ended = {NOW} WHERE id = ?"
_CLOSE_OTHER = "UPDATE temporal_visibility_run SET status = ? WHERE id = ?"


def place() -> str | None:
    """Where this process's number means something: this boot of this machine, this namespace of process numbers. None
    where the system does not tell; a dead holder's lock is then waited for."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def alive(where: str | None, pid: int | None) -> bool:
    """Whether the process that took the lock may still be there."""
    if where is None or pid is None or where != place():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def fence(connection: sqlite3.Connection, fencing: int) -> None:
    """Inside a transaction that holds the write lock: LockHeld when the lock is somebody else's by now."""
    if connection.execute(_CHECK, (fencing,)).fetchone() is None:
        raise lost_lock()


def renew(connection: sqlite3.Connection, fencing: int, seconds: float) -> bool:
    """Put off the expiry; whether the lock is still ours."""
    return connection.execute(_BEAT, (seconds, fencing)).rowcount > 0


def _there(ask: Ask, *tables: str) -> bool:
    return all(ask(EXISTS, (f"temporal_visibility_{table}",)) for table in tables)


def holder(ask: Ask) -> Holder | None:
    """Who holds the lock; None when nobody does, or its process is gone."""
    found = ask(_HOLDER, ()) if _there(ask, "lock") else []
    row = found[0] if found else None
    if row is None or row["owner"] is None or not alive(row["place"], row["pid"]):
        return None
    return Holder(row["owner"], row["taken_at"], row["expires"], bool(row["expired"]), row["fencing"])


def take(connection: sqlite3.Connection, owner: str, seconds: float, forced: str | None) -> int:
    """Inside a transaction that holds the write lock: take the lock and return its fencing number. LockHeld when
    somebody has it; `forced` names a holder it may be taken from before it expires."""
    for statement in _TABLES:
        connection.execute(statement)
    found, old, where, pid, since, expires, expired = connection.execute(_HOLDER).fetchone()
    if old is not None and not expired and old != forced and alive(where, pid):
        raise LockHeld(
            "TV5101",
            f"{old} is working on this store since {since[:19]} UTC",
            f"Wait for it. If it is gone for good: its lock expires by itself at {expires[11:19]}, and "
            "`schema unlock` takes it away.",
        )
    values = {"owner": owner, "place": place(), "pid": os.getpid(), "seconds": seconds}
    connection.execute(_TAKE, values)
    return int(found) + 1


class SqliteLease:
    """The lock, held; see `toolkit.engines.online.Lease`. `beat` may be called from another thread than the rest."""

    def __init__(
        self, connection: sqlite3.Connection, beating: Callable[[], sqlite3.Connection], failed: Failed, fencing: int,
        seconds: float,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._beating = beating
        self._failed = failed
        self._fencing = fencing
        self._seconds = seconds

    @property
    def fencing(self) -> int:
        """See `Lease.fencing`."""
        return self._fencing

    @property
    def seconds(self) -> float:
        """For how long the lock is taken each time."""
        return self._seconds

    def check(self) -> None:
        """See `Lease.check`."""
        with self._errors():
            fence(self._connection, self._fencing)

    def beat(self) -> None:
        """See `Lease.beat`. While this run itself holds the write lock a beat cannot get through, and need not."""
        with self._errors():
            connection = self._beating()
            try:
                if not renew(connection, self._fencing, self._seconds):
                    raise lost_lock()
            finally:
                connection.close()

    def release(self) -> None:
        """See `Lease.release`. A file that cannot be written is no error: the lock goes with the process."""
        with suppress(sqlite3.Error):
            self._connection.execute(_RELEASE, (self._fencing,))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._failed(error) from None


class SqliteJournal:
    """The journal; see `toolkit.engines.online.Journal`. `fencing` 0: only to be read."""

    def __init__(self, ask: Ask, transaction: Transaction, failed: Failed, fencing: int = 0) -> None:
        self._ask = ask
        self._transaction = transaction
        self._failed = failed
        self._fencing = fencing

    def runs(self) -> Sequence[Run]:
        """See `Journal.runs`."""
        if not _there(self._ask, "run", "journal"):
            return ()
        rows = self._ask(_RUNS, ())
        # A run without a line: somebody has dropped the journal.
        return [
            Run(**{**row, "plan": json.loads(row["plan"]), "state": json.loads(row["state"] or "null")}) for row in rows
        ]

    def lines(self, run: int) -> Sequence[Mapping[str, Json]]:
        """See `Journal.lines`."""
        if not _there(self._ask, "journal"):
            return ()
        return [{**row, "state": json.loads(row["state"])} for row in self._ask(_LINES, (run,))]

    def begin(self, kind: str, wanted: str, plan: Json, state: Json, of: int | None) -> Run:
        """See `Journal.begin`."""
        with self._written() as connection:
            number = connection.execute(_BEGIN, (kind, wanted, json.dumps(plan), of)).lastrowid
            assert number is not None
            self._append(connection, number, Entry("begin", state))
        return next(run for run in self.runs() if run.id == number)

    def append(self, run: int, entry: Entry) -> None:
        """See `Journal.append`."""
        with self._written() as connection:
            self._append(connection, run, entry)

    def close(self, run: int, status: str, of: int | None = None, of_status: str = "") -> None:
        """See `Journal.close`."""
        with self._written() as connection:
            connection.execute(_CLOSE, (status, run))
            if of is not None:
                connection.execute(_CLOSE_OTHER, (of_status, of))

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._transaction() as connection:
                fence(connection, self._fencing)
                yield connection
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def _append(self, connection: sqlite3.Connection, run: int, entry: Entry) -> None:
        values = {"run": run, "fencing": self._fencing, "action": entry.action, "note": entry.note}
        connection.execute(_APPEND, values | {"state": json.dumps(entry.state)})
