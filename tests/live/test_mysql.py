"""MySQL: what we create and what we upgrade to is what Temporal's own scripts make; records survive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pymysql
import pytest
from pymysql.constants import ER

from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.catalogs import published, released
from tests.support.kept import kept
from tests.support.shells import feed
from toolkit.catalog import Catalog, differences
from toolkit.definition import Definition
from toolkit.engines import mysql as engine
from toolkit.engines.filtering import BoundSql
from toolkit.engines.mysql import rows
from toolkit.engines.mysql.typemap import profile
from toolkit.errors import ConnectionFailed, EngineError, TargetError
from toolkit.plan import Sql
from toolkit.records import Deletion, Moment, Record
from toolkit.sample import expected, generate

EV, CSA, CHSA = "executions_visibility", "custom_search_attributes", "chasm_search_attributes"
NEWEST = released()[-1]
# ER_ALTER_OPERATION_NOT_SUPPORTED, without and with a reason.
NOT_SUPPORTED = (1845, 1846)


def temporal(definition: Definition) -> Catalog:
    return published("mysql", definition.version)


def at(version: str) -> Definition:
    return next(d for d in released() if d.version == version)


def databases(handle: Handle) -> Iterator[str]:
    while True:
        yield handle.new_database()


def sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run `statements` as a plain driver does; the rows of the last one."""
    parts = urlsplit(url)
    connection = pymysql.connect(
        host=parts.hostname or "",
        port=parts.port or 0,
        user=parts.username,
        password=parts.password or "",
        database=parts.path[1:],
        autocommit=True,
    )
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())
    finally:
        connection.close()


def script(path: str) -> str:
    return engine.artefacts(released())[f"sql/mysql/{path}.sql"]


def test_fresh_install_of_every_version(mysql: Handle) -> None:
    journeys.fresh(databases(mysql), temporal)


@pytest.mark.short
def test_every_step_up_and_down(mysql: Handle) -> None:
    journeys.up_and_down(mysql.url, temporal)


@pytest.mark.short
def test_one_leap_from_1_9(mysql: Handle) -> None:
    journeys.one_leap(mysql.url, temporal)


@pytest.mark.short
@pytest.mark.parametrize("goal", ["1.3", "1.14"])
def test_the_defective_1_3_is_repaired(mysql: Handle, goal: str) -> None:
    """v1.21.0 left the `$.` out of BuildIds' path; every write of search attributes fails there."""
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, at("1.3"))
        have = temporal(at("1.3")).at(("tables", EV, "indexes", "by_build_ids"))
        assert have
        build = next(i for i in script("upgrade/1.2-1.3").split("\n") if "ADD INDEX `by_build_ids`" in i)
        sql(
            mysql.url,
            f"ALTER TABLE {EV} DROP INDEX by_build_ids",
            f"ALTER TABLE {EV} DROP COLUMN BuildIds",
            f"ALTER TABLE {EV} ADD COLUMN BuildIds JSON GENERATED ALWAYS AS (search_attributes->'BuildIds')",
            f"ALTER TABLE {EV} " + build.strip().rstrip(",").replace("''", "'"),
        )
        assert differences(client.observe().catalog, published("mysql", "1.3-v1.21.0")) == ()
        journeys.upgrade(chosen, client, at(goal))
        journeys.at(chosen, client, at(goal), temporal)
        written = Record("ns", "run", "w", "t", 0, 0, 1, attributes={"BuildIds": ("a", "b")})
        assert list(client.write(at(goal), [written])) == [1]
        assert sql(mysql.url, f"SELECT COUNT(*) FROM {EV} WHERE 'b' MEMBER OF (BuildIds)") == [(1,)]


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


@pytest.mark.parametrize("version", HALVES)
def test_a_half_applied_version_is_finished(mysql: Handle, version: str) -> None:
    """Temporal's tool stopped in the middle: each statement is for ever, and it cannot repeat one."""
    before = released()[released().index(at(version)) - 1]
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, before)
        sql(mysql.url, *HALVES[version])
        journeys.upgrade(chosen, client, at(version))
        journeys.at(chosen, client, at(version), temporal)


def test_a_copy_is_planned_only_where_mysql_has_no_other_way(mysql: Handle) -> None:
    """Each step says ALGORITHM and LOCK, so the server refuses what is not so; and it refuses less than the copies."""
    copies = []
    with journeys.opened(mysql.url) as (chosen, client):
        for wanted in released():
            for step in chosen.steps(client.observe(), wanted):
                if step.id.endswith(".copy"):
                    copies.append(f"{wanted.version} {step.id}")
                    (copy,) = (s for s in step.statements if isinstance(s, Sql) and s.text.startswith("ALTER"))
                    for cheaper in ("COPY, LOCK=NONE", "INPLACE, LOCK=SHARED", "INSTANT"):
                        with pytest.raises(pymysql.MySQLError) as refused:
                            sql(mysql.url, copy.text.replace("COPY, LOCK=SHARED", cheaper))
                        assert refused.value.args[0] in NOT_SUPPORTED
                client.execute(step)
                assert step.is_done(client.observe().view())
    assert len(copies) == 10


def test_objects_of_others_are_left_alone(mysql: Handle) -> None:
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, at("1.9"))
        sql(
            mysql.url,
            "CREATE TABLE reports (id INT PRIMARY KEY)",
            f"CREATE VIEW open_runs AS SELECT run_id FROM {EV} WHERE close_time IS NULL",
            f"CREATE INDEX by_mine ON {EV} (workflow_id, run_id)",
            f"CREATE TRIGGER watch AFTER DELETE ON {EV} FOR EACH ROW INSERT IGNORE INTO reports VALUES (1)",
        )
        plan = journeys.upgrade(chosen, client, NEWEST)
        foreign = {"/".join(path) for path in plan.foreign}
        assert foreign == {"tables/reports", "views", f"tables/{EV}/indexes/by_mine", f"tables/{EV}/triggers"}
        assert sql(mysql.url, "SELECT COUNT(*) FROM open_runs") == [(0,)]
        left = client.observe().catalog.children(("tables", EV))
        assert "by_mine" in str(left["indexes"])
        assert "watch" in str(left["triggers"])


def test_a_broken_catalog_is_seen_and_mended(mysql: Handle) -> None:
    """The comparison can fail: another default, another key, another type, another expression, a hidden index."""
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        sql(
            mysql.url,
            f"ALTER TABLE {EV} ALTER COLUMN task_queue DROP DEFAULT, MODIFY COLUMN history_length INT NULL",
            f"ALTER TABLE {CSA} DROP INDEX by_int_01, ADD INDEX by_int_01 (namespace_id, Int02)",
            f"ALTER TABLE {CSA} ALTER INDEX by_bool_01 INVISIBLE",
            f"ALTER TABLE {CHSA} DROP INDEX by_temporal_int_01, DROP COLUMN TemporalInt01, ALGORITHM=COPY",
            f"ALTER TABLE {CHSA} ADD COLUMN TemporalInt01 BIGINT AS (search_attributes->'$.TemporalInt02') VIRTUAL",
        )
        left = {"/".join(d.path[-3:]) for d in differences(client.observe().catalog, temporal(NEWEST))}
        assert left == {
            "columns/task_queue/default",
            "columns/history_length/type",
            "indexes/by_int_01/keys",
            "indexes/by_bool_01/visible",
            f"{CHSA}/indexes/by_temporal_int_01",
            "columns/TemporalInt01/expr",
        }
        journeys.upgrade(chosen, client, NEWEST)
        journeys.at(chosen, client, NEWEST, temporal)


def test_root_ids_written_under_1_5_survive_1_6(mysql: Handle) -> None:
    """Temporal's own script drops the columns and makes them anew, empty."""
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, at("1.5"))
        sql(
            mysql.url,
            f"INSERT INTO {EV} (namespace_id, run_id, start_time, execution_time, workflow_id, workflow_type_name, "
            "status, encoding, root_workflow_id) VALUES ('n', 'a', NOW(), NOW(), 'w', 't', 1, '', 'root'), "
            "('n', 'b', NOW(), NOW(), 'w', 't', 1, '', NULL)",
        )
        journeys.upgrade(chosen, client, at("1.6"))
        journeys.at(chosen, client, at("1.6"), temporal)
        assert sql(mysql.url, f"SELECT root_workflow_id, root_run_id FROM {EV} ORDER BY run_id") == [
            ("root", ""),
            ("", ""),
        ]


def test_a_database_of_another_collation(mysql: Handle) -> None:
    """The tables have their database's collation, whatever it is; a table that differs from it is told."""
    sql(mysql.url, f"ALTER DATABASE {mysql.database} COLLATE utf8mb4_unicode_ci")
    journeys.one_leap(mysql.url, temporal)
    with journeys.opened(mysql.url) as (_, client):
        sql(mysql.url, f"ALTER TABLE {CHSA} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        left = {"/".join(d.path) for d in differences(client.observe().catalog, temporal(NEWEST))}
        assert left == {f"tables/{CHSA}/collation"}


@pytest.mark.parametrize("version", ["1.0", "1.2", "1.9", "1.14"])
def test_records_come_back_as_they_were_written(mysql: Handle, version: str) -> None:
    definition = at(version)
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, definition)
        writes = list(generate(definition, 1000, seed=11))
        assert sum(client.write(definition, writes)) == len(writes)
        wanted = {key: kept(record, definition) for key, record in expected(writes).items()}
        assert {(r.namespace_id, r.run_id): r for r in client.read(definition)} == wanted
        assert client.count() == len(wanted)
    if version == "1.0":
        return
    side = [CSA, CHSA] if version == "1.14" else [CSA]
    versions = "AND e._version = s._version" if version not in ("1.2",) else ""
    for table in side:
        same = f"SELECT COUNT(*), SUM(e.search_attributes <=> s.search_attributes {versions}) FROM {EV} e "
        assert sql(mysql.url, f"{same} LEFT JOIN {table} s USING (namespace_id, run_id)") == [(1000, 1000)]


EDGES: dict[str, Any] = {
    "Keyword01": "NUL \x00 and 😀 and \\ and ' and \" and %s and \u2028",
    "Keyword02": "x" * 255,
    "Text01": "it's a:b https://example.test/?q=1 \\ '' 漢字 " * 50,
    "Int01": -(2**63),
    "Int02": 2**63 - 1,
    "Double01": -999_999_999_999_999.0,
    "Double02": 0.1 + 0.2,
    "Bool01": False,
    "Datetime01": Moment(-1),
    "Datetime02": Moment(4_102_444_799_123_456_789),
    "KeywordList01": ("", "é", "e\u0301", "♡", "x" * 255),
}


@pytest.mark.short
def test_values_at_the_edges(mysql: Handle) -> None:
    record = Record(
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "run", "w" * 255, "t", -62_135_596_800_000_000_000 + 10**18,
        253_402_300_799_999_999_000, 8, task_queue="Ünïcode %", close_time=999, history_length=2**63 - 1,
        memo=bytes(range(256)) * 255, encoding="Proto3", parent_workflow_id="'; --", root_run_id="r", version=2**62,
        attributes=EDGES,
    )  # fmt: skip
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        list(client.write(NEWEST, [record]))
        assert list(client.read(NEWEST)) == [kept(record, NEWEST)]
        columns = "Keyword01, Int01, Double02, Bool01, Datetime02, JSON_LENGTH(KeywordList01)"
        (row,) = sql(mysql.url, f"SELECT {columns} FROM {CSA}")
        assert [str(value) for value in row] == [
            EDGES["Keyword01"], str(-(2**63)), "0.30000", "0", "2099-12-31 23:59:59.123457", "5",
        ]  # fmt: skip


@pytest.mark.short
def test_a_late_write_changes_no_table(mysql: Handle) -> None:
    def state(version: int, word: str) -> Record:
        attributes = {"Keyword01": word, "TemporalKeyword01": word, "BatcherUser": word}
        return Record("n", "r", "w", "t", 0, 0, 1, version=version, attributes=attributes)

    found = (
        f"SELECT e.BatcherUser, c.Keyword01, h.TemporalKeyword01, e._version, c._version, h._version FROM {EV} e "
        f"JOIN {CSA} c USING (namespace_id, run_id) JOIN {CHSA} h USING (namespace_id, run_id)"
    )
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        list(client.write(NEWEST, [state(5, "five")]))
        list(client.write(NEWEST, [state(3, "late"), state(5, "again")]))
        assert sql(mysql.url, found) == [("five", "five", "five", 5, 5, 5)]
        # As Temporal's server leaves it when an execution starts: the other tables say 0, whatever the main one says.
        sql(mysql.url, f"UPDATE {CSA} SET _version = 0", f"UPDATE {CHSA} SET _version = 0")
        list(client.write(NEWEST, [state(4, "late")]))
        assert sql(mysql.url, found)[0][:3] == ("five", "five", "five")
        list(client.write(NEWEST, [state(6, "six")]))
        assert sql(mysql.url, found) == [("six", "six", "six", 6, 6, 6)]
        list(client.write(NEWEST, [Deletion("n", "r", "w", 7, 0)]))
        for table in (EV, CSA, CHSA):
            assert sql(mysql.url, f"SELECT COUNT(*) FROM {table}") == [(0,)]


@pytest.mark.short
def test_long_lists_of_keys_are_looked_up(mysql: Handle) -> None:
    """Past its limit of memory for ranges the server scans the whole table instead."""
    form = rows.Form.of(NEWEST, profile())
    columns = "namespace_id CHAR(64), run_id CHAR(64), _version BIGINT, search_attributes JSON"
    tables = [f"CREATE TABLE {table} ({columns}, PRIMARY KEY (namespace_id, run_id))" for table in (EV, CSA, CHSA)]
    digits = " UNION ALL ".join(f"SELECT {n} AS d" for n in range(10))
    joined = " CROSS JOIN ".join(f"({digits}) AS {name}" for name in "abcd")
    filled = f"INSERT INTO {EV} (namespace_id, run_id) SELECT CONCAT('namespace-', a.d), UUID() FROM {joined}"
    sql(mysql.url, *tables, filled, f"ANALYZE TABLE {EV}")
    keys = [(str(a), str(b)) for a, b in sql(mysql.url, f"SELECT namespace_id, run_id FROM {EV} LIMIT 1000")]
    with journeys.opened(mysql.url) as (_, client):
        for statement in (*form.follow, form.delete[0]):
            for text, values in rows.chunks(statement, keys):
                plan = client.ask(BoundSql(f"EXPLAIN FORMAT=TRADITIONAL {text}", tuple(values)))
                assert [(step["type"], step["key"]) for step in plan if step["table"] == EV] == [("range", "PRIMARY")]


def test_reading_sees_one_moment(mysql: Handle) -> None:
    """Records written while a reader is under way are not in what it reads, and none comes twice."""
    writes = list(generate(NEWEST, 300, seed=3))
    with journeys.opened(mysql.url) as (chosen, client), journeys.opened(mysql.url) as (_, other):
        journeys.upgrade(chosen, client, NEWEST)
        list(client.write(NEWEST, writes))
        reader = client.read(NEWEST)
        seen = [next(reader)]
        list(other.write(NEWEST, [Deletion(r.namespace_id, r.run_id, "", 2**62, 0) for r in expected(writes).values()]))
        seen += reader
        assert {(r.namespace_id, r.run_id) for r in seen} == set(expected(writes))
        assert len(seen) == 300
        assert client.count() == 0


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


def test_an_account_with_rights_on_its_database_only(mysql: Handle, tmp_path: Any) -> None:
    """No right beyond the database is needed, neither by the toolkit nor by the scripts."""
    name, url = f"own_{mysql.database[-10:]}", mysql.new_database()
    database = urlsplit(url).path[1:]
    sql(mysql.url, f"CREATE USER {name} IDENTIFIED BY 'own-secret'", f"GRANT ALL ON {database}.* TO {name}")
    own = url.replace("temporal:temporal-secret", f"{name}:own-secret")
    try:
        journeys.one_leap(own, temporal)
        feed(own, script("downgrade/1.14-1.13"), tmp_path)
        with journeys.opened(own) as (_, client):
            list(client.write(at("1.13"), generate(at("1.13"), 20, seed=1)))
            assert len(list(client.read(at("1.13")))) == client.count() == 20
    finally:
        sql(mysql.url, f"DROP USER {name}")


def test_an_account_without_rights_gets_a_coded_error(mysql: Handle) -> None:
    name = f"none_{mysql.database[-10:]}"
    sql(mysql.url, f"CREATE USER {name} IDENTIFIED BY 'none-secret'", f"GRANT SELECT ON {mysql.database}.* TO {name}")
    try:
        url = mysql.url.replace("temporal:temporal-secret", f"{name}:none-secret")
        with journeys.opened(url) as (chosen, client), pytest.raises(EngineError) as refused:
            journeys.upgrade(chosen, client, NEWEST)
        assert refused.value.code == "TV4003"
        assert "all rights on the database" in refused.value.hint
        assert "none-secret" not in refused.value.message
    finally:
        sql(mysql.url, f"DROP USER {name}")


def test_wrong_password_and_nobody_there(mysql: Handle) -> None:
    with pytest.raises(ConnectionFailed) as wrong, journeys.opened(mysql.url.replace("secret", "wr0ng-pä")):
        pass
    assert wrong.value.code == "TV4001"
    assert "wr0ng" not in f"{wrong.value.message} {wrong.value.hint}"
    for url in ("mysql://u:p@127.0.0.1:1/d", "mysql://u:p@host.invalid/d", f"{mysql.url}_and_no_more"):
        with pytest.raises(ConnectionFailed), journeys.opened(url):
            pass
    for url in ("mysql://u:p@127.0.0.1:1/d?ssl-mood=x", "mysql://u:p@127.0.0.1:1"):
        with pytest.raises(TargetError), journeys.opened(url):
            pass


@pytest.mark.short
def test_encrypted_connections(mysql: Handle) -> None:
    secured = mysql.secured()
    for url in secured.good.values():
        with journeys.opened(url) as (_, client):
            assert client.observe().recorded is None
    for wrong in ("wrong password", "unknown authority", "no TLS", "no client certificate"):
        with pytest.raises(ConnectionFailed), journeys.opened(secured.bad[wrong]):
            pass


def test_a_lost_connection_is_told(mysql: Handle) -> None:
    with journeys.opened(mysql.url) as (_, client):
        mine = [row[0] for row in sql(mysql.url, "SHOW PROCESSLIST") if row[3] == mysql.database]
        for number in mine:
            try:
                sql(mysql.url, f"KILL {number}")
            except pymysql.MySQLError as error:  # this very connection, gone by then
                assert error.args[0] in (ER.NO_SUCH_THREAD, 2013, 1317)
        with pytest.raises(ConnectionFailed) as lost:
            client.observe()
        assert lost.value.code == "TV4002"


def test_waiting_for_a_table_ends(mysql: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten transaction holds the table; the step gives up in time, and says so."""
    monkeypatch.setattr("toolkit.engines.mysql.client.LOCK_WAIT_TIMEOUT", 1)
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, at("1.0"))
        parts = urlsplit(mysql.url)
        holder = pymysql.connect(
            host=parts.hostname or "", port=parts.port or 0, user=parts.username, password=parts.password or "",
            database=mysql.database,
        )  # fmt: skip
        try:
            with holder.cursor() as cursor:
                cursor.execute(f"SELECT COUNT(*) FROM {EV}")
            with pytest.raises(EngineError) as waited:
                journeys.upgrade(chosen, client, at("1.1"))
            assert "Lock wait timeout" in waited.value.message
            assert "transaction holds the table" in waited.value.hint
        finally:
            holder.close()
        journeys.upgrade(chosen, client, at("1.1"))
        journeys.at(chosen, client, at("1.1"), temporal)
