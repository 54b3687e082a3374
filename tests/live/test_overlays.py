"""An overlay on a live store: applied, without drift, carried over an upgrade, taken away, with data and a writer."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support.catalogs import released
from tests.support.clickhouse import ClickHouseWriter
from tests.support.command import Ran, temporal_visibility
from tests.support.journeys import opened
from tests.support.mysql_writing import MysqlWriter
from tests.support.search_writing import SearchWriter
from tests.support.sqlite import SqliteWriter
from tests.support.writing import NAMESPACE, PostgresWriter, Writer
from toolkit.apply import ways_back
from toolkit.apply.checking import Check, check_store
from toolkit.apply.ongoing import kept
from toolkit.apply.repairing import repair_task
from toolkit.apply.runner import Options, perform, plan_store, upgrade_task
from toolkit.attributes import AttributeType
from toolkit.definition import Definition, Index, IndexKey
from toolkit.engines import Client, Engine
from toolkit.overlay import NO_OVERLAY, ClickHouseSettings, Overlay, SearchSettings
from toolkit.sample import generate

OLD, NEW = released()[-2:]
ROWS = 150
MORE = {AttributeType.KEYWORD: 12, AttributeType.INT: 4, AttributeType.KEYWORD_LIST: 4, AttributeType.DATETIME: 4}
BY_TYPE = Index("by_type_and_status", (IndexKey("NamespaceId"), IndexKey("WorkflowType"), IndexKey("StartTime", True)))
BY_USER = Index("by_user_and_start", (IndexKey("NamespaceId"), IndexKey("BatcherUser"), IndexKey("ListOrder")))


def quiet(client: Client, chosen: Engine, task: Any) -> None:
    perform(client, task, lambda *_: None, lambda: 0.0, Options())
    if kept(client):
        perform(client, ways_back.finish(client), lambda *_: None, lambda: 0.0, Options())


def upgrade(url: str, wanted: Definition, overlay: Overlay) -> None:
    with opened(url, overlay) as (chosen, client):
        plan = plan_store(chosen, client, wanted, released(), overlay)
        quiet(client, chosen, upgrade_task(chosen, plan, wanted, overlay))
        assert plan_store(chosen, client, wanted, released(), overlay).steps == ()


def without_drift(url: str, overlay: Overlay) -> None:
    with opened(url, overlay) as (chosen, client):
        report, identity = check_store(chosen, client, Check(overlay))
        assert [f.message for f in report.findings] == []
        assert identity.exact


def taken_away(url: str) -> None:
    """What an overlay brought is drift without it, and goes by a repair; the rest comes back by an upgrade."""
    with opened(url, NO_OVERLAY) as (chosen, client):
        for _ in range(4):
            report, _ = check_store(chosen, client, Check(NO_OVERLAY))
            if not report.plan.steps:
                break
            quiet(client, chosen, repair_task(chosen, report.plan, NEW, NO_OVERLAY))
    upgrade(url, NEW, NO_OVERLAY)
    without_drift(url, NO_OVERLAY)


def round_trip(url: str, kind: type[Writer], overlay: Overlay, pause: float = 0.02) -> None:
    upgrade(url, OLD, NO_OVERLAY)
    with opened(url, NO_OVERLAY) as (_, client):
        for _ in client.write(OLD, generate(OLD, ROWS, 3)):
            pass
    writer = kind(url, pause)
    with writer:
        writer.wait_for(10)
        upgrade(url, OLD, overlay)
        without_drift(url, overlay)
        writer.wait_for(5)
        upgrade(url, NEW, overlay)
        without_drift(url, overlay)
        writer.wait_for(5)
        taken_away(url)
        writer.wait_for(5)
    with opened(url, NO_OVERLAY) as (_, client):
        records = list(client.read(NEW))
        ours = {r.run_id: r.status for r in records if r.namespace_id == NAMESPACE}
        assert ours == {run: status for run, (status, _) in writer.truth.items()}
        assert len(records) - len(ours) == ROWS


def test_postgresql(postgresql: Handle) -> None:
    partial = frozenset({"by_keyword_01", "by_text_01", "by_parent_run_id"})
    overlay = Overlay(MORE, frozenset({"by_history_length", "by_bool_03"}), (BY_TYPE, BY_USER), partial)
    round_trip(postgresql.url, PostgresWriter, overlay)


def test_mysql(mysql: Handle) -> None:
    overlay = Overlay(MORE, frozenset({"by_history_length", "by_bool_03"}), (BY_TYPE, BY_USER))
    round_trip(mysql.url, MysqlWriter, overlay)


def test_sqlite(sqlite: EmbeddedHandle) -> None:
    partial = frozenset({"by_keyword_01", "by_parent_run_id"})
    overlay = Overlay(MORE, frozenset({"by_history_length", "by_bool_03"}), (BY_TYPE, BY_USER), partial)
    round_trip(sqlite.url, SqliteWriter, overlay)


def test_an_overlay_may_speak_of_a_version_to_come(tmp_path: Path) -> None:
    """It is written before the upgrade that it is for: until then the store is judged by the rest of it, and again
    after the way back."""
    config, wishes = tmp_path / "stores.yaml", tmp_path / "overlay.yaml"
    wishes.write_text("""{without_indexes: [by_history_length, by_temporal_int_01],
      partial_indexes: [by_temporal_bool_01],
      indexes: {mine: [NamespaceId, WorkflowType], ours: [NamespaceId, TemporalInt01]}}""")
    # No SQL store had attributes before 1.2.
    since = tmp_path / "since.yaml"
    by_user = "overlay: {preallocated: {Int: 4, Text: 4}, indexes: {by_user: [BatcherUser, Int04]}}"
    since.write_text(f"stores: {{a: {{url: 'sqlite:///{tmp_path}/since.db', {by_user}}}}}")
    for version in ("1.1", "1.2"):
        for words in (("upgrade", "--to", version, "--yes"), ("drift",)):
            ran = temporal_visibility("schema", *words, "--config", str(since))
            assert ran.code == 0, ran
        with sqlite3.connect(tmp_path / "since.db") as connection:
            found = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'by_user'").fetchone()
        assert found == (int(version == "1.2"),)
    # Given no more, its columns are in the way of a rebuild, and ALTER TABLE drops none that triggers read.
    since.write_text(since.read_text().replace(by_user, ""))
    for words, said in ((("upgrade",), "`schema drift --repair`"), (("drift", "--repair"), ""), (("upgrade",), "")):
        ran = temporal_visibility("schema", *words, "--yes", "--config", str(since))
        assert (ran.code, said in ran.err) == (int(said != ""), True), ran
    config.write_text(f"stores: {{a: {{url: 'sqlite:///{tmp_path}/a.db', overlay: {wishes.read_text()}}}}}")

    def schema(*words: str, code: int = 0) -> Ran:
        ran = temporal_visibility("schema", *words, "--config", str(config))
        assert ran.code == code, ran
        return ran

    for way, version, server in (("upgrade", "1.9", "1.27"), ("upgrade", "1.14", "1.31"), ("downgrade", "1.9", "1.27")):
        schema(way, "--to", version, "--yes")
        schema("drift")
        schema("require", "--server", server)
        (facts,) = schema("status", "--output", "json").json("schema-status")["stores"]
        assert (facts["equals"], facts["drift"]["findings"]) == ([version], 0)
    ran = temporal_visibility("schema", "check", "--from", "1.9", "--engine", "sqlite", "--overlay", str(wishes))
    assert (ran.code, ran.out) == (0, "nothing is lost.\n")
    walk = ("schema", "verify-paths", "--engine", "sqlite", "--from", "1.9", "--rows", "5", "--overlay", str(wishes))
    assert temporal_visibility(*walk).code == 0


@pytest.mark.long
def test_clickhouse(clickhouse: Handle) -> None:
    overlay = Overlay(MORE, frozenset({"by_history_length"}), clickhouse=ClickHouseSettings(ttl_days=3000))
    # Each of its writes is a part on disk, to be merged.
    round_trip(clickhouse.url, ClickHouseWriter, overlay, pause=0.3)


@pytest.mark.long
@pytest.mark.needs("scaled_float")
@pytest.mark.engines("elasticsearch", "opensearch")
def test_search_engines(engine: Handle) -> None:
    """Shards and analyser are a rebuild, replicas and refresh interval a setting."""
    wishes = SearchSettings(shards=2, replicas=0, refresh_interval="5s", analyzer="whitespace")
    round_trip(f"{engine.url}over?cluster_settings=skip", SearchWriter, Overlay(elasticsearch=wishes))


def test_a_partial_index_is_used(postgresql: Handle) -> None:
    """A comparison implies that there is a value, so PostgreSQL takes the smaller index."""
    overlay = Overlay(partial_indexes=frozenset({"all"}))
    upgrade(postgresql.url, NEW, overlay)
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off")
        query = "SELECT run_id FROM executions_visibility WHERE namespace_id = 'n' AND keyword05 = 'x'"
        plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {query}").fetchall())
        count = connection.execute("SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%IS NOT NULL%'").fetchone()
    assert "by_keyword_05" in plan
    assert count
    assert count[0] > 50


MANY = f"[{', '.join(f'by_keyword_{n}' for n in range(11, 65))}]"
NARROW = ["NamespaceId", "MemoEncoding", "ExecutionTime", "ExecutionStatus", "CloseTime", "HistoryLength",
          "HistorySizeBytes", "ExecutionDuration", "StateTransitionCount", "Version", "TemporalSchedulePaused",
          "TemporalScheduledStartTime", "TemporalExternalPayloadCount", "TemporalExternalPayloadSizeBytes"]  # fmt: skip
REFUSED = [
    ("sqlite:///x.db", "preallocated: {Keyword: 5}", "TV1030", "Keyword01 to Keyword10"),
    ("mysql://h/d", "without_indexes: [by_text_02]", "TV1031", "MATCH"),
    ("elasticsearch+http://h/i", "without_indexes: [by_status]", "TV1032", "no indexes"),
    ("clickhouse+http://h/d", "indexes: {mine: [WorkflowId]}", "TV1032", "no indexes"),
    ("postgresql://h/d", "without_attributes: [BuildIds]", "TV1033", "names its search attributes"),
    ("postgresql://h/d", "without_fields: [Memo]", "TV1033", "names its fields"),
    ("clickhouse+http://h/d", "clickhouse: {keeper_path: /a}", "TV1034", "go together"),
    ("clickhouse+http://h/d", "clickhouse: {keeper_path: /a, replica: b}", "TV1034", "cluster"),
    ("mysql://h/d", "partial_indexes: all", "TV1035", "part of the rows"),
    ("postgresql://h/d", "partial_indexes: some", "TV1003", "list of index names"),
    ("postgresql://h/d", "partial_indexes: [by_status]", "TV2004", "over records with a value"),
    ("postgresql://h/d", "without_indexes: [by_nothing]", "TV2004", "by_nothing"),
    ("postgresql://h/d", "indexes: {by_status: [WorkflowId]}", "TV2044", "already"),
    ("sqlite:///x.db", "indexes: {mine: [WorkflowId], Mine: [TaskQueue]}", "TV1016", "'mine' are one"),
    ("postgresql://h/d", "indexes: {executions_visibility_pkey: [WorkflowId]}", "TV2044", "called so"),
    ("sqlite:///x.db", "indexes: {Schema_Version: [WorkflowId]}", "TV2044", "called so"),
    ("mysql://h/d", "indexes: {PRIMARY: [WorkflowId]}", "TV2044", "called so"),
    ("postgresql://h/d", "indexes: {mine: [Colour]}", "TV2044", "Colour"),
    ("postgresql://h/d", "indexes: {mine: [BuildIds]}", "TV1017", "no order"),
    ("mysql://h/d", "indexes: {mine: [Keyword01]}", "TV1017", "another table"),
    ("mysql://h/d", "preallocated: {Int: 60}", "TV1019", "indexes"),
    ("mysql://h/d", f"{{preallocated: {{Keyword: 64}}, without_indexes: {MANY}}}", "TV1021", "66134 bytes"),
    ("mysql://h/d", "indexes: {mine: [NamespaceId, WorkflowId, WorkflowType, TaskQueue]}", "TV1021", "3316 bytes"),
    ("mysql://h/d", f"indexes: {{mine: [{', '.join(NARROW)}, ListOrder]}}", "TV1021", "17 parts"),
    ("mysql://h/d", "indexes: {mine: [StartTime desc, ListOrder]}", "TV1015", "twice"),
    ("postgresql://h/d", "indexes: {mine: [NamespaceId, Memo]}", "TV1017", "no order"),
    ("sqlite:///x.db", "indexes: {mine: [SearchAttributes]}", "TV1017", "no order"),
    ("elasticsearch+http://h/i", "elasticsearch: {refresh_interval: soon}", "TV1003", "a time"),
    ("elasticsearch+http://h/i", "elasticsearch: {auto_expand_replicas: many}", "TV1003", "a range"),
    ("elasticsearch+http://h/i", "clickhouse: {ttl_days: 30}", "TV1037", "settings of clickhouse"),
    ("clickhouse+http://h/d", "clickhouse: {ttl_days: 20001}", "TV1003", "20000"),
    ("postgresql://h/d", "elasticsearch: {shards: 3}", "TV1037", "settings of elasticsearch"),
]  # fmt: skip


def overlay_of(tmp_path: Path, url: str, overlay: str) -> Ran:
    config = tmp_path / "stores.yaml"
    config.write_text(f"stores:\n  a:\n    url: '{url}'\n    overlay:\n      {overlay}\n")
    return temporal_visibility("schema", "overlay", "--config", str(config), "--output", "json")


@pytest.mark.parametrize(("url", "overlay", "code", "reason"), REFUSED)
def test_what_cannot_be_is_refused_with_the_reason(
    tmp_path: Path, url: str, overlay: str, code: str, reason: str
) -> None:
    error = overlay_of(tmp_path, url, overlay).json("error")["error"]
    assert (error["code"], reason in error["message"]) == (code, True), error


def test_mysql_to_its_limits(mysql: Handle) -> None:
    """The widest row and index that are let through are what the server takes."""
    wide = tuple(
        IndexKey(name) for name in ("WorkflowId", "WorkflowType", "TaskQueue", "HistoryLength", "ExecutionStatus")
    )
    left_out = frozenset(f"by_keyword_{n}" for n in range(11, 64))
    upgrade(mysql.url, NEW, Overlay({AttributeType.KEYWORD: 63}, left_out, (Index("widest", wide),)))


def test_what_the_server_must_be_told(tmp_path: Path) -> None:
    ran = overlay_of(tmp_path, "postgresql://h/d", "{preallocated: {Keyword: 12, Text: 3}, partial_indexes: all}")
    (store,) = ran.json("schema-overlay")["stores"]
    assert store["attributes"] == ["Keyword11", "Keyword12"]
    assert store["server_configuration"] == "visibility:\n  persistenceCustomSearchAttributes:\n    Keyword: 12\n"


def test_wishes_as_they_are_shown(tmp_path: Path) -> None:
    """None is a wish as well, and search engines have users' own names instead of more columns."""
    wishes = (
        "{preallocated: {Int: 5}, elasticsearch: {replicas: 0, template: composable, auto_expand_replicas: false, "
        "refresh_interval: -1}}"
    )
    (store,) = overlay_of(tmp_path, "elasticsearch+http://h/i", wishes).json("schema-overlay")["stores"]
    shown = "elasticsearch: replicas 0, auto_expand_replicas false, template composable, refresh_interval -1"
    assert (store["wishes"], store["attributes"]) == (["preallocated: 5 Int", shown], [])


def test_the_schema_for_editors() -> None:
    schema = json.loads((Path(__file__).resolve().parents[2] / "schema" / "overlay.schema.json").read_text())
    good = {"preallocated": {"Keyword": 20}, "indexes": {"mine": ["WorkflowId", "ListOrder"]}, "partial_indexes": "all"}
    jsonschema.validate(good, schema)
    # As YAML reads what stands without quotes.
    jsonschema.validate({"elasticsearch": {"refresh_interval": -1, "auto_expand_replicas": False}}, schema)
    for bad in (
        {"preallocated": {"Keyword": 5}},
        {"colour": 1},
        {"partial_indexes": "some"},
        {"indexes": {"1": ["A"]}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)


@pytest.mark.engines("elasticsearch", "opensearch")
def test_a_lifecycle_where_the_server_has_none(engine: Handle, tmp_path: Path) -> None:
    """OpenSearch, and an Elasticsearch without its ILM, are told apart before anything is made, each with a way out. A
    server that has ILM takes the setting, is without drift, and gives it back."""
    config = tmp_path / "stores.yaml"
    to = ("--to", "1.10", "--yes")

    def schema(*words: str, policy: str = "keep-a-year") -> Ran:
        url = f"{engine.url}ilm?cluster_settings=skip"
        wish = f"{{elasticsearch: {{lifecycle: {policy}}}}}"
        config.write_text(f"stores:\n  a: {{url: '{url}', overlay: {wish}}}\n")
        return temporal_visibility("schema", words[0], "a", "--config", str(config), *words[1:])

    ran = schema("upgrade", *to)
    if engine.engine == "opensearch":
        assert (ran.code, "TV1036" in ran.err, "ism_template" in ran.err) == (2, True, True), ran.err
        assert schema("status").code == 2
        return
    if ran.code == 0:
        assert "TV2046" in ran.out + ran.err, "there is no such policy"
        assert schema("drift").code == 0
        assert schema("upgrade", *to, policy="default").code == 0
        assert schema("drift", policy="default").code == 0
        return
    assert (ran.code, "TV2045" in ran.err, "lifecycle" in ran.err) == (1, True, True), ran.err
    with opened(f"{engine.url}ilm?cluster_settings=skip", NO_OVERLAY) as (chosen, client):
        assert client.observe().catalog == chosen.empty()
    ran = temporal_visibility("schema", "upgrade", f"{engine.url}ilm?cluster_settings=skip", *to)
    assert ran.code == 0, ran.err
