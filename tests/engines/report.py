"""The table at the end of a run: engine, version, how it was started, tests run and passed, why anything could not run.

It reads the terminal reporter's results and the run's directory, and starts nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.engines.catalog import parse
from tests.engines.errors import NotAllowed
from tests.engines.runs import Run

OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


def write(terminal: Any, run: Run) -> None:
    """Write the table with the reporter's own writer."""
    counts = _counts(terminal)
    if not counts:
        return
    terminal.section("engines", "=")
    rows = [("engine", "started as", "ready in", "run", "passed", "remarks")]
    rows += [_row(name, outcomes, run) for name, outcomes in sorted(counts.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        terminal.write_line("  ".join([*cells, row[5]]).rstrip())


def _counts(terminal: Any) -> dict[str, Counter[str]]:
    """Outcomes of tests by the engines they noted, each test once."""
    seen: dict[tuple[str, str], str] = {}
    for outcome in OUTCOMES:
        for report in terminal.stats.get(outcome, ()):
            for key, value in getattr(report, "user_properties", ()):
                if key == "engine":
                    seen[report.nodeid, value] = outcome
    counts: dict[str, Counter[str]] = {}
    for (_, engine), outcome in seen.items():
        counts.setdefault(engine, Counter())[outcome] += 1
    return counts


def _row(name: str, outcomes: Counter[str], run: Run) -> tuple[str, str, str, str, str, str]:
    ran, passed = str(sum(outcomes.values())), str(outcomes["passed"])
    try:
        version = parse(name).version
    except NotAllowed:
        return name, "in process", "", ran, passed, _bad(outcomes)
    directory = run.directory / name
    ready = _seconds(directory / "ready")
    failed = [(directory / "failed").read_text()] if (directory / "failed").exists() else []
    remarks = "; ".join(text for text in (_bad(outcomes), *failed, version.limits) if text)
    return name, "process", ready, ran, passed, remarks


def _bad(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items() if outcome != "passed")


def _seconds(path: Path) -> str:
    if not path.exists():
        return ""
    times = json.loads(path.read_text())
    return f"{times['prepared'] + times['started']:.1f} s"
