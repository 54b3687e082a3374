"""Does a filter mean the same under two semantics? Each way in which it does not, by its code.

Pure. It looks at every comparison of the filter; a switch that no comparison depends on makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import assert_never

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
from toolkit.query.words import words
from toolkit.records import Moment

REASONS: Mapping[str, str] = {
    "TV8014": "Doubles keep another number of decimals",
    "TV8015": "times keep other fractions of a second",
    "TV8030": "texts compare with regard to case in one, without in the other",
    "TV8031": "a Text is cut into other words",
    "TV8032": "records without a value are found in one, and not in the other",
    "TV8035": "open executions count as closed last in one, and have no close time in the other",
    "TV8036": "statuses are ordered by name in one, by number in the other",
    "TV8037": "texts are ordered otherwise",
}
_EQUAL = frozenset({Operator.EQ, Operator.NE})


def differences(found: Filter, before: Semantics, after: Semantics) -> tuple[str, ...]:
    """The codes of what a filter means otherwise; () when it means the same."""
    whole = found.whole
    return tuple(dict.fromkeys(_walk(whole, before, after, False))) if whole is not None else ()


def _walk(node: Condition, before: Semantics, after: Semantics, negated: bool) -> Iterator[str]:
    match node:
        case Not(term):
            yield from _walk(term, before, after, not negated)
        case And(terms) | Or(terms):
            for term in terms:
                yield from _walk(term, before, after, negated)
        case IsNull():
            return
        case _:
            yield from _comparison(node, before, after, negated)


def _comparison(
    node: Compare | In | Between | StartsWith, before: Semantics, after: Semantics, negated: bool
) -> Iterator[str]:
    kind = node.column.kind
    opposite = node.operator is Operator.NE if isinstance(node, Compare) else node.negated
    if kind is Kind.CLOSE_TIME:
        if _finds_open(node, opposite != negated, before) != _finds_open(node, opposite != negated, after):
            yield "TV8035"
    elif opposite != negated and (kind in before.missing_matches) != (kind in after.missing_matches):
        yield "TV8032"
    match kind:
        case Kind.CLOSE_TIME | Kind.DATETIME:
            if not _whole(node, _times(node.column, before), _times(node.column, after)):
                yield "TV8015"
        case Kind.DOUBLE:
            if before.doubles != after.doubles and not all(_is_whole(v) for v in _values(node)):
                yield "TV8014"
        case Kind.STATUS:
            if _orders(node) and before.status_by_name != after.status_by_name:
                yield "TV8036"
        case Kind.TEXT:
            if any(_cut(v, before) != _cut(v, after) or before.words is not after.words for v in _values(node)):
                yield "TV8031"
        case Kind.KEYWORD | Kind.KEYWORD_LIST:
            yield from _texts(node, before, after)
        case Kind.INT | Kind.DURATION | Kind.BOOL:
            return
        case _:
            assert_never(kind)


def _texts(node: Compare | In | Between | StartsWith, before: Semantics, after: Semantics) -> Iterator[str]:
    """Case matters to texts that have letters; order to all."""
    kind = node.column.kind
    # Accents fold with case where a collation does it, and not where only ASCII letters are compared without case.
    folds = [kind in s.folded for s in (before, after)]
    prefixes = ["all" if kind in s.folded else "ascii" if s.folded_prefix else "none" for s in (before, after)]
    lettered = any(str(v).lower() != str(v).upper() for v in _values(node))
    if _orders(node):
        if before.folded_order != after.folded_order:
            yield "TV8037"
    elif lettered and len(set(prefixes if isinstance(node, StartsWith) else folds)) > 1:
        yield "TV8030"


def _orders(node: Compare | In | Between | StartsWith) -> bool:
    return isinstance(node, Between) or (isinstance(node, Compare) and node.operator not in _EQUAL)


def _values(node: Compare | In | Between | StartsWith) -> tuple[Value, ...]:
    match node:
        case Compare(_, _, value):
            return (value,)
        case In(_, values, _):
            return values
        case Between(_, low, high, _):
            return (low, high)
        case StartsWith(_, prefix, _):
            return (prefix,)


def _times(column: Column, semantics: Semantics) -> Times:
    return semantics.fields if column.is_field else semantics.attributes


def _whole(node: Compare | In | Between | StartsWith, before: Times, after: Times) -> bool:
    """Whether what is asked depends on no fraction: < and >= at a moment that both stores can hold. There a time that
    is cut stays on its side; one that is rounded may not."""
    if before == after:
        return True
    if not isinstance(node, Compare) or node.operator not in (Operator.LT, Operator.GE):
        return False
    step = max(before.stored, after.stored, before.given, after.given)
    exact = all(isinstance(v, Moment) and v.nanoseconds % step == 0 for v in _values(node))
    return exact and not (before.nearest or after.nearest)


def _finds_open(node: Compare | In | Between | StartsWith, negated: bool, semantics: Semantics) -> bool:
    """Whether a comparison of the close time finds open executions; moments near year 9999 aside."""
    if not semantics.open_is_last:
        return negated and Kind.CLOSE_TIME in semantics.missing_matches
    late = isinstance(node, Compare) and node.operator in (Operator.GT, Operator.GE)
    return late != negated


def _is_whole(value: Value) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and Decimal(repr(value)) % 1 == 0)


def _cut(value: Value, semantics: Semantics) -> frozenset[str] | None:
    return None if semantics.words is None else frozenset(words(str(value), semantics.words))
