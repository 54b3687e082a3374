"""MySQL: what we create and what we upgrade to is what Temporal's own scripts make."""

from __future__ import annotations

from pathlib import Path

import pymysql
import pytest

from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.catalogs import published, released
from tests.support.command import temporal_visibility
from tests.support.mysql import CHSA, CSA, EV, HALVES, NEWEST, at, databases, script, sql, temporal
from toolkit.apply.runner import plan_store
from toolkit.catalog import differences
from toolkit.engines import scratches
from toolkit.errors import EngineError
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import Sql
from toolkit.records import Record

# ER_ALTER_OPERATION_NOT_SUPPORTED, without and with a reason.
NOT_SUPPORTED = (1845, 1846)


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
    """v1.21.0 left the `$.` out of BuildIds' path; every write of search attributes fails there. MySQL does not make it
    anew while something of somebody's own is computed from it, which is told before."""
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
        own = ("COLUMN mine VARCHAR(255) AS (JSON_UNQUOTE(BuildIds))", "INDEX mine ((JSON_LENGTH(BuildIds)))")
        sql(mysql.url, *(f"ALTER TABLE {EV} ADD {each}" for each in own))
        plan = plan_store(chosen, client, at(goal), released(), NO_OVERLAY)
        told = [p.message for p in client.preflight(plan) if p.fatal]  # type: ignore[attr-defined]
        anew = f"mine of {EV} is computed from BuildIds, which has to be made anew"
        assert told == [f"index {anew}", f"column {anew}"]
        sql(mysql.url, f"ALTER TABLE {EV} DROP INDEX mine, DROP COLUMN mine")
        journeys.upgrade(chosen, client, at(goal))
        journeys.at(chosen, client, at(goal), temporal)
        written = Record("ns", "run", "w", "t", 0, 0, 1, attributes={"BuildIds": ("a", "b")})
        assert list(client.write(at(goal), [written])) == [1]
        assert sql(mysql.url, f"SELECT COUNT(*) FROM {EV} WHERE 'b' MEMBER OF (BuildIds)") == [(1,)]


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
            f"CREATE VIEW {CHSA} AS SELECT run_id FROM {EV}",
        )
        # What has the name of a table that is to be made is no table, though MySQL passes over it.
        with pytest.raises(EngineError, match=f"{CHSA} is a view") as taken:
            journeys.upgrade(chosen, client, NEWEST)
        assert (taken.value.code, client.observe().recorded) == ("TV5209", "1.9")
        sql(mysql.url, f"DROP VIEW {CHSA}")
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
    """The tables have their database's collation, whatever it is; a table that differs from it is told, and gets it."""
    sql(mysql.url, f"ALTER DATABASE {mysql.database} COLLATE utf8mb4_unicode_ci")
    journeys.one_leap(mysql.url, temporal)
    with journeys.opened(mysql.url) as (chosen, client):
        for other in ("utf8mb4_bin", "utf8mb4_0900_ai_ci"):
            sql(mysql.url, f"ALTER TABLE {CHSA} CONVERT TO CHARACTER SET utf8mb4 COLLATE {other}")
            left = {"/".join(d.path) for d in differences(client.observe().catalog, temporal(NEWEST))}
            assert left == {f"tables/{CHSA}/collation"}
            journeys.upgrade(chosen, client, NEWEST)
    assert "COLLATE=utf8mb4_unicode_ci" in sql(mysql.url, f"SHOW CREATE TABLE {CHSA}")[0][1]


@pytest.mark.parametrize(
    "said", ["USE `{database}`;\n\nDROP TABLE IF EXISTS `{table}`", "DROP TABLE IF EXISTS `{database}`.`{table}`"]
)
def test_a_dump_that_names_a_database_is_refused(mysql: Handle, tmp_path: Path, said: str) -> None:
    """As `mysqldump --databases` writes it: the proof would begin by dropping the live table."""
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        client.execute(scratches.statement(f"CREATE TABLE beside LIKE {EV}"))
    dump = tmp_path / "dump.sql"
    dump.write_text(f"-- MySQL dump\n\n{said.format(database=mysql.database, table='beside')};\n")
    ran = temporal_visibility("schema", "verify-paths", "--on", mysql.url, "--dump", str(dump), "--rows", "20")
    assert (ran.code, "TV2083" in ran.err) == (2, True), ran.err
    assert sql(mysql.url, "SELECT COUNT(*) FROM beside") == [(0,)]
