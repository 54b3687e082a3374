"""Two ClickHouse replicas and a Keeper, out of official images: what the stand-in cannot show."""

from __future__ import annotations

import pytest

from tests.engines.handles import Handle
from tests.engines.processes import wait_until
from tests.engines.servers.clickhouse import CLUSTER
from tests.support import journeys
from tests.support.catalogs import released
from toolkit.apply.runner import plan_store, run
from toolkit.catalog import differences
from toolkit.engines import clickhouse as engine
from toolkit.overlay import ClickHouseSettings, Overlay
from toolkit.sample import generate

CHAIN = [definition for definition in released() if engine.supports(definition)]
ROWS = 100
ON_CLUSTER = Overlay(clickhouse=ClickHouseSettings(cluster=CLUSTER))


@pytest.mark.short
def test_every_replica_gets_the_schema_and_the_records(clickhouse_cluster: Handle) -> None:
    """Planned and run through one server; the other one has the same tables, and the rows written to the first."""
    writes = list(generate(CHAIN[0], ROWS, seed=1, attributes=CHAIN[0]))
    with journeys.opened(clickhouse_cluster.url) as (chosen, first):
        for wanted in (CHAIN[0], CHAIN[-1]):
            plan = plan_store(chosen, first, wanted, released(), ON_CLUSTER)
            run(chosen, first, plan, wanted, ON_CLUSTER, lambda *_: None, lambda: 0.0)
            if wanted is CHAIN[0]:
                for _ in first.write(wanted, writes):
                    pass
        catalog = first.observe().catalog
    assert differences(catalog, chosen.catalog(CHAIN[-1], ON_CLUSTER)) == ()
    (url,) = clickhouse_cluster.neighbour_urls
    with journeys.opened(url) as (_, second):
        assert differences(second.observe().catalog, catalog) == ()
        wait_until(lambda: len(list(second.read(CHAIN[-1]))) == ROWS, 60, "the second replica has the records")


@pytest.mark.short
@pytest.mark.faults
def test_a_killed_replica_keeps_the_schema(clickhouse_cluster: Handle) -> None:
    """The first server is killed after an install and started again: the schema and its record are there."""
    with journeys.opened(clickhouse_cluster.url) as (chosen, client):
        plan = plan_store(chosen, client, CHAIN[-1], released(), ON_CLUSTER)
        run(chosen, client, plan, CHAIN[-1], ON_CLUSTER, lambda *_: None, lambda: 0.0)
    clickhouse_cluster.kill()
    clickhouse_cluster.start()
    with journeys.opened(clickhouse_cluster.url) as (chosen, client):
        assert plan_store(chosen, client, CHAIN[-1], released(), ON_CLUSTER).steps == ()
