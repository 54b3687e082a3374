"""Values at the edges of every search-attribute type, and what becomes of a value that changes its type by nature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeAlias

from toolkit.attributes import AttributeType
from toolkit.engines.attribute_json import parse_rfc3339
from toolkit.records import AttributeValue, Moment, rfc3339

Type = AttributeType
# What a column holds: texts, exact numbers, truth values, times, lists; the words of a Text where only words are kept.
Holds: TypeAlias = str | Decimal | bool | Moment | tuple[str, ...] | frozenset[str] | None

MOMENT = 1_769_860_800_123_456_789
TEXTS = (
    "plain", "Order", "order", "two words", "", "Zoë", "time 12:30", "it's", "a♡b", "7", "-9223372036854775808", "5.5",
    "9223372036854775807", "9223372036854775808", "99999999999999999999", "1e16",
    "true", rfc3339(MOMENT), "2026-02-30T00:00:00Z",
    "0001-01-01T00:00:00Z", "null", "x" * 255, "x" * 256, "y" * 40_000, "a:b c", "a" + "😀" * 60,
)  # fmt: skip
VALUES: Mapping[Type, tuple[AttributeValue, ...]] = {
    Type.TEXT: TEXTS,
    Type.KEYWORD: TEXTS,
    Type.INT: (0, 1, 7, -1, 2**53 + 1, 2**63 - 1, -(2**63)),
    Type.DOUBLE: (0.0, 1.0, 7.0, -2.5, 5.5, 0.1234, 0.12345, 0.123456789, 1e-9, 1e14, 1e15, 9.3e18, 1e300),
    Type.BOOL: (True, False),
    Type.DATETIME: tuple(
        Moment(value)
        for value in (
            0,
            MOMENT,
            MOMENT // 1000 * 1000,
            MOMENT // 10**6 * 10**6,
            MOMENT // 10**9 * 10**9,
            -1_000_000_000,
            2**63 - 1,
            2**63 + 10**9,
            parse_rfc3339("9999-12-31T23:59:58Z"),
            parse_rfc3339("0001-01-02T00:00:00Z"),
        )
    ),
    Type.KEYWORD_LIST: (
        ("a",),
        ("a", "b"),
        ("b", "a"),
        ("a", "a"),
        ("Red", "red"),
        ("7",),
        ("true",),
        ("a♡b",),
        ("two words", "x"),
        (),
        ("",),
        ("x" * 255,),
        ("x" * 256,),
        ("y" * 40_000,),
    ),
}


def natural(value: AttributeValue, after: Type) -> Holds:
    """What a person expects `value` to be under the type `after`; None when nothing can be expected."""
    if isinstance(value, tuple):
        if after is Type.KEYWORD_LIST:
            return value
        return natural(value[0], after) if len(value) == 1 else None
    return _TO[after](value)


def _text(value: AttributeValue) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case Moment(when):
            return rfc3339(when)
        case _:
            return str(value)


def _number(value: AttributeValue) -> Decimal | None:
    match value:
        case bool():
            return Decimal(int(value))
        case Moment(when):
            return Decimal(when)
        case str():
            try:
                found = Decimal(value)
            except ArithmeticError:
                return None
            return found if found.is_finite() else None
        case _:
            return Decimal(repr(value))


def _whole(value: AttributeValue) -> Decimal | None:
    found = _number(value)
    return found if found is not None and found == found.to_integral_value() and -(2**63) <= found < 2**63 else None


def _bool(value: AttributeValue) -> bool | None:
    return {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}.get(_text(value) or "")


def _moment(value: AttributeValue) -> Moment | None:
    match value:
        case Moment():
            return value
        case str():
            try:
                return Moment(parse_rfc3339(value))
            except (ValueError, TypeError):
                return None
        case bool() | float():
            return None
        case _:
            return Moment(int(str(value)))


_TO: Mapping[Type, Callable[[AttributeValue], Holds]] = {
    Type.TEXT: _text,
    Type.KEYWORD: _text,
    Type.INT: _whole,
    Type.DOUBLE: _number,
    Type.BOOL: _bool,
    Type.DATETIME: _moment,
    Type.KEYWORD_LIST: lambda value: None if (text := _text(value)) is None else (text,),
}
