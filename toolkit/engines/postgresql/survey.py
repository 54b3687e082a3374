"""Count on PostgreSQL which values of an attribute would not survive a change: SQL with bound values, a part at a time.

Every attribute is looked at as the list of its elements in the JSON map; a single value is a list of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, assert_never

from toolkit.compat import Spoil, Spoils
from toolkit.definition import Definition
from toolkit.engines.bound import BoundSql
from toolkit.engines.postgresql.layout import PRIMARY_KEY
from toolkit.engines.postgresql.render import identifier, literal
from toolkit.engines.postgresql.typemap import profile
from toolkit.engines.sql_filters import Piece, joined
from toolkit.engines.surveying import SHOWN, TIME, Ask, Part, Probe, by_key, inexact, sql_part

_NUMBER = r"^\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$"
_WHOLE = r"^\s*[-+]?[0-9]+\s*$"
_TIME = f"^{TIME}$"
_BOOL = r"^(true|false)$"
# A value that is no number is none that is too large.
_VALUE = "CASE WHEN jsonb_typeof(e) = 'number' THEN (e #>> '{}')::numeric END"
# The cast refuses exponents of many digits.
_SPELLED = "CASE WHEN e #>> '{}' ~ %s AND e #>> '{}' !~ '[eE][-+]?[0-9]{4}' THEN (e #>> '{}')::numeric END"
# The server rounds to microseconds: digits behind them must not carry a time over a bound.
_AT = r"regexp_replace(e #>> '{}', '(\.\d{6})\d+', '\1')::timestamptz"
_WHOLE_SECONDS = f"extract(epoch FROM date_trunc('second', {_AT}))::numeric"
_INSTANT = (
    f"CASE WHEN jsonb_typeof(e) = 'string' THEN {_WHOLE_SECONDS} * 1000000000 "
    f"+ mod(extract(microseconds FROM {_AT})::numeric, 1000000) * 1000 END"
)
_TEXT = "(e #>> '{}')"


def parts(ask: Ask, definition: Definition, probes: Sequence[Probe], rows: int) -> Iterator[Part]:
    """See `Survey.parts`."""
    table = identifier(profile().table)
    keys = (identifier(PRIMARY_KEY[0]), identifier(PRIMARY_KEY[1]))
    found = [_probe(probe) for probe in probes]
    tests = tuple(value for test, _ in found for value in test.parameters)

    def part(condition: str, bounds: tuple[str, ...]) -> BoundSql:
        inner = ", ".join(f"{test.text} AS t{n}, {text} AS v{n}" for n, (test, text) in enumerate(found))
        outer = ", ".join(
            f"count(*) FILTER (WHERE t{n}) AS c{n}, min(v{n}) FILTER (WHERE t{n}) AS a{n}, "
            f"max(v{n}) FILTER (WHERE t{n}) AS z{n}"
            for n in range(len(found))
        )
        text = f"SELECT count(*) AS looked, {outer} FROM (SELECT {inner} FROM {table} WHERE {condition}) AS looked_at"
        return BoundSql(text, (*tests, *bounds))

    for answer in by_key(ask, keys, table, "%s", rows, part):
        yield sql_part(answer[0], len(probes))


def _probe(probe: Probe) -> tuple[Piece, str]:
    """Whether a record is hit, and its value as a sample."""
    value = f"search_attributes -> {literal(probe.attribute)}"
    test = joined([_test(value, spoils) for spoils in probe.spoils], "OR")
    return test, f"left(search_attributes ->> {literal(probe.attribute)}, {SHOWN})"


def _test(value: str, spoils: Spoils) -> Piece:
    there = f"jsonb_typeof({value}) <> 'null'"
    match spoils.kind:
        case Spoil.EVERY:
            return Piece(f"({there}) IS TRUE")
        case Spoil.NOT_ONE:
            return Piece(
                f"(CASE WHEN jsonb_typeof({value}) = 'array' THEN jsonb_array_length({value}) <> 1 END) IS TRUE"
            )
        case _:
            element = _element(spoils)
            items = f"CASE jsonb_typeof({value}) WHEN 'array' THEN {value} WHEN 'null' THEN '[]' "
            items += f"ELSE jsonb_build_array({value}) END"
            return Piece(
                f"EXISTS (SELECT FROM jsonb_array_elements({items}) AS each(e) WHERE {element.text})",
                element.parameters,
            )


def _element(spoils: Spoils) -> Piece:
    match spoils.kind:
        case Spoil.LONGER:
            return _bound(f"char_length({_TEXT}) > %s", spoils.limit)
        case Spoil.HEAVIER:
            return _bound(f"octet_length({_TEXT}) > %s", spoils.limit)
        case Spoil.NO_NUMBER:
            return _bound(f"{_TEXT} !~ %s", _NUMBER)
        case Spoil.NO_WHOLE:
            return _bound(f"{_TEXT} !~ %s", _WHOLE)
        case Spoil.NO_BOOL:
            return _bound(f"{_TEXT} !~ %s", _BOOL)
        case Spoil.NO_TIME:
            return _bound(f"{_TEXT} !~ %s", _TIME)
        case Spoil.HOLDS:
            return _bound(f"strpos({_TEXT}, %s) > 0", spoils.sign)
        case Spoil.BROKEN:
            return Piece(f"mod({_VALUE}, 1) <> 0")
        case Spoil.OUTSIDE:
            return _bound(f"({_SPELLED}) NOT BETWEEN %s AND %s", _NUMBER, spoils.low, spoils.high)
        case Spoil.FINER:
            return _bound(f"round({_VALUE}, %s) <> {_VALUE}", spoils.limit)
        case Spoil.INEXACT:
            return Piece(inexact(f"({_VALUE})", lambda value, by: f"mod({value}, {by})"))
        case Spoil.OTHER_THAN_BIT:
            return Piece(f"{_VALUE} NOT IN (0, 1)")
        case Spoil.FINER_TIME:
            # Counted on the digits, for the server's own type has only six.
            digits = 9 - len(str(spoils.limit)) + 1
            return _bound(r"length(rtrim(substring(" + _TEXT + r" FROM '\.([0-9]+)'), '0')) > %s", digits)
        case Spoil.TIME_OUTSIDE:
            return _bound(f"{_INSTANT} NOT BETWEEN %s AND %s", spoils.low, spoils.high)
        case Spoil.EVERY | Spoil.NOT_ONE:
            raise AssertionError(spoils.kind)
        case _:
            assert_never(spoils.kind)


def _bound(text: str, *values: Any) -> Piece:
    return Piece(text, values)
