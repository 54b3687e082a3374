"""What recorded chaos runs led to, as a Markdown table: `python -m tests.containers.chaos_table RECORD…`.

It reads the lines that `tests.containers.chaos` wrote and runs nothing.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

COLUMNS = ("store", "runs", "attempts", "killed", "paused", "clock", "network", "disk", "writes beside", "bad ends")
# The words a fault begins with in the record, by column.
FAULTS = {
    "killed": ("kill tool", "kill server"),
    "paused": ("pause tool", "pause server"),
    "clock": ("skewed clock",),
    "network": ("cut network", "slow network"),
    "disk": ("fill disk",),
}


def table(outcomes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A row a store and one for all. A run in several records counts once."""
    known = {(one["server"], one["seed"], one.get("kind", "usual")): one for one in outcomes}
    rows: dict[str, Counter[str]] = {}
    for one in known.values():
        for name in (one["server"], "all"):
            rows.setdefault(name, Counter()).update(_counts(one))
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|---|{'---:|' * (len(COLUMNS) - 1)}"
    for name in (*sorted(rows.keys() - {"all"}), *(["all"] if rows else [])):
        yield f"| {name} | {' | '.join(f'{rows[name][column]:,}'.replace(',', ' ') for column in COLUMNS[1:])} |"


def _counts(one: Mapping[str, Any]) -> dict[str, int]:
    faults = {column: sum(fault.startswith(words) for fault in one["faults"]) for column, words in FAULTS.items()}
    disk = int(one.get("kind") == "disk" and not faults["disk"])
    return faults | {
        "runs": 1,
        "attempts": one["attempts"],
        "disk": faults["disk"] + disk,
        "writes beside": one["writes"],
        "bad ends": int(bool(one["wrong"])),
    }


def main() -> None:
    """See the module."""
    lines = [line for name in sys.argv[1:] for line in Path(name).read_text(encoding="utf-8").splitlines()]
    print("\n".join(table(map(json.loads, lines))))


if __name__ == "__main__":
    main()
