"""Slices of the documents by run id or by start, and which of them differ between two indices.

Run ids of Temporal are hexadecimal, so ranges of equal length hold about as many documents; what retention deletes
started at about the same time, and is in few ranges of starts. Pure but for the questions it asks through `Both`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

from toolkit.catalog import Json

DIGITS = "0123456789abcdef"
# Slices of up to so many documents are listed, or only their run ids; larger ones are divided where they differ. To
# count sixteen parts takes about as long as to list so many, and a run id costs a tenth of a document.
LEAF = 500
RUNS = 2500
# So many documents are listed at once.
LIST = 8000
AT_ONCE = 300
DEEPEST = 12
# Starts are divided into so many parts; from 2014 on, so many of two years.
PARTS = 16
FIRST, PERIOD = 1_388_534_400_000, 2 * 365 * 86_400_000


@dataclass(frozen=True, slots=True)
class Measure:
    """What slices are ranges of: a field, how its bounds are written, and where a range is divided ((): nowhere)."""

    field: str
    form: Mapping[str, Json]
    divide: Callable[[str, str | None], Sequence[str]]


def _by_digit(low: str, high: str | None) -> Sequence[str]:
    # What ends where the first digit begins is the one run id `low`, however many documents have it.
    if len(low) >= DEEPEST or high == low + DIGITS[0]:
        return ()
    return [low, *(low + digit for digit in DIGITS)]


def _by_length(low: str, high: str | None) -> Sequence[str]:
    if high is None or int(high) - int(low) < PARTS:
        return ()
    return [str(int(low) + (int(high) - int(low)) * part // PARTS) for part in range(PARTS)]


RUN = Measure("RunId", {}, _by_digit)
# Bounds are milliseconds since 1970; all that are used have thirteen digits, so that texts are in the order of times.
START = Measure("StartTime", {"format": "epoch_millis"}, _by_length)


@dataclass(frozen=True, slots=True)
class Slice:
    """Documents whose run id or start is at least `low` and below `high` (None: no bound); `missing`: those without."""

    low: str | None = None
    high: str | None = None
    missing: bool = False
    by: Measure = RUN

    @property
    def query(self) -> Json:
        """The documents of the slice as a query."""
        there: Json = {"exists": {"field": self.by.field}}
        if self.missing:
            return {"bool": {"must_not": [there]}}
        bounds: dict[str, Json] = {}
        if self.low is not None:
            bounds["gte"] = self.low
        if self.high is not None:
            bounds["lt"] = self.high
        return {"range": {self.by.field: {**bounds, **self.by.form}}} if bounds else there

    def parts(self) -> tuple[Slice, ...]:
        """Smaller slices that are this one together; () when it cannot be divided."""
        bounds = () if self.missing or self.low is None else self.by.divide(self.low, self.high)
        return tuple(Slice(a, b, by=self.by) for a, b in pairwise([*bounds, self.high]))


def grid() -> tuple[Slice, ...]:
    """Some 257 slices that are all documents together."""
    return _ranges((a + b for a in DIGITS for b in DIGITS), RUN)


def coarse() -> tuple[Slice, ...]:
    """A few slices that are all documents together: for a look at everything, which looks again where they differ."""
    return _ranges(DIGITS, RUN)


def periods() -> tuple[Slice, ...]:
    """A few slices by start that are all documents together."""
    return _ranges((str(FIRST + number * PERIOD) for number in range(PARTS + 1)), START)


def _ranges(bounds: Iterable[str], by: Measure) -> tuple[Slice, ...]:
    found = (Slice(a, b, by=by) for a, b in pairwise([None, *bounds, None]))
    return (Slice(missing=True, by=by), *found)


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a slice in one index: how many documents, and their fingerprint (None: not known)."""

    count: int
    sum: str | None


# Slices → what is known of each in both indices.
Both = Callable[[Sequence[Slice]], Sequence[tuple[Mark, Mark]]]
# Slices that are listed in one go.
Batch: TypeAlias = tuple[Slice, ...]


def differing(slices: Sequence[Slice], both: Both, size: int = LEAF) -> list[Batch]:
    """Slices of about `size` documents, in which the two indices are not known to be equal; where only counts are
    known, they decide."""
    return _batches(_looked(slices, both, size, lambda left, right: left != right))


def small(slices: Sequence[Slice], both: Both) -> list[Batch]:
    """Slices of a size to be listed, without those that are empty on both sides: where nothing tells differences."""
    return _batches(_looked(slices, both, LIST, lambda left, right: bool(left.count or right.count)))


def _looked(
    slices: Sequence[Slice], both: Both, size: int, wanted: Callable[[Mark, Mark], bool]
) -> Iterator[tuple[Slice, int]]:
    """The wanted ones and how many documents they have, divided until that is at most `size` or they cannot be."""
    smaller: list[Slice] = []
    for at in range(0, len(slices), AT_ONCE):
        some = slices[at : at + AT_ONCE]
        for slice_, (left, right) in zip(some, both(some), strict=True):
            if not wanted(left, right):
                continue
            most = max(left.count, right.count)
            parts = slice_.parts() if most > size else ()
            if parts:
                smaller.extend(parts)
            else:
                yield slice_, most
    if smaller:
        yield from _looked(smaller, both, size, wanted)


def _batches(slices: Iterable[tuple[Slice, int]]) -> list[Batch]:
    """As many slices together as make a list that is not too long, and a query that is not."""
    found: list[list[Slice]] = []
    so_far = 0
    for slice_, count in sorted(slices, key=lambda known: known[0].low or ""):
        if not found or so_far + count > LIST or len(found[-1]) >= AT_ONCE:
            found.append([])
            so_far = 0
        found[-1].append(slice_)
        so_far += count
    return [tuple(batch) for batch in found]


def named(slices: Sequence[Slice]) -> dict[str, Json]:
    """The slices as the filters of one request."""
    return {str(number): slice_.query for number, slice_ in enumerate(slices)}


def together(slices: Sequence[Slice]) -> Json:
    """The documents of all of them, so that no other is looked at: neighbouring ranges are one."""
    queries: list[Json] = [s.query for s in slices if s.missing]
    ranges: list[Slice] = []
    for slice_ in sorted((s for s in slices if not s.missing), key=lambda s: s.low or ""):
        if ranges and slice_.low is not None and ranges[-1].high == slice_.low:
            slice_ = replace(slice_, low=ranges.pop().low)
        ranges.append(slice_)
    if queries and ranges and ranges[0].low is None and ranges[0].high is None:
        return {"match_all": {}}
    return {"bool": {"should": [*queries, *(s.query for s in ranges)], "minimum_should_match": 1}}


def marks(buckets: Mapping[str, Mapping[str, object]], slices: Sequence[Slice], counted: bool) -> list[Mark]:
    """The answer to such a request, in the order of the slices; `counted`: it has no fingerprints."""
    found = []
    for number in range(len(slices)):
        bucket = buckets[str(number)]
        count = bucket["doc_count"]
        mark = bucket.get("mark")
        text = str(mark["value"]) if isinstance(mark, dict) and not counted else None
        assert isinstance(count, int)
        found.append(Mark(count, text))
    return found
