"""PostgreSQL: a table with the JSON map, and generated columns as the profile has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import psycopg

from tests.support.type_changes.base import Refusal, Type, attribute, document, listed, number, taken
from tests.support.type_values import Holds
from toolkit.engines.postgresql import layout as postgresql_layout
from toolkit.engines.postgresql.render import create_function
from toolkit.engines.postgresql.typemap import profile as postgresql_profile
from toolkit.records import AttributeValue, Moment


class Postgres:
    """A table with the JSON map, and generated columns as the profile has them."""

    name = "postgresql"

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
        self._connection.execute(create_function().text)

    def write(self, kind: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        column = self._create(kind, values)
        return self._read(kind, column)

    def change(self, before: Type, after: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        self._create(before, values)
        column = postgresql_layout._attribute_column(attribute(after), postgresql_profile())
        self._do(
            f"ALTER TABLE t DROP COLUMN {column.name}",
            f"ALTER TABLE t ADD COLUMN {column.name} {column.ddl}",
            self._index(after),
        )
        return self._read(after, column.name)

    def _index(self, kind: Type) -> str:
        index = postgresql_layout._attribute_index(attribute(kind), "by_probe", postgresql_profile())
        return f"CREATE INDEX by_probe ON t {index.ddl}"

    def _create(self, kind: Type, values: Sequence[AttributeValue]) -> str:
        column = postgresql_layout._attribute_column(attribute(kind), postgresql_profile())
        self._do(
            "DROP TABLE IF EXISTS t",
            "CREATE TABLE t (number INT PRIMARY KEY, namespace_id CHAR(64) DEFAULT 'n', run_id CHAR(64) DEFAULT 'r', "
            "start_time TIMESTAMP DEFAULT '2026-01-01', close_time TIMESTAMP, search_attributes JSONB, "
            f"{column.name} {column.ddl})",
            self._index(kind),
        )
        for place, value in enumerate(values):
            self._insert(place, value)
        return column.name

    def _insert(self, place: int, value: AttributeValue) -> None:
        try:
            insert = "INSERT INTO t (number, search_attributes) VALUES (%s, %s)"
            self._connection.execute(insert, (place, document(value)))
        except psycopg.Error as error:
            raise Refusal(f"write: {error}") from None

    def storable(self, kind: Type, values: Sequence[AttributeValue]) -> list[AttributeValue]:
        self._create(kind, ())
        return taken(values, self._insert)

    def _do(self, *statements: str) -> None:
        try:
            for statement in statements:
                self._connection.execute(statement)
        except psycopg.Error as error:
            raise Refusal(str(error).strip()) from None

    def _read(self, kind: Type, column: str) -> list[Holds]:
        shown = f"tsvector_to_array({column})" if kind is Type.TEXT else column
        if kind is Type.KEYWORD_LIST:
            shown = f"{column}::text"
        if kind is Type.DATETIME:
            shown = f"(extract(epoch FROM {column}) * 1000000)::bigint::text"
        found = self._connection.execute(f"SELECT {shown} FROM t ORDER BY number").fetchall()
        return [self._held(kind, value) for (value,) in found]

    def _held(self, kind: Type, value: Any) -> Holds:
        match kind:
            case _ if value is None:
                return None
            case Type.TEXT:
                return frozenset(value)
            case Type.KEYWORD_LIST:
                return listed(json.loads(value))
            case Type.DATETIME:
                return Moment(int(value) * 1000)
            case Type.INT | Type.DOUBLE:
                return number(value)
            case _:
                return value  # type: ignore[no-any-return]

    def close(self) -> None:
        self._connection.close()
