"""Online upgrades of PostgreSQL: killed at every point while somebody writes, taken back, finished; nothing lost.

The writer keeps its own truth: what it inserted, changed and deleted is what must be in the table at the end.
"""

from __future__ import annotations

import time

import psycopg
import pytest

from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.catalogs import published, released
from tests.support.command import temporal_visibility
from tests.support.online import killed_again_and_again, prepared
from tests.support.writing import NAMESPACE, PostgresWriter, Truth, Writer
from toolkit.apply.limits import Limits
from toolkit.apply.runner import Options, perform, plan_store, upgrade_task
from toolkit.catalog import differences
from toolkit.errors import EngineError
from toolkit.overlay import NO_OVERLAY
from toolkit.versions import find


def stored(url: str) -> tuple[Truth, int]:
    """The writer's rows as they are in the table, and the number of all others."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT run_id, status, keyword01 FROM executions_visibility WHERE namespace_id = %s", (NAMESPACE,)
        ).fetchall()
        others = connection.execute("SELECT count(*) FROM executions_visibility WHERE namespace_id <> %s", (NAMESPACE,))
        return {run.strip(): (status, word) for run, status, word in rows}, (others.fetchone() or (0,))[0]


def leftovers(url: str) -> list[str]:
    """Objects of ours besides the books."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT relname::text FROM pg_class WHERE relname LIKE 'temporal\\_visibility\\_%' AND relkind = 'r'"
            " UNION ALL SELECT tgname::text FROM pg_trigger WHERE tgname LIKE 'temporal\\_visibility\\_%'"
        ).fetchall()
    books = {"temporal_visibility_journal", "temporal_visibility_lock", "temporal_visibility_run"}
    return sorted(name for (name,) in rows if name not in books)


def check(url: str, writer: Writer, others: int) -> None:
    assert writer.statements > 50
    assert stored(url) == (writer.truth, others)


def test_killed_again_and_again_it_gets_there(postgresql: Handle, request: pytest.FixtureRequest) -> None:
    """With --all-versions at every point: after each action before it is written down, and before the next one."""
    url = postgresql.url
    prepared(url, 1500)
    everywhere = request.config.getoption("--all-versions")
    with PostgresWriter(url) as writer:
        kills = killed_again_and_again(url, everywhere)
    assert kills > 3
    check(url, writer, 1500)
    with journeys.opened(url) as (_, client):
        assert differences(client.observe().catalog, published("postgresql", "1.14")) == ()
    assert temporal_visibility("schema", "finish", url, "--yes").code == 0
    check(url, writer, 1500)
    assert leftovers(url) == []


@pytest.mark.short
def test_up_back_up_and_finished_under_load(postgresql: Handle) -> None:
    """What is written after the swap is there after a rollback, too, and the other way round."""
    url = postgresql.url
    prepared(url, 1500)
    with PostgresWriter(url) as writer:
        for words, version in (
            (("upgrade",), "1.14"),
            (("rollback",), "1.9"),
            (("upgrade",), "1.14"),
            (("finish",), "1.14"),
        ):
            ran = temporal_visibility("schema", *words, url, "--yes")
            assert ran.code == 0, ran.err
            with journeys.opened(url) as (_, client):
                assert differences(client.observe().catalog, published("postgresql", version)) == ()
            writer.wait_for(50)
    check(url, writer, 1500)
    assert leftovers(url) == []


def test_two_runners_one_store(postgresql: Handle) -> None:
    """The second is told who holds the lock, and leaves with 4."""
    prepared(postgresql.url, 200)
    with journeys.opened(postgresql.url) as (_, client):
        lease = client.take_lock("somebody@elsewhere:1", 60)  # type: ignore[attr-defined]
        try:
            ran = temporal_visibility("schema", "upgrade", postgresql.url, "--yes")
        finally:
            lease.release()
    assert ran.code == 4
    assert "somebody@elsewhere:1" in ran.err


def test_a_lock_that_is_never_granted_fails_and_leaves_the_store_usable(postgresql: Handle) -> None:
    url = postgresql.url
    prepared(url, 200)
    few = Options(limits=Limits(lock_seconds=0.02, attempts=4, longest_pause=0.05))
    with psycopg.connect(url) as blocker, journeys.opened(url) as (chosen, client):
        blocker.execute("SELECT 1 FROM executions_visibility LIMIT 1")
        plan = plan_store(chosen, client, find("1.14"), released(), NO_OVERLAY)
        task = upgrade_task(chosen, plan, find("1.14"), NO_OVERLAY)
        with pytest.raises(EngineError) as refused:
            perform(client, task, lambda *_: None, time.monotonic, few)
        assert refused.value.code == "TV5103"
        blocker.execute("SELECT count(*) FROM executions_visibility")
    assert temporal_visibility("schema", "upgrade", url, "--yes").code == 0
    assert temporal_visibility("schema", "finish", url, "--yes").code == 0


def test_a_view_on_the_table_is_not_lost(postgresql: Handle) -> None:
    """A swap would leave the view on the old table: it is refused, and the plain way keeps it."""
    url = postgresql.url
    prepared(url, 200)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE VIEW open_runs AS SELECT run_id FROM executions_visibility WHERE close_time IS NULL")
    ran = temporal_visibility("schema", "upgrade", url, "--yes")
    assert (ran.code, "TV5206" in ran.err) == (1, True), ran.err
    assert temporal_visibility("schema", "upgrade", url, "--yes", "--offline").code == 0
    with psycopg.connect(url) as connection:
        connection.execute("SELECT count(*) FROM open_runs")
    with journeys.opened(url) as (_, client):
        left = differences(client.observe().catalog, published("postgresql", "1.14"))
    assert ["/".join(d.path) for d in left] == ["other_relations"]
