"""The lock and the journal in a MySQL database: `temporal_visibility_lock`, `_run` and `_journal`.

The statements and the little that has to be decided about them; it holds no rule of the run itself. MySQL commits with
every change of schema, so a row alone cannot guard one: whoever changes anything does it in a session that holds the
server's own lock GET_LOCK, which a new holder gets only when that session has ended, by itself or by KILL.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pymysql
from pymysql.constants import ER

from toolkit.catalog import Json
from toolkit.engines.mysql.connection import Connection, ask, run, transaction
from toolkit.engines.mysql.refusals import number_of
from toolkit.engines.online import Entry, Holder, Run
from toolkit.errors import EngineError, LockHeld, lost_lock

Failed = Callable[[pymysql.MySQLError], EngineError]

# How long a session that may only be about to notice its client's death keeps a new runner waiting.
GRACE_SECONDS = 3.0
# How long a killed session may take to undo what it was doing.
KILL_SECONDS = 60.0

_OPTIONS = "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
# The holder's row is read by every one of its transactions; the beats are in another, so that they wait for none.
_TABLES = (
    "CREATE TABLE IF NOT EXISTS temporal_visibility_lock (name VARCHAR(32) NOT NULL PRIMARY KEY, "
    "fencing BIGINT NOT NULL, owner TEXT, taken_at DATETIME(6), expires_at DATETIME(6)) " + _OPTIONS,
    "CREATE TABLE IF NOT EXISTS temporal_visibility_run (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, "
    "kind VARCHAR(32) NOT NULL, status VARCHAR(32) NOT NULL, wanted VARCHAR(64) NOT NULL, owner TEXT NOT NULL, "
    "started DATETIME(6) NOT NULL, ended DATETIME(6), plan LONGTEXT NOT NULL, of_run BIGINT, asked LONGTEXT) "
    + _OPTIONS,
    "CREATE TABLE IF NOT EXISTS temporal_visibility_journal (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, "
    "run BIGINT NOT NULL, at DATETIME(6) NOT NULL, fencing BIGINT NOT NULL, action VARCHAR(64) NOT NULL, "
    "note TEXT NOT NULL, state LONGTEXT NOT NULL, INDEX by_run (run, id)) " + _OPTIONS,
)
_ROWS = "INSERT IGNORE INTO temporal_visibility_lock (name, fencing) VALUES ('schema', 0), ('beat', 0)"
_EXIST = (
    "SELECT COUNT(*) = 3 AS v FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN "
    "('temporal_visibility_lock', 'temporal_visibility_run', 'temporal_visibility_journal')"
)
_FILLED = "SELECT COUNT(*) = 2 AS v FROM temporal_visibility_lock WHERE name IN ('schema', 'beat')"
_NAME = "CONCAT('temporal-visibility ', LEFT(SHA2(DATABASE(), 256), 32))"
_SESSION = f"SELECT IS_USED_LOCK({_NAME}) AS v"
_GET = f"SELECT GET_LOCK({_NAME}, 0) AS v"
_GIVE = f"DO RELEASE_LOCK({_NAME})"
_HOLDER = f"""
SELECT l.fencing, l.owner, l.taken_at, b.expires_at, COALESCE(b.expires_at < UTC_TIMESTAMP(6), TRUE) AS expired,
       IS_USED_LOCK({_NAME}) AS session, b.owner AS taken_in
FROM temporal_visibility_lock l JOIN temporal_visibility_lock b ON b.name = 'beat' WHERE l.name = 'schema'
"""
_TAKE = """
UPDATE temporal_visibility_lock SET fencing = fencing + 1, owner = %s, taken_at = UTC_TIMESTAMP(6)
WHERE name = 'schema'
"""
_TAKEN_IN = "UPDATE temporal_visibility_lock SET owner = CONNECTION_ID() WHERE name = 'beat'"
_FENCING = "SELECT fencing AS v FROM temporal_visibility_lock WHERE name = 'schema'"
_FIRST_BEAT = """
UPDATE temporal_visibility_lock SET fencing = %(fencing)s,
  expires_at = UTC_TIMESTAMP(6) + INTERVAL %(micro)s MICROSECOND WHERE name = 'beat'
"""
_BEAT = f"{_FIRST_BEAT.rstrip()} AND fencing = %(fencing)s"
_RELEASE = "UPDATE temporal_visibility_lock SET owner = NULL WHERE name = 'schema' AND fencing = %s"
# Under LOCK TABLES, and outside of transactions, nothing has to be held.
CHECK = "SELECT fencing AS v FROM temporal_visibility_lock WHERE name = 'schema' AND fencing = %s"
_HOLD = f"{CHECK} FOR SHARE"
_RUNS = """
SELECT r.id, r.kind, r.status, r.wanted, r.owner, r.started, r.ended, r.plan, r.of_run AS `of`, j.state, j.note
FROM temporal_visibility_run r
LEFT JOIN temporal_visibility_journal j
  ON j.id = (SELECT MAX(id) FROM temporal_visibility_journal WHERE run = r.id)
ORDER BY r.id
"""
_LINES = """
SELECT ROW_NUMBER() OVER (ORDER BY id) AS line, at, action, note, state FROM temporal_visibility_journal
WHERE run = %s ORDER BY id
"""
_BEGIN = """
INSERT INTO temporal_visibility_run (kind, status, wanted, owner, started, plan, of_run)
SELECT %s, 'running', %s, COALESCE(owner, ''), UTC_TIMESTAMP(6), %s, %s FROM temporal_visibility_lock
WHERE name = 'schema'
"""
_APPEND = """
INSERT INTO temporal_visibility_journal (run, at, fencing, action, note, state)
SELECT %s, UTC_TIMESTAMP(6), fencing, %s, %s, %s FROM temporal_visibility_lock WHERE name = 'schema' AND fencing = %s
"""
_ASKED = "SELECT asked AS v FROM temporal_visibility_run WHERE id = %s"
_ASK = "UPDATE temporal_visibility_run SET asked = %s WHERE id = %s"
_CLOSE = "UPDATE temporal_visibility_run SET status = %s, ended = UTC_TIMESTAMP(6) WHERE id = %s"
_CLOSE_OTHER = "UPDATE temporal_visibility_run SET status = %s WHERE id = %s"


class MysqlLease:
    """The lock, held; see `toolkit.engines.online.Lease`. `beat` may be called from another thread than the rest."""

    def __init__(
        self, connection: Connection, beating: Callable[[], Connection], failed: Failed, fencing: int, seconds: float
    ) -> None:
        self._connection = connection
        self._beating = beating
        self._failed = failed
        self._fencing = fencing
        self._seconds = seconds
        self._beats: Connection | None = None

    @property
    def fencing(self) -> int:
        """See `Lease.fencing`."""
        return self._fencing

    def check(self) -> None:
        """See `Lease.check`; inside a transaction it also keeps new holders waiting until that is over."""
        try:
            found = ask(self._connection, _HOLD, (self._fencing,))
        except pymysql.MySQLError as error:
            raise self._failed(error) from None
        if not found:
            raise lost_lock()

    def beat(self) -> None:
        """See `Lease.beat`."""
        try:
            if self._beats is None or not self._beats.open:
                self._beats = self._beating()
            if run(self._beats, _BEAT, _beat(self._fencing, self._seconds)) == 0:
                raise lost_lock()
        except pymysql.MySQLError as error:
            raise self._failed(error) from None

    def release(self) -> None:
        """See `Lease.release`. A lost connection is no error: the lock then goes with the session."""
        try:
            run(self._connection, _RELEASE, (self._fencing,))
            run(self._connection, _GIVE)
        except pymysql.MySQLError:
            pass
        finally:
            if self._beats is not None and self._beats.open:
                self._beats.close()


def _beat(fencing: int, seconds: float) -> dict[str, int]:
    return {"fencing": fencing, "micro": round(seconds * 1_000_000)}


def holder(connection: Connection) -> Holder | None:
    """Who holds the lock; None when nobody does, or its session is gone."""
    if not ask(connection, _EXIST)[0]["v"]:
        return None
    for row in ask(connection, _HOLDER):
        if row["owner"] is not None and row["session"] is not None:
            times = (_moment(row["taken_at"]), _moment(row["expires_at"]))
            return Holder(row["owner"], *times, bool(row["expired"]), row["fencing"])
    return None


def _moment(value: Any) -> str:
    return "" if value is None else f"{value.isoformat()}+00:00"


def take(connection: Connection, owner: str, seconds: float, forced: str | None = None) -> int:
    """Take the lock and return its fencing number; `forced` names a holder it may be taken from before it expires.

    LockHeld when somebody has it. A session whose client has died is noticed by the server within a second, so one is
    waited for that long."""
    create(connection)
    until = time.monotonic() + GRACE_SECONDS
    while not ask(connection, _GET)[0]["v"]:
        row = ask(connection, _HOLDER)[0]
        # Who has the server's lock may not stand in the row yet, or never will, as Alembic; runs of 0.1.0 did not say.
        known = row["owner"] is not None and row["taken_in"] in (None, str(row["session"]))
        if known and (row["expired"] or row["owner"] == forced):
            _end(connection, row)
        elif time.monotonic() > until:
            raise LockHeld(
                "TV5101",
                f"{row['owner']} is working on this store since {row['taken_at']} UTC"
                if known
                else "somebody else is working on this store",
                "Wait for it. If it is gone for good: its lock expires by itself, and `schema unlock` takes it away.",
            )
        else:
            time.sleep(0.1)
    with transaction(connection):
        # What the former holder has under way is waited for: it has read this row FOR SHARE.
        run(connection, _TAKE, (owner,))
        run(connection, _TAKEN_IN)
        fencing = int(ask(connection, _FENCING)[0]["v"])
        run(connection, _FIRST_BEAT, _beat(fencing, seconds))
    return fencing


def create(connection: Connection) -> None:
    """The tables and the lock's two rows, if they are not there: a run may have been killed in between, and a dump
    of a schema has tables only."""
    if not ask(connection, _EXIST)[0]["v"]:
        for statement in _TABLES:
            run(connection, statement)
    if not ask(connection, _FILLED)[0]["v"]:
        run(connection, _ROWS)


def _end(connection: Connection, row: Mapping[str, Any]) -> None:
    """End the session of a former holder: whatever it was doing, it does nothing any more."""
    if row["session"] is None:
        return
    try:
        run(connection, f"KILL {int(row['session'])}")
    except pymysql.MySQLError as error:
        if number_of(error) == ER.KILL_DENIED_ERROR:
            raise LockHeld(
                "TV4308",
                f"the lock of {row['owner']} has expired, but its session {row['session']} is another account's",
                f"With the right CONNECTION_ADMIN: KILL {row['session']}. Or use the account of that run.",
            ) from None
        if number_of(error) != ER.NO_SUCH_THREAD:
            raise
    until = time.monotonic() + KILL_SECONDS
    while ask(connection, _SESSION)[0]["v"] == row["session"]:
        if time.monotonic() > until:
            raise LockHeld(
                "TV5101",
                f"session {row['session']} of {row['owner']} was ended and is still undoing what it did",
                "Run the same command again in a while.",
            )
        time.sleep(0.05)


class MysqlJournal:
    """The journal; see `toolkit.engines.online.Journal`. `fencing` 0: only to be read."""

    def __init__(self, connection: Connection, failed: Failed, fencing: int = 0) -> None:
        self._connection = connection
        self._failed = failed
        self._fencing = fencing

    def runs(self) -> Sequence[Run]:
        """See `Journal.runs`."""
        return [_run(row) for row in self._ask(_RUNS)]

    def lines(self, run: int) -> Sequence[Mapping[str, Json]]:
        """See `Journal.lines`."""
        return [
            {**row, "at": _moment(row["at"]), "state": json.loads(row["state"])} for row in self._ask(_LINES, (run,))
        ]

    def begin(self, kind: str, wanted: str, plan: Json, state: Json, of: int | None) -> Run:
        """See `Journal.begin`."""
        try:
            with transaction(self._connection), self._connection.cursor() as cursor:
                self._fence()
                cursor.execute(_BEGIN, (kind, wanted, _text(plan), of))
                number = cursor.lastrowid
                self._append(number, Entry("begin", state))
        except pymysql.MySQLError as error:
            raise self._failed(error) from None
        return next(known for known in self.runs() if known.id == number)

    def append(self, run: int, entry: Entry) -> None:
        """See `Journal.append`."""
        try:
            self._append(run, entry)
        except pymysql.MySQLError as error:
            raise self._failed(error) from None

    def close(self, run: int, status: str, of: int | None = None, of_status: str = "") -> None:
        """See `Journal.close`."""
        try:
            with transaction(self._connection), self._connection.cursor() as cursor:
                self._fence()
                cursor.execute(_CLOSE, (status, run))
                if of is not None:
                    cursor.execute(_CLOSE_OTHER, (of_status, of))
        except pymysql.MySQLError as error:
            raise self._failed(error) from None

    def asked(self, run: int) -> Json:
        """See `toolkit.engines.online.Throttling.throttle`."""
        found = self._ask(_ASKED, (run,))
        return json.loads(found[0]["v"]) if found and found[0]["v"] else None

    def ask(self, number: int, asked: Json) -> None:
        """See `toolkit.engines.online.Throttling.set_throttle`."""
        try:
            run(self._connection, _ASK, (None if asked is None else _text(asked), number))
        except pymysql.MySQLError as error:
            raise self._failed(error) from None

    def _append(self, number: int, entry: Entry) -> None:
        values = (number, entry.action, entry.note, _text(entry.state), self._fencing)
        if run(self._connection, _APPEND, values) == 0:
            raise lost_lock()

    def _fence(self) -> None:
        if not ask(self._connection, _HOLD, (self._fencing,)):
            raise lost_lock()

    def _ask(self, query: str, values: object = None) -> list[dict[str, Any]]:
        try:
            return ask(self._connection, query, values) if ask(self._connection, _EXIST)[0]["v"] else []
        except pymysql.MySQLError as error:
            raise self._failed(error) from None


def _run(row: Mapping[str, Any]) -> Run:
    times = {"started": _moment(row["started"]), "ended": _moment(row["ended"]) or None}
    texts = {"plan": json.loads(row["plan"]), "state": json.loads(row["state"] or "null"), "note": row["note"] or ""}
    return Run(**{**row, **times, **texts})


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
