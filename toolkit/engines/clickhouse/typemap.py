"""The physical rules of ClickHouse, read from `schema/clickhouse/profile.yaml` into frozen tables.

It holds data and looks it up; it builds no statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from toolkit import document
from toolkit.attributes import AttributeType, FieldType
from toolkit.definition import Field, SearchAttribute
from toolkit.document import Value
from toolkit.resources import schema_dir

# The map of all attributes is not stored: each attribute has a column of its own.
STORED_FIELDS = tuple(kind for kind in FieldType if kind is not FieldType.ATTRIBUTES)


@dataclass(frozen=True, slots=True)
class IndexRule:
    """A skip index; `{column}` in `expr` stands for the column."""

    expr: str
    type: str
    granularity: int


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """A column: its type, its codec ('' for the server's own), the kind of its index ('' for none)."""

    type: str
    codec: str = ""
    index: str = ""
    default: str | None = None


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Rules of a field type: when the field is required, and when it may be missing."""

    required: ColumnRule
    optional: ColumnRule


@dataclass(frozen=True, slots=True)
class Special:
    """What is different about one field or attribute; None: nothing."""

    type: str | None
    codec: str | None
    index: str | None


@dataclass(frozen=True, slots=True)
class OwnIndex:
    """An index that belongs to the table; `index` names its rule."""

    name: str
    column: str
    index: str


@dataclass(frozen=True, slots=True)
class ClusterRule:
    """On a cluster: what the replicated table's name ends with, and what decides a record's shard."""

    suffix: str
    sharding: str


@dataclass(frozen=True, slots=True)
class Profile:
    """All rules together. `ttl`: the expression of a time to live, with `{days}`."""

    table: str
    engine: str
    order_by: tuple[str, ...]
    partition_by: str
    settings: Mapping[str, str]
    cluster: ClusterRule
    ttl: str
    columns: Mapping[str, str]
    fields: Mapping[FieldType, FieldRule]
    attributes: Mapping[AttributeType, ColumnRule]
    special: Mapping[str, Special]
    own_columns: Mapping[str, ColumnRule]
    indexes: Mapping[str, IndexRule]
    own_indexes: tuple[OwnIndex, ...]

    def field_rule(self, field: Field) -> ColumnRule:
        """The rule of the field's type, with what is special about this field."""
        rules = self.fields[field.type]
        return self._special(field.name, rules.required if field.required else rules.optional)

    def attribute_rule(self, attribute: SearchAttribute) -> ColumnRule:
        """The rule of the attribute's type, with what is special about this attribute."""
        return self._special(attribute.name, self.attributes[attribute.type])

    def _special(self, name: str, usual: ColumnRule) -> ColumnRule:
        special = self.special.get(name)
        if special is None:
            return usual
        return ColumnRule(
            type=usual.type if special.type is None else special.type,
            codec=usual.codec if special.codec is None else special.codec,
            index=usual.index if special.index is None else special.index,
        )


@cache
def profile() -> Profile:
    """The rules of this installation. Raises DefinitionError when the file is broken."""
    return document.read(schema_dir() / "clickhouse" / "profile.yaml", _decode)


_MEMBERS = (
    "table", "engine", "order_by", "partition_by", "settings", "cluster", "ttl", "columns", "fields", "attributes",
    "special", "own_columns", "indexes", "own_indexes",
)  # fmt: skip


def _decode(root: Value) -> Profile:
    parts = root.members(_MEMBERS)
    fields = parts["fields"].members([kind.value for kind in STORED_FIELDS])
    attributes = parts["attributes"].members([kind.value for kind in AttributeType])
    return Profile(
        table=parts["table"].text(),
        engine=parts["engine"].text(),
        order_by=tuple(key.text() for key in parts["order_by"].list()),
        partition_by=parts["partition_by"].text(),
        settings={name: value.text() for name, _, value in parts["settings"].items()},
        cluster=_cluster(parts["cluster"]),
        ttl=parts["ttl"].members(("expression",))["expression"].text(),
        columns={name: value.text() for name, _, value in parts["columns"].items()},
        fields={kind: _field(fields[kind.value]) for kind in STORED_FIELDS},
        attributes={kind: _column(attributes[kind.value]) for kind in AttributeType},
        special={name: _exception(value) for name, _, value in parts["special"].items()},
        own_columns={name: _column(value) for name, _, value in parts["own_columns"].items()},
        indexes={name: _index(value) for name, _, value in parts["indexes"].items()},
        own_indexes=tuple(_own_index(name, value) for name, _, value in parts["own_indexes"].items()),
    )


def _cluster(value: Value) -> ClusterRule:
    parts = value.members(("suffix", "sharding"))
    return ClusterRule(parts["suffix"].text(), parts["sharding"].text())


def _field(value: Value) -> FieldRule:
    parts = value.members(("type", "optional", "codec", "index"))
    codec, index = parts["codec"].text(), parts["index"].text()
    return FieldRule(
        required=ColumnRule(parts["type"].text(), codec, index),
        optional=ColumnRule(parts["optional"].text(), codec, index),
    )


def _column(value: Value) -> ColumnRule:
    parts = value.members(("type",), ("codec", "index", "default"))
    return ColumnRule(
        type=parts["type"].text(),
        codec=_text(parts, "codec") or "",
        index=_text(parts, "index") or "",
        default=_text(parts, "default"),
    )


def _exception(value: Value) -> Special:
    parts = value.members((), ("type", "codec", "index"))
    return Special(_text(parts, "type"), _text(parts, "codec"), _text(parts, "index"))


def _index(value: Value) -> IndexRule:
    parts = value.members(("expr", "type", "granularity"))
    return IndexRule(parts["expr"].text(), parts["type"].text(), parts["granularity"].integer(1, 1_000_000))


def _own_index(name: str, value: Value) -> OwnIndex:
    parts = value.members(("column", "index"))
    return OwnIndex(name, parts["column"].text(), parts["index"].text())


def _text(parts: Mapping[str, Value], name: str) -> str | None:
    return parts[name].text() if name in parts else None
