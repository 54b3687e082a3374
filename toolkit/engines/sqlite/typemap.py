"""The physical rules of SQLite, read from `schema/sql/sqlite.yaml` into frozen tables.

It holds data and looks it up; it builds no statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache

from toolkit import document
from toolkit.attributes import AttributeType, FieldType
from toolkit.definition import SearchAttribute
from toolkit.document import Value
from toolkit.resources import schema_dir


class IndexKind(Enum):
    """`ordered`: index with the list order behind the column. `none`: no index of its own."""

    ORDERED = "ordered"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """Generated column of an attribute; `{path}` in `value` stands for its JSON path as a literal."""

    type: str
    value: str
    stored: bool
    index: IndexKind


@dataclass(frozen=True, slots=True)
class SearchRule:
    """A full-text table: the attribute type whose columns it has, and how it cuts their values into words."""

    name: str
    type: AttributeType
    tokenizer: str


@dataclass(frozen=True, slots=True)
class Triggers:
    """Names of the triggers that keep the full-text tables in step."""

    insert: str
    update: str
    delete: str


@dataclass(frozen=True, slots=True)
class _Exception:
    stored: bool | None
    index: IndexKind | None


@dataclass(frozen=True, slots=True)
class Profile:
    """All rules together."""

    table: str
    columns: Mapping[str, str]
    fields: Mapping[FieldType, str]
    attributes: Mapping[AttributeType, AttributeRule]
    exceptions: Mapping[str, _Exception]
    search: tuple[SearchRule, ...]
    triggers: Triggers

    def rule(self, attribute: SearchAttribute) -> AttributeRule:
        """The rule of the attribute's type, with what is special about this attribute."""
        usual = self.attributes[attribute.type]
        special = self.exceptions.get(attribute.name)
        if special is None:
            return usual
        stored = usual.stored if special.stored is None else special.stored
        return replace(usual, stored=stored, index=special.index or usual.index)


@cache
def profile() -> Profile:
    """The rules of this installation. Raises DefinitionError when the file is broken."""
    return document.read(schema_dir() / "sql" / "sqlite.yaml", _decode)


def _decode(root: Value) -> Profile:
    parts = root.members(("table", "columns", "fields", "attributes", "exceptions", "search", "triggers"))
    fields = parts["fields"].members([kind.value for kind in FieldType])
    attributes = parts["attributes"].members([kind.value for kind in AttributeType])
    return Profile(
        table=parts["table"].text(),
        columns={name: value.text() for name, _, value in parts["columns"].items()},
        fields={kind: fields[kind.value].text() for kind in FieldType},
        attributes={kind: _attribute(attributes[kind.value]) for kind in AttributeType},
        exceptions={name: _exception(value) for name, _, value in parts["exceptions"].items()},
        search=tuple(_search(name, value) for name, _, value in parts["search"].items()),
        triggers=_triggers(parts["triggers"]),
    )


def _attribute(value: Value) -> AttributeRule:
    parts = value.members(("type", "value", "stored", "index"))
    return AttributeRule(
        type=parts["type"].text(),
        value=parts["value"].text(),
        stored=parts["stored"].boolean(),
        index=parts["index"].one_of(IndexKind),
    )


def _exception(value: Value) -> _Exception:
    parts = value.members((), ("stored", "index"))
    return _Exception(
        stored=parts["stored"].boolean() if "stored" in parts else None,
        index=parts["index"].one_of(IndexKind) if "index" in parts else None,
    )


def _search(name: str, value: Value) -> SearchRule:
    parts = value.members(("type", "tokenizer"))
    return SearchRule(name, parts["type"].one_of(AttributeType), parts["tokenizer"].text())


def _triggers(value: Value) -> Triggers:
    parts = value.members(("insert", "update", "delete"))
    return Triggers(parts["insert"].text(), parts["update"].text(), parts["delete"].text())
