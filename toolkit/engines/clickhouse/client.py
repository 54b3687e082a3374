"""What a store on ClickHouse can do: observe, run statements, write and read records.

It decides nothing; what to run comes as Steps, what to store as Records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from toolkit.catalog import Json
from toolkit.definition import Definition
from toolkit.engines import batches, measuring
from toolkit.engines.bound import BoundSql
from toolkit.engines.clickhouse import (
    drift,
    inspect,
    locks,
    measure,
    preflight,
    replicas,
    rows,
    traits,
    versions,
)
from toolkit.engines.clickhouse.books import ClickHouseJournal
from toolkit.engines.clickhouse.connection import Connection, Open, opener, own_option
from toolkit.engines.clickhouse.layout import Placement, stored_table
from toolkit.engines.clickhouse.locking import Locking
from toolkit.engines.clickhouse.names import CAPTURE, OTHER
from toolkit.engines.clickhouse.rebuilder import ClickHouseRebuilder
from toolkit.engines.clickhouse.render import identifier, literal
from toolkit.engines.clickhouse.session import Session, Values
from toolkit.engines.clickhouse.typemap import Profile
from toolkit.engines.clickhouse.waiting import Background
from toolkit.engines.online import Holder, Problem
from toolkit.engines.version_tables import FOREIGN
from toolkit.plan import Estimate, Observed, Plan, Sql, Step
from toolkit.records import Record, Write
from toolkit.targets import Target

# One part on disk an insert: larger batches than on row stores.
BATCH = 20_000
# Counting without duplicates is exact and reads the keys of all rows; beyond this many the engine's own number must do.
EXACT_BELOW = 2_000_000
_SKIP, _EXACT = "use_skip_indexes_if_final", "use_skip_indexes_if_final_exact_mode"
_OTHERS = "SELECT count() AS n FROM system.processes WHERE is_initial_query"
_ENGINE = "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = {}"
# Read whole ticks and bytes instead of texts and datetimes cut to microseconds.
_FORMATS = {"DateTime64*": "int"}


def connect(target: Target, rules: Profile) -> ClickHouseClient:
    """An open connection. Raises ConnectionFailed, TargetError, LockHeld (a chDB directory in use) or Unsupported (chDB
    not installed)."""
    open_connection = opener(target)
    return ClickHouseClient(open_connection, open_connection(), target, rules)


class ClickHouseClient:
    """One connection, and another one for each stream of records; see `toolkit.engines.Client`."""

    def __init__(self, open_connection: Open, connection: Connection, target: Target, rules: Profile) -> None:
        self._open = open_connection
        self._connection = connection
        self._session = Session(connection, target)
        self._target = target
        self._rules = rules
        self._placement = Placement.of(target.overlay.clickhouse)
        self._byte_columns = dict.fromkeys((*rows.byte_columns(rules), rows.GROUPED), "bytes")
        self._lease: locks.ClickHouseLease | None = None

    def _ask(self, query: str, values: Values | None = None) -> list[dict[str, Any]]:
        return self._session.ask(query, values)

    def observe(self) -> Observed:
        """See `toolkit.engines.Client.observe`."""
        seen = inspect.look(self._ask, self._projections)
        settings = {*self._rules.settings, "storage_policy"}
        product = "ClickHouse in chDB" if self._target.transport == "chdb" else "ClickHouse"
        mark, live = self._mark(seen), self._live_table(seen.engine(self._rules.table))
        return Observed(
            inspect.catalog(seen, settings),
            recorded=self._recorded(seen),
            server=f"{product} {self._connection.server_version}",
            rows=self._rows(seen, live),
            marks={versions.MARK: mark} if mark else {},
            traits=traits.read(self._ask, seen, live),
        )

    @cached_property
    def _projections(self) -> bool:
        return inspect.has_projections(self._ask)

    def _live_table(self, engine: str) -> str:
        """The table that has the rows now: before a move to a cluster, that is the one without the suffix. `engine`:
        that one's, "" when there is none."""
        return self._rules.table if "MergeTree" in engine else stored_table(self._rules, self._placement)

    def _has(self, table: str) -> bool:
        return bool(self._engine(table))

    def _engine(self, table: str) -> str:
        """The engine of `table`, "" when there is none."""
        found = self._ask(_ENGINE.format(literal(table)))
        return str(found[0]["engine"]) if found else ""

    def _recorded(self, seen: inspect.Look) -> str | None:
        if versions.VERSION_TABLE not in seen.tables:
            return None
        return str(self._ask(versions.RECORDED)[0]["v"]) or None

    def _mark(self, seen: inspect.Look) -> str | None:
        if versions.MIGRATIONS_TABLE not in seen.tables:
            return None
        if not versions.is_book(row for row in seen.columns if row["table"] == versions.MIGRATIONS_TABLE):
            return FOREIGN
        shipped = versions.shipped(self._placement.cluster is not None)
        return versions.mark(self._ask(versions.APPLIED), shipped)

    def _rows(self, seen: inspect.Look, table: str) -> int | None:
        if table not in seen.tables or (number := seen.tables[table]["total_rows"]) is None:
            return None
        if number > EXACT_BELOW or "Replacing" not in seen.engine(table):
            return int(number)
        return int(self._ask(f"SELECT count() AS n FROM {identifier(table)} FINAL")[0]["n"])

    def examine(self) -> dict[str, Json]:
        """See `toolkit.engines.drifting.Examining.examine`."""
        return drift.examine(self._ask, self._placement, self._database)

    def execute(self, step: Step) -> None:
        """See `toolkit.engines.Client.execute`. Work that the engine does in the background is waited for."""
        for statement in step.statements:
            assert isinstance(statement, Sql)
            self._run(statement.text)

    def _run(self, text: str, values: Values | None = None) -> None:
        """One statement, and all it starts here and on the other servers."""
        earlier = self._background.before(text)
        self._session.command(text, values)
        self._background.after(text, earlier)

    @cached_property
    def _database(self) -> str:
        return str(self._ask("SELECT currentDatabase() AS v")[0]["v"])

    @cached_property
    def _background(self) -> Background:
        stored = stored_table(self._rules, self._placement)
        return Background(
            ask=self._ask,
            command=self._session.command,
            shown=self._target.shown,
            redact=self._target.redact,
            kills=self._kills(),
            cluster=self._placement.cluster,
            database=self._database,
            tables=(stored, self._rules.table, OTHER, versions.MIGRATIONS_TABLE),
            alike=(stored, self._rules.table, OTHER, CAPTURE),
        )

    def _kills(self) -> bool:
        return own_option(self._target, "mutations") == "kill"

    def write(self, definition: Definition, writes: Iterable[Write]) -> Iterator[int]:
        """See `toolkit.engines.Client.write`: one columnar insert a batch; versions decide what stays, so the order of
        writes does not matter."""
        form = rows.Form.of(definition, self._rules)
        try:
            for batch in batches.batched(writes, BATCH):
                self._connection.insert(
                    self._rules.table,
                    form.data(batch),
                    column_names=form.columns,
                    column_type_names=form.types,
                    column_oriented=True,
                )
                yield len(batch)
        except (ClickHouseError, OSError) as error:
            raise self._session.failed(error) from None

    def read(self, definition: Definition) -> Iterator[Record]:
        """See `toolkit.engines.Client.read`: block by block, on a connection of its own, so that others stay usable."""
        form = rows.Form.of(definition, self._rules)
        session = self._another()
        try:
            stream = session.connection.query_row_block_stream(
                form.select, query_formats=_FORMATS, column_formats=self._byte_columns
            )
            with stream:
                for block in stream:
                    yield from map(form.record, block)
        except (ClickHouseError, OSError) as error:
            raise session.failed(error) from None
        finally:
            session.close()

    def _another(self) -> Session:
        return Session(self._open(), self._target)

    def count(self) -> int:
        """See `toolkit.engines.Client.count`: the newest version of each run, deleted runs left out."""
        return int(self._ask(f"SELECT count() AS n FROM {identifier(self._rules.table)} FINAL")[0]["n"])

    def ask(self, statement: BoundSql) -> list[dict[str, Any]]:
        """See `toolkit.engines.filtering.Asking`. Times come as whole ticks of their columns."""
        parameters = dict(statement.parameters) if isinstance(statement.parameters, Mapping) else {}
        return self._session.asked(
            statement.text,
            parameters,
            settings=self._read_settings(),
            query_formats=_FORMATS,
            column_formats=self._byte_columns,
        )

    def _read_settings(self) -> dict[str, str | int]:
        """Skip indexes under FINAL only where the engine takes care that they hide no newer version of a row."""
        known = self._connection.server_settings
        return {name: int(_EXACT in known) for name in (_SKIP, _EXACT) if name in known}

    def measure(self, plan: Plan) -> dict[str, Estimate]:
        """See `toolkit.engines.measuring.Measuring`."""
        table = stored_table(self._rules, self._placement)
        measures = measure.read(self._ask, table)
        return measuring.estimates(plan, measures, lambda step: measure.work(step, table))

    def take_lock(self, owner: str, seconds: float) -> locks.ClickHouseLease:
        """See `toolkit.engines.online.Coordinated.take_lock`."""
        return self._take(owner, seconds, None)

    def break_lock(self, owner: str) -> None:
        """See `toolkit.engines.online.Coordinated.break_lock`. What the holder has under way ends at its next step."""
        self._take("temporal-visibility schema unlock", 0.0, owner).release()

    def _take(self, owner: str, seconds: float, forced: str | None) -> locks.ClickHouseLease:
        self._lease = self.locking.take(owner, seconds, forced)
        self.journal().create()
        return self._lease

    @cached_property
    def locking(self) -> Locking:
        """Where the lock is."""
        cluster = self._placement.cluster
        return Locking(self._session, self._another, self._has, lambda: self._database, cluster)

    def holder(self) -> Holder | None:
        """See `toolkit.engines.online.Coordinated.holder`."""
        return self.locking.holder()

    def journal(self) -> ClickHouseJournal:
        """See `toolkit.engines.online.Coordinated.journal`."""
        return ClickHouseJournal(self._ask, self._run, self._placement, self._lease)

    def rebuilding(self) -> ClickHouseRebuilder:
        """See `toolkit.engines.online.Coordinated.rebuilding`; only for the holder of the lock."""
        assert self._lease is not None
        return ClickHouseRebuilder(self._ask, self._run, self._lease)

    def lag(self) -> float | None:
        """See `toolkit.engines.online.Sensing.lag`."""
        cluster, tables = self._placement.cluster, (stored_table(self._rules, self._placement), OTHER)
        return None if cluster is None else replicas.lag(self._ask, cluster, self._database, tables)

    def load(self) -> float:
        """See `toolkit.engines.online.Sensing.load`: what this account may see of others' queries."""
        return max(0.0, float(self._ask(_OTHERS)[0]["n"]) - 1)

    def throttle(self, run: int) -> Json:
        """See `toolkit.engines.online.Throttling.throttle`."""
        return self.journal().asked(run)

    def set_throttle(self, run: int, asked: Json) -> None:
        """See `toolkit.engines.online.Throttling.set_throttle`."""
        self.journal().ask(run, asked)

    def undivided(self) -> bool:
        """See `toolkit.engines.online.Undivided`: servers of a cluster exchange their tables one by one."""
        return self._placement.cluster is None

    def preflight(self, plan: Plan) -> tuple[Problem, ...]:
        """See `toolkit.engines.online.Checking.preflight`."""
        version = str(self._connection.server_version)
        live, placement = self._live_table(self._engine(self._rules.table)), self._placement
        return preflight.check(self._ask, self._session.command, version, plan, live, placement, self._kills())

    def recheck(self, plan: Plan) -> tuple[Problem, ...]:
        """See `toolkit.engines.online.Rechecking`."""
        return preflight.again(self._ask, plan, self.observe)

    def losses(self, plan: Plan) -> dict[str, int]:
        """See `toolkit.engines.online.Counting.losses`: no other column has the values of one that is dropped."""
        table = self._rules.table
        return measure.losses(self._ask, plan, table, self._engine(table))

    def close(self) -> None:
        """See `toolkit.engines.Client.close`."""
        self._session.close()
