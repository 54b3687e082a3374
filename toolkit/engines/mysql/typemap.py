"""The physical rules of MySQL, read from `schema/sql/mysql.yaml` into frozen tables.

It holds data and looks it up; it builds no statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

from toolkit import document
from toolkit.attributes import AttributeType, FieldType, Group
from toolkit.document import Value
from toolkit.resources import schema_dir


class IndexKind(Enum):
    """`plain`: namespace and column. `list`: namespace and each element of a list. `fulltext`: the column alone."""

    PLAIN = "plain"
    LIST = "list"
    FULLTEXT = "fulltext"


@dataclass(frozen=True, slots=True)
class TableRule:
    """Which attributes a table holds, which fields (None: all), and whether its indexes end in the list order."""

    name: str
    group: Group
    ordered: bool
    fields: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Column type of a field: as DDL, and as the catalog spells it."""

    type: str
    reads_as: str


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """Generated column of an attribute; `{member}` in `value` and `expr` stands for its JSON path as a literal."""

    type: str
    value: str
    stored: bool
    reads_as: str
    expr: str
    index: IndexKind


@dataclass(frozen=True, slots=True)
class Profile:
    """All rules together; the first table holds the records, the others more columns of theirs."""

    tables: tuple[TableRule, ...]
    columns: Mapping[str, str]
    fields: Mapping[FieldType, FieldRule]
    attributes: Mapping[AttributeType, AttributeRule]

    @property
    def table(self) -> str:
        """The table that has one row for every record."""
        return self.tables[0].name


@cache
def profile() -> Profile:
    """The rules of this installation. Raises DefinitionError when the file is broken."""
    return document.read(schema_dir() / "sql" / "mysql.yaml", _decode)


def _decode(root: Value) -> Profile:
    parts = root.members(("tables", "columns", "fields", "attributes"))
    fields = parts["fields"].members([kind.value for kind in FieldType])
    attributes = parts["attributes"].members([kind.value for kind in AttributeType])
    return Profile(
        tables=tuple(_table(name, value) for name, _, value in parts["tables"].items()),
        columns={name: value.text() for name, _, value in parts["columns"].items()},
        fields={kind: _field(fields[kind.value]) for kind in FieldType},
        attributes={kind: _attribute(attributes[kind.value]) for kind in AttributeType},
    )


def _table(name: str, value: Value) -> TableRule:
    parts = value.members(("group", "ordered"), ("fields",))
    fields = frozenset(v.text() for v in parts["fields"].list()) if "fields" in parts else None
    return TableRule(name, parts["group"].one_of(Group), parts["ordered"].boolean(), fields)


def _field(value: Value) -> FieldRule:
    parts = value.members(("type", "reads_as"))
    return FieldRule(parts["type"].text(), parts["reads_as"].text())


def _attribute(value: Value) -> AttributeRule:
    parts = value.members(("type", "value", "stored", "reads_as", "expr", "index"))
    return AttributeRule(
        type=parts["type"].text(),
        value=parts["value"].text(),
        stored=parts["stored"].boolean(),
        reads_as=parts["reads_as"].text(),
        expr=parts["expr"].text(),
        index=parts["index"].one_of(IndexKind),
    )
