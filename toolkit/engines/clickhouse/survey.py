"""Count on ClickHouse which values of an attribute would not survive a change: SQL with the server's own parameters.

Columns are typed, so only what the type allows is asked; a part is a range of the sorting key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, assert_never

from toolkit.attributes import AttributeType
from toolkit.compat import Spoil, Spoils
from toolkit.definition import Definition
from toolkit.engines.bound import BoundSql
from toolkit.engines.clickhouse.filters import numbered
from toolkit.engines.clickhouse.layout import attribute_column
from toolkit.engines.clickhouse.render import identifier
from toolkit.engines.clickhouse.typemap import profile
from toolkit.engines.sql_filters import Piece, joined
from toolkit.engines.surveying import SHOWN, TIME, Ask, Part, Probe, sql_part

# A blank before or behind a number makes it none.
_NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"
_WHOLE = r"^[-+]?[0-9]+$"
_TIME = f"^{TIME}$"
# A column engine reads the few columns asked for and nothing else: its parts may be larger.
_FACTOR = 25
_TEXTS = frozenset({AttributeType.TEXT, AttributeType.KEYWORD, AttributeType.KEYWORD_LIST})
_PLACE = ("{?:String}", "fromUnixTimestamp64Micro({?:Int64}, 'UTC')", "{?:String}")


def parts(ask: Ask, definition: Definition, probes: Sequence[Probe], rows: int) -> Iterator[Part]:
    """See `Survey.parts`."""
    keys, table = ", ".join(map(identifier, profile().order_by)), f"{identifier(profile().table)} FINAL"
    place = f"({', '.join(_PLACE)})"
    found = [_probe(probe) for probe in probes]
    after: tuple[Any, ...] = ()
    while True:
        begin = Piece(f"({keys}) > {place}", after) if after else Piece("1 = 1")
        find = f"SELECT {keys} FROM {table} WHERE {begin.text} ORDER BY {keys} LIMIT 1 OFFSET {rows * _FACTOR - 1}"
        edge = ask(numbered(find, begin.parameters))
        upto = tuple(edge[0].values()) if edge else ()
        bounds = joined([begin, Piece(f"({keys}) <= {place}", upto)], "AND") if upto else begin
        [row] = ask(_counting(table, bounds, found))
        yield sql_part(row, len(probes))
        if not upto:
            return
        after = upto


def _counting(table: str, bounds: Piece, found: Sequence[tuple[Piece, str]]) -> BoundSql:
    inner = ", ".join(f"{test.text} AS t{n}, {text} AS v{n}" for n, (test, text) in enumerate(found))
    outer = ", ".join(
        f"countIf(t{n}) AS c{n}, if(c{n} = 0, NULL, minIf(v{n}, t{n})) AS a{n}, "
        f"if(c{n} = 0, NULL, maxIf(v{n}, t{n})) AS z{n}"
        for n in range(len(found))
    )
    tests = tuple(value for test, _ in found for value in test.parameters)
    text = f"SELECT count() AS looked, {outer} FROM (SELECT {inner} FROM {table} WHERE {bounds.text})"
    return numbered(text, (*tests, *bounds.parameters))


def _probe(probe: Probe) -> tuple[Piece, str]:
    """Whether a record is hit, and its value as a sample."""
    column = identifier(attribute_column(probe.attribute))
    test = joined([_test(column, probe.type, spoils) for spoils in probe.spoils], "OR")
    return test, f"substringUTF8(ifNull(toString({column}), ''), 1, {SHOWN})"


def _test(column: str, kind: AttributeType, spoils: Spoils) -> Piece:
    is_list = kind is AttributeType.KEYWORD_LIST
    match spoils.kind:
        case Spoil.EVERY:
            return Piece(f"notEmpty({column})" if is_list else f"isNotNull({column})")
        case Spoil.NOT_ONE:
            return Piece(f"length({column}) > 1")
        case Spoil.OUTSIDE if kind in _TEXTS:
            spelled = _spelled("x" if is_list else column, spoils)
            return Piece(f"arrayExists(x -> {spelled.text}, {column})", spelled.parameters) if is_list else spelled
        case _ if is_list:
            element = _element("x", spoils)
            return Piece(f"arrayExists(x -> {element.text}, {column})", element.parameters)
        case _:
            element = _element(column, spoils)
            return Piece(f"ifNull({element.text}, 0)", element.parameters)


def _spelled(x: str, spoils: Spoils) -> Piece:
    """Exact to the last digit, as a Float64 is not; what is larger than the type becomes null."""
    bounds = (format(Decimal(bound), "f") for bound in (spoils.low, spoils.high))
    inside = f"toDecimal256OrNull({x}, 20) BETWEEN {' AND '.join(['toDecimal256({?:String}, 20)'] * 2)}"
    return _bound(f"ifNull(match({x}, {{?:String}}) AND NOT ifNull({inside}, 0), 0)", _NUMBER, *bounds)


def _element(x: str, spoils: Spoils) -> Piece:
    match spoils.kind:
        case Spoil.LONGER:
            return _bound(f"(lengthUTF8({x}) > {{?:UInt64}})", spoils.limit)
        case Spoil.HEAVIER:
            return _bound(f"(length({x}) > {{?:UInt64}})", spoils.limit)
        case Spoil.NO_NUMBER:
            return _bound(f"(NOT match({x}, {{?:String}}))", _NUMBER)
        case Spoil.NO_WHOLE:
            return _bound(f"(NOT match({x}, {{?:String}}))", _WHOLE)
        case Spoil.NO_BOOL:
            return Piece(f"({x} NOT IN ('true', 'false'))")
        case Spoil.NO_TIME:
            return _bound(f"(NOT match({x}, {{?:String}}))", _TIME)
        case Spoil.HOLDS:
            return _bound(f"(position({x}, {{?:String}}) > 0)", spoils.sign)
        case Spoil.BROKEN:
            return Piece(f"(floor({x}) <> {x})")
        case Spoil.OUTSIDE:
            bounds = (float(spoils.low), float(spoils.high))
            return _bound(f"(toFloat64({x}) NOT BETWEEN {{?:Float64}} AND {{?:Float64}})", *bounds)
        case Spoil.FINER:
            return _bound(f"(round({x}, {{?:UInt8}}) <> {x})", spoils.limit)
        case Spoil.INEXACT:
            return Piece(f"(toDecimal128(toFloat64({x}), 0) <> toDecimal128({x}, 0))")
        case Spoil.OTHER_THAN_BIT:
            return Piece(f"({x} NOT IN (0, 1))")
        case Spoil.FINER_TIME:
            return _bound(f"(toUnixTimestamp64Micro({x}) % {{?:Int64}} <> 0)", max(1, spoils.limit // 1000))
        case Spoil.TIME_OUTSIDE:
            # Whole microseconds: what lies between the last of them and the bound cannot be stored here.
            ticks = (-(-int(spoils.low) // 1000), int(spoils.high) // 1000)
            return _bound(f"(toUnixTimestamp64Micro({x}) NOT BETWEEN {{?:Int64}} AND {{?:Int64}})", *ticks)
        case Spoil.EVERY | Spoil.NOT_ONE:
            raise AssertionError(spoils.kind)
        case _:
            assert_never(spoils.kind)


def _bound(text: str, *values: Any) -> Piece:
    return Piece(text, values)
