"""Findings that are no small damage: versions and runs cut off, known defects, mutations, replicas, lost stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.engines.processes import wait_until
from tests.support import half, journeys
from tests.support.catalogs import released
from tests.support.command import temporal_visibility
from tests.support.mysql import sql as mysql_sql
from tests.support.online import doomed, prepared
from tests.support.search_store import ask, name_of, url_of
from toolkit.apply.checking import Check, check_store
from toolkit.apply.repairing import repair_task
from toolkit.apply.runner import Options, perform, plan_store
from toolkit.definition import Definition
from toolkit.drift import Finding, Report
from toolkit.engines import Client, Engine
from toolkit.engines.clickhouse import drift as clickhouse_drift
from toolkit.engines.clickhouse.client import ClickHouseClient
from toolkit.overlay import NO_OVERLAY, ClickHouseSettings, Overlay
from toolkit.plan import NO_LOCK, Observed, Request, Sql, Step, StepClass
from toolkit.sample import generate
from toolkit.versions import find

NEWEST = released()[-1]
EV = "executions_visibility"
FAILS, FAIL_SECONDS = "TV6124", 60.0


def findings(*words: str) -> tuple[int, list[Mapping[str, Any]]]:
    ran = temporal_visibility("schema", "drift", *words, "--output", "json")
    (store,) = ran.json("schema-drift")["stores"]
    return ran.code, store["findings"]


def judged(chosen: Engine, client: Client) -> Report:
    return check_store(chosen, client, Check(NO_OVERLAY, offline=True))[0]


def repaired(chosen: Engine, client: Client, report: Report, wanted: Definition = NEWEST) -> list[str]:
    perform(client, repair_task(chosen, report.plan, wanted, NO_OVERLAY), lambda *_: None, lambda: 0.0, Options())
    return [finding.message for finding in judged(chosen, client).findings]


def raw(client: Client, *statements: Sql | Request) -> None:
    for statement in statements:
        client.execute(Step("test", "", "", StepClass.METADATA, NO_LOCK, (statement,), (), ()))


def test_a_version_that_was_begun(postgresql: Handle) -> None:
    """Not thirty missing objects, but one unfinished version; and last, when only the record is missing."""
    before, after = find("1.13"), NEWEST
    statements = list(half.postgresql(before, after))
    with journeys.opened(postgresql.url) as (chosen, client):
        journeys.upgrade(chosen, client, before)
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        for number, statement in enumerate(statements, 1):
            connection.execute(statement)  # type: ignore[call-overload]
            code, found = findings(postgresql.url)
            assert (code, [one["code"] for one in found]) == (3, ["TV6117"]), (number, found)
            assert "schema upgrade" in found[0]["hint"]
        assert "1.14" in found[0]["message"]
        assert "records 1.13" in found[0]["message"]
        connection.execute("UPDATE schema_version SET curr_version = '1.14'")
    assert findings(postgresql.url) == (0, [])


def test_a_known_defect(mysql: Handle) -> None:
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, find("1.3"))
    column = "JSON GENERATED ALWAYS AS (search_attributes->'BuildIds')"
    tail = "(COALESCE(close_time, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, start_time DESC, run_id"
    for change in (
        "DROP INDEX by_build_ids, DROP COLUMN BuildIds",
        f"ADD COLUMN BuildIds {column}",
        f"ADD INDEX by_build_ids (namespace_id, (CAST(BuildIds AS CHAR(255) ARRAY)), {tail})",
    ):
        mysql_sql(mysql.url, f"ALTER TABLE {EV} {change}")
    code, found = findings(mysql.url)
    assert (code, found[0]["code"], "1.3-v1.21.0" in found[0]["message"]) == (3, "TV6118", True)
    assert any(one["object"].endswith("columns/BuildIds") and one["repair"] for one in found[1:])
    assert temporal_visibility("schema", "drift", mysql.url, "--repair", "--yes", "--offline").code == 0
    assert findings(mysql.url) == (0, [])


def test_a_run_that_was_cut_off(postgresql: Handle) -> None:
    """It is told beside what its half-done work leaves; going on with it ends the drift."""
    prepared(postgresql.url, 50)
    assert not doomed(postgresql.url, 9)
    code, found = findings(postgresql.url, "--wait", "60")
    assert (code, found[0]["code"]) == (3, "TV6119")
    assert "schema rollback" in found[0]["hint"]
    ran = temporal_visibility("schema", "upgrade", postgresql.url, "--yes")
    assert ran.code == 0, ran.err
    assert [one for one in findings(postgresql.url)[1] if one["code"] == "TV6119"] == []


def test_a_mutation_that_fails(clickhouse: Handle) -> None:
    """Later ones wait for it; the repair gives it up and leaves the records as they are."""
    with journeys.opened(clickhouse.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        assert sum(1 for _ in client.write(NEWEST, generate(NEWEST, 20, 3)))
        count = client.count()
        assert isinstance(client, ClickHouseClient)
        # What has a longer name is no business of ours: neither drift, nor in the way of a plan.
        raw(client, Sql(f"CREATE TABLE {EV}_backup ENGINE = MergeTree ORDER BY run_id AS SELECT * FROM {EV}"))
        for table in (f"{EV}_backup", EV):
            client._connection.command(
                f"ALTER TABLE {table} UPDATE memo = toString(throwIf(1, 'no')) WHERE 1", settings={"mutations_sync": 0}
            )
        failing = "SELECT table FROM system.mutations WHERE database = currentDatabase() AND latest_fail_reason != ''"
        wait_until(lambda: len(client._ask(failing)) == 2, FAIL_SECONDS, "the mutations do not fail")
        report = judged(chosen, client)
        assert [finding.code for finding in report.findings] == [FAILS]
        assert "throwIf" in report.findings[0].message
        assert repaired(chosen, client, report) == []
        assert client.count() == count
        assert client._ask(failing) == [{"table": f"{EV}_backup"}]
        assert client.preflight(plan_store(chosen, client, released()[-2], released(), NO_OVERLAY)) == ()


def _on_a_cluster(**traits: Any) -> list[Finding]:
    overlay = Overlay(clickhouse=ClickHouseSettings(cluster="c"))
    observed = Observed(journeys.engine("clickhouse").catalog(NEWEST, overlay), "1.14", "", traits=traits)
    return [Finding(f.code, f.path, f.message, (), f.hint) for f in clickhouse_drift.faults(observed, NEWEST, overlay)]


REPLICA = f"{EV}_local"


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ({"replicas": [[REPLICA, 1, 2, 2, 0, "Keeper"]]}, "read-only"),
        ({"replicas": [[REPLICA, 0, 2, 1, 0, ""]]}, "1 of 2 replicas"),
        ({"replicas": [[REPLICA, 0, 2, 2, 301, ""]]}, "301 s behind"),
        ({"hosts": [["a:9000", "7"], ["b:9000", "7"], ["c:9000", "8"]]}, "tables on c:9000 are not those on a:9000"),
        ({"hosts": [["a:9000", "7"], ["b:9000", "0"]]}, "no tables on b:9000"),
        ({"hosts": [["a:9000", "0"], ["b:9000", "7"], ["c:9000", "7"]]}, "no tables on a:9000"),
    ],
)
def test_replicas_that_differ(traits: Mapping[str, Any], message: str) -> None:
    (fault,) = _on_a_cluster(**traits)
    assert (fault.code, message in fault.message, bool(fault.hint) or "replica" in fault.message) == (
        "TV6123", True, True)  # fmt: skip


def test_replicas_that_agree() -> None:
    assert _on_a_cluster(replicas=[[REPLICA, 0, 2, 2, 299, ""]], hosts=[["a:9000", "7"], ["b:9000", "7"]]) == []
    assert _on_a_cluster(hosts=[["a:9000", "0"], ["b:9000", "0"]]) == [], "nothing is there yet"


@pytest.mark.engines("elasticsearch", "opensearch")
def test_shards_without_a_place(engine: Handle) -> None:
    """One node cannot hold the replica it is told to have."""
    wanted = find("1.10")
    with journeys.opened(f"{engine.url}sh?cluster_settings=skip") as (chosen, client):
        journeys.upgrade(chosen, client, wanted)
        path = f"/{engine.url.rpartition('/')[2]}sh"
        body: Any = {"index": {"auto_expand_replicas": "false", "number_of_replicas": "1"}}
        raw(client, Request("PUT", f"{path}/_settings", body))
        found = judged(chosen, client).findings
        assert [one.message.split()[0] for one in found if one.code == "TV6123"] == ["1"]
        assert repaired(chosen, client, judged(chosen, client), wanted) == []


@pytest.mark.engines("elasticsearch", "opensearch")
def test_a_rebuild_that_was_cut_off(engine: Handle) -> None:
    """Its index and its write block are taken back by the repair."""
    wanted = find("1.9")
    with journeys.opened(f"{engine.url}cut?cluster_settings=skip") as (chosen, client):
        oldest = released()[0]
        journeys.upgrade(chosen, client, oldest)
        for _ in client.write(oldest, generate(oldest, 10, 3)):
            pass
        plan = plan_store(chosen, client, wanted, released(), NO_OVERLAY, offline=True)
        (rebuild,) = [step for step in plan.steps if step.id == "index.rebuild"]
        client.execute(replace(rebuild, statements=rebuild.statements[:3], reverse=()))
        report = judged(chosen, client)
        assert "TV6121" in [finding.code for finding in report.findings]
        task = repair_task(chosen, report.plan, oldest, NO_OVERLAY)
        perform(client, task, lambda *_: None, lambda: 0.0, Options())
        assert judged(chosen, client).findings == ()
        assert client.count() == 10


def test_one_store_that_cannot_be_asked_hides_no_other(sqlite: EmbeddedHandle, tmp_path: Any) -> None:
    """`status` and `drift` tell of all others, in one document, and leave with the error's code."""
    config = tmp_path / "stores.yaml"
    config.write_text(f"stores:\n  a: {{url: 'postgresql://x:pw@127.0.0.1:1/y'}}\n  b: {{url: '{sqlite.url}'}}\n")
    assert temporal_visibility("schema", "upgrade", "b", "--config", str(config), "--yes").code == 0
    for name in ("status", "drift"):
        ran = temporal_visibility("schema", name, "--config", str(config), "--output", "json")
        a, b = ran.json(f"schema-{name}")["stores"]
        assert (ran.code, a["error"]["code"], b.get("error")) == (1, "TV4001", None), (name, a)
        ran = temporal_visibility("schema", name, "--config", str(config))
        assert (ran.code, "TV4001" in ran.err, "b" in ran.out, "pw" in ran.out + ran.err) == (1, True, True, False)


def test_status_of_a_store_that_is_locked(sqlite: EmbeddedHandle) -> None:
    """A writer that holds the file does not keep `status` from reading."""
    assert temporal_visibility("schema", "upgrade", sqlite.url, "--yes").code == 0
    with sqlite3.connect(urlsplit(sqlite.url).path.removeprefix("/"), isolation_level=None) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert temporal_visibility("schema", "status", sqlite.url).code == 0
        connection.execute("ROLLBACK")


def test_an_index_of_a_label_within_a_version_is_repaired(elasticsearch: Handle) -> None:
    """Version 1.1 had the labels v1 to v4: what the later ones brought is not missing in the earlier."""
    with journeys.opened(url_of(elasticsearch)) as (chosen, client):
        journeys.upgrade(chosen, client, find("1.1").at_label("v2"))
    ask(elasticsearch, "PUT", f"/{name_of(elasticsearch)}/_mapping", {"dynamic": "true"})
    words = (url_of(elasticsearch), "--version", "v2", "--repair", "--yes")
    assert findings(*words) == (0, [])
