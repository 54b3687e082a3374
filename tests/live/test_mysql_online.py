"""Online upgrades of MySQL: killed at every point while somebody writes, taken back, finished; nothing lost.

The writer keeps its own truth: what it inserted, changed and deleted is what must be in the tables at the end.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.engines.handles import Handle
from tests.engines.processes import wait_until
from tests.support import journeys
from tests.support.catalogs import LAST, published, released
from tests.support.command import temporal_visibility
from tests.support.mysql import CHSA, CSA, EV, HALVES, account, ask, driver, sql
from tests.support.mysql_writing import MysqlWriter, leftovers
from tests.support.online import go, killed_again_and_again, paused, prepared
from toolkit.apply.actions import Action, CopyChunk, Outcome, Replay, RunStep
from toolkit.apply.machine import Limits
from toolkit.apply.runner import Options, perform, plan_store, upgrade_task
from toolkit.apply.ways_back import rollback
from toolkit.catalog import differences
from toolkit.errors import ConnectionFailed, EngineError
from toolkit.overlay import NO_OVERLAY
from toolkit.versions import find

VERSIONS = [d.version for d in released()]
ROWS = 400


def check(url: str, writer: MysqlWriter, version: str) -> None:
    assert writer.stored() == (writer.truth, ROWS)
    with journeys.opened(url) as (_, client):
        assert differences(client.observe().catalog, published("mysql", version)) == ()
        assert client.observe().recorded == version


def ran(url: str, *words: str) -> None:
    """Run a command that must succeed."""
    done = temporal_visibility("schema", *words, url, "--yes")
    assert done.code == 0, done.err


def there_and_back(url: str, before: str, after: str) -> None:
    """From one version to another, back, there again and finished while somebody writes: what is written after a swap
    is there after the next."""
    way = ("downgrade" if VERSIONS.index(after) < VERSIONS.index(before) else "upgrade", "--to", after)
    prepared(url, ROWS, before)
    # Nobody can write to a table that the way down drops.
    with MysqlWriter(url, side=after not in ("1.0", "1.1")) as writer:
        for words, version in ((way, after), (("rollback",), before), (way, after)):
            ran(url, *words)
            with journeys.opened(url) as (_, client):
                assert differences(client.observe().catalog, published("mysql", version)) == ()
            writer.wait_for(40)
            if words == way and not leftovers(url):
                break  # Done in place, with no way back to keep.
        else:
            ran(url, "finish")
            writer.wait_for(10)
    check(url, writer, after)
    assert leftovers(url) == []


@pytest.mark.parametrize("everywhere", [False, pytest.param(True, marks=pytest.mark.long)])
def test_killed_again_and_again_it_gets_there(mysql: Handle, everywhere: bool) -> None:
    url = mysql.url
    prepared(url, ROWS)
    with MysqlWriter(url) as writer:
        assert killed_again_and_again(url, everywhere) > 3
        ran(url, "finish")
    check(url, writer, LAST)
    assert leftovers(url) == []


@pytest.mark.short
def test_up_back_up_and_finished_under_load(mysql: Handle) -> None:
    there_and_back(mysql.url, "1.9", LAST)


def test_a_store_that_recorded_nothing_records_nothing_again(mysql: Handle) -> None:
    """As after a dump into a database of another name."""
    url, version = mysql.url, "SELECT db_name, curr_version FROM schema_version"
    prepared(url, 50)
    sql(url, "UPDATE schema_version SET db_name = 'former'")
    ran(url, "upgrade")
    assert set(sql(url, version)) == {("former", "1.9"), (mysql.database, LAST)}
    ran(url, "rollback")
    assert sql(url, version) == [("former", "1.9")]


def test_two_tables_are_swapped_at_once(mysql: Handle) -> None:
    """The table with full text, too; no write fails, though writers hold one table while they ask for the other."""
    there_and_back(mysql.url, "1.8", LAST)


@pytest.mark.long
@pytest.mark.parametrize(("before", "after"), list(pairwise(VERSIONS)))
def test_every_step_up_and_back(mysql: Handle, before: str, after: str) -> None:
    there_and_back(mysql.url, before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    # What is written without root ids under 1.5 goes back to a table that takes none.
    [("1.9", "1.5")]
    + [pair if pair[0] == "1.6" else pytest.param(*pair, marks=pytest.mark.long) for pair in pairwise(VERSIONS[::-1])],
)
def test_every_step_down_and_back(mysql: Handle, before: str, after: str) -> None:
    there_and_back(mysql.url, before, after)


def test_two_runners_one_store(mysql: Handle) -> None:
    """The second is told who holds the lock, and leaves with 4; the first is not disturbed."""
    prepared(mysql.url, 50)
    with journeys.opened(mysql.url) as (_, client):
        lease = client.take_lock("somebody@elsewhere:1", 60)  # type: ignore[attr-defined]
        try:
            done = temporal_visibility("schema", "upgrade", mysql.url, "--yes")
            lease.check()
            lease.beat()
        finally:
            lease.release()
    assert done.code == 4
    assert "somebody@elsewhere:1" in done.err


def test_a_lock_that_is_never_granted_fails_and_leaves_the_store_usable(mysql: Handle) -> None:
    url = mysql.url
    prepared(url, 50)
    few = Options(limits=Limits(lock_seconds=0.02, attempts=4, longest_pause=0.05))
    with driver(url) as blocker, journeys.opened(url) as (chosen, client):
        blocker.begin()
        ask(blocker, f"SELECT 1 FROM {EV} LIMIT 1")
        plan = plan_store(chosen, client, find(LAST), released(), NO_OVERLAY)
        task = upgrade_task(chosen, plan, find(LAST), NO_OVERLAY)
        with MysqlWriter(url) as writer:
            with pytest.raises(EngineError) as refused:
                perform(client, task, lambda *_: None, time.monotonic, few)
            writer.wait_for(5)
        assert refused.value.code == "TV5103"
        assert writer.longest < 2
        ask(blocker, f"SELECT COUNT(*) FROM {EV}")
    ran(url, "upgrade")
    ran(url, "finish")
    assert writer.stored() == (writer.truth, 50)


@pytest.mark.parametrize(
    "made",
    [
        f"CREATE TRIGGER watch AFTER DELETE ON {EV} FOR EACH ROW SET @gone = 1",
        f"CREATE TABLE notes (n CHAR(64), r CHAR(64), FOREIGN KEY mine (n, r) REFERENCES {EV} (namespace_id, run_id))",
        f"ALTER TABLE {EV} ADD CONSTRAINT mine CHECK (status < 100)",
    ],
    ids=["trigger", "foreign key", "check"],
)
def test_what_a_swap_would_lose_is_refused_and_kept(mysql: Handle, made: str) -> None:
    url = mysql.url
    prepared(url, 50)
    sql(url, made)
    refused(url, "TV4306")
    ran(url, "upgrade", "--offline")
    if "TRIGGER" in made:
        assert sql(url, "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_NAME = 'watch'") == [(1,)]
    else:
        assert " CONSTRAINT " in sql(url, f"SHOW CREATE TABLE {'notes' if 'notes' in made else EV}")[0][1]


def refused(url: str, code: str) -> str:
    """What an upgrade says that does nothing."""
    before = [sql(url, f"SHOW CREATE TABLE {table}") for table in (EV, CSA)]
    done = temporal_visibility("schema", "upgrade", url, "--yes")
    assert (done.code, code in done.err) == (1, True), done.err
    assert [sql(url, f"SHOW CREATE TABLE {table}") for table in (EV, CSA)] == before
    assert leftovers(url) == []
    return done.out + done.err


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (
            [
                f"ALTER TABLE {EV} DROP PRIMARY KEY, ADD UNIQUE INDEX mine (workflow_id, run_id)",
                f"ALTER TABLE {CSA} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            ],
            ["no primary key (namespace_id, run_id), unique index mine", "collation utf8mb4_bin, where its database"],
        ),
        (
            [
                f"ALTER TABLE {EV} MODIFY run_id CHAR(64) COLLATE utf8mb4_general_ci NOT NULL",
                f"ALTER TABLE {EV} ADD COLUMN counted INT NOT NULL AUTO_INCREMENT, ADD INDEX by_count (counted)",
            ],
            ["collation utf8mb4_general_ci of run_id, AUTO_INCREMENT of counted"],
        ),
    ],
    ids=["tables", "key's column"],
)
def test_a_table_that_no_shadow_can_follow_is_refused(mysql: Handle, made: list[str], told: list[str]) -> None:
    """A copy without the key could have records twice; --offline mends the table itself."""
    url = mysql.url
    prepared(url, 50)
    sql(url, *made)
    said = refused(url, "TV4310")
    assert all(text in said for text in told), said
    ran(url, "upgrade", "--offline")
    after = sql(url, f"SHOW CREATE TABLE {EV}")[0][1]
    assert "PRIMARY KEY (`namespace_id`,`run_id`)" in after
    assert ("UNIQUE KEY `mine`" in after) == ("mine" in made[0])
    assert sql(url, f"SELECT COUNT(*) FROM {EV} JOIN {CSA} USING (namespace_id, run_id)") == [(50,)]


def test_a_value_that_no_strict_session_stores_is_named(mysql: Handle) -> None:
    """Which rows to look at; once they are mended, the same command goes on."""
    url, lax = mysql.url, "SET SESSION sql_mode = ''"
    prepared(url, 50)
    sql(url, lax, f"UPDATE {EV} SET search_attributes = JSON_OBJECT('BatcherUser', REPEAT('x', 300)) LIMIT 3")
    stopped = temporal_visibility("schema", "upgrade", url, "--yes")
    assert (stopped.code, "TV4311" in stopped.err) == (1, True), stopped.err
    (query,) = re.findall(r"SELECT .+ > 255", " ".join(stopped.err.split()))
    assert len(sql(url, query)) == 3
    sql(url, lax, query.replace("SELECT namespace_id, run_id", "DELETE"))
    ran(url, "upgrade")
    ran(url, "finish")
    assert sql(url, f"SELECT COUNT(*) FROM {EV}") == [(47,)]


@pytest.mark.short
def test_views_grants_and_own_indexes_go_along(mysql: Handle) -> None:
    """MySQL's views and grants name a table; own columns, indexes and partitions are made again, and so is another
    parser of a full-text index."""
    url = mysql.url
    prepared(url, 50, "1.8")
    sql(
        url,
        f"CREATE VIEW open_runs AS SELECT run_id FROM {EV} WHERE close_time IS NULL",
        f"CREATE INDEX by_mine ON {EV} (workflow_id(7) DESC, (UPPER(encoding))) COMMENT 'it''s mine, truly'",
        f"ALTER TABLE {EV} PARTITION BY KEY (namespace_id) PARTITIONS 2",
        f"DROP INDEX by_text_02 ON {CSA}",
        f"CREATE FULLTEXT INDEX by_text_02 ON {CSA} (Text02) WITH PARSER ngram",
    )
    before = [line for line in sql(url, f"SHOW CREATE TABLE {EV}")[0][1].splitlines() if "by_mine" in line]
    open_before = sql(url, "SELECT COUNT(*) FROM open_runs")
    with account(url, "seer", f"GRANT SELECT ON {mysql.database}.{EV} TO {{}}") as seer:
        upgraded = temporal_visibility("schema", "upgrade", url, "--yes")
        assert (upgraded.code, upgraded.out.count("TV4316")) == (0, 1), upgraded.out + upgraded.err
        ran(url, "finish")
        assert sql(url, "SELECT COUNT(*) FROM open_runs") == open_before
        made = sql(url, f"SHOW CREATE TABLE {EV}")[0][1]
        assert "PARTITION BY KEY" in made
        after = [line for line in made.splitlines() if "by_mine" in line]
        assert [line.rstrip(",") for line in after] == [line.rstrip(",") for line in before]
        assert sql(url, f"SHOW CREATE TABLE {CSA}")[0][1].count("WITH PARSER `ngram`") == 1
        assert sql(seer, f"SELECT COUNT(*) FROM {EV}") == [(50,)]


def test_a_table_with_full_text_of_an_operators_own_takes_a_plain_column(mysql: Handle) -> None:
    """MySQL adds none to it in an instant, nor drops one."""
    url = mysql.url
    prepared(url, 5, "1.8")
    sql(url, f"CREATE FULLTEXT INDEX by_word ON {EV} (workflow_id)")
    ran(url, "upgrade", "--to", "1.9")
    assert sql(url, f"SHOW INDEX FROM {EV} WHERE Key_name = 'by_word'")


def test_a_half_applied_version_with_records_is_finished_beside_writes(mysql: Handle) -> None:
    """Temporal's tool stopped in the middle of 1.14, in a store that is written to."""
    url = mysql.url
    prepared(url, ROWS, "1.13")
    sql(url, *HALVES["1.14"])
    with MysqlWriter(url) as writer:
        ran(url, "upgrade")
        writer.wait_for(20)
        ran(url, "finish")
    check(url, writer, LAST)


def started(url: str, until: type[Action], step: str = "") -> None:
    """Run an upgrade up to the first action of a kind, and stop there like a user."""
    seen: list[Action] = []

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, until) and outcome is not None:
            seen.append(action)

    with journeys.opened(url) as (chosen, client):
        plan = plan_store(chosen, client, find(LAST), released(), NO_OVERLAY)
        task = upgrade_task(chosen, plan, find(LAST), NO_OVERLAY)

        def stopped() -> bool:
            return any(step in plan.steps[action.step].id for action in seen if isinstance(action, RunStep | CopyChunk))

        with pytest.raises(Exception, match="stopped at a safe point"):
            perform(client, task, lambda *_: None, time.monotonic, Options(watch=watch, stopped=stopped))


@pytest.mark.parametrize(
    ("after", "done", "undone", "code"),
    [
        # No trigger fires when a table is emptied, and the catalog does not tell; the swap would bring all back.
        ("arm", f"TRUNCATE TABLE {EV}", "DO 0", "TV4309"),
        ("capture", f"ALTER TABLE {EV} ADD COLUMN mine INT", f"ALTER TABLE {EV} DROP COLUMN mine", "TV5001"),
        ("capture", f"DROP TRIGGER temporal_visibility_log_{EV}_delete", "DO 0", "TV5001"),
    ],
    ids=["emptied", "altered", "trigger dropped"],
)
def test_what_somebody_does_to_the_table_meanwhile_is_seen(
    mysql: Handle, after: str, done: str, undone: str, code: str
) -> None:
    url = mysql.url
    prepared(url, 50)
    started(url, RunStep, after)
    sql(url, done)
    upgraded = temporal_visibility("schema", "upgrade", url, "--yes")
    assert (upgraded.code, code in upgraded.err) == (1, True), upgraded.err
    assert sql(url, f"SELECT COUNT(*) FROM {EV}") == [(0 if code == "TV4309" else 50,)]
    sql(url, undone)
    ran(url, "rollback")
    assert leftovers(url) == []
    ran(url, "upgrade")


def test_a_rollback_that_cannot_swap_is_no_dead_end(mysql: Handle) -> None:
    """The old table still has what was emptied away: only finish is right, and a rollback that was tried does not shut
    it. One that goes on looks again for what it would lose by now."""
    url = mysql.url
    prepared(url, 50)
    ran(url, "upgrade")
    sql(url, f"TRUNCATE TABLE {EV}")
    back = temporal_visibility("schema", "rollback", url, "--yes")
    assert (back.code, "TV4309" in back.err) == (1, True), back.err
    sql(url, f"CREATE TRIGGER watch AFTER DELETE ON {EV} FOR EACH ROW SET @gone = 1")
    back = temporal_visibility("schema", "rollback", url, "--yes")
    assert (back.code, "TV4306" in back.err, "trigger watch" in back.err) == (1, True, True), back.err
    sql(url, "DROP TRIGGER watch")
    ran(url, "finish")
    assert leftovers(url) == []
    assert sql(url, f"SELECT COUNT(*) FROM {EV}") == [(0,)]


def test_what_was_made_since_an_upgrade_is_not_lost_by_its_rollback(mysql: Handle) -> None:
    """It is told before anything is done; `finish` stays open."""
    url = mysql.url
    prepared(url, 50)
    ran(url, "upgrade")
    sql(url, f"CREATE TRIGGER watch AFTER DELETE ON {EV} FOR EACH ROW SET @gone = 1")
    sql(url, f"ALTER TABLE {CHSA} ADD COLUMN own INT")
    log = "FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'temporal%back%'"
    # MySQL tells the second in which a table was made.
    wait_until(lambda: sql(url, f"SELECT NOW() > CREATE_TIME {log}") == [(1,)], 30, "the next second")
    sql(url, f"ALTER TABLE {EV} ADD COLUMN mine INT DEFAULT 7")
    shown = temporal_visibility("schema", "rollback", url, "--dry-run")
    back = temporal_visibility("schema", "rollback", url, "--yes")
    assert "trigger watch" in back.err
    assert "column own was made on chasm_search_attributes" in " ".join(shown.out.split())
    sql(url, "DROP TRIGGER watch", f"ALTER TABLE {CHSA} DROP COLUMN own")
    back = temporal_visibility("schema", "rollback", url, "--yes")
    assert (back.code, "TV4313" in back.err, "TV4313" in shown.out) == (1, True, True), back.err + shown.out
    assert f"OPTIMIZE TABLE {EV} one of temporal_visibility_back_{EV} opens the way" in " ".join(back.err.split())
    ran(url, "finish")
    assert sql(url, f"SELECT SUM(mine) FROM {EV}") == [(350,)]


def test_a_changed_key_is_recorded_twice(mysql: Handle) -> None:
    """As a delete and an insert; and a rollback after it has them, too."""
    url = mysql.url
    prepared(url, 50)
    started(url, CopyChunk)
    sql(url, f"UPDATE {EV} SET run_id = CONCAT('moved-', LEFT(run_id, 20)) ORDER BY run_id LIMIT 7")
    ran(url, "upgrade")
    sql(url, f"UPDATE {EV} SET run_id = CONCAT('back-', run_id) WHERE run_id LIKE 'moved-%'")
    count = f"SELECT COUNT(*), SUM(run_id LIKE 'back-moved-%') FROM {EV}"
    assert sql(url, count) == [(50, 7)]
    ran(url, "rollback")
    assert sql(url, count) == [(50, 7)]


def test_writers_as_quick_as_the_replay_do_not_hold_it_up(mysql: Handle) -> None:
    """What is left when it ends may be more than a swap can take under its lock, which therefore drains first."""
    url = mysql.url
    prepared(url, ROWS)

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, Replay) and outcome is None:
            sql(url, f"UPDATE {EV} SET task_queue = UUID() LIMIT 200")

    go(url, options=Options(limits=Limits(rows=50, most_rows=50, rounds=20), watch=watch))
    ran(url, "finish")
    assert sql(url, f"SELECT COUNT(DISTINCT task_queue) >= 200 FROM {EV}") == [(1,)]
    assert leftovers(url) == []


def table_rows(url: str) -> list[tuple[object, ...]]:
    """Everything that a run could change: the tables there are, what is in the main one, and the journal."""
    tables = sql(url, "SHOW TABLES")
    return [*tables, *sql(url, f"CHECKSUM TABLE {EV}, {CSA}"), *sql(url, "SELECT * FROM temporal_visibility_journal")]


@pytest.mark.parametrize("event", [10, 27, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 35, 3))])
def test_a_paused_run_that_wakes_up_late_changes_nothing(mysql: Handle, event: int) -> None:
    """Stopped before or after an action, until its lock has expired and another run has come to the end."""
    url = mysql.url
    prepared(url, 50)
    with paused(url, event) as late:
        ran(url, "upgrade")
        ran(url, "finish")
        before = table_rows(url)
        assert late.wakes() != 0
        assert "LockHeld" in late.said or "ConnectionFailed" in late.said, late.said
    assert table_rows(url) == before
    assert leftovers(url) == []


def test_an_account_with_the_rights_that_are_asked_for(mysql: Handle) -> None:
    """Given by a role, and no right beyond the database; without those for a rebuild, the plain way is open."""
    url, name = mysql.url, f"own_{mysql.database[-10:]}"
    plain = "CREATE, ALTER, INDEX, DROP, SELECT, INSERT, UPDATE, DELETE"
    prepared(url, 50)
    # On 8.0.31 a pattern that comes by a role lets nobody connect to the database (1044).
    escaped = mysql.database if mysql.version == "8.0" else mysql.database.replace("_", "\\_")
    sql(
        url,
        f"CREATE USER {name} IDENTIFIED BY 'own-secret'",
        f"CREATE ROLE {name}_role",
        f"GRANT {plain} ON `{escaped}`.* TO {name}_role",
        f"GRANT {name}_role TO {name}",
        f"SET DEFAULT ROLE {name}_role TO {name}",
    )
    own = url.replace("temporal:temporal-secret", f"{name}:own-secret")
    try:
        done = temporal_visibility("schema", "upgrade", own, "--yes")
        assert (done.code, "TV4301" in done.err) == (1, True), done.err
        assert "lacks LOCK TABLES, TRIGGER" in done.err
        assert leftovers(url) == []
        ran(own, "upgrade", "--offline", "--to", "1.10")
        sql(url, f"GRANT LOCK TABLES, TRIGGER ON `{escaped}`.* TO {name}_role")
        done = temporal_visibility("schema", "upgrade", own, "--yes")
        assert (done.code, "only by a role or a pattern" in done.err) == (1, True), done.err
        assert leftovers(url) == []
        sql(url, f"GRANT SELECT, INSERT, TRIGGER ON {mysql.database}.* TO {name}")
        with MysqlWriter(url) as writer:
            ran(own, "upgrade")
            writer.wait_for(10)
            ran(own, "rollback")
            ran(own, "upgrade")
            ran(own, "finish")
        assert writer.stored() == (writer.truth, 50)
    finally:
        sql(url, f"DROP USER {name}", f"DROP ROLE {name}_role")


def test_what_goes_with_a_side_table_is_found_again(mysql: Handle) -> None:
    """A downgrade drops the table of CHASM's attributes, as somebody may; their values stay in the records, and are
    brought into it when it is made again."""
    url = mysql.url
    prepared(url, 30, "1.11")
    found = f"SELECT run_id, TemporalKeyword01, TemporalInt01 FROM {CHSA} WHERE TemporalInt01 IS NOT NULL ORDER BY 1"
    before = sql(url, f"UPDATE {CHSA} SET _version = 7", f"UPDATE {EV} SET _version = 7", found)
    assert before
    ran(url, "downgrade", "--to", "1.10")
    ran(url, "upgrade", "--to", "1.11")
    assert sql(url, found) == before
    # A column that 1.12 adds brings no rows.
    later = "SET search_attributes = JSON_OBJECT('TemporalLowCardinalityKeyword01', 'x')"
    others = "WHERE NOT JSON_CONTAINS_PATH(search_attributes, 'one', '$.TemporalInt01')"
    sql(url, f"UPDATE {EV} {later} {others} LIMIT 3", f"DROP TABLE {CHSA}")
    ran(url, "drift", "--repair", "--offline")
    assert sql(url, found) == before
    lowest = "search_attributes ->> '$.TemporalLowCardinalityKeyword01' = 'x'"
    assert sql(url, f"SELECT COUNT(*) FROM {CHSA} WHERE {lowest}") == [(3,)]
    assert sql(url, f"SELECT DISTINCT _version FROM {CHSA}") == [(7,)]


def test_a_side_table_that_comes_back_has_what_changed_since(mysql: Handle) -> None:
    """While a downgrade's old data is kept, nobody writes to the table that the older version has not; who writes to it
    right after the swap has the last word."""
    url = mysql.url
    prepared(url, 9, "1.11")
    sql(url, f"UPDATE {EV} SET _version = 5, search_attributes = JSON_OBJECT('TemporalInt01', 1)",
        f"UPDATE {CHSA} SET _version = 5, search_attributes = JSON_OBJECT('TemporalInt01', 1)",
        f"UPDATE {CHSA} SET _version = 7 ORDER BY run_id DESC LIMIT 1")  # fmt: skip
    ran(url, "downgrade", "--to", "1.8")
    changed = f"UPDATE {EV} SET search_attributes = JSON_OBJECT('TemporalInt01', {{}})"
    row = "SELECT 'n', 'new', start_time, execution_time, workflow_id, 't', 1, '', search_attributes"
    fields = "namespace_id, run_id, start_time, execution_time, workflow_id, workflow_type_name, status, encoding"
    sql(url, changed.format(2), f"UPDATE {EV} SET search_attributes = NULL ORDER BY run_id LIMIT 1",
        f"INSERT INTO {EV} ({fields}, search_attributes) {row} FROM {EV} ORDER BY run_id DESC LIMIT 1")  # fmt: skip
    with journeys.opened(url) as (chosen, client):
        plan = rollback(chosen, client, released(), NO_OVERLAY).plan
        former = replace(plan, steps=tuple(step for step in plan.steps if not step.id.endswith(".again")))
        told = [[p.code for p in client.preflight(way)] for way in (plan, former)]  # type: ignore[attr-defined]
        assert ["TV4315" in codes for codes in told] == [False, True]
    ran(url, "rollback")
    found = sql(url, f"SELECT TemporalInt01, COUNT(*) FROM {CHSA} GROUP BY TemporalInt01 ORDER BY 1")
    assert found == [(None, 1), (1, 1), (2, 8)]


@pytest.mark.faults
def test_a_server_that_takes_no_writes(mysql: Handle) -> None:
    url = mysql.url
    prepared(url, 50)
    sql(url, "SET GLOBAL super_read_only = ON")
    try:
        done = temporal_visibility("schema", "upgrade", url, "--yes")
    finally:
        sql(url, "SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")
    assert (done.code, "TV4303" in done.err) == (1, True), done.err


def test_what_a_downgrade_loses_is_counted(mysql: Handle) -> None:
    """Values of plain columns; those of generated ones come back with the next upgrade."""
    url = mysql.url
    prepared(url, 50, "1.4")
    sql(
        url,
        f"UPDATE {EV} SET execution_duration = 7 ORDER BY run_id LIMIT 30",
        f"CREATE INDEX mine ON {EV} (namespace_id, execution_duration, workflow_id)",
        f"CREATE VIEW long_runs AS SELECT e.run_id FROM {EV} e WHERE e.execution_duration > 5",
        f"CREATE VIEW runs AS SELECT run_id FROM {EV}",
    )
    # MySQL would leave the other columns of it, under the same name.
    shortened = temporal_visibility("schema", "downgrade", url, "--to", "1.3", "--yes")
    assert "index mine of executions_visibility uses execution_duration" in shortened.err
    assert f"view {mysql.database}.long_runs reads execution_duration" in " ".join(shortened.out.split())
    assert ".runs " not in shortened.out
    sql(url, f"DROP INDEX mine ON {EV}")
    down = temporal_visibility("schema", "downgrade", url, "--to", "1.3", "--yes", "--output", "json")
    assert down.code == 0, down.err
    assert down.json("schema-downgrade")["runs"][0]["losses"][f"{EV}.execution_duration"] >= 30


@pytest.mark.faults
def test_the_server_dies_in_the_middle(mysql: Handle) -> None:
    url = mysql.url
    prepared(url, ROWS)
    for dies in (CopyChunk, RunStep):
        copied = [0]

        def watch(action: Action, outcome: Outcome | None, dies: type = dies, copied: list[int] = copied) -> None:
            copied[0] += isinstance(action, dies) and outcome is not None
            if copied[0] == 2:
                copied[0] += 1
                mysql.kill()

        options = Options(limits=Limits(rows=50, chunk_seconds=0.001), watch=watch)
        with journeys.opened(url) as (chosen, client):
            plan = plan_store(chosen, client, find(LAST), released(), NO_OVERLAY)
            task = upgrade_task(chosen, plan, find(LAST), NO_OVERLAY)
            with pytest.raises(ConnectionFailed) as lost:
                perform(client, task, lambda *_: None, time.monotonic, options)
        assert lost.value.code in ("TV4001", "TV4002")
        mysql.start()
        url = mysql.url
    ran(url, "upgrade")
    ran(url, "finish")
    assert sql(url, f"SELECT COUNT(*) FROM {EV}") == [(ROWS,)]
    assert sql(url, f"SELECT COUNT(*) FROM {CSA}") == [(ROWS,)]
    assert leftovers(url) == []
    with journeys.opened(url) as (_, client):
        assert differences(client.observe().catalog, published("mysql", LAST)) == ()
