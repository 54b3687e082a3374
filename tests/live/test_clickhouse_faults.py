"""Rebuilds of a ClickHouse table that somebody or something breaks: a full disk, a cut network, a killed statement.
Each has a coded answer, nothing is lost, and the same command goes on."""

from __future__ import annotations

import threading
import time

import pytest

from tests.engines.handles import Handle
from tests.engines.processes import wait_until
from tests.support import journeys
from tests.support.catalogs import LAST
from tests.support.clickhouse import SturdyWriter, laid_out_otherwise, leftovers, plain, rows, stored
from tests.support.command import Ran, temporal_visibility
from tests.support.one_more import fill, filler, on_a_small_disk
from tests.support.online import go, once_before
from toolkit.apply.actions import Action, CompareChunk, CopyChunk, Outcome, Swap
from toolkit.apply.limits import Limits
from toolkit.apply.runner import Options
from toolkit.catalog import differences
from toolkit.engines import clickhouse as engine
from toolkit.engines.clickhouse.names import OTHER
from toolkit.errors import ConnectionFailed, EngineError, LockHeld
from toolkit.versions import find

ROWS = 6_000
LEASE = 1.0
SMALL = Limits(rows=100)


def finished(url: str, writer: SturdyWriter, others: int) -> None:
    """Nothing is lost, and nothing is left over."""
    assert stored(url) == (writer.truth, others)
    ran = temporal_visibility("schema", "finish", url, "--yes")
    assert ran.code == 0, ran.err
    with journeys.opened(url) as (_, client):
        assert differences(client.observe().catalog, engine.catalog(find(LAST))) == ()
    assert leftovers(url) == []
    assert stored(url) == (writer.truth, others)


def gone_on(url: str, options: Options) -> None:
    """Go on with the run; the lock of one that could not give it back is waited for."""
    deadline = time.monotonic() + LEASE + 60
    while True:
        try:
            return go(url, options=options)
        except LockHeld as held:
            assert (held.code, time.monotonic() < deadline) == ("TV5101", True)
            time.sleep(0.1)


def upgraded(url: str) -> Ran:
    """The command's answer, once the lock of a run that could not give it back has expired."""
    deadline = time.monotonic() + LEASE + 60
    while (ran := temporal_visibility("schema", "upgrade", url, "--yes")).code == LockHeld.exit_code:
        assert time.monotonic() < deadline, ran.err
        time.sleep(0.1)
    return ran


def test_a_full_disk(clickhouse: Handle) -> None:
    """It fills up in the middle of the copy. The run says so, and so does the next one; with room it goes on."""
    with on_a_small_disk(clickhouse, 128) as (server, folder):
        url = server.url
        laid_out_otherwise(url, ROWS, "key")

        def watch(action: Action, outcome: Outcome | None) -> None:
            if isinstance(action, CopyChunk) and outcome is None and action.after is not None:
                fill(folder, 0)

        with pytest.raises(EngineError) as full:
            go(url, options=Options(limits=SMALL, watch=watch, lease_seconds=LEASE))
        assert (full.value.code, full.value.exit_code) == ("TV5203", 1), full.value
        assert stored(url) == ({}, ROWS)
        ran = upgraded(url)
        assert (ran.code, "TV5203" in ran.err) == (1, True), ran.err
        with SturdyWriter(url) as writer:
            filler(folder).unlink()
            writer.wait_for(5)
            ran = upgraded(url)
            assert (ran.code, "Going on with run" in ran.err) == (0, True), ran.err
            writer.wait_for(10)
        finished(url, writer, ROWS)


@pytest.mark.faults
def test_the_network_is_cut_in_the_middle(clickhouse: Handle) -> None:
    """In the copy, in the comparison and right before the swap; the writer's way is cut, too."""
    url = clickhouse.url
    laid_out_otherwise(url, ROWS, "key")
    with SturdyWriter(url) as writer:
        writer.wait_for(1)
        for kind in (CopyChunk, CompareChunk, Swap):
            watch, cut = once_before(kind, clickhouse.cut)
            with pytest.raises(ConnectionFailed) as lost:
                gone_on(url, Options(limits=SMALL, watch=watch, lease_seconds=LEASE))
            assert (lost.value.code, lost.value.exit_code, len(cut)) == ("TV4002", 1, 1)
            clickhouse.heal()
        gone_on(url, Options(limits=SMALL))
        writer.wait_for(10)
    finished(url, writer, ROWS)


@pytest.mark.needs("two requests at once")
def test_a_copy_that_an_administrator_ends(clickhouse: Handle) -> None:
    """A view that sleeps keeps the copy's INSERT … SELECT at work until it is found and killed."""
    url = clickhouse.url
    laid_out_otherwise(url, ROWS, "key")
    killed: list[str] = []

    def kill() -> None:
        query = f"SELECT query_id FROM system.processes WHERE query LIKE 'INSERT INTO %{OTHER}%SELECT%'"
        wait_until(lambda: killed.extend(id for (id,) in rows(url, query)) or bool(killed), 60, "the copy is at work")
        with plain(url) as connection:
            connection.command(f"KILL QUERY WHERE query_id = '{killed[0]}'")

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, CopyChunk) and outcome is None and not killer.ident:
            with plain(url) as connection:
                connection.command("CREATE TABLE asleep (n UInt8) ENGINE = Null")
                connection.command(
                    f"CREATE MATERIALIZED VIEW sleeper TO asleep AS SELECT sleepEachRow(0.0005) AS n FROM {OTHER}"
                )
            killer.start()

    killer = threading.Thread(target=kill)
    with pytest.raises(EngineError) as ended:
        go(url, options=Options(limits=SMALL, watch=watch, lease_seconds=LEASE))
    killer.join()
    assert (ended.value.code, ended.value.exit_code) == ("TV4003", 1)
    assert "somebody ended the statement" in ended.value.message
    with plain(url) as connection:
        connection.command("DROP TABLE sleeper")
        connection.command("DROP TABLE asleep")
    with SturdyWriter(url) as writer:
        ran = temporal_visibility("schema", "upgrade", url, "--yes")
        assert (ran.code, "Going on with run" in ran.err) == (0, True), ran.err
        writer.wait_for(10)
    finished(url, writer, ROWS)
