"""ClickHouse for tests of runs beside live writes: a writer, tables laid out otherwise, and what is left over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from tests.support.writing import NAMESPACE, Truth, Writer
from toolkit.engines import clickhouse as engine
from toolkit.engines.clickhouse.connection import opener
from toolkit.plan import Observed, Sql
from toolkit.sample import generate
from toolkit.targets import parse_url
from toolkit.versions import find

PATIENCE = 60.0
TABLE = "executions_visibility"
BOOKS = {f"temporal_visibility_{name}" for name in ("lock", "claims", "run", "journal", "throttle", "schema_version")}
# What stands in the place of the usual clauses, by name.
LAYOUTS = {
    "key": ("ORDER BY (namespace_id, start_time, run_id)", "ORDER BY (namespace_id, run_id, start_time)"),
    "workflow": ("ORDER BY (", "ORDER BY (workflow_id, "),
    "engine": ("ReplacingMergeTree(_version, is_deleted)", "MergeTree"),
    # Both can be chosen only while a table is made.
    "settings": ("ORDER BY (namespace_id, start_time, run_id)", "ORDER BY (namespace_id, run_id, start_time)\n"
                 "SETTINGS index_granularity = 1024, index_granularity_bytes = 1048576"),
    # Versions of a run are in several of them.
    "partition": ("ORDER BY (", "PARTITION BY toYYYYMM(ifNull(close_time, start_time))\nORDER BY ("),
}  # fmt: skip


class ClickHouseWriter(Writer):
    """Writes to ClickHouse as a writer of versions does: each write is an insert with a greater version."""

    def __init__(self, url: str, pause: float = 0.01, seed: int = 5) -> None:
        super().__init__(url, pause, seed)
        self._version = 0
        self.deleted: list[str] = []
        self._lock = threading.Lock()

    def open(self) -> Any:
        """See `Writer.open`."""
        return opener(parse_url(self.url, {}))()

    def insert(self, connection: Any, run: str, word: str) -> None:
        """See `Writer.insert`."""
        self.put(connection, run, 1, word)

    def update(self, connection: Any, run: str, word: str) -> None:
        """See `Writer.update`."""
        self.put(connection, run, 2, word)

    def delete(self, connection: Any, run: str) -> None:
        """See `Writer.delete`."""
        self.put(connection, run, 2, "", deleted=1)
        self.deleted.append(run)

    def put(
        self, connection: Any, run: str, status: int, word: str, deleted: int = 0, version: int | None = None
    ) -> None:
        """One row. The start time belongs to the run: it is the same in every version."""
        with self._lock:
            self._version += 1
        start = 1_700_000_000 + int(run[:6], 16) % 100_000
        close = "now64(6, 'UTC')" if status == 2 else "NULL"
        connection.command(
            f"INSERT INTO {TABLE} (namespace_id, run_id, start_time, execution_time, close_time, workflow_id,"
            " workflow_type_name, status, keyword01, _version, is_deleted) SELECT"
            f" '{NAMESPACE}', '{run}', toDateTime64({start}, 6, 'UTC'), toDateTime64({start}, 6, 'UTC'), {close},"
            f" 'w', 't', {status}, '{word}', {self._version if version is None else version}, {deleted}"
        )


class SturdyWriter(ClickHouseWriter):
    """A write that fails is sent again, the same version of it, until it is answered."""

    def put(
        self, connection: Any, run: str, status: int, word: str, deleted: int = 0, version: int | None = None
    ) -> None:
        """See `ClickHouseWriter.put`."""
        with self._lock:
            self._version += 1
            version = self._version if version is None else version
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return super().put(connection, run, status, word, deleted, version)
            except (ClickHouseError, OSError):
                assert time.monotonic() < deadline
                self._stop.wait(0.05)


USERS = """<clickhouse><profiles><default>{profile}</default></profiles><quotas><default></default></quotas>
<users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile>
<quota>default</quota><databases>{databases}</databases>{rights}</default></users></clickhouse>"""


def account(
    patch: pytest.MonkeyPatch, folder: Path, profile: str = "", databases: str = "", tables: str = "",
    rights: Sequence[str] = (),
) -> None:  # fmt: skip
    """From now on chDB's only account has the settings of `profile`, and the row policies of `databases`: both as in
    a server's users.xml. `tables`: settings that tables have unless they choose their own, as in its config.xml;
    `rights`: the account's only ones."""
    real = clickhouse_connect.get_client
    grants = "".join(f"<query>GRANT {right}</query>" for right in rights)
    granted = f"<grants>{grants}</grants>" if rights else ""
    (folder / "users.xml").write_text(USERS.format(profile=profile, databases=databases, rights=granted))
    server = f"<users_config>{folder}/users.xml</users_config><merge_tree>{tables}</merge_tree>"
    (folder / "server.xml").write_text(f"<clickhouse>{server}</clickhouse>")

    def opened(**options: Any) -> Any:
        return real(**options, chdb_options={"config-file": str(folder / "server.xml")})

    patch.setattr(clickhouse_connect, "get_client", opened)


def profiled(patch: pytest.MonkeyPatch, profile: Mapping[str, str | int]) -> None:
    """From now on sessions have the settings of `profile` where they do not choose their own."""
    real = clickhouse_connect.get_client

    def opened(settings: Mapping[str, str | int], **options: Any) -> Any:
        return real(settings={**profile, **settings}, **options)

    patch.setattr(clickhouse_connect, "get_client", opened)


@contextmanager
def plain(url: str) -> Iterator[Any]:
    """A client of the driver's own, as anybody would open it."""
    connection = opener(parse_url(url, {}))()
    try:
        yield connection
    finally:
        connection.close()


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """The answer to a query."""
    with plain(url) as connection:
        return [tuple(row) for row in connection.query(query).result_rows]


def laid_out_otherwise(url: str, number: int, layout: str, version: str = "1.9") -> None:
    """A store at `version`, as an older layout would have made it, with `number` records in it."""
    definition = find(version)
    old, new = LAYOUTS[layout]
    with plain(url) as connection:
        for step in engine.steps(Observed(engine.empty(), None, ""), definition):
            for statement in step.statements:
                assert isinstance(statement, Sql)
                text = statement.text
                if step.id == f"table.{TABLE}":
                    assert old in text
                    text = text.replace(old, new)
                connection.command(text)
    target = parse_url(url, {})
    client = engine.connect(target)
    try:
        for _ in client.write(definition, generate(definition, number, 3)):
            pass
    finally:
        client.close()


def stored(url: str, table: str = TABLE) -> tuple[Truth, int]:
    """The writer's records as a reader sees them, and the number of all others."""
    newest = f"(SELECT * FROM {table} ORDER BY _version DESC LIMIT 1 BY namespace_id, run_id) WHERE is_deleted = 0"
    found = rows(url, f"SELECT run_id, status, keyword01 FROM {newest} AND namespace_id = '{NAMESPACE}'")
    ((others,),) = rows(url, f"SELECT count() FROM {newest} AND namespace_id != '{NAMESPACE}'")
    return {run: (status, word) for run, status, word in found}, others


def leftovers(url: str) -> list[str]:
    """Objects of ours besides the books."""
    found = rows(url, "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'temporal_%'")
    return sorted(name for (name,) in found if name not in BOOKS)
