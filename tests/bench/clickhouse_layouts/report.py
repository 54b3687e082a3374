"""Turn measured figures into Markdown tables; never measures anything itself."""

from __future__ import annotations

from typing import Any


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def table(rows: int, tables: list[dict[str, Any]]) -> str:
    """One table of writing and storage, one of questions, for both states."""
    names = [name for entry in tables for name in entry["layouts"]]
    lines = [f"### {rows:,} runs", ""]
    head = [
        "layout",
        "versions/s",
        "versions per CPU second, merging included",
        "bytes/row",
        "parts before",
        "OPTIMIZE s",
        "write amplification",
        "wrong answers",
    ]
    lines += [_row(head), _row(["---"] * len(head))]
    for entry in tables:
        written = entry["written"]
        factor = 1 + written.get("MergeParts_bytes", 0) / max(1, written.get("NewPart_bytes", 1))
        for name in entry["layouts"]:
            bad = sum(r["verdict"] != "right" for r in entry["results"] if r["layout"] == name)
            live = entry["merged"]["rows"]
            lines.append(
                _row(
                    [
                        name,
                        f"{entry['load']['rows_per_second']:,.0f}",
                        f"{entry['load']['rows_per_cpu_second']:,.0f}",
                        f"{entry['merged']['bytes'] / live:.0f}",
                        str(entry["unmerged"]["parts"]),
                        f"{entry['optimize_seconds']:.1f}",
                        f"{factor:.1f}",
                        str(bad),
                    ]
                )
            )
    for state in ("unmerged", "merged"):
        for label in ("big", "small"):
            lines += [
                "",
                f"#### {state}, {label} namespace: ms, ms of CPU (thousand rows read)",
                "",
                _row(["question", *names]),
                _row(["---"] * (len(names) + 1)),
            ]
            found = {
                (r["layout"], r["case"]): r
                for entry in tables
                for r in entry["results"]
                if (r["state"], r["namespace"]) == (state, label)
            }
            for case in dict.fromkeys(case for _, case in found):
                cells = []
                for name in names:
                    r = found.get((name, case), {})
                    mark = "" if r.get("verdict") == "right" else f" {r.get('verdict', '')}!"
                    cells.append(
                        f"{r['ms']:.0f}, {r['cpu_ms']:.0f} ({r['rows'] / 1000:.0f}k){mark}" if "ms" in r else mark
                    )
                lines.append(_row([case, *cells]))
    return "\n".join(lines)
