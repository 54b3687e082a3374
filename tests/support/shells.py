"""The engines' own ways to run a script: psql for PostgreSQL, else the driver, statement by statement."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql

from tests.engines.servers.postgresql import psql


def feed(url: str, script: str, folder: Path) -> None:
    """Run `script` on the database at `url`; any error is an exception."""
    scheme = urlsplit(url).scheme
    {"postgresql": _psql, "mysql": _mysql, "sqlite": _sqlite}[scheme](url, script, folder)


def _psql(url: str, script: str, folder: Path) -> None:
    file = folder / "script.sql"
    file.write_text(script)
    done = subprocess.run(
        [*psql(), "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-f", str(file), url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")


def _mysql(url: str, script: str, folder: Path) -> None:
    parts = urlsplit(url)
    connection = pymysql.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/"),
        client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS,
        autocommit=True,
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(script)
            while cursor.nextset():
                pass
    finally:
        connection.close()


def _sqlite(url: str, script: str, folder: Path) -> None:
    connection = sqlite3.connect(urlsplit(url).path.removeprefix("/"))
    try:
        connection.executescript(script)
    finally:
        connection.close()
