"""Count on MySQL which values of an attribute would not survive a change: SQL with bound values, a part at a time.

Every attribute is looked at as the list of its elements in the JSON map; a single value is a list of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, assert_never

from toolkit.compat import Spoil, Spoils
from toolkit.definition import Definition
from toolkit.engines.bound import BoundSql
from toolkit.engines.mysql.layout import PRIMARY_KEY
from toolkit.engines.mysql.render import identifier, literal, member
from toolkit.engines.mysql.typemap import profile
from toolkit.engines.sql_filters import Piece, joined
from toolkit.engines.surveying import SHOWN, TIME, Ask, Part, Probe, by_key, inexact, sql_part

_NUMBER = r"^\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$"
# A blank behind a whole number is refused.
_WHOLE = r"^\s*[-+]?[0-9]+\z"
# \z: a line end behind it counts.
_TIME = rf"^{TIME}\z"
_BOOL = "^(true|false)$"
_NUMBERS = "JSON_TYPE(e) IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL')"
_VALUE = f"CASE WHEN {_NUMBERS} THEN CAST(e AS DOUBLE) END"
_WHOLE_VALUE = "CASE WHEN JSON_TYPE(e) IN ('INTEGER', 'UNSIGNED INTEGER') THEN CAST(e AS DECIMAL(30, 0)) END"
_TEXT = "JSON_UNQUOTE(e)"
# Exact to the last digit, as a DOUBLE is not; what is larger than the type becomes its largest number.
_SPELLED = f"CASE WHEN JSON_TYPE(e) = 'STRING' AND REGEXP_LIKE({_TEXT}, %s) THEN CAST({_TEXT} AS DECIMAL(65, 20)) END"
# Whole seconds: functions that count them from 1970 do not reach as far as times do.
_PLAIN = f"REPLACE(SUBSTR({_TEXT}, 1, 19), 'T', ' ')"
_INSTANT = f"CASE WHEN JSON_TYPE(e) = 'STRING' THEN (TO_DAYS({_PLAIN}) - 719528) * 86400 + TIME_TO_SEC({_PLAIN}) END"


def parts(ask: Ask, definition: Definition, probes: Sequence[Probe], rows: int) -> Iterator[Part]:
    """See `Survey.parts`. All three tables have the same map; the first has a row for every record."""
    table = identifier(profile().table)
    keys = (identifier(PRIMARY_KEY[0]), identifier(PRIMARY_KEY[1]))
    found = [_probe(probe) for probe in probes]
    tests = tuple(value for test, _ in found for value in test.parameters)

    def part(condition: str, bounds: tuple[str, ...]) -> BoundSql:
        inner = ", ".join(f"{test.text} AS t{n}, {text} AS v{n}" for n, (test, text) in enumerate(found))
        outer = ", ".join(
            f"SUM(t{n}) AS c{n}, MIN(IF(t{n}, v{n}, NULL)) AS a{n}, MAX(IF(t{n}, v{n}, NULL)) AS z{n}"
            for n in range(len(found))
        )
        text = f"SELECT COUNT(*) AS looked, {outer} FROM (SELECT {inner} FROM {table} WHERE {condition}) AS looked_at"
        return BoundSql(text, (*tests, *bounds))

    for answer in by_key(ask, keys, table, "%s", rows, part):
        yield sql_part(answer[0], len(probes))


def _probe(probe: Probe) -> tuple[Piece, str]:
    """Whether a record is hit, and its value as a sample."""
    value = f"JSON_EXTRACT(`search_attributes`, {literal(member(probe.attribute))})"
    test = joined([_test(value, spoils) for spoils in probe.spoils], "OR")
    return test, f"LEFT(JSON_UNQUOTE({value}), {SHOWN})"


def _test(value: str, spoils: Spoils) -> Piece:
    match spoils.kind:
        case Spoil.EVERY:
            return Piece(f"(COALESCE(JSON_TYPE({value}), 'NULL') <> 'NULL')")
        case Spoil.NOT_ONE:
            return Piece(f"COALESCE(JSON_TYPE({value}) = 'ARRAY' AND JSON_LENGTH({value}) <> 1, FALSE)")
        case _:
            element = _element(spoils)
            several = f"IF(JSON_TYPE({value}) = 'ARRAY', {value}, JSON_ARRAY({value}))"
            items = f"JSON_TABLE({several}, '$[*]' COLUMNS (e JSON PATH '$')) AS each_one"
            return Piece(f"EXISTS (SELECT 1 FROM {items} WHERE {element.text})", element.parameters)


def _element(spoils: Spoils) -> Piece:
    match spoils.kind:
        case Spoil.LONGER:
            return _bound(f"CHAR_LENGTH({_TEXT}) > %s", spoils.limit)
        case Spoil.HEAVIER:
            return _bound(f"LENGTH({_TEXT}) > %s", spoils.limit)
        case Spoil.NO_NUMBER:
            return _bound(f"NOT REGEXP_LIKE({_TEXT}, %s)", _NUMBER)
        case Spoil.NO_WHOLE:
            return _bound(f"NOT REGEXP_LIKE({_TEXT}, %s)", _WHOLE)
        case Spoil.NO_BOOL:
            return _bound(f"NOT REGEXP_LIKE({_TEXT}, %s, 'c')", _BOOL)
        case Spoil.NO_TIME:
            return _bound(f"NOT REGEXP_LIKE({_TEXT}, %s, 'c')", _TIME)
        case Spoil.HOLDS:
            return _bound(f"LOCATE(%s, {_TEXT}) > 0", spoils.sign)
        case Spoil.BROKEN:
            return Piece(f"FLOOR({_VALUE}) <> {_VALUE}")
        case Spoil.OUTSIDE:
            bounds = (spoils.low, spoils.high)
            number, spelled = f"{_VALUE} NOT BETWEEN %s AND %s", f"{_SPELLED} NOT BETWEEN %s AND %s"
            return _bound(f"({number} OR {spelled})", *bounds, _NUMBER, *bounds)
        case Spoil.FINER:
            return _bound(f"ROUND({_VALUE}, %s) <> {_VALUE}", spoils.limit)
        case Spoil.INEXACT:
            return Piece(inexact(f"({_WHOLE_VALUE})", lambda value, by: f"MOD({value}, {by})"))
        case Spoil.OTHER_THAN_BIT:
            return Piece(f"{_VALUE} NOT IN (0, 1)")
        case Spoil.FINER_TIME:
            digits = 9 - len(str(spoils.limit)) + 1
            found = f"LENGTH(TRIM(TRAILING '0' FROM REGEXP_SUBSTR(REGEXP_SUBSTR({_TEXT}, '[.][0-9]+'), '[0-9]+')))"
            return _bound(f"{found} > %s", digits)
        case Spoil.TIME_OUTSIDE:
            seconds = (int(spoils.low) // 10**9, int(spoils.high) // 10**9)
            return _bound(f"{_INSTANT} NOT BETWEEN %s AND %s", *seconds)
        case Spoil.EVERY | Spoil.NOT_ONE:
            raise AssertionError(spoils.kind)
        case _:
            assert_never(spoils.kind)


def _bound(text: str, *values: Any) -> Piece:
    return Piece(text, values)
