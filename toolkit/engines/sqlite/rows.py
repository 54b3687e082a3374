"""Records as rows of SQLite's table, both ways, with the statements that carry them.

Pure; times are text in UTC, cut to microseconds, in the form Temporal's server writes and its indexes sort by.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.attributes import AttributeType, Family, FieldType
from toolkit.catalog import Json
from toolkit.definition import Definition, Field
from toolkit.engines.attribute_json import from_json, parse_rfc3339, to_json
from toolkit.engines.sqlite.layout import PRIMARY_KEY, column_name
from toolkit.engines.sqlite.render import identifier, listed
from toolkit.engines.sqlite.typemap import Profile
from toolkit.records import MEMBERS, AttributeValue, Deletion, Moment, Record, moment

_VERSION = "_version"
# Between the elements of a KeywordList, which SQLite keeps as one text. A list that has the sign inside an element
# comes back as two elements: so it is in Temporal's own server.
SEPARATOR = "♡"
# Columns that were nullable for one version (1.5); null and '' mean the same.
_TEXTS = ("root_workflow_id", "root_run_id")


@dataclass(frozen=True, slots=True)
class Form:
    """The statements and conversions for one definition."""

    fields: tuple[Field, ...]
    types: Mapping[str, AttributeType]
    lists: frozenset[str]
    merge: str
    delete: str
    select: str

    @staticmethod
    def of(definition: Definition, rules: Profile) -> Form:
        """The form of `definition`."""
        fields = definition.on(Family.SQL).fields
        columns = tuple(column_name(f.name, rules) for f in fields)
        table = identifier(rules.table)
        updates = ", ".join(f"{identifier(c)} = excluded.{identifier(c)}" for c in columns if c not in PRIMARY_KEY)
        newer = f" WHERE {table}.{_VERSION} < excluded.{_VERSION}" if _VERSION in columns else ""
        types = {a.name: a.type for a in definition.attributes}
        return Form(
            fields=fields,
            types=types,
            lists=frozenset(name for name, kind in types.items() if kind is AttributeType.KEYWORD_LIST),
            merge=f"INSERT INTO {table} ({listed(columns)}) VALUES ({', '.join('?' for _ in columns)}) "
            f"ON CONFLICT ({listed(PRIMARY_KEY)}) DO UPDATE SET {updates}{newer}",
            delete=f"DELETE FROM {table} WHERE namespace_id = ? AND run_id = ?",
            select=f"SELECT {listed(columns)} FROM {table}",
        )

    def values(self, record: Record) -> list[object]:
        """The row of `record`, in the order of the columns."""
        return [self._value(field, record) for field in self.fields]

    def key(self, deletion: Deletion) -> tuple[str, str]:
        """The parameters of `delete`."""
        return deletion.namespace_id, deletion.run_id

    def _value(self, field: Field, record: Record) -> object:
        if field.type is FieldType.ATTRIBUTES:
            return _document(record.attributes) if record.attributes else None
        value = getattr(record, MEMBERS[field.name])
        return timestamp(value) if field.type is FieldType.DATETIME and value is not None else value

    def record(self, row: Sequence[Any]) -> Record:
        """The record in `row`, columns in the order of `select`."""
        members: dict[str, Any] = {"encoding": ""}
        for field, value in zip(self.fields, row, strict=True):
            if field.type is FieldType.ATTRIBUTES:
                members["attributes"] = self._attributes(value)
            elif field.type is FieldType.DATETIME and value is not None:
                members[MEMBERS[field.name]] = parse_rfc3339(value)
            else:
                members[MEMBERS[field.name]] = value
        return Record(**members | {name: members.get(name) or "" for name in _TEXTS})

    def _attributes(self, text: str | None) -> dict[str, AttributeValue]:
        found: dict[str, Json] = json.loads(text) if text else {}
        split = {name: _split(value) if name in self.lists else value for name, value in found.items()}
        return from_json(split, self.types)


def _document(attributes: Mapping[str, AttributeValue]) -> str:
    joined = {name: SEPARATOR.join(map(str, v)) if isinstance(v, tuple) else v for name, v in attributes.items()}
    return json.dumps(to_json(joined), ensure_ascii=False, separators=(",", ":"))


def _split(value: Json) -> Json:
    return [*value.split(SEPARATOR)] if isinstance(value, str) else value


def is_fine(record: Record) -> bool:
    """Whether a time among the attributes has more than the milliseconds that columns keep."""
    return any(isinstance(value, Moment) and value.nanoseconds % 1_000_000 for value in record.attributes.values())


def timestamp(nanoseconds: int) -> str:
    """`2026-01-31 23:59:59.5+00:00`: a blank for the T, no zeros behind the last digit of the fraction."""
    text, point, fraction = moment(nanoseconds).replace(tzinfo=None).isoformat(" ").partition(".")
    return f"{text}{point}{fraction.rstrip('0')}+00:00"
