"""The journal in a PostgreSQL database: `temporal_visibility_run` and `temporal_visibility_journal`.

Statements, and nothing that has to be decided; `books` makes the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from toolkit.catalog import Json
from toolkit.engines.online import Entry, Run
from toolkit.engines.postgresql.books import RUNS_EXIST, fence
from toolkit.engines.postgresql.connection import Connection, Failed, coded
from toolkit.errors import lost_lock

_RUNS = """
SELECT r.id, r.kind, r.status, r.wanted, r.owner, r.started::text AS started, r.ended::text AS ended, r.plan, r.of,
       j.state, coalesce(j.note, '') AS note
FROM temporal_visibility_run r
LEFT JOIN LATERAL (SELECT state, note FROM temporal_visibility_journal j WHERE j.run = r.id
                   ORDER BY line DESC LIMIT 1) j ON true
ORDER BY r.id
"""
_LINES = """
SELECT line, at::text AS at, action, note, state FROM temporal_visibility_journal WHERE run = %s ORDER BY line
"""
# A store that came by replication has its rows and not where their sequence stood. Only the lock's holder inserts.
_BEGIN = """
INSERT INTO temporal_visibility_run (id, kind, status, wanted, owner, plan, of) OVERRIDING SYSTEM VALUE
SELECT coalesce((SELECT max(id) FROM temporal_visibility_run), 0) + 1, %s, 'running', %s, coalesce(owner, ''), %s,
       %s::bigint
FROM temporal_visibility_lock WHERE name = 'schema' RETURNING id
"""
_APPEND = """
INSERT INTO temporal_visibility_journal (run, line, fencing, action, note, state)
SELECT %(run)s, coalesce((SELECT max(line) FROM temporal_visibility_journal WHERE run = %(run)s), 0) + 1, fencing,
       %(action)s, %(note)s, %(state)s
FROM temporal_visibility_lock WHERE name = 'schema' AND fencing = %(fencing)s
"""
_ASKED = "SELECT asked FROM temporal_visibility_run WHERE id = %s"
_ASK = "UPDATE temporal_visibility_run SET asked = %s WHERE id = %s"
_CLOSE = "UPDATE temporal_visibility_run SET status = %s, ended = clock_timestamp() WHERE id = %s"
_CLOSE_OTHER = "UPDATE temporal_visibility_run SET status = %s WHERE id = %s"


class PostgresJournal:
    """The journal; see `toolkit.engines.online.Journal`. `fencing` 0: only to be read."""

    def __init__(self, connection: Connection, failed: Failed, fencing: int = 0) -> None:
        self._connection = connection
        self._failed = failed
        self._fencing = fencing

    def runs(self) -> Sequence[Run]:
        """See `Journal.runs`."""
        if not self._ask(RUNS_EXIST)[0]["v"]:
            return ()
        return [Run(**row) for row in self._ask(_RUNS)]

    def lines(self, run: int) -> Sequence[Mapping[str, Json]]:
        """See `Journal.lines`."""
        return self._ask(_LINES, (run,)) if self._ask(RUNS_EXIST)[0]["v"] else ()

    def begin(self, kind: str, wanted: str, plan: Json, state: Json, of: int | None) -> Run:
        """See `Journal.begin`."""
        with coded(self._failed), self._connection.transaction():
            fence(self._connection, self._fencing)
            row = self._connection.execute(_BEGIN, (kind, wanted, Jsonb(plan), of)).fetchone()
            assert row is not None
            self._append(row["id"], Entry("begin", state))
        return next(run for run in self.runs() if run.id == row["id"])

    def append(self, run: int, entry: Entry) -> None:
        """See `Journal.append`."""
        with coded(self._failed):
            self._append(run, entry)

    def close(self, run: int, status: str, of: int | None = None, of_status: str = "") -> None:
        """See `Journal.close`."""
        with coded(self._failed), self._connection.transaction():
            fence(self._connection, self._fencing)
            self._connection.execute(_CLOSE, (status, run))
            if of is not None:
                self._connection.execute(_CLOSE_OTHER, (of_status, of))

    def asked(self, run: int) -> Json:
        """See `toolkit.engines.online.Throttling.throttle`."""
        found = self._ask(_ASKED, (run,))
        return found[0]["asked"] if found else None

    def ask(self, run: int, asked: Json) -> None:
        """See `toolkit.engines.online.Throttling.set_throttle`."""
        with coded(self._failed):
            self._connection.execute(_ASK, (None if asked is None else Jsonb(asked), run))

    def _append(self, run: int, entry: Entry) -> None:
        values = {"run": run, "fencing": self._fencing, "action": entry.action, "note": entry.note}
        if self._connection.execute(_APPEND, values | {"state": Jsonb(entry.state)}).rowcount == 0:
            raise lost_lock()

    def _ask(self, query: str, parameters: tuple[object, ...] = ()) -> list[dict[str, Any]]:
        with coded(self._failed):
            return self._connection.execute(query, parameters or None).fetchall()
