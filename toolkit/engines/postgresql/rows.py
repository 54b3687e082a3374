"""Records as rows of PostgreSQL's table, both ways, with the statements that carry them.

Pure; times are stored as UTC without zone and cut to microseconds, as Temporal's server does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.attributes import AttributeType, Family, FieldType
from toolkit.definition import Definition, Field
from toolkit.engines.attribute_json import from_json, to_json
from toolkit.engines.postgresql.layout import PRIMARY_KEY, column_name
from toolkit.engines.postgresql.render import identifier
from toolkit.engines.postgresql.typemap import Profile
from toolkit.records import MEMBERS, Record, moment, nanoseconds

_STAGING = "temporal_visibility_batch"
_VERSION = "_version"


@dataclass(frozen=True, slots=True)
class Form:
    """The statements and conversions for one definition."""

    fields: tuple[Field, ...]
    columns: tuple[str, ...]
    types: Mapping[str, AttributeType]
    staging: str
    clear: str
    copy: str
    merge: str
    delete: str
    select: str

    @staticmethod
    def of(definition: Definition, rules: Profile) -> Form:
        """The form of `definition`."""
        fields = definition.on(Family.SQL).fields
        columns = tuple(column_name(f.name, rules) for f in fields)
        listed = ", ".join(identifier(c) for c in columns)
        table, staging = identifier(rules.table), identifier(_STAGING)
        keys = ", ".join(identifier(k) for k in PRIMARY_KEY)
        updates = ", ".join(f"{identifier(c)} = excluded.{identifier(c)}" for c in columns if c not in PRIMARY_KEY)
        newer = f" WHERE {table}.{_VERSION} < excluded.{_VERSION}" if _VERSION in columns else ""
        return Form(
            fields=fields,
            columns=columns,
            types={a.name: a.type for a in definition.attributes},
            staging=f"CREATE TEMPORARY TABLE IF NOT EXISTS {staging} AS SELECT {listed} FROM {table} WITH NO DATA",
            clear=f"TRUNCATE {staging}",
            copy=f"COPY {staging} ({listed}) FROM STDIN",
            merge=f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {staging} "
            f"ON CONFLICT ({keys}) DO UPDATE SET {updates}{newer}",
            delete=f"DELETE FROM {table} WHERE namespace_id = %s AND run_id = %s",
            select=f"SELECT {listed} FROM {table}",
        )

    def values(self, record: Record) -> list[object]:
        """The row of `record`, in the order of `columns`."""
        return [self._value(field, record) for field in self.fields]

    def _value(self, field: Field, record: Record) -> object:
        if field.type is FieldType.ATTRIBUTES:
            return json.dumps(to_json(record.attributes), ensure_ascii=False) if record.attributes else None
        value = getattr(record, MEMBERS[field.name])
        if field.type is FieldType.DATETIME and value is not None:
            return moment(value).replace(tzinfo=None)
        return value

    def record(self, row: Mapping[str, Any]) -> Record:
        """The record in `row`; CHAR columns lose the blanks PostgreSQL pads them with."""
        members: dict[str, Any] = {"encoding": ""}
        for field, column in zip(self.fields, self.columns, strict=True):
            value = row[column]
            match field.type:
                case FieldType.ATTRIBUTES:
                    members["attributes"] = from_json(value or {}, self.types)
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
        if members.get("root_workflow_id", "") is None:
            members["root_workflow_id"] = ""
        if members.get("root_run_id", "") is None:
            members["root_run_id"] = ""
        return Record(**members)
