"""ClickHouse in this process: a table with one column, whose type is changed by ALTER."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect

from tests.support.type_changes.base import NAME, Refusal, Type, attribute, number
from tests.support.type_values import Holds
from toolkit.engines.clickhouse import layout as clickhouse_layout
from toolkit.engines.clickhouse import render as clickhouse_render
from toolkit.engines.clickhouse import rows as clickhouse_rows
from toolkit.engines.clickhouse.typemap import profile as clickhouse_profile
from toolkit.engines.physical import Column
from toolkit.records import AttributeValue, Moment


class Chdb:
    """A table with one column, whose type is changed by ALTER."""

    name = "clickhouse"

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._client = clickhouse_connect.get_client(
            interface="chdb", path=place.netloc + place.path, database="visibility", settings={"mutations_sync": 2}
        )

    def write(self, kind: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        self._create(kind, values)
        return self._read(kind)

    def change(self, before: Type, after: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        self._create(before, values)
        column = self._column(after)
        self._do(f"ALTER TABLE t {clickhouse_render.modify_column(column)}")
        return self._read(after)

    def storable(self, kind: Type, values: Sequence[AttributeValue]) -> list[AttributeValue]:
        self.write(kind, values)
        return list(values)

    def _column(self, kind: Type) -> Column:
        rule = clickhouse_profile().attribute_rule(attribute(kind))
        return clickhouse_layout._column(clickhouse_layout.attribute_column(NAME), rule, None, NAME, True)

    def _create(self, kind: Type, values: Sequence[AttributeValue]) -> None:
        column = self._column(kind)
        self._do(
            "DROP TABLE IF EXISTS t",
            f"CREATE TABLE t (number Int32, {clickhouse_render.identifier(column.name)} {column.ddl}) "
            "ENGINE = MergeTree ORDER BY number",
        )
        part = clickhouse_rows._attribute_part(attribute(kind), clickhouse_profile())
        try:
            data = [list(range(len(values))), [part.encode(value) for value in values]]
            self._client.insert("t", data, ["number", column.name], column_oriented=True,
                                column_type_names=["Int32", part.type])  # fmt: skip
        except Exception as error:
            raise Refusal(f"write: {error}") from None

    def _do(self, *statements: str) -> None:
        try:
            for statement in statements:
                self._client.command(statement)
        except Exception as error:
            raise Refusal(str(error)) from None

    def _read(self, kind: Type) -> list[Holds]:
        column = clickhouse_layout.attribute_column(NAME)
        shown = f"toUnixTimestamp64Micro({column})" if kind is Type.DATETIME else column
        rows = self._client.query(f"SELECT {shown} AS v FROM t ORDER BY number").result_rows
        return [self._held(kind, value) for (value,) in rows]

    def _held(self, kind: Type, value: Any) -> Holds:
        match kind:
            case _ if value is None:
                return None
            case Type.KEYWORD_LIST:
                return tuple(value)
            case Type.DATETIME:
                return Moment(value * 1000)
            case Type.INT:
                return number(value)
            case Type.DOUBLE:
                return number(repr(value))
            case _:
                return value  # type: ignore[no-any-return]

    def close(self) -> None:
        self._client.close()
