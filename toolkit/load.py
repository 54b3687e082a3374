"""YAML → Definition: what a version file means, with an error at file, line and column when it means nothing.

It reads files through `document` and decides nothing about engines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from toolkit import document
from toolkit.attributes import RESERVED_NAMES, AttributeType, Family, FieldType, Group, name_problem
from toolkit.definition import (
    ALL_FAMILIES,
    LIST_ORDER,
    USUAL_STORES,
    Definition,
    Field,
    Header,
    Index,
    IndexKey,
    Labels,
    SearchAttribute,
    default_index_name,
    names,
    version_key,
)
from toolkit.document import Value
from toolkit.errors import DefinitionError, VersionError

# More than any engine can hold in one table (MySQL: 1017 columns, PostgreSQL: 1600, Elasticsearch: 1000 fields).
MAX_ENTRIES = 1000


def load(path: Path) -> Definition:
    """The definition in the file at `path`. Raises DefinitionError."""
    return document.read(path, decode)


def loads(text: str, file: str = "<text>") -> Definition:
    """The definition written in `text`; `file` is only for messages. Raises DefinitionError."""
    return document.parse(text, file, decode)


def load_header(path: Path) -> Header:
    """What the file at `path` says of its version; what comes behind is not read. Raises DefinitionError."""
    return document.read(path, _header, until="fields")


def _header(root: Value) -> Header:
    parts = root.members(("version", "summary", "servers", "labels"))
    servers = parts["servers"].text()
    return Header(_version(parts["version"]), one_line(parts["summary"].text()), servers, _labels(parts["labels"]))


def one_line(summary: str) -> str:
    """A summary without line ends: it stands in comments of scripts, which end with the line."""
    return " ".join(summary.split())


def decode(root: Value) -> Definition:
    """The definition a document holds."""
    parts = root.members(("version", "summary", "servers", "labels", "fields"), ("attributes", "indexes"))
    labels = _labels(parts["labels"])
    definition = Definition(
        version=_version(parts["version"]),
        summary=one_line(parts["summary"].text()),
        servers=parts["servers"].text(),
        labels=labels,
        fields=_each(parts["fields"], lambda name, value: _field(name, value, labels)),
        attributes=_attributes(parts["attributes"], labels) if "attributes" in parts else (),
        indexes=(),
    )
    if "indexes" in parts:
        indexes = _each(parts["indexes"], lambda name, value: _index(name, value, definition))
        definition = replace(definition, indexes=indexes)
    _refuse_clashes(list(names(definition)), "fields", root)
    singles = [*(f.index for f in definition.fields), *(a.index for a in definition.attributes)]
    _refuse_clashes([i for i in singles if i] + [i.name for i in definition.indexes], "indexes", root)
    return definition


def _version(value: Value) -> str:
    try:
        version_key(value.text())
    except VersionError as error:
        raise value.error("TV1010", error.message, error.hint) from None
    return value.text()


def _labels(value: Value) -> Labels:
    parts = value.members(("sql", "elasticsearch", "clickhouse"))
    one = {name: None if parts[name].is_null() else _label(parts[name]) for name in ("sql", "clickhouse")}
    several = tuple(_label(label) for label in parts["elasticsearch"].list())
    if len(set(several)) != len(several):
        raise parts["elasticsearch"].error("TV1004", "a label is given twice")
    return Labels(one["sql"], several, one["clickhouse"])


def _label(value: Value) -> str:
    text = value.text()
    if not text.removeprefix("v").replace(".", "").isalnum() or not text.isascii() or len(text) > 20:
        raise value.error("TV1010", f"{text[:60]!r} is not a version label", "Labels look like 1.13 or v13.")
    return text


def _each(value: Value, decode_one: Callable[[str, Value], document._T]) -> tuple[document._T, ...]:
    found = []
    for name, key, member in value.items():
        if problem := name_problem(name):
            raise key.error("TV1011", f"{name[:60]!r} cannot be a name: {problem}")
        found.append(decode_one(name, member))
        if len(found) > MAX_ENTRIES:
            raise key.error("TV1012", f"more than {MAX_ENTRIES} entries")
    return tuple(found)


def _field(name: str, value: Value, labels: Labels) -> Field:
    if not value.is_mapping():
        return Field(name, value.one_of(FieldType))
    parts = value.members(("type",), ("required", "default", "index", "stores", "since", "renamed_from"))
    return Field(
        name,
        parts["type"].one_of(FieldType),
        required=parts["required"].boolean() if "required" in parts else False,
        default=_default(parts["default"], parts["type"].one_of(FieldType)) if "default" in parts else None,
        index=_index_name(name, parts["index"]) if "index" in parts else None,
        stores=_stores(parts["stores"]) if "stores" in parts else ALL_FAMILIES,
        since=_since(parts["since"], labels) if "since" in parts else None,
        renamed_from=_former(parts["renamed_from"]) if "renamed_from" in parts else None,
    )


def _default(value: Value, kind: FieldType) -> str | int:
    match kind:
        case FieldType.INT | FieldType.STATUS:
            return value.integer()
        case FieldType.KEYWORD | FieldType.LABEL | FieldType.ID:
            text = value.text()
            if len(text) > 64 or not text.isprintable():
                raise value.error("TV1013", "a default is at most 64 printable characters")
            return text
        case FieldType.DATETIME | FieldType.BYTES | FieldType.ATTRIBUTES:
            raise value.error("TV1013", f"a field of type {kind.value} cannot have a default")


def _attributes(value: Value, labels: Labels) -> tuple[SearchAttribute, ...]:
    groups = value.members((), [group.value for group in Group])
    found: list[SearchAttribute] = []
    for group in Group:
        if group.value in groups:
            found += _each(groups[group.value], lambda name, one, group=group: _attribute(name, one, group, labels))  # type: ignore[misc]
    return tuple(found)


def _attribute(name: str, value: Value, group: Group, labels: Labels) -> SearchAttribute:
    if name in RESERVED_NAMES:
        raise value.error("TV1011", f"{name!r} is a name Temporal keeps for itself")
    if not value.is_mapping():
        return SearchAttribute(name, value.one_of(AttributeType), group, default_index_name(name), USUAL_STORES[group])
    parts = value.members(("type",), ("index", "stores", "since", "renamed_from"))
    return SearchAttribute(
        name,
        parts["type"].one_of(AttributeType),
        group,
        index=_index_name(name, parts["index"]) if "index" in parts else default_index_name(name),
        stores=_stores(parts["stores"]) if "stores" in parts else USUAL_STORES[group],
        since=_since(parts["since"], labels) if "since" in parts else None,
        renamed_from=_former(parts["renamed_from"]) if "renamed_from" in parts else None,
    )


def _index_name(name: str, value: Value) -> str | None:
    """`index: true` means the usual name, `false` no index, a text the index's own name."""
    try:
        return default_index_name(name) if value.boolean() else None
    except DefinitionError:
        return _former(value)


def _former(value: Value) -> str:
    text = value.text()
    if problem := name_problem(text):
        raise value.error("TV1011", f"{text[:60]!r} cannot be a name: {problem}")
    return text


def _stores(value: Value) -> frozenset[Family]:
    return frozenset(element.one_of(Family) for element in value.list())


def _since(value: Value, labels: Labels) -> str:
    text = value.text()
    if text not in labels.elasticsearch:
        raise value.error("TV1014", f"{text[:60]!r} is not an Elasticsearch label of this version")
    return text


def _index(name: str, value: Value, definition: Definition) -> Index:
    keys = tuple(_index_key(element, definition) for element in value.list())
    if not keys:
        raise value.error("TV1015", "an index needs at least one key")
    return Index(name, keys)


def _index_key(value: Value, definition: Definition) -> IndexKey:
    words = value.text().split()
    if len(words) not in (1, 2) or words[1:] not in ([], ["desc"]):
        raise value.error(
            "TV1015", f"{value.text()[:60]!r} is not an index key", "Write `StartTime` or `StartTime desc`."
        )
    if words[0] != LIST_ORDER and not definition.field(words[0]):
        raise value.error(
            "TV1015", f"there is no field {words[0][:60]!r}", f"Use a field of this file, or {LIST_ORDER}."
        )
    return IndexKey(words[0], len(words) == 2)


def _refuse_clashes(names: Sequence[str], what: str, root: Value) -> None:
    """Names that differ in case only are one name to PostgreSQL, MySQL and SQLite."""
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            raise root.error("TV1016", f"two {what} called {name!r} and {seen[name.lower()]!r} are one to SQL engines")
        seen[name.lower()] = name
