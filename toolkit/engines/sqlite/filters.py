"""List Filters on SQLite: a Question as SQL with bound parameters, and rows as answers.

Pure; Texts and KeywordLists are searched through the full-text tables, as Temporal's server does.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import assert_never

from toolkit.definition import Definition
from toolkit.engines.bound import BoundSql
from toolkit.engines.filtering import Explained, Kept, Question, Rows, Statement
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
from toolkit.engines.sqlite import rows
from toolkit.engines.sqlite.layout import column_name
from toolkit.engines.sqlite.render import identifier, path
from toolkit.engines.sqlite.rows import SEPARATOR, timestamp
from toolkit.engines.sqlite.typemap import profile
from toolkit.query.evaluate import END_OF_TIME
from toolkit.query.page import Page
from toolkit.query.rules import Among, Begins, HasWord, Operand, Present, Test, Within, decide
from toolkit.query.semantics import MICROSECOND, MILLISECOND, SECOND, Semantics, Times, Words
from toolkit.query.tree import Column, Kind
from toolkit.query.values import FIRST_MOMENT, LAST_MOMENT
from toolkit.records import Moment, Record

_SEARCHED = frozenset({Kind.TEXT, Kind.KEYWORD_LIST})
SEMANTICS = Semantics(
    name="sqlite",
    # A full-text search finds what has the word; everything else, records without the value included, is not found.
    missing_matches=_SEARCHED,
    open_is_last=True,
    folded=frozenset({Kind.KEYWORD_LIST}),
    # LIKE ignores the case of ASCII letters on SQLite unless told otherwise.
    folded_prefix=True,
    words=Words.LETTERS,
    fields=Times(stored=MICROSECOND, given=MICROSECOND),
    # As a store has them that a new library wrote; see `rounding`.
    attributes=Times(stored=MILLISECOND, given=MICROSECOND, nearest=True, inside=SECOND),
)
_MARK = "?"
# A time as it was given, from the attributes' document: seconds in UTC and every digit behind them that is no closing
# zero, so that texts sort as moments do. The zone may be a letter, an offset, or missing.
_AS_GIVEN = """(SELECT strftime('%Y-%m-%d %H:%M:%S', substr(t, 1, 19) || substr(t, length(t) - z + 1))
 || rtrim(rtrim(substr(t, 20, length(t) - 19 - z), '0'), '.')
 FROM (SELECT t, CASE WHEN t GLOB '*[Zz]' THEN 1 WHEN t GLOB '*[-+][0-9][0-9]:[0-9][0-9]' THEN 6 ELSE 0 END AS z
 FROM (SELECT JSON_EXTRACT(search_attributes, {path}) AS t)))""".replace("\n", "")
# No library moves a time further than this when it stores it.
_ASTRAY = 2 * MILLISECOND
# As in the indexes, letter by letter, or they are not used.
_CLOSE_OR_OPEN = "COALESCE(close_time, '9999-12-31 23:59:59+00:00')"
_ORDER = (_CLOSE_OR_OPEN, "start_time", "run_id")
_TEXT_SEARCH, _LIST_SEARCH = "executions_visibility_fts_text", "executions_visibility_fts_keyword_list"
_USED = re.compile(r"USING (?:COVERING )?INDEX \S+ \(([^)]*)\)|VIRTUAL TABLE INDEX")

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
    return BoundSql(f"EXPLAIN QUERY PLAN {statement.text}", statement.parameters)


def records(question: Question, rows_: Rows) -> list[Record]:
    """See `Filters.records`."""
    form = _FORM.of(question.definition)
    return [form.record(tuple(row.values())) for row in rows_]


def counts(question: Question, rows_: Rows) -> dict[object, int]:
    """See `Filters.counts`."""
    return {row.get("value"): int(row["number"]) for row in rows_}


def explained(question: Question, rows_: Rows) -> Explained:
    """See `Filters.explained`. A column is served when an index search names it, or its full-text table is asked."""
    lines = [str(row["detail"]) for row in rows_]
    named = {word for line in lines for found in _USED.findall(line) for word in re.findall(r"(\w+)[=<>]", found)}
    searched = " ".join(line for line in lines if "VIRTUAL TABLE INDEX" in line)
    return Explained(list(lines), frozenset(_served(question.definition, named, searched)))


def _served(definition: Definition, named: set[str], searched: str) -> list[str]:
    found = [f.name for f in definition.fields if column_name(f.name, profile()) in named]
    found += [a.name for a in definition.attributes if a.name in named]
    tables = {Kind.TEXT: _TEXT_SEARCH, Kind.KEYWORD_LIST: _LIST_SEARCH}
    return found + [
        a.name for a in definition.attributes if Kind(a.type.value) in tables and tables[Kind(a.type.value)] in searched
    ]


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
            # Without statistics SQLite takes "no value", which nearly all records have, for as good as any other
            # equality, and every filter has one: the sign keeps it from choosing that index.
            return present(f"+{expression}" if test.negated else expression, test)
        case Begins(prefix=prefix):
            return missing_or(expression, _begins(expression, prefix, semantics), test)
        case HasWord(column=column, text=text):
            return _searched(expression, _match(_TEXT_SEARCH, column, text.split(" ")), test)
        case Among(column=Column(kind=Kind.KEYWORD_LIST) as column, values=values):
            found = _match(_LIST_SEARCH, column, [str(value) for value in values]) if values else FALSE
            if column.kind not in semantics.folded:
                found = _exactly(expression, test)
            return _searched(expression, found, test)
        case Within(column=Column(kind=Kind.DATETIME, is_field=False)) if semantics.attributes.blur:
            return missing_or(expression, _exactly_timed(expression, test), test)
        case Among() | Within():
            column = test.column
            compared = _CLOSE_OR_OPEN if column.kind is Kind.CLOSE_TIME and semantics.open_is_last else expression
            return scalar(compared, test, _MARK, lambda value: _bind(value, column))
        case _:
            assert_never(test)


def _searched(expression: str, found: Piece, test: Among | HasWord) -> Piece:
    """A search answers yes or no also where the value is missing; when that is not wanted, it must be asked for."""
    if not test.negated:
        return found
    opposite = Piece(f"NOT ({found.text})", found.parameters)
    return opposite if test.missing else joined([Piece(f"{expression} IS NOT NULL"), opposite], "AND")


def _match(table: str, column: Column, wanted: list[str]) -> Piece:
    """Rows that the full-text table finds; the words stand in FTS5's own quotes, inside a parameter."""
    phrases = " OR ".join('"' + word.replace('"', '""') + '"' for word in wanted if word)
    name = identifier(table)
    query = f'"{column.name}" : ({phrases or chr(34) * 2})'
    return Piece(f"rowid IN (SELECT rowid FROM {name} WHERE {name} MATCH {_MARK})", (query,))


def _exactly(expression: str, test: Among) -> Piece:
    """Elements compared letter by letter, among the few that the search finds."""
    parts = []
    for value in test.values:
        inside = f"instr('{SEPARATOR}' || {expression} || '{SEPARATOR}', {_MARK}) > 0"
        exact = Piece(inside, (f"{SEPARATOR}{value}{SEPARATOR}",))
        parts.append(joined([_match(_LIST_SEARCH, test.column, [str(value)]), exact], "AND") if value else exact)
    return joined(parts, "OR") if parts else FALSE


def _exactly_timed(expression: str, test: Within) -> Piece:
    """Moments compared as they were given: what the column holds depends on the library that wrote it. Only near the
    bounds the document is read; the comparison with the column is there for the index."""
    given = _AS_GIVEN.format(path=path(test.column.name))
    parts = []
    if isinstance(test.low, Moment):
        parts.append(_one_side(expression, given, ">", test.above, test.low.nanoseconds))
    if isinstance(test.high, Moment):
        parts.append(_one_side(expression, given, "<", test.below, test.high.nanoseconds))
    return joined(parts, "AND")


def _one_side(expression: str, given: str, side: str, strict: bool, bound: int) -> Piece:
    astray = _ASTRAY if side == "<" else -_ASTRAY
    exact = side if strict else f"{side}="
    return Piece(
        f"({expression} {side}= {_MARK} AND ({expression} {side} {_MARK} OR {given} {exact} {_MARK}))",
        (_whole(bound + astray), _whole(bound - astray), timestamp(bound).removesuffix("+00:00")),
    )


def _whole(nanoseconds: int) -> str:
    inside = min(max(nanoseconds, FIRST_MOMENT), LAST_MOMENT)
    return _attribute_time(inside // MILLISECOND * MILLISECOND)


def _begins(expression: str, prefix: str, semantics: Semantics) -> Piece:
    if semantics.folded_prefix:
        return Piece(f"{expression} LIKE {_MARK} ESCAPE '!'", (prefix_pattern(prefix),))
    # The comparison is there for the index; it holds for everything that begins so.
    exact = f"({expression} >= {_MARK} AND substr({expression}, 1, {_MARK}) = {_MARK})"
    return Piece(exact, (prefix, len(prefix), prefix))


def _expression(column: Column) -> str:
    return identifier(column_name(column.name, profile()) if column.is_field else column.name)


def _bind(value: Operand, column: Column) -> object:
    match value:
        case Moment(nanoseconds):
            return timestamp(nanoseconds) if column.is_field else _attribute_time(nanoseconds)
        case Decimal():
            return float(value)
        case _:
            return value


def _attribute_time(nanoseconds: int) -> str:
    """As the generated columns hold it, three digits behind the point; more only where they make a difference."""
    text, _, fraction = timestamp(nanoseconds).removesuffix("+00:00").partition(".")
    return f"{text}.{fraction.ljust(3, '0')}+00:00"


def _list_time(nanoseconds: int | None) -> str:
    return timestamp(END_OF_TIME if nanoseconds is None else nanoseconds)
