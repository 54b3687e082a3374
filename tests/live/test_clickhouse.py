"""ClickHouse: what we create and upgrade to is the definition; records survive; clickhouse-migrations agrees."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import ProgrammingError
from clickhouse_migrations.connection import ClickhouseConnectConnection
from clickhouse_migrations.migration import MigrationStorage
from clickhouse_migrations.migrator import Migrator

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.catalogs import released
from tests.support.clickhouse import profiled
from tests.support.command import temporal_visibility
from toolkit.apply.runner import plan_store
from toolkit.attributes import AttributeType, Group
from toolkit.catalog import Catalog, differences
from toolkit.definition import USUAL_STORES, Definition, SearchAttribute
from toolkit.engines import clickhouse as engine
from toolkit.engines.clickhouse.client import ClickHouseClient
from toolkit.engines.clickhouse.connection import opener
from toolkit.errors import ConnectionFailed, EngineError, LockHeld, TargetError, Unsupported
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import NO_LOCK, Observed, Sql, Step, StepClass
from toolkit.records import MEMBERS, Deletion, Moment, Record, Write
from toolkit.resources import schema_dir
from toolkit.sample import generate
from toolkit.targets import parse_url

CHAIN = [d for d in released() if engine.supports(d)]
NEWEST = CHAIN[-1]
TABLE = "executions_visibility"
MIGRATIONS = schema_dir() / "clickhouse"
# The driver speaks to chDB otherwise than to a server. What the engine decides, the same for both, is asked of one.
both = pytest.mark.engines("clickhouse", "chdb")


def ours(definition: Definition) -> Catalog:
    return engine.catalog(definition)


def at(version: str) -> Definition:
    return next(d for d in CHAIN if d.version == version)


@contextmanager
def plain(url: str) -> Iterator[Any]:
    """A client of the driver's own, as anybody would open it."""
    connection = opener(parse_url(url, {}))()
    try:
        yield connection
    finally:
        connection.close()


def sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run `statements`; the rows of the last one."""
    with plain(url) as connection:
        for statement in statements[:-1]:
            connection.command(statement)
        return [tuple(row) for row in connection.query(statements[-1]).result_rows]


def kept(record: Record, definition: Definition) -> Record:
    """`record` as ClickHouse at `definition` returns it: times to the microsecond, an empty list as none at all."""
    part = definition.on(engine.FAMILY)
    known = {MEMBERS[f.name] for f in part.fields}
    attributes = {n: v for n, v in record.attributes.items() if part.attribute(n) and v != ()}
    attributes = {
        n: Moment(v.nanoseconds // 1000 * 1000) if isinstance(v, Moment) else v for n, v in attributes.items()
    }
    times = {name: getattr(record, name) for name in known if name.endswith("_time")}
    times = {name: None if value is None else value // 1000 * 1000 for name, value in times.items()}
    return replace(record, attributes=attributes, **times)


def newest(writes: Iterable[Write]) -> dict[tuple[str, str], Record]:
    """The truth: of each run the write with the greatest version, unless that is a deletion."""
    last: dict[tuple[str, str], Write] = {}
    for write in writes:
        key = (write.namespace_id, write.run_id)
        if key not in last or write.version > last[key].version:
            last[key] = write
    return {key: write for key, write in last.items() if isinstance(write, Record)}


def read(client: Any, definition: Definition) -> dict[tuple[str, str], Record]:
    found = list(client.read(definition))
    records = {(r.namespace_id, r.run_id): r for r in found}
    assert len(records) == len(found)
    return records


def test_fresh_install_of_every_version(clickhouse: Handle) -> None:
    for wanted in CHAIN:
        with journeys.opened(clickhouse.new_database()) as (chosen, client):
            journeys.upgrade(chosen, client, wanted)
            journeys.at(chosen, client, wanted, ours)


def test_every_step_up_and_down(clickhouse: Handle) -> None:
    journeys.up_and_down(clickhouse.url, ours)


@pytest.mark.short
def test_one_leap_up_and_down_on_every_version_of_clickhouse(clickhouse: Handle) -> None:
    with journeys.opened(clickhouse.url) as (chosen, client):
        for wanted in (CHAIN[0], NEWEST, CHAIN[0]):
            journeys.upgrade(chosen, client, wanted)
            journeys.at(chosen, client, wanted, ours)


@both
@pytest.mark.parametrize("rows", [4_000, pytest.param(50_000, marks=pytest.mark.long)])
def test_records_survive_in_whatever_order_they_come(engine: Handle | EmbeddedHandle, rows: int) -> None:
    rows = rows if isinstance(engine, EmbeddedHandle) else min(rows // 2, 10_000)
    writes = list(generate(CHAIN[0], rows, seed=7, attributes=CHAIN[0]))
    wanted = {key: kept(record, CHAIN[0]) for key, record in newest(writes).items()}
    Random(7).shuffle(writes)
    with journeys.opened(engine.url) as (chosen, client):
        journeys.upgrade(chosen, client, CHAIN[0])
        taken = list(client.write(CHAIN[0], writes))
        assert sum(taken) == len(writes) > rows
        assert client.count() == len(wanted) == rows
        assert client.observe().rows == rows
        assert read(client, CHAIN[0]) == wanted
        journeys.upgrade(chosen, client, NEWEST)
        journeys.at(chosen, client, NEWEST, ours)
        assert read(client, NEWEST) == wanted
        # The whole of it again, as a resumed copy would send it: nothing is new, nothing is lost.
        list(client.write(NEWEST, writes))
        assert read(client, NEWEST) == wanted


@both
def test_a_record_may_be_read_and_written_at_the_same_time(engine: Handle | EmbeddedHandle) -> None:
    writes = list(generate(NEWEST, 3000, seed=3))
    with journeys.opened(engine.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        list(client.write(NEWEST, writes))
        stream = client.read(NEWEST)
        first = next(stream)
        gone = [Deletion(r.namespace_id, r.run_id, r.workflow_id, 2**60, r.start_time) for r in newest(writes).values()]
        assert sum(client.write(NEWEST, gone)) == 3000
        assert client.count() == 0
        seen = {(r.namespace_id, r.run_id) for r in (first, *stream)}
        assert len(seen) == 3000


EDGES: dict[str, Any] = {
    "Keyword01": "NUL \x00 and 😀 and \\ and ' and \" and %s and {x:String} and \u2028",
    "Keyword02": "",
    "Text01": "it's a:b https://example.test/?q=1 \\ '' 漢字 " * 50,
    "Int01": -(2**63),
    "Int02": 2**63 - 1,
    "Double01": -1.7976931348623157e308,
    "Double02": 0.1 + 0.2,
    "Double03": 5e-324,
    "Bool01": False,
    "Bool02": True,
    "Datetime01": Moment(-1),
    "Datetime02": Moment(4_102_444_799_123_456_789),
    "Datetime03": Moment(-62_135_596_800_000_000_000),
    "KeywordList01": ("", "é", "e\u0301", "♡", "x" * 70_000),
    "KeywordList02": (),
    "TemporalLowCardinalityKeyword01": "",
}


@both
@pytest.mark.short
def test_values_at_the_edges(engine: Handle | EmbeddedHandle) -> None:
    first = Record(
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "run", "w" * 1000, "t", -62_135_596_800_000_000_000 + 10**18,
        253_402_300_799_999_999_000, 8, task_queue="Ünïcode %", close_time=999, history_length=2**63 - 1,
        memo=bytes(range(256)) * 255, encoding="Proto3", parent_workflow_id="'; --", root_run_id="r", version=2**62,
        attributes={n: v for n, v in EDGES.items() if NEWEST.on(chosen_family()).attribute(n)},
    )  # fmt: skip
    second = Record("n", "r", "w", "t", 0, 0, 1, memo=b"", parent_workflow_id="", history_length=0, close_time=0)
    third = Record("n", "r3", "w", "t", 0, 0, 1)
    with journeys.opened(engine.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        list(client.write(NEWEST, [first, second, third]))
        found = read(client, NEWEST)
        assert list(found.values()) == unordered([kept(r, NEWEST) for r in (first, second, third)], found)


@both
def test_a_text_that_is_none_is_no_other_text(engine: Handle | EmbeddedHandle) -> None:
    """ClickHouse's texts are bytes, of which its driver makes hexadecimal digits where they are no UTF-8."""
    with journeys.opened(engine.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        list(client.write(NEWEST, [Record("n", "good", "caf\u00e9", "t", 0, 0, 1, memo=b"\xe9")]))
        for number, text in enumerate(("workflow_id = 'x'", "keyword01 = 'x'", "keywordlist01 = ['a', 'x']")):
            assert [r.workflow_id for r in client.read(NEWEST)] == ["caf\u00e9"]
            column, _, value = text.partition(" = ")
            value = value.replace("'x'", "concat('caf', unhex('E9'))")
            row = f"'n', 'bad', toDateTime64(0, 6, 'UTC'), {value}, {2 * number + 1}"
            columns = f"namespace_id, run_id, start_time, {column}, _version"
            sql(engine.url, f"INSERT INTO {TABLE} ({columns}) SELECT {row}", "SELECT 1")
            with pytest.raises(EngineError, match="n/bad") as refused:
                list(client.read(NEWEST))
            assert refused.value.code == "TV4215"
            list(client.write(NEWEST, [Deletion("n", "bad", "w", 2 * number + 2, 0)]))


def test_a_profile_of_the_account_changes_nothing(clickhouse: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session has the profile's settings where it does not choose its own. A limit may make an error of a question,
    and never half an answer."""
    flags = ("aggregate_functions_null_for_empty", "data_type_default_nullable", "join_use_nulls",
             "empty_result_for_aggregation_by_empty_set", "transform_null_in", "cast_keep_nullable",
             "force_primary_key", "force_optimize_projection", "limit", "offset")  # fmt: skip
    profile: dict[str, str | int] = {
        **dict.fromkeys(flags, 1),
        "additional_result_filter": "0",
        "enable_positional_arguments": 0,
        "materialize_skip_indexes_on_insert": 0,
        "input_format_native_decode_types_in_binary_format": 1,
    }
    tight = {"max_block_size": 10, "max_result_rows": 10, "result_overflow_mode": "break"}
    profiled(monkeypatch, profile)
    with journeys.opened(clickhouse.url) as (chosen, client):
        journeys.upgrade(chosen, client, CHAIN[0])
        list(client.write(CHAIN[0], generate(CHAIN[0], 30, seed=3)))
        journeys.upgrade(chosen, client, NEWEST)
        journeys.at(chosen, client, NEWEST, ours)
        assert client.count() == len(read(client, NEWEST)) == 30
    assert temporal_visibility("schema", "drift", clickhouse.url).code == 0
    profile |= tight
    with journeys.opened(clickhouse.url) as (_, client), pytest.raises(EngineError):
        read(client, NEWEST)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("Setting insert_deduplicate is readonly", "readonly = 2"),
        ("Setting max_query_size shouldn't be greater than 1. (SETTING_CONSTRAINT_VIOLATION)", "A constraint"),
        ("(QUERY_CACHE_USED_WITH_NONDETERMINISTIC_FUNCTIONS)", "use_query_cache = 1"),
        ("Unrecognized ClickHouse type base: dialectmin_compress", "output_format"),
    ],
)
def test_a_profile_that_no_session_can_use_is_told(monkeypatch: pytest.MonkeyPatch, said: str, hint: str) -> None:
    def refused(**options: Any) -> Any:
        raise ProgrammingError(said)

    monkeypatch.setattr(clickhouse_connect, "get_client", refused)
    with pytest.raises(ConnectionFailed) as failed:
        opener(parse_url("clickhouse+http://u:p@localhost:1/v", {}))()
    assert hint in failed.value.hint


def test_a_database_may_have_braces_in_its_name(chdb: EmbeddedHandle) -> None:
    url = re.sub("database=[^&]*", "database=x{a:y}", chdb.url)
    assert url != chdb.url
    ran = temporal_visibility("schema", "upgrade", url, "--yes", "--to", "1.9")
    assert ran.code == 0, ran.err


def chosen_family() -> Any:
    return engine.FAMILY


def unordered(records: list[Record], like: dict[tuple[str, str], Record]) -> list[Record]:
    """`records` in the order of `like`."""
    by_key = {(r.namespace_id, r.run_id): r for r in records}
    return [by_key[key] for key in like]


def test_versions_decide_and_not_the_order_of_writes(clickhouse: Handle) -> None:
    def state(version: int) -> Record:
        return Record("n", "r", "w", "t", 0, 0, 1, version=version, task_queue=str(version))

    with journeys.opened(clickhouse.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        list(client.write(NEWEST, [state(5)]))
        list(client.write(NEWEST, [state(3)]))
        assert [r.version for r in client.read(NEWEST)] == [5]
        list(client.write(NEWEST, [Deletion("n", "r", "w", 7, 0)]))
        assert client.count() == 0
        # A late copy of what was deleted: it stays deleted, before a merge and after it.
        list(client.write(NEWEST, [state(6)]))
        assert client.count() == 0
        client.execute(step(f"OPTIMIZE TABLE {TABLE} FINAL"))
        list(client.write(NEWEST, [state(4)]))
        assert list(client.read(NEWEST)) == []
        assert client.count() == 0
        nothing_is_taken_for_a_repetition(client, state(9))


def nothing_is_taken_for_a_repetition(client: Any, record: Record) -> None:
    """A replicated table, and one with such a window, remembers the blocks that were inserted."""
    client.take_lock("a test", 60.0).release()
    for table in (TABLE, "temporal_visibility_throttle"):
        client.execute(step(f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 100"))
    for _ in range(2):
        list(client.write(NEWEST, [record]))
        assert client.count() == 1
        client.execute(step(f"ALTER TABLE {TABLE} DELETE WHERE 1"))
    for asked in ({"paused": True}, {"paused": False}, {"paused": True}):
        client.set_throttle(1, asked)
        assert client.throttle(1) == asked


def step(*statements: str) -> Step:
    return Step("x", "x", "", StepClass.ONLINE, NO_LOCK, tuple(Sql(s) for s in statements), (), ())


def command(handle: Handle, *arguments: str, folder: Path = MIGRATIONS) -> str:
    """The plain command of clickhouse-migrations."""
    address = handle.address
    url = f"http://{address.user}:{address.password}@{address.host}:{address.port}/{handle.database}"
    program = Path(sys.executable).with_name("clickhouse-migrations")
    connecting = ["--driver", "clickhouse-connect", "--db-url", url]
    done = subprocess.run(
        [program, arguments[0], *connecting, "--migrations-dir", str(folder), *arguments[1:]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def books(url: str) -> list[tuple[Any, ...]]:
    return sql(url, "SELECT DISTINCT version, md5, script FROM schema_versions ORDER BY version")


def test_the_plain_command_and_the_toolkit_agree(clickhouse: Handle) -> None:
    command(clickhouse, "migrate", "--to", "2")
    with journeys.opened(clickhouse.url) as (chosen, client):
        journeys.at(chosen, client, at("1.10"), ours)
        journeys.upgrade(chosen, client, at("1.12"))
        by_us = books(clickhouse.url)
        status = command(clickhouse, "status")
        assert status.count("applied") == 4
        assert status.count("pending") == 2
        command(clickhouse, "migrate")
        journeys.at(chosen, client, NEWEST, ours)
        assert client.observe().marks == {"clickhouse-migrations": "6"}
        assert books(clickhouse.url)[:4] == by_us
        command(clickhouse, "down", "--steps", "1")
        journeys.at(chosen, client, CHAIN[-2], ours)
        journeys.upgrade(chosen, client, CHAIN[0])
        assert command(clickhouse, "status").count("applied") == 1
        command(clickhouse, "migrate")
        journeys.at(chosen, client, NEWEST, ours)
        command(clickhouse, "down", "--to", "0")
        assert client.observe().catalog == engine.empty()
        assert client.observe().recorded is None
        journeys.upgrade(chosen, client, NEWEST)
        journeys.at(chosen, client, NEWEST, ours)


def test_rows_are_those_that_clickhouse_migrations_writes(clickhouse: Handle) -> None:
    other = clickhouse.new_database()
    with journeys.opened(clickhouse.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
    with plain(other) as connection:
        migrate(connection)
    assert books(clickhouse.url) == books(other)
    shapes = [sql(url, "SELECT name, type, default_expression FROM system.columns "
                       "WHERE database = currentDatabase() AND table = 'schema_versions' ORDER BY name")
              for url in (clickhouse.url, other)]  # fmt: skip
    assert shapes[0] == shapes[1]


def migrate(connection: Any, to_version: int | None = None) -> list[int]:
    """The library of clickhouse-migrations on an open client; the numbers it applied."""
    migrator = Migrator(ClickhouseConnectConnection(connection))
    migrator.init_schema()
    applied = migrator.apply_migration(MigrationStorage(MIGRATIONS).migrations(), True, to_version=to_version)
    return [migration.version for migration in applied]


def test_the_library_on_chdb(chdb: EmbeddedHandle) -> None:
    with plain(chdb.url) as connection:
        assert migrate(connection, 3) == [1, 2, 3]
        # A run that was cut off after the statements and before the row: all of a file runs again.
        connection.command("ALTER TABLE schema_versions DELETE WHERE version = 3 SETTINGS mutations_sync = 1")
        assert migrate(connection, 3) == [3]
    with journeys.opened(chdb.url) as (chosen, client):
        journeys.at(chosen, client, at("1.11"), ours)
        journeys.upgrade(chosen, client, NEWEST)
    with plain(chdb.url) as connection:
        assert migrate(connection) == []
        migrator = Migrator(ClickhouseConnectConnection(connection))
        downs = MigrationStorage(MIGRATIONS).down_scripts()
        assert sorted(migrator.rollback_migration(downs, steps=5)) == [2, 3, 4, 5, 6]
    with journeys.opened(chdb.url) as (chosen, client):
        journeys.at(chosen, client, CHAIN[0], ours)


def test_an_edited_or_missing_row_is_told_and_mended(chdb: EmbeddedHandle) -> None:
    with journeys.opened(chdb.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        client.execute(
            step(
                "ALTER TABLE schema_versions UPDATE md5 = 'other' WHERE version = 4",
                "ALTER TABLE schema_versions DELETE WHERE version = 2",
                "INSERT INTO schema_versions (version, md5, script) VALUES (100, 'mine', 'SELECT 1')",
            )
        )
        assert client.observe().marks["clickhouse-migrations"] == "6 (without 2, other text in 4)"
        journeys.upgrade(chosen, client, NEWEST)
        assert client.observe().marks["clickhouse-migrations"] == "6"
    assert (100, "mine", "SELECT 1") in books(chdb.url)


@pytest.mark.parametrize("number", [1, 20260101])
def test_the_book_of_another_project_is_left_alone(chdb: EmbeddedHandle, number: int) -> None:
    with plain(chdb.url) as connection:
        Migrator(ClickhouseConnectConnection(connection)).init_schema()
        connection.command(f"INSERT INTO schema_versions (version, md5, script) VALUES ({number}, 'a', 'CREATE …')")
    with journeys.opened(chdb.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        journeys.at(chosen, client, NEWEST, ours)
        journeys.upgrade(chosen, client, CHAIN[0])
    assert books(chdb.url) == [(number, "a", "CREATE …")]
    # Nor is another tool's table of that name read as a book.
    sql(chdb.url, "DROP TABLE schema_versions", "CREATE VIEW schema_versions AS SELECT 'v1' AS version", "SELECT 1")
    with journeys.opened(chdb.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
    told = temporal_visibility("schema", "status", chdb.url).out
    assert "clickhouse-migrations in this database is another project's" in told


def test_an_install_script_makes_the_version(chdb: EmbeddedHandle) -> None:
    for definition in CHAIN:
        script = (MIGRATIONS / "install" / f"{definition.version}.sql").read_text()
        url = chdb.new_database()
        with plain(url) as connection:
            for _ in range(2):
                for statement in Migrator.script_to_statements(script, True):
                    connection.command(statement)
        with journeys.opened(url) as (chosen, client):
            seen = client.observe()
            assert differences(seen.catalog, ours(definition)) == ()
            assert seen.recorded == definition.version
            assert [s.id for s in chosen.steps(seen, definition)] == ["record.clickhouse-migrations"]


def test_a_script_stops_on_the_wrong_version(chdb: EmbeddedHandle) -> None:
    with journeys.opened(chdb.url) as (chosen, client):
        journeys.upgrade(chosen, client, at("1.10"))
    with plain(chdb.url) as connection:
        for name in ("001_version_1_9.sql", "004_version_1_12.sql", "006_version_1_14.down.sql"):
            guard = next(
                s for s in Migrator.script_to_statements((MIGRATIONS / name).read_text(), True) if "throwIf" in s
            )
            with pytest.raises(Exception, match="this script needs"):
                connection.command(guard)


def test_indexes_serve_old_rows_after_an_upgrade(clickhouse: Handle) -> None:
    """Also when the run was cut off between adding an index and building it."""
    built = (
        "SELECT countIf(data_compressed_bytes > 0), count() FROM system.data_skipping_indices "
        f"WHERE database = currentDatabase() AND table = '{TABLE}'"
    )
    with journeys.opened(clickhouse.url) as (chosen, client):
        journeys.upgrade(chosen, client, CHAIN[0])
        list(client.write(CHAIN[0], generate(CHAIN[0], 2000, seed=1)))
        steps = chosen.steps(client.observe(), NEWEST)
        assert [s.id for s in steps][:2] == [f"columns.{TABLE}.add", f"indexes.{TABLE}.build"]
        client.execute(steps[0])
        ((before, number),) = ask(client, built)
        assert before < number
        again = chosen.steps(client.observe(), NEWEST)
        assert [s.id for s in again] == [s.id for s in steps[1:]]
        journeys.upgrade(chosen, client, NEWEST)
        assert ask(client, built) == [(number, number)]
        journeys.at(chosen, client, NEWEST, ours)


def ask(client: Any, query: str) -> list[tuple[Any, ...]]:
    assert isinstance(client, ClickHouseClient)
    return [tuple(row.values()) for row in client._ask(query)]


def test_objects_of_others_are_left_alone(chdb: EmbeddedHandle) -> None:
    with journeys.opened(chdb.url) as (chosen, client):
        journeys.upgrade(chosen, client, CHAIN[0])
        client.execute(
            step(
                "CREATE TABLE reports (id UInt8) ENGINE = MergeTree ORDER BY id",
                f"CREATE VIEW open_runs AS SELECT run_id FROM {TABLE} WHERE close_time IS NULL",
                f"CREATE MATERIALIZED VIEW watch TO reports AS SELECT 1 AS id FROM {TABLE}",
                f"ALTER TABLE {TABLE} ADD COLUMN mine String DEFAULT 'x', ADD INDEX by_mine mine TYPE minmax",
                "CREATE TABLE notes (id UInt8) ENGINE = Memory",
            )
        )
        plan = journeys.upgrade(chosen, client, NEWEST)
        foreign = {"/".join(path) for path in plan.foreign}
        assert foreign == {"tables/reports", "views", "materialized_views", "other_tables",
                           f"tables/{TABLE}/columns/mine", f"tables/{TABLE}/indexes/by_mine"}  # fmt: skip
        body = client.observe().catalog.body
        assert body["materialized_views"]["watch"]["to"] == "reports"  # type: ignore[index, call-overload]
        assert body["other_tables"] == {"notes": "Memory"}
        assert "mine" in client.observe().catalog.children(("tables", TABLE, "columns"))
        down = plan_store(chosen, client, CHAIN[-2], CHAIN, NO_OVERLAY)
        assert client.preflight(down) == ()  # type: ignore[attr-defined]
        used = "temporalexternalpayloadcount"
        more = f"ADD COLUMN more Int64 ALIAS ifNull({used}, 0), ADD CONSTRAINT sane CHECK ifNull(`{used}`, 0) >= 0"
        view = f"CREATE MATERIALIZED VIEW sizes TO reports AS SELECT {used} > 0 AS id FROM {TABLE}"
        client.execute(step(f"ALTER TABLE {TABLE} {more}, COMMENT COLUMN mine '{used}'", view))
        parts, views = client.preflight(down)  # type: ignore[attr-defined]
        assert (parts.fatal, parts.message.partition(": ")[2]) == (True, "more, sane")
        assert (views.fatal, views.message.partition(": ")[2]) == (False, "sizes")


def test_a_broken_catalog_is_seen_and_mended(chdb: EmbeddedHandle) -> None:
    """The comparison can fail: another type, default, codec, index, and things that are missing."""
    with journeys.opened(chdb.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        list(client.write(NEWEST, [Record("n", "r", "w", "t", 0, 0, 1, history_length=7, attributes={"Int01": 5})]))
        client.execute(
            step(
                f"ALTER TABLE {TABLE} DROP INDEX by_int_01",
                f"ALTER TABLE {TABLE} MODIFY COLUMN int01 Nullable(Int32)",
                f"ALTER TABLE {TABLE} MODIFY COLUMN task_queue DEFAULT 'other'",
                f"ALTER TABLE {TABLE} MODIFY COLUMN memo CODEC(LZ4)",
                f"ALTER TABLE {TABLE} MODIFY COLUMN encoding DEFAULT 'x'",
                f"ALTER TABLE {TABLE} DROP INDEX by_status, ADD INDEX by_status status TYPE minmax GRANULARITY 9",
                f"ALTER TABLE {TABLE} DROP INDEX by_keyword_03, DROP COLUMN keyword03",
            )
        )
        left = {"/".join(d.path[2:]) for d in differences(client.observe().catalog, ours(NEWEST))}
        assert left == {
            "columns/int01/type", "columns/task_queue/default", "columns/memo/codec", "columns/encoding/default",
            "columns/keyword03", "indexes/by_int_01", "indexes/by_keyword_03", "indexes/by_status/type",
            "indexes/by_status/granularity",
        }  # fmt: skip
        journeys.upgrade(chosen, client, NEWEST)
        journeys.at(chosen, client, NEWEST, ours)
        (record,) = client.read(NEWEST)
        assert record.attributes == {"Int01": 5}


OTHERWISE = {
    "order_by": ("ORDER BY (namespace_id", "ORDER BY (workflow_id, namespace_id"),
    "engine": ("(_version, is_deleted)", "(_version)"),
    "partition_by": ("ORDER BY", "PARTITION BY status ORDER BY"),
    "primary_key": ("ORDER BY", "PRIMARY KEY namespace_id ORDER BY"),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_another_engine_or_key_is_refused(chdb: EmbeddedHandle, what: str) -> None:
    create = next(s for s in engine.steps(Observed(engine.empty(), None, ""), NEWEST) if s.id.startswith("table."))
    head, _, clauses = create.statements[0].text.rpartition("\nENGINE")  # type: ignore[union-attr]
    assert OTHERWISE[what][0] in clauses
    with journeys.opened(chdb.url) as (chosen, client):
        client.execute(step(f"{head}\nENGINE{clauses.replace(*OTHERWISE[what])}"))
        with pytest.raises(Unsupported) as refused:
            chosen.steps(client.observe(), NEWEST)
        assert refused.value.code == "TV4201"
        assert what in refused.value.message


def test_a_mutation_that_fails_is_told(chdb: EmbeddedHandle) -> None:
    with journeys.opened(chdb.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        list(client.write(NEWEST, [Record("n", "r", "w", "t", 0, 0, 1, attributes={"Text01": "no number"})]))
        with pytest.raises(EngineError) as failed:
            client.execute(step(f"ALTER TABLE {TABLE} UPDATE history_length = throwIf(status = 1, 'no') WHERE true"))
        assert failed.value.code == "TV4205"
        # Another table's mutation may have the same id.
        assert f"database = 'visibility' AND table = '{TABLE}' AND mutation_id = 'mutation_" in failed.value.hint


NAMES = ['x"; DROP TABLE t; --', "back`tick\\", "select", "it's", "emoji 😀", "{x:String}", "n" * 300, "a.b"]


def test_hostile_names_are_quoted(chdb: EmbeddedHandle) -> None:
    """Such names never pass the loader; if one did, it would be a column and nothing else."""
    added = [
        SearchAttribute(name, kind, Group.CUSTOM, f"by {name}", USUAL_STORES[Group.CUSTOM])
        for name, kind in zip(NAMES, [*AttributeType, AttributeType.KEYWORD], strict=True)
    ]
    hostile = replace(NEWEST, attributes=(*NEWEST.attributes, *added), summary="'; DROP TABLE t; --\\")
    with journeys.opened(chdb.url) as (chosen, client):
        for wanted in (NEWEST, hostile):
            for each in chosen.steps(client.observe(), wanted):
                client.execute(each)
        seen = client.observe()
        columns = seen.catalog.children(("tables", TABLE, "columns"))
        assert {name.lower() for name in NAMES} <= set(columns)
        values = {a.name: value_of(a.type) for a in added}
        record = Record("n", "r", "w", "t", 0, 0, 1, attributes=values)
        list(client.write(hostile, [record]))
        assert list(client.read(hostile)) == [record]
        assert ask(client, "SELECT argMax(summary, sequence) FROM temporal_visibility_schema_version") == [
            (NEWEST.summary,)
        ]


def value_of(kind: AttributeType) -> Any:
    return {
        AttributeType.TEXT: "t", AttributeType.KEYWORD: "k", AttributeType.INT: 1, AttributeType.DOUBLE: 1.5,
        AttributeType.BOOL: True, AttributeType.DATETIME: Moment(1000), AttributeType.KEYWORD_LIST: ("a",),
    }[kind]  # fmt: skip


OTHER_PROCESS = """
import sys
from toolkit.engines import clickhouse
from toolkit.errors import ToolkitError
from toolkit.targets import parse_url
try:
    clickhouse.connect(parse_url(sys.argv[1], {}))
except ToolkitError as error:
    print(type(error).__name__, error.code)
"""


def test_one_process_at_a_time_on_a_chdb_directory(chdb: EmbeddedHandle) -> None:
    with journeys.opened(chdb.url) as (chosen, client):
        journeys.upgrade(chosen, client, CHAIN[0])
        second = subprocess.run(
            [sys.executable, "-c", OTHER_PROCESS, chdb.url], capture_output=True, text=True, check=False
        )
        assert second.stdout.strip() == f"{LockHeld.__name__} TV4204", second.stderr
        with pytest.raises(ConnectionFailed) as refused, journeys.opened(f"{chdb.url.partition('?')[0]}-2"):
            pass
        assert refused.value.code == "TV4203"
    third = subprocess.run([sys.executable, "-c", OTHER_PROCESS, chdb.url], capture_output=True, text=True, check=False)
    assert third.stdout == ""


def test_a_new_directory_and_database_are_made(chdb: EmbeddedHandle, tmp_path: Path) -> None:
    with journeys.opened(f"chdb://{tmp_path}/deep/er/dir?database=my-base") as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        journeys.at(chosen, client, NEWEST, ours)
        assert ask(client, "SELECT currentDatabase()") == [("my-base",)]
    with pytest.raises(ConnectionFailed), journeys.opened("chdb:///proc/nowhere?database=x"):
        pass


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (("temporal-secret", "wrong-secret"), "TV4001", "Authentication"),
        (("/tv_", "/nothing_"), "TV4001", "does not exist"),
        (("@127.0.0.1:", "@127.0.0.1:1"), "TV4001", "refused"),
    ],
)
def test_a_server_that_cannot_be_used(clickhouse: Handle, change: tuple[str, str], code: str, words: str) -> None:
    url = clickhouse.url.replace(*change) if change[1] != "@127.0.0.1:1" else closed_port(clickhouse.url)
    with pytest.raises(ConnectionFailed) as refused, journeys.opened(url):
        pass
    assert refused.value.code == code
    assert words in refused.value.message
    assert "secret" not in refused.value.message


def closed_port(url: str) -> str:
    head, _, rest = url.rpartition(":")
    return f"{head}:1/{rest.partition('/')[2]}"


def test_encryption_and_certificates(clickhouse: Handle) -> None:
    secured = clickhouse.secured()
    for url in secured.good.values():
        with journeys.opened(url) as (_, client):
            assert client.observe().recorded is None
    for why, url in secured.bad.items():
        with pytest.raises((ConnectionFailed, TargetError)) as refused, journeys.opened(url):
            pytest.fail(why)
        shown = f"{refused.value.message} {refused.value.hint}"
        assert not [secret for secret in secured.secrets if secret in shown], why


@pytest.mark.faults
def test_a_lost_connection_is_told(clickhouse: Handle) -> None:
    with journeys.opened(clickhouse.url) as (_, client):
        clickhouse.kill()
        with pytest.raises(ConnectionFailed) as lost:
            client.observe()
        assert lost.value.code == "TV4002"


def test_the_command_line_on_chdb(chdb: EmbeddedHandle) -> None:
    done = temporal_visibility("schema", "upgrade", chdb.url, "--to", "1.9", "--yes")
    assert done.code == 0, done.err
    dry = temporal_visibility("schema", "upgrade", chdb.url, "--dry-run")
    assert "MATERIALIZE INDEX" in dry.out
    done = temporal_visibility("schema", "upgrade", chdb.url, "--yes")
    assert done.code == 0, done.err
    status = temporal_visibility("schema", "status", chdb.url, "--exit-code")
    assert status.code == 0, status.err
    assert "clickhouse-migrations 6" in status.out
    assert clickhouse_connect is not None
