"""How large an index of a search engine is, and how fast it gives its documents: requests that change nothing.

Copying is told from reading: the factors were measured, and are rough.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from toolkit.engines.elasticsearch import paging, render
from toolkit.engines.measuring import SAMPLE_ROWS, SAMPLE_SECONDS, Measures, Pace, Table, Work
from toolkit.plan import Mode, Step, StepClass

# Method, path, body → the answer's body, or an empty one.
Ask = Callable[[str, str, Any], dict[str, Any]]

COPY = 3.0


def read(ask: Ask, index: str) -> Measures:
    """Sizes from the index's own statistics, and the time a page of documents takes."""
    began = time.monotonic()
    stats = ask("GET", f"{render.path(index)}/_stats/docs,store", None).get("_all") or {}
    trip = time.monotonic() - began
    if "primaries" not in stats:
        return Measures({}, None, trip, "")
    rows = int(stats["primaries"]["docs"]["count"])
    # Replicas are copied as well.
    size = int(stats["total"]["store"]["size_in_bytes"])
    at_once = paging.at_once(rows, stats["primaries"]["store"]["size_in_bytes"])
    pace, looked = _pace(ask, index, trip, min(SAMPLE_ROWS, at_once))
    basis = f"sizes from the index's _stats; {looked} documents read now" if looked else "sizes from the index's _stats"
    return Measures({index: Table(rows, size, {}, 0)}, pace, trip, basis)


def _pace(ask: Ask, index: str, trip: float, number: int) -> tuple[Pace | None, int]:
    body = {"size": number, "timeout": f"{round(SAMPLE_SECONDS * 1000)}ms", "track_total_hits": False}
    began = time.monotonic()
    hits = (ask("POST", f"{render.path(index)}/_search", body).get("hits") or {}).get("hits") or []
    if not hits:
        return None, 0
    read = max(1e-7, time.monotonic() - began - trip) / len(hits)
    return Pace(read, read * COPY, 0.0), len(hits)


def work(step: Step, index: str) -> Work | None:
    """What a step does to the documents."""
    match step.mode:
        case Mode.COPY:
            return Work(index, copies=1.0)
        case Mode.COMPARE:
            return Work(index, reads=2.0)
        case _:
            pass
    if step.id == "index.rebuild":
        return Work(index, copies=1.0, frees=True)
    return Work(index) if step.step_class is StepClass.METADATA else None
