"""Writes in batches: how many at a time, and what is left of a batch when later writes of a run overtake earlier ones.

Pure; the same for every engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from toolkit.records import Deletion, Record, Write

SIZE = 5000


@dataclass(frozen=True, slots=True)
class Final:
    """The last word on each run of a batch."""

    records: tuple[Record, ...]
    deletions: tuple[Deletion, ...]


def batched(writes: Iterable[Write], size: int = SIZE) -> Iterator[tuple[Write, ...]]:
    """`writes` in tuples of `size`, the last one shorter."""
    source = iter(writes)
    while batch := tuple(islice(source, size)):
        yield batch


def collapse(batch: Sequence[Write]) -> Final:
    """For each run the write with the greatest version, or the last of equals; as Temporal's guard would leave it."""
    last: dict[tuple[str, str], Write] = {}
    for write in batch:
        key = (write.namespace_id, write.run_id)
        known = last.get(key)
        if known is None or write.version >= known.version or isinstance(write, Deletion):
            last[key] = write
    records = tuple(w for w in last.values() if isinstance(w, Record))
    return Final(records, tuple(w for w in last.values() if isinstance(w, Deletion)))
