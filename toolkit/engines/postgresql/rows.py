"""Records as rows of PostgreSQL's table, with the statements that carry them.

Pure; the values themselves are converted by `sql_rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.definition import Definition
from toolkit.engines.postgresql.layout import PRIMARY_KEY, column_name
from toolkit.engines.postgresql.render import identifier
from toolkit.engines.postgresql.typemap import Profile
from toolkit.engines.sql_rows import Columns
from toolkit.records import Record

_STAGING = "temporal_visibility_batch"
_VERSION = "_version"


@dataclass(frozen=True, slots=True)
class Form:
    """The statements and conversions for one definition."""

    columns: Columns
    staging: str
    clear: str
    copy: str
    merge: str
    delete: str
    select: str

    @staticmethod
    def of(definition: Definition, rules: Profile) -> Form:
        """The form of `definition`."""
        columns = Columns.of(definition, lambda name: column_name(name, rules))
        changing = [identifier(c) for c in columns.names if c not in PRIMARY_KEY]
        listed = ", ".join(identifier(c) for c in columns.names)
        table, staging = identifier(rules.table), identifier(_STAGING)
        keys = ", ".join(identifier(k) for k in PRIMARY_KEY)
        updates = ", ".join(f"{c} = excluded.{c}" for c in changing)
        newer = f" WHERE {table}.{_VERSION} < excluded.{_VERSION}" if _VERSION in columns.names else ""
        return Form(
            columns=columns,
            staging=f"CREATE TEMPORARY TABLE IF NOT EXISTS {staging} AS SELECT {listed} FROM {table} WITH NO DATA",
            clear=f"TRUNCATE {staging}",
            copy=f"COPY {staging} ({listed}) FROM STDIN",
            merge=f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {staging} "
            f"ON CONFLICT ({keys}) DO UPDATE SET {updates}{newer}",
            delete=f"DELETE FROM {table} WHERE namespace_id = %s AND run_id = %s",
            select=f"SELECT {listed} FROM {table}",
        )

    def values(self, record: Record) -> list[object]:
        """The row of `record`, as `copy` takes it."""
        return self.columns.values(record)

    def record(self, row: Mapping[str, Any]) -> Record:
        """The record in `row`."""
        return self.columns.record(row)
