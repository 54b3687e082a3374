"""Realistic visibility writes to fill a store with: the same (rows, seed) give the same writes, on every machine.

It makes values and never writes them anywhere; memory does not grow with the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from random import Random

from toolkit.definition import Definition
from toolkit.engines.batches import collapse
from toolkit.records import Record, Write
from toolkit.sample.runs import Run, advance
from toolkit.sample.world import World
from toolkit.versions import chain

# How many runs are under way at once, at the most: between two writes of a run lie writes of others.
WINDOW = 2000
# 2025-01-01T00:00:00Z; executions start from here on, a few milliseconds apart.
BEGINNING = 1_735_689_600_000_000_000
_GAP = 4_000_000
# About how many writes lead to one live record; for progress bars.
WRITES_PER_ROW = 3.1


def generate(definition: Definition, rows: int, seed: int, attributes: Definition | None = None) -> Iterator[Write]:
    """Starts, upserts, closes and deletions in the order of time, that leave exactly `rows` records.

    Records have the attributes of `definition` and those of `attributes` (default: of the newest version), so that an
    upgrade makes more of them visible. Versions grow from write to write. Every value is legal on every engine: see
    `toolkit.sample.values` for where that draws lines.
    """
    random = Random(seed)
    world = World(random, definition, chain()[-1] if attributes is None else attributes)
    waiting: list[tuple[int, int, Run]] = []
    arrival, number, version, live = BEGINNING, 0, 1_048_576, 0
    while live < rows or waiting:
        version += 1 + int(random.random() * 8)
        if live < rows and len(waiting) < WINDOW and (not waiting or arrival <= waiting[0][0]):
            number += 1
            now, run = arrival, world.run(number, arrival)
            live += not run.doomed
            arrival += 1000 * (1 + int(random.random() * _GAP / 500))
        else:
            now, _, run = heappop(waiting)
            arrival = max(arrival, now)
        write, following = advance(run, now, version, world, random)
        if following is not None:
            heappush(waiting, (following, run.number, run))
        yield write


def expected(writes: Iterable[Write]) -> dict[tuple[str, str], Record]:
    """What a store holds after `writes`: the live records by namespace and run."""
    return {(record.namespace_id, record.run_id): record for record in collapse(tuple(writes)).records}
