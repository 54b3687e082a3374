"""What every bench offers, and what several of them need."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol

from tests.support.type_values import Holds
from toolkit.attributes import AttributeType, Group
from toolkit.definition import SearchAttribute
from toolkit.engines.attribute_json import to_json
from toolkit.records import AttributeValue

Type = AttributeType
NAME = "Probe"


class Refusal(Exception):
    """The engine refused the write or the change; its own words."""


class Bench(Protocol):
    """One engine, ready to change types."""

    name: str

    def change(self, before: Type, after: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        """What the column of the new type holds for each of `values`, written under the old type; None: nothing.

        Raises Refusal from writing (then the old type cannot hold the value) or from changing.
        """
        ...

    def write(self, kind: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        """What a column of type `kind` holds for each of `values`. Raises Refusal."""
        ...

    def storable(self, kind: Type, values: Sequence[AttributeValue]) -> list[AttributeValue]:
        """Those of `values` that a column of type `kind` takes."""
        ...

    def close(self) -> None: ...


def attribute(kind: Type) -> SearchAttribute:
    return SearchAttribute(NAME, kind, Group.CUSTOM, "by_probe")


def document(value: AttributeValue) -> str:
    return json.dumps(to_json({NAME: value}), ensure_ascii=False)


def taken(values: Sequence[AttributeValue], insert: Callable[[int, AttributeValue], None]) -> list[AttributeValue]:
    """Those of `values` that `insert` does not refuse."""
    found = []
    for place, value in enumerate(values):
        try:
            insert(place, value)
        except Refusal:
            continue
        found.append(value)
    return found


def number(value: Any) -> Holds:
    return None if value is None else Decimal(str(value))


def listed(value: Any) -> Holds:
    """A JSON value as a column of lists is asked for its elements; anything else is a thing of its own."""
    if isinstance(value, list) and all(isinstance(element, str) for element in value):
        return tuple(value)
    return f"not a list: {json.dumps(value, ensure_ascii=False)}"
