"""List Filters on ClickHouse: a Question as SQL with the server's own parameters, and rows as answers.

Pure. FINAL makes one row of each run's versions; no Temporal server reads this store, so its meaning is our choice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, assert_never

from toolkit.engines.bound import BoundSql
from toolkit.engines.clickhouse import rows
from toolkit.engines.clickhouse.layout import attribute_column, column_name
from toolkit.engines.clickhouse.render import identifier
from toolkit.engines.clickhouse.typemap import profile
from toolkit.engines.filtering import Explained, Kept, Question, Rows, Statement
from toolkit.engines.sql_filters import FALSE, TRUE, Piece, combine, joined, missing_or
from toolkit.query.page import Page, Place
from toolkit.query.rules import Among, Begins, HasWord, Operand, Present, Test, Within, decide
from toolkit.query.semantics import MICROSECOND, Semantics, Times, Words
from toolkit.query.tree import Column, Kind
from toolkit.query.words import words
from toolkit.records import Moment, Record

# As PostgreSQL has it where nothing speaks against it: null is unknown, open is last, texts compare exactly.
SEMANTICS = Semantics(
    name="clickhouse",
    open_is_last=True,
    words=Words.TOKENS,
    fields=Times(stored=MICROSECOND, given=MICROSECOND),
    attributes=Times(stored=MICROSECOND, given=MICROSECOND),
)
_TYPES = {Kind.STATUS: "Int8", Kind.BOOL: "Bool", Kind.INT: "Int64", Kind.DURATION: "Int64", Kind.DOUBLE: "Float64"}
# The first and the last but one microsecond of DateTime64(6); the last one stands for "open".
_FIRST_TICK, _OPEN_TICK = -2_208_988_800_000_000, 10_413_791_999_999_999
_OPEN = f"ifNull(close_time, fromUnixTimestamp64Micro({_OPEN_TICK}, 'UTC'))"
_TIME = "fromUnixTimestamp64Micro({?:Int64}, 'UTC')"
_UNNUMBERED = re.compile(r"\{\?:")
_KEY = "namespace_id, start_time, run_id"
# Close time first, and no time at all before every time: open ones come first.
_ORDER = "ORDER BY close_time DESC NULLS FIRST, start_time DESC, run_id"

# The columns of a version, and how rows of them are read.
_FORM = Kept(lambda definition: rows.Form.of(definition, profile()))


def listing(question: Question, page: Page) -> Statement:
    """See `Filters.listing`."""
    conditions = [_where(question)]
    if page.after:
        conditions.append(_after(page.after))
    where = joined(conditions, "AND")
    form = _FORM.of(question.definition)
    # Only the keys are searched and sorted; whole rows are read for one page of them.
    keys = ", ".join(identifier(key) for key in profile().order_by)
    table = identifier(profile().table)
    found = f"SELECT {keys} FROM {table} FINAL WHERE {where.text} {_ORDER} LIMIT {{?:UInt32}}"
    # On a cluster no shard may ask all the others on its own (Code 288); elsewhere the word means nothing.
    text = f"{form.select} WHERE ({keys}) GLOBAL IN ({found}) {_ORDER}"
    return numbered(text, (*where.parameters, page.limit))


def counting(question: Question) -> Statement:
    """See `Filters.counting`."""
    where, table = _where(question), f"{identifier(profile().table)} FINAL"
    if question.filter.group_by is None:
        return numbered(f"SELECT count() AS number FROM {table} WHERE {where.text}", where.parameters)
    column = _expression(question.filter.group_by)
    text = (
        f"SELECT {column} AS {rows.GROUPED}, count() AS number FROM {table} WHERE {where.text} GROUP BY {rows.GROUPED}"
    )
    return numbered(text, where.parameters)


def explaining(statement: Statement) -> Statement:
    """See `Filters.explaining`."""
    assert isinstance(statement, BoundSql)
    return BoundSql(f"EXPLAIN indexes = 1 {statement.text}", statement.parameters)


def records(question: Question, rows_: Rows) -> list[Record]:
    """See `Filters.records`."""
    form = _FORM.of(question.definition)
    return [form.record(tuple(row.values())) for row in rows_]


def counts(question: Question, rows_: Rows) -> dict[object, int]:
    """See `Filters.counts`."""
    return {_grouped(row.get(rows.GROUPED)): int(row["number"]) for row in rows_}


def _grouped(value: object) -> object:
    """A text that is no UTF-8 is seen as what it is, such as caf\\xe9."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def explained(question: Question, rows_: Rows) -> Explained:
    """See `Filters.explained`. A column is served when its skip index, or the primary key, is used."""
    lines = [str(value) for row in rows_ for value in row.values()]
    used = {line.split(":", 1)[1].strip() for line in lines if line.strip().startswith("Name:")}
    keys = {line.strip() for line in lines}
    found = {f.name for f in question.definition.fields if f.index in used}
    found |= {a.name for a in question.definition.attributes if a.index in used}
    found |= {f.name for f in question.definition.fields if column_name(f.name, profile()) in keys}
    found |= {own.column for own in profile().own_indexes if own.name in used}
    return Explained(list(lines), frozenset(found))


def numbered(text: str, parameters: Sequence[Any]) -> BoundSql:
    """The statement with a name for each of its parameters."""
    first, *rest = _UNNUMBERED.split(text)
    assert len(rest) == len(parameters)
    numbered = "".join(f"{{p{number}:{part}" for number, part in enumerate(rest))
    return BoundSql(first + numbered, {f"p{number}": value for number, value in enumerate(parameters)})


def _where(question: Question) -> Piece:
    namespace = Piece("namespace_id = {?:String}", (question.namespace_id,))
    whole = question.filter.whole
    if whole is None:
        return namespace
    semantics = question.semantics
    return joined([namespace, combine(decide(whole, semantics), lambda test: _test(test, semantics))], "AND")


def _test(test: Test, semantics: Semantics) -> Piece:
    expression = _expression(test.column)
    match test:
        case Present(column=Column(kind=Kind.KEYWORD_LIST), negated=negated):
            return Piece(f"{'empty' if negated else 'notEmpty'}({expression})")
        case Present(negated=negated):
            return Piece(f"{expression} IS {'' if negated else 'NOT '}NULL")
        case Begins(prefix=prefix):
            return missing_or(expression, Piece(f"startsWith({expression}, {{?:String}})", (prefix,)), test)
        case HasWord(text=text):
            return _has_word(expression, text, test)
        case Among(column=Column(kind=Kind.KEYWORD_LIST), values=values):
            return _holds(expression, values, test)
        case Among() | Within():
            is_close = test.column.kind is Kind.CLOSE_TIME and semantics.open_is_last
            return _compared(_OPEN if is_close else expression, test)
        case _:
            assert_never(test)


def _compared(expression: str, test: Among | Within) -> Piece:
    mark, values = _mark(test.column.kind), {}
    match test:
        case Among(values=()):
            if test.negated:
                return TRUE if test.missing else Piece(f"{expression} IS NOT NULL")
            return FALSE
        case Among(values=(value,)):
            return missing_or(expression, Piece(f"{expression} = {mark}", (_bind(value),)), test)
        case Among(values=several):
            listed = Piece(f"{expression} IN ({', '.join(mark for _ in several)})", tuple(map(_bind, several)))
            return missing_or(expression, listed, test)
        case Within(low=low, high=high):
            values = {">" if test.above else ">=": low, "<" if test.below else "<=": high}
            parts = [Piece(f"{expression} {o} {mark}", (_bind(v),)) for o, v in values.items() if v is not None]
            return missing_or(expression, joined(parts, "AND"), test)
        case _:
            assert_never(test)


def _mark(kind: Kind) -> str:
    if kind in (Kind.DATETIME, Kind.CLOSE_TIME):
        return _TIME
    return f"{{?:{_TYPES.get(kind, 'String')}}}"


def _holds(expression: str, values: tuple[Operand, ...], test: Among) -> Piece:
    found = Piece(f"hasAny({expression}, {{?:Array(String)}})", ([str(v) for v in values],)) if values else FALSE
    if len(values) == 1:
        found = Piece(f"has({expression}, {{?:String}})", (str(values[0]),))
    if not test.negated:
        return found
    opposite = Piece(f"NOT {found.text}" if values else TRUE.text, found.parameters)
    return opposite if test.missing else joined([Piece(f"notEmpty({expression})"), opposite], "AND")


def _has_word(expression: str, text: str, test: HasWord) -> Piece:
    """Word by word, in the form that the index of the column is made of."""
    searched = f"hasToken(lower(ifNull({expression}, '')), {{?:String}})"
    parts = [Piece(searched, (word,)) for word in dict.fromkeys(words(text, Words.TOKENS))]
    found = joined(parts, "OR") if parts else FALSE
    if not test.negated:
        return found
    opposite = Piece(f"NOT ({found.text})", found.parameters)
    return opposite if test.missing else joined([Piece(f"{expression} IS NOT NULL"), opposite], "AND")


def _after(place: Place) -> Piece:
    """What comes after `place` in list order."""
    start = _tick(place.start_time)
    later = Piece(
        f"(start_time < {_TIME} OR (start_time = {_TIME} AND run_id > {{?:String}}))", (start, start, place.run_id)
    )
    if place.close_time is None:
        still_open = joined([Piece("close_time IS NULL"), later], "AND")
        return joined([Piece("close_time IS NOT NULL"), still_open], "OR")
    close = _tick(place.close_time)
    same = joined([Piece(f"close_time = {_TIME}", (close,)), later], "AND")
    return joined([Piece(f"close_time < {_TIME}", (close,)), same], "OR")


def _expression(column: Column) -> str:
    return identifier(column_name(column.name, profile()) if column.is_field else attribute_column(column.name))


def _bind(value: Operand) -> Any:
    match value:
        case Moment(nanoseconds):
            return _tick(nanoseconds)
        case Decimal():
            return float(value)
        case _:
            return value


def _tick(nanoseconds: int) -> int:
    return min(max(nanoseconds // MICROSECOND, _FIRST_TICK), _OPEN_TICK - 1)
