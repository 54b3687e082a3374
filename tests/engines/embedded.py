"""Engines that live in the test's own process: SQLite files and chDB directories, one of its own per test.

There is no server to break: tests of crashes kill their own child process.
"""

from __future__ import annotations

import importlib.metadata
import secrets
import shutil
import sqlite3
from pathlib import Path

from tests.engines.errors import NotAllowed, Unavailable

CHDB_DATABASE = "visibility"


class EmbeddedHandle:
    """One test's files of one embedded engine; the same names as a server's handle where they make sense."""

    def __init__(self, engine: str, version: str, directory: Path) -> None:
        self.engine, self.version, self.directory = engine, version, directory
        self.database = CHDB_DATABASE
        self.url = self.new_database()

    @property
    def name(self) -> str:
        return f"{self.engine}-{self.version}"

    def new_database(self) -> str:
        """The URL of another fresh file (SQLite) or directory (chDB)."""
        place = self.directory / f"tv_{secrets.token_hex(5)}"
        if self.engine == "sqlite":
            return f"sqlite:///{place}.db"
        place.mkdir()
        _create_chdb_database(place)
        return f"chdb://{place}?database={CHDB_DATABASE}"

    def close(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)


def sqlite_version() -> str:
    return sqlite3.sqlite_version


def chdb_version() -> str:
    """The version of the ClickHouse engine in the chdb package here; Unavailable when it is not installed."""
    for package in ("chdb-core", "chdb"):
        try:
            return ".".join(importlib.metadata.version(package).split(".")[:2])
        except importlib.metadata.PackageNotFoundError:
            continue
    raise Unavailable("chDB is not installed", "pip install 'temporal-visibility-toolkit[chdb]'")


def _create_chdb_database(directory: Path) -> None:
    """chDB opens a URL with a database only when that database is there."""
    import clickhouse_connect

    try:
        client = clickhouse_connect.get_client(interface="chdb", path=str(directory))
    except Exception as e:
        if "already initialized" in str(e):
            raise NotAllowed("a test before this one left a chDB client open in this process") from e
        raise
    try:
        client.command(f"CREATE DATABASE `{CHDB_DATABASE}`")
    finally:
        client.close()
