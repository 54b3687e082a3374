"""Online upgrades of PostgreSQL: killed at every point while somebody writes, taken back, finished; nothing lost.

The writer keeps its own truth: what it inserted, changed and deleted is what must be in the table at the end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.engines.handles import Handle
from tests.engines.processes import wait_until
from tests.support import journeys
from tests.support.catalogs import LAST, published, released
from tests.support.command import temporal_visibility
from tests.support.online import go, killed_again_and_again, prepared
from tests.support.writing import NAMESPACE, PostgresWriter, Truth, Writer
from toolkit.apply.actions import Action, Outcome, Replay, RunStep, Swap
from toolkit.apply.limits import Limits
from toolkit.apply.runner import Options, perform, plan_store, upgrade_task
from toolkit.catalog import differences
from toolkit.engines.postgresql.client import PostgresClient
from toolkit.engines.postgresql.names import SHADOW
from toolkit.engines.postgresql.rebuilder import PostgresRebuilder
from toolkit.engines.rebuilding import Busy, Ran
from toolkit.errors import EngineError, Stopped
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import Sql, Step
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


def at_version(url: str, version: str) -> None:
    with journeys.opened(url) as (_, client):
        assert differences(client.observe().catalog, published("postgresql", version)) == ()


def killed_there_and_back(url: str, everywhere: bool, every: int) -> None:
    """An upgrade, its rollback, an upgrade and its finish, each killed again and again, beside a writer."""
    prepared(url, 600)
    with PostgresWriter(url, pause=0.005) as writer:
        for kind, version in (("upgrade", LAST), ("rollback", "1.9"), ("upgrade", LAST), ("finish", LAST)):
            assert killed_again_and_again(url, everywhere, every=every, kind=kind) > 0
            at_version(url, version)
            writer.wait_for(20)
    check(url, writer, 600)
    assert leftovers(url) == []


def test_killed_again_and_again_it_gets_there(postgresql: Handle) -> None:
    """At ever later events: after an action before it is written down, or before the next one."""
    killed_there_and_back(postgresql.url, everywhere=False, every=11)


def test_a_chunk_reads_its_own_rows_only(postgresql: Handle) -> None:
    """However large the table: a plan for the whole of it would be made for every chunk of copy and comparison."""
    url = postgresql.url
    prepared(url, 5000)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE executions_visibility")
        # By number: the old table is kept under another name until `finish`.
        (live,) = connection.execute("SELECT 'executions_visibility'::regclass::oid::bigint").fetchone() or (0,)
        before = scans(connection, live)
        go(url, options=Options(limits=Limits(rows=100, most_rows=100)))
        assert scans(connection, live) - before < 10


def scans(connection: psycopg.Connection[Any], table: int) -> int:
    """How often the whole table has been read."""
    query = "SELECT seq_scan FROM pg_stat_user_tables WHERE relid = %s"
    return int((connection.execute(query, (table,)).fetchone() or (0,))[0])


@pytest.mark.long
def test_killed_before_and_after_every_action(postgresql: Handle) -> None:
    """All points, as the machine passes them: after each action before it is written down, and before the next one."""
    killed_there_and_back(postgresql.url, everywhere=True, every=1)


@pytest.mark.long
@pytest.mark.parametrize("upper", [d.version for d in released()[1:]])
def test_start_rollback_start_finish_for_every_version(postgresql: Handle, upper: str) -> None:
    """Where the way keeps the old table there is a rollback; where it does not, `downgrade` goes back."""
    url, names = postgresql.url, [d.version for d in released()]
    lower = names[names.index(upper) - 1]
    prepared(url, 60, lower)
    first = temporal_visibility("schema", "upgrade", url, "--to", upper, "--yes")
    assert first.code == 0, first.err
    at_version(url, upper)
    if "schema rollback" in first.out:
        back = temporal_visibility("schema", "rollback", url, "--yes")
    else:
        back = temporal_visibility("schema", "downgrade", url, "--to", lower, "--yes")
        if "schema rollback" in back.out:
            assert temporal_visibility("schema", "finish", url, "--yes").code == 0
    assert back.code == 0, back.err
    at_version(url, lower)
    again = temporal_visibility("schema", "upgrade", url, "--to", upper, "--yes")
    assert again.code == 0, again.err
    if "schema rollback" in again.out:
        assert temporal_visibility("schema", "finish", url, "--yes").code == 0
    at_version(url, upper)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM executions_visibility").fetchone() == (60,)
    assert leftovers(url) == []


@pytest.mark.parametrize(
    "lower",
    [d.version if d.version == "1.1" else pytest.param(d.version, marks=pytest.mark.long) for d in released()[:-1]],
)
def test_down_back_down_and_finished(postgresql: Handle, lower: str) -> None:
    """The way down, too, keeps an old table that works until it is dropped, with what only that table still needs."""
    url, names = postgresql.url, [d.version for d in released()]
    upper = names[names.index(lower) + 1]
    prepared(url, 60, upper)
    down = ("schema", "downgrade", url, "--to", lower, "--yes")
    first = temporal_visibility(*down)
    assert first.code == 0, first.err
    at_version(url, lower)
    if "schema rollback" in first.out:
        back = temporal_visibility("schema", "rollback", url, "--yes")
        assert back.code == 0, back.err
        at_version(url, upper)
        again = temporal_visibility(*down)
        assert again.code == 0, again.err
        done = temporal_visibility("schema", "finish", url, "--yes")
        assert done.code == 0, done.err
        at_version(url, lower)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM executions_visibility").fetchone() == (60,)
    assert leftovers(url) == []


def test_down_to_where_nothing_is_generated_from_a_table_that_must_be_rewritten(postgresql: Handle) -> None:
    """An old table that is kept would need convert_ts and btree_gin, which 1.1 does not have: so none is kept."""
    url = postgresql.url
    prepared(url, 60, "1.2")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE executions_visibility ALTER COLUMN workflow_type_name TYPE TEXT")
    ran = temporal_visibility("schema", "downgrade", url, "--to", "1.1", "--yes")
    assert ran.code == 0, ran.err
    assert "reads and writes (ACCESS EXCLUSIVE)" in ran.out
    at_version(url, "1.1")
    assert leftovers(url) == []
    assert temporal_visibility("schema", "upgrade", url, "--to", "1.2", "--yes").code == 0
    at_version(url, "1.2")


@pytest.mark.short
def test_up_back_up_and_finished_under_load(postgresql: Handle) -> None:
    """What is written after the swap is there after a rollback, too, and the other way round."""
    url = postgresql.url
    prepared(url, 1500)
    with PostgresWriter(url) as writer:
        for words, version in (
            (("upgrade",), LAST),
            (("rollback",), "1.9"),
            (("upgrade",), LAST),
            (("finish",), LAST),
        ):
            ran = temporal_visibility("schema", *words, url, "--yes")
            assert ran.code == 0, ran.err
            with journeys.opened(url) as (_, client):
                assert differences(client.observe().catalog, published("postgresql", version)) == ()
            writer.wait_for(50)
    check(url, writer, 1500)
    assert leftovers(url) == []


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_what_is_written_while_the_swap_waits_is_there(
    postgresql: Handle, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    """Whatever isolation the database gives by default: a snapshot from before the lock would not have it."""
    url = postgresql.url
    prepared(url, 60)
    ran, written = PostgresRebuilder._run, []

    def run(self: PostgresRebuilder, step: Step, part: str, values: Mapping[str, object] | None = None) -> Any:
        if part == "lock":
            run_id = f"written-{len(written)}"
            written.append(run_id)
            PostgresWriter(url).insert(connection, run_id, "late")
        return ran(self, step, part, values)

    monkeypatch.setattr(PostgresRebuilder, "_run", run)
    with psycopg.connect(url, autocommit=True) as connection:
        alter = sql.SQL("ALTER DATABASE {} SET default_transaction_isolation = {}")
        connection.execute(alter.format(sql.Identifier(connection.info.dbname), level))
        for kind in ("upgrade", "rollback"):
            go(url, kind=kind)
            assert set(stored(url)[0]) == set(written), kind
    assert len(written) == 2


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
        plan = plan_store(chosen, client, find(LAST), released(), NO_OVERLAY)
        task = upgrade_task(chosen, plan, find(LAST), NO_OVERLAY)
        with pytest.raises(EngineError) as refused:
            perform(client, task, lambda *_: None, time.monotonic, few)
        assert refused.value.code == "TV5103"
        blocker.execute("SELECT count(*) FROM executions_visibility")
    assert temporal_visibility("schema", "upgrade", url, "--yes").code == 0
    assert temporal_visibility("schema", "finish", url, "--yes").code == 0


def test_a_deadlock_is_tried_again(postgresql: Handle) -> None:
    """A dump has locked the old table and wants the live one; who waits longer than a deadlock needs is ended by it."""
    url = postgresql.url
    prepared(url, 5)
    go(url)
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'temporal_visibility_old'::regclass"
    outcomes: list[Outcome] = []

    def cross() -> None:
        wait_until(lambda: connection.execute(waits).fetchone() is not None, 30, "the run waits for the old table")
        dump.execute("SELECT count(*) FROM executions_visibility")
        dump.rollback()

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, RunStep) and outcome is None and not outcomes:
            dump.execute("SET LOCAL deadlock_timeout = '30s'; LOCK TABLE temporal_visibility_old IN ACCESS SHARE MODE")
            pool.submit(cross)
        elif isinstance(action, RunStep) and outcome is not None:
            outcomes.append(outcome)

    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(url) as dump,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET deadlock_timeout = '100ms'".encode())
        go(url, kind="finish", options=Options(watch=watch, limits=Limits(lock_seconds=20)))
    assert [type(outcome) for outcome in outcomes] == [Busy, Ran]


def test_a_rollback_that_cannot_swap_is_no_dead_end(postgresql: Handle) -> None:
    """Finish ends it as long as it has changed nothing, and only so long; what hangs on the old table is told, and so
    is what would be lost by now, when it goes on."""
    url = postgresql.url
    prepared(url, 60)
    go(url)
    few = Options(limits=Limits(lock_seconds=0.02, attempts=2, longest_pause=0.05))
    with psycopg.connect(url) as blocker:
        blocker.execute("SELECT 1 FROM executions_visibility LIMIT 1")
        with pytest.raises(EngineError):
            go(url, kind="rollback", options=few)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE executions_visibility ADD COLUMN own_later INT")
        ran = temporal_visibility("schema", "rollback", url, "--yes")
        assert (ran.code, "TV5213" in ran.err, "own_later is new" in ran.err) == (1, True, True), ran.err
        connection.execute("ALTER TABLE executions_visibility DROP COLUMN own_later")
        connection.execute("CREATE VIEW own_view AS SELECT run_id FROM temporal_visibility_old")
        ran = temporal_visibility("schema", "finish", url, "--yes")
        assert (ran.code, "view own_view" in ran.err) == (1, True), ran.err
        connection.execute("DROP VIEW own_view")
    ran = temporal_visibility("schema", "finish", url, "--yes")
    assert ran.code == 0, ran.err
    assert leftovers(url) == []
    with journeys.opened(url) as (_, client):
        assert isinstance(client, PostgresClient)
        assert [run.status for run in client.journal().runs()][1:] == ["finished", "abandoned", "done"]
    at_version(url, LAST)


def test_nor_is_one_of_an_upgrade_that_was_cut_off_before_it_recorded_its_version(postgresql: Handle) -> None:
    url, swapped = postgresql.url, []

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, Swap) and outcome is not None:
            swapped.append(action)

    prepared(url, 20)
    for kind in ("upgrade", "rollback"):
        with pytest.raises(Stopped):
            go(url, kind=kind, options=Options(watch=watch, stopped=lambda: bool(swapped)))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE INDEX own_later ON executions_visibility (status)")
        ran = temporal_visibility("schema", "rollback", url, "--yes")
        assert (ran.code, "TV5213" in ran.err, "`schema finish`" in ran.err) == (1, True, True), ran.err
        with pytest.raises(Stopped):
            go(url, kind="finish", options=Options(stopped=lambda: True))
        for words in (("finish", url), ("upgrade", url)):
            ran = temporal_visibility("schema", *words, "--yes")
            assert ran.code == 0, ran.err
        connection.execute("DROP INDEX own_later")
    at_version(url, LAST)
    assert leftovers(url) == []


def test_a_rollback_that_has_swapped_is_not_ended_by_finish(postgresql: Handle) -> None:
    url, swapped = postgresql.url, []

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, Swap) and outcome is not None:
            swapped.append(action)

    prepared(url, 60)
    go(url)
    with pytest.raises(Stopped):
        go(url, kind="rollback", options=Options(watch=watch, stopped=lambda: bool(swapped)))
    ran = temporal_visibility("schema", "finish", url, "--yes")
    assert (ran.code, "TV5106" in ran.err) == (1, True), ran.err
    shown = temporal_visibility("schema", "rollback", url, "--dry-run", "--output", "json").json("schema-rollback")
    assert [step["id"] for step in shown["runs"][0]["steps"]][-2:] == ["record.version", "record.alembic"]
    assert temporal_visibility("schema", "rollback", url, "--yes").code == 0
    at_version(url, "1.9")
    assert leftovers(url) == []


@pytest.mark.parametrize("begun", [False, True])
def test_old_data_that_is_not_there_as_it_was_kept_is_no_way_back(postgresql: Handle, begun: bool) -> None:
    """As in a store that was restored from a dump, of a time when a rollback had begun, too: its tables have other
    numbers. Where it came by replication, numbers of runs begin anew as well."""
    url = postgresql.url
    prepared(url, 20)
    go(url)
    if begun:
        with pytest.raises(Stopped):
            go(url, kind="rollback", options=Options(stopped=lambda: True))
    restored(url)
    ran = temporal_visibility("schema", "rollback", url, "--yes")
    assert (ran.code, "TV5109" in ran.err, "schema finish" in ran.err) == (1, True, True), ran.err
    ran = temporal_visibility("schema", "finish", url, "--yes")
    assert ran.code == 0, ran.err
    at_version(url, LAST)
    assert leftovers(url) == []


def restored(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE restored (LIKE temporal_visibility_old INCLUDING ALL)")
        connection.execute("DROP TABLE temporal_visibility_old")
        connection.execute("ALTER TABLE restored RENAME TO temporal_visibility_old")
        connection.execute("ALTER TABLE temporal_visibility_run ALTER id RESTART WITH 1")


def test_a_swap_that_no_journal_tells_of_is_seen_in_a_store_restored_from_a_dump(postgresql: Handle) -> None:
    """Otherwise nothing leads on: the run finds another live table than it knew, and to take it back would drop what
    that one uses."""
    url = postgresql.url

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, Swap) and outcome is not None:
            raise KeyboardInterrupt

    prepared(url, 20, "1.1")
    with pytest.raises(KeyboardInterrupt):
        go(url, "1.2", options=Options(watch=watch))
    restored(url)
    ran = temporal_visibility("schema", "rollback", url, "--yes")
    assert (ran.code, "TV5109" in ran.err) == (1, True), ran.err
    for words in (("upgrade", url, "--to", "1.2"), ("finish", url)):
        ran = temporal_visibility("schema", *words, "--yes")
        assert ran.code == 0, ran.err
    assert "the store equals 1.2; it records 1.2" in ran.out
    at_version(url, "1.2")
    assert leftovers(url) == []


def test_writers_go_on_when_the_schema_gets_another_name_while_old_data_is_kept(postgresql: Handle) -> None:
    """Their changes come back with a rollback; so do they go on where the table alone is moved away."""
    url = postgresql.url
    prepared(url, 20)
    go(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA other; ALTER TABLE executions_visibility SET SCHEMA other")
        connection.execute("UPDATE other.executions_visibility SET status = 1 WHERE status = 2")
        connection.execute("ALTER TABLE other.executions_visibility SET SCHEMA public")
        connection.execute('ALTER SCHEMA public RENAME TO "Else where"; SET search_path TO "Else where"')
        connection.execute("DELETE FROM executions_visibility WHERE status <> 1")
        connection.execute("UPDATE executions_visibility SET status = 7")
        left = connection.execute("SELECT run_id, status FROM executions_visibility ORDER BY 1").fetchall()
        assert {status for _, status in left} == {7}
        go(f"{url}?options=-csearch_path%3D%22Else%5C%20where%22", kind="rollback")
        assert connection.execute("SELECT run_id, status FROM executions_visibility ORDER BY 1").fetchall() == left


def test_a_function_that_was_altered_is_written_anew(postgresql: Handle) -> None:
    """Not dropped, be it that a fact is too many: columns use it. To go back is to have the version before, mended."""
    url = postgresql.url
    prepared(url, 20)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER FUNCTION convert_ts(VARCHAR) VOLATILE SECURITY DEFINER")
    go(url)
    at_version(url, LAST)
    go(url, kind="rollback")
    at_version(url, "1.9")


def test_a_view_on_the_table_is_not_lost(postgresql: Handle) -> None:
    """A swap would leave the view on the old table: it is refused, and the plain way keeps it, unless it is in the way
    of a column that had drifted."""
    url = postgresql.url
    prepared(url, 200)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE VIEW open_runs AS SELECT run_id FROM executions_visibility WHERE close_time IS NULL")
    # Nobody is there to be asked: it is told before, and so before the run makes anything.
    for words in ((), ("--yes",)):
        ran = temporal_visibility("schema", "upgrade", url, *words)
        assert (ran.code, "TV5206" in ran.err) == (1, True), ran.err
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE executions_visibility ALTER history_length TYPE INT, "
                           "ADD own_column INT GENERATED ALWAYS AS (history_length) STORED")  # fmt: skip
        connection.execute("CREATE VIEW lengths AS SELECT history_length FROM executions_visibility")
        ran = temporal_visibility("schema", "upgrade", url, "--yes", "--offline")
        said = " ".join(ran.err.partition("another type: ")[2].split())
        assert (ran.code, "TV5218" in ran.err, "own_column, view lengths " in said) == (1, True, True), ran.err
        connection.execute("DROP VIEW lengths; ALTER TABLE executions_visibility DROP own_column")
    assert temporal_visibility("schema", "upgrade", url, "--yes", "--offline").code == 0
    with psycopg.connect(url) as connection:
        connection.execute("SELECT count(*) FROM open_runs")
    with journeys.opened(url) as (_, client):
        left = differences(client.observe().catalog, published("postgresql", LAST))
    assert ["/".join(d.path) for d in left] == ["other_relations"]


def test_a_replay_reads_by_key_however_empty_the_server_takes_the_shadow_for(postgresql: Handle) -> None:
    """The shadow is counted when it is empty. Joined freely, each replay would read all of it."""
    url = postgresql.url
    prepared(url, 300)
    with journeys.opened(url) as (chosen, client):
        plan = plan_store(chosen, client, find(LAST), released(), NO_OVERLAY)
    step = next(step for step in plan.steps if step.id.endswith(".follow"))

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, Replay) and outcome is None and not found:
            with psycopg.connect(url) as connection:
                for statement in step.statements:
                    if isinstance(statement, Sql) and statement.part == "set":
                        connection.execute(statement.text.encode())
                    if isinstance(statement, Sql) and statement.part == "replay":
                        text = f"EXPLAIN (FORMAT JSON) {statement.text}".encode()
                        row = connection.execute(text, {"keys": 100, "parts": 1, "part": 0}).fetchone()
                        found.append((row or ((),))[0])
                connection.rollback()

    found: list[Any] = []
    go(url, options=Options(watch=watch))
    scans = [n for n in _nodes(found[0][0]["Plan"]) if n.get("Relation Name") in (SHADOW, "executions_visibility")]
    assert scans
    for node in scans:
        by_key = "Index Cond" in node or "TID Cond" in node
        assert by_key or node["Node Type"] == "ModifyTable", node


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)
