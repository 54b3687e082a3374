"""Which values a Spoils names, in plain Python: the judge of what stores count."""

from __future__ import annotations

import re
from decimal import Decimal

from toolkit.compat import Spoil, Spoils
from toolkit.engines.attribute_json import parse_rfc3339
from toolkit.records import AttributeValue, Moment

NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
WHOLE = re.compile(r"[-+]?[0-9]+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def spoiled(value: AttributeValue, spoils: Spoils) -> bool:
    match spoils.kind, value:
        case Spoil.EVERY, _:
            return True
        case Spoil.NOT_ONE, tuple(elements):
            return len(elements) != 1
        case _, tuple(elements):
            return any(_text(element, spoils) for element in elements)
        case _, str(text):
            return _text(text, spoils)
        case _, Moment(when):
            return _time(when, spoils)
        case _, bool():
            return False
        case _, number:
            assert isinstance(number, int | float)
            return _number(Decimal(repr(number)), spoils)


def _text(text: str, spoils: Spoils) -> bool:
    match spoils.kind:
        case Spoil.LONGER:
            return len(text) > spoils.limit
        case Spoil.HEAVIER:
            return len(text.encode()) > spoils.limit
        case Spoil.NO_NUMBER:
            return NUMBER.fullmatch(text) is None
        case Spoil.NO_WHOLE:
            return WHOLE.fullmatch(text) is None
        case Spoil.NO_BOOL:
            return text not in ("true", "false")
        case Spoil.NO_TIME:
            return _moment(text) is None
        case Spoil.TIME_OUTSIDE:
            return (when := _moment(text)) is not None and _time(when, spoils)
        case Spoil.OUTSIDE:
            return NUMBER.fullmatch(text) is not None and _number(Decimal(text), spoils)
        case Spoil.HOLDS:
            return spoils.sign in text
        case _:
            return False


def _moment(text: str) -> int | None:
    try:
        return parse_rfc3339(text) if TIME.fullmatch(text) else None
    except ValueError:
        return None


def _number(number: Decimal, spoils: Spoils) -> bool:
    match spoils.kind:
        case Spoil.BROKEN:
            return number != number.to_integral_value()
        case Spoil.OUTSIDE:
            return not spoils.low <= number <= spoils.high
        case Spoil.FINER:
            return -int(number.normalize().as_tuple().exponent) > spoils.limit
        case Spoil.INEXACT:
            return Decimal(float(number)) != number
        case Spoil.OTHER_THAN_BIT:
            return number not in (0, 1)
        case _:
            return False


def _time(when: int, spoils: Spoils) -> bool:
    match spoils.kind:
        case Spoil.FINER_TIME:
            return when % spoils.limit != 0
        case Spoil.TIME_OUTSIDE:
            return not spoils.low <= when <= spoils.high
        case _:
            return False
