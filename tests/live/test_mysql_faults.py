"""Upgrades of MySQL that somebody or something breaks: a full disk, ended sessions. Nothing is lost, and they go on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engines.handles import Handle
from tests.engines.processes import wait_until
from tests.engines.servers import mysql as server
from tests.support.catalogs import LAST
from tests.support.command import temporal_visibility
from tests.support.mysql import EV, ask, driver, sessions, sql
from tests.support.mysql_servers import another
from tests.support.mysql_writing import MysqlWriter, leftovers
from tests.support.one_more import fill, filler, small_file_system
from tests.support.online import ROOT, go, once_before, prepared
from toolkit.apply.actions import Action, CopyChunk, Outcome, Replay, Swap
from toolkit.apply.limits import Limits
from toolkit.apply.runner import Options
from toolkit.engines.mysql import books, rebuilder
from toolkit.engines.mysql.connection import session
from toolkit.errors import ConnectionFailed

SMALL = Limits(rows=50, most_rows=50)


@contextmanager
def small_disk(mysql: Handle) -> Iterator[tuple[str, Path]]:
    """The URL of a database of a server whose data is on a file system of its own, and where that is."""
    with small_file_system(512) as folder, another(mysql, folder=folder) as address:
        server.create(address, "visibility")
        yield server.url(address, "visibility"), folder


def test_a_full_disk(mysql: Handle) -> None:
    """The live table is untouched and usable; with room the same command goes on."""
    with small_disk(mysql) as (url, folder):
        prepared(url, 600)
        fill(folder, 2_000_000)
        ran = temporal_visibility("schema", "upgrade", url, "--yes")
        assert (ran.code, "TV4307" in ran.err) == (1, True), ran.err
        assert sql(url, f"SELECT COUNT(*) FROM {EV}") == [(600,)]
        filler(folder).unlink()
        with MysqlWriter(url) as writer:
            ran = temporal_visibility("schema", "upgrade", url, "--yes")
            assert (ran.code, "Going on with run" in ran.err) == (0, True), ran.err
            writer.wait_for(10)
        assert writer.stored() == (writer.truth, 600)
        ran = temporal_visibility("schema", "finish", url, "--yes")
        assert ran.code == 0, ran.err
        assert leftovers(url) == []


def test_two_commands_started_together(mysql: Handle) -> None:
    """One works; the other is told its name, leaves with 4 and has done nothing. A reader keeps the first from its
    locks until the other has left."""
    url = mysql.url
    prepared(url, 100)
    command = [sys.executable, "-m", "toolkit", "schema", "upgrade", url, "--yes"]
    with driver(url) as reader, ExitStack() as stack:
        reader.begin()
        ask(reader, f"SELECT COUNT(*) FROM {EV}")
        both = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(2)
        ]
        for process in both:
            stack.callback(process.kill)
        wait_until(lambda: any(process.poll() is not None for process in both), 60, "one of the two leaves")
        reader.rollback()
        said = {process: process.communicate(timeout=120)[1] for process in both}
    winner, loser = sorted(both, key=lambda process: process.returncode)
    assert (winner.returncode, loser.returncode) == (0, 4), said.values()
    assert "TV5101" in said[loser]
    assert str(winner.pid) in said[loser]
    lines = f"""
        SELECT COUNT(DISTINCT r.id), COUNT(DISTINCT j.fencing) FROM temporal_visibility_run r
        JOIN temporal_visibility_journal j ON j.run = r.id WHERE r.wanted = '{LAST}'
    """
    assert sql(url, lines) == [(1, 1)]
    assert sql(url, f"SELECT COUNT(*) FROM {EV}") == [(100,)]


def test_sessions_that_are_ended_in_the_middle(mysql: Handle) -> None:
    """An administrator ends all of the run's sessions, in the copy, in the replay and right before the swap."""
    url = mysql.url
    prepared(url, 400)
    ended: list[list[int]] = []

    def end() -> None:
        ended.append([number for number in sessions(mysql) if number != writer.session])
        sql(url, *(f"KILL {number}" for number in ended[-1]))

    with MysqlWriter(url) as writer:
        writer.wait_for(1)
        for kind in (CopyChunk, Replay, Swap):
            watch, met = once_before(kind, end)
            with pytest.raises(ConnectionFailed) as lost:
                go(url, options=Options(limits=SMALL, watch=watch))
            assert lost.value.code == "TV4002"
            assert met
            assert ended.pop()
        go(url)
        writer.wait_for(10)
    assert writer.stored() == (writer.truth, 400)
    assert temporal_visibility("schema", "finish", url, "--yes").code == 0
    assert leftovers(url) == []


def test_a_lock_without_its_rows(mysql: Handle) -> None:
    """As a run leaves it that is killed while it makes its tables, or a dump of the schema alone."""
    url = mysql.url
    temporal_visibility("schema", "upgrade", url, "--to", "1.1", "--yes")
    sql(url, "DELETE FROM temporal_visibility_lock")
    for words in (("status", url), ("unlock", url), ("upgrade", url, "--to", "1.2", "--yes")):
        done = temporal_visibility("schema", *words)
        assert (done.code, "Traceback" in done.err) == (0, False), done.err
    assert sql(url, "SELECT COUNT(*) FROM temporal_visibility_lock") == [(2,)]


def test_who_has_the_lock_is_not_taken_for_a_run_that_is_gone(mysql: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run was killed, and Alembic goes on: its session is not ended when that run's lock has expired."""
    url = mysql.url
    monkeypatch.setattr(books, "GRACE_SECONDS", 0.2)
    temporal_visibility("schema", "upgrade", url, "--to", "1.1", "--yes")
    sql(
        url,
        "UPDATE temporal_visibility_lock SET owner = 'gone' WHERE name = 'schema'",
        "UPDATE temporal_visibility_lock SET expires_at = '2020-01-01' WHERE name = 'beat'",
    )
    with driver(url) as alembic:
        ask(alembic, books._GET)
        done = temporal_visibility("schema", "upgrade", url, "--yes")
        assert (done.code, "somebody else is working" in done.err) == (4, True), done.err
        assert ask(alembic, "SELECT 1") == [(1,)]


def test_a_run_that_freezes_while_it_keeps_writers_out(mysql: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sessions that hold tables are ended by the server. The writer that waits stands for the frozen moment: no
    statement comes from the run before it has written."""
    url = mysql.url
    prepared(url, 50, "1.6")
    give = rebuilder._give
    wrote: list[int] = []

    def frozen(helper: Any) -> None:
        if not wrote:
            wrote.append(session(helper))
            sql(url, "SET SESSION lock_wait_timeout = 10", f"UPDATE {EV} SET task_queue = 'written'")
        give(helper)

    monkeypatch.setattr(rebuilder, "SILENCE_SECONDS", 1)
    monkeypatch.setattr(rebuilder, "_give", frozen)
    with pytest.raises(ConnectionFailed):
        go(url, "1.9")
    assert wrote
    go(url, "1.9")
    assert sql(url, f"SELECT COUNT(*) FROM {EV} WHERE task_queue = 'written'") == [(50,)]


def test_a_long_replay_is_shared_by_several_sessions(mysql: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that come, change and go while many keys are waiting: whichever session takes a key, the last state wins."""
    url = mysql.url
    prepared(url, 200)
    shares: set[int] = set()
    begun: list[int] = []
    replay = rebuilder._replay

    def counted(connection: Any, step: Any, keys: int, parts: int = 1, part: int = 0) -> int:
        if parts == rebuilder.REPLAYERS:
            shares.add(part)
        return replay(connection, step, keys, parts, part)

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, CopyChunk) and outcome is None and action.after is None:
            # The first is not the table's copy but brings values into the new side table.
            begun.append(action.step)
            sql(url, *(_MANY if len(begun) == 2 else ()))

    monkeypatch.setattr(rebuilder, "NEAR", 20)
    monkeypatch.setattr(rebuilder, "_replay", counted)
    with MysqlWriter(url) as writer:
        go(url, options=Options(limits=SMALL, watch=watch))
        writer.wait_for(10)
    assert shares == {*range(rebuilder.REPLAYERS)}
    assert writer.stored() == (writer.truth, 200 + 300)
    assert sql(url, f"SELECT COUNT(*), SUM(workflow_id = 'changed') FROM {EV} WHERE namespace_id = 'many'") == [
        (300, 100)
    ]
    assert temporal_visibility("schema", "finish", url, "--yes").code == 0
    assert leftovers(url) == []


# 400 rows, each recorded at least once; 100 of them change afterwards, and 100 are gone again.
_MANY = (
    f"""
    INSERT INTO {EV}
      (namespace_id, run_id, start_time, execution_time, workflow_id, workflow_type_name, status, encoding)
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 400)
    SELECT 'many', CONCAT('run-', n), NOW(6), NOW(6), 'w', 't', 1, '' FROM numbers
    """,
    f"UPDATE {EV} SET workflow_id = 'changed' WHERE namespace_id = 'many' AND CAST(SUBSTR(run_id, 5) AS SIGNED) <= 100",
    f"DELETE FROM {EV} WHERE namespace_id = 'many' AND CAST(SUBSTR(run_id, 5) AS SIGNED) > 300",
)
