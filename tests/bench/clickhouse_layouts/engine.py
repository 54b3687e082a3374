"""Run statements on the embedded engine with explicit settings, and read back what each cost from the engine's own log.

This module owns the connection; it never decides what to run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import clickhouse_connect

CONFIG: Final = """<clickhouse>
  <query_log><database>system</database><table>query_log</table><flush_interval_milliseconds>1000</flush_interval_milliseconds></query_log>
  <part_log><database>system</database><table>part_log</table><flush_interval_milliseconds>1000</flush_interval_milliseconds></part_log>
  <background_pool_size>2</background_pool_size>
</clickhouse>
"""

READ: Final[dict[str, int | str]] = {
    "max_threads": 2,
    "use_query_condition_cache": 0,
    "use_uncompressed_cache": 0,
    "use_skip_indexes": 1,
    "use_skip_indexes_if_final": 1,
    "use_skip_indexes_if_final_exact_mode": 1,
    "use_skip_indexes_for_top_k": 1,
    "use_top_k_dynamic_filtering": 1,
    "optimize_move_to_prewhere": 1,
    "optimize_move_to_prewhere_if_final": 0,
    "optimize_read_in_order": 1,
    "query_plan_optimize_lazy_materialization": 1,
    "query_plan_optimize_lazy_final": 0,
    "do_not_merge_across_partitions_select_final": 0,
    "split_parts_ranges_into_intersecting_and_non_intersecting_final": 1,
    "enable_vertical_final": 1,
    "max_query_size": 10_000_000,
    "max_ast_elements": 1_000_000,
}
"""Every setting the answers or the costs depend on; nothing is left to a server's default."""

WRITE: Final[dict[str, int | str]] = {
    "async_insert": 0,
    "insert_deduplicate": 0,
    "optimize_on_insert": 1,
    "max_insert_threads": 1,
    "max_threads": 2,
    "max_insert_block_size": 1_048_576,
    "min_insert_block_size_rows": 1_048_576,
    "min_insert_block_size_bytes": 1_073_741_824,
    "mutations_sync": 2,
    "alter_sync": 2,
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one question cost; `cpu`: seconds of processor time of all threads, which other work on the machine does not
    lengthen as it does `seconds`."""

    seconds: float
    cpu: float
    rows: int
    bytes: int
    memory: int
    statements: int


class Engine:
    """One embedded engine on one directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._config = Path(tempfile.mkdtemp()) / "config.xml"
        self._config.write_text(CONFIG)
        self._client: Any = clickhouse_connect.get_client(
            interface="chdb", path=str(directory), chdb_options={"config-file": str(self._config)}
        )
        self.directory = directory

    def run(self, sql: str, **settings: int | str) -> None:
        self._client.command(sql, settings=WRITE | settings)

    def rows(
        self, sql: str, comment: str = "", settings: Mapping[str, int | str] | None = None
    ) -> list[tuple[Any, ...]]:
        extra: dict[str, int | str] = {"log_queries": 1, "log_comment": comment} if comment else {"log_queries": 0}
        formats = {"DateTime64*": "int"}
        result = self._client.query(sql, settings=READ | dict(settings or {}) | extra, query_formats=formats)
        return [tuple(row) for row in result.result_rows]

    def value(self, sql: str) -> Any:
        return self.rows(sql)[0][0]

    def costs(self, prefix: str) -> dict[str, Cost]:
        """The cost of every comment that starts with a prefix, all statements of one comment added up."""
        self._client.command("SYSTEM FLUSH LOGS")
        found = self.rows(
            "SELECT log_comment, sum(toUnixTimestamp64Micro(event_time_microseconds) - toUnixTimestamp64Micro(query_start_time_microseconds)) / 1e6,"
            " sum(ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']) / 1e6,"
            " sum(read_rows), sum(read_bytes), max(memory_usage), count() FROM system.query_log"
            f" WHERE type = 'QueryFinish' AND startsWith(log_comment, '{prefix}') GROUP BY log_comment"
        )
        return {row[0]: Cost(float(row[1]), float(row[2]), *map(int, row[3:7])) for row in found}

    def close(self) -> None:
        self._client.close()
