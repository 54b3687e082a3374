"""Upgrades of SQLite files beside a writer in another connection: killed anywhere, held up, out of room, taken over."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.support import journeys
from tests.support.catalogs import LAST, released
from tests.support.command import temporal_visibility
from tests.support.online import ROOT, go, killed_again_and_again, once_before, paused, prepared
from tests.support.shells import run_script
from tests.support.sqlite import SqliteWriter, leftovers, path_of, sound, stored
from toolkit.apply.actions import Action, Outcome, RunStep
from toolkit.apply.limits import Limits
from toolkit.apply.runner import Options, plan_store
from toolkit.catalog import differences
from toolkit.engines.sqlite import measure
from toolkit.errors import EngineError, LockHeld
from toolkit.overlay import NO_OVERLAY
from toolkit.resources import schema_dir
from toolkit.versions import chain, find


def at_version(url: str, version: str) -> None:
    with journeys.opened(url) as (chosen, client):
        assert differences(client.observe().catalog, chosen.catalog(find(version))) == ()


def use_wal(url: str) -> None:
    with closing(sqlite3.connect(path_of(url))) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def killed(url: str) -> None:
    """Kill an upgrade beside a writer until it gets to its end; nothing is lost, and nothing is left."""
    prepared(url, 400)
    with SqliteWriter(url, pause=0.005) as writer:
        kills = killed_again_and_again(url, statements=True, everywhere=False, every=11)
        writer.wait_for(20)
    assert kills > 3
    assert stored(url) == (writer.truth, 400)
    at_version(url, "1.14")
    sound(url)
    assert leftovers(url) == []


@pytest.mark.parametrize("wal", [False, True], ids=["rollback-journal", "wal"])
def test_killed_again_and_again_it_gets_there(sqlite: EmbeddedHandle, wal: bool) -> None:
    """At every eleventh statement or action, in the middle of the rebuild's transaction above all."""
    prepared(sqlite.url, 0)
    if wal:
        use_wal(sqlite.url)
    killed(sqlite.url)


@pytest.mark.long
def test_killed_at_every_single_statement(sqlite: EmbeddedHandle) -> None:
    """One file for each statement and action: killed there, then run once more."""
    origin = path_of(sqlite.url)
    prepared(sqlite.url, 100)
    number = 0
    while True:
        number += 1
        url = sqlite.new_database()
        path_of(url).write_bytes(origin.read_bytes())
        words = [sys.executable, "-m", "tests.support.doomed", url, "1.14", str(number), "--statements"]
        if subprocess.run(words, check=False, cwd=ROOT, capture_output=True).returncode == 0:
            break
        go(url)
        assert stored(url) == ({}, 100)
        at_version(url, "1.14")
        sound(url)
        path_of(url).unlink()
    assert number > 50


def test_a_writer_waits_no_longer_than_the_transaction(sqlite: EmbeddedHandle) -> None:
    """With a busy timeout nothing fails; the longest wait is the rebuild's transaction."""
    prepared(sqlite.url, 1000)
    took = [0.0]

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, RunStep):
            took.append(time.monotonic())

    with SqliteWriter(sqlite.url) as writer:
        writer.wait_for(20)
        go(sqlite.url, options=Options(watch=watch))
        writer.wait_for(20)
    transactions = [after - before for before, after in zip(took[1::2], took[2::2], strict=True)]
    # Beside the transaction itself: SQLite's waiter looks again every 100 ms.
    assert writer.longest <= max(transactions) + 1.0
    assert stored(sqlite.url) == (writer.truth, 1000)


def test_a_file_that_somebody_else_holds(sqlite: EmbeddedHandle) -> None:
    """Before the run: a coded error. In the middle of it: tried again, given up, and the same command goes on."""
    url = f"{sqlite.url}?busy_timeout=200"
    prepared(url, 50)
    blocker = sqlite3.connect(path_of(url), isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    ran = temporal_visibility("schema", "upgrade", url, "--to", "1.14", "--yes")
    assert (ran.code, "TV4403" in ran.err) == (1, True), ran.err
    blocker.execute("ROLLBACK")
    blocker.execute("BEGIN EXCLUSIVE")
    # Then nobody can even look.
    assert "Another process has it" in temporal_visibility("schema", "status", url).err
    blocker.execute("ROLLBACK")

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, RunStep) and not blocker.in_transaction:
            blocker.execute("BEGIN IMMEDIATE")
            threading.Timer(4.0, lambda: blocker.execute("ROLLBACK")).start()

    # One attempt waits two seconds, and the run gives up after the first.
    with pytest.raises(EngineError) as refused:
        go(url, options=Options(limits=Limits(attempts=0), lease_seconds=1.0, watch=watch))
    assert refused.value.code in ("TV5103", "TV4403")
    deadline = time.monotonic() + 30
    while temporal_visibility("schema", "upgrade", url, "--yes").code != 0:
        assert time.monotonic() < deadline
    blocker.close()
    at_version(url, "1.14")


def test_a_file_that_takes_no_writes(sqlite: EmbeddedHandle) -> None:
    prepared(sqlite.url, 50)
    ran = temporal_visibility("schema", "upgrade", f"{sqlite.url}?mode=ro", "--yes")
    assert (ran.code, "TV4402" in ran.err) == (1, True), ran.err
    ran = temporal_visibility("schema", "runs", f"{sqlite.url}?mode=ro")
    assert ran.code == 0


@pytest.mark.parametrize("path", [":memory:", "%3Amemory%3A", "a%00b.db"])
def test_what_is_no_file(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of SQLite's memory is gone when it is done, and behind a zero SQLite reads no further."""
    monkeypatch.chdir(tmp_path)
    ran = temporal_visibility("schema", "upgrade", f"sqlite:///{path}", "--yes")
    assert (ran.code, "TV3008" in ran.err) == (2, True), ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 6 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    """The transaction is taken back, the error says so, and with room the same command goes on."""
    url = f"sqlite:///{small_disk}/v.db"
    prepared(url, 400)
    ran = temporal_visibility("schema", "upgrade", url, "--to", "1.14", "--yes")
    assert (ran.code, "TV4401" in ran.err) == (1, True), ran.err
    sound(url)
    at_version(url, "1.9")
    assert stored(url) == ({}, 400)
    subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True)
    assert temporal_visibility("schema", "upgrade", url, "--to", "1.14", "--yes").code == 0
    at_version(url, "1.14")
    assert stored(url) == ({}, 400)


def test_a_run_that_slept_past_its_lock_changes_nothing(sqlite: EmbeddedHandle) -> None:
    """Frozen before its first step, overtaken, woken up: it leaves with 4 and has changed nothing."""
    url = sqlite.url
    prepared(url, 50)
    with paused(url, 3) as sleeper:
        deadline = time.monotonic() + 30
        while True:
            try:
                go(url)
                break
            except LockHeld as held:
                assert str(sleeper.process.pid) in held.message
                assert time.monotonic() < deadline
                time.sleep(0.1)
        at_version(url, "1.14")
        before = path_of(url).read_bytes()
        assert sleeper.wakes() == 4, sleeper.said
    assert "TV5102" in sleeper.said
    assert path_of(url).read_bytes() == before


def test_the_lock_of_a_dead_process_is_free_at_once(sqlite: EmbeddedHandle) -> None:
    prepared(sqlite.url, 50)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with journeys.opened(sqlite.url) as (_, client):
        client.take_lock("somebody", 600)  # type: ignore[attr-defined]
    with closing(sqlite3.connect(path_of(sqlite.url), isolation_level=None)) as connection:
        assert "somebody" in temporal_visibility("schema", "upgrade", sqlite.url, "--yes").err
        connection.execute("UPDATE temporal_visibility_lock SET pid = ?", (dead.pid,))
    assert temporal_visibility("schema", "upgrade", sqlite.url, "--yes").code == 0


@pytest.mark.long
def test_every_version_up_down_and_up_again(sqlite: EmbeddedHandle) -> None:
    """There is no old table to go back to: the way back is `downgrade`, and records survive it."""
    with journeys.opened(sqlite.url) as (chosen, client):
        supported = [d for d in released() if chosen.supports(d)]
        for lower, upper in pairwise(supported):
            for wanted in (lower, upper, lower, upper):
                journeys.upgrade(chosen, client, wanted)
                at_version(sqlite.url, wanted.version)
    ran = temporal_visibility("schema", "rollback", sqlite.url, "--yes")
    assert (ran.code, "TV5109" in ran.err) == (1, True), ran.err


@pytest.mark.parametrize("command", [("upgrade",), ("drift", "--repair")], ids=["upgrade", "repair"])
def test_what_was_written_without_a_trigger_is_found_and_can_be_changed(
    sqlite: EmbeddedHandle, command: tuple[str, ...]
) -> None:
    """A full-text table that lacks a row refuses to forget it: "database disk image is malformed", for the writer."""
    url = sqlite.url
    prepared(url, 1, "1.13" if command == ("upgrade",) else "1.14")
    with closing(sqlite3.connect(path_of(url), isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER executions_visibility_ai")
        SqliteWriter(url).insert(connection, "a run", "x")
        assert temporal_visibility("schema", *command, url, "--yes").code == 0
        found = connection.execute("SELECT count(*) FROM executions_visibility_fts_text ('Text01: b')")
        assert found.fetchall() == [(1,)]
        SqliteWriter(url).update(connection, "a run", "y")
    sound(url)


def test_version_tables_that_are_dropped_during_a_run_are_made_again(sqlite: EmbeddedHandle) -> None:
    url = sqlite.url
    prepared(url, 1)
    with closing(sqlite3.connect(path_of(url), isolation_level=None)) as connection:

        def act() -> None:
            connection.executescript("DROP TABLE schema_version; DROP TABLE schema_update_history")

        watch, met = once_before(RunStep, act)
        go(url, options=Options(watch=watch))
        found = connection.execute("SELECT curr_version FROM schema_version").fetchall()
    assert (len(met), found) == (1, [(LAST,)])


def test_a_restored_dump_is_searched_rightly_again(sqlite: EmbeddedHandle) -> None:
    """`.dump` numbers rows anew where some were deleted, but not in full-text tables: there is no column for it."""
    url, table = sqlite.url, "executions_visibility"
    prepared(url, 6, LAST)
    with closing(sqlite3.connect(path_of(url), isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        restored = [f"DROP TRIGGER {name}" for name, _ in triggers]
        restored += [f"UPDATE {table} SET rowid = rowid - 3", *(text for _, text in triggers)]
        for statement in (f"DELETE FROM {table} WHERE rowid <= 3", *restored):
            connection.execute(statement)
        judged = temporal_visibility("schema", "drift", url)
        assert (judged.code, judged.out.count("TV6126")) == (3, 2), judged.out
        # Past the last row that was there, ids no longer tell; numbers of rows do.
        for number in range(4):
            SqliteWriter(url).insert(connection, f"run {number}", "x")
        assert temporal_visibility("schema", "upgrade", url, "--yes").code == 0
        found = connection.execute(f"SELECT count(*) FROM {table}_fts_text ('Text01: b')").fetchall()
        assert found == [(4,)]
    sound(url)
    assert temporal_visibility("schema", "drift", url).code == 0


@pytest.mark.parametrize(
    "made",
    [
        "CREATE INDEX mine ON executions_visibility (run_id) WHERE _version > 1",
        "CREATE TRIGGER mine AFTER INSERT ON executions_visibility BEGIN DELETE FROM other WHERE x = NEW._version; END",
        "CREATE TRIGGER mine AFTER UPDATE OF _Version ON executions_visibility BEGIN SELECT 1; END",
        "CREATE TRIGGER mine AFTER DELETE ON executions_visibility BEGIN INSERT INTO other (_version) VALUES (1); END",
    ],
    ids=["index", "trigger", "column of a trigger", "column of another table"],
)
def test_what_uses_a_column_that_goes_is_told_before(sqlite: EmbeddedHandle, made: str, tmp_path: Path) -> None:
    """A trigger would be made again by the way down, and refuse each of the server's writes. A script stops there."""
    url = sqlite.url
    prepared(url, 1)
    with closing(sqlite3.connect(path_of(url), isolation_level=None)) as connection:
        connection.execute("CREATE TABLE other (x, _version)")
        connection.execute(made)
    plan = temporal_visibility("schema", "plan", url, "--to", "1.8", "--format", "sql")
    ran = temporal_visibility("schema", "downgrade", url, "--to", "1.8", "--yes")
    if "INSERT INTO other" in made:
        assert ran.code == 0, ran.err
        return
    assert (ran.code, "TV4410" in ran.err) == (1, True), ran.err
    if "UPDATE OF" not in made:
        with pytest.raises((RuntimeError, sqlite3.Error), match="no such column"):
            run_script(url, plan.out, tmp_path)


def test_what_a_downgrade_loses_is_counted(sqlite: EmbeddedHandle) -> None:
    prepared(sqlite.url, 60, "1.14")
    data = temporal_visibility("schema", "downgrade", sqlite.url, "--to", "1.1", "--dry-run", "--output", "json").json(
        "schema-downgrade"
    )
    assert data["runs"][0]["losses"]["search_attributes"] > 0
    data = temporal_visibility("schema", "downgrade", sqlite.url, "--to", "1.9", "--dry-run", "--output", "json").json(
        "schema-downgrade"
    )
    assert data["runs"][0]["losses"] == {}


@pytest.mark.parametrize("endless", ["_COUNT", "_PAGES"])
def test_measuring_a_file_is_given_up_after_two_seconds(
    sqlite: EmbeddedHandle, monkeypatch: pytest.MonkeyPatch, endless: str
) -> None:
    """What was not told by then is unknown; the plan is made all the same, and the session is as it was."""
    prepared(sqlite.url, 30)
    forever = "WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v FROM n) SELECT count(*) AS n FROM n"
    monkeypatch.setattr(measure, endless, forever)
    with journeys.opened(sqlite.url) as (chosen, client):
        began = time.monotonic()
        plan = plan_store(chosen, client, find("1.14"), chain(), NO_OVERLAY)
        took = time.monotonic() - began
        assert 1.5 < took < 10
        estimate = plan.steps[0].estimate
        assert estimate is not None
        assert (estimate.rows, estimate.seconds is None) == ((None, True) if endless == "_COUNT" else (30, False))
        assert client.count() == 30


def test_measuring_does_not_wait_longer_for_somebody_else(sqlite: EmbeddedHandle) -> None:
    prepared(sqlite.url, 30)
    with journeys.opened(sqlite.url) as (chosen, client), closing(sqlite3.connect(path_of(sqlite.url))) as other:
        plan = plan_store(chosen, client, find("1.14"), chain(), NO_OVERLAY)
        assert plan.steps[0].estimate is not None
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(EngineError) as refused:
            client.measure(plan)  # type: ignore[attr-defined]
        assert refused.value.code == "TV4403"
        assert time.monotonic() - began < 8


def test_views_triggers_and_indexes_of_others_go_along(sqlite: EmbeddedHandle) -> None:
    """A rebuild drops the table they stand on: they are there afterwards, word for word, and do what they did."""
    prepared(sqlite.url, 40)
    made = (
        "CREATE VIEW open_runs AS SELECT run_id FROM executions_visibility WHERE close_time IS NULL",
        "CREATE INDEX by_mine ON executions_visibility (workflow_id COLLATE NOCASE DESC) WHERE status > 1",
        "CREATE TRIGGER notes_gone AFTER DELETE ON Executions_Visibility "
        "BEGIN INSERT INTO gone VALUES (old.run_id); END",
    )
    texts = "SELECT sql FROM sqlite_master WHERE name IN ('open_runs', 'by_mine', 'notes_gone') ORDER BY name"
    with closing(sqlite3.connect(path_of(sqlite.url))) as connection:
        connection.execute("CREATE TABLE gone (run_id TEXT)")
        for statement in made:
            connection.execute(statement)
        connection.commit()
        before = connection.execute(texts).fetchall()
        open_before = connection.execute("SELECT count(*) FROM open_runs").fetchone()
    assert temporal_visibility("schema", "upgrade", sqlite.url, "--yes").code == 0
    with closing(sqlite3.connect(path_of(sqlite.url))) as connection:
        assert connection.execute(texts).fetchall() == before
        assert connection.execute("SELECT count(*) FROM open_runs").fetchone() == open_before
        assert connection.execute("SELECT count(*) FROM gone").fetchone() == (0,)
        connection.execute(
            "DELETE FROM executions_visibility WHERE rowid IN (SELECT rowid FROM executions_visibility LIMIT 3)"
        )
        assert connection.execute("SELECT count(*) FROM gone").fetchone() == (3,)
    sound(sqlite.url)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ("ALTER TABLE executions_visibility RENAME TO kept", "TV4407"),
        ("CREATE TABLE other (x); CREATE INDEX BY_TEMPORAL_BOOL_01 ON other (x)", "TV4407"),
        ("ALTER TABLE executions_visibility ADD COLUMN mine TEXT", "TV4408"),
        ("DROP TABLE executions_visibility; CREATE VIEW executions_visibility AS SELECT 1", "TV5209"),
    ],
)
def test_what_stands_in_the_way_is_told_before(sqlite: EmbeddedHandle, made: str, code: str) -> None:
    prepared(sqlite.url, 10)
    with closing(sqlite3.connect(path_of(sqlite.url))) as connection:
        connection.executescript(made)
        before = connection.execute("SELECT name FROM sqlite_master").fetchall()
        assert code in temporal_visibility("schema", "plan", sqlite.url).out
        ran = temporal_visibility("schema", "upgrade", sqlite.url, "--yes")
        assert (ran.code, code in ran.err) == (1, True), ran.err
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == before
        if code == "TV4408":
            assert "`schema drift --repair`" in ran.err
            assert temporal_visibility("schema", "drift", sqlite.url, "--repair", "--yes").code == 0
            assert temporal_visibility("schema", "upgrade", sqlite.url, "--dry-run").code == 0


def test_a_script_beside_triggers_of_others(sqlite: EmbeddedHandle, tmp_path: Path) -> None:
    """On a view, with the table's name in other letters, and with a comment behind it."""
    prepared(sqlite.url, 10)
    with closing(sqlite3.connect(path_of(sqlite.url))) as connection:
        connection.execute("CREATE INDEX by_mine ON executions_visibility (task_queue) -- mine")
        connection.executescript(
            "CREATE VIEW runs AS SELECT run_id FROM executions_visibility;"
            "CREATE TRIGGER no_runs INSTEAD OF INSERT ON runs BEGIN SELECT 1; END;"
            "CREATE TRIGGER mine AFTER DELETE ON EXECUTIONS_VISIBILITY BEGIN SELECT 1; END;"
        )
    run_script(sqlite.url, temporal_visibility("schema", "plan", sqlite.url, "--format", "sql").out, tmp_path)
    with closing(sqlite3.connect(path_of(sqlite.url))) as connection:
        kept = connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE name IN ('no_runs', 'mine', 'by_mine')"
        ).fetchone()
        recorded = connection.execute("SELECT curr_version FROM schema_version").fetchone()
    assert (kept, recorded) == ((3,), ("1.14",))


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="it is about SQLite's own shell")
def test_a_shipped_script_beside_a_writer(sqlite: EmbeddedHandle, tmp_path: Path) -> None:
    """In WAL mode, where who has read first may not write after somebody else has."""
    prepared(sqlite.url, 400)
    use_wal(sqlite.url)
    with SqliteWriter(sqlite.url, pause=0.0) as writer:
        writer.wait_for(20)
        run_script(sqlite.url, (schema_dir() / "sql/sqlite/upgrade/1.9-1.10.sql").read_text(), tmp_path)
        writer.wait_for(5)
    assert stored(sqlite.url) == (writer.truth, 400)
    at_version(sqlite.url, "1.10")


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="it is about SQLite's own shell")
@pytest.mark.parametrize(
    ("done", "script"),
    [
        ("DROP TRIGGER executions_visibility_ai", "1.9-1.10"),
        ("UPDATE schema_version SET curr_version = '1.13'", "1.13-1.14"),
    ],
)
def test_a_shipped_script_stops_where_parts_are_missing(
    sqlite: EmbeddedHandle, tmp_path: Path, done: str, script: str
) -> None:
    """As where a downgrade was cut off before its record: triggers would not fit their full-text tables."""
    prepared(sqlite.url, 0)
    with closing(sqlite3.connect(path_of(sqlite.url), isolation_level=None)) as connection:
        connection.execute(done)
    with pytest.raises(RuntimeError, match="full-text tables of the version are missing"):
        run_script(sqlite.url, (schema_dir() / f"sql/sqlite/upgrade/{script}.sql").read_text(), tmp_path)
