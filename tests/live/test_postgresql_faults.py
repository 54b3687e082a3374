"""What an online upgrade of PostgreSQL does when something goes wrong around it: each has a coded answer, and the same
command goes on from there."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.engines.handles import Handle
from tests.engines.processes import give_away
from tests.support import journeys
from tests.support.catalogs import LAST, published
from tests.support.command import temporal_visibility
from tests.support.one_more import fill, filler, small_file_system
from tests.support.online import ROOT, go, once_before, paused, prepared
from tests.support.pooler import pooler
from tests.support.replica import replica
from tests.support.writing import NAMESPACE, PostgresWriter, Truth
from toolkit.apply.actions import Action, CopyChunk, Outcome, Pause, Replay, RunStep, Swap
from toolkit.apply.limits import Limits
from toolkit.apply.ongoing import unfinished
from toolkit.apply.runner import Options
from toolkit.catalog import differences
from toolkit.engines.online import Sensing
from toolkit.engines.postgresql import books, rebuilder
from toolkit.engines.postgresql.client import PostgresClient
from toolkit.engines.rebuilding import Replayed
from toolkit.errors import ConnectionFailed, EngineError, LockHeld, ToolkitError

SMALL = Limits(chunk_seconds=0.02, rows=50)


def at_version(url: str, version: str) -> None:
    with journeys.opened(url) as (_, client):
        assert differences(client.observe().catalog, published("postgresql", version)) == ()


def stored(url: str) -> tuple[Truth, int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT run_id, status, keyword01 FROM executions_visibility WHERE namespace_id = %s", (NAMESPACE,)
        ).fetchall()
        others = connection.execute("SELECT count(*) FROM executions_visibility WHERE namespace_id <> %s", (NAMESPACE,))
        return {run.strip(): (status, word) for run, status, word in rows}, (others.fetchone() or (0,))[0]


def finished(url: str) -> None:
    assert temporal_visibility("schema", "finish", url, "--yes").code == 0
    at_version(url, LAST)
    with psycopg.connect(url) as connection:
        left = connection.execute(
            "SELECT relname::text FROM pg_class WHERE relname LIKE 'temporal\\_visibility\\_%' AND relkind = 'r'"
        ).fetchall()
    assert sorted(name for (name,) in left) == [
        f"temporal_visibility_{n}" for n in ("journal", "lock", "run")
    ]  # fmt: skip


def until(happens: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class SturdyWriter(PostgresWriter):
    """A write whose answer was lost is sent again until it is answered, as Temporal's task queues do."""

    def insert(self, connection: psycopg.Connection, run: str, word: str) -> None:
        self._sturdy(lambda c: c.execute("DELETE FROM executions_visibility WHERE namespace_id = %s AND run_id = %s",
                                         (NAMESPACE, run)) and PostgresWriter.insert(self, c, run, word))  # fmt: skip

    def update(self, connection: psycopg.Connection, run: str, word: str) -> None:
        self._sturdy(lambda c: PostgresWriter.update(self, c, run, word))

    def delete(self, connection: psycopg.Connection, run: str) -> None:
        self._sturdy(lambda c: PostgresWriter.delete(self, c, run))

    def open(self) -> psycopg.Connection:
        self._own = super().open()
        return self._own

    def close(self, connection: psycopg.Connection) -> None:
        self._own.close()

    def _sturdy(self, deed: Callable[[psycopg.Connection], object]) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                if self._own.closed:
                    self._own = psycopg.connect(self.url, autocommit=True, connect_timeout=5)
                deed(self._own)
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                self._own.close()
                time.sleep(0.05)


@pytest.mark.faults
def test_the_server_dies_in_the_copy_in_an_index_build_and_in_the_swap(postgresql: Handle) -> None:
    """Each time the run ends with a coded error and goes on when the server is back; no answered write is lost."""
    url = postgresql.url
    prepared(url, 1500)
    killed: list[str] = []

    def kill(where: str) -> None:
        if where not in killed:
            killed.append(where)
            postgresql.kill()

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, CopyChunk) and outcome is not None:
            kill("copy")
        if isinstance(action, Swap) and outcome is None and "swap" not in killed:
            # While the exclusive transaction is under way, or right around it.
            threading.Timer(0.02, lambda: kill("swap")).start()

    def tick(done: int) -> None:
        if done == 20:
            kill("index")

    with SturdyWriter(url) as writer:
        ends = 0
        for _ in range(8):
            try:
                go(url, options=Options(limits=SMALL, watch=watch, tick=tick, lease_seconds=5.0))
                if "swap" in killed:
                    break
            except ToolkitError as error:
                assert error.code in ("TV4002", "TV4001", "TV4003"), error.code
                ends += 1
            if "swap" not in killed or ends:
                until(lambda: _up(postgresql))
        writer.wait_for(50)
    assert {"copy", "index", "swap"} <= set(killed)
    assert stored(url) == (writer.truth, 1500)
    finished(url)


def _up(postgresql: Handle) -> bool:
    postgresql.start()
    return True


def test_a_connection_that_is_ended_in_the_middle(postgresql: Handle) -> None:
    """pg_terminate_backend on all of the run's sessions, and again in an index build."""
    url = postgresql.url
    prepared(url, 1000)
    done: list[str] = []

    def end(where: str) -> None:
        if where not in done:
            done.append(where)
            with psycopg.connect(url) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND application_name LIKE 'temporal-visibility%'"
                )

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, CopyChunk) and outcome is not None:
            end("copy")

    def tick(number: int) -> None:
        if number == 30:
            end("index")

    with PostgresWriter(url) as writer:
        for _ in ("copy", "index"):
            with pytest.raises(ConnectionFailed) as lost:
                go(url, options=Options(limits=SMALL, watch=watch, tick=tick))
            assert lost.value.code == "TV4002"
        go(url)
    assert done == ["copy", "index"]
    assert stored(url) == (writer.truth, 1000)
    finished(url)


def test_an_autovacuum_steps_aside_without_a_writer_waiting(postgresql: Handle) -> None:
    """It does so only for who waits longer than a second, and writers queue behind all locks but the weak one. So it
    does on the tables that come and go. Sessions that end when they are waited for so long stand for it."""
    url = postgresql.url
    prepared(url, 50)
    few = Limits(attempts=5)
    with PostgresWriter(url) as writer:
        with ExitStack() as stack:
            stack.enter_context(_vacuumed(url, "executions_visibility"))
            coming = _vacuumed(url, "temporal_visibility_shadow")
            watch, met = once_before(Swap, lambda: stack.enter_context(coming))
            go(url, options=Options(limits=few, watch=watch))
            assert met
        with _vacuumed(url, "temporal_visibility_log"):
            go(url, kind="finish", options=Options(limits=few))
    assert writer.longest < 1.0
    assert stored(url) == (writer.truth, 50)
    at_version(url, LAST)


def test_an_autovacuum_steps_aside_for_a_plain_change(postgresql: Handle) -> None:
    """A column that needs no rebuild comes, and goes, with the same care."""
    url = postgresql.url
    prepared(url, 50, "1.8")
    with PostgresWriter(url) as writer:
        for version in ("1.9", "1.8"):
            with _vacuumed(url, "executions_visibility"):
                go(url, version, Options(limits=Limits(attempts=5)))
            at_version(url, version)
    assert writer.longest < 1.0


@contextmanager
def _vacuumed(url: str, table: str) -> Iterator[None]:
    """A session with the lock of a vacuum on `table`, which it gives up when it has been waited for."""
    with psycopg.connect(url) as vacuum:
        vacuum.execute(f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE".encode())
        stepping = threading.Thread(target=_step_aside, args=(url, vacuum))
        stepping.start()
        yield
        stepping.join()


def test_sessions_that_share_a_replay_are_opened_once_a_step(
    postgresql: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql.url
    prepared(url, 100)
    opened: dict[int, list[psycopg.Connection[dict[str, Any]]]] = {}
    replays: list[int] = []
    steps: list[int] = []
    open_session = PostgresClient._session

    def counted(client: PostgresClient) -> psycopg.Connection[dict[str, Any]]:
        session = open_session(client)
        # The heartbeat's thread opens one of its own.
        if steps and threading.current_thread() is threading.main_thread():
            opened.setdefault(steps[0], []).append(session)
        return session

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, CopyChunk) and outcome is None and action.after is None:
            with psycopg.connect(url) as connection:
                connection.execute(_MANY)
        steps[:] = [action.step] if isinstance(action, Replay) and outcome is None else []
        if isinstance(action, Replay) and isinstance(outcome, Replayed) and outcome.left > rebuilder.NEAR:
            replays.append(action.step)

    # The changed keys are enough for several replays.
    monkeypatch.setattr(rebuilder, "NEAR", 100)
    monkeypatch.setattr(PostgresClient, "_session", counted)
    go(url, options=Options(limits=Limits(rows=50, most_rows=50), watch=watch))
    assert replays.count(replays[0]) >= 2
    assert {len(sessions) for sessions in opened.values()} == {rebuilder.REPLAYERS}
    assert all(session.closed for sessions in opened.values() for session in sessions)
    assert stored(url) == ({}, 100 + 600)
    finished(url)


_MANY = """
INSERT INTO executions_visibility (namespace_id, run_id, start_time, execution_time, workflow_id, workflow_type_name,
                                   status, encoding)
SELECT 'many', number::text, now(), now(), 'w', 't', 1, '' FROM generate_series(1, 600) AS number
"""


def _step_aside(url: str, vacuum: psycopg.Connection) -> None:
    """End the transaction of `vacuum` once somebody has waited for it for a second."""
    waiting = """
        SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE NOT granted AND mode = 'ShareUpdateExclusiveLock' AND clock_timestamp() - query_start > interval '1 s'
    """
    with psycopg.connect(url, autocommit=True) as looking:
        until(lambda: looking.execute(waiting).fetchone() is not None)
    vacuum.rollback()


def test_a_run_that_slept_past_its_lock_changes_nothing(postgresql: Handle) -> None:
    """Frozen in the middle of the copy, overtaken, woken up: it leaves with 4 and has changed nothing."""
    url = postgresql.url
    prepared(url, 500)
    with PostgresWriter(url) as writer, paused(url, 9) as sleeper:
        deadline = time.monotonic() + 60
        while True:
            try:
                go(url)
                break
            except LockHeld as held:
                assert str(sleeper.process.pid) in held.message
                assert time.monotonic() < deadline
        before = _lines(url)
        assert sleeper.wakes() == 4, sleeper.said
        assert "TV5102" in sleeper.said
        assert _lines(url) == before
    assert stored(url) == (writer.truth, 500)
    finished(url)


def _lines(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT run, line, fencing, action FROM temporal_visibility_journal ORDER BY 1, 2"
        ).fetchall()


@pytest.mark.engines("postgresql", "mysql", "sqlite")
def test_two_started_together(engine: Handle) -> None:
    """Exactly one works; the other is told its name."""
    prepared(engine.url, 200)
    inside, others_done = threading.Event(), threading.Event()
    ends: dict[str, ToolkitError | None] = {}

    def runner(name: str) -> None:
        def watch(*_: object) -> None:
            inside.set()
            assert others_done.wait(60)

        try:
            go(engine.url, options=Options(watch=watch, owner=name))
            ends[name] = None
        except ToolkitError as error:
            ends[name] = error
            others_done.set()

    threads = [threading.Thread(target=runner, args=(name,)) for name in ("one@host:1", "two@host:2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = next(name for name, error in ends.items() if error is None)
    loser = next(error for error in ends.values() if error is not None)
    assert (loser.code, loser.exit_code) == ("TV5101", 4)
    assert winner in loser.message


@contextmanager
def small_tablespace(postgresql: Handle) -> Iterator[tuple[str, Path]]:
    """The URL of a database on a file system of 64 MB, and where that is."""
    with small_file_system(64) as folder:
        place = folder / "space"
        place.mkdir()
        give_away(place)
        name = f"{postgresql.database}_small"
        try:
            with psycopg.connect(postgresql.url, autocommit=True) as connection:
                connection.execute(f"CREATE TABLESPACE {name} LOCATION '{place}'".encode())
                connection.execute(f"CREATE DATABASE {name} TABLESPACE {name}".encode())
            yield postgresql.url_of(name), folder
        finally:
            with psycopg.connect(postgresql.url, autocommit=True) as connection:
                # 12 has no WITH (FORCE).
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
                connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
                connection.execute(f"DROP TABLESPACE IF EXISTS {name}".encode())


@pytest.mark.faults  # A checkpoint that fails on it would fail in everybody's CREATE DATABASE.
def test_a_full_disk(postgresql: Handle) -> None:
    """The live table is untouched; with room the same command goes on."""
    with small_tablespace(postgresql) as (url, folder):
        prepared(url, 600)
        fill(folder, 1_000_000)
        ran = temporal_visibility("schema", "upgrade", url, "--yes")
        assert (ran.code, "TV5203" in ran.err) == (1, True), ran.err
        assert stored(url) == ({}, 600)
        filler(folder).unlink()
        ran = temporal_visibility("schema", "upgrade", url, "--yes")
        assert ran.code == 0, ran.err
        assert stored(url) == ({}, 600)
        finished(url)


def test_a_role_without_rights(postgresql: Handle) -> None:
    """It may read and write records, as Temporal's role does, and is told who may upgrade; nothing has changed."""
    url, role = postgresql.url, f"{postgresql.database}_worker"
    prepared(url, 100)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role}".encode())
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}".encode())
    try:
        ran = temporal_visibility("schema", "upgrade", f"{url}?options=-c%20role%3D{role}", "--yes")
        assert (ran.code, "TV5201" in ran.err) == (1, True), ran.err
        at_version(url, "1.9")
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())


@pytest.mark.faults
def test_a_replica_is_read_only_and_a_copy_waits_for_it(postgresql: Handle) -> None:
    """On the standby nothing can be run; with --max-lag nothing is copied while it is behind."""
    url = postgresql.url
    prepared(url, 1500)
    with replica(postgresql) as standby:
        ran = temporal_visibility("schema", "upgrade", standby, "--yes")
        assert (ran.code, "TV5207" in ran.err) == (1, True), ran.err
        assert temporal_visibility("schema", "status", standby).code == 0
        reasons: list[str] = []
        chunks: list[int] = []

        def watch(action: Action, outcome: Outcome | None) -> None:
            if isinstance(action, CopyChunk) and outcome is None:
                chunks.append(len(reasons))
            if isinstance(action, Pause) and outcome is None and "replica" in action.reason:
                reasons.append(action.reason)
                if len(reasons) == 3:
                    with psycopg.connect(standby, autocommit=True) as there:
                        there.execute("SELECT pg_wal_replay_resume()")

        with psycopg.connect(standby, autocommit=True) as there:
            there.execute("SELECT pg_wal_replay_pause()")
        with PostgresWriter(url) as writer:
            writer.wait_for(20)
            # A quick machine would have copied everything before the standby is that late.
            with journeys.opened(url) as (_, client):
                assert isinstance(client, Sensing)
                until(lambda: (client.lag() or 0.0) > 0.5)
            lagging = Limits(chunk_seconds=0.02, rows=50, max_lag=0.5)
            go(url, options=Options(limits=lagging, watch=watch))
        assert len(reasons) >= 3, "it never waited"
        assert not any(0 < place < 3 for place in chunks[1:]), "it copied while the replica was behind"
        assert stored(url) == (writer.truth, 1500)
        until(lambda: stored(standby) == (writer.truth, 1500))
    finished(url)


def test_a_busy_server_makes_a_copy_wait(postgresql: Handle) -> None:
    url = postgresql.url
    prepared(url, 300)
    reasons: list[str] = []
    with psycopg.connect(url) as worker:
        asleep = threading.Thread(target=lambda: worker.execute("SELECT pg_sleep(3)"))

        def watch(action: Action, outcome: Outcome | None) -> None:
            if isinstance(action, CopyChunk) and outcome is None and not asleep.ident:
                asleep.start()
                # Within a transaction the view of sessions would stay as it was first seen.
                with psycopg.connect(url, autocommit=True) as looking:
                    until(lambda: looking.execute(_SLEEPS).fetchone() is not None)
            if isinstance(action, Pause) and outcome is None:
                reasons.append(action.reason)

        go(url, options=Options(limits=Limits(rows=50, max_load=0.5), watch=watch))
        asleep.join()
    assert any("at work" in reason for reason in reasons)
    finished(url)


_SLEEPS = """
SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()
"""


def test_an_invalid_index_is_built_again(postgresql: Handle) -> None:
    """What a failed CREATE INDEX CONCURRENTLY left behind is no index: an upgrade to the same version repairs it."""
    url = postgresql.url
    prepared(url, 200, LAST)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_int_01'::regclass")
    assert temporal_visibility("schema", "status", url, "--exit-code").code == 3
    ran = temporal_visibility("schema", "upgrade", url, "--yes")
    assert ran.code == 0, ran.err
    at_version(url, LAST)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone() == (0,)


@contextmanager
def command(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The command line in the background, though one that hears Ctrl-C, however the tests were started."""
    heeding = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    process = subprocess.Popen(
        [sys.executable, "-m", "toolkit", *words], cwd=ROOT, stdin=subprocess.DEVNULL, preexec_fn=heeding,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def begun(url: str) -> bool:
    with journeys.opened(url) as (_, client):
        return unfinished(client) is not None  # type: ignore[arg-type]


def test_a_run_is_held_and_let_go_while_it_runs_and_ctrl_c_says_how_to_go_on(postgresql: Handle) -> None:
    url = postgresql.url
    prepared(url, 3000)
    with psycopg.connect(url) as reader, command("schema", "upgrade", url, "--yes", "--chunk-time", "0.01") as running:
        # A reader keeps the swap from its lock, so that the run cannot end before it is told to hold.
        reader.execute("LOCK TABLE executions_visibility IN ACCESS SHARE MODE")
        until(lambda: begun(url))
        held = temporal_visibility("schema", "throttle", url, "--pause", "--max-lag", "3", "--output", "json")
        asked = held.json("schema-throttle")["stores"][0]["asked"]
        assert asked == {"max_lag": 3.0, "paused": True}
        seen = [_lines(url)]
        until(lambda: seen.append(_lines(url)) or (_idle(url) and seen[-1] == seen[-2]))  # type: ignore[func-returns-value]
        assert running.poll() is None
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
        assert running.returncode == 130, said
        assert "TV5108" in said
        assert "the same command goes on" in said
    with command("schema", "upgrade", url, "--yes") as running:
        until(lambda: "by" in temporal_visibility("schema", "throttle", url).out)
        shown = temporal_visibility("schema", "throttle", url, "--resume", "--chunk-time", "1").out
        assert "paused False" in shown
        _, said = running.communicate(timeout=120)
        assert running.returncode == 0, said
    finished(url)


def _idle(url: str) -> bool:
    """Whether the run's sessions have done nothing for a second and a half, longer than it takes to listen."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT max(at) < clock_timestamp() - interval '1.5 seconds' FROM temporal_visibility_journal"
        ).fetchone()
    return bool(row and row[0])


def test_a_second_ctrl_c_ends_an_action_that_waits(postgresql: Handle) -> None:
    url = postgresql.url
    prepared(url, 200)
    with psycopg.connect(url) as blocker, command("schema", "upgrade", url, "--yes") as running:
        until(lambda: begun(url))
        blocker.execute("LOCK TABLE executions_visibility IN ACCESS EXCLUSIVE MODE")
        with psycopg.connect(url, autocommit=True) as looking:
            until(lambda: looking.execute(_WAITS).fetchone() is not None or running.poll() is not None)
        running.send_signal(signal.SIGINT)
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
        assert running.returncode == 130, said
        assert "Nothing is lost" in said
        blocker.rollback()
    assert temporal_visibility("schema", "upgrade", url, "--yes").code == 0
    finished(url)


_WAITS = (
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'temporal-visibility%'"
    " AND datname = current_database()"
)


def test_a_lock_is_taken_away_only_from_one_who_is_gone_or_by_name(postgresql: Handle) -> None:
    url = postgresql.url
    prepared(url, 100)
    reached, go_on = threading.Event(), threading.Event()
    ended: list[BaseException | None] = []

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, RunStep) and outcome is None:
            reached.set()
            assert go_on.wait(60)

    def work() -> None:
        try:
            go(url, options=Options(watch=watch, owner="worker@host:7"))
            ended.append(None)
        except ToolkitError as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert reached.wait(60)
    ran = temporal_visibility("schema", "unlock", url)
    assert (ran.code, "worker@host:7" in ran.err) == (4, True)
    assert temporal_visibility("schema", "unlock", url, "--force", "somebody else").code == 4
    ran = temporal_visibility("schema", "unlock", url, "--force", "worker@host:7", "--output", "json")
    assert ran.json("schema-unlock")["stores"][0]["was"] == "worker@host:7"
    go_on.set()
    thread.join()
    (error,) = ended
    assert isinstance(error, EngineError | LockHeld)
    assert error.code in ("TV5102", "TV4002")
    assert temporal_visibility("schema", "upgrade", url, "--yes").code == 0
    finished(url)


def test_who_takes_a_lock_over_ends_the_holder_alone(postgresql: Handle) -> None:
    """Not whoever has its process number by now, nor a holder of the same number in another schema."""
    url = postgresql.url
    prepared(url, 10)
    with psycopg.connect(url, autocommit=True) as own:
        lock = own.execute("SELECT fencing, 'temporal_visibility_lock'::regclass::oid FROM temporal_visibility_lock")
        fencing, number = lock.fetchone() or (0, 0)
        names = ("temporal-server", f"temporal-visibility {fencing}/{number}", f"temporal-visibility {fencing}/1")
        stranger, holder, other = (psycopg.connect(url, autocommit=True, application_name=name) for name in names)
        own.execute(
            "UPDATE temporal_visibility_lock SET owner = 'dead@host:1', pid = %s, backend_start = now() - interval"
            " '1 day', taken_at = now(), expires_at = now() - interval '1 day'",
            (stranger.info.backend_pid,),
        )
    with journeys.opened(url) as (_, client):
        assert isinstance(client, PostgresClient)
        client.take_lock("somebody@elsewhere:1", 60).release()
    stranger.execute("SELECT 1")
    other.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        holder.execute("SELECT 1")
    for connection in (stranger, holder, other):
        connection.close()


def test_a_pooler_must_leave_a_run_its_sessions(postgresql: Handle) -> None:
    """In transaction mode no setting and no lock would hold: told in the plan, and refused. Reading goes on."""
    url = postgresql.url
    prepared(url, 60)
    with pooler(url, by_transaction=True) as divided:
        assert "TV5216" in temporal_visibility("schema", "plan", divided).out
        ran = temporal_visibility("schema", "upgrade", divided, "--yes")
        assert (ran.code, "TV5216" in ran.err) == (1, True), ran.err
        for words in (
            ("schema", "status", divided),
            ("query", divided, "--namespace", NAMESPACE, "WorkflowType = 'x'"),
        ):
            assert temporal_visibility(*words).code == 0, words
    with pooler(url, by_transaction=False) as whole:
        ran = temporal_visibility("schema", "upgrade", whole, "--yes")
        assert ran.code == 0, ran.err
    finished(url)


def test_a_holder_that_sleeps_in_a_transaction_keeps_nobody_waiting_for_ever(
    postgresql: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended, whatever role the database sets besides; who came as another role is named."""
    url = f"{postgresql.url}?options=-crole%3Ddeputy"
    monkeypatch.setattr(books, "LAST_WORDS_SECONDS", 1)
    with psycopg.connect(postgresql.url, autocommit=True) as own:
        own.execute("CREATE ROLE deputy SUPERUSER")
        try:
            with journeys.opened(url) as (_, sleeper), journeys.opened(url) as (_, client):
                assert isinstance(sleeper, PostgresClient)
                assert isinstance(client, PostgresClient)
                lease = sleeper.take_lock("sleeper@laptop:1", 0.0)
                sleeper._connection.execute("BEGIN")
                lease.check()
                client.take_lock("awake@desk:1", 0.0)
                with pytest.raises(psycopg.OperationalError):
                    sleeper._connection.execute("SELECT 1")
                with own.transaction():
                    own.execute("SELECT 1 FROM temporal_visibility_lock FOR KEY SHARE")
                    with pytest.raises(LockHeld, match="awake@desk:1"):
                        client.take_lock("late@desk:1", 60)
        finally:
            own.execute("DROP OWNED BY deputy")
            own.execute("DROP ROLE deputy")
