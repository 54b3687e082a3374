"""What SQLite's catalog tells only in the text of CREATE statements: expressions, options, constraints, events.

Pure; it takes statements apart as far as a catalog needs, and refuses nothing: SQLite itself accepted them before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from toolkit.engines.sqlite.tokens import Kind, Token, canonical, enclosed, groups, tokens

# A run looks at a store several times, and nearly all of its statements are the same each time.
_remembered = lru_cache(maxsize=1024)
_CONSTRAINTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")


@dataclass(frozen=True, slots=True)
class ColumnText:
    """What the text says of a column: `expr` of a generated one, CHECK conditions, collation, other constraints."""

    expr: str | None
    checks: tuple[str, ...]
    collation: str | None
    constraints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableText:
    """What the text says of a table; `columns` by lower-case name, `options` in capitals."""

    columns: Mapping[str, ColumnText] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class IndexText:
    """What the text says of an index: its keys as written, direction and collation taken away."""

    unique: bool
    keys: tuple[str, ...]
    predicate: str | None


@dataclass(frozen=True, slots=True)
class VirtualText:
    """A virtual table's module, columns and options."""

    module: str
    columns: tuple[str, ...]
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TriggerText:
    """When a trigger fires; `columns` of UPDATE OF."""

    timing: str
    event: str
    columns: tuple[str, ...]


@_remembered
def table(sql: str) -> TableText:
    """The parts of a CREATE TABLE."""
    found = tokens(sql)
    start = _position(found, "(")
    if start is None:
        return TableText()
    body, end = enclosed(found, start)
    columns: dict[str, ColumnText] = {}
    constraints: list[str] = []
    for part in groups(body):
        if part and part[0].is_word(*_CONSTRAINTS):
            if not _is_primary_key(part):
                constraints.append(canonical(part))
        elif part:
            columns[part[0].value.lower()] = column = _column(part)
            constraints += column.constraints
    options = frozenset(canonical(part).upper() for part in groups(found[end:]) if part)
    return TableText(columns, tuple(sorted(constraints)), options)


def _is_primary_key(part: Sequence[Token]) -> bool:
    """The catalog tells the columns of the primary key by itself; its constraint's name does not matter."""
    start = 2 if part[0].is_word("CONSTRAINT") else 0
    return start < len(part) and part[start].is_word("PRIMARY")


def _column(part: Sequence[Token]) -> ColumnText:
    expr, collation = None, None
    checks: list[str] = []
    constraints: list[str] = []
    place = 1
    while place < len(part):
        token, behind = part[place], part[place + 1 :]
        opens = bool(behind) and behind[0].text == "("
        if token.is_word("AS", "CHECK", "DEFAULT") and opens:
            inner, place = enclosed(part, place + 1)
            if token.is_word("AS"):
                expr = canonical(inner)
            elif token.is_word("CHECK"):
                checks.append(canonical(inner))
            continue
        if token.is_word("COLLATE") and behind:
            collation = behind[0].value.upper()
        elif token.is_word("UNIQUE"):
            constraints.append(f"UNIQUE({part[0].value})")
        elif token.is_word("REFERENCES"):
            constraints.append(f"FOREIGN KEY({part[0].value}) {canonical(part[place:])}")
            break
        place += 1
    return ColumnText(expr, tuple(checks), collation, tuple(constraints))


@_remembered
def index(sql: str) -> IndexText:
    """The parts of a CREATE INDEX."""
    found = tokens(sql)
    start = _position(found, "(") or 0
    body, end = enclosed(found, start)
    keys = tuple(canonical(_without_order(part)) for part in groups(body))
    rest = found[end:]
    predicate = canonical(rest[1:]) if rest and rest[0].is_word("WHERE") else None
    return IndexText(any(t.is_word("UNIQUE") for t in found[:start]), keys, predicate)


def _without_order(part: Sequence[Token]) -> list[Token]:
    kept = list(part)
    if kept and kept[-1].is_word("ASC", "DESC"):
        kept.pop()
    if len(kept) > 2 and kept[-2].is_word("COLLATE"):
        del kept[-2:]
    return kept


def virtual(sql: str) -> VirtualText:
    """The parts of a CREATE VIRTUAL TABLE, the arguments read as FTS5 reads them."""
    found = tokens(sql)
    using = next(place for place, token in enumerate(found) if token.is_word("USING"))
    module = found[using + 1].value.lower()
    body = enclosed(found, using + 2)[0] if using + 2 < len(found) else []
    columns: list[str] = []
    options: dict[str, str] = {}
    for part in groups(body):
        if len(part) > 2 and part[1].text == "=":
            options[part[0].value.lower()] = " ".join(" ".join(token.value for token in part[2:]).split())
        elif part:
            columns.append(" ".join([part[0].value, *(token.text.upper() for token in part[1:])]))
    return VirtualText(module, tuple(columns), options)


@_remembered
def trigger(sql: str) -> TriggerText:
    """When a trigger fires."""
    found = tokens(sql)
    events = [place for place, token in enumerate(found) if token.is_word("INSERT", "UPDATE", "DELETE")]
    place = events[0]
    on = next(p for p in range(place, len(found)) if found[p].is_word("ON"))
    before = found[place - 1]
    timing = "INSTEAD OF" if before.is_word("OF") else before.text.upper()
    columns = tuple(token.value for token in found[place + 2 : on] if token.kind is not Kind.SYMBOL)
    return TriggerText(timing if timing in ("AFTER", "INSTEAD OF") else "BEFORE", found[place].text.upper(), columns)


def _position(found: Sequence[Token], text: str) -> int | None:
    return next((place for place, token in enumerate(found) if token.text == text), None)
