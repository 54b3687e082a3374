"""The only module that talks to PostgreSQL: connect, observe, run statements, write and read records.

It decides nothing; what to run comes as Steps, what to store as Records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import errors

from toolkit.catalog import Json
from toolkit.definition import Definition
from toolkit.engines import batches, measuring
from toolkit.engines.bound import BoundSql
from toolkit.engines.online import Holder, Problem
from toolkit.engines.postgresql import books, drift, inspect, measure, preflight, refusals, rows, session, traits
from toolkit.engines.postgresql.connection import Connection, coded, conninfo_of, opened
from toolkit.engines.postgresql.going_back import LiveTable
from toolkit.engines.postgresql.journal import PostgresJournal
from toolkit.engines.postgresql.rebuilder import STRAIN, PostgresRebuilder
from toolkit.engines.postgresql.render import identifier
from toolkit.engines.postgresql.typemap import Profile
from toolkit.engines.version_tables import NO_HISTORY, SHARED, shared_with
from toolkit.errors import ConnectionFailed, EngineError, TargetError
from toolkit.plan import Estimate, Observed, Plan, Request, Sql, Step
from toolkit.records import Record, Write
from toolkit.targets import Target

DIVIDED = Problem(
    "TV5216",
    "a pooler gives each transaction of this connection another session, in which no setting and no lock holds",
    "Connect to the server itself, or through a pool in session mode.",
)
_VERSION = "SELECT curr_version AS v FROM schema_version WHERE version_partition = 0 AND db_name = current_database()"
_ALEMBIC = "SELECT version_num AS v FROM alembic_version"
# A table that nobody has counted yet is not one without rows.
_ROWS = """
SELECT CASE WHEN relkind = 'r' AND pg_relation_size(oid) = 0 THEN 0
            WHEN reltuples >= 0 AND relpages > 0 THEN reltuples::bigint END AS v
FROM pg_class WHERE oid = to_regclass(%s)
"""


def connect(target: Target, rules: Profile) -> PostgresClient:
    """An open connection. Raises ConnectionFailed (unreachable, refused, wrong password) or TargetError."""
    try:
        conninfo = conninfo_of(target)
        connection = opened(conninfo, target, rules)
    except psycopg.ProgrammingError as error:
        raise TargetError("TV3009", f"the URL's options: {target.redact(str(error)).strip()}") from None
    except psycopg.OperationalError as error:
        # The last attempt tells why. Lines that are indented only ask what the matter may be.
        reason = [line for line in target.redact(str(error)).strip().splitlines() if not line.startswith("\t")]
        raise ConnectionFailed("TV4001", f"cannot connect to {target.shown}: {reason[-1] if reason else 'no answer'}",
                               "Is the server up, and are host, port, user and password right?") from None  # fmt: skip
    return PostgresClient(connection, target, rules, conninfo)


class PostgresClient:
    """One connection in autocommit mode; see `toolkit.engines.Client`."""

    def __init__(self, connection: Connection, target: Target, rules: Profile, conninfo: str) -> None:
        self._connection = connection
        self._target = target
        self._rules = rules
        self._conninfo = conninfo
        self._lease: books.PostgresLease | None = None
        self._rebuilder: PostgresRebuilder | None = None

    def _ask(self, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        with coded(self._failed):
            return self._connection.execute(query, parameters or None).fetchall()

    def _ask_patiently(self, query: str) -> dict[str, Any]:
        """The row of a query that reads the whole table, whatever time the role has for one."""
        with coded(self._failed), self._connection.transaction():
            self._connection.execute("SET LOCAL statement_timeout = 0")
            return self._connection.execute(query).fetchall()[0]

    def _failed(self, error: psycopg.Error) -> EngineError:
        return refusals.coded(error, self._target, self._connection.broken)

    def observe(self) -> Observed:
        """See `toolkit.engines.Client.observe`. Names are read unqualified, in the connection's current schema."""
        catalog = inspect.read(self._ask)
        shared = shared_with(catalog)
        recorded = None if shared else self._one(_VERSION, "schema_version")
        return Observed(
            catalog,
            recorded=recorded,
            server=f"PostgreSQL {self._connection.info.parameter_status('server_version')}",
            rows=self._ask(_ROWS, (self._rules.table,))[0]["v"]
            if catalog.children(("tables", self._rules.table))
            else None,
            marks={"alembic": mark} if (mark := self._one(_ALEMBIC, "alembic_version")) else {},
            traits=traits.read(self._ask, self._rules.table)
            | ({SHARED: shared} if shared else {})
            | {NO_HISTORY: not self._has("schema_update_history")},
        )

    def _has(self, table: str) -> bool:
        return self._ask("SELECT to_regclass(%s) AS v", (table,))[0]["v"] is not None

    def _one(self, query: str, table: str) -> str | None:
        if not self._has(table):
            return None
        found = self._ask(query)
        return str(found[0]["v"]) if found else None

    def execute(self, step: Step) -> None:
        """See `toolkit.engines.Client.execute`: all statements in one transaction, unless one cannot be in any."""
        statements = [s for s in step.statements if isinstance(s, Sql)]
        assert not any(isinstance(s, Request) for s in step.statements)
        with coded(self._failed):
            if any(s.autocommit for s in statements):
                for statement in statements:
                    self._connection.execute(statement.text)
                return
            with self._connection.transaction():
                for statement in statements:
                    self._connection.execute(statement.text)

    def write(self, definition: Definition, writes: Iterable[Write]) -> Iterator[int]:
        """See `toolkit.engines.Client.write`: COPY into a temporary table, then one guarded upsert a batch."""
        form = rows.Form.of(definition, self._rules)
        with coded(self._failed):
            self._connection.execute(form.staging)
            for batch in batches.batched(writes):
                final = batches.collapse(batch)
                with self._connection.transaction(), self._connection.cursor() as cursor:
                    cursor.execute(form.clear)
                    with cursor.copy(form.copy) as copy:
                        for record in final.records:
                            copy.write_row(form.values(record))
                    cursor.execute(form.merge)
                    cursor.executemany(form.delete, [(d.namespace_id, d.run_id) for d in final.deletions])
                yield len(batch)

    def read(self, definition: Definition) -> Iterator[Record]:
        """See `toolkit.engines.Client.read`: a server-side cursor, a few thousand rows at a time."""
        form = rows.Form.of(definition, self._rules)
        with (
            coded(self._failed),
            self._connection.transaction(),
            self._connection.cursor("temporal_visibility_read") as cursor,
        ):
            cursor.itersize = batches.SIZE
            for row in cursor.execute(form.select):
                yield form.record(row)

    def count(self) -> int:
        """See `toolkit.engines.Client.count`."""
        return int(self._ask_patiently(f"SELECT count(*) AS v FROM {identifier(self._rules.table)}")["v"])

    def ask(self, statement: BoundSql) -> list[dict[str, Any]]:
        """See `toolkit.engines.filtering.Asking`."""
        return self._ask(statement.text, tuple(statement.parameters))

    def take_lock(self, owner: str, seconds: float) -> books.PostgresLease:
        """See `toolkit.engines.online.Coordinated.take_lock`."""
        return self._take(owner, seconds, None)

    def break_lock(self, owner: str) -> None:
        """See `toolkit.engines.online.Coordinated.break_lock`."""
        self._take("temporal-visibility schema unlock", 0.0, owner).release()

    def _take(self, owner: str, seconds: float, forced: str | None) -> books.PostgresLease:
        with coded(self._failed):
            if self._divided():
                raise EngineError(DIVIDED.code, f"{self._target.shown}: {DIVIDED.message}", DIVIDED.hint)
            self._prepare(self._connection)
            fencing = books.take(self._connection, owner, seconds, forced)
        self._lease = books.PostgresLease(self._connection, self._session, self._failed, fencing, seconds)
        self._end_rebuilding()
        return self._lease

    def _divided(self) -> bool:
        """Whether our transactions are spread over sessions: in one that another has just now, or has left, is no other
        of ours."""
        if self._connection.prepare_threshold is not None:
            return False
        seen = {self._ask(session.NUMBER)[0]["pid"]}
        other = self._opened()
        try:
            with other.transaction():
                other.execute("SET LOCAL idle_in_transaction_session_timeout = '2s'")
                seen.add(self._ask(session.NUMBER)[0]["pid"])
            seen.add(self._ask(session.NUMBER)[0]["pid"])
        except psycopg.Error:
            # In a pool of one we have waited until the server ended the other.
            return True
        finally:
            other.close()
        return len(seen) > 1

    def _opened(self) -> Connection:
        try:
            return opened(self._conninfo, self._target, self._rules)
        except psycopg.OperationalError as error:
            raise self._failed(error) from None

    def _session(self) -> Connection:
        """Another session of the lock's holder."""
        assert self._lease is not None
        connection = self._opened()
        self._prepare(connection)
        books.name_session(connection, self._lease.fencing)
        return connection

    def _prepare(self, connection: Connection) -> None:
        """What a long run needs: no time limit meant for queries, and an end soon after the end of this program."""
        connection.execute(f"SELECT {session.unlimited()}")
        if connection.info.server_version >= 140000:
            # Not every system can look. There, the end of this program is noticed when its lock expires.
            with suppress(errors.InvalidParameterValue, errors.UndefinedObject):
                connection.execute("SET client_connection_check_interval = '500ms'")

    def holder(self) -> Holder | None:
        """See `toolkit.engines.online.Coordinated.holder`."""
        with coded(self._failed):
            return books.holder(self._connection)

    def journal(self) -> PostgresJournal:
        """See `toolkit.engines.online.Coordinated.journal`."""
        return PostgresJournal(self._connection, self._failed, self._lease.fencing if self._lease else 0)

    def rebuilding(self) -> PostgresRebuilder:
        """See `toolkit.engines.online.Coordinated.rebuilding`; only for the holder of the lock."""
        assert self._lease is not None
        if self._rebuilder is None:
            live = LiveTable(self._ask, self._rules.table)
            self._rebuilder = PostgresRebuilder(self._connection, self._lease, self._failed, self._session, live)
        return self._rebuilder

    def _end_rebuilding(self) -> None:
        if self._rebuilder is not None:
            self._rebuilder.close()
            self._rebuilder = None

    def throttle(self, run: int) -> Json:
        """See `toolkit.engines.online.Throttling.throttle`."""
        return self.journal().asked(run)

    def set_throttle(self, run: int, asked: Json) -> None:
        """See `toolkit.engines.online.Throttling.set_throttle`."""
        self.journal().ask(run, asked)

    def lag(self) -> float | None:
        """See `toolkit.engines.online.Sensing.lag`."""
        row = self._ask(STRAIN)[0]
        if row["hidden"]:
            raise EngineError(
                "TV5113",
                "this role may not see how far replicas are behind",
                "GRANT pg_monitor TO it, or do without --max-lag.",
            )
        return float(row["lag"]) if row["replicas"] else None

    def load(self) -> float:
        """See `toolkit.engines.online.Sensing.load`."""
        return float(self._ask(STRAIN)[0]["load"])

    def preflight(self, plan: Plan) -> tuple[Problem, ...]:
        """See `toolkit.engines.online.Checking.preflight`."""
        divided = (DIVIDED,) if plan.steps and self._divided() else ()
        return (*divided, *preflight.check(self._ask, plan, self._rules.table))

    def recheck(self, plan: Plan) -> tuple[Problem, ...]:
        """See `toolkit.engines.online.Rechecking`."""
        return preflight.again(self._ask, plan, self._rules.table)

    def undivided(self) -> bool:
        """See `toolkit.engines.online.Undivided`: a swap is one transaction."""
        return True

    def measure(self, plan: Plan) -> dict[str, Estimate]:
        """See `toolkit.engines.measuring.Measuring`."""
        table = self._rules.table
        measures = measure.read(self._ask, table)
        there = measures.tables[table].indexes if table in measures.tables else ()
        return measuring.estimates(plan, measures, lambda step: measure.work(step, table, there))

    def examine(self) -> dict[str, Json]:
        """See `toolkit.engines.drifting.Examining.examine`."""
        return drift.examine(self._ask, self._rules.table)

    def losses(self, plan: Plan) -> dict[str, int]:
        """See `toolkit.engines.online.Counting.losses`: generated columns come back with the next upgrade."""
        seen = traits.read(self._ask, self._rules.table)
        plain = set(traits.decode(seen["table"]).plain_columns) if seen else set()
        names = sorted({name for step in plan.steps if step.id.endswith(".drop") for name in step.objects} & plain)
        if not names:
            return {}
        counts = ", ".join(f"count({identifier(name)}) AS {identifier(name)}" for name in names)
        row = self._ask_patiently(f"SELECT {counts} FROM {identifier(self._rules.table)}")
        return {name: int(row[name]) for name in names if row[name]}

    def close(self) -> None:
        """See `toolkit.engines.Client.close`."""
        self._end_rebuilding()
        self._connection.close()
