"""List Filters on MySQL: a Question as SQL with bound parameters, and rows as answers.

Pure. Tables besides the first are joined only when the filter names a column of theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, assert_never

from toolkit.definition import Definition
from toolkit.engines.bound import BoundSql
from toolkit.engines.filtering import Explained, Kept, Question, Rows, Statement
from toolkit.engines.mysql import rows
from toolkit.engines.mysql.layout import PRIMARY_KEY, column_name
from toolkit.engines.mysql.render import identifier
from toolkit.engines.mysql.typemap import profile
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
from toolkit.query.rules import All, Among, AnyOf, Begins, HasWord, Operand, Present, Rule, Test, Within, decide
from toolkit.query.semantics import MICROSECOND, Doubles, Semantics, Times, Words
from toolkit.query.tree import Column, Kind
from toolkit.records import Moment, Record, moment

# The collation of a MySQL 8 database ignores case and accents, and orders texts as the Unicode collation does.
SEMANTICS = Semantics(
    name="mysql",
    missing_matches=frozenset({Kind.TEXT}),
    open_is_last=True,
    folded=frozenset({Kind.KEYWORD}),
    folded_order=True,
    words=Words.INNODB,
    fields=Times(stored=MICROSECOND, given=MICROSECOND),
    attributes=Times(stored=MICROSECOND, given=MICROSECOND, nearest=True),
    doubles=Doubles(scale=5),
)
_MARK = "%s"
# What InnoDB's full-text parser may be given: its words, with their inner apostrophes.
_WORDS = re.compile(r"\w+(?:'\w+)*")
_TEXTS = frozenset({Kind.KEYWORD})

# The columns of a version, and how rows of them are read.
_FORM = Kept(lambda definition: rows.Form.of(definition, profile()))


def listing(question: Question, page: Page) -> Statement:
    """See `Filters.listing`."""
    plan = _Plan(question)
    order = plan.order
    conditions = [plan.where]
    if page.after:
        conditions.append(after(page.after, order, _MARK, _list_time))
    where = joined(conditions, "AND")
    columns = _FORM.of(question.definition).columns.names
    selected = ", ".join(f"{plan.main}.{identifier(name)}" for name in columns)
    text = (
        f"SELECT {selected} FROM {plan.tables} WHERE {where.text} "
        f"ORDER BY {order[0]} DESC, {order[1]} DESC, {order[2]} LIMIT {_MARK}"
    )
    return BoundSql(text, (*where.parameters, page.limit))


def counting(question: Question) -> Statement:
    """See `Filters.counting`."""
    plan = _Plan(question)
    where, group_by = plan.where, question.filter.group_by
    if group_by is None:
        return BoundSql(f"SELECT COUNT(*) AS number FROM {plan.tables} WHERE {where.text}", where.parameters)
    column = plan.exact(group_by) if _is_exact(group_by, question.semantics) else plan.expression(group_by)
    text = f"SELECT {column} AS value, COUNT(*) AS number FROM {plan.tables} WHERE {where.text} GROUP BY value"
    return BoundSql(text, where.parameters)


def explaining(statement: Statement) -> Statement:
    """See `Filters.explaining`."""
    assert isinstance(statement, BoundSql)
    return BoundSql(f"EXPLAIN FORMAT=JSON {statement.text}", statement.parameters)


def records(question: Question, rows_: Rows) -> list[Record]:
    """See `Filters.records`."""
    form = _FORM.of(question.definition)
    return [form.record(row) for row in rows_]


def counts(question: Question, rows_: Rows) -> dict[object, int]:
    """See `Filters.counts`."""
    return {row.get("value"): int(row["number"]) for row in rows_}


def explained(question: Question, rows_: Rows) -> Explained:
    """See `Filters.explained`. A column is served when it is among the key parts that an access uses."""
    plan = json.loads(next(iter(rows_[0].values())))
    used = set(re.findall(r"\w+", " ".join(_key_parts(plan))))
    found = [f.name for f in question.definition.fields if column_name(f.name, profile()) in used]
    return Explained(plan, frozenset([*found, *(a.name for a in question.definition.attributes if a.name in used)]))


def _key_parts(node: Any) -> Iterator[str]:
    """The two forms of MySQL's JSON plans name what an index is asked for in different members."""
    if isinstance(node, list):
        for each in node:
            yield from _key_parts(each)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name in ("used_key_parts", "lookup_condition", "ranges", "full_text_index_name"):
                yield json.dumps(value)
            elif name == "key" and node.get("access_type") == "fulltext":
                yield json.dumps(node.get("used_key_parts", value))
            else:
                yield from _key_parts(value)


class _Plan:
    """What the statements of one question have in common."""

    def __init__(self, question: Question) -> None:
        self._semantics = question.semantics
        self._homes = _HOMES.of(question.definition)
        self.main = identifier(profile().table)
        self.order = (self._close(), f"{self.main}.start_time", f"{self.main}.run_id")
        whole = question.filter.whole
        rule = All(()) if whole is None else decide(whole, question.semantics)
        namespace = Piece(f"{self.main}.namespace_id = {_MARK}", (question.namespace_id,))
        self.where = namespace if whole is None else joined([namespace, combine(rule, self._test)], "AND")
        columns = [test.column for test in _tests(rule)]
        columns += [question.filter.group_by] if question.filter.group_by else []
        self.tables = self._from(columns)

    def _from(self, columns: Iterable[Column]) -> str:
        others = dict.fromkeys(self._home(column) for column in columns)
        joins = (
            f" LEFT JOIN {other} ON "
            + " AND ".join(f"{other}.{identifier(key)} = {self.main}.{identifier(key)}" for key in PRIMARY_KEY)
            for other in others
            if other != self.main
        )
        return self.main + "".join(joins)

    def _home(self, column: Column) -> str:
        return self.main if column.is_field else identifier(self._homes[column.name])

    def expression(self, column: Column) -> str:
        name = column_name(column.name, profile()) if column.is_field else column.name
        return f"{self._home(column)}.{identifier(name)}"

    def exact(self, column: Column) -> str:
        """The column compared byte by byte, whatever the table's character set and collation."""
        return f"CONVERT({self.expression(column)} USING utf8mb4) COLLATE utf8mb4_0900_bin"

    def _close(self) -> str:
        # As in the indexes, part by part, or they are not used.
        return f"COALESCE({self.main}.close_time, CAST('9999-12-31 23:59:59' AS DATETIME))"

    def _test(self, test: Test) -> Piece:
        expression = self.expression(test.column)
        match test:
            case Present():
                return present(expression, test)
            case Begins(column=column, prefix=prefix):
                pattern = (prefix_pattern(prefix),)
                found = Piece(f"{expression} LIKE {_MARK} ESCAPE '!'", pattern)
                if _is_exact(column, self._semantics):
                    found = joined([found, Piece(f"{self.exact(column)} LIKE {_MARK} ESCAPE '!'", pattern)], "AND")
                return missing_or(expression, found, test)
            case HasWord(text=text):
                search = f"MATCH ({expression}) AGAINST ({_MARK} IN NATURAL LANGUAGE MODE)"
                # Words only: a lone quote or sign is broken syntax to the parser, even in this mode.
                return _searched(expression, Piece(search, (" ".join(_WORDS.findall(text)),)), test)
            case Among(column=Column(kind=Kind.KEYWORD_LIST), values=values):
                return missing_or(expression, _holds(expression, values), test)
            case Among(column=column) if _is_exact(column, self._semantics):
                return self._exactly(column, test)
            case Within(column=column) if _is_exact(column, self._semantics):
                return scalar(self.exact(column), test, _MARK, _bind)
            case Among(column=column) | Within(column=column):
                is_close = column.kind is Kind.CLOSE_TIME and self._semantics.open_is_last
                return scalar(self._close() if is_close else expression, test, _MARK, _bind)
            case _:
                assert_never(test)

    def _exactly(self, column: Column, test: Among) -> Piece:
        """The column's own comparison first, which an index may serve; then byte by byte among what it finds."""
        loose = Among(column, test.values)
        both = [scalar(e, loose, _MARK, _bind) for e in (self.expression(column), self.exact(column))]
        if not test.values:
            return scalar(self.expression(column), test, _MARK, _bind)
        return missing_or(self.expression(column), joined(both, "AND"), test)


def _is_exact(column: Column, semantics: Semantics) -> bool:
    """Whether texts are to be told apart although the table's collation does not."""
    return column.kind in _TEXTS and column.kind not in semantics.folded


def _searched(expression: str, found: Piece, test: HasWord) -> Piece:
    """A search answers yes or no also where the value is missing; when that is not wanted, it must be asked for."""
    if not test.negated:
        return found
    opposite = Piece(f"NOT ({found.text})", found.parameters)
    return opposite if test.missing else joined([Piece(f"{expression} IS NOT NULL"), opposite], "AND")


def _holds(expression: str, values: tuple[Operand, ...]) -> Piece:
    match values:
        case ():
            return FALSE
        case (value,):
            return Piece(f"{_MARK} MEMBER OF ({expression})", (value,))
        case _:
            wanted = json.dumps(list(values), ensure_ascii=False)
            return Piece(f"JSON_OVERLAPS({expression}, CAST({_MARK} AS JSON))", (wanted,))


def _tests(rule: Rule) -> Iterator[Test]:
    match rule:
        case All(terms) | AnyOf(terms):
            for term in terms:
                yield from _tests(term)
        case _:
            yield rule


def _homes(definition: Definition) -> dict[str, str]:
    """Attribute → table that has its column."""
    tables = {rule.group: rule.name for rule in profile().tables}
    return {attribute.name: tables[attribute.group] for attribute in definition.attributes}


_HOMES = Kept(_homes)


def _bind(value: Operand) -> object:
    return _time(value.nanoseconds) if isinstance(value, Moment) else value


def _list_time(nanoseconds: int | None) -> datetime:
    return _time(END_OF_TIME if nanoseconds is None else nanoseconds)


def _time(nanoseconds: int) -> datetime:
    return moment(nanoseconds).replace(tzinfo=None)
