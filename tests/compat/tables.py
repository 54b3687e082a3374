"""The tables of docs/compatibility.md, made from the engines' own.

python -m tests.compat.tables        writes them into the page
"""

from __future__ import annotations

from pathlib import Path

from toolkit.attributes import AttributeType
from toolkit.compat import Severity
from toolkit.engines import ENGINES
from toolkit.engines.compatibility import changes, move

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "compatibility.md"
BEGIN, END = "<!-- tables begin -->", "<!-- tables end -->"
NAMES = {
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
    "sqlite": "SQLite",
    "elasticsearch": "Elasticsearch, OpenSearch",
    "clickhouse": "ClickHouse",
}
Type = AttributeType


def tables() -> str:
    """All of them, as Markdown."""
    parts = [f"{BEGIN}\n\n## Changes of type", ""]
    for name in ENGINES:
        parts += [f"### {NAMES[name]}", "", _row(["from \\ to", *(t.value for t in Type)]), _row(["---"] * 8)]
        table = changes(name)
        for before in Type:
            cells = [table[before, after] for after in Type]
            shown = ["–" if v.severity is Severity.SAFE else f"{v.severity.value} {v.code}" for v in cells]
            parts.append(_row([f"**{before.value}**", *shown]))
        parts.append("")
    parts += ["## From engine to engine", "", "What differs for values of one type, and for filters on them.", ""]
    for kind in Type:
        parts += [f"### {kind.value}", "", _row(["from \\ to", *(NAMES[n] for n in ENGINES)]), _row(["---"] * 6)]
        for before in ENGINES:
            parts.append(_row([f"**{NAMES[before]}**", *(_moves(before, after, kind) for after in ENGINES)]))
        parts.append("")
    return "\n".join([*parts, END])


def _moves(before: str, after: str, kind: Type) -> str:
    if before == after:
        return "–"
    found = [v for v in move(before, after, kind) if v.severity is not Severity.SAFE]
    return "<br>".join(f"{v.severity.value} {v.code}" for v in found) or "safe"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    text = PAGE.read_text()
    head, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{head}{tables()}{rest.partition(END)[2]}")
