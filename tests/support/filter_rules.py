"""One test of a rule, judged on a record: what an engine is asked, answered in Python."""

from __future__ import annotations

from typing import Any

from toolkit.query.evaluate import END_OF_TIME
from toolkit.query.rules import Among, Begins, HasWord, Present, Test, Within
from toolkit.query.semantics import Semantics
from toolkit.query.tree import Kind
from toolkit.records import MEMBERS, Moment, Record


def holds(test: Test, record: Any, semantics: Semantics) -> bool:
    """Whether `record`, as a store of these semantics keeps it, passes `test`."""
    assert isinstance(record, Record)
    value = _stored(test, record, semantics)
    if isinstance(test, Present):
        return (_stored(test, record, Semantics("plain")) is not None) != test.negated
    if value is None:
        return test.missing
    return _positive(test, value) != test.negated


def _positive(test: Among | Within | Begins | HasWord, value: Any) -> bool:
    match test:
        case Among(values=values) if isinstance(value, tuple):
            return any(element in values for element in value)
        case Among(values=values):
            return any(_plain(each) == value and isinstance(each, bool) == isinstance(value, bool) for each in values)
        case Within(low=low, high=high):
            after = low is None or value > _plain(low) or (value == _plain(low) and not test.above)
            before = high is None or value < _plain(high) or (value == _plain(high) and not test.below)
            return after and before
        case Begins(prefix=prefix):
            return str(value).startswith(prefix)
        case HasWord():
            raise AssertionError("words are cut by stores")


def _plain(value: Any) -> Any:
    return value.nanoseconds if isinstance(value, Moment) else value


def _stored(test: Test, record: Record, semantics: Semantics) -> Any:
    column = test.column
    value = getattr(record, MEMBERS[column.name]) if column.is_field else record.attributes.get(column.name)
    value = _plain(value)
    if column.kind is Kind.CLOSE_TIME and value is None and semantics.open_is_last:
        return END_OF_TIME
    if value is None:
        return None
    if column.kind is Kind.DOUBLE:
        return semantics.doubles.keep(value)
    if column.kind in (Kind.DATETIME, Kind.CLOSE_TIME):
        times = semantics.fields if column.is_field else semantics.attributes
        return times.keep(value)
    return value
