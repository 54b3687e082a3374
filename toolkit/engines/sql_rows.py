"""Records as rows of a SQL engine's main table, both ways, for drivers that speak `datetime` and JSON.

Pure; times are UTC without zone and cut to microseconds, as Temporal's server stores them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.attributes import AttributeType, Family, FieldType
from toolkit.definition import Definition, Field
from toolkit.engines.attribute_json import from_json, to_json
from toolkit.records import MEMBERS, Record, moment, nanoseconds


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that hold the fields of one definition, in its order, and the types of its attributes."""

    fields: tuple[Field, ...]
    names: tuple[str, ...]
    types: Mapping[str, AttributeType]

    @staticmethod
    def of(definition: Definition, column_name: Callable[[str], str]) -> Columns:
        """The columns of `definition`; `column_name` gives the column of a field."""
        fields = definition.on(Family.SQL).fields
        types = {a.name: a.type for a in definition.attributes}
        return Columns(fields, tuple(column_name(f.name) for f in fields), types)

    def values(self, record: Record) -> list[object]:
        """The row of `record`, in the order of `names`."""
        return [_value(field, record) for field in self.fields]

    def record(self, row: Mapping[str, Any]) -> Record:
        """The record in `row`; CHAR columns lose the blanks that pad them, absent roots are empty texts."""
        members: dict[str, Any] = {"encoding": ""}
        for field, column in zip(self.fields, self.names, strict=True):
            value = row[column]
            match field.type:
                case FieldType.ATTRIBUTES:
                    parsed = json.loads(value) if isinstance(value, str) else value
                    members["attributes"] = from_json(parsed or {}, self.types)
                    continue
                case FieldType.DATETIME:
                    value = None if value is None else nanoseconds(value)
                case FieldType.ID:
                    value = value.rstrip(" ")
                case FieldType.BYTES:
                    value = None if value is None else bytes(value)
                case FieldType.KEYWORD | FieldType.LABEL | FieldType.STATUS | FieldType.INT:
                    pass
            members[MEMBERS[field.name]] = value
        for name in ("root_workflow_id", "root_run_id"):
            if members.get(name, "") is None:
                members[name] = ""
        return Record(**members)


def _value(field: Field, record: Record) -> object:
    if field.type is FieldType.ATTRIBUTES:
        return json.dumps(to_json(record.attributes), ensure_ascii=False) if record.attributes else None
    value = getattr(record, MEMBERS[field.name])
    if field.type is FieldType.DATETIME and value is not None:
        return moment(value).replace(tzinfo=None)
    return value
