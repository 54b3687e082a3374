"""Plain Alembic and the toolkit on the same database: each reaches the same catalog and understands the other."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import HeadMaintainer

from tests.engines.handles import Handle
from tests.support.catalogs import released
from tests.support.command import temporal_visibility
from tests.support.shells import feed, shell
from toolkit.apply.runner import plan_store, run
from toolkit.catalog import differences
from toolkit.engines import engine
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import Observed
from toolkit.resources import schema_dir
from toolkit.targets import parse_url
from toolkit.versions import find


def alembic(url: str, action: str, *arguments: str, sql: bool = False) -> str:
    """Plain Alembic on the environment under schema/sql; in this process, because its command starts slowly."""
    printed = io.StringIO()
    config = Config(
        str(schema_dir() / "sql" / "alembic.ini"),
        stdout=printed,
        output_buffer=printed,
        cmd_opts=Namespace(x=[f"url={url}"]),
    )
    match action:
        case "upgrade":
            command.upgrade(config, *arguments, sql=sql)
        case "downgrade":
            command.downgrade(config, *arguments, sql=sql)
        case "current":
            command.current(config)
        case "history":
            command.history(config)
    return printed.getvalue()


def test_the_command_itself_runs_from_anywhere(tmp_path: Path) -> None:
    config = str(schema_dir() / "sql" / "alembic.ini")
    url = f"sqlite:///{tmp_path}/file.db"
    words = [sys.executable, "-m", "alembic", "-c", config, "-x", f"url={url}", "history"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "-> 1.14" in done.stdout


def observe(url: str) -> Observed:
    target = parse_url(url, {})
    client = engine(target.engine).connect(target)
    try:
        return client.observe()
    finally:
        client.close()


def upgrade(url: str, version: str) -> None:
    target = parse_url(url, {})
    chosen = engine(target.engine)
    client = chosen.connect(target)
    try:
        wanted = find(version)
        plan = plan_store(chosen, client, wanted, released(), NO_OVERLAY)
        run(chosen, client, plan, wanted, NO_OVERLAY, lambda *_: None, lambda: 0.0)
    finally:
        client.close()


def take_turns(name: str, url: str) -> None:
    """Alembic up, toolkit up, Alembic up and down, toolkit up, Alembic to the base: always one truth."""
    chosen = engine(name)

    def at(version: str) -> None:
        seen = observe(url)
        assert differences(seen.catalog, chosen.catalog(find(version))) == ()
        assert seen.recorded == version
        assert seen.marks.get("alembic") == version
        assert alembic(url, "current").split()[0] == version

    alembic(url, "upgrade", "1.4")
    at("1.4")
    upgrade(url, "1.9")
    at("1.9")
    alembic(url, "upgrade", "head")
    at(released()[-1].version)
    alembic(url, "downgrade", "1.6")
    at("1.6")
    upgrade(url, "latest")
    at(released()[-1].version)
    alembic(url, "downgrade", "base")
    assert differences(observe(url).catalog, chosen.empty()) == ()
    assert observe(url).recorded is None


def offline_script(name: str, url: str, folder: Path) -> None:
    """What `alembic upgrade head --sql` prints makes the same catalog, run by the engine's own client."""
    feed(url, alembic(url, "upgrade", "head", sql=True), folder)
    seen = observe(url)
    assert differences(seen.catalog, engine(name).catalog(released()[-1])) == ()
    assert seen.recorded == released()[-1].version
    history = alembic(url, "history")
    for definition in released():
        assert f"-> {definition.version}" in history


@pytest.mark.short
def test_postgresql_turns(postgresql: Handle) -> None:
    take_turns("postgresql", postgresql.url)


@pytest.mark.short
def test_mysql_turns(mysql: Handle) -> None:
    take_turns("mysql", mysql.url)


@pytest.mark.short
def test_sqlite_turns(sqlite: Handle) -> None:
    take_turns("sqlite", sqlite.url)


def stops_offline(url: str, folder: Path) -> None:
    """What `--sql` prints changes nothing in a database of another version, whatever its shell is told."""
    alembic(url, "upgrade", "1.12")
    before = observe(url)
    with pytest.raises(RuntimeError, match=r"version 1\.13"):
        shell(url, alembic(url, "upgrade", "1.13:1.14", sql=True), folder)
    assert observe(url) == before


def test_postgresql_stops_offline(postgresql: Handle, tmp_path: Path) -> None:
    stops_offline(postgresql.url, tmp_path)


def test_sqlite_stops_offline(sqlite: Handle, tmp_path: Path) -> None:
    stops_offline(sqlite.url, tmp_path)


def test_sqlite_cut_off_before_alembics_own_mark(sqlite: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    alembic(sqlite.url, "upgrade", "1.12")
    with monkeypatch.context() as patched:
        patched.setattr(HeadMaintainer, "update_to_step", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            alembic(sqlite.url, "upgrade", "1.13")
    alembic(sqlite.url, "upgrade", "head")
    assert observe(sqlite.url).recorded == released()[-1].version


def test_mysql_one_at_a_time(mysql: Handle) -> None:
    """Beside a run of the toolkit, or of another Alembic, which take one lock."""
    alembic(mysql.url, "upgrade", "1.0")
    target = parse_url(mysql.url, {})
    client = engine(target.engine).connect(target)
    lease = client.take_lock("somebody", 60.0)  # type: ignore[attr-defined]
    try:
        with pytest.raises(SystemExit, match="Somebody else"):
            alembic(mysql.url, "upgrade", "1.1")
    finally:
        lease.release()
        client.close()
    assert observe(mysql.url).recorded == "1.0"
    alembic(mysql.url, "upgrade", "1.1")


def test_postgresql_script(postgresql: Handle, tmp_path: Path) -> None:
    offline_script("postgresql", postgresql.url, tmp_path)


def test_postgresql_builds_again_what_was_cut_off(postgresql: Handle) -> None:
    """A concurrent build that fails leaves an invalid index, which IF NOT EXISTS takes for a good one."""
    url = postgresql.url
    alembic(url, "upgrade", "head")
    with psycopg.connect(url, autocommit=True) as own:
        left = "'by_temporal_external_payload_count'::regclass"
        own.execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {left}")
        own.execute("UPDATE schema_version SET curr_version = '1.13'; UPDATE alembic_version SET version_num = '1.13'")
    alembic(url, "upgrade", "head")
    assert differences(observe(url).catalog, engine("postgresql").catalog(released()[-1])) == ()


def test_mysql_script(mysql: Handle, tmp_path: Path) -> None:
    offline_script("mysql", mysql.url, tmp_path)


def test_sqlite_script(sqlite: Handle, tmp_path: Path) -> None:
    offline_script("sqlite", sqlite.url, tmp_path)


def test_the_table_of_another_project_is_left_alone(sqlite: Handle) -> None:
    with sqlite3.connect(urlsplit(sqlite.url).path.removeprefix("/")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES ('ae1027a6acf4')")
    for words in (
        ("upgrade", "--to", "1.12"),
        ("upgrade",),
        ("rollback",),
        ("upgrade",),
        ("downgrade", "--to", "1.12"),
    ):
        ran = temporal_visibility("schema", *words, sqlite.url, "--yes")
        assert ran.code == 0 or words == ("rollback",), ran.err
        assert observe(sqlite.url).marks == {"alembic": "ae1027a6acf4"}
    assert "another project" in temporal_visibility("schema", "status", sqlite.url).out
