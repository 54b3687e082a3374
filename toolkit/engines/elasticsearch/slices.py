"""Slices of the documents by run id, and which of them differ between two indices.

A slice is a range of run ids; those of Temporal are hexadecimal, so ranges of equal length hold about as many
documents. Pure but for the questions it asks through `Ask`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.catalog import Json

DIGITS = "0123456789abcdef"
# So many documents are listed rather than looked at in smaller slices.
LEAF = 500
# So many are listed at once where all must be listed.
LIST = 5000
AT_ONCE = 300
DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Slice:
    """Documents whose run id is at least `low` and below `high` (None: no bound); `missing`: those without one."""

    low: str | None = None
    high: str | None = None
    missing: bool = False

    @property
    def query(self) -> Json:
        """The documents of the slice as a query."""
        if self.missing:
            return {"bool": {"must_not": [{"exists": {"field": "RunId"}}]}}
        bounds: dict[str, Json] = {}
        if self.low is not None:
            bounds["gte"] = self.low
        if self.high is not None:
            bounds["lt"] = self.high
        return {"range": {"RunId": bounds}} if bounds else {"exists": {"field": "RunId"}}

    def parts(self) -> tuple[Slice, ...]:
        """Smaller slices that are this one together; () when it cannot be divided by the next digit."""
        low = self.low
        if self.missing or low is None or len(low) >= DEEPEST or set(low) - {*DIGITS, "-"}:
            return ()
        if self.high == low + DIGITS[0]:
            # Nothing but the one run id `low`, however many documents have it.
            return ()
        bounds = [low, *(low + digit for digit in DIGITS)]
        return tuple(Slice(a, b) for a, b in zip(bounds, [*bounds[1:], self.high], strict=True))


def grid() -> tuple[Slice, ...]:
    """Some 257 slices that are all documents together."""
    bounds: list[str | None] = [None, *(a + b for a in DIGITS for b in DIGITS)]
    ranges = [Slice(a, b) for a, b in zip(bounds, [*bounds[1:], None], strict=True)]
    return (Slice(missing=True), *ranges)


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a slice in one index: how many documents, and their fingerprint (None: not known)."""

    count: int
    sum: str | None


Ask = Callable[[Sequence[Slice]], list[Mark]]


def differing(slices: Sequence[Slice], source: Ask, target: Ask) -> Iterator[Slice]:
    """Small slices in which the two indices are not known to be equal. Where only counts are known, they decide."""
    for at in range(0, len(slices), AT_ONCE):
        some = slices[at : at + AT_ONCE]
        smaller: list[Slice] = []
        for slice_, left, right in zip(some, source(some), target(some), strict=True):
            if left == right:
                continue
            parts = slice_.parts() if max(left.count, right.count) > LEAF else ()
            if parts:
                smaller.extend(parts)
            else:
                yield slice_
        if smaller:
            yield from differing(smaller, source, target)


def small(slices: Sequence[Slice], source: Ask, target: Ask) -> Iterator[Slice]:
    """Slices of a size to be listed, without those that are empty on both sides: where nothing tells differences."""
    for at in range(0, len(slices), AT_ONCE):
        some = slices[at : at + AT_ONCE]
        smaller: list[Slice] = []
        listed: list[tuple[Slice, int]] = []
        for slice_, left, right in zip(some, source(some), target(some), strict=True):
            most = max(left.count, right.count)
            parts = slice_.parts() if most > LIST else ()
            smaller.extend(parts)
            if most and not parts:
                listed.append((slice_, most))
        yield from _joined(listed)
        if smaller:
            yield from small(smaller, source, target)


def _joined(slices: Sequence[tuple[Slice, int]]) -> Iterator[Slice]:
    """Neighbours as one, as long as that is not too large."""
    last: tuple[Slice, int] | None = None
    for slice_, count in slices:
        if last is not None and last[0].high == slice_.low and slice_.low is not None and last[1] + count <= LIST:
            last = (Slice(last[0].low, slice_.high), last[1] + count)
            continue
        if last is not None:
            yield last[0]
        last = (slice_, count)
    if last is not None:
        yield last[0]


def named(slices: Sequence[Slice]) -> dict[str, Json]:
    """The slices as the filters of one request."""
    return {str(number): slice_.query for number, slice_ in enumerate(slices)}


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
