"""The smallest real use of each engine, by its plain driver: write a word, read all words back. Only for tests of the
harness.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from urllib.parse import parse_qs, urlsplit

import clickhouse_connect
import psycopg
import pymysql
from clickhouse_connect.driver.exceptions import ClickHouseError
from elastic_transport import TransportError as ElasticTransportError
from elasticsearch import ApiError as ElasticApiError
from opensearchpy.exceptions import OpenSearchException


def write(url: str, word: str) -> None:
    """Make the table if need be and add a row, durably."""
    WRITERS[urlsplit(url).scheme](url, word)


def read(url: str) -> list[str]:
    """All words, in order. The driver's own error when the server does not answer."""
    return READERS[urlsplit(url).scheme](url)


REFUSALS = (  # what the drivers raise when a server is not there or says no
    psycopg.Error,
    pymysql.MySQLError,
    ClickHouseError,
    ElasticTransportError,
    ElasticApiError,
    OpenSearchException,
    HTTPException,
    OSError,
)
CREATE = "CREATE TABLE IF NOT EXISTS words (word VARCHAR(100))"


def _postgresql(url: str, word: str | None) -> list[str]:
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        connection.execute(CREATE)
        if word is not None:
            connection.execute("INSERT INTO words VALUES (%s)", [word])
        return [row[0] for row in connection.execute("SELECT word FROM words ORDER BY 1")]


def _mysql(url: str, word: str | None) -> list[str]:
    parts = urlsplit(url)
    connection = pymysql.connect(
        host=parts.hostname, port=parts.port, user=parts.username, password=parts.password, database=parts.path[1:],
        autocommit=True, connect_timeout=5, read_timeout=10,
    )  # fmt: skip
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(CREATE)
        if word is not None:
            cursor.execute("INSERT INTO words VALUES (%s)", [word])
        cursor.execute("SELECT word FROM words ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def _sqlite(url: str, word: str | None) -> list[str]:
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(CREATE)
        if word is not None:
            connection.execute("INSERT INTO words VALUES (?)", [word])
        return [row[0] for row in connection.execute("SELECT word FROM words ORDER BY 1")]


def _clickhouse(url: str, word: str | None) -> list[str]:
    parts = urlsplit(url)
    if parts.scheme == "chdb":
        client = clickhouse_connect.get_client(
            interface="chdb", path=parts.path, database=parse_qs(parts.query)["database"][0]
        )
    else:
        client = clickhouse_connect.get_client(
            host=parts.hostname, port=parts.port, username=parts.username, password=parts.password,
            database=parts.path[1:], connect_timeout=5, send_receive_timeout=10,
        )  # fmt: skip
    try:
        client.command("CREATE TABLE IF NOT EXISTS words (word String) ENGINE = MergeTree ORDER BY word")
        if word is not None:
            client.insert("words", [[word]], column_names=["word"])
        return [row[0] for row in client.query("SELECT word FROM words ORDER BY 1").result_rows]
    finally:
        client.close()


def _search(url: str, word: str | None) -> list[str]:
    parts = urlsplit(url)
    base = f"http://{parts.netloc}{parts.path}_words"

    def call(method: str, path: str, body: object = None) -> dict[str, object]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(
            urllib.request.Request(base + path, data, headers, method=method), timeout=30
        ) as answer:
            return dict(json.loads(answer.read()))

    if word is not None:
        # Other tests may have forbidden that an index comes into being by being written to.
        with contextlib.suppress(urllib.error.HTTPError):
            call("PUT", "", {"settings": {"number_of_replicas": 0}})
        call("POST", "/_doc", {"word": word})
    call("POST", "/_refresh")
    found: dict = call("POST", "/_search", {"size": 1000})["hits"]  # type: ignore[assignment,type-arg]
    return sorted(hit["_source"]["word"] for hit in found["hits"])


DRIVERS: dict[str, Callable[[str, str | None], list[str]]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlite": _sqlite,
    "chdb": _clickhouse,
    "clickhouse+http": _clickhouse,
    "elasticsearch+http": _search,
    "opensearch+http": _search,
}
WRITERS: dict[str, Callable[[str, str], object]] = dict(DRIVERS)  # type: ignore[arg-type]
READERS: dict[str, Callable[[str], list[str]]] = {
    scheme: lambda url, run=run: run(url, None) for scheme, run in DRIVERS.items()
}  # type: ignore[misc]
