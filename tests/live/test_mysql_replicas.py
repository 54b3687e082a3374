"""Upgrades of a MySQL server that replicas follow: the copy waits for them, and says when it cannot see them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.engines.handles import Handle
from tests.engines.processes import wait_until
from tests.support import journeys
from tests.support.catalogs import LAST, released
from tests.support.command import temporal_visibility
from tests.support.mysql import EV, account, ask, driver, sql
from tests.support.mysql_servers import DATABASE, Pair, replicated
from tests.support.mysql_writing import MysqlWriter, leftovers
from tests.support.online import go, prepared
from toolkit.apply.actions import Action, CopyChunk, Outcome, Pause
from toolkit.apply.limits import Limits
from toolkit.apply.runner import Options, plan_store
from toolkit.apply.task import Watch
from toolkit.engines.mysql.connection import session
from toolkit.engines.mysql.refusals import MORE_RIGHTS, PLAIN_RIGHTS
from toolkit.overlay import NO_OVERLAY
from toolkit.versions import find

ROWS = 1200
# Chunks so small that a replica that stands still falls behind long before the last one.
LAGGING = Limits(rows=50, most_rows=50, max_lag=0.05)


@pytest.fixture
def pair(mysql: Handle) -> Iterator[Pair]:
    with replicated(mysql, named=True) as found:
        yield found


class Held:
    """Watches a run: the chunks that were copied, and the waits for a replica; at the third wait `release` is run."""

    def __init__(self, url: str, release: str) -> None:
        self._url = url
        self._release = release
        self.reasons: list[str] = []
        self.chunks: list[int] = []

    def watch(self, action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, CopyChunk) and outcome is None:
            self.chunks.append(len(self.reasons))
        if isinstance(action, Pause) and outcome is None and "replica" in action.reason:
            self.reasons.append(action.reason)
            if len(self.reasons) == 3:
                sql(self._url, self._release)

    def check(self) -> None:
        assert len(self.reasons) >= 3, "it never waited"
        assert not any(0 < place < 3 for place in self.chunks), "it copied while the replica was behind"


def same(pair: Pair, writer: MysqlWriter) -> None:
    """All that was written is on both servers."""
    assert writer.stored() == (writer.truth, ROWS)
    count = f"SELECT COUNT(*), MAX(start_time) FROM {EV}"
    wait_until(lambda: sql(pair.replica, count) == sql(pair.source, count), 60, "the replica has caught up")


def test_a_copy_waits_for_replicas_and_goes_on_when_they_have_caught_up(pair: Pair) -> None:
    """Those that the URL names, though they tell the server nothing; and a replica takes no upgrade itself, not even
    one that takes writes: what it gets from its source goes past all triggers. An account that cannot see that it is
    one is told so much."""
    prepared(pair.source, ROWS)
    ((executed,),) = sql(pair.source, "SELECT @@GLOBAL.gtid_executed")
    assert sql(pair.replica, f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{executed}', 60)") == [(0,)]
    for code, made in (("TV4303", "DO 0"), ("TV4304", "SET GLOBAL super_read_only = 0, read_only = 0")):
        sql(pair.replica, made)
        ran = temporal_visibility("schema", "upgrade", pair.replica, "--yes")
        assert (ran.code, code in ran.err) == (1, True), ran.err
    assert leftovers(pair.replica) == []
    rights = ", ".join((*PLAIN_RIGHTS, *MORE_RIGHTS))
    with (
        account(pair.replica, "own", f"GRANT {rights} ON {DATABASE}.* TO {{}}") as own,
        journeys.opened(own) as (chosen, client),
    ):
        plan = plan_store(chosen, client, find(LAST), released(), NO_OVERLAY)
        (note,) = [p for p in client.preflight(plan) if p.code == "TV4304"]  # type: ignore[attr-defined]
        assert (note.fatal, "may not see" in note.message) == (False, True), note
    held = Held(pair.replica, "START REPLICA SQL_THREAD")
    url = f"{pair.source}?replicas={pair.place}"
    sql(pair.replica, "STOP REPLICA SQL_THREAD")
    with MysqlWriter(pair.source) as writer:
        go(url, options=Options(limits=replace(LAGGING, max_lag=0.5), watch=held.watch))
        writer.wait_for(10)
    assert held.chunks[1] >= 3
    held.check()
    same(pair, writer)
    assert temporal_visibility("schema", "finish", url, "--yes").code == 0
    assert leftovers(pair.source) == []


def _stopping(pair: Pair, held: Held, stop: str) -> Watch:
    """The replica stops applying when the first chunk has been copied."""

    def watch(action: Action, outcome: Outcome | None) -> None:
        held.watch(action, outcome)
        if isinstance(action, CopyChunk) and outcome is not None and len(held.chunks) == 1:
            sql(pair.replica, stop)

    return watch


def test_replicas_that_the_server_can_name_are_found(mysql: Handle, pair: Pair) -> None:
    """`SHOW REPLICAS` has host and port; the plan notes that the copy goes there, too; and one that is lost in the
    middle counts as standing still."""
    port = pair.place.rpartition(":")[2]
    with driver(pair.source) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW REPLICAS")
        assert [(row[1], str(row[2])) for row in cursor.fetchall()] == [("127.0.0.1", port)]
    prepared(pair.source, ROWS)
    plan = temporal_visibility("schema", "plan", pair.source, "--output", "json").json("schema-plan")["plans"][0]
    assert "TV5162" in [one["code"] for one in plan["preflight"]]
    with journeys.opened(pair.source) as (_, client):
        assert client.lag() == 0.0  # type: ignore[attr-defined]
    held = Held(pair.replica, "START REPLICA")
    with MysqlWriter(pair.source) as writer:
        go(pair.source, options=Options(limits=LAGGING, watch=_stopping(pair, held, "STOP REPLICA")))
    held.check()
    same(pair, writer)


def test_a_replica_that_cannot_be_asked_is_an_error_before_anything_is_done(mysql: Handle) -> None:
    with replicated(mysql, named=False) as pair:
        prepared(pair.source, 50)
        upgrade = ("schema", "upgrade", "--yes", "--max-lag", "2")
        before = sql(pair.source, f"SHOW CREATE TABLE {EV}")
        for url, code in (
            (pair.source, "TV5160"),
            (f"{pair.source}?replicas=127.0.0.1:1", "TV5160"),
            (f"{pair.source}?replicas={pair.source.rpartition('@')[2].partition('/')[0]}", "TV5161"),
            (f"{pair.source}?replicas=a/b", "TV3009"),
        ):
            ran = temporal_visibility(*upgrade, url)
            assert ran.code in (1, 2), ran.err
            assert code in ran.err, ran.err
            assert leftovers(pair.source) == []
        assert sql(pair.source, f"SHOW CREATE TABLE {EV}") == before
        ran = temporal_visibility(*upgrade, f"{pair.source}?replicas={pair.place}")
        assert (ran.code, "nothing to watch" in ran.err) == (0, False), ran.err


def test_without_a_replica_a_note_says_that_there_is_nothing_to_watch(mysql: Handle) -> None:
    prepared(mysql.url, 50)
    ran = temporal_visibility("schema", "upgrade", mysql.url, "--yes", "--max-lag", "2", "--output", "json")
    assert (ran.code, "--max-lag has nothing to watch" in ran.err) == (0, True), ran.err
    ran.json("schema-upgrade")


def test_a_run_is_told_another_pace_while_it_runs(mysql: Handle) -> None:
    """`schema throttle` holds a run, and lets it go on."""
    url = mysql.url
    prepared(url, 600)
    pauses: list[str] = []

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, CopyChunk) and outcome is None and not pauses:
            pauses.append("")
            ran = temporal_visibility("schema", "throttle", url, "--pause", "--max-load", "1000", "--output", "json")
            asked = ran.json("schema-throttle")["stores"][0]["asked"]
            assert asked == {"max_load": 1000.0, "paused": True}
        if isinstance(action, Pause) and outcome is None and "throttle" in action.reason:
            pauses.append(action.reason)
            if len(pauses) == 3:
                assert temporal_visibility("schema", "throttle", url, "--resume").code == 0

    # The runner listens once a second, which each look at this clock takes: the copy may be over in less.
    seconds = itertools.count()
    limits = Limits(rows=50, most_rows=50, chunk_seconds=0.5)
    go(url, options=Options(limits=limits, watch=watch), clock=lambda: float(next(seconds)))
    assert len(pauses) >= 3
    assert sql(url, "SELECT COUNT(asked) FROM temporal_visibility_run WHERE status = 'kept'") == [(1,)]


def test_a_busy_server_makes_a_copy_wait(mysql: Handle) -> None:
    """Others' sessions count, our own do not; an account that sees only its own is told so."""
    url = mysql.url
    prepared(url, 200)
    with account(url, "busy", f"GRANT ALL ON {mysql.database}.* TO {{}}") as own:
        ran = temporal_visibility("schema", "upgrade", own, "--yes", "--max-load", "3")
        assert (ran.code, "TV5163" in ran.err) == (1, True), ran.err
        ran = temporal_visibility("schema", "upgrade", own, "--yes", "--max-lag", "3")
        assert (ran.code, "TV5113" in ran.err) == (1, True), ran.err
    reasons: list[str] = []
    with ThreadPoolExecutor(1) as others, driver(url) as busy:
        at_work = others.submit(ask, busy, "SELECT SLEEP(60)")

        def watch(action: Action, outcome: Outcome | None) -> None:
            if isinstance(action, Pause) and outcome is None and "at work" in action.reason:
                reasons.append(action.reason)
                if len(reasons) == 2:
                    sql(url, f"KILL QUERY {session(busy)}")

        with journeys.opened(url) as (_, client):
            wait_until(lambda: client.load() == 1, 30, "the other session is seen")  # type: ignore[attr-defined]
        go(url, options=Options(limits=Limits(rows=50, most_rows=50, max_load=0.5), watch=watch))
        assert at_work.result() == [(1,)]  # SLEEP tells so that it was interrupted
    assert reasons[:2] == ["1 other session is at work"] * 2
