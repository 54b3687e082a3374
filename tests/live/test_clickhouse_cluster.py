"""ClickHouse clusters: what an embedded engine can prove of it, and the whole on official images.

Embedded, a cluster has one server: `cluster()`, `clusterAllReplicas()` and Distributed tables are real; ON CLUSTER and
replication are taken out of the statements. The tests with `clickhouse_cluster` run on two replicas with a Keeper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

from tests.engines.handles import Handle
from tests.support.catalogs import released
from tests.support.clickhouse import LAYOUTS, TABLE, leftovers, plain, rows
from toolkit.apply.runner import Options, perform, plan_store, run
from toolkit.apply.task import Task
from toolkit.apply.ways_back import finish, rollback
from toolkit.attributes import Family
from toolkit.catalog import differences
from toolkit.engines import clickhouse as engine
from toolkit.engines.bound import BoundSql
from toolkit.engines.clickhouse import arriving, filters, inspect, rebuild, replicas, shadow, traits
from toolkit.engines.clickhouse.drift import examine
from toolkit.engines.clickhouse.layout import Placement
from toolkit.engines.clickhouse.rebuilder import ClickHouseRebuilder
from toolkit.engines.clickhouse.typemap import profile
from toolkit.engines.filtering import Question
from toolkit.engines.rebuilding import Busy, Compared, Copied, Key, Ran
from toolkit.errors import Unsupported
from toolkit.overlay import ClickHouseSettings, Overlay
from toolkit.plan import Mode, Observed, Sql, Step
from toolkit.query import check
from toolkit.query.page import Page
from toolkit.query.scope import Scope
from toolkit.targets import parse_url
from toolkit.versions import find

CLUSTER = "temporal"
LOCAL = f"{TABLE}_local"
CONFIGURATION = f"""<clickhouse><tcp_port>9876</tcp_port><remote_servers><{CLUSTER}><shard><replica>
<host>127.0.0.1</host><port>9876</port></replica></shard></{CLUSTER}><shards><shard><replica>
<host>127.0.0.1</host><port>9876</port></replica></shard><shard><replica>
<host>localhost</host><port>9876</port></replica></shard></shards></remote_servers>
<storage_configuration><disks><wide><path>{{wide}}/</path></wide></disks>
<policies><wide><volumes><main><disk>wide</disk></main></volumes></wide></policies></storage_configuration></clickhouse>"""
OVERLAY = Overlay(clickhouse=ClickHouseSettings(cluster=CLUSTER))
NUMBER = 3000


class _Alone:
    """The lock of a test."""

    def check(self) -> None:
        """Always held."""


class Solo:
    """A cluster of one embedded server."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        lease: Any = _Alone()
        self.rebuilder = ClickHouseRebuilder(self.ask, self.run, lease, least=500)

    def ask(self, query: str, values: Any = None) -> list[dict[str, Any]]:
        answer = self._connection.query(query, dict(values) if values else None)
        return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]

    def run(self, text: str, values: Any = None) -> None:
        self._connection.command(text, dict(values) if values else None)

    def observed(self, table: str) -> Observed:
        seen = inspect.look(self.ask, inspect.has_projections(self.ask))
        return Observed(inspect.catalog(seen, {"storage_policy"}), "1.9", "", traits=traits.read(self.ask, seen, table))

    def do(self, steps: Sequence[Step]) -> None:
        """All but what clickhouse-migrations is told."""
        for step in steps:
            if step.id != "record.clickhouse-migrations":
                self._one(replace(step, statements=tuple(_alone(s) for s in step.statements if isinstance(s, Sql))))

    def _one(self, step: Step) -> None:
        match step.mode:
            case Mode.COPY | Mode.COMPARE:
                after: Key | None = None
                act = self.rebuilder.copy if step.mode is Mode.COPY else self.rebuilder.compare
                while True:
                    outcome = act(step, after, 50)
                    assert isinstance(outcome, Copied | Compared)
                    assert not (isinstance(outcome, Compared) and outcome.different)
                    assert outcome.last is None or outcome.last != after
                    after = outcome.last
                    if after is None:
                        return
            case Mode.SWAP:
                # An embedded engine has no queue of DDL.
                step = replace(step, statements=tuple(s for s in step.statements if s.part != "wait"))  # type: ignore[union-attr]
                self.rebuilder.swap(step, 1, 1)
            case _:
                assert self.rebuilder.attempt(step, 1, lambda _: None) == Ran()

    def fill(self) -> None:
        self.run(
            f"INSERT INTO {TABLE} (namespace_id, run_id, start_time, keyword01, _version)"
            f" SELECT 'n' || toString(number % 3), toString(number), toDateTime64(number, 6, 'UTC'), 'w', 1"
            f" FROM numbers({NUMBER})"
        )

    def count(self) -> int:
        return int(self.ask(f"SELECT count() AS n FROM {TABLE} FINAL")[0]["n"])

    def key(self, table: str) -> str:
        return str(
            self.ask(f"SELECT sorting_key AS v FROM system.tables WHERE database = 'v' AND name = '{table}'")[0]["v"]
        )

    def names(self) -> dict[str, str]:
        found = self.ask("SELECT name, engine FROM system.tables WHERE database = 'v'")
        return {row["name"]: row["engine"] for row in found if row["name"] != "temporal_visibility_schema_version"}


def _sql(step: Step) -> list[Sql]:
    return [s for s in step.statements if isinstance(s, Sql)]


def _alone(statement: Sql) -> Sql:
    text = statement.text.replace(f" ON CLUSTER `{CLUSTER}`", "").replace("ENGINE = Replicated", "ENGINE = ")
    return replace(statement, text=text.replace("('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')", ""))


@pytest.fixture
def solo(tmp_path: Path) -> Iterator[Solo]:
    (tmp_path / "server.xml").write_text(CONFIGURATION.format(wide=tmp_path / "wide"))
    options = {"config-file": str(tmp_path / "server.xml")}
    connection = clickhouse_connect.get_client(interface="chdb", path=str(tmp_path / "data"), chdb_options=options)
    try:
        connection.command("CREATE DATABASE v")
        connection.command("USE v")
        yield Solo(connection)
    finally:
        connection.close()


def route(store: Solo, table: str) -> Any:
    return rebuild.route(store.observed(table), find("1.14"), profile(), Placement(CLUSTER), (), None)


def test_another_key_on_a_cluster(solo: Solo) -> None:
    """There, back, and there again to the end; the table in front follows."""
    old, new = LAYOUTS["key"]
    for step in engine.steps(Observed(engine.empty(), None, ""), find("1.9"), OVERLAY):
        texts = [replace(s, text=s.text.replace(old, new)) for s in step.statements if isinstance(s, Sql)]
        solo.do([replace(step, statements=tuple(texts))])
    solo.fill()
    assert replicas.disagreements(solo.ask, CLUSTER, "v", [TABLE, LOCAL]) == ()
    before = solo.observed(LOCAL).catalog
    with pytest.raises(Unsupported, match="passes rows on to a cluster"):
        rebuild.route(solo.observed(TABLE), find("1.14"), profile(), Placement(), (), None)
    plan = route(solo, LOCAL)
    assert all(" ON CLUSTER " in s.text for step in plan.steps for s in step.statements
               if s.text.startswith(("CREATE", "ALTER", "EXCHANGE", "DROP")))  # fmt: skip
    ids = [step.id for step in plan.steps]
    assert ids.index(f"rebuild.{LOCAL}.swap") < ids.index(f"columns.{TABLE}.add")
    solo.do(plan.steps)
    assert (solo.key(LOCAL), solo.count()) == ("namespace_id, start_time, run_id", NUMBER)
    ids = [step.id for step in plan.rollback]
    assert ids.index(f"columns.{TABLE}.add.undo") < ids.index(f"rebuild.{LOCAL}.back")
    solo.do(plan.rollback)
    assert (differences(solo.observed(LOCAL).catalog, before), solo.count()) == ((), NUMBER)
    again = route(solo, LOCAL)
    solo.do([*again.steps, *again.finish])
    assert (solo.key(LOCAL), solo.count()) == ("namespace_id, start_time, run_id", NUMBER)
    assert solo.names() == {TABLE: "Distributed", LOCAL: "ReplacingMergeTree"}


def other_key(store: Solo, settings: str = "") -> Observed:
    """A table with another key on one server, as a plan sees it: what is not ours is left out of the catalog."""
    old, new = LAYOUTS["key"]
    for step in engine.steps(Observed(engine.empty(), None, ""), find("1.9")):
        texts = [
            replace(s, text=s.text.replace(old, f"{new}{settings}")) for s in step.statements if isinstance(s, Sql)
        ]
        store.do([replace(step, statements=tuple(texts))])
    store.fill()
    observed = store.observed(TABLE)
    return replace(
        observed, catalog=observed.catalog.without([("tables", TABLE, "settings"), ("tables", TABLE, "ttl")])
    )


def test_a_storage_policy_of_somebody_else_is_kept(solo: Solo) -> None:
    observed = other_key(solo, " SETTINGS storage_policy = 'wide'")
    plan = rebuild.route(observed, find("1.14"), profile(), Placement(), (), None)
    solo.do(plan.steps)
    (found,) = solo.ask(
        f"SELECT storage_policy, (SELECT groupUniqArray(disk_name) FROM system.parts WHERE database = 'v' AND active"
        f" AND table = '{TABLE}') AS disks FROM system.tables WHERE database = 'v' AND name = '{TABLE}'"
    )
    assert found == {"storage_policy": "wide", "disks": ["wide"]}
    wished = rebuild.route(observed, find("1.14"), profile(), Placement(storage_policy="default"), (), None)
    assert "storage_policy = 'default'" in wished.steps[0].statements[0].text  # type: ignore[union-attr]


def test_chunks_go_on_where_clocks_go_back(solo: Solo) -> None:
    """In a zone with summer time two moments have one text."""
    for step in engine.steps(Observed(engine.empty(), None, ""), find("1.9")):
        texts = [s.text.replace("DateTime64(6, 'UTC')", "DateTime64(6, 'Europe/Berlin')", 1) for s in _sql(step)]
        solo.do([replace(step, statements=tuple(map(Sql, texts)))])
    solo.run(
        f"INSERT INTO {TABLE} (namespace_id, run_id, start_time, _version)"
        f" SELECT 'n', toString(number), fromUnixTimestamp(1698541200 + number), 1 FROM numbers({NUMBER})"
    )
    plan = rebuild.route(solo.observed(TABLE), find("1.14"), profile(), Placement(), (), None)
    assert any(step.mode is Mode.COPY for step in plan.steps)
    solo.do(plan.steps)
    assert solo.count() == NUMBER


def test_a_replica_that_is_behind_is_waited_for(solo: Solo) -> None:
    """What it lacks of the time before the view would be in no chunk that is read from it."""
    side = shadow.side(LOCAL, CLUSTER, "rand()", final=True)
    pair = shadow.Pair(LOCAL, CLUSTER, side, side, {}, frozenset(), {}, (), {})
    solo.run(shadow.marks("ENGINE = MergeTree", None).text)
    marked, behind = arriving.arrived(pair, "captured")
    solo.run(marked.text.replace("now64(6, 'UTC')", "now64(6, 'UTC') - INTERVAL 1 MINUTE"))
    # An embedded engine has no replicas of its own to tell of.
    solo.run("CREATE TABLE told (database String, table String, absolute_delay UInt64) ENGINE = Memory")
    step = replace(
        route(solo, TABLE).steps[0],
        statements=(replace(behind, text=behind.text.replace("system.replicas", "v.told")),),
    )
    outcomes = []
    for delay in (0, 30, 90, 1_700_000_000):
        solo.run(f"INSERT INTO told SELECT 'v', '{LOCAL}', {delay}")
        outcomes.append(solo.rebuilder.attempt(step, 1, lambda _: None))
        solo.run("TRUNCATE TABLE told")
    late = Busy("1 replicas do not have yet what was written before")
    assert outcomes == [Ran(), Ran(), late, late]


def test_what_the_copy_cannot_have_is_refused(solo: Solo) -> None:
    observed = other_key(solo)
    table = observed.traits["table"]
    assert isinstance(table, dict)
    columns, patched = table["columns"], ("enable_block_number_column", "enable_block_offset_column")
    assert isinstance(columns, list)
    for more, placement, word in (
        ({"engine": "ReplicatedReplacingMergeTree"}, Placement(), "is replicated"),
        ({"engine": "Distributed"}, Placement(), "passes rows on"),
        ({"ttl": "start_time"}, Placement(CLUSTER), "TTL"),
        ({"settings": {"storage_policy": "'wide'"}}, Placement(CLUSTER), "storage policy wide"),
        ({"columns": [*columns, ["run_id", "UUID", "", "", ""]]}, Placement(CLUSTER), "run_id of type UUID"),
        ({"settings": dict.fromkeys(patched, "1")}, Placement(CLUSTER), "no mutation"),
    ):
        seen = replace(observed, traits={**observed.traits, "table": {**table, **more}})  # type: ignore[dict-item]
        with pytest.raises(Unsupported, match=word):
            rebuild.route(seen, find("1.14"), profile(), placement, (), None)
    rebuild.route(observed, find("1.14"), profile(), Placement(CLUSTER), (), None)


def test_from_one_server_to_a_cluster(solo: Solo) -> None:
    """The table becomes the distributed one; what is written there after the swap is there after a rollback, too, and
    so are columns of others: the local table and the one in front have them."""
    solo.do(engine.steps(Observed(engine.empty(), None, ""), find("1.9")))
    solo.fill()
    solo.run(f"ALTER TABLE {TABLE} ADD COLUMN mine String DEFAULT 'x' CODEC(LZ4), ADD INDEX by_mine mine TYPE minmax")
    mine = [("tables", TABLE, "columns", "mine"), ("tables", TABLE, "indexes", "by_mine")]
    seen = solo.observed(TABLE)
    seen = replace(seen, catalog=seen.catalog.without(mine))
    plan = rebuild.route(seen, find("1.14"), profile(), Placement(CLUSTER), (), None)
    assert all("max_table_size_to_drop = 0" in s.text for step in plan.rollback for s in step.statements
               if isinstance(s, Sql) and s.text.startswith("DROP TABLE"))  # fmt: skip
    solo.do(plan.steps)
    assert solo.ask(f"SELECT count() AS n FROM {TABLE} FINAL WHERE mine = 'x'") == [{"n": NUMBER}]
    foreign = [*mine, *plan.foreign]
    left = differences(solo.observed(LOCAL).catalog.without(foreign), engine.catalog(find("1.14"), OVERLAY))
    assert {d.path[2:] for d in left} <= {("replicated",)}
    names = solo.names()
    assert (names[TABLE], names[LOCAL], solo.count()) == ("Distributed", "ReplacingMergeTree", NUMBER)
    solo.run(
        f"INSERT INTO {TABLE} (namespace_id, run_id, start_time, _version) SELECT 'n', 'new', now(), 1"
        " SETTINGS insert_distributed_sync = 1"
    )
    solo.do(plan.rollback)
    assert (solo.names(), solo.count()) == ({TABLE: "ReplacingMergeTree"}, NUMBER + 1)
    again = rebuild.route(seen, find("1.14"), profile(), Placement(CLUSTER), (), None)
    solo.do([*again.steps, *again.finish])
    assert (solo.names(), solo.count()) == ({TABLE: "Distributed", LOCAL: "ReplacingMergeTree"}, NUMBER + 1)


def test_a_page_is_found_on_all_shards(solo: Solo) -> None:
    """Whole rows are read of keys that were found on every shard; here both have the same ones."""
    solo.do(engine.steps(Observed(engine.empty(), None, ""), find("1.9"), OVERLAY))
    solo.fill()
    solo.run(f"CREATE OR REPLACE TABLE {TABLE} AS {LOCAL} ENGINE = Distributed('shards', v, {LOCAL}, 1)")
    asked = check.parse("Keyword01 = 'w'", Scope.of(find("1.9"), Family.CLICKHOUSE))
    statement = filters.listing(Question(find("1.9"), "n1", asked, filters.SEMANTICS), Page(10))
    assert isinstance(statement, BoundSql)
    found = solo.ask(statement.text, statement.parameters)
    assert {row["run_id"] for row in found} == {str(3 * number + 1) for number in range(NUMBER // 3 - 5, NUMBER // 3)}


def test_servers_that_differ_are_seen(solo: Solo) -> None:
    solo.run("CREATE TABLE here (a UInt8) ENGINE = MergeTree ORDER BY a")
    assert replicas.disagreements(solo.ask, CLUSTER, "v", ["here"]) == ()
    assert replicas.disagreements(solo.ask, CLUSTER, "w", ["here"]) == ()
    assert replicas.lag(solo.ask, CLUSTER, "v", ["here"]) == 0.0


def test_drift_asks_every_server_for_its_tables(solo: Solo) -> None:
    """The number changes with a table, a column and an index; 0 stands for a server without the tables."""

    def mark() -> str:
        ((host, number),) = examine(solo.ask, Placement(CLUSTER), "v")["hosts"]  # type: ignore[misc, union-attr]
        assert ":" in str(host)
        return str(number)

    marks = [mark()]
    assert marks == ["0"]
    solo.do(engine.steps(Observed(engine.empty(), None, ""), find("1.9"), OVERLAY))
    marks.append(mark())
    for change in ("ADD COLUMN note String", "ADD INDEX by_note note TYPE minmax", "MODIFY COLUMN note CODEC(LZ4)"):
        solo.run(f"ALTER TABLE {LOCAL} {change}")
        marks.append(mark())
    solo.run(f"DROP TABLE {TABLE}")
    marks.append(mark())
    assert len(set(marks)) == len(marks)


@contextmanager
def clustered(url: str) -> Iterator[Any]:
    client = engine.connect(parse_url(url, {}, OVERLAY))
    try:
        yield client
    finally:
        client.close()


def upgrade(client: Any, version: str) -> None:
    plan = plan_store(engine, client, find(version), released(), OVERLAY)
    run(engine, client, plan, find(version), OVERLAY, lambda *_: None, lambda: 0.0)


def end(client: Any, task: Task) -> None:
    perform(client, task, lambda *_: None, lambda: 0.0, Options())


def test_up_and_down_on_two_replicas(clickhouse_cluster: Handle) -> None:
    with clustered(clickhouse_cluster.url) as client:
        for version in ("1.9", "1.10", "1.14", "1.9"):
            upgrade(client, version)
            assert differences(client.observe().catalog, engine.catalog(find(version), OVERLAY)) == ()
            assert replicas.disagreements(client._ask, CLUSTER, clickhouse_cluster.database, [TABLE, LOCAL]) == ()


def test_a_move_to_two_replicas(clickhouse_cluster: Handle) -> None:
    url = clickhouse_cluster.url
    with plain(url) as connection:
        for step in engine.steps(Observed(engine.empty(), None, ""), find("1.9")):
            for statement in step.statements:
                assert isinstance(statement, Sql)
                connection.command(statement.text)
        connection.command(
            f"INSERT INTO {TABLE} (namespace_id, run_id, start_time, _version) SELECT 'n', toString(number), now(), 1"
            " FROM numbers(1000)"
        )
    with clustered(url) as client:
        upgrade(client, "1.14")
        assert client.count() == 1000
        end(client, rollback(engine, client, released(), OVERLAY))
        upgrade(client, "1.14")
        end(client, finish(client))
        assert client.count() == 1000
        assert replicas.disagreements(client._ask, CLUSTER, clickhouse_cluster.database, [TABLE, LOCAL]) == ()
    assert leftovers(url) == []
    assert rows(url, f"SELECT count() FROM {TABLE} FINAL") == [(1000,)]
