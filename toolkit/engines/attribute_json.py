"""Search attributes as the JSON map Temporal keeps in `search_attributes`, both ways.

Pure. Strings, numbers and truth values are native, a Datetime is RFC 3339 text, a KeywordList a list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from toolkit.attributes import AttributeType
from toolkit.catalog import Json
from toolkit.records import AttributeValue, Moment, SingleValue, nanoseconds, rfc3339

_FRACTION = re.compile(r"\.(\d+)")


def to_json(attributes: Mapping[str, AttributeValue]) -> dict[str, Json]:
    """The JSON map of `attributes`."""
    return {name: _plain(value) for name, value in attributes.items()}


def _plain(value: AttributeValue) -> Json:
    match value:
        case Moment(when):
            return rfc3339(when)
        case tuple(elements):
            return [_plain(element) for element in elements]
        case _:
            return value


def from_json(members: Mapping[str, object], types: Mapping[str, AttributeType]) -> dict[str, AttributeValue]:
    """The attributes that `types` names; others, and nulls, are left out. A tuple, which no JSON has, is several values
    of its type."""
    return {name: _typed(value, types[name]) for name, value in members.items() if name in types and value is not None}


def _typed(value: object, kind: AttributeType) -> AttributeValue:
    match kind:
        case AttributeType.KEYWORD_LIST:
            return tuple(str(v) for v in value) if isinstance(value, list | tuple) else (str(value),)
        case _ if isinstance(value, tuple):
            return tuple(_single(element, kind) for element in value)
        case _:
            return _single(value, kind)


def _single(value: object, kind: AttributeType) -> SingleValue:
    match kind:
        case AttributeType.DATETIME:
            return Moment(parse_rfc3339(str(value)))
        case AttributeType.DOUBLE:
            return float(str(value))
        case AttributeType.INT:
            return int(str(value))
        case AttributeType.BOOL:
            return bool(value)
        case AttributeType.TEXT | AttributeType.KEYWORD | AttributeType.KEYWORD_LIST:
            return str(value)


def parse_rfc3339(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 text; digits below a nanosecond are cut off. ValueError when it is none."""
    fraction = _FRACTION.search(text)
    digits = fraction[1][:9].ljust(9, "0") if fraction else "0"
    whole = datetime.fromisoformat(_FRACTION.sub("", text, count=1))
    return nanoseconds(whole) + int(digits)
