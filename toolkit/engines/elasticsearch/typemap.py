"""The physical rules of Elasticsearch and OpenSearch, read from `schema/elasticsearch/profile.yaml` into frozen tables.

It holds data and looks it up; it builds no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import cast

from toolkit import document
from toolkit.attributes import AttributeType, FieldType
from toolkit.catalog import Json
from toolkit.document import Value
from toolkit.resources import schema_dir


class Times(Enum):
    """How documents hold a moment: text with nanoseconds and zone, or the number of nanoseconds since 1970."""

    RFC3339 = "rfc3339"
    NANOSECONDS = "nanoseconds"


class Statuses(Enum):
    """How documents hold an execution status."""

    NAME = "name"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Layout:
    """The form of an index and of its documents; see the profile for what the members mean."""

    name: str
    labels: frozenset[str]
    prefix: str
    template: str
    inside: str
    names: Mapping[str, str]
    unmapped: frozenset[str]
    times: Times
    statuses: Statuses
    fields: Mapping[FieldType, Mapping[str, Json]]
    attributes: Mapping[AttributeType, Mapping[str, Json]]
    settings: Mapping[str, Json]

    @property
    def pattern(self) -> str:
        """The index pattern of the released template."""
        return f"{self.prefix}*"

    def member(self, name: str) -> str:
        """What a document calls the field or attribute `name`."""
        return self.names.get(name, name)


@dataclass(frozen=True, slots=True)
class Conversion:
    """How documents change layout: a painless script, and what becomes of the types of users' own fields."""

    source: str
    target: str
    loses: bool
    types: Mapping[str, Mapping[str, Json]]
    script: str


@dataclass(frozen=True, slots=True)
class Profile:
    """All rules together."""

    index: str
    dynamic: str
    order: int
    priority: int
    layouts: tuple[Layout, ...]
    conversions: tuple[Conversion, ...]

    def layout(self, label: str) -> Layout:
        """The layout of an Elasticsearch label."""
        return next((known for known in self.layouts if label in known.labels), self.layouts[0])

    def conversion(self, source: Layout, target: Layout) -> Conversion | None:
        """How to get from one layout to another; None when they are the same."""
        return next((c for c in self.conversions if (c.source, c.target) == (source.name, target.name)), None)


@cache
def profile() -> Profile:
    """The rules of this installation. Raises DefinitionError when the file is broken."""
    return document.read(schema_dir() / "elasticsearch" / "profile.yaml", _decode)


def _decode(root: Value) -> Profile:
    parts = root.members(("index", "dynamic", "order", "priority", "layouts", "conversions"))
    return Profile(
        index=parts["index"].text(),
        dynamic=parts["dynamic"].text(),
        order=parts["order"].integer(),
        priority=parts["priority"].integer(),
        layouts=tuple(_layout(name, value) for name, _, value in parts["layouts"].items()),
        conversions=tuple(_conversion(value) for value in parts["conversions"].list()),
    )


_LAYOUT = ("labels", "prefix", "template", "inside", "names", "unmapped", "times", "statuses", "fields", "attributes",
           "settings")  # fmt: skip


def _layout(name: str, value: Value) -> Layout:
    parts = value.members(_LAYOUT)
    fields = parts["fields"].members((), [kind.value for kind in FieldType])
    attributes = parts["attributes"].members([kind.value for kind in AttributeType])
    return Layout(
        name=name,
        labels=frozenset(v.text() for v in parts["labels"].list()),
        prefix=parts["prefix"].text(),
        template=parts["template"].text(),
        inside=parts["inside"].text(),
        names={key: v.text() for key, _, v in parts["names"].items()},
        unmapped=frozenset(v.text() for v in parts["unmapped"].list()),
        times=parts["times"].one_of(Times),
        statuses=parts["statuses"].one_of(Statuses),
        fields={kind: _facts(fields[kind.value]) for kind in FieldType if kind.value in fields},
        attributes={kind: _facts(attributes[kind.value]) for kind in AttributeType},
        settings=_facts(parts["settings"]),
    )


def _conversion(value: Value) -> Conversion:
    parts = value.members(("from", "to", "loses", "types", "script"))
    return Conversion(
        source=parts["from"].text(),
        target=parts["to"].text(),
        loses=parts["loses"].boolean(),
        types={name: _facts(v) for name, _, v in parts["types"].items()},
        script=parts["script"].text(),
    )


def _facts(value: Value) -> Mapping[str, Json]:
    if not value.is_mapping():
        raise value.wrong("a mapping")
    return cast("Mapping[str, Json]", value.plain())
