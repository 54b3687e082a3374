"""The lock in a PostgreSQL database, `temporal_visibility_lock`, and how all tables of ours are made.

The statements and the little that has to be decided about them; it holds no rule of the run itself. A transaction that
changes anything holds the lock's row with FOR KEY SHARE: heartbeats pass, a new holder waits until it is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import psycopg

from toolkit.engines.online import Holder
from toolkit.engines.postgresql.connection import Connection, Failed, coded
from toolkit.errors import LockHeld, lost_lock

# How long a session that may only be about to notice its client's death keeps a new runner waiting.
GRACE_SECONDS = 3.0
# How long the transaction of a former holder is waited for that this role may not end.
LAST_WORDS_SECONDS = 10

_TABLES = """
CREATE TABLE IF NOT EXISTS temporal_visibility_lock (
  name          TEXT PRIMARY KEY,
  fencing       BIGINT NOT NULL,
  owner         TEXT,
  pid           INT,
  backend_start TIMESTAMPTZ,
  taken_at      TIMESTAMPTZ,
  expires_at    TIMESTAMPTZ
);
CREATE TABLE IF NOT EXISTS temporal_visibility_run (
  id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind    TEXT NOT NULL,
  status  TEXT NOT NULL,
  wanted  TEXT NOT NULL,
  owner   TEXT NOT NULL,
  started TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  ended   TIMESTAMPTZ,
  plan    JSONB NOT NULL,
  of      BIGINT,
  asked   JSONB
);
CREATE TABLE IF NOT EXISTS temporal_visibility_journal (
  run     BIGINT NOT NULL,
  line    BIGINT NOT NULL,
  at      TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  fencing BIGINT NOT NULL,
  action  TEXT NOT NULL,
  note    TEXT NOT NULL,
  state   JSONB NOT NULL,
  PRIMARY KEY (run, line)
)
"""
# Somebody may have taken the row away; no number that a holder had comes back.
_ROW = """
INSERT INTO temporal_visibility_lock (name, fencing)
SELECT 'schema', coalesce(max(fencing), 0) FROM temporal_visibility_journal ON CONFLICT DO NOTHING
"""
_LOCK_EXISTS = "SELECT to_regclass('temporal_visibility_lock') IS NOT NULL AS v"
RUNS_EXIST = """
SELECT to_regclass('temporal_visibility_run') IS NOT NULL
   AND to_regclass('temporal_visibility_journal') IS NOT NULL AS v
"""
# A session of another role shows no start time: it counts as alive.
_HOLDER = """
SELECT fencing, owner, pid, backend_start, taken_at, expires_at, expires_at < clock_timestamp() AS expired,
       EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.pid = l.pid
               AND (a.backend_start IS NULL OR a.backend_start = l.backend_start)) AS alive
FROM temporal_visibility_lock l WHERE name = 'schema'
"""
_TAKE = """
UPDATE temporal_visibility_lock
SET fencing = fencing + 1, owner = %(owner)s, pid = pg_backend_pid(), taken_at = clock_timestamp(),
    backend_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()),
    expires_at = clock_timestamp() + %(seconds)s * interval '1 second'
WHERE name = 'schema' AND fencing = %(fencing)s
RETURNING fencing
"""
_BEAT = """
UPDATE temporal_visibility_lock SET expires_at = clock_timestamp() + %s * interval '1 second'
WHERE name = 'schema' AND fencing = %s
"""
_RELEASE = """
UPDATE temporal_visibility_lock SET owner = NULL, pid = NULL, expires_at = NULL WHERE name = 'schema' AND fencing = %s
"""
_CHECK = "SELECT 1 AS v FROM temporal_visibility_lock WHERE name = 'schema' AND fencing = %s FOR KEY SHARE"
# The lock's own number tells apart stores in several schemas of one database.
_NAME = "format('temporal-visibility %%s/%%s', %s::bigint, 'temporal_visibility_lock'::regclass::oid)"
_OURS = "application_name LIKE 'temporal-visibility %'"
_END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = session_user
  AND (application_name = %s OR (pid = %s AND backend_start = %s))
"""


def name_session(connection: Connection, fencing: int) -> None:
    """Call this session one of that holder's, so that the next holder can end it."""
    connection.execute(f"SELECT set_config('application_name', {_NAME}, false)", (fencing,))


def fence(connection: Connection, fencing: int) -> None:
    """LockHeld when the lock is somebody else's by now; inside a transaction it also keeps new holders waiting until
    that is over."""
    if connection.execute(_CHECK, (fencing,)).fetchone() is None:
        raise lost_lock()


class PostgresLease:
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
        """See `Lease.check` and `fence`."""
        with coded(self._failed):
            fence(self._connection, self._fencing)

    def beat(self) -> None:
        """See `Lease.beat`."""
        with coded(self._failed):
            if self._beats is None or self._beats.closed:
                self._beats = self._beating()
            if self._beats.execute(_BEAT, (self._seconds, self._fencing)).rowcount == 0:
                raise lost_lock()

    def release(self) -> None:
        """See `Lease.release`. A lost connection is no error: the lock then goes with the session."""
        try:
            with suppress(psycopg.Error):
                self._connection.execute(_RELEASE, (self._fencing,))
        finally:
            if self._beats is not None:
                self._beats.close()


def holder(connection: Connection) -> Holder | None:
    """Who holds the lock; None when nobody does, or its session is gone."""
    if not connection.execute(_LOCK_EXISTS).fetchall()[0]["v"]:
        return None
    row = connection.execute(_HOLDER).fetchone()
    if row is None or row["owner"] is None or not row["alive"]:
        return None
    return Holder(
        row["owner"], row["taken_at"].isoformat(), row["expires_at"].isoformat(), row["expired"], row["fencing"]
    )


def take(connection: Connection, owner: str, seconds: float, forced: str | None = None) -> int:
    """Take the lock and return its fencing number; `forced` names a holder it may be taken from before it expires.

    LockHeld when somebody has it. A session whose client has died is noticed by the server within a second, so one is
    waited for that long."""
    create(connection)
    until = time.monotonic() + GRACE_SECONDS
    while True:
        row = connection.execute(_HOLDER).fetchone()
        if row is None:
            connection.execute(_ROW)
        elif row["owner"] is None or not row["alive"] or row["expired"] or row["owner"] == forced:
            taken = _take_from(connection, row, owner, seconds)
            if taken is not None:
                return taken
        elif time.monotonic() > until:
            raise LockHeld(
                "TV5101",
                f"{row['owner']} is working on this store since {row['taken_at']:%Y-%m-%d %H:%M:%S %Z}",
                "Wait for it. If it is gone for good: its lock expires by itself, and `schema unlock` takes it away.",
            )
        else:
            time.sleep(0.1)


def create(connection: Connection) -> None:
    """The tables, if they are not there. Two who create them at the same moment meet at the advisory lock."""
    if all(connection.execute(query).fetchall()[0]["v"] for query in (_LOCK_EXISTS, RUNS_EXIST)):
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('temporal_visibility_lock'))")
        for statement in _TABLES.split(";"):
            connection.execute(statement)


def _end_sessions(connection: Connection, row: Mapping[str, Any]) -> None:
    """End what is left of a holder that came as the same role. Where another role is set besides, that one may not."""
    name = connection.execute(f"SELECT {_NAME} AS v", (row["fencing"],)).fetchall()[0]["v"]
    with connection.transaction():
        connection.execute("SET LOCAL ROLE NONE")
        # A process number alone may be somebody else's by now.
        connection.execute(_END_SESSIONS, (name, row["pid"], row["backend_start"]))


def _take_from(connection: Connection, row: Mapping[str, Any], owner: str, seconds: float) -> int | None:
    """The new fencing number; None when somebody else was faster."""
    if row["owner"] is not None:
        _end_sessions(connection, row)
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{LAST_WORDS_SECONDS}s",))
            # What the former holder has under way is waited for: it holds this row with FOR KEY SHARE.
            connection.execute("SELECT 1 FROM temporal_visibility_lock WHERE name = 'schema' FOR UPDATE")
            values = {"owner": owner, "seconds": seconds, "fencing": row["fencing"]}
            taken = connection.execute(_TAKE, values).fetchone()
    except psycopg.errors.LockNotAvailable:
        raise LockHeld(
            "TV5101",
            f"the former holder of the lock, {row['owner'] or 'a run'}, still has something under way",
            "Wait for it. If it is gone for good, as the role it came as: SELECT pg_terminate_backend"
            f"({row['pid'] or 'pid'}){'' if row['pid'] else f' FROM pg_stat_activity WHERE {_OURS}'}.",
        ) from None
    if taken is None:
        return None
    name_session(connection, taken["fencing"])
    return int(taken["fencing"])
