"""Command line of the benchmark: makes the data, measures every layout, prints a table, writes JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from . import data, measure, queries, report
from .engine import Engine
from .layouts import Layout, layouts


def prepare(engine: Engine, rows: int, say: Any) -> None:
    """Make runs, versions and truth, unless they are there from an earlier run."""
    have = engine.rows("SELECT count() FROM system.tables WHERE database = 'source' AND name = 'truth'")[0][0]
    if have and engine.value("SELECT count() FROM source.runs") == rows:
        return
    engine.run("DROP DATABASE IF EXISTS source SYNC")
    engine.run("CREATE DATABASE source ENGINE = Atomic")
    for table, sql in (
        ("runs", data.runs_sql("source.runs", rows)),
        ("versions", data.versions_sql("source.versions", "source.runs")),
        ("truth", data.truth_sql("source.truth", "source.runs")),
    ):
        begin = time.monotonic()
        engine.run(sql, max_insert_threads=2)
        say(f"{table}: {engine.value(f'SELECT count() FROM source.{table}')} rows in {time.monotonic() - begin:.0f} s")


def questions(engine: Engine) -> list[tuple[str, str, queries.Case, queries.Position | None, str]]:
    """Every question about the biggest and a small namespace, with the right answer from the deduplicated copy."""
    ranked = engine.rows(
        "SELECT NamespaceId, count() AS n FROM source.truth GROUP BY NamespaceId ORDER BY n DESC, NamespaceId"
    )
    plan = []
    for label, (namespace, count) in (("big", ranked[0]), ("small", ranked[-1])):
        names = [
            "StartTime",
            "CloseTime",
            "WorkflowType",
            "WorkflowId",
            "RunId",
            "Keyword01",
            "Text01",
            "KeywordList01",
        ]
        found = engine.rows(
            f"SELECT {', '.join(names)} FROM source.truth WHERE NamespaceId = '{namespace}' AND NOT startsWith(WorkflowId, 'cron')"
            " AND CloseTime IS NOT NULL AND Keyword01 IS NOT NULL AND Text01 IS NOT NULL AND notEmpty(KeywordList01)"
            " AND StartTime BETWEEN '2026-10-14' AND '2026-10-16' ORDER BY RunId LIMIT 1"
        )
        sample = dict(zip(names, found[0], strict=True))
        for case in queries.cases(count, sample):
            position = None
            if case.kind == "deep":
                row = engine.rows(
                    f"SELECT toUnixTimestamp64Micro({queries.CLOSE_ORDER}), toUnixTimestamp64Micro(StartTime), RunId FROM source.truth"
                    f" WHERE NamespaceId = '{namespace}' ORDER BY {queries.order(measure.TRUTH)} LIMIT 1 OFFSET {case.skip - 1}"
                )[0]
                position = (int(row[0]), int(row[1]), str(row[2]))
            engine.run("USE source")
            engine.run("CREATE OR REPLACE VIEW t AS SELECT * FROM truth")
            right = measure.digest(measure.answer(engine, measure.TRUTH, namespace, case, position, ""))
            plan.append((label, namespace, case, position, right))
    return plan


def measure_table(
    engine: Engine, same: list[Layout], plan: Any, arguments: argparse.Namespace, say: Any
) -> dict[str, Any]:
    """Load one table and ask it in every way that reads it."""
    first = same[0]
    engine.run("CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic")
    engine.run("USE bench")
    engine.run("TRUNCATE TABLE IF EXISTS system.part_log")
    out: dict[str, Any] = {
        "layouts": {x.name: x.what for x in same},
        "load": measure.load(engine, first, arguments.batch, arguments.unmerged),
    }
    say(f"{first.name}: {out['load']['rows_per_second']:.0f} versions/s")
    out["unmerged"] = measure.size(engine, first)
    results = []
    for layout in same:
        results += measure.ask(engine, layout, "unmerged", plan, arguments.runs, say)
    out["written"] = measure.merge_bytes(engine, first)
    begin = time.monotonic()
    for table in first.tables:
        engine.run(f"SYSTEM START MERGES {table}")
    for table in first.tables:
        engine.run(f"OPTIMIZE TABLE {table} FINAL")
    out["optimize_seconds"] = time.monotonic() - begin
    measure.wait_for_merges(engine)
    out["merged"] = measure.size(engine, first)
    for layout in same:
        results += measure.ask(engine, layout, "merged", plan, arguments.runs, say)
    out["results"] = results
    for table in ("by_close_of_t", "t", "by_close"):
        engine.run(f"DROP TABLE IF EXISTS {table} SYNC")
    return out


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.clickhouse_layouts", description=__doc__)
    parser.add_argument("--rows", type=int, action="append", help="number of runs; may be given several times")
    parser.add_argument("--batch", type=int, default=50_000, help="versions per insert")
    parser.add_argument(
        "--unmerged", type=float, default=0.1, help="share of the inserts after which nothing is merged"
    )
    parser.add_argument("--runs", type=int, default=5, help="how often each question is asked")
    parser.add_argument("--only", action="append", help="only these layouts")
    parser.add_argument(
        "--directory", type=Path, default=Path("/tmp/clickhouse-layouts"), help="where the engine keeps its data"
    )
    parser.add_argument("--json", type=Path, default=Path("clickhouse-layouts.json"), help="where the figures go")
    arguments = parser.parse_args()
    say = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    for rows in arguments.rows or [1_000_000]:
        engine = Engine(arguments.directory / str(rows))
        prepare(engine, rows, say)
        plan = questions(engine)
        target = arguments.json.with_name(f"{arguments.json.stem}-{rows}.json")
        tables: list[dict[str, Any]] = json.loads(target.read_text())["tables"] if target.exists() else []
        wanted = [x for x in layouts() if not arguments.only or x.name in arguments.only]
        groups: dict[tuple[str, ...], list[Layout]] = {}
        for layout in wanted:
            groups.setdefault(layout.create, []).append(layout)
        for same in groups.values():
            begin = time.monotonic()
            names = {x.name for x in same}
            tables = [x for x in tables if not names & set(x["layouts"])]
            tables.append(measure_table(engine, same, plan, arguments, say))
            say(f"{', '.join(sorted(names))}: {time.monotonic() - begin:.0f} s")
            version = engine.value("SELECT version()")
            target.write_text(json.dumps({"rows": rows, "version": version, "tables": tables}, indent=1, default=str))
        print(report.table(rows, tables))
        engine.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
