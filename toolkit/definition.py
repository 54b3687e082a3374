"""One version of the visibility schema as frozen values: fields, search attributes, indexes.

A Definition is logical and the same for every engine; how it looks on an engine is that engine's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from toolkit.attributes import AttributeType, Family, FieldType, Group, snake_case
from toolkit.errors import VersionError

ALL_FAMILIES = frozenset(Family)
# Where an attribute lives unless its entry says so. Users' own attributes keep their real names on Elasticsearch.
USUAL_STORES = {
    Group.PREDEFINED: ALL_FAMILIES,
    Group.CUSTOM: frozenset({Family.SQL, Family.CLICKHOUSE}),
    Group.CHASM: ALL_FAMILIES,
}


@dataclass(frozen=True, slots=True)
class Field:
    """A column every record has. `required`: never null. `index`: name of its single-value index, None for none."""

    name: str
    type: FieldType
    required: bool = False
    default: str | int | None = None
    index: str | None = None
    stores: frozenset[Family] = ALL_FAMILIES
    since: str | None = None
    renamed_from: str | None = None


@dataclass(frozen=True, slots=True)
class SearchAttribute:
    """A typed, searchable value. `index` as for a field; `since`: the first Elasticsearch label with it."""

    name: str
    type: AttributeType
    group: Group
    index: str | None = None
    stores: frozenset[Family] = ALL_FAMILIES
    since: str | None = None
    renamed_from: str | None = None


@dataclass(frozen=True, slots=True)
class IndexKey:
    """One part of a composite index: a field, or LIST_ORDER (close time or open first, start time, run id)."""

    field: str
    descending: bool = False


LIST_ORDER = "ListOrder"


@dataclass(frozen=True, slots=True)
class Index:
    """A composite index, said out loud in the definition."""

    name: str
    keys: tuple[IndexKey, ...]


@dataclass(frozen=True, slots=True)
class Labels:
    """What each store family calls this version. Elasticsearch may have had several labels during one SQL version."""

    sql: str | None
    elasticsearch: tuple[str, ...]
    clickhouse: str | None


@dataclass(frozen=True, slots=True)
class Header:
    """What a version file says of the version itself, before its fields."""

    version: str
    summary: str
    servers: str
    labels: Labels

    def to_json(self) -> dict[str, object]:
        """The header as `--output json` shows it."""
        names = {"sql": self.labels.sql, "elasticsearch": list(self.labels.elasticsearch)}
        labels = {**names, "clickhouse": self.labels.clickhouse}
        return {"version": self.version, "summary": self.summary, "servers": self.servers, "labels": labels}


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of the schema. `version` is the number this project sorts by; `servers` the releases that used it;
    `partial`: names of single-value indexes that hold only the records which have a value (an overlay's wish)."""

    version: str
    summary: str
    servers: str
    labels: Labels
    fields: tuple[Field, ...]
    attributes: tuple[SearchAttribute, ...]
    indexes: tuple[Index, ...]
    partial: frozenset[str] = frozenset()

    @property
    def header(self) -> Header:
        """The version itself, without what it holds."""
        return Header(self.version, self.summary, self.servers, self.labels)

    def field(self, name: str) -> Field | None:
        """The field called `name`, or None."""
        return next((f for f in self.fields if f.name == name), None)

    def attribute(self, name: str) -> SearchAttribute | None:
        """The search attribute called `name`, or None."""
        return next((a for a in self.attributes if a.name == name), None)

    def on(self, family: Family) -> Definition:
        """The part of this definition that stores of `family` hold; composite indexes are for SQL only."""
        return replace(
            self,
            fields=tuple(f for f in self.fields if family in f.stores),
            attributes=tuple(a for a in self.attributes if family in a.stores),
            indexes=self.indexes if family is Family.SQL else (),
        )

    def at_label(self, label: str) -> Definition:
        """The Elasticsearch part as it was at `label`, one of this version's labels; VersionError otherwise."""
        order = self.labels.elasticsearch
        if label not in order:
            raise VersionError("TV2003", f"version {self.version} has no Elasticsearch label {label!r}", "")
        known = {None, *order[: order.index(label) + 1]}
        part = self.on(Family.ELASTICSEARCH)
        return replace(
            part,
            labels=replace(self.labels, elasticsearch=(label,)),
            fields=tuple(f for f in part.fields if f.since in known),
            attributes=tuple(a for a in part.attributes if a.since in known),
        )


def version_key(version: str) -> tuple[int, ...]:
    """Sort key of a version such as `1.14`; VersionError when it is not numbers joined by dots."""
    parts = version.split(".")
    if not parts or not all(p.isascii() and p.isdigit() and len(p) < 9 for p in parts):
        raise VersionError("TV2001", f"{version[:80]!r} is not a version number", "Versions look like 1.14.")
    return tuple(int(p) for p in parts)


def default_index_name(name: str) -> str:
    """`Keyword01` → `by_keyword_01`: Temporal's pattern for single-value indexes."""
    return "by_" + snake_case(name)


def names(definition: Definition) -> Iterable[str]:
    """All field and attribute names, fields first."""
    yield from (f.name for f in definition.fields)
    yield from (a.name for a in definition.attributes)
