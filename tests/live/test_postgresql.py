"""PostgreSQL: what we create and what we upgrade to is what Temporal's own scripts make; records survive."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.engines.handles import Handle
from tests.engines.processes import wait_until
from tests.support import journeys
from tests.support.catalogs import published, released
from tests.support.command import here, temporal_visibility
from tests.support.online import prepared
from tests.support.shells import feed, run_script
from tests.support.writing import PostgresWriter
from toolkit.catalog import Catalog, differences
from toolkit.definition import Definition
from toolkit.engines.bound import BoundSql
from toolkit.engines.postgresql import scratch
from toolkit.engines.postgresql.client import PostgresClient
from toolkit.errors import ConnectionFailed, EngineError, TargetError
from toolkit.resources import schema_dir
from toolkit.targets import parse_url


def temporal(definition: Definition) -> Catalog:
    return published("postgresql", definition.version)


def databases(handle: Handle) -> Iterator[str]:
    while True:
        yield handle.new_database()


def test_fresh_install_of_every_version(postgresql: Handle) -> None:
    journeys.fresh(databases(postgresql), temporal)


@pytest.mark.short
def test_every_step_up_and_down(postgresql: Handle) -> None:
    journeys.up_and_down(postgresql.url, temporal)


@pytest.mark.short
def test_one_leap_from_1_9(postgresql: Handle) -> None:
    journeys.one_leap(postgresql.url, temporal)


@pytest.mark.parametrize("name", ["1.10-combined", "1.11-combined", "1.12-combined"])
def test_a_recorded_version_is_a_hint_not_the_truth(postgresql: Handle, name: str) -> None:
    """Servers v1.30.5 and later leave the schema at 1.9 while they record 1.10, 1.11 and 1.12."""
    with journeys.opened(postgresql.url) as (chosen, client):
        journeys.upgrade(chosen, client, next(d for d in released() if d.version == "1.9"))
        label = name.partition("-")[0]
        with psycopg.connect(postgresql.url) as connection:
            connection.execute("UPDATE schema_version SET curr_version = %s", (label,))
        seen = client.observe()
        assert differences(seen.catalog, published("postgresql", name)) == ()
        assert seen.recorded == label
        plan = journeys.upgrade(chosen, client, released()[-1])
        assert plan.found == ("1.9",)
        journeys.at(chosen, client, released()[-1], temporal)


def test_a_half_applied_version_is_finished(postgresql: Handle) -> None:
    """Some columns and indexes of 1.11 are there, one index was left invalid, and 1.10 is recorded."""
    with journeys.opened(postgresql.url) as (chosen, client):
        journeys.upgrade(chosen, client, next(d for d in released() if d.version == "1.10"))
        with psycopg.connect(postgresql.url, autocommit=True) as connection:
            connection.execute(
                "ALTER TABLE executions_visibility ADD COLUMN TemporalBool01 BOOLEAN "
                "GENERATED ALWAYS AS ((search_attributes->'TemporalBool01')::boolean) STORED"
            )
            connection.execute("CREATE INDEX by_temporal_bool_01 ON executions_visibility (namespace_id)")
            connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_status'::regclass")
        plan = journeys.upgrade(chosen, client, released()[-1])
        assert {"index.by_status.drop", "index.by_temporal_bool_01.drop"} <= {step.id for step in plan.steps}
        journeys.at(chosen, client, released()[-1], temporal)


def test_a_dump_that_names_a_database_is_refused(postgresql: Handle, tmp_path: Path) -> None:
    """As `pg_dump --create --clean` writes it: the proof would begin by dropping what is live."""
    dump = tmp_path / "dump.sql"
    dump.write_text(f"\\connect {postgresql.database}\n\nDROP TABLE beside;\n")
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE beside ()")
        ran = temporal_visibility("schema", "verify-paths", "--on", postgresql.url, "--dump", str(dump), "--rows", "20")
        assert (ran.code, "TV2083" in ran.err) == (2, True), ran.err
        assert connection.execute("SELECT COUNT(*) FROM beside").fetchone() == (0,)


def test_scripts_keep_nobody_waiting_for_long_and_drop_no_index_that_is_being_built(
    postgresql: Handle, tmp_path: Path
) -> None:
    """Everybody waits for who waits for the table. An index that is not valid yet may be somebody's work."""
    url = postgresql.url
    prepared(url, 5)
    script = (schema_dir() / "sql/postgresql/upgrade/1.9-1.10.sql").read_text()
    index = "'by_temporal_reported_problems'::regclass"
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'ShareUpdateExclusiveLock'"
    with psycopg.connect(url) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT 1 FROM executions_visibility")
        with pytest.raises(RuntimeError, match="lock timeout"):
            feed(url, script.replace("'5s'", "'50ms'"), tmp_path)
        other.rollback()
        feed(url, script, tmp_path)
        oid = other.execute(f"SELECT {index}::oid".encode()).fetchone()
        other.execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {index}".encode())
        other.commit()
        other.execute("LOCK TABLE executions_visibility IN SHARE UPDATE EXCLUSIVE MODE")
        again = pool.submit(feed, url, script, tmp_path)
        wait_until(lambda: other.execute(waits).fetchone() is not None, 30, "the script waits for who builds")
        other.execute(f"UPDATE pg_index SET indisvalid = true WHERE indexrelid = {index}".encode())
        other.commit()
        again.result()
        assert other.execute(f"SELECT {index}::oid".encode()).fetchone() == oid


def test_scripts_take_nothing_of_others_along(postgresql: Handle, tmp_path: Path) -> None:
    """Indexes go with their columns in silence, before 15 columns that are made from them, too; and what uses extension
    or function stops a script at its last statements. All of it is said at its beginning."""
    url, table = postgresql.url, "executions_visibility"
    prepared(url, 5, "1.2")
    shipped = (schema_dir() / "sql/postgresql/downgrade/1.2-1.1.sql").read_text()
    state = f"SELECT count(*), (SELECT curr_version FROM schema_version) FROM pg_indexes WHERE tablename = '{table}'"
    with psycopg.connect(url, autocommit=True) as connection:
        for own, said in (
            (f"ALTER TABLE {table} ADD own_gen TEXT GENERATED ALWAYS AS (search_attributes ->> 'X') STORED", "own_gen"),
            (f"CREATE INDEX own_index ON {table} (keyword01)", "lose: index own_index"),
            ("CREATE TABLE own_other (s VARCHAR, at TIMESTAMP GENERATED ALWAYS AS (convert_ts(s)) STORED)", "other.at"),
        ):
            connection.execute(own.encode())
            before = connection.execute(state.encode()).fetchone()
            planned = temporal_visibility("schema", "plan", url, "--to", "1.1", "--format", "sql").out
            for start, script in ((feed, shipped), (run_script, planned)):
                with pytest.raises(RuntimeError, match=said):
                    start(url, script, tmp_path)
                assert connection.execute(state.encode()).fetchone() == before
            connection.execute(f"DROP INDEX IF EXISTS own_index; ALTER TABLE {table} DROP IF EXISTS own_gen".encode())
        connection.execute("DROP TABLE own_other")
        feed(url, shipped, tmp_path)
        assert connection.execute(state.encode()).fetchone() == (8, "1.1")


def test_objects_of_others_are_left_alone(postgresql: Handle) -> None:
    with journeys.opened(postgresql.url) as (chosen, client):
        journeys.upgrade(chosen, client, next(d for d in released() if d.version == "1.9"))
        with psycopg.connect(postgresql.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE reports (id int)")
            connection.execute(
                "CREATE VIEW open_runs AS SELECT run_id FROM executions_visibility WHERE close_time IS NULL"
            )
            connection.execute("CREATE INDEX by_mine ON executions_visibility (workflow_id, run_id)")
        plan = journeys.upgrade(chosen, client, released()[-1])
        foreign = {"/".join(path) for path in plan.foreign}
        assert foreign == {"tables/reports", "other_relations", "tables/executions_visibility/indexes/by_mine"}
        with psycopg.connect(postgresql.url) as connection:
            assert connection.execute("SELECT count(*) FROM open_runs").fetchone() == (0,)
            assert connection.execute("SELECT to_regclass('by_mine') IS NOT NULL").fetchone() == (True,)


def test_a_broken_catalog_is_seen(postgresql: Handle) -> None:
    """The comparison can fail: a column of another type, an index on another key, a missing default."""
    with journeys.opened(postgresql.url) as (chosen, client):
        newest = released()[-1]
        journeys.upgrade(chosen, client, newest)
        with psycopg.connect(postgresql.url, autocommit=True) as connection:
            connection.execute("ALTER TABLE executions_visibility ALTER COLUMN task_queue DROP DEFAULT")
            connection.execute("DROP INDEX by_int_01")
            connection.execute("CREATE INDEX by_int_01 ON executions_visibility (namespace_id, int02)")
        left = {"/".join(d.path[-3:]) for d in differences(client.observe().catalog, temporal(newest))}
        assert left == {"columns/task_queue/default", "indexes/by_int_01/keys"}
        journeys.upgrade(chosen, client, newest)
        journeys.at(chosen, client, newest, temporal)


def test_wrong_password_and_nobody_there(postgresql: Handle) -> None:
    with pytest.raises(ConnectionFailed) as wrong, journeys.opened(postgresql.url.replace("secret", "wr0ng-pw")):
        pass
    assert wrong.value.code == "TV4001"
    assert "wr0ng-pw" not in f"{wrong.value.message} {wrong.value.hint}"
    with pytest.raises(ConnectionFailed) as nobody, journeys.opened("postgresql://u:p@127.0.0.1:1/d"):
        pass
    assert "Connection refused" in nobody.value.message
    with pytest.raises(TargetError), journeys.opened("postgresql://u:p@127.0.0.1:1/d?sslmood=x"):
        pass


def test_a_role_without_rights_gets_a_coded_error(postgresql: Handle) -> None:
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody_in_particular")
        connection.execute("CREATE ROLE nobody_in_particular")
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    url = f"{postgresql.url}?options=-c%20role%3Dnobody_in_particular"
    with journeys.opened(url) as (chosen, client), pytest.raises(EngineError) as refused:
        journeys.upgrade(chosen, client, released()[-1])
    assert refused.value.code in ("TV4003", "TV5201")
    assert "nobody_in_particular" in refused.value.message or "permission denied" in refused.value.message
    assert "temporal-secret" not in refused.value.message


# What databases and roles may set, each so that the server would write or read something in another way.
SETTINGS = (
    "DateStyle = 'SQL, DMY'",
    "IntervalStyle = 'sql_standard'",
    "TimeZone = 'Asia/Kolkata'",
    "bytea_output = 'escape'",
    "extra_float_digits = -5",
    "quote_all_identifiers = on",
    "standard_conforming_strings = off",
    "search_path = 'My.Schema'",
)


@pytest.mark.short
def test_whatever_the_database_sets(postgresql: Handle, tmp_path: Path) -> None:
    """A good store is one, an upgrade and its way back end well, and so does the script; in a database without an
    encoding and in a schema whose name must be quoted, too."""
    url = postgresql.new_database()
    name = url.rpartition("/")[2]
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name}".encode())
        made = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
        connection.execute(made.encode())
        for setting in SETTINGS:
            connection.execute(f"ALTER DATABASE {name} SET {setting}".encode())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute('CREATE SCHEMA "My.Schema"')
    prepared(url, 0)
    with psycopg.connect(url, autocommit=True) as connection:
        for n in range(20):
            PostgresWriter(url).insert(connection, f"run {n}", "word")
    for words in (("upgrade", "--yes"), ("rollback", "--yes"), ("runs",), ("status",)):
        ran = here("schema", words[0], url, *words[1:])
        assert ran.code == 0, ran.err
    script = here("schema", "plan", url, "--format", "sql").out
    run_script(url, script, tmp_path)
    ran = here("schema", "drift", url)
    assert ran.code == 0, ran.out + ran.err


def test_a_store_in_another_schema_than_new_tables_would_be_is_no_empty_one(postgresql: Handle) -> None:
    """As after CREATE SCHEMA with the role's own name: Temporal would read the new and empty table."""
    url, path = postgresql.url, "?options=-csearch_path%3D"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE executions_visibility (a INT)")
        assert here("schema", "status", url).code == 0
        connection.execute(f"CREATE SCHEMA {connection.info.user}".encode())
        for words in (("status",), ("upgrade", "--yes")):
            ran = here("schema", words[0], url, *words[1:])
            assert (ran.code, "TV5217" in ran.err, "in schema public" in ran.err) == (1, True, True), ran.err
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname ~ '^executions'").fetchone() == (1,)
        assert here("schema", "status", f"{url}{path}public").code == 0
        ran = here("schema", "status", f"{url}{path}nowhere")
        assert (ran.code, "TV5217" in ran.err) == (1, True), ran.err


def test_records_are_counted_however_short_a_query_may_be(postgresql: Handle) -> None:
    """By a limit of the role's; and nobody having counted them is no number."""
    url = postgresql.url
    prepared(url, 5)
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() " \
              "AND clock_timestamp() > query_start + interval '0.3 s'"  # fmt: skip
    with ThreadPoolExecutor(1) as pool, journeys.opened(url) as (_, client), psycopg.connect(url) as blocker:
        assert isinstance(client, PostgresClient)
        assert client.observe().rows is None
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ANALYZE executions_visibility")
            assert client.observe().rows == 5
            client.ask(BoundSql("SELECT set_config('statement_timeout', '200ms', false)", ()))
            blocker.execute("LOCK TABLE executions_visibility IN ACCESS EXCLUSIVE MODE")
            counted = pool.submit(client.count)
            wait_until(lambda: counted.done() or connection.execute(waiting).fetchone() is not None, 30, "it waits")
            blocker.rollback()
            assert counted.result() == 5


@pytest.mark.skipif(shutil.which("psql") is None, reason="needs psql")
def test_a_dump_is_read_where_the_url_says(postgresql: Handle, tmp_path: Path) -> None:
    """By its options, too, a schema among them, and not on this machine's own server; two databases in one URL are
    none."""
    target, dump = parse_url(postgresql.url, {}), tmp_path / "dump.sql"
    dump.write_text("CREATE TABLE own_table (a INT);\n")
    login = f"user={target.user}&password={target.password}"
    placed = "options=-csearch_path%3D%22Own%22"
    options = f"postgresql:///{target.path}?host={target.host}&port={target.port}&{login}&{placed}"
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute('CREATE SCHEMA "Own"')
    made = scratch.make(parse_url(options, {}), f"{target.path}_2")
    try:
        made.load(dump)
        with journeys.opened(f"{postgresql.url}_2?{placed}") as (_, client):
            assert "own_table" in client.observe().catalog.children(("tables",))
    finally:
        made.drop()
    with pytest.raises(TargetError, match="two databases"):
        scratch.make(parse_url(f"{options}&dbname=postgres", {}), f"{target.path}_3")


@pytest.mark.short
def test_a_run_has_no_time_limits(postgresql: Handle) -> None:
    """Those of database and role are meant for queries; what is there depends on the server's version."""
    limits = (
        "SELECT name FROM pg_settings WHERE name LIKE '%timeout' AND context = 'user' AND name !~ '^(deadlock|tcp|wal)'"
    )
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        names = [name for (name,) in connection.execute(limits)]
        for name in names:
            connection.execute(f"ALTER DATABASE {connection.info.dbname} SET {name} = '1h'".encode())
    with journeys.opened(postgresql.url) as (_, client):
        assert isinstance(client, PostgresClient)
        lease = client.take_lock("somebody@elsewhere:1", 60)
        asked = "SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting <> '0'"
        left = client.ask(BoundSql(asked, (names,)))
        lease.release()
    assert left == []


def test_a_server_that_cannot_look_for_its_clients_takes_runs(
    postgresql: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PostgreSQL on systems that tell nothing of a closed connection."""
    execute = psycopg.Connection.execute

    def refusing(self: psycopg.Connection, query: str, *values: object, **options: object) -> psycopg.Cursor:
        if "client_connection_check_interval" in query:
            query = "SET client_connection_check_interval = '-1'"
        return execute(self, query, *values, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", refusing)
    assert here("schema", "upgrade", postgresql.url, "--yes").code == 0
