"""The physical rules of PostgreSQL, read from `schema/sql/postgresql.yaml` into frozen tables.

It holds data and looks it up; it builds no statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

from toolkit import document
from toolkit.attributes import AttributeType, FieldType
from toolkit.document import Value
from toolkit.resources import schema_dir


class IndexKind(Enum):
    """`ordered`: B-tree with the list order behind the column. `gin`: GIN on namespace and column."""

    ORDERED = "ordered"
    GIN = "gin"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Column type of a field: as DDL, as the catalog spells it, and its operator class."""

    type: str
    reads_as: str
    operators: str


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """Generated column of an attribute; `{member}` in `value` and `expr` stands for its name as a literal."""

    type: str
    value: str
    reads_as: str
    expr: str
    index: IndexKind
    operators: str


@dataclass(frozen=True, slots=True)
class Profile:
    """All rules together."""

    table: str
    columns: Mapping[str, str]
    fields: Mapping[FieldType, FieldRule]
    attributes: Mapping[AttributeType, AttributeRule]


@cache
def profile() -> Profile:
    """The rules of this installation. Raises DefinitionError when the file is broken."""
    return document.read(schema_dir() / "sql" / "postgresql.yaml", _decode)


def _decode(root: Value) -> Profile:
    parts = root.members(("table", "columns", "fields", "attributes"))
    fields = parts["fields"].members([kind.value for kind in FieldType])
    attributes = parts["attributes"].members([kind.value for kind in AttributeType])
    return Profile(
        table=parts["table"].text(),
        columns={name: value.text() for name, _, value in parts["columns"].items()},
        fields={kind: _field(fields[kind.value]) for kind in FieldType},
        attributes={kind: _attribute(attributes[kind.value]) for kind in AttributeType},
    )


def _field(value: Value) -> FieldRule:
    parts = value.members(("type", "reads_as", "operators"))
    return FieldRule(parts["type"].text(), parts["reads_as"].text(), parts["operators"].text())


def _attribute(value: Value) -> AttributeRule:
    parts = value.members(("type", "value", "reads_as", "expr", "index", "operators"))
    return AttributeRule(
        type=parts["type"].text(),
        value=parts["value"].text(),
        reads_as=parts["reads_as"].text(),
        expr=parts["expr"].text(),
        index=parts["index"].one_of(IndexKind),
        operators=parts["operators"].text(),
    )
