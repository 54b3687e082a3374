"""May a search attribute change its type, and at what price: the words in which an engine's table answers.

Values and the looking up of values only; what is true of an engine stands in its own `compat` module, and a test makes
every change for real to see whether the table told the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from toolkit.attributes import AttributeType
from toolkit.records import AttributeValue, Moment, rfc3339


class Severity(Enum):
    """What a change costs, from nothing to impossible.

    Safe: nothing is to be done. Metadata: the catalog changes, no value is touched. Reindex: every value survives, but
    a column, field or index is built anew. Lossy: the engine takes the change, and some values are then others or
    cannot be found. Refused: the engine refuses the change as long as there is such a value.
    """

    SAFE = "safe"
    METADATA = "metadata"
    REINDEX = "reindex"
    LOSSY = "lossy"
    REFUSED = "refused"

    @property
    def rank(self) -> int:
        """Its place in the order above."""
        return list(Severity).index(self)


class Spoil(Enum):
    """Which values are spoiled, said so that a store can count them; `Spoils` has the numbers.

    LONGER: texts of more than `limit` characters. HEAVIER: of more than `limit` bytes. NO_NUMBER, NO_WHOLE, NO_BOOL,
    NO_TIME: texts that do not spell one. BROKEN: numbers with decimals. OUTSIDE: numbers below `low` or above `high`,
    or texts that spell such a number. FINER: numbers with more than `limit` decimals. INEXACT: whole numbers that a
    64-bit float cannot hold. OTHER_THAN_BIT: numbers besides 0 and 1. FINER_TIME: times finer than `limit` nanoseconds.
    TIME_OUTSIDE: times before `low` or after `high` (nanoseconds). NOT_ONE: lists of any number of elements but one.
    HOLDS: texts, or lists with an element, that have `sign` in them. EVERY: all values.
    """

    EVERY = "every"
    LONGER = "longer"
    HEAVIER = "heavier"
    NO_NUMBER = "no_number"
    NO_WHOLE = "no_whole"
    NO_BOOL = "no_bool"
    NO_TIME = "no_time"
    BROKEN = "broken"
    OUTSIDE = "outside"
    FINER = "finer"
    INEXACT = "inexact"
    OTHER_THAN_BIT = "other_than_bit"
    FINER_TIME = "finer_time"
    TIME_OUTSIDE = "time_outside"
    NOT_ONE = "not_one"
    HOLDS = "holds"


@dataclass(frozen=True, slots=True)
class Spoils:
    """The values that a change spoils; which of the numbers count is said by `kind`."""

    kind: Spoil
    limit: int = 0
    low: int | float = 0
    high: int | float = 0
    sign: str = ""


EVERY = Spoils(Spoil.EVERY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`code` names the hazard, `severity` the worst it does here; `example` is a value to which it does that, `spoils`
    says which others suffer. Where every value survives there is neither. `question`: a filter on the attribute `{}` by
    which the example shows what is different, where the value itself is not."""

    code: str
    severity: Severity
    reason: str
    hint: str
    example: AttributeValue | None = None
    spoils: tuple[Spoils, ...] = ()
    question: str = ""

    @property
    def keeps(self) -> bool:
        """Whether every value survives."""
        return self.severity.rank <= Severity.REINDEX.rank

    def to_json(self) -> dict[str, object]:
        """The verdict as `--output json` shows it."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "reason": self.reason,
            "hint": self.hint,
            "example": shown(self.example),
            "question": self.question,
        }


class Empty(Enum):
    """What an empty list is, once stored: itself, no value at all, or a list of one empty text."""

    KEPT = "kept"
    MISSING = "missing"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Holding:
    """What the column or field of one type keeps on an engine; the meaning of comparisons is in the engine's Semantics.

    `longest`, `heaviest`: characters and bytes of a text, or of one element. `low`, `high`: numbers, or nanoseconds;
    `beyond`: what becomes of a number outside. `signs`: what a text or an element must have none of in it; `signed`:
    what becomes of it, or of a text with a word of more than `word` bytes. `empty`: what becomes of an empty list.
    `several`: a field of one value takes many. `step`: times are cut to so many nanoseconds for good, where other
    stores keep the text that was written.
    """

    longest: int | None = None
    heaviest: int | None = None
    low: int | float | None = None
    high: int | float | None = None
    beyond: Severity = Severity.REFUSED
    signs: str = ""
    signed: Severity = Severity.REFUSED
    word: int | None = None
    empty: Empty = Empty.KEPT
    several: bool = False
    step: int = 1


Pair: TypeAlias = tuple[AttributeType, AttributeType]
Changes: TypeAlias = Mapping[Pair, Verdict]
Holdings: TypeAlias = Mapping[AttributeType, Holding]

SAME = Verdict("TV8001", Severity.SAFE, "the type stays", "")
CATALOG = Verdict("TV8002", Severity.METADATA, "only the catalog changes; values are computed when they are read", "")
BUILD = Verdict("TV8003", Severity.REINDEX, "every value survives; the column or field is built anew", "")

_SPLIT = "Count them with `schema check --data`; keep the old attribute, and write a new one beside it from now on."
_NONE = "Keep the old attribute, add a new one of the wanted type, and let workers write both."
# The numbers that DECIMAL(20,5) takes.
DECIMAL_END = 10**15 - 1
MOMENT = Moment(1_769_860_800_123_456_789)


def lossy(code: str, reason: str, example: AttributeValue, *spoils: Spoils, hint: str = _SPLIT) -> Verdict:
    """A verdict for values that become others, or cannot be found any more."""
    return Verdict(code, Severity.LOSSY, reason, hint, example, spoils or (EVERY,))


def refused(code: str, reason: str, example: AttributeValue, *spoils: Spoils, hint: str = _NONE) -> Verdict:
    """A verdict for values that make the engine refuse the change."""
    return Verdict(code, Severity.REFUSED, reason, hint, example, spoils or (EVERY,))


def too_long(characters: int, severity: Severity = Severity.REFUSED) -> Verdict:
    """The target takes fewer characters than texts may have."""
    spoils = (Spoils(Spoil.LONGER, limit=characters),)
    reason = f"a text of more than {characters} characters does not fit"
    return Verdict("TV8010", severity, reason, _SPLIT, "x" * (characters + 1), spoils)


def changes(rows: Mapping[AttributeType, tuple[Verdict, ...]]) -> Changes:
    """The table of an engine from its rows: a row for every old type, a place in it for every new one, in the order of
    AttributeType. Raises ValueError when a place is empty."""
    return {
        (before, after): verdict
        for before in AttributeType
        for after, verdict in zip(AttributeType, rows[before], strict=True)
    }


def breaking(verdict: Verdict, value: AttributeValue) -> Verdict:
    """The same verdict with another value that breaks."""
    return replace(verdict, example=value)


def shown(value: AttributeValue | None) -> object:
    """A value as JSON may hold it; long texts are cut, with their length told."""
    match value:
        case Moment(nanoseconds):
            return rfc3339(nanoseconds)
        case tuple(elements):
            return [shown(element) for element in elements]
        case str() if len(value) > 60:
            return f"{value[:20]}… ({len(value)} characters)"
        case _:
            return value
