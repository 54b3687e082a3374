"""What the live tests of MySQL share: plain statements, the published catalogs, the shipped scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pymysql
import pymysql.cursors

from tests.engines.handles import Handle
from tests.support.catalogs import published, released
from toolkit.catalog import Catalog
from toolkit.definition import Definition
from toolkit.engines import mysql as engine
from toolkit.engines.mysql.connection import session, unchecked

Connection: TypeAlias = "pymysql.Connection[pymysql.cursors.Cursor]"
EV, CSA, CHSA = "executions_visibility", "custom_search_attributes", "chasm_search_attributes"
NEWEST = released()[-1]


def temporal(definition: Definition) -> Catalog:
    return published("mysql", definition.version)


def at(version: str) -> Definition:
    return next(d for d in released() if d.version == version)


def databases(handle: Handle) -> Iterator[str]:
    while True:
        yield handle.new_database()


@contextmanager
def driver(url: str) -> Iterator[Connection]:
    """A plain connection in autocommit mode."""
    connection = connect(url)
    try:
        yield connection
    finally:
        if connection.open:
            connection.close()


def connect(url: str) -> Connection:
    """As `driver`, to be closed by the caller."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname or "",
        port=parts.port or 0,
        user=parts.username,
        password=parts.password or "",
        database=parts.path[1:],
        autocommit=True,
        ssl=unchecked(),
    )


def ask(connection: Connection, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
    """Run one statement; its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def sessions(handle: Handle) -> list[int]:
    """The sessions in the test's database, but for the one that asks."""
    with driver(handle.url) as connection:
        shown = ask(connection, "SHOW PROCESSLIST")
        return [row[0] for row in shown if row[3] == handle.database and row[0] != session(connection)]


def sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run `statements` as a plain driver does; the rows of the last one."""
    rows: list[tuple[Any, ...]] = []
    with driver(url) as connection:
        for statement in statements:
            rows = ask(connection, statement)
    return rows


@contextmanager
def account(url: str, kind: str, *grants: str) -> Iterator[str]:
    """`url` with a new account, which may do what `grants` give to `{}`; its password is `KIND-secret`."""
    name = f"{kind}_{urlsplit(url).path[-10:]}"
    sql(url, f"CREATE USER {name} IDENTIFIED BY '{kind}-secret'", *(grant.format(name) for grant in grants))
    try:
        yield url.replace("temporal:temporal-secret", f"{name}:{kind}-secret")
    finally:
        sql(url, f"DROP USER {name}")


def script(path: str) -> str:
    return engine.artefacts(released())[f"sql/mysql/{path}.sql"]


HALVES = {
    "1.2": [
        "DROP INDEX by_close_time_by_status ON executions_visibility",
        "DROP INDEX by_type_start_time ON executions_visibility",
        "ALTER TABLE executions_visibility ADD COLUMN search_attributes JSON NULL",
        "ALTER TABLE executions_visibility ADD COLUMN BatcherUser VARCHAR(255) "
        "GENERATED ALWAYS AS (search_attributes->>'$.BatcherUser')",
        "CREATE INDEX default_idx ON executions_visibility (namespace_id, "
        "(COALESCE(close_time, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, start_time DESC, run_id)",
    ],
    "1.6": [
        "DROP INDEX by_root_run_id ON executions_visibility",
        "ALTER TABLE executions_visibility DROP COLUMN root_run_id",
        "ALTER TABLE executions_visibility ADD COLUMN root_run_id VARCHAR(255) NOT NULL DEFAULT ''",
    ],
    "1.11": [
        "CREATE TABLE chasm_search_attributes (namespace_id CHAR(64) NOT NULL, run_id CHAR(64) NOT NULL, "
        "_version BIGINT NOT NULL DEFAULT 0, search_attributes JSON NULL, TemporalBool01 BOOLEAN "
        "GENERATED ALWAYS AS (search_attributes->'$.TemporalBool01'), PRIMARY KEY (namespace_id, run_id))",
        "CREATE INDEX by_temporal_bool_01 ON chasm_search_attributes (namespace_id)",
    ],
    "1.14": [
        "ALTER TABLE executions_visibility ADD COLUMN TemporalExternalPayloadCount BIGINT "
        "GENERATED ALWAYS AS (search_attributes->'$.TemporalExternalPayloadCount')"
    ],
}
