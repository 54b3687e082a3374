"""Engines that live in the test's own process: SQLite files and chDB directories, one of its own per test.

There is no server to break: tests of crashes kill their own child process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
import os
import secrets
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.engines.catalog import Kind
from tests.engines.errors import NotAllowed, Unavailable

CHDB_DATABASE = "visibility"


class EmbeddedHandle:
    """One test's files of one embedded engine; the same names as a server's handle where they make sense."""

    def __init__(self, kind: Kind, directory: Path) -> None:
        self.engine, self.version, self.name, self.directory = kind.engine, version(kind), kind.name, directory
        self.database = CHDB_DATABASE
        self.url = self.new_database()

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


def version(kind: Kind) -> str:
    """The version of the library behind an embedded engine; Unavailable when it is not installed."""
    if kind.engine == "chdb":
        return chdb_version()
    return str((newest_sqlite() if kind.label == "newest" else sqlite3).sqlite_version)


def chdb_version() -> str:
    """The version of the ClickHouse engine in the chdb package here; Unavailable when it is not installed."""
    for package in ("chdb-core", "chdb"):
        try:
            return ".".join(importlib.metadata.version(package).split(".")[:2])
        except importlib.metadata.PackageNotFoundError:
            continue
    raise Unavailable("chDB is not installed", "pip install 'temporal-visibility-toolkit[chdb]'")


def newest_sqlite() -> ModuleType:
    """The module with sqlite3's interface and a newer SQLite inside; Unavailable when it is not installed."""
    try:
        import pysqlite3  # type: ignore[import-not-found]
    except ImportError as e:
        raise Unavailable("the newest SQLite is not installed", "pip install pysqlite3-binary") from e
    return pysqlite3  # type: ignore[no-any-return]


NEWEST_FOR_CHILDREN = Path(__file__).with_name("newest_sqlite")


@contextlib.contextmanager
def library(kind: Kind) -> Iterator[None]:
    """Let `sqlite3` be the library of this version, in the modules that have it already and in child processes."""
    if kind.name != "sqlite-newest":
        yield
        return
    newest, before = newest_sqlite(), sys.modules["sqlite3"]
    replaced = {name: module for name in ("sqlite3", "sqlite3.dbapi2") if (module := sys.modules.get(name))}
    path = os.environ.get("PYTHONPATH")
    try:
        _exchange(before, newest)
        sys.modules.update({"sqlite3": newest, "sqlite3.dbapi2": newest.dbapi2})
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(NEWEST_FOR_CHILDREN), path)))
        yield
    finally:
        # Modules that were imported meanwhile have the other library, too.
        _exchange(newest, before)
        sys.modules.update(replaced)
        os.environ.pop("PYTHONPATH") if path is None else os.environ.update(PYTHONPATH=path)


def _exchange(before: ModuleType, after: ModuleType) -> None:
    for module in list(sys.modules.values()):
        if getattr(module, "sqlite3", None) is before:
            module.sqlite3 = after  # type: ignore[attr-defined]


def _create_chdb_database(directory: Path) -> None:
    """chDB opens a URL with a database only when that database is there."""
    try:
        client = _chdb(directory)
    except NotAllowed:
        # A client that nobody has any more is closed when the collector finds it.
        gc.collect()
        client = _chdb(directory)
    try:
        client.command(f"CREATE DATABASE `{CHDB_DATABASE}`")
    finally:
        client.close()


def _chdb(directory: Path) -> Any:
    import clickhouse_connect

    try:
        return clickhouse_connect.get_client(interface="chdb", path=str(directory))
    except Exception as e:
        if "already initialized" in str(e):
            raise NotAllowed("a test before this one left a chDB client open in this process") from e
        raise
