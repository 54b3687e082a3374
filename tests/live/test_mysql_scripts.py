"""MySQL: the shipped scripts, run by a client that knows nothing of the toolkit."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

import pymysql
import pytest

from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.catalogs import released
from tests.support.command import temporal_visibility
from tests.support.mysql import CHSA, EV, HALVES, ask, at, driver, script, sql, temporal
from tests.support.shells import feed
from toolkit.catalog import differences
from toolkit.engines import mysql as engine

CAREFUL = "SET SESSION sql_safe_updates = 1, autocommit = 0, default_storage_engine = MyISAM;\n"


def test_every_script_reaches_its_version(mysql: Handle, tmp_path: Any) -> None:
    versions = [d.version for d in released()]
    ways = [*pairwise(versions), *pairwise(reversed(versions))]
    names = [f"{'up' if versions.index(a) < versions.index(b) else 'down'}grade/{a}-{b}" for a, b in ways]

    def reached(url: str, name: str, version: str) -> None:
        feed(url, script(name), tmp_path)
        with journeys.opened(url) as (_, client):
            assert differences(client.observe().catalog, temporal(at(version))) == (), name
            assert client.observe().recorded == version

    for version in versions:
        reached(mysql.new_database(), f"install/{version}", version)
    feed(mysql.url, script("install/1.0"), tmp_path)
    for name in names:
        reached(mysql.url, name, name.rpartition("-")[2])
    feed(mysql.url, script("uninstall/1.0"), tmp_path)
    with journeys.opened(mysql.url) as (_, client):
        assert client.observe().catalog == engine.empty()
        assert client.observe().recorded is None


def test_what_a_script_drops_with_a_side_table_is_found_again(mysql: Handle, tmp_path: Any) -> None:
    """The records keep their values, which filters look for in that table."""
    feed(mysql.url, script("install/1.10"), tmp_path)
    fields = "namespace_id, run_id, start_time, execution_time, workflow_id, workflow_type_name, status, encoding"
    row = "'n', 'r', NOW(), NOW(), 'w', 't', 1, '', JSON_OBJECT('TemporalInt01', 7)"
    sql(mysql.url, f"INSERT INTO {EV} ({fields}, search_attributes) VALUES ({row})")
    feed(mysql.url, CAREFUL + script("upgrade/1.10-1.11"), tmp_path)
    assert sql(mysql.url, f"SELECT TemporalInt01 FROM {CHSA}") == [(7,)]


def test_a_script_stops_on_the_wrong_version(mysql: Handle, tmp_path: Any) -> None:
    feed(mysql.url, script("install/1.9"), tmp_path)
    before = sql(mysql.url, f"SHOW CREATE TABLE {EV}")
    for path, message in {
        "upgrade/1.10-1.11": "this script needs version 1.10, but schema_version says 1.9",
        "downgrade/1.9-1.8": None,
        "install/1.14": "this script needs a database without a visibility schema, but schema_version says 1.8",
    }.items():
        if message is None:
            feed(mysql.url, script(path), tmp_path)
            continue
        with pytest.raises(pymysql.MySQLError, match=message):
            feed(mysql.url, script(path), tmp_path)
    assert sql(mysql.url, f"SHOW CREATE TABLE {EV}") != before
    with pytest.raises(pymysql.MySQLError, match="schema_version' doesn't exist"):
        feed(mysql.new_database(), script("upgrade/1.0-1.1"), tmp_path)


def test_a_plan_as_a_script_beside_a_table_of_any_name(mysql: Handle, tmp_path: Any) -> None:
    """On a server that is careful with its clients, too."""
    feed(mysql.url, script("install/1.1"), tmp_path)
    sql(mysql.url, "CREATE TABLE `reports of 2024.07` (`a.b c` INT PRIMARY KEY)")
    planned = temporal_visibility("schema", "plan", mysql.url, "--to", "1.2", "--format", "sql")
    feed(mysql.url, f"{CAREFUL}{planned.out}", tmp_path)
    with journeys.opened(mysql.url) as (_, client):
        seen = client.observe()
        assert (seen.recorded, seen.marks) == ("1.2", {"alembic": "1.2"})


def test_a_careful_client_records_the_version(mysql: Handle, tmp_path: Any) -> None:
    """One that commits nothing by itself, refuses updates of many rows, and makes tables of another kind."""
    for path, version in {"install/1.5": "1.5", "upgrade/1.5-1.6": "1.6", "downgrade/1.6-1.5": "1.5"}.items():
        feed(mysql.url, CAREFUL + script(path), tmp_path)
        with journeys.opened(mysql.url) as (_, client):
            assert client.observe().recorded == version
    assert "ENGINE=InnoDB" in sql(mysql.url, "SHOW CREATE TABLE schema_version")[0][1]


def test_a_script_does_not_wait_for_long(mysql: Handle, tmp_path: Any) -> None:
    """Writers would queue behind it for as long as somebody forgets a transaction; it may be run again."""
    feed(mysql.url, script("install/1.9"), tmp_path)
    upgrade = script("upgrade/1.9-1.10").replace("lock_wait_timeout = 5", "lock_wait_timeout = 1")
    with driver(mysql.url) as reader:
        reader.begin()
        ask(reader, f"SELECT COUNT(*) FROM {EV}")
        end = threading.Timer(5, reader.rollback)
        end.start()
        with pytest.raises(pymysql.MySQLError, match="Lock wait timeout"):
            feed(mysql.url, upgrade, tmp_path)
        end.cancel()
        reader.rollback()
    feed(mysql.url, upgrade, tmp_path)
    with journeys.opened(mysql.url) as (_, client):
        assert client.observe().recorded == "1.10"


LASTING = ("CREATE", "ALTER", "EXECUTE", "INSERT", "UPDATE")


@pytest.mark.parametrize("path", ["install/1.11", "upgrade/1.8-1.9", "downgrade/1.2-1.1"])
def test_an_interrupted_script_may_be_run_again(mysql: Handle, tmp_path: Any, path: str) -> None:
    """Stopped after any statement whose effect stays, and then run in full; at last once more when all was done."""
    statements = script(path).split(";\n\n")
    first, _, last = path.partition("/")[2].rpartition("-")
    words = [next(line for line in s.splitlines() if line and not line.startswith("--")) for s in statements]
    for stopped in (number for number, word in enumerate(words, 1) if word.startswith(LASTING)):
        url = mysql.new_database()
        if first:
            feed(url, script(f"install/{first}"), tmp_path)
        feed(url, ";\n\n".join(statements[:stopped]), tmp_path)
        feed(url, script(path), tmp_path)
        with journeys.opened(url) as (_, client):
            assert differences(client.observe().catalog, temporal(at(last))) == ()
            assert client.observe().recorded == last


def test_a_script_does_not_pass_over_what_another_tool_left_half_done(mysql: Handle, tmp_path: Any) -> None:
    feed(mysql.url, script("install/1.13"), tmp_path)
    sql(mysql.url, *HALVES["1.14"])
    with pytest.raises(pymysql.MySQLError, match="Duplicate column name"):
        feed(mysql.url, script("upgrade/1.13-1.14"), tmp_path)
