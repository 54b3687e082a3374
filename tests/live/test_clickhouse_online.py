"""Rebuilds of a ClickHouse table while somebody writes: killed at every point, taken back, finished; nothing lost.

The writer keeps its own truth, and no insert of its may fail.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.catalogs import LAST
from tests.support.clickhouse import (
    LAYOUTS,
    TABLE,
    ClickHouseWriter,
    account,
    laid_out_otherwise,
    leftovers,
    plain,
    profiled,
    rows,
    stored,
)
from tests.support.command import temporal_visibility
from tests.support.filter_records import records
from tests.support.online import doomed, killed_again_and_again, paused
from tests.support.writing import NAMESPACE
from toolkit.apply.runner import Options, perform, plan_store, upgrade_task
from toolkit.catalog import differences
from toolkit.engines import clickhouse as engine
from toolkit.engines.clickhouse import locks
from toolkit.engines.clickhouse.client import ClickHouseClient
from toolkit.engines.clickhouse.names import CAPTURE, MARKS, OTHER
from toolkit.engines.clickhouse.preflight import REBUILD_RIGHTS
from toolkit.engines.clickhouse.session import Session, Values
from toolkit.engines.clickhouse.traits import PATCHED
from toolkit.errors import EngineError, LockHeld, ToolkitError, Unsupported
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import Mode, Sql
from toolkit.versions import chain, find

ROWS = 12_000
# A column that the newest version brought.
LATE = "temporalexternalpayloadcount"
both = pytest.mark.engines("clickhouse", "chdb")


def at(url: str, version: str) -> None:
    with journeys.opened(url) as (_, client):
        assert differences(client.observe().catalog, engine.catalog(find(version))) == ()


def command(*words: str) -> None:
    ran = temporal_visibility("schema", *words, "--yes")
    assert ran.code == 0, ran.err


def check(url: str, writer: ClickHouseWriter, others: int = ROWS) -> None:
    assert writer.statements > 20
    assert stored(url) == (writer.truth, others)


def test_another_key_is_rebuilt_and_taken_back_and_rebuilt_under_load(clickhouse: Handle) -> None:
    """What is written after the swap is there after a rollback, too; no insert fails."""
    url = clickhouse.url
    laid_out_otherwise(url, ROWS, "key")
    with ClickHouseWriter(url) as writer:
        command("upgrade", url)
        at(url, LAST)
        writer.wait_for(20)
        command("rollback", url)
        ((key,),) = rows(
            url, f"SELECT sorting_key FROM system.tables WHERE database = currentDatabase() AND name = '{TABLE}'"
        )
        assert key == "namespace_id, run_id, start_time"
        assert rows(url, "SELECT argMax(version, sequence) FROM temporal_visibility_schema_version") == [("1.9",)]
        writer.wait_for(20)
        command("upgrade", url)
        writer.wait_for(20)
        command("finish", url)
        at(url, LAST)
        writer.wait_for(20)
    check(url, writer)
    assert leftovers(url) == []
    late_writes_of_deleted_runs_stay_deleted(url, writer)


def late_writes_of_deleted_runs_stay_deleted(url: str, writer: ClickHouseWriter) -> None:
    """The copy has the deletions, too."""
    assert writer.deleted
    with plain(url) as connection:
        for run in writer.deleted[:3]:
            writer.put(connection, run, 1, "late", version=1)
    check(url, writer)


@pytest.mark.short
def test_another_key_is_rebuilt_on_every_version(clickhouse: Handle) -> None:
    """Without a writer: what answers for the older versions takes one statement at a time."""
    url = clickhouse.url
    laid_out_otherwise(url, 500, "key")
    ttl = "TTL toDateTime(start_time) + toIntervalYear(60)"
    with plain(url) as connection:
        connection.command(f"ALTER TABLE {TABLE} MODIFY COLUMN keyword01 Nullable(String) {ttl}")
    before = stored(url)
    for words in ("upgrade", "rollback", "upgrade", "finish"):
        command(words, url)
        assert stored(url) == before
        if words == "upgrade":
            # What somebody takes for a leftover: the way back would not end without it.
            with plain(url) as connection:
                connection.command(f"DROP VIEW {CAPTURE}")
    assert ttl in rows(url, f"SHOW CREATE TABLE {TABLE}")[0][0]
    at(url, LAST)
    assert leftovers(url) == []


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"key"}))
def test_other_layouts_are_rebuilt(chdb: EmbeddedHandle, layout: str) -> None:
    url = chdb.url
    laid_out_otherwise(url, 500, layout)
    before = stored(url)
    command("upgrade", url)
    at(url, LAST)
    assert stored(url) == before
    command("finish", url)
    assert stored(url) == before
    assert leftovers(url) == []


def test_killed_again_and_again_it_gets_there(clickhouse: Handle) -> None:
    killed(clickhouse.url, everywhere=False)


@pytest.mark.long
def test_killed_at_every_point_it_gets_there(clickhouse: Handle) -> None:
    """After each action before it is written down, and before the next one."""
    killed(clickhouse.url, everywhere=True)


def killed(url: str, everywhere: bool) -> None:
    laid_out_otherwise(url, ROWS, "key")
    with ClickHouseWriter(url) as writer:
        kills = killed_again_and_again(url, everywhere)
        writer.wait_for(10)
    assert kills > 3
    check(url, writer)
    at(url, LAST)
    command("finish", url)
    check(url, writer)
    assert leftovers(url) == []


@pytest.mark.parametrize("event", [14, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 32, 4))])
def test_killed_in_chdb(chdb: EmbeddedHandle, event: int) -> None:
    """The engine dies with the run; the next process goes on, whose lock it need not wait for."""
    laid_out_otherwise(chdb.url, 500, "key")
    before = stored(chdb.url)
    assert not doomed(chdb.url, event)
    assert doomed(chdb.url, 10_000)
    at(chdb.url, LAST)
    assert stored(chdb.url) == before


@pytest.mark.faults
def test_the_server_dies_in_the_middle_of_the_copy(clickhouse: Handle) -> None:
    url = clickhouse.url
    laid_out_otherwise(url, ROWS, "key")
    killed: list[bool] = []

    def kill(action: Any, outcome: object) -> None:
        if type(action).__name__ == "CopyChunk" and outcome is None and not killed:
            killed.append(True)
            clickhouse.kill()

    with pytest.raises(EngineError) as lost:
        run(url, Options(watch=kill, lease_seconds=1.0))
    assert (lost.value.code, killed) == ("TV4002", [True])
    clickhouse.start()
    after(1.0, lambda: command("upgrade", url))
    at(url, LAST)
    assert stored(url) == ({}, ROWS)


def after(seconds: float, action: Callable[[], None]) -> None:
    """Until the lock of a dead run has expired, the action is refused."""
    deadline = time.monotonic() + seconds + 60
    while True:
        try:
            return action()
        except AssertionError as refused:
            if "TV5101" not in str(refused) or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def run(url: str, options: Options, version: str = LAST) -> None:
    with journeys.opened(url) as (chosen, client):
        plan = plan_store(chosen, client, find(version), chain(), NO_OVERLAY)
        task = upgrade_task(chosen, plan, find(version), NO_OVERLAY)
        perform(client, task, lambda *_: None, time.monotonic, options)


def test_abandoned_before_the_swap_nothing_is_left(clickhouse: Handle) -> None:
    url = clickhouse.url
    laid_out_otherwise(url, 500, "key")
    swapping: list[str] = []

    def stop() -> bool:
        return "CopyChunk" in swapping

    with pytest.raises(ToolkitError) as stopped:
        run(url, Options(watch=lambda action, _: swapping.append(type(action).__name__), stopped=stop))
    assert stopped.value.code == "TV5108"
    assert leftovers(url) != []
    command("rollback", url)
    assert leftovers(url) == []
    assert stored(url) == ({}, 500)


def test_columns_and_indexes_of_others_are_carried_over(clickhouse: Handle) -> None:
    url = clickhouse.url
    laid_out_otherwise(url, 100, "key")
    with plain(url) as connection:
        connection.command(
            f"ALTER TABLE {TABLE} ADD COLUMN mine String DEFAULT 'x', ADD INDEX by_mine mine TYPE minmax,"
            " ADD INDEX by_two (mine, lower(run_id)) TYPE minmax, ADD COLUMN kind Nullable(Enum8('a)' = 1)),"
            " ADD COLUMN few LowCardinality(Int32) SETTINGS allow_suspicious_low_cardinality_types = 1"
        )
        # What is missing there is missing nowhere in a version.
        connection.command(f"ALTER TABLE {TABLE} DROP INDEX by_task_queue")
        connection.command(f"ALTER TABLE {TABLE} MODIFY COLUMN task_queue LowCardinality(Nullable(String))")
        connection.command(
            f"INSERT INTO {TABLE} (namespace_id, run_id, start_time, _version, mine) SELECT 'n', 'r', now(), 1, 'kept'"
        )
        connection.command("CREATE TABLE reports (run_id String) ENGINE = MergeTree ORDER BY run_id")
        connection.command(f"CREATE MATERIALIZED VIEW watch TO reports AS SELECT run_id FROM {TABLE}")
    command("upgrade", url)
    with plain(url) as connection:
        connection.command(f"ALTER TABLE {TABLE} ADD COLUMN `a, b` String, ADD INDEX late `a, b` TYPE minmax")
        ran = temporal_visibility("schema", "rollback", url, "--yes")
        assert (ran.code, "TV5213" in ran.err, "in them: a, b, late" in ran.err) == (1, True, True), ran.err
        connection.command(f"ALTER TABLE {TABLE} DROP INDEX late, DROP COLUMN `a, b`")
        # What the older time to live took from the table beside it, a swap would take from this one.
        connection.command(
            f"ALTER TABLE {TABLE} MODIFY COLUMN mine String TTL toDateTime(start_time) + toIntervalYear(60)"
        )
        connection.command(f"ALTER TABLE {TABLE} MODIFY SETTING merge_with_ttl_timeout = 60")
        # Each insert would fail once the older table, which does not have the column, is the live one again.
        connection.command(f"CREATE MATERIALIZED VIEW newer TO reports AS SELECT {LATE} AS run_id FROM {TABLE}")
        ran = temporal_visibility("schema", "rollback", url, "--dry-run", "--output", "json")
        told = [(p["fatal"], p["message"]) for p in ran.json("schema-rollback")["runs"][0]["preflight"]]
        assert [(fatal, "TTL of mine" in text, "newer" in text, "merge_with" in text) for fatal, text in told] == [
            (True, True, False, False), (True, False, True, False), (False, False, False, True),
        ]  # fmt: skip
        connection.command("DROP VIEW newer")
    command("finish", url)
    with journeys.opened(url) as (_, client):
        left = {"/".join(d.path) for d in differences(client.observe().catalog, engine.catalog(find(LAST)))}
    assert left == {
        f"tables/{TABLE}/columns/mine", f"tables/{TABLE}/columns/kind", f"tables/{TABLE}/columns/few",
        "tables/reports", "materialized_views",
        f"tables/{TABLE}/indexes/by_mine", f"tables/{TABLE}/indexes/by_two",
    }  # fmt: skip
    assert rows(url, f"SELECT mine, task_queue FROM {TABLE} FINAL WHERE run_id = 'r'") == [("kept", "")]
    with plain(url) as connection:
        connection.command(
            f"INSERT INTO {TABLE} (namespace_id, run_id, start_time, _version) SELECT 'n', 'r2', now(), 1"
        )
    assert ("r2",) in rows(url, "SELECT run_id FROM reports")


def test_what_reads_columns_that_a_copy_does_not_have(clickhouse: Handle) -> None:
    """No statement drops them, so the server does not refuse: each insert would fail after the swap. What is in them is
    told as lost."""
    url = clickhouse.url
    laid_out_otherwise(url, 20, "engine", LAST)
    with plain(url) as connection:
        connection.command("CREATE TABLE reports (size Nullable(Int64)) ENGINE = MergeTree ORDER BY tuple()")
        connection.command(f"CREATE MATERIALIZED VIEW sizes TO reports AS SELECT {LATE} AS size FROM {TABLE}")
        connection.command(f"ALTER TABLE {TABLE} ADD COLUMN mine String, ADD INDEX own ({LATE}, mine) TYPE minmax")
    ((held,),) = rows(url, f"SELECT count({LATE}) FROM {TABLE}")
    ran = temporal_visibility("schema", "downgrade", url, "--to", "1.9", "--dry-run", "--output", "json")
    (answer,) = ran.json("schema-downgrade")["runs"]
    told = [(p["code"], p["message"].partition(": ")[2]) for p in answer["preflight"] if p["fatal"]]
    assert told == [("TV4219", "own"), ("TV4219", "sizes")]
    assert answer["losses"][LATE] == held > 0


def test_a_view_that_the_account_may_not_look_at(chdb: EmbeddedHandle, tmp_path: Path) -> None:
    """It follows the table's name all the same: what it reads must be there, or each insert fails."""
    laid_out_otherwise(chdb.url, 20, "engine", LAST)
    with plain(chdb.url) as connection:
        connection.command("CREATE DATABASE others")
        connection.command("CREATE TABLE others.reports (size Nullable(Int64)) ENGINE = Null")
        view = f"SELECT {LATE} AS size FROM {chdb.database}.{TABLE}"
        connection.command(f"CREATE MATERIALIZED VIEW others.sizes TO others.reports AS {view}")
    rights = (f"{REBUILD_RIGHTS} ON {chdb.database}.*", "SELECT ON system.*", "CREATE DATABASE ON *.*")
    for seen, told in ((), "SHOW TABLES ON others.*"), (("SHOW TABLES ON others.*",), "fail: sizes"):
        with pytest.MonkeyPatch.context() as patch:
            account(patch, tmp_path, rights=(*rights, *seen))
            with journeys.opened(chdb.url) as (chosen, client):
                plan = plan_store(chosen, client, find("1.9"), chain(), NO_OVERLAY)
                assert isinstance(client, ClickHouseClient)
                problems = [p for p in client.preflight(plan) if p.code == "TV4219"]
        assert [(told in p.message, p.fatal) for p in problems] == [(True, True)]


PROFILE = {
    "show_create_query_identifier_quoting_style": "DoubleQuotes",
    "show_create_query_identifier_quoting_rule": "always",
    "do_not_merge_across_partitions_select_final": 1,
    "apply_deleted_mask": 0,
}


def test_what_others_have_said_of_columns_is_carried_over(clickhouse: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that go by a column's own time to live, on one side sooner than on the other, stop no comparison. Nor does
    a profile of the account in which tables are spelled, and rows are seen, otherwise."""
    url = clickhouse.url
    laid_out_otherwise(url, 50, "partition")
    ttl = "toDateTime(start_time) + toIntervalDay(1)"
    merged: list[bool] = []

    def merge(action: Any, outcome: object) -> None:
        if type(action).__name__ == "CompareChunk" and outcome is None and not merged:
            merged.append(True)
            with plain(url) as connection:
                connection.command(f"OPTIMIZE TABLE {OTHER} FINAL")

    with plain(url) as connection:
        connection.command(
            f"ALTER TABLE {TABLE} MODIFY COLUMN keyword01 TTL {ttl}, COMMENT COLUMN status 'it''s, (',"
            f" MODIFY COMMENT 'ours', ADD COLUMN given String EPHEMERAL,"
            f" ADD COLUMN `a b` String COMMENT 'mine' TTL {ttl}"
        )
        connection.command(
            f"INSERT INTO {TABLE} (namespace_id, run_id, start_time, _version, keyword01, `a b`)"
            " SELECT 'n', 'r', toDateTime('2020-01-01 00:00:00'), 1, 'w', 'g'"
        )
        # Another version, in another partition, and a run that is deleted without a word.
        columns = "namespace_id, run_id, start_time, close_time, _version"
        for run_id, version in (("r", 2), ("gone", 1)):
            row = f"'n', '{run_id}', toDateTime('2020-01-01 00:00:00'), toDateTime('2020-05-01 00:00:00'), {version}"
            connection.command(f"INSERT INTO {TABLE} ({columns}) SELECT {row}")
        connection.command(f"DELETE FROM {TABLE} WHERE run_id = 'gone'")
    said = (
        "SELECT c.name, c.comment, match(create_table_query, concat('`', c.name, '`[^`]* TTL '))"
        " FROM system.columns AS c"
        " INNER JOIN system.tables AS t ON t.name = c.table AND t.database = c.database"
        f" WHERE c.table = '{TABLE}' AND c.database = currentDatabase()"
        " AND c.name IN ('keyword01', 'status', 'a b', 'given') ORDER BY c.name"
    )
    before = rows(url, said)
    assert [words[1:] for words in before] == [("mine", 1), ("", 0), ("", 1), ("it's, (", 0)]
    with monkeypatch.context() as patch:
        profiled(patch, PROFILE)
        run(url, Options(watch=merge))
    assert merged
    assert rows(url, said) == before
    assert rows(url, f"SELECT count() FROM {TABLE} FINAL WHERE namespace_id = 'n'") == [(1,)]
    command("finish", url)
    with plain(url) as connection:
        connection.command(f"OPTIMIZE TABLE {TABLE} FINAL")
    found = rows(url, f"SELECT keyword01, `a b` FROM {TABLE} FINAL WHERE run_id = 'r'")
    assert found == [(None, "")]
    assert rows(url, f"SELECT comment FROM system.tables WHERE name = '{TABLE}' AND database = currentDatabase()") == [
        ("ours",)
    ]


def test_of_rows_with_one_version_the_last_one_written_counts(
    clickhouse: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the copy, too, however many readers a statement may have."""
    url = clickhouse.url
    laid_out_otherwise(url, 100, "key")
    with plain(url) as connection:
        connection.command(f"SYSTEM STOP MERGES {TABLE}")
        for word in "abcdef":
            again = f"SELECT * REPLACE('{word}' AS keyword01) FROM {TABLE} FINAL"
            connection.command(f"INSERT INTO {TABLE} {again}")
    small = {"max_block_size": 10, "merge_tree_min_rows_for_concurrent_read": 1}
    several = dict.fromkeys(("max_threads", "max_insert_threads"), 8)
    profiled(monkeypatch, {"merge_tree_min_bytes_for_concurrent_read": 1, **several, **small})
    run(url, Options())
    assert rows(url, f"SELECT DISTINCT keyword01 FROM {TABLE} FINAL") == [("f",)]


def test_a_row_that_is_missing_beside_is_found_and_copied(clickhouse: Handle) -> None:
    """The comparison does its work: rows taken away from the shadow are there after it."""
    url = clickhouse.url
    laid_out_otherwise(url, 500, "key")
    robbed: list[bool] = []

    def rob(action: Any, outcome: object) -> None:
        if type(action).__name__ == "CompareChunk" and outcome is None and not robbed:
            robbed.append(True)
            with plain(url) as connection:
                other = "temporal_visibility_other"
                connection.command(
                    f"ALTER TABLE {other} DELETE WHERE cityHash64(run_id) % 3 = 0 SETTINGS mutations_sync = 1"
                )

    run(url, Options(watch=rob))
    assert robbed
    assert stored(url) == ({}, 500)


EXPIRED = "toDateTime(start_time) + toIntervalDay(1)"


@pytest.mark.parametrize(
    ("ttl", "stays"),
    [
        ("toDateTime(least(start_time, execution_time)) + toIntervalDay(1)", "0"),
        (
            "toDateTime(ifNull(close_time, start_time)) + toIntervalDay(1) WHERE close_time IS NOT NULL",
            "close_time IS NULL",
        ),
        # Where it is null, nothing goes; brackets around what holds together.
        (f"{EXPIRED} WHERE (history_length < 0) OR (close_time IS NOT NULL)", "close_time IS NULL"),
        (f"{EXPIRED} RECOMPRESS CODEC(ZSTD(1)), {EXPIRED} WHERE status = 2", "status != 2"),
    ],
)
def test_a_time_to_live_of_somebody_else_is_kept_and_followed(clickhouse: Handle, ttl: str, stays: str) -> None:
    """Rows go by it while the copy is compared, and go no less afterwards; the row that proves the view stays."""
    url = clickhouse.url
    laid_out_otherwise(url, 50, "key")
    ((left,),) = rows(url, f"SELECT count() FROM {TABLE} FINAL WHERE {stays}")
    with plain(url) as connection:
        connection.command(f"ALTER TABLE {TABLE} MODIFY TTL {ttl}")
    merged: list[bool] = []

    def merge(action: Any, outcome: object) -> None:
        if type(action).__name__ == "CompareChunk" and outcome is None and not merged:
            merged.append(True)
            with plain(url) as connection:
                connection.command(f"OPTIMIZE TABLE {TABLE} FINAL")

    run(url, Options(watch=merge))
    assert merged
    engines = rows(
        url, f"SELECT engine_full FROM system.tables WHERE name = '{TABLE}' AND database = currentDatabase()"
    )
    assert f" TTL {ttl} SETTINGS" in engines[0][0]
    with plain(url) as connection:
        connection.command(f"OPTIMIZE TABLE {TABLE} FINAL")
    assert stored(url) == ({}, left)


def test_a_time_to_live_that_makes_other_rows_is_refused(chdb: EmbeddedHandle) -> None:
    laid_out_otherwise(chdb.url, 10, "key")
    ttl = "toDateTime(start_time) + toIntervalDay(9000) GROUP BY namespace_id, run_id SET status = max(status)"
    with plain(chdb.url) as connection:
        connection.command(f"ALTER TABLE {TABLE} MODIFY TTL {ttl}")
    ran = temporal_visibility("schema", "upgrade", chdb.url, "--yes")
    assert (ran.code, "TV4201" in ran.err, "GROUP BY" in ran.err) == (1, True, True), ran.err
    with plain(chdb.url) as connection:
        connection.command(f"ALTER TABLE {TABLE} REMOVE TTL")
    command("upgrade", chdb.url)


def test_a_mutation_of_somebody_else_stops_the_swap(clickhouse: Handle) -> None:
    """Rows that a mutation deletes are not passed on by the view."""
    url = clickhouse.url
    laid_out_otherwise(url, 200, "key")
    meddled: list[bool] = []

    def meddle(action: Any, outcome: object) -> None:
        if type(action).__name__ == "CompareChunk" and outcome is not None and not meddled:
            meddled.append(True)
            with plain(url) as connection:
                connection.command(f"ALTER TABLE {TABLE} DELETE WHERE status = 1 SETTINGS mutations_sync = 1")

    with pytest.raises(ToolkitError) as refused:
        run(url, Options(watch=meddle))
    assert refused.value.code == "TV5001"
    command("rollback", url)


def ids(url: str, table: str = TABLE) -> set[str]:
    return {run for (run,) in rows(url, f"SELECT run_id FROM {table} FINAL")}


def delete(url: str, table: str, *runs: str) -> None:
    """As a mutation, and the light way."""
    with plain(url) as connection:
        settings = {"mutations_sync": 2, "lightweight_deletes_sync": 2}
        connection.command(f"ALTER TABLE {table} DELETE WHERE run_id = '{runs[0]}'", settings=settings)
        for run_id in runs[1:]:
            connection.command(f"DELETE FROM {table} WHERE run_id = '{run_id}'", settings=settings)


def test_what_mutations_deleted_since_the_swap_does_not_come_back(clickhouse: Handle) -> None:
    """Before the way back does anything, it says so, and what it would lose by the time it is given again; what they
    changed is carried over."""
    url = clickhouse.url
    laid_out_otherwise(url, 30, "key")
    before = ids(url)
    first, second, third, *_ = sorted(before)
    command("upgrade", url)
    delete(url, TABLE, first, second)
    with plain(url) as connection:
        connection.command(
            f"ALTER TABLE {TABLE} UPDATE keyword01 = 'changed' WHERE run_id = '{third}' SETTINGS mutations_sync = 2"
        )
    for _ in range(2):
        refused = temporal_visibility("schema", "rollback", url, "--yes")
        assert (refused.code, "TV4214" in refused.err, f"/{first}, " in refused.err) == (1, True, True), refused.err
        assert ids(url) == before - {first, second}
        with plain(url) as connection:
            connection.command(f"ALTER TABLE {TABLE} ADD COLUMN mine String DEFAULT 'x'")
            late = temporal_visibility("schema", "rollback", url, "--yes")
            connection.command(f"ALTER TABLE {TABLE} DROP COLUMN mine SETTINGS mutations_sync = 2")
        assert (late.code, "TV5213" in late.err, "in them: mine" in late.err) == (1, True, True), late.err
    delete(url, OTHER, first, second)
    command("rollback", url)
    assert ids(url) == before - {first, second}
    assert rows(url, f"SELECT keyword01 FROM {TABLE} FINAL WHERE run_id = '{third}'") == [("changed",)]
    assert leftovers(url) == []


def test_what_a_mutation_deletes_during_the_last_comparison_does_not_come_back(clickhouse: Handle) -> None:
    url = clickhouse.url
    laid_out_otherwise(url, 30, "key")
    victim, other, *_ = sorted(ids(url))
    steps: list[int] = []

    def meddle(action: Any, outcome: object) -> None:
        if type(action).__name__ == "CompareChunk" and outcome is None:
            steps.append(action.step)
            if len(steps) == 2:
                delete(url, TABLE, victim)

    with pytest.raises(EngineError) as stopped:
        run(url, Options(watch=meddle))
    assert stopped.value.code == "TV4214"
    assert victim not in ids(url)
    delete(url, OTHER, victim)
    command("upgrade", url)
    assert victim not in ids(url)
    command("rollback", url)
    assert victim not in ids(url)
    command("upgrade", url)
    delete(url, TABLE, other)
    assert "TV4214" in temporal_visibility("schema", "rollback", url, "--yes").err
    command("finish", url)
    assert leftovers(url) == []


@pytest.mark.parametrize(("number", "code"), [(1, "TV4217"), (2, "TV4214")])
def test_what_is_dropped_as_a_whole_meanwhile_does_not_come_back(clickhouse: Handle, number: int, code: str) -> None:
    """After the comparison, and at the beginning of the last one."""
    url = clickhouse.url
    laid_out_otherwise(url, 30, "key")
    steps: list[int] = []

    def meddle(action: Any, outcome: object) -> None:
        if type(action).__name__ == "CompareChunk" and (outcome is None) == (number == 2):
            steps.append(action.step)
            if len(steps) == number:
                with plain(url) as connection:
                    connection.command(f"ALTER TABLE {TABLE} DROP PARTITION tuple()")

    with pytest.raises(EngineError) as stopped:
        run(url, Options(watch=meddle))
    assert stopped.value.code == code
    assert stored(url) == ({}, 0)
    if number == 1:
        command("rollback", url)
    else:
        with plain(url) as connection:
            connection.command(f"TRUNCATE TABLE {OTHER}")
    command("upgrade", url)
    assert stored(url) == ({}, 0)


def test_a_table_without_versions_is_refused(chdb: EmbeddedHandle) -> None:
    with plain(chdb.url) as connection:
        connection.command(
            f"CREATE TABLE {TABLE} (namespace_id String, run_id String) ENGINE = MergeTree ORDER BY run_id"
        )
    ran = temporal_visibility("schema", "upgrade", chdb.url, "--yes")
    assert (ran.code, "TV4201" in ran.err) == (1, True), ran.err


def test_what_a_swap_would_lose_is_refused_and_kept(chdb: EmbeddedHandle) -> None:
    """A projection belongs to the table itself; a materialized view goes along, and is told of."""
    url = chdb.url
    laid_out_otherwise(url, 50, "key")
    with plain(url) as connection:
        connection.command(f"ALTER TABLE {TABLE} MODIFY SETTING deduplicate_merge_projection_mode = 'drop'")
        connection.command(
            f"ALTER TABLE {TABLE} ADD PROJECTION own_projection (SELECT status, count() GROUP BY status)"
        )
        connection.command("CREATE TABLE own_target (run_id String) ENGINE = MergeTree ORDER BY run_id")
        connection.command(f"CREATE MATERIALIZED VIEW own_view TO own_target AS SELECT run_id FROM {TABLE}")
        connection.command(f"ALTER TABLE {TABLE} ADD CONSTRAINT own_constraint CHECK run_id != ''")
        computed = (
            "ADD COLUMN seen DateTime64(6) MATERIALIZED now64(6), ADD COLUMN same String MATERIALIZED upper(run_id)"
        )
        connection.command(f"ALTER TABLE {TABLE} {computed}")
        columns = "namespace_id, run_id, start_time, _version, is_deleted"
        connection.command(f"INSERT INTO {TABLE} ({columns}) SELECT 'n', 'r', now(), 1, 1")
    seen = f"SELECT DISTINCT seen FROM {TABLE} WHERE run_id = 'r'"
    before = rows(url, seen)
    plan = temporal_visibility("schema", "plan", url, "--output", "json").json("schema-plan")["plans"][0]
    found = {one["code"]: (one["fatal"], one["message"]) for one in plan["preflight"]}
    lost = [one["message"] for one in plan["preflight"] if (one["code"], one["fatal"]) == ("TV5206", True)]
    assert ["own_constraint, own_projection" in lost[0], "column seen of" in lost[1], len(lost)] == [True, True, 2]
    assert not found["TV4212"][0]
    assert "own_view" in found["TV4212"][1]
    ran = temporal_visibility("schema", "upgrade", url, "--yes")
    assert (ran.code, "TV5206" in ran.err) == (1, True), ran.err
    assert rows(url, "SELECT name FROM system.projections WHERE database = currentDatabase()") == [("own_projection",)]
    with plain(url) as connection:
        connection.command(f"ALTER TABLE {TABLE} DROP PROJECTION own_projection")
        connection.command(f"ALTER TABLE {TABLE} DROP CONSTRAINT own_constraint")
        connection.command(f"ALTER TABLE {TABLE} MODIFY COLUMN seen DateTime64(6) DEFAULT now64(6)")
        connection.command(f"CREATE TABLE {OTHER} (x UInt8) ENGINE = MergeTree ORDER BY x")
    ran = temporal_visibility("schema", "upgrade", url, "--yes")
    assert (ran.code, "TV5209" in ran.err) == (1, True), ran.err
    with plain(url) as connection:
        connection.command(f"DROP TABLE {OTHER}")
    command("upgrade", url)
    assert rows(url, "SELECT name FROM system.tables WHERE database = currentDatabase() AND name = 'own_view'")
    assert (stored(url), rows(url, seen)) == (({}, 50), before)


def test_what_has_the_name_of_the_table_is_not_taken_for_it(chdb: EmbeddedHandle) -> None:
    """Nothing is recorded of a version whose table is not there."""
    with plain(chdb.url) as connection:
        connection.command(f"CREATE VIEW {TABLE} AS SELECT 1 AS x")
    with pytest.raises(EngineError, match=f"{TABLE} is there already") as refused:
        run(chdb.url, Options())
    assert refused.value.code == "TV5209"
    assert rows(chdb.url, "SELECT name FROM system.tables WHERE name = 'temporal_visibility_schema_version'") == []


def test_rows_that_a_policy_hides_are_not_left_behind(
    chdb: EmbeddedHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever does not see all rows cannot copy them."""
    policy = f"<{chdb.database}><{TABLE}><filter>status = 1</filter></{TABLE}></{chdb.database}>"
    account(monkeypatch, tmp_path, databases=policy)
    laid_out_otherwise(chdb.url, 20, "key")
    assert rows(chdb.url, f"SELECT DISTINCT status FROM {TABLE}") == [(1,)]
    with pytest.raises(EngineError) as refused:
        run(chdb.url, Options())
    assert refused.value.code == "TV4216"
    assert leftovers(chdb.url) == []


def test_a_server_where_deletions_leave_no_mutation(
    chdb: EmbeddedHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was deleted during the copy would be back. The table need not say so itself."""
    account(monkeypatch, tmp_path, tables="".join(f"<{name}>1</{name}>" for name in PATCHED))
    laid_out_otherwise(chdb.url, 20, "key")
    with pytest.raises(Unsupported, match="no mutation") as refused:
        run(chdb.url, Options())
    with plain(chdb.url) as connection:
        connection.command(refused.value.hint.partition("(")[2].partition(")")[0])
    run(chdb.url, Options())
    at(chdb.url, LAST)


def test_a_failing_mutation_is_killed_with_consent_only(chdb: EmbeddedHandle) -> None:
    laid_out_otherwise(chdb.url, 50, "key")
    with plain(chdb.url) as connection:
        connection.command(f"ALTER TABLE {TABLE} UPDATE history_length = throwIf(status >= 0, 'no') WHERE 1")
    wait_for(lambda: rows(chdb.url, "SELECT count() FROM system.mutations WHERE latest_fail_reason != ''") == [(1,)])
    ran = temporal_visibility("schema", "upgrade", chdb.url, "--yes")
    assert (ran.code, "TV4205" in ran.err) == (1, True), ran.err
    assert rows(chdb.url, "SELECT count() FROM system.mutations WHERE NOT is_done") == [(1,)]
    # What is told to give is about no other table, whose mutations have the same ids.
    [told] = re.findall(r"KILL MUTATION WHERE database = '\w+' AND table = '\w+' AND mutation_id = '[^']+'", ran.err)
    with plain(chdb.url) as connection:
        connection.command(told)
    assert rows(chdb.url, "SELECT count() FROM system.mutations WHERE NOT is_done") == [(0,)]


def test_a_mutation_that_somebody_kills_is_not_done(clickhouse: Handle) -> None:
    """No catalog tells it of an index: the step would count as done, and nobody would build it any more."""
    url = clickhouse.url
    with journeys.opened(url) as (chosen, client):
        journeys.upgrade(chosen, client, find("1.13"))
        list(client.write(find("1.13"), records(50)))
    pending = "SELECT count() > 0 FROM system.mutations WHERE database = currentDatabase() AND NOT is_done"
    with plain(url) as connection, ThreadPoolExecutor(1) as pool:
        connection.command(f"SYSTEM STOP MERGES {TABLE}")
        upgrade = pool.submit(temporal_visibility, "schema", "upgrade", url, "--yes")
        wait_for(lambda: rows(url, pending) == [(1,)])
        connection.command("KILL MUTATION WHERE database = currentDatabase()")
        ran = upgrade.result()
        assert (ran.code, "TV4213" in ran.err) == (1, True), ran.err
        connection.command(f"SYSTEM START MERGES {TABLE}")
    command("upgrade", url)
    sizes = f"SELECT min(data_compressed_bytes) > 0 FROM system.data_skipping_indices WHERE table = '{TABLE}'"
    assert rows(url, f"{sizes} AND database = currentDatabase() AND name NOT LIKE 'auto_%'") == [(1,)]


def test_a_mutation_that_is_killed_before_anybody_sees_it_is_not_done(clickhouse: Handle) -> None:
    url = clickhouse.url
    with journeys.opened(url) as (chosen, client):
        journeys.upgrade(chosen, client, find("1.13"))
    run = Session.command

    def killing(self: Session, text: str, values: Values | None = None) -> str:
        said = run(self, text, values)
        if "MATERIALIZE INDEX" in text:
            run(self, "KILL MUTATION WHERE database = currentDatabase()")
        return said

    with plain(url) as connection, pytest.MonkeyPatch.context() as patch:
        connection.command(f"SYSTEM STOP MERGES {TABLE}")
        patch.setattr(Session, "command", killing)
        ran = temporal_visibility("schema", "upgrade", url, "--yes")
        assert (ran.code, "TV4213" in ran.err) == (1, True), ran.err
        patch.undo()
        connection.command(f"SYSTEM START MERGES {TABLE}")
    command("upgrade", url)


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_runners_one_store(clickhouse_keeper: Handle) -> None:
    """Keeper tells the second runner who is there; it leaves with 4. A dead holder's lock expires."""
    url = clickhouse_keeper.url
    with journeys.opened(url) as (_, client):
        assert client.holder() is None
        lease = client.take_lock("somebody@elsewhere:1", 60)
        ran = temporal_visibility("schema", "upgrade", url, "--yes")
        assert (ran.code, "somebody@elsewhere:1" in ran.err) == (4, True), ran.err
        lease.release()
        first = client.take_lock("gone@elsewhere:1", 0.2)
        wait_for(lambda: client.holder() is not None and client.holder().expired)  # type: ignore[union-attr]
        second = client.take_lock("next@elsewhere:1", 60)
        assert second.fencing == first.fencing + 1
        for call in (first.check, first.beat):
            with pytest.raises(LockHeld) as lost:
                call()
            assert lost.value.code == "TV5102"
        first.release()
        second.check()
        holder = client.holder()
        assert holder is not None
        assert (holder.owner, holder.expired) == ("next@elsewhere:1", False)
        client.break_lock("next@elsewhere:1")
        with pytest.raises(LockHeld):
            second.check()
    assert temporal_visibility("schema", "upgrade", url, "--yes").code == 0


def test_a_lock_in_a_table_and_one_in_keeper_are_one(clickhouse_keeper: Handle) -> None:
    """Of two colleagues one has `lock=table` in the URL, as from the time before the server had Keeper."""
    url = clickhouse_keeper.url
    with journeys.opened(f"{url}?lock=table") as (_, old), journeys.opened(url) as (_, new):
        assert isinstance(old, ClickHouseClient)
        assert isinstance(new, ClickHouseClient)
        claims = old.locking.store()
        lease = old.take_lock("old@elsewhere:1", 60)
        holder = new.holder()
        assert holder is not None
        assert holder.owner == "old@elsewhere:1"
        with pytest.raises(LockHeld) as held:
            new.take_lock("new@elsewhere:1", 60)
        assert held.value.code == "TV5101"
        lease.beat()
        new.break_lock("old@elsewhere:1")
        with pytest.raises(LockHeld):
            lease.check()
        assert new.holder() is None
        asleep = locks.take(claims, "asleep@elsewhere:1", 0.0)
        second = new.take_lock("new@elsewhere:1", 60)
        assert not claims.has(asleep)
        with pytest.raises(LockHeld):
            old.take_lock("old@elsewhere:1", 60)
        # Began before there was a lock in Keeper, and sees it after its own claim.
        with pytest.raises(LockHeld):
            locks.take(claims, "old@elsewhere:1", 60, None, lambda: old.locking.elsewhere(claims))
        assert not claims.held().owner
        second.check()


def test_a_paused_runner_that_wakes_up_changes_nothing(clickhouse_keeper: Handle) -> None:
    """Its lock has expired and another run has gone to the end."""
    url = clickhouse_keeper.url
    laid_out_otherwise(url, 300, "key")
    with paused(url, 15) as late:
        after(1.0, lambda: command("upgrade", url))
        before = journal(url)
        assert late.wakes() != 0
        assert "TV5102" in late.said or "LockHeld" in late.said, late.said
    assert journal(url) == before
    at(url, LAST)
    assert stored(url) == ({}, 300)
    command("rollback", url)
    command("upgrade", url)


def journal(url: str) -> list[tuple[Any, ...]]:
    return rows(url, "SELECT run, max(line) FROM temporal_visibility_journal GROUP BY run ORDER BY run")


def test_without_keeper_a_server_is_refused(clickhouse: Handle) -> None:
    ran = temporal_visibility("schema", "upgrade", clickhouse.url.replace("?lock=table", ""), "--yes")
    assert (ran.code, "TV4206" in ran.err, "lock=table" in ran.err) == (1, True, True), ran.err


@both
def test_of_two_who_claim_at_once_one_has_the_lock(engine: Handle | EmbeddedHandle) -> None:
    with journeys.opened(engine.url) as (_, client):
        lease = client.take_lock("first", 60)
        with pytest.raises(LockHeld) as held:
            client.take_lock("second", 60)
        assert held.value.code == "TV5101"
        lease.check()
        lease.release()
        again = client.take_lock("third", 60)
        assert again.fencing == lease.fencing + 1
        again.release()


def test_two_claims_with_one_number_count_for_nobody(chdb: EmbeddedHandle) -> None:
    with journeys.opened(chdb.url) as (_, client):
        client.take_lock("first", 60).release()  # type: ignore[attr-defined]
        store = client.locking.store()  # type: ignore[attr-defined]
        before = store.held()
        store.claim(before, "a", "one", 60)
        store.claim(before, "b", "two", 60)
        assert store.held() == locks.Held(before.fencing + 1, "", "", "", "", "", True)
        assert client.holder() is None  # type: ignore[attr-defined]
        assert not any(store.has(replace(store.held(), token=token)) for token in "ab")


def test_the_newest_claim_alone_holds(chdb: EmbeddedHandle) -> None:
    with journeys.opened(chdb.url) as (_, client):
        client.take_lock("first", 60).release()  # type: ignore[attr-defined]
        store = client.locking.store()  # type: ignore[attr-defined]
        store.claim(store.held(), "a", "one", 60)
        mine = store.held()
        store.renew(mine, 1, 60)
        assert store.has(mine)
        store.claim(mine, "b", "two", 60)
        assert not store.has(mine)
        assert store.has(store.held())


@pytest.mark.needs("two requests at once")
def test_an_insert_that_began_before_the_run_is_not_lost(clickhouse: Handle) -> None:
    """A view sees only inserts that begin after it: the others are waited for, those into a table from which a view
    writes into ours, too."""
    url = clickhouse.url
    laid_out_otherwise(url, 100, "key")
    feed = f"SELECT '{NAMESPACE}' AS namespace_id, toString(number) AS run_id, now() AS start_time, version AS _version"
    with plain(url) as connection:
        connection.command("CREATE TABLE events (number UInt64, version UInt64) ENGINE = Null")
        connection.command(f"CREATE MATERIALIZED VIEW feed TO {TABLE} AS {feed} FROM events")
    slow = "FROM numbers(30) SETTINGS max_block_size = 1, min_insert_block_size_rows = 1"
    inserts = (
        f"INSERT INTO {TABLE} (namespace_id, run_id, start_time, _version) SELECT '{NAMESPACE}', toString(number),"
        f" now(), 1 + sleepEachRow(0.1) {slow}",
        f"INSERT INTO events SELECT number + 30, 1 + sleepEachRow(0.1) {slow}",
    )

    def insert(text: str) -> None:
        with plain(url) as connection:
            connection.command(text)

    inserters = [threading.Thread(target=insert, args=(text,), daemon=True) for text in inserts]
    for inserter in inserters:
        inserter.start()
    running = "SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND position(query, 'sleepEachRow') > 0"
    wait_for(lambda: rows(url, running) == [(2,)])
    command("upgrade", url)
    for inserter in inserters:
        inserter.join(60)
    command("finish", url)
    assert len(stored(url)[0]) == 60


@pytest.mark.needs("two requests at once")
def test_what_reaches_the_table_by_way_of_others_is_waited_for(clickhouse: Handle) -> None:
    """Through several views one after the other; and from a stream, whose batches no list of inserts shows."""
    url = clickhouse.url
    laid_out_otherwise(url, 10, "key")
    feed = "SELECT 'n' AS namespace_id, toString(number) AS run_id, now() AS start_time"
    with journeys.opened(url) as (chosen, client), plain(url) as connection:
        for statement in (
            "CREATE TABLE raw (number UInt64) ENGINE = Null",
            "CREATE TABLE middle AS raw",
            "CREATE MATERIALIZED VIEW earlier TO middle AS SELECT number FROM raw",
            f"CREATE MATERIALIZED VIEW later TO {TABLE} AS {feed} FROM middle",
            f"CREATE TABLE {MARKS} (what String, at DateTime64(6, 'UTC')) ENGINE = Memory",
            f"INSERT INTO {MARKS} SELECT 'captured', now64(6) + 60",
        ):
            connection.command(statement)
        plan = plan_store(chosen, client, find(LAST), chain(), NO_OVERLAY)
        (step,) = (step for step in plan.steps if step.id.endswith(".captured"))
        (waits,) = (s.text for s in step.statements if isinstance(s, Sql) and s.part == "wait")
        assert rows(url, waits) == [(0,)]
        with ThreadPoolExecutor(1) as pool:
            slow = "INSERT INTO raw SELECT sleepEachRow(0.1) FROM numbers(300) SETTINGS max_block_size = 1"
            inserting = pool.submit(rows, url, slow)
            wait_for(lambda: rows(url, waits) == [(1,)], 20)
            connection.command("KILL QUERY WHERE query LIKE 'INSERT INTO raw %' SYNC")
            assert inserting.exception()
        # The embedded engine reads no streams.
        streams = waits.replace("'Kafka'", "'Null'")
        assert rows(url, streams) == [(2,)]
        connection.command(f"INSERT INTO {MARKS} SELECT 'captured', now64(6) - 60")
        assert rows(url, streams) == [(0,)]


def test_the_plan_names_every_statement_of_the_run(clickhouse: Handle) -> None:
    laid_out_otherwise(clickhouse.url, 10, "key")
    with journeys.opened(clickhouse.url) as (chosen, client):
        plan = plan_store(chosen, client, find(LAST), chain(), NO_OVERLAY)
        assert plan.kept
        assert [step.mode for step in plan.steps].count(Mode.SWAP) == 1
        with pytest.raises(Unsupported):
            plan_store(chosen, client, find(LAST), chain(), NO_OVERLAY, offline=True)
