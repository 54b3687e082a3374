"""What an overlay makes of ClickHouse's tables, where no embedded engine can show it: replication by Keeper."""

from __future__ import annotations

import pytest

from toolkit.apply.planning import make_plan
from toolkit.engines import engine
from toolkit.overlay import ClickHouseSettings, Overlay
from toolkit.plan import Observed, Sql
from toolkit.versions import chain, find

PATH, REPLICA = "/tv/{shard}/{database}/{table}", "{replica}"


def created(overlay: Overlay) -> list[str]:
    """The CREATE TABLE statements of a fresh store."""
    chosen = engine("clickhouse")
    plan = make_plan(chosen, Observed(chosen.empty(), None, ""), find("1.14"), chain(), overlay)
    texts = [one.text for step in plan.steps for one in step.statements if isinstance(one, Sql)]
    return [text for text in texts if text.startswith("CREATE TABLE")]


def test_the_path_in_keeper_and_the_replica_come_first() -> None:
    settings = ClickHouseSettings(
        cluster="main", keeper_path=PATH, replica=REPLICA, storage_policy="tiered", ttl_days=9
    )
    local, front = (text for text in created(Overlay(clickhouse=settings)) if "executions_visibility" in text)
    assert f"ReplicatedReplacingMergeTree('{PATH}', '{REPLICA}', _version, is_deleted)" in local
    assert "executions_visibility_local ON CLUSTER main" in local.replace("`", "")
    assert "storage_policy = 'tiered'" in local
    assert "toIntervalDay(9)" in local
    assert "Distributed(" in front


@pytest.mark.parametrize(("cluster", "name"), [("main", "ReplicatedReplacingMergeTree"), (None, "ReplacingMergeTree")])
def test_without_them_the_server_says_where(cluster: str | None, name: str) -> None:
    texts = created(Overlay(clickhouse=ClickHouseSettings(cluster=cluster)))
    assert any(f" {name}(_version, is_deleted)" in text.replace("ENGINE =", "ENGINE = ") for text in texts), texts
