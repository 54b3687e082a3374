"""Typed filter + semantics → rules: what an engine has to test, with NOT gone, and every difference already decided.

A rule is All or AnyOf of tests; a test is on one column, may be negated, and says whether a record without the value
passes. Engines translate tests one by one and never think about meaning.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from toolkit.attributes import STATUS_NAMES
from toolkit.errors import FilterError
from toolkit.query.semantics import Semantics, Times
from toolkit.query.tree import (
    And,
    Between,
    Column,
    Compare,
    Condition,
    In,
    IsNull,
    Kind,
    Not,
    Operator,
    Or,
    StartsWith,
    Value,
)
from toolkit.query.values import FIRST_MOMENT, LAST_MOMENT, MAX_INT, MIN_INT
from toolkit.records import Moment

# By kind: texts str; numbers and statuses int; Double Decimal; Bool bool; times Moment.
Operand: TypeAlias = str | int | bool | Decimal | Moment


@dataclass(frozen=True, slots=True)
class Among:
    """The value is one of `values`; a list has at least one of them."""

    column: Column
    values: tuple[Operand, ...]
    negated: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Within:
    """The value lies between `low` and `high`; None is no bound; `above`, `below`: the bound itself is outside."""

    column: Column
    low: Operand | None
    high: Operand | None
    above: bool = False
    below: bool = False
    negated: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Begins:
    """The value begins with `prefix`."""

    column: Column
    prefix: str
    negated: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class HasWord:
    """The Text has at least one of the words in `text`."""

    column: Column
    text: str
    negated: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """The record has a value; negated: it has none."""

    column: Column
    negated: bool = False


@dataclass(frozen=True, slots=True)
class All:
    """Every term; none at all is true."""

    terms: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one term; none at all is false."""

    terms: tuple[Rule, ...]


Test: TypeAlias = Among | Within | Begins | HasWord | Present
Rule: TypeAlias = Test | All | AnyOf


def decide(condition: Condition, semantics: Semantics) -> Rule:
    """The rule for `condition`. Raises FilterError when a part of it has no meaning under `semantics`."""
    return _Decision(semantics).rule(condition, False)


@dataclass(frozen=True, slots=True)
class _Decision:
    semantics: Semantics

    def rule(self, node: Condition, negated: bool) -> Rule:
        match node:
            case Not(term):
                return self.rule(term, not negated)
            case And(terms) | Or(terms):
                kind = AnyOf if isinstance(node, And) == negated else All
                return kind(tuple(self.rule(term, negated) for term in terms))
            case IsNull(column, opposite):
                return Present(column, negated == opposite)
            case StartsWith(column, prefix, opposite):
                return Begins(column, prefix, negated != opposite, self.missing(column, negated != opposite))
            case Between(column, low, high, opposite):
                return self.within(column, self.low(column, low), self.high(column, high), negated != opposite)
            case In(column, values, opposite):
                return self.among(column, values, negated != opposite)
            case Compare(column, operator, value):
                return self.compare(column, operator, value, negated)

    def missing(self, column: Column, negated: bool) -> bool:
        return negated and column.kind in self.semantics.missing_matches

    def compare(self, column: Column, operator: Operator, value: Value, negated: bool) -> Rule:
        match operator:
            case Operator.EQ:
                return self.among(column, (value,), negated)
            case Operator.NE:
                return self.among(column, (value,), not negated)
            case Operator.GT:
                return self.within(column, self.low(column, value, True), None, negated)
            case Operator.GE:
                return self.within(column, self.low(column, value), None, negated)
            case Operator.LT:
                return self.within(column, None, self.high(column, value, True), negated)
            case Operator.LE:
                return self.within(column, None, self.high(column, value), negated)

    def among(self, column: Column, values: tuple[Value, ...], negated: bool) -> Rule:
        missing = self.missing(column, negated)
        if column.kind is Kind.TEXT:
            if self.semantics.words is None:
                raise FilterError("TV7011", f"comparing the Text {column.shown!r} has no meaning common to all stores",
                                  "Words are cut when a Text is stored, by each store in its own way. "
                                  "Ask for --semantics engine, or use a Keyword.")  # fmt: skip
            return HasWord(column, str(values[0]), negated, missing)
        if self._blurred(column):
            parts = tuple(
                self.within(column, self.low(column, value), self.high(column, value), negated) for value in values
            )
            return parts[0] if len(parts) == 1 else All(parts) if negated else AnyOf(parts)
        return Among(column, tuple(dict.fromkeys(self._plain(column, values))), negated, missing)

    def _plain(self, column: Column, values: tuple[Value, ...]) -> Iterator[Operand]:
        for value in values:
            match value:
                case Moment(when):
                    yield Moment(self._times(column).take(when))
                case int() | float() if column.kind is Kind.DOUBLE:
                    yield self.semantics.doubles.match(value)
                case float():
                    # A whole number of 64 bits never equals a broken or a larger one.
                    if value.is_integer() and MIN_INT <= value <= MAX_INT:
                        yield int(value)
                case _:
                    yield value

    def within(self, column: Column, low: _Bound | None, high: _Bound | None, negated: bool) -> Rule:
        missing = self.missing(column, negated)
        if column.kind in (Kind.STATUS, Kind.BOOL):
            return Among(column, self._listed(column, low, high), negated, missing)
        if negated and not missing and low and not high:
            # Without records that lack the value, the opposite of a half-open range is the other half.
            return Within(column, None, low.value, below=not low.open)
        if negated and not missing and high and not low:
            return Within(column, high.value, None, above=not high.open)
        above, below = bool(low and low.open), bool(high and high.open)
        return Within(column, low.value if low else None, high.value if high else None, above, below, negated, missing)

    def _listed(self, column: Column, low: _Bound | None, high: _Bound | None) -> tuple[Operand, ...]:
        """Statuses and truth values are few: a range of them is a list."""

        def inside(value: Operand) -> bool:
            place = self._rank(column, value)
            if low and (place < self._rank(column, low.value) or (low.open and value == low.value)):
                return False
            return not (high and (place > self._rank(column, high.value) or (high.open and value == high.value)))

        known: tuple[Operand, ...] = (False, True) if column.kind is Kind.BOOL else tuple(STATUS_NAMES)
        return tuple(value for value in known if inside(value))

    def _rank(self, column: Column, value: Operand) -> Any:
        by_name = column.kind is Kind.STATUS and self.semantics.status_by_name
        return STATUS_NAMES[int(str(value))] if by_name else value

    def low(self, column: Column, value: Value, strict: bool = False) -> _Bound:
        """The lower bound for >= or, when strict, >."""
        return self._bound(column, value, True, strict)

    def high(self, column: Column, value: Value, strict: bool = False) -> _Bound:
        """The upper bound for <= or, when strict, <."""
        return self._bound(column, value, False, strict)

    def _bound(self, column: Column, value: Value, low: bool, strict: bool) -> _Bound:
        # Blurred values stand for an interval: > begins at its end, < ends at its beginning.
        blurred, upper = self._blurred(column), low == strict
        is_open = not low if blurred else strict
        match value:
            case Moment(when):
                times = self._times(column)
                edge = _edge(times, times.take(when), upper) if blurred else times.take(when)
                return _Bound(Moment(min(max(edge, FIRST_MOMENT), LAST_MOMENT)), is_open)
            case int() | float() if column.kind is Kind.DOUBLE:
                doubles = self.semantics.doubles
                taken = doubles.take(value)
                half = Decimal(5).scaleb(-doubles.scale - 1) if blurred and doubles.scale is not None else Decimal(0)
                return _Bound(taken + half if upper else taken - half, is_open)
            case float():
                return _whole(value, low, strict)
            case _:
                return _Bound(value, is_open)

    def _blurred(self, column: Column) -> bool:
        if column.kind is Kind.DOUBLE:
            return self.semantics.doubles.blur
        return column.kind in (Kind.DATETIME, Kind.CLOSE_TIME) and self._times(column).blur

    def _times(self, column: Column) -> Times:
        return self.semantics.fields if column.is_field else self.semantics.attributes


@dataclass(frozen=True, slots=True)
class _Bound:
    value: Operand
    open: bool


def _edge(times: Times, taken: int, upper: bool) -> int:
    low = taken - (times.stored // 2 if times.nearest else 0)
    return low + times.stored if upper else low


def _whole(value: float, low: bool, strict: bool) -> _Bound:
    """A broken number as a bound of whole numbers of 64 bits."""
    nearest = math.ceil(value) if low else math.floor(value)
    if nearest > MAX_INT:
        return _Bound(MAX_INT, low)
    if nearest < MIN_INT:
        return _Bound(MIN_INT, not low)
    return _Bound(nearest, strict and value.is_integer())
