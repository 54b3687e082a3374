"""List Filters on PostgreSQL: a Question as SQL with bound parameters, and rows as answers.

Pure; every identifier comes from the definition, every value from outside is a parameter.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, assert_never

from toolkit.engines.bound import BoundSql
from toolkit.engines.filtering import Explained, Kept, Question, Rows, Statement
from toolkit.engines.postgresql import rows
from toolkit.engines.postgresql.layout import column_name
from toolkit.engines.postgresql.render import identifier
from toolkit.engines.postgresql.typemap import profile
from toolkit.engines.sql_filters import (
    FALSE,
    Piece,
    after,
    combine,
    joined,
    missing_or,
    prefix_pattern,
    present,
    scalar,
)
from toolkit.query.evaluate import END_OF_TIME
from toolkit.query.page import Page
from toolkit.query.rules import Among, Begins, HasWord, Operand, Present, Test, Within, decide
from toolkit.query.semantics import MICROSECOND, Doubles, Semantics, Times, Words
from toolkit.query.tree import Column, Kind
from toolkit.records import Moment, Record, moment

# Fields are cut to microseconds when written, Datetime attributes are rounded to them by PostgreSQL itself.
SEMANTICS = Semantics(
    name="postgresql",
    open_is_last=True,
    words=Words.SPACES,
    fields=Times(stored=MICROSECOND, given=MICROSECOND),
    attributes=Times(stored=MICROSECOND, given=MICROSECOND, nearest=True),
    doubles=Doubles(scale=5),
)
_MARK = "%s"
# As in the indexes, letter by letter, or they are not used.
_CLOSE_OR_OPEN = "COALESCE(close_time, '9999-12-31 23:59:59')"
_ORDER = (_CLOSE_OR_OPEN, "start_time", "run_id")

# The columns of a version, and how rows of them are read.
_FORM = Kept(lambda definition: rows.Form.of(definition, profile()))


def listing(question: Question, page: Page) -> Statement:
    """See `Filters.listing`."""
    conditions = [_where(question)]
    if page.after:
        conditions.append(after(page.after, _ORDER, _MARK, _list_time))
    where = joined(conditions, "AND")
    form = _FORM.of(question.definition)
    text = f"{form.select} WHERE {where.text} ORDER BY {_ORDER[0]} DESC, {_ORDER[1]} DESC, {_ORDER[2]} LIMIT {_MARK}"
    return BoundSql(text, (*where.parameters, page.limit))


def counting(question: Question) -> Statement:
    """See `Filters.counting`."""
    where, table = _where(question), identifier(profile().table)
    if question.filter.group_by is None:
        return BoundSql(f"SELECT count(*) AS number FROM {table} WHERE {where.text}", where.parameters)
    column = _expression(question.filter.group_by)
    text = f"SELECT {column} AS value, count(*) AS number FROM {table} WHERE {where.text} GROUP BY {column}"
    return BoundSql(text, where.parameters)


def explaining(statement: Statement) -> Statement:
    """See `Filters.explaining`."""
    assert isinstance(statement, BoundSql)
    return BoundSql(f"EXPLAIN (FORMAT JSON) {statement.text}", statement.parameters)


def records(question: Question, rows_: Rows) -> list[Record]:
    """See `Filters.records`."""
    form = _FORM.of(question.definition)
    return [form.record(row) for row in rows_]


def counts(question: Question, rows_: Rows) -> dict[object, int]:
    """See `Filters.counts`."""
    return {row.get("value"): int(row["number"]) for row in rows_}


def explained(question: Question, rows_: Rows) -> Explained:
    """See `Filters.explained`. A column is served when a condition of an index scan names it."""
    plan = rows_[0]["QUERY PLAN"]
    conditions = " ".join(_conditions(plan[0]["Plan"]))
    columns = question.definition.fields + question.definition.attributes
    known = {
        c.name: _expression(Column(c.name, c.name, Kind.KEYWORD, c in question.definition.fields)) for c in columns
    }
    return Explained(plan, frozenset(name for name, column in known.items() if column.strip('"') in conditions))


def _conditions(node: dict[str, Any]) -> list[str]:
    found = [node["Index Cond"]] if "Index Cond" in node else []
    for child in node.get("Plans", ()):
        found += _conditions(child)
    return found


def _where(question: Question) -> Piece:
    namespace = Piece(f"namespace_id = {_MARK}", (question.namespace_id,))
    whole = question.filter.whole
    if whole is None:
        return namespace
    semantics = question.semantics
    return joined([namespace, combine(decide(whole, semantics), lambda test: _test(test, semantics))], "AND")


def _test(test: Test, semantics: Semantics) -> Piece:
    expression = _expression(test.column)
    match test:
        case Present():
            return present(expression, test)
        case Begins(prefix=prefix):
            pattern = Piece(f"{expression} LIKE {_MARK} ESCAPE '!'", (prefix_pattern(prefix),))
            return missing_or(expression, pattern, test)
        case HasWord(text=text):
            return missing_or(expression, Piece(f"{expression} @@ {_MARK}::tsquery", (_any_word(text),)), test)
        case Among(column=Column(kind=Kind.KEYWORD_LIST)):
            return missing_or(expression, _contains(expression, test.values), test)
        case Among():
            return scalar(_compared(test.column, semantics), test, _MARK, _bind)
        case Within(column=Column(kind=Kind.KEYWORD)) if semantics.name == "common":
            # The database's own collation decides otherwise.
            return scalar(f'{expression}::text COLLATE "C"', test, _MARK, _bind)
        case Within():
            return scalar(_compared(test.column, semantics), test, _MARK, _bind)
        case _:
            assert_never(test)


def _contains(expression: str, values: tuple[Operand, ...]) -> Piece:
    # One containment a value: only this form is served by a GIN index of jsonb_path_ops.
    parts = [Piece(f"{expression} @> {_MARK}::jsonb", (json.dumps([v], ensure_ascii=False),)) for v in values]
    return joined(parts, "OR") if parts else FALSE


def _any_word(text: str) -> str:
    """A tsquery of quoted words, so that nothing in them is an operator."""
    quoted = (word.replace("\\", "\\\\").replace("'", "''") for word in text.split())
    return " | ".join(f"'{word}'" for word in quoted)


def _expression(column: Column) -> str:
    return identifier(column_name(column.name, profile()) if column.is_field else column.name.lower())


def _compared(column: Column, semantics: Semantics) -> str:
    return _CLOSE_OR_OPEN if column.kind is Kind.CLOSE_TIME and semantics.open_is_last else _expression(column)


def _bind(value: Operand) -> object:
    return _time(value.nanoseconds) if isinstance(value, Moment) else value


def _list_time(nanoseconds: int | None) -> datetime:
    return _time(END_OF_TIME if nanoseconds is None else nanoseconds)


def _time(nanoseconds: int) -> datetime:
    return moment(nanoseconds).replace(tzinfo=None)
