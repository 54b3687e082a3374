"""The engines' own ways to run a script: psql for PostgreSQL, else the driver, statement by statement."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql

from tests.engines.servers.postgresql import psql
from toolkit.engines.clickhouse.connection import opener
from toolkit.engines.mysql.connection import unchecked
from toolkit.targets import parse_url


def feed(url: str, script: str, folder: Path) -> None:
    """Run `script` on the database at `url`; any error is an exception."""
    scheme = urlsplit(url).scheme
    {"postgresql": _psql, "mysql": _mysql, "sqlite": _sqlite}[scheme](url, script, folder)


def shell(url: str, script: str, folder: Path) -> None:
    """Run `script` with the engine's shell as it is, without an option that stops it; RuntimeError when it fails."""
    if urlsplit(url).scheme == "postgresql":
        file = folder / "script.sql"
        file.write_text(script)
        _command([*psql(), "--no-psqlrc", "--quiet", "-f", str(file), url], None)
    else:
        run_script(url, script, folder)


def run_script(url: str, script: str, folder: Path) -> None:
    """Run what `schema plan --format sql` printed, as its first lines say; the message of a refusal is in the error."""
    parts = urlsplit(url)
    kind = parts.scheme.partition("+")[0]
    file = folder / "plan.script"
    file.write_text(script)
    if kind in ("elasticsearch", "opensearch"):
        address = f"{parts.scheme.rpartition('+')[2]}://{parts.netloc}{parts.path.rpartition('/')[0]}"
        _command(["sh", str(file)], {**os.environ, "URL": address})
    elif kind == "postgresql":
        mine = folder / "psqlrc"
        mine.write_text("\\set AUTOCOMMIT off\n")
        words = [*psql(), "--quiet", "-v", "ON_ERROR_STOP=1", "-f", str(file), url]
        _command(words, {**os.environ, "PSQLRC": str(mine)})
    elif kind == "sqlite" and shutil.which("sqlite3"):
        _command(["sh", "-c", f'sqlite3 "{parts.path.removeprefix("/")}" < "{file}"'], None)
    elif kind == "sqlite":
        _sqlite(url, script, folder)
    elif kind == "mysql":
        _mysql(url, script, folder)
    else:
        _clickhouse(url, script)


def _command(words: list[str], env: dict[str, str] | None) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)


def _clickhouse(url: str, script: str) -> None:
    """Statement by statement over the driver, in one session's settings: the client itself is not to be had."""
    connection = opener(parse_url(url, {}))()
    try:
        for statement in _split(script):
            if statement.startswith("SET "):
                for pair in statement.removeprefix("SET ").split(", "):
                    connection.set_client_setting(*pair.split(" = "))
            else:
                connection.command(statement)
    finally:
        connection.close()


_TOKEN = re.compile(r"""'(?:[^'\\]|\\.|'')*'|--[^\n]*|;|[^';-]+|.""", re.DOTALL)


def _split(script: str) -> list[str]:
    """Statements as the client's own lexer sees them: a semicolon in a text ends nothing, comments are left out."""
    found = [""]
    for token in _TOKEN.findall(script):
        if token == ";":
            found.append("")
        elif not token.startswith("--"):
            found[-1] += token
    return [text.strip() for text in found if text.strip()]


def _psql(url: str, script: str, folder: Path) -> None:
    file = folder / "script.sql"
    file.write_text(script)
    _command([*psql(), "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-f", str(file), url], None)
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
        ssl=unchecked(),
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
        connection.executescript(re.sub(r"^\.[a-z].*$", "", script, flags=re.MULTILINE))
    finally:
        connection.close()
