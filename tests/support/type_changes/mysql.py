"""MySQL: a table like `custom_search_attributes`, with its one column and index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pymysql

from tests.support.type_changes.base import NAME, Refusal, Type, attribute, document, listed, number, taken
from tests.support.type_values import Holds
from toolkit.attributes import Group
from toolkit.engines.mysql import layout as mysql_layout
from toolkit.engines.mysql.connection import unchecked
from toolkit.engines.mysql.typemap import profile as mysql_profile
from toolkit.records import AttributeValue, Moment, nanoseconds


class MySql:
    """A table like `custom_search_attributes`, with its one column and index."""

    name = "mysql"

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = pymysql.connect(
            host=parts.hostname or "",
            port=parts.port or 0,
            user=parts.username,
            password=parts.password or "",
            database=parts.path[1:],
            autocommit=True,
            charset="utf8mb4",
            ssl=unchecked(),
        )

    def write(self, kind: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        self._create(kind, values)
        return self._read(kind)

    def change(self, before: Type, after: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        self._create(before, values)
        column, index = self._parts(after)
        kind = "FULLTEXT INDEX" if index.kind == "fulltext" else "INDEX"
        self._do(
            f"ALTER TABLE t DROP INDEX by_probe, DROP COLUMN `{NAME}`",
            f"ALTER TABLE t ADD COLUMN `{NAME}` {column.ddl}",
            f"CREATE {kind} by_probe ON t {index.ddl}",
        )
        return self._read(after)

    def _parts(self, kind: Type) -> Any:
        rules = mysql_profile()
        table = next(rule for rule in rules.tables if rule.group is Group.CUSTOM)
        return (
            mysql_layout._attribute_column(attribute(kind), rules),
            mysql_layout._attribute_index(attribute(kind), "by_probe", table, rules),
        )

    def _create(self, kind: Type, values: Sequence[AttributeValue]) -> None:
        column, index = self._parts(kind)
        word = "FULLTEXT INDEX" if index.kind == "fulltext" else "INDEX"
        self._do(
            "DROP TABLE IF EXISTS t",
            "CREATE TABLE t (number INT PRIMARY KEY, namespace_id CHAR(64) DEFAULT 'n', search_attributes JSON, "
            f"`{NAME}` {column.ddl}, {word} by_probe {index.ddl})",
        )
        for place, value in enumerate(values):
            self._insert(place, value)

    def _insert(self, place: int, value: AttributeValue) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("INSERT INTO t (number, search_attributes) VALUES (%s, %s)", (place, document(value)))
        except pymysql.Error as error:
            raise Refusal(f"write: {error}") from None

    def storable(self, kind: Type, values: Sequence[AttributeValue]) -> list[AttributeValue]:
        self._create(kind, ())
        return taken(values, self._insert)

    def _do(self, *statements: str) -> None:
        try:
            with self._connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        except pymysql.Error as error:
            raise Refusal(str(error)) from None

    def _read(self, kind: Type) -> list[Holds]:
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT `{NAME}` FROM t ORDER BY number")
            return [self._held(kind, value) for (value,) in cursor.fetchall()]

    def _held(self, kind: Type, value: Any) -> Holds:
        match kind:
            case _ if value is None:
                return None
            case Type.KEYWORD_LIST:
                # MEMBER OF takes a single text for a list of one.
                found = json.loads(value)
                return listed([found] if isinstance(found, str) else found)
            case Type.DATETIME:
                return Moment(nanoseconds(value))
            case Type.BOOL:
                return bool(value) if value in (0, 1) else number(value)
            case Type.INT | Type.DOUBLE:
                return number(value)
            case _:
                return value  # type: ignore[no-any-return]

    def close(self) -> None:
        self._connection.close()
