"""SQLite: a table with the JSON map, and generated columns as the profile has them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from tests.support.type_changes.base import NAME, Refusal, Type, document, number, taken
from tests.support.type_values import Holds
from toolkit.engines.attribute_json import parse_rfc3339
from toolkit.engines.sqlite.render import path
from toolkit.engines.sqlite.rows import SEPARATOR
from toolkit.engines.sqlite.typemap import profile as sqlite_profile
from toolkit.records import AttributeValue, Moment


def moment(text: str) -> Holds:
    """A time, or the text itself when it is none."""
    try:
        return Moment(parse_rfc3339(text))
    except ValueError:
        return text


class Sqlite:
    """A table with the JSON map, and generated columns as the profile has them."""

    name = "sqlite"

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(":memory:")

    def write(self, kind: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        self._create(kind, values, kind)
        return self._read(kind)

    def change(self, before: Type, after: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        """A stored column comes by copying the table: the copy is the change."""
        self._create(before, values, after)
        return self._read(after)

    def storable(self, kind: Type, values: Sequence[AttributeValue]) -> list[AttributeValue]:
        return taken(values, lambda _, value: self.write(kind, [value]) and None)

    def _create(self, kind: Type, values: Sequence[AttributeValue], after: Type) -> None:
        try:
            for name, each in (("a", kind), ("b", after)):
                rule = sqlite_profile().attributes[each]
                value = rule.value.replace("{path}", path(NAME))
                kept = "STORED" if rule.stored else "VIRTUAL"
                self._connection.execute(f"DROP TABLE IF EXISTS {name}")
                self._connection.execute(
                    f"CREATE TABLE {name} (number INT PRIMARY KEY, search_attributes TEXT, "
                    f"{NAME} {rule.type} GENERATED ALWAYS AS ({value}) {kept})"
                )
                self._connection.execute(f"CREATE INDEX by_{name} ON {name} ({NAME})")
            for place, given in enumerate(values):
                joined = SEPARATOR.join(given) if isinstance(given, tuple) else given
                self._connection.execute(
                    "INSERT INTO a (number, search_attributes) VALUES (?, ?)", (place, document(joined))
                )
            self._connection.execute(
                "INSERT INTO b (number, search_attributes) SELECT number, search_attributes FROM a"
            )
        except sqlite3.Error as error:
            raise Refusal(str(error)) from None

    def _read(self, kind: Type) -> list[Holds]:
        rows = self._connection.execute(f"SELECT typeof({NAME}), {NAME} FROM b ORDER BY number").fetchall()
        return [self._held(kind, name, value) for name, value in rows]

    def _held(self, kind: Type, name: str, value: Any) -> Holds:
        match kind, name:
            case _, "null":
                return None
            case Type.KEYWORD_LIST, "text":
                return tuple(value.split(SEPARATOR))
            case Type.DATETIME, "text":
                return moment(value)
            case Type.BOOL, "integer" if value in (0, 1):
                return bool(value)
            case Type.INT, "integer":
                return number(value)
            case Type.DOUBLE, "integer" | "real":
                return number(value)
            case ((Type.KEYWORD | Type.TEXT), "text"):
                return str(value)
            case _:
                return f"{name}: {value}"

    def close(self) -> None:
        self._connection.close()
