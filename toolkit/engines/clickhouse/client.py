"""The only module that talks to ClickHouse: observe, run statements, write and read records.

It decides nothing; what to run comes as Steps, what to store as Records.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from toolkit.catalog import Json
from toolkit.definition import Definition
from toolkit.engines import batches, measuring
from toolkit.engines.bound import BoundSql
from toolkit.engines.clickhouse import drift, inspect, measure, rows, versions
from toolkit.engines.clickhouse.connection import Connection, Open, opener, shortened
from toolkit.engines.clickhouse.layout import Placement, stored_table
from toolkit.engines.clickhouse.render import identifier, literal
from toolkit.engines.clickhouse.typemap import Profile
from toolkit.errors import ConnectionFailed, EngineError
from toolkit.plan import Estimate, Observed, Plan, Sql, Step
from toolkit.records import Record, Write
from toolkit.targets import Target

# One part on disk an insert: larger batches than on row stores.
BATCH = 20_000
# Counting without duplicates is exact and reads the keys of all rows; beyond this many the engine's own number must do.
EXACT_BELOW = 2_000_000
_SKIP, _EXACT = "use_skip_indexes_if_final", "use_skip_indexes_if_final_exact_mode"
_POLL_SECONDS = 0.1
_HAS_TABLE = "SELECT count() AS n FROM system.tables WHERE database = currentDatabase() AND name = {}"
_ROWS = "SELECT total_rows AS n FROM system.tables WHERE database = currentDatabase() AND name = {}"
_MUTATIONS = """
SELECT table, mutation_id, command, latest_fail_reason
FROM system.mutations
WHERE database = currentDatabase() AND NOT is_done
"""
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
        self._target = target
        self._rules = rules
        self._placement = Placement.of(target.overlay.clickhouse)
        self._byte_columns = dict.fromkeys(rows.byte_columns(rules), "bytes")

    def _ask(self, query: str) -> list[dict[str, Any]]:
        try:
            answer = self._connection.query(query)
        except (ClickHouseError, OSError) as error:
            raise self._failed(error) from None
        return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]

    def _failed(self, error: Exception) -> EngineError:
        text = shortened(self._target, error)
        if isinstance(error, OperationalError | OSError) and "Code:" not in text:
            return ConnectionFailed(
                "TV4002", f"lost the connection to {self._target.shown}: {text}", "Run the same command again."
            )
        return EngineError("TV4003", f"{self._target.shown} refused: {text}")

    def observe(self) -> Observed:
        """See `toolkit.engines.Client.observe`."""
        settings = {*self._rules.settings, "storage_policy"}
        product = "ClickHouse in chDB" if self._target.transport == "chdb" else "ClickHouse"
        mark = self._mark()
        return Observed(
            inspect.read(self._ask, settings),
            recorded=self._recorded(),
            server=f"{product} {self._connection.server_version}",
            rows=self._rows(),
            marks={versions.MARK: mark} if mark else {},
        )

    def _has(self, table: str) -> bool:
        return bool(self._ask(_HAS_TABLE.format(literal(table)))[0]["n"])

    def _recorded(self) -> str | None:
        if not self._has(versions.VERSION_TABLE):
            return None
        return str(self._ask(versions.RECORDED)[0]["v"]) or None

    def _mark(self) -> str | None:
        if not self._has(versions.MIGRATIONS_TABLE):
            return None
        shipped = versions.shipped(self._placement.cluster is not None)
        return versions.mark(self._ask(versions.APPLIED), shipped)

    def _rows(self) -> int | None:
        found = self._ask(_ROWS.format(literal(stored_table(self._rules, self._placement))))
        if not found or found[0]["n"] is None:
            return None
        number = int(found[0]["n"])
        return self.count() if number <= EXACT_BELOW else number

    def examine(self) -> dict[str, Json]:
        """See `toolkit.engines.drifting.Examining.examine`."""
        return drift.examine(self._ask, self._placement)

    def execute(self, step: Step) -> None:
        """See `toolkit.engines.Client.execute`. Work that the engine does in the background is waited for."""
        for statement in step.statements:
            assert isinstance(statement, Sql)
            try:
                self._connection.command(statement.text)
            except (ClickHouseError, OSError) as error:
                raise self._failed(error) from None
            self._settle()

    def _settle(self) -> None:
        while pending := self._ask(_MUTATIONS):
            for mutation in pending:
                if mutation["latest_fail_reason"]:
                    raise EngineError(
                        "TV4205",
                        f"{self._target.shown}: {mutation['command']} of table {mutation['table']} fails: "
                        f"{self._target.redact(mutation['latest_fail_reason'])[:500]}",
                        "Mend the cause, or give it up: KILL MUTATION WHERE mutation_id = "
                        f"{literal(mutation['mutation_id'])}. Until then later mutations wait.",
                    )
            time.sleep(_POLL_SECONDS)

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
            raise self._failed(error) from None

    def read(self, definition: Definition) -> Iterator[Record]:
        """See `toolkit.engines.Client.read`: block by block, on a connection of its own, so that others stay usable."""
        form = rows.Form.of(definition, self._rules)
        connection = self._open()
        try:
            stream = connection.query_row_block_stream(
                form.select, query_formats=_FORMATS, column_formats=self._byte_columns
            )
            with stream:
                for block in stream:
                    yield from map(form.record, block)
        except (ClickHouseError, OSError) as error:
            raise self._failed(error) from None
        finally:
            _close(connection)

    def count(self) -> int:
        """See `toolkit.engines.Client.count`: the newest version of each run, deleted runs left out."""
        return int(self._ask(f"SELECT count() AS n FROM {identifier(self._rules.table)} FINAL")[0]["n"])

    def ask(self, statement: BoundSql) -> list[dict[str, Any]]:
        """See `toolkit.engines.filtering.Asking`. Times come as whole ticks of their columns."""
        parameters = dict(statement.parameters) if isinstance(statement.parameters, Mapping) else {}
        try:
            answer = self._connection.query(
                statement.text,
                parameters,
                settings=self._read_settings(),
                query_formats=_FORMATS,
                column_formats=self._byte_columns,
            )
        except (ClickHouseError, OSError) as error:
            raise self._failed(error) from None
        return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]

    def _read_settings(self) -> dict[str, str | int]:
        """Skip indexes under FINAL only where the engine takes care that they hide no newer version of a row."""
        known = self._connection.server_settings
        return {name: int(_EXACT in known) for name in (_SKIP, _EXACT) if name in known}

    def measure(self, plan: Plan) -> dict[str, Estimate]:
        """See `toolkit.engines.measuring.Measuring`."""
        table = stored_table(self._rules, self._placement)
        measures = measure.read(self._ask, table)
        return measuring.estimates(plan, measures, lambda step: measure.work(step, table))

    def close(self) -> None:
        """See `toolkit.engines.Client.close`."""
        _close(self._connection)


def _close(connection: Connection) -> None:
    with suppress(Exception):
        connection.close()
