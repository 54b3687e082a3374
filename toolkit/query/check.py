"""sqlglot tree → typed Filter: every name known, every operator fit for its column, every value of the right kind.

The rules are Temporal's (its unified query converter), held in the tables below; nothing here knows an engine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import NoReturn

from sqlglot import exp

from toolkit.errors import FilterError
from toolkit.query import dialect, values
from toolkit.query.quoting import shorten
from toolkit.query.scope import DIVISION, SCHEDULE_ID, SCHEDULE_PREFIX, Scope, groupable
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
from toolkit.records import Moment

Literal = str | int | float | bool

_OPERATORS: Mapping[type[exp.Expr], Operator] = {
    exp.EQ: Operator.EQ,
    exp.NEQ: Operator.NE,
    exp.GT: Operator.GT,
    exp.GTE: Operator.GE,
    exp.LT: Operator.LT,
    exp.LTE: Operator.LE,
}
_ORDERING = frozenset({">", ">=", "<", "<="})
_LISTS = frozenset({"=", "!=", "IN"})
_SCALAR = _LISTS | _ORDERING
# Which operators suit which kind. IS NULL suits all.
ALLOWED: Mapping[Kind, frozenset[str]] = {
    Kind.KEYWORD: _SCALAR | {"BETWEEN", "STARTS_WITH"},
    Kind.STATUS: _SCALAR | {"BETWEEN"},
    Kind.INT: _SCALAR | {"BETWEEN"},
    Kind.DOUBLE: _SCALAR | {"BETWEEN"},
    Kind.DURATION: _SCALAR | {"BETWEEN"},
    Kind.DATETIME: _SCALAR | {"BETWEEN"},
    Kind.CLOSE_TIME: _SCALAR | {"BETWEEN"},
    Kind.BOOL: _SCALAR,
    Kind.KEYWORD_LIST: _LISTS,
    Kind.TEXT: frozenset({"=", "!="}),
}
_WANTED: Mapping[Kind, str] = {
    Kind.KEYWORD: "a text in quotes",
    Kind.KEYWORD_LIST: "a text in quotes",
    Kind.TEXT: "a text in quotes",
    Kind.STATUS: "a status: its name in quotes, or its number",
    Kind.INT: "a number without quotes",
    Kind.DOUBLE: "a number without quotes",
    Kind.DURATION: "a duration: nanoseconds, or '1h30m', or '01:30:00'",
    Kind.DATETIME: "a time: '2026-01-31T12:00:00Z', or nanoseconds since 1970",
    Kind.CLOSE_TIME: "a time: '2026-01-31T12:00:00Z', or nanoseconds since 1970",
    Kind.BOOL: "TRUE or FALSE without quotes",
}


def parse(text: str, scope: Scope, grouping: bool = True) -> Filter:
    """The typed filter that `text` means in `scope`; without `grouping`, GROUP BY has no place in it.

    Raises FilterError with the place that is wrong.
    """
    return _Checker(text, scope, grouping).filter(dialect.parse(text))


class _Checker:
    """One filter being checked; holds what every rule needs to report a place."""

    def __init__(self, text: str, scope: Scope, grouping: bool) -> None:
        self._text = text
        self._scope = scope
        self._grouping = grouping
        self._mentioned: set[str] = set()

    def filter(self, tree: exp.Select) -> Filter:
        where, group = tree.args.get("where"), tree.args.get("group")
        condition = self._condition(where.this) if where else None
        group_by = self._group(group) if group else None
        return Filter(condition, group_by, self._division(), self._text)

    def _division(self) -> Condition | None:
        column = self._scope.columns.get(DIVISION)
        if column is None or DIVISION in self._mentioned:
            return None
        if self._scope.division is None:
            return IsNull(column)
        return Compare(column, Operator.EQ, self._scope.division)

    def _group(self, group: exp.Expr) -> Column:
        first, *rest = group.expressions
        if not self._grouping:
            self._fail(first, "TV7009", "GROUP BY is for counts", "Count instead of listing: --count.")
        if rest:
            self._fail(rest[0], "TV7009", "GROUP BY takes one field only")
        column = self._column(first)
        if not groupable(column):
            self._fail(first, "TV7009", f"{shorten(column.shown)} cannot be grouped by",
                       "Use ExecutionStatus, TemporalNamespaceDivision, TemporalLowCardinalityKeyword01.")  # fmt: skip
        return column

    def _condition(self, node: exp.Expr) -> Condition:
        match node:
            case exp.And():
                return And(tuple(self._condition(each) for each in _chain(node, exp.And)))
            case exp.Or():
                return Or(tuple(self._condition(each) for each in _chain(node, exp.Or)))
            case exp.Not(this=exp.In() | exp.Between() | exp.StartsWith() | exp.Is() as inner):
                return self._word(inner, negated=True)
            case exp.Not():
                return Not(self._condition(node.this))
            case exp.In() | exp.Between() | exp.StartsWith() | exp.Is():
                return self._word(node, negated=False)
            case _:
                operator = _OPERATORS[type(node)]
                column = self._allowed(node, operator.value)
                return Compare(column, operator, self._value(column, node.expression))

    def _word(self, node: exp.Expr, negated: bool) -> Condition:
        match node:
            case exp.In():
                column = self._allowed(node, "IN")
                return In(column, tuple(self._value(column, each) for each in node.expressions), negated)
            case exp.Between():
                column = self._allowed(node, "BETWEEN")
                low, high = (self._value(column, node.args[part]) for part in ("low", "high"))
                return Between(column, low, high, negated)
            case exp.StartsWith():
                column = self._allowed(node, "STARTS_WITH")
                prefix = self._value(column, node.expression)
                assert isinstance(prefix, str)
                return StartsWith(column, prefix, negated)
            case _:
                return IsNull(self._column(node.this), negated)

    def _allowed(self, node: exp.Expr, operator: str) -> Column:
        column = self._column(node.this)
        if operator not in ALLOWED[column.kind]:
            allowed = [
                o for o in (*(o.value for o in Operator), "IN", "BETWEEN", "STARTS_WITH") if o in ALLOWED[column.kind]
            ]
            message = f"{operator} does not suit {shorten(column.shown)}, which is {_article(column.kind)}"
            self._fail(node.this, "TV7006", message, f"It takes {', '.join(allowed)} and IS NULL.")
        return column

    def _column(self, node: exp.Expr) -> Column:
        name = node.name
        column = self._scope.resolve(name)
        if column is None:
            near = self._scope.nearest(name)
            hint = f"Did you mean {near}?" if near else "`schema show` lists the names; a namespace has its own beside."
            self._fail(node, "TV7004", f"there is no search attribute {shorten(name)}", hint)
        self._mentioned.add(column.name)
        return column

    def _value(self, column: Column, node: exp.Expr) -> Value:
        try:
            literal = _literal(node)
            found = _CONVERT[column.kind](literal)
        except ValueError as error:
            self._fail(node, "TV7007", str(error))
        if found is None:
            self._fail(node, "TV7008", f"{shorten(column.shown)} is {_article(column.kind)}, which this value is not",
                       f"Give {_WANTED[column.kind]}.")  # fmt: skip
        if column.shown == SCHEDULE_ID and column.name == "WorkflowId":
            return f"{SCHEDULE_PREFIX}{found}"
        return found

    def _fail(self, node: exp.Expr, code: str, message: str, hint: str = "") -> NoReturn:
        place = node.meta
        raise FilterError(code, message, hint, self._text, place.get("start", 0), place.get("end", -1) + 1)


def _article(kind: Kind) -> str:
    match kind:
        case Kind.STATUS:
            return "a status"
        case Kind.DURATION:
            return "a duration"
        case Kind.CLOSE_TIME:
            return "a Datetime"
        case Kind.INT:
            return "an Int"
        case _:
            return f"a {kind.value}"


def _chain(node: exp.Expr, kind: type[exp.Expr]) -> Iterator[exp.Expr]:
    """The terms of `a AND b AND (c AND d)`, in order, without recursion along the chain."""
    pending = [node]
    while pending:
        each = pending.pop()
        if isinstance(each, kind):
            pending += [each.expression, each.this]
        else:
            yield each


def _literal(node: exp.Expr) -> Literal:
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    assert isinstance(node, exp.Literal)
    text = node.this
    if node.is_string:
        if "\0" in text or any(0xD800 <= ord(c) < 0xE000 for c in text):
            raise ValueError("the text holds a character that no store keeps")
        return str(text)
    if text.lstrip("-").isdigit():
        return values.in_range(int(text)) if len(text) <= 20 else values.in_range(values.MAX_INT + 1)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("the number is too large")
    return number


def _text(value: Literal) -> str | None:
    return value if isinstance(value, str) else None


def _words(value: Literal) -> str | None:
    if not isinstance(value, str):
        return None
    if not value.strip():
        raise ValueError("a Text is compared with at least one word")
    return value


def _number(value: Literal) -> int | float | None:
    return None if isinstance(value, str | bool) else value


def _bool(value: Literal) -> bool | None:
    return value if isinstance(value, bool) else None


def _spelled(convert: Callable[[str | int], int]) -> Callable[[Literal], int | None]:
    return lambda value: None if isinstance(value, bool | float) else convert(value)


def _moment(value: Literal) -> Moment | None:
    return None if isinstance(value, bool | float) else Moment(values.moment(value))


_CONVERT: Mapping[Kind, Callable[[Literal], Value | None]] = {
    Kind.KEYWORD: _text,
    Kind.KEYWORD_LIST: _text,
    Kind.TEXT: _words,
    Kind.INT: _number,
    Kind.DOUBLE: _number,
    Kind.BOOL: _bool,
    Kind.STATUS: _spelled(values.status),
    Kind.DURATION: _spelled(values.duration),
    Kind.DATETIME: _moment,
    Kind.CLOSE_TIME: _moment,
}
