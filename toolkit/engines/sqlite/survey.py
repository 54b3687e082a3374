"""Count on SQLite which values of an attribute would not survive a change: SQL with bound values, a part at a time.

A KeywordList is one text, its elements joined by ♡; everything else is looked at as it stands in the JSON map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, assert_never

from toolkit.attributes import AttributeType
from toolkit.compat import Spoil, Spoils
from toolkit.definition import Definition
from toolkit.engines.bound import BoundSql
from toolkit.engines.sql_filters import Piece, joined
from toolkit.engines.sqlite.layout import PRIMARY_KEY
from toolkit.engines.sqlite.render import identifier, path
from toolkit.engines.sqlite.rows import SEPARATOR
from toolkit.engines.sqlite.typemap import profile
from toolkit.engines.surveying import SHOWN, Ask, Part, Probe, by_key, inexact, sql_part
from toolkit.records import rfc3339


def parts(ask: Ask, definition: Definition, probes: Sequence[Probe], rows: int) -> Iterator[Part]:
    """See `Survey.parts`."""
    table = identifier(profile().table)
    keys = (identifier(PRIMARY_KEY[0]), identifier(PRIMARY_KEY[1]))
    found = [_probe(probe) for probe in probes]
    tests = tuple(value for test, _ in found for value in test.parameters)

    def part(condition: str, bounds: tuple[str, ...]) -> BoundSql:
        inner = ", ".join(f"{test.text} AS t{n}, {text} AS v{n}" for n, (test, text) in enumerate(found))
        outer = ", ".join(
            f"sum(t{n}) AS c{n}, min(CASE WHEN t{n} THEN v{n} END) AS a{n}, max(CASE WHEN t{n} THEN v{n} END) AS z{n}"
            for n in range(len(found))
        )
        text = f"SELECT count(*) AS looked, {outer} FROM (SELECT {inner} FROM {table} WHERE {condition})"
        return BoundSql(text, (*tests, *bounds))

    for answer in by_key(ask, keys, table, "?", rows, part):
        yield sql_part(answer[0], len(probes))


def _probe(probe: Probe) -> tuple[Piece, str]:
    """Whether a record is hit (0 or 1, never null), and its value as a sample."""
    value = f"JSON_EXTRACT(search_attributes, {path(probe.attribute)})"
    found = [_test(value, probe.type is AttributeType.KEYWORD_LIST, spoils) for spoils in probe.spoils]
    test = joined([Piece(f"coalesce({each.text}, 0)", each.parameters) for each in found], "OR")
    return test, f"substr({value}, 1, {SHOWN})"


def _test(value: str, is_list: bool, spoils: Spoils) -> Piece:
    number = f"CASE WHEN typeof({value}) IN ('integer', 'real') THEN {value} END"
    text = f"CASE WHEN typeof({value}) = 'text' THEN {value} END"
    # A text that spells a number equals that number, one that does not equals none: so SQLite compares.
    match spoils.kind:
        case Spoil.EVERY:
            return Piece(f"({value} IS NOT NULL)")
        case Spoil.NOT_ONE:
            return Piece(f"(instr({value}, '{SEPARATOR}') > 0)")
        case Spoil.LONGER | Spoil.HEAVIER if is_list:
            return _any_element(value, spoils)
        case Spoil.LONGER:
            return _bound(f"(length({text}) > ?)", spoils.limit)
        case Spoil.HEAVIER:
            return _bound(f"(length(CAST({text} AS BLOB)) > ?)", spoils.limit)
        case Spoil.HOLDS if is_list and spoils.sign == SEPARATOR:
            # What is between the elements is in none of them.
            return Piece("0")
        case Spoil.HOLDS:
            return _bound(f"(instr({value}, ?) > 0)", spoils.sign)
        case Spoil.NO_NUMBER:
            return Piece(f"({text} <> CAST({text} AS NUMERIC))")
        case Spoil.NO_WHOLE:
            return Piece(f"({text} <> CAST({text} AS NUMERIC) OR {text} GLOB '*[.eE]*')")
        case Spoil.NO_BOOL:
            return Piece(f"({text} NOT IN ('true', 'false'))")
        case Spoil.NO_TIME:
            # A number would be read as a day, and the 30th of February is taken until something is added to it.
            to_second = f"substr({text}, 1, 19)"
            same = f"coalesce(datetime({to_second}, '+0 days') = replace({to_second}, 'T', ' '), 0)"
            return Piece(f"(typeof({text}) = 'text' AND (julianday({text}) IS NULL OR NOT {same}))")
        case Spoil.BROKEN:
            return Piece(f"({number} <> round({number}))")
        case Spoil.OUTSIDE:
            spelled = f"CASE WHEN {text} = CAST({text} AS NUMERIC) THEN CAST({text} AS NUMERIC) END"
            return _bound(f"(coalesce({number}, {spelled}) NOT BETWEEN ? AND ?)", spoils.low, spoils.high)
        case Spoil.FINER:
            return _bound(f"(round({number}, ?) <> {number})", spoils.limit)
        case Spoil.INEXACT:
            return Piece(inexact(f"({number})", lambda number, by: f"{number} % {by}"))
        case Spoil.OTHER_THAN_BIT:
            return Piece(f"({number} NOT IN (0, 1))")
        case Spoil.FINER_TIME:
            digits = 9 - len(str(spoils.limit)) + 1
            fraction = f"rtrim(substr({text}, instr({text}, '.') + 1), 'Z0123456789:+-')"
            kept = f"rtrim(rtrim(replace({text}, {fraction}, ''), 'Z'), '0')"
            return _bound(f"(instr({text}, '.') > 0 AND length({kept}) - instr({kept}, '.') > ?)", digits)
        case Spoil.TIME_OUTSIDE:
            # Whole seconds in UTC, whatever the zone of the text.
            bounds = (rfc3339(int(bound) // 10**9 * 10**9) for bound in (spoils.low, spoils.high))
            return _bound(f"(strftime('%Y-%m-%dT%H:%M:%SZ', {text}) NOT BETWEEN ? AND ?)", *bounds)
        case _:
            assert_never(spoils.kind)


def _any_element(value: str, spoils: Spoils) -> Piece:
    """Elements are JSON once the separator is a comma between quotes."""
    quoted = f"'[' || replace(json_quote({value}), '{SEPARATOR}', '\",\"') || ']'"
    size = "length(each.value)" if spoils.kind is Spoil.LONGER else "length(CAST(each.value AS BLOB))"
    return _bound(f"EXISTS (SELECT 1 FROM json_each({quoted}) AS each WHERE {size} > ?)", spoils.limit)


def _bound(text: str, *values: Any) -> Piece:
    return Piece(text, values)
