"""The journal in a ClickHouse database: `temporal_visibility_run` and `_journal`, tables to which rows are only added.

The newest line of a run counts; rows that belong together come in one insert, which is there whole or not at all.
Inserts are synchronous and reach the disk before they are answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from toolkit.catalog import Json
from toolkit.engines.clickhouse.layout import Placement
from toolkit.engines.clickhouse.locks import Ask, ClickHouseLease
from toolkit.engines.clickhouse.locks import Run as RunStatement
from toolkit.engines.clickhouse.names import JOURNAL, RUN, THROTTLE
from toolkit.engines.clickhouse.render import literal, on_cluster
from toolkit.engines.clickhouse.versions import everywhere
from toolkit.engines.online import Entry, Run
from toolkit.errors import lost_lock

_SAFE = "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
_TIME = "DateTime64(6, 'UTC')"
_RUN = {
    "id": "UInt64", "line": "UInt64", "kind": "String", "status": "String", "wanted": "String", "owner": "String",
    "of": "Nullable(UInt64)", "plan": "String", "state": "String",
}  # fmt: skip
_LINE = {
    "run": "UInt64", "line": "UInt64", "fencing": "UInt64", "action": "String", "note": "String", "state": "String",
}  # fmt: skip
_ASKED = {"run": "UInt64", "asked": "String"}
_RUNS = f"""
SELECT r.id AS id, r.kind AS kind, r.status AS status, r.wanted AS wanted, r.owner AS owner, r.started AS started,
       r.ended AS ended, r.plan AS plan, r.of AS of, r.ends AS ends,
       if(j.state = '', r.state, j.state) AS state, j.note AS note
FROM (
  SELECT id, argMin(kind, line) AS kind, argMax(status, line) AS status, argMin(wanted, line) AS wanted,
         argMin(owner, line) AS owner, toString(min(at)) AS started, toString(minIf(at, line = 1)) AS ended,
         argMin(plan, line) AS plan, argMin(tuple(of), line).1 AS of, argMin(state, line) AS state, max(line) AS ends
  FROM {RUN} WHERE {{of_runs}} GROUP BY id) r
LEFT JOIN (SELECT run, argMax(state, line) AS state, argMax(note, line) AS note FROM {JOURNAL}
  WHERE {{of_lines}} GROUP BY run) j ON j.run = r.id
ORDER BY id
"""
_TABLES = ((RUN, _RUN, "id, line"), (JOURNAL, _LINE, "run, line"), (THROTTLE, _ASKED, "run, at"))


class ClickHouseJournal:
    """The journal; see `toolkit.engines.online.Journal`. `lease` None: only to be read."""

    def __init__(self, ask: Ask, run: RunStatement, placement: Placement, lease: ClickHouseLease | None) -> None:
        self._ask = ask
        self._run = run
        self._placement = placement
        self._lease = lease
        self._lines: dict[int, int] = {}

    def create(self) -> None:
        """Make the tables, if they are not there. To a cluster it is said each time: it may have got a new server."""
        if self._placement.cluster is None and self._are_there():
            return
        for table, columns, key in _TABLES:
            listed = ", ".join(f"{name} {type}" for name, type in columns.items())
            self._run(
                f"CREATE TABLE IF NOT EXISTS {table}{on_cluster(self._placement.cluster)}"
                f" ({listed}, at {_TIME} DEFAULT now64(6, 'UTC'))\n{everywhere(self._placement)}"
                f" ORDER BY ({key}) {_SAFE}"
            )

    def runs(self) -> Sequence[Run]:
        """See `Journal.runs`."""
        return self._found("1", "1") if self._are_there() else ()

    def _found(self, of_runs: str, of_lines: str) -> list[Run]:
        self._synchronise()
        return [
            Run(row["id"], row["kind"], row["status"], row["wanted"], row["owner"], row["started"],
                row["ended"] if row["ends"] else None, json.loads(row["plan"]), json.loads(row["state"]), row["of"],
                row["note"])
            for row in self._ask(_RUNS.format(of_runs=of_runs, of_lines=of_lines))
        ]  # fmt: skip

    def lines(self, run: int) -> Sequence[Mapping[str, Json]]:
        """See `Journal.lines`."""
        if not self._are_there():
            return ()
        found = self._ask(
            f"SELECT line, toString(at) AS at, action, note, state FROM {JOURNAL} WHERE run = {int(run)} ORDER BY line"
        )
        return [{**row, "state": json.loads(row["state"])} for row in found]

    def begin(self, kind: str, wanted: str, plan: Json, state: Json, of: int | None) -> Run:
        """See `Journal.begin`. The row of the run has its first state, so there is no moment without one."""
        lease = self._fence()
        self._synchronise()
        number = int(self._ask(f"SELECT max(id) AS n FROM {RUN}")[0]["n"]) + 1
        row = (number, 0, kind, "running", wanted, lease.owner, of, json.dumps(plan), json.dumps(state))
        self._insert(RUN, _RUN, [row])
        self._lines[number] = 0
        self.append(number, Entry("begin", state))
        [begun] = self._found(f"id = {number}", f"run = {number}")
        return begun

    def append(self, run: int, entry: Entry) -> None:
        """See `Journal.append`."""
        lease = self._fence()
        if run not in self._lines:
            asked = f"SELECT max(line) AS n FROM {JOURNAL} WHERE run = {int(run)}"
            self._lines[run] = int(self._ask(asked)[0]["n"])
        line = self._lines[run] + 1
        row = (run, line, lease.fencing, entry.action, entry.note, json.dumps(entry.state))
        self._insert(JOURNAL, _LINE, [row])
        self._lines[run] = line

    def close(self, run: int, status: str, of: int | None = None, of_status: str = "") -> None:
        """See `Journal.close`."""
        self._fence()
        self._synchronise()
        pairs = [(run, status), *([(of, of_status)] if of is not None else [])]
        listed = ", ".join(str(int(id)) for id, _ in pairs)
        known = self._ask(f"SELECT id, max(line) AS ends FROM {RUN} WHERE id IN ({listed}) GROUP BY id")
        ends: dict[int, int] = {row["id"]: row["ends"] for row in known}
        rows = [(id, ends[id] + 1, "", word, "", "", None, "", "") for id, word in pairs]
        self._insert(RUN, _RUN, rows)

    def asked(self, run: int) -> Json:
        """See `toolkit.engines.online.Throttling.throttle`."""
        found = self._ask(f"SELECT argMax(asked, at) AS v FROM {THROTTLE} WHERE run = {int(run)}")[0]["v"]
        return json.loads(found) if found else None

    def ask(self, run: int, asked: Json) -> None:
        """See `toolkit.engines.online.Throttling.set_throttle`."""
        self._insert(THROTTLE, _ASKED, [(run, json.dumps(asked))])

    def _insert(self, table: str, columns: Iterable[str], rows: Sequence[Sequence[str | int | None]]) -> None:
        """As text: the driver's way loads libraries for tables of numbers, which takes longer than a whole run."""
        listed = ", ".join("(" + ", ".join("NULL" if v is None else literal(v) for v in row) + ")" for row in rows)
        self._run(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {listed}")

    def _synchronise(self) -> None:
        """What another server of the cluster has written is here before it is read."""
        if self._placement.cluster is not None:
            for table in (RUN, JOURNAL):
                self._run(f"SYSTEM SYNC REPLICA {table}")

    def _are_there(self) -> bool:
        there = self._ask(
            "SELECT count() AS n FROM system.tables WHERE database = currentDatabase()"
            f" AND name IN ({', '.join(literal(table) for table, *_ in _TABLES)})"
        )
        return int(there[0]["n"]) == len(_TABLES)

    def _fence(self) -> ClickHouseLease:
        if self._lease is None:
            raise lost_lock()
        self._lease.check()
        return self._lease
