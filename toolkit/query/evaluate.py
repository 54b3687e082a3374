"""Does a record satisfy a filter? The rules of the language in plain Python, to check what stores answer.

It works on the typed filter itself, not on what engines are given, so that an error there cannot hide here.
"""

from __future__ import annotations

import operator
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from toolkit.attributes import STATUS_NAMES
from toolkit.query.semantics import Semantics, Times
from toolkit.query.tree import (
    And,
    Between,
    Column,
    Compare,
    Condition,
    Filter,
    In,
    IsNull,
    Kind,
    Not,
    Operator,
    Or,
    StartsWith,
    Value,
)
from toolkit.query.words import ascii_lower, has_word
from toolkit.records import MEMBERS, Moment, Record

# 9999-12-31T23:59:59Z: what an open execution's close time counts as, where it counts as anything.
END_OF_TIME = 253_402_300_799_000_000_000

_COMPARE: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
}


def judge(found: Filter, semantics: Semantics) -> Callable[[Record], bool]:
    """A function that tells whether a record is among what `found` asks for."""
    whole = found.whole
    if whole is None:
        return lambda _: True
    holds = truth(whole, semantics)
    return lambda record: holds(record) is True


def listing(found: Filter, records: Iterable[Record], semantics: Semantics) -> list[Record]:
    """The records that `found` asks for, in the order stores list them."""
    return sorted(filter(judge(found, semantics), records), key=list_order)


def count(found: Filter, records: Iterable[Record], semantics: Semantics) -> dict[object, int]:
    """The number of records for each value of GROUP BY; without it, under None."""
    value = reader(found.group_by) if found.group_by else lambda _: None
    return dict(Counter(value(record) for record in filter(judge(found, semantics), records)))


def list_order(record: Record) -> tuple[int, int, str]:
    """Open executions first, then by close time, start time (newest first) and run id."""
    return (-(END_OF_TIME if record.close_time is None else record.close_time), -record.start_time, record.run_id)


# True, False, or None when a missing value leaves it open.
Truth: TypeAlias = "Callable[[Record], bool | None]"


def truth(node: Condition, semantics: Semantics) -> Truth:
    """A function that tells whether a condition holds for a record: True, False, or None where SQL says UNKNOWN."""
    match node:
        case Not(term):
            inner = truth(term, semantics)
            return lambda record: _opposite(inner(record))
        case And(terms):
            return _joined([truth(term, semantics) for term in terms], decisive=False)
        case Or(terms):
            return _joined([truth(term, semantics) for term in terms], decisive=True)
        case IsNull(column, negated):
            value = reader(column)
            return lambda record: (value(record) is None) != negated
        case _:
            return _comparison(node, semantics)


def _joined(terms: list[Truth], decisive: bool) -> Truth:
    """AND (decided by one False) or OR (decided by one True); what is open stays open unless decided."""

    def joined(record: Record) -> bool | None:
        answer: bool | None = not decisive
        for term in terms:
            found = term(record)
            if found is decisive:
                return decisive
            answer = None if found is None else answer
        return answer

    return joined


def _comparison(node: Compare | In | Between | StartsWith, semantics: Semantics) -> Truth:
    column, value = node.column, reader(node.column)
    negated = node.operator is Operator.NE if isinstance(node, Compare) else node.negated
    judged = _Judge(column, semantics)
    missing = False if column.kind in semantics.missing_matches else None
    if column.kind is Kind.CLOSE_TIME and semantics.open_is_last:
        missing = judged.holds(node, END_OF_TIME)
    # Columns repeat their values; each is judged once.
    known: dict[object, bool | None] = {None: _opposite(missing) if negated else missing}

    def compared(record: Record) -> bool | None:
        actual = value(record)
        if actual not in known:
            known[actual] = judged.holds(node, actual) != negated
        return known[actual]

    return compared


def _opposite(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def reader(column: Column) -> Callable[[Record], Any]:
    """A function that gives a record's value in `column`; None: it has none."""
    if column.is_field:
        return operator.attrgetter(MEMBERS[column.name])

    def read(record: Record) -> Any:
        value = record.attributes.get(column.name)
        return value.nanoseconds if isinstance(value, Moment) else value

    return read


class _Judge:
    """One column's way of comparing; NOT and missing values are dealt with before."""

    def __init__(self, column: Column, semantics: Semantics) -> None:
        self._column = column
        self._semantics = semantics

    def holds(self, node: Compare | In | Between | StartsWith, actual: Any) -> bool:
        match node:
            case Compare(_, Operator.EQ | Operator.NE, value):
                return self._equal(actual, value)
            case Compare(_, compared, value):
                return _COMPARE[compared](self._beside(actual, value), self._order(value, False))
            case In(_, values, _):
                return any(self._equal(actual, value) for value in values)
            case Between(_, low, high, _):
                above = self._order(low, False) <= self._beside(actual, low)
                return bool(above and self._beside(actual, high) <= self._order(high, False))
            case StartsWith(_, prefix, _):
                if self._semantics.folded_prefix:
                    return ascii_lower(actual).startswith(ascii_lower(prefix))
                return self._text(actual).startswith(self._text(prefix))

    def _equal(self, actual: Any, value: Value) -> bool:
        match self._column.kind:
            case Kind.TEXT:
                how = self._semantics.words
                assert how is not None
                return has_word(actual, str(value), how)
            case Kind.KEYWORD_LIST:
                return any(self._text(element) == self._text(str(value)) for element in actual)
            case Kind.KEYWORD:
                return self._text(actual) == self._text(str(value))
            case Kind.DOUBLE:
                assert isinstance(value, int | float)
                return self._semantics.doubles.keep(actual) == self._semantics.doubles.match(value)
            case _:
                return bool(self._beside(actual, value) == self._order(value, False))

    def _text(self, text: str) -> str:
        return fold(text) if self._column.kind in self._semantics.folded else text

    def _beside(self, actual: Any, value: Value) -> Any:
        """What the record's value is compared as with the filter's."""
        if isinstance(value, Moment):
            nanoseconds = actual.nanoseconds if isinstance(actual, Moment) else actual
            return self._times().beside(nanoseconds, value.nanoseconds)
        return self._order(actual, True)

    def _order(self, value: Any, stored: bool) -> Any:
        """What `value` is compared as; `stored`: it comes from the record, not from the filter."""
        match self._column.kind:
            case Kind.DATETIME | Kind.CLOSE_TIME:
                nanoseconds = value.nanoseconds if isinstance(value, Moment) else value
                times = self._times()
                return times.keep(nanoseconds) if stored else times.take(nanoseconds)
            case Kind.DOUBLE:
                doubles = self._semantics.doubles
                return doubles.keep(value) if stored else doubles.take(value)
            case Kind.STATUS:
                return STATUS_NAMES[value] if self._semantics.status_by_name else value
            case Kind.KEYWORD if self._semantics.folded_order:
                return collation_key(value)
            case _:
                return value

    def _times(self) -> Times:
        return self._semantics.fields if self._column.is_field else self._semantics.attributes


def fold(text: str) -> str:
    """`text` without case and accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text).casefold() if not unicodedata.combining(c))


# The order of ASCII under the Unicode collation: blanks, marks, digits, letters.
_MARKS = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"


def collation_key(text: str) -> list[int]:
    """A sort key as the Unicode collation gives it, without case and accents; exact for ASCII."""
    return [_MARKS.index(c) if c in _MARKS else 1000 + ord(c) for c in fold(text)]
