"""The table at the end of a run: engine, version, how it was started, tests run and passed, why anything did not run.

It reads the terminal reporter's results and the notes in the run's directory, and starts nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.engines.catalog import Kind, parse
from tests.engines.errors import NotAllowed
from tests.engines.images import PREFIX
from tests.engines.runs import Run
from tests.engines.selection import Way
from tests.engines.starting import Start, failure, finished, noted

OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
LEFT_OUT = "left-out.json"
OTHERS = ("long", "containers")  # what tests are left out for that is no engine
HEADINGS = ("engine", "version", "started as", "ready in", "run", "passed", "remarks")
Row = tuple[str, str, str, str, str, str, str]


def note_left_out(run: Run, reasons: Iterable[tuple[str, str]]) -> None:
    """Keep for the table how many tests are not selected, by what (an engine's name, or `long`) and why.

    Every worker collects the same tests, so the last note is as good as the first.
    """
    counts = Counter(reasons)
    text = json.dumps([[what, why, count] for (what, why), count in sorted(counts.items())])
    temporary = run.directory / f"{LEFT_OUT}.{id(counts)}"
    temporary.write_text(text)
    temporary.rename(run.directory / LEFT_OUT)


def note_embedded(run: Run, kind: Kind, version: str) -> None:
    """Keep for the table which library an embedded engine is."""
    directory = run.directory / kind.name
    directory.mkdir(exist_ok=True)
    finished(directory, Start("in process", version, 0.0, 0.0))


def write(terminal: Any, run: Run, way: Way) -> None:
    """Write the table with the reporter's own writer."""
    counts, left_out = _counts(terminal), _left_out(run.directory / LEFT_OUT)
    others = [f"{count} not selected, {why}" for what, why, count in left_out if what in OTHERS]
    absent = {what: f"{count} not run: {why}" for what, why, count in left_out if what not in OTHERS}
    if not counts and not left_out:
        return
    terminal.section("engines", "=")
    names = sorted({*counts, *absent})
    rows: list[Row] = [
        HEADINGS,
        *(_row(name, counts.get(name, Counter()), absent.get(name, ""), run, way) for name in names),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        terminal.write_line("  ".join([*cells, row[-1]]).rstrip())
    for line in others:
        terminal.write_line(line)


def _left_out(path: Path) -> list[tuple[str, str, int]]:
    return [(what, why, count) for what, why, count in json.loads(path.read_text())] if path.exists() else []


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


def _row(name: str, outcomes: Counter[str], absent: str, run: Run, way: Way) -> Row:
    ran, passed = str(sum(outcomes.values())), str(outcomes["passed"])
    directory = run.directory / name
    start = noted(directory)
    how, told, ready = (start.how, start.told, f"{start.prepared + start.started:.1f} s") if start else ("", "", "")
    limits = _limits(name) if how == "process" or PREFIX in how else ""
    remarks = "; ".join(text for text in (_bad(outcomes), failure(directory), absent, limits) if text)
    return name, told, how or f"({way})", "" if how in ("in process", "given by URL") else ready, ran, passed, remarks


def _limits(name: str) -> str:
    try:
        return parse(name).version.limits
    except NotAllowed:
        return ""


def _bad(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items() if outcome != "passed")
