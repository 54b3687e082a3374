"""One connection to ClickHouse: what is asked over it, and errors as the user's.

It runs what it is given and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from toolkit.engines.clickhouse import refusals
from toolkit.engines.clickhouse.connection import Connection
from toolkit.errors import EngineError
from toolkit.targets import Target

Values = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Session:
    """`target`: whose it is, for the words of an error."""

    connection: Connection
    target: Target

    def ask(self, query: str, values: Values | None = None) -> list[dict[str, Any]]:
        """The rows of a query. Raises EngineError."""
        return self.asked(query, dict(values) if values else None)

    def asked(self, query: str, values: dict[str, Any] | None, **options: Any) -> list[dict[str, Any]]:
        """As `ask`, with the driver's own `options`."""
        try:
            answer = self.connection.query(query, values, **options)
        except (ClickHouseError, OSError) as error:
            raise self.failed(error) from None
        return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]

    def command(self, text: str, values: Values | None = None) -> str:
        """Run a statement; what it says is no result set. Raises EngineError."""
        try:
            return str(self.connection.command(text, dict(values) if values else None))
        except (ClickHouseError, OSError) as error:
            raise self.failed(error) from None

    def failed(self, error: Exception) -> EngineError:
        """The user's error for the driver's."""
        return refusals.coded(error, self.target)

    def close(self) -> None:
        """Close the connection; one that is lost is no error."""
        with suppress(Exception):
            self.connection.close()
