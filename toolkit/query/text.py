"""Typed filter → text in one normal form, which parses to the same filter again.

Pure. Words are upper case, texts stand in single quotes, statuses have their names, times are RFC 3339 in UTC.
"""

from __future__ import annotations

import re

from toolkit.attributes import STATUS_NAMES
from toolkit.query.dialect import REFUSED
from toolkit.query.scope import SCHEDULE_ID, SCHEDULE_PREFIX
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
    Or,
    StartsWith,
    Value,
)
from toolkit.records import Moment, rfc3339

_ESCAPED = str.maketrans({
    "\\": "\\\\", "'": "''", "\b": "\\b", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1a": "\\Z"
})  # fmt: skip
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = REFUSED.keys() | {
    "AND", "OR", "NOT", "IN", "IS", "BETWEEN", "NULL", "TRUE", "FALSE", "STARTS_WITH", "GROUP", "ORDER", "BY"
}  # fmt: skip


def write(found: Filter) -> str:
    """The filter as text, without the implicit condition."""
    parts = [] if found.condition is None else [_condition(found.condition)]
    if found.group_by is not None:
        parts.append(f"GROUP BY {_name(found.group_by)}")
    return " ".join(parts)


def _condition(node: Condition) -> str:
    match node:
        case Compare(column, operator, value):
            return f"{_name(column)} {operator.value} {_value(column, value)}"
        case In(column, values, negated):
            listed = ", ".join(_value(column, each) for each in values)
            return f"{_name(column)}{_not(negated)} IN ({listed})"
        case Between(column, low, high, negated):
            return f"{_name(column)}{_not(negated)} BETWEEN {_value(column, low)} AND {_value(column, high)}"
        case StartsWith(column, prefix, negated):
            return f"{_name(column)}{_not(negated)} STARTS_WITH {_value(column, prefix)}"
        case IsNull(column, negated):
            return f"{_name(column)} IS{_not(negated)} NULL"
        case Not(term):
            return f"NOT ({_condition(term)})"
        case And(terms):
            return " AND ".join(f"({_condition(t)})" if isinstance(t, Or) else _condition(t) for t in terms)
        case Or(terms):
            return " OR ".join(f"({_condition(t)})" if isinstance(t, And) else _condition(t) for t in terms)


def _not(negated: bool) -> str:
    return " NOT" if negated else ""


def _name(column: Column) -> str:
    shown = column.shown
    if _PLAIN.fullmatch(shown) and shown.upper() not in _WORDS:
        return shown
    return "`" + shown.replace("`", "``") + "`"


def _value(column: Column, value: Value) -> str:
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case Moment(when):
            # Years stand with four digits, which strftime does not promise below 1000.
            return _quoted(rfc3339(when).rjust(20, "0"))
        case int() if column.kind is Kind.STATUS:
            return _quoted(STATUS_NAMES[value])
        case int() | float():
            return repr(value)
        case str():
            given = value.removeprefix(SCHEDULE_PREFIX) if column.shown == SCHEDULE_ID else value
            return _quoted(given)


def _quoted(text: str) -> str:
    return "'" + text.translate(_ESCAPED) + "'"
