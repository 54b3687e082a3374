"""Load one layout with the arriving versions, ask it every question, check each answer against the truth, note each cost.

This module runs the benchmark; it never prints.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from . import queries
from .engine import Engine
from .layouts import Layout
from .queries import PAGE, Case, Position

TRUTH: Final = Layout("truth", "deduplicated copy", ("NamespaceId", "RunId"), (), (), reader="plain")


def answer(
    engine: Engine, layout: Layout, namespace: str, case: Case, position: Position | None, comment: str
) -> list[tuple[Any, ...]]:
    """The rows a reader would see, in one statement or as many as the layout's way of reading needs."""
    if case.kind in ("count", "groups"):
        return engine.rows(queries.count_sql(layout, namespace, case), comment, layout.read_settings)
    if layout.reader != "candidates":
        return engine.rows(queries.page_sql(layout, namespace, case, position), comment, layout.read_settings)
    found: list[tuple[Any, ...]] = []
    limit = PAGE + PAGE // 2
    while True:
        ahead: list[Position] = [
            (int(co), int(st), str(run))
            for co, st, run in engine.rows(
                queries.candidates_sql(layout, namespace, case, position, limit), comment, layout.read_settings
            )
        ]
        if ahead:
            sql = queries.checked_sql(layout, namespace, case, position, ahead)
            found += engine.rows(sql, comment, layout.read_settings)
        if len(found) >= PAGE or len(ahead) < limit:
            return found[:PAGE]
        position, limit = ahead[-1], min(limit * 4, 20_000)


def digest(rows: Sequence[tuple[Any, ...]]) -> str:
    def plain(value: Any) -> Any:
        return [plain(x) for x in value] if isinstance(value, list | tuple) else value

    return hashlib.sha256(repr([plain(row) for row in rows]).encode()).hexdigest()[:16]


def wait_for_merges(engine: Engine, seconds: float = 900) -> float:
    """Wait until the engine has nothing to merge; returns how long that took."""
    begin = time.monotonic()
    quiet = 0
    while quiet < 3 and time.monotonic() - begin < seconds:
        quiet = quiet + 1 if engine.value("SELECT count() FROM system.merges") == 0 else 0
        time.sleep(0.5)
    return time.monotonic() - begin


def load(engine: Engine, layout: Layout, batch: int, unmerged: float) -> dict[str, Any]:
    """Write every version in arrival order, in batches; merges stop before the last share so that it stays unmerged."""
    for table in ("by_close_of_t", "t", "by_close"):
        engine.run(f"DROP TABLE IF EXISTS {table} SYNC")
    for sql in layout.create:
        engine.run(sql)
    total = int(engine.value("SELECT count() FROM source.versions"))
    edges = [
        row[0]
        for row in engine.rows(
            f"SELECT toUnixTimestamp64Micro(at) FROM (SELECT at, rowNumberInAllBlocks() AS n FROM (SELECT at FROM source.versions ORDER BY at)) WHERE n % {batch} = 0 ORDER BY at"
        )
    ]
    spent, stop = 0.0, int(len(edges) * (1 - unmerged))
    cpu = time.process_time()
    settled = 0.0
    for number, low in enumerate(edges):
        if number == stop:
            settled = wait_for_merges(engine)
            for table in layout.tables:
                engine.run(f"SYSTEM STOP MERGES {table}")
        high = f"AND at < {queries.time(edges[number + 1])}" if number + 1 < len(edges) else ""
        source = f"(SELECT * FROM source.versions WHERE at >= {queries.time(low)} {high})"
        begin = time.monotonic()
        for sql in layout.insert:
            engine.run(sql.replace("{source}", source))
        spent += time.monotonic() - begin
    return {
        "versions": total,
        "batches": len(edges),
        "insert_seconds": spent,
        "rows_per_second": total / spent,
        "rows_per_cpu_second": total / (time.process_time() - cpu),
        "settle_seconds": settled,
    }


def size(engine: Engine, layout: Layout) -> dict[str, Any]:
    """Rows, bytes and parts on disk, and the columns that take most."""
    names = ", ".join(f"'{name}'" for name in layout.tables)
    where = f"active AND database = currentDatabase() AND table IN ({names})"
    rows, disk, parts = engine.rows(
        f"SELECT sumIf(rows, table = 't'), sum(bytes_on_disk), count() FROM system.parts WHERE {where}"
    )[0]
    columns = engine.rows(
        "SELECT name, sum(data_compressed_bytes) AS b FROM system.columns WHERE database = currentDatabase() AND table = 't'"
        " GROUP BY name ORDER BY b DESC LIMIT 12"
    )
    indexes = engine.rows(
        "SELECT name, data_compressed_bytes FROM system.data_skipping_indices WHERE database = currentDatabase() AND table = 't'"
        " ORDER BY 2 DESC LIMIT 8"
    )
    return {"rows": rows, "bytes": disk, "parts": parts, "columns": columns, "indexes": indexes}


def merge_bytes(engine: Engine, layout: Layout) -> dict[str, int]:
    """Bytes written by inserts and by merges so far."""
    engine.run("SYSTEM FLUSH LOGS")
    names = ", ".join(f"'{name}'" for name in layout.tables)
    found = engine.rows(
        "SELECT event_type, sum(size_in_bytes), sum(duration_ms) FROM system.part_log WHERE database = currentDatabase()"
        f" AND table IN ({names}) AND event_type IN ('NewPart', 'MergeParts') GROUP BY event_type"
    )
    return {f"{kind}_{what}": value for kind, size_, ms in found for what, value in (("bytes", size_), ("ms", ms))}


def ask(
    engine: Engine,
    layout: Layout,
    state: str,
    plan: Sequence[tuple[str, str, Case, Position | None, str]],
    runs: int,
    progress: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Ask every question ``runs`` times; each entry of ``plan`` is (namespace label, namespace, case, position, right answer)."""
    results: list[dict[str, Any]] = []
    for label, namespace, case, position, right in plan:
        tag = f"{layout.name}|{state}|{label}|{case.name}|"
        verdict, error = "right", ""
        for number in range(runs):
            begin = time.monotonic()
            try:
                got = answer(engine, layout, namespace, case, position, f"{tag}{number}")
            except Exception as problem:
                verdict, error = "failed", str(problem)[:300]
                break
            if digest(got) != right:
                verdict, error = "wrong", f"{len(got)} rows"
            if number >= 2 and time.monotonic() - begin > 5:
                break
        results.append(
            {
                "layout": layout.name,
                "state": state,
                "namespace": label,
                "case": case.name,
                "verdict": verdict,
                "error": error,
            }
        )
        if verdict != "right":
            progress(f"  {verdict}: {state} {label} {case.name} {error}")
    costs = engine.costs(f"{layout.name}|{state}|")
    for result in results:
        tag = f"{layout.name}|{state}|{result['namespace']}|{result['case']}|"
        mine = [cost for name, cost in costs.items() if name.startswith(tag)]
        if mine:
            result |= {
                "runs": len(mine),
                "ms": round(statistics.median(c.seconds for c in mine) * 1000, 2),
                "cpu_ms": round(statistics.median(c.cpu for c in mine) * 1000, 2),
                "rows": statistics.median(c.rows for c in mine),
                "bytes": statistics.median(c.bytes for c in mine),
                "memory": max(c.memory for c in mine),
                "statements": max(c.statements for c in mine),
            }
    return results
