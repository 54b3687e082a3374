"""Search engines for tests of runs beside live writes: stores with records, and what must be there afterwards."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.engines.handles import Handle
from tests.engines.processes import wait_until
from tests.engines.servers.search import request
from tests.support import journeys
from tests.support.catalogs import released
from tests.support.command import temporal_visibility
from tests.support.search_writing import SearchWriter, read_truth
from tests.support.writing import NAMESPACE, Truth
from toolkit.apply.limits import Limits
from toolkit.apply.runner import perform, plan_store, upgrade_task
from toolkit.apply.task import Options
from toolkit.catalog import differences
from toolkit.engines import elasticsearch as chosen
from toolkit.engines.elasticsearch.client import SearchClient
from toolkit.overlay import NO_OVERLAY, Overlay, SearchSettings
from toolkit.plan import Plan
from toolkit.sample import generate
from toolkit.versions import find

TWO_SHARDS = Overlay(elasticsearch=SearchSettings(shards=2))
WITHOUT_SCALED_FLOAT = ("elasticsearch-8.16", "elasticsearch-9.4")
ROWS = 1500
QUICK = Options(limits=Limits(chunk_seconds=0.01, rows=100), lease_seconds=5)


def newest(engine: Handle) -> str:
    """The newest version this server can hold."""
    return "1.10" if engine.name in WITHOUT_SCALED_FLOAT else "1.14"


def url_of(engine: Handle) -> str:
    """The cluster's own setting is left alone: other tests use the cluster, too."""
    return f"{engine.url}?cluster_settings=skip"


def name_of(engine: Handle) -> str:
    return urlsplit(engine.url).path[1:]


def ask(engine: Handle, method: str, path: str, body: object = None) -> dict[str, Any]:
    answer = request(engine.address, method, path, body)
    assert isinstance(answer, dict)
    return answer


@contextmanager
def opened(engine: Handle) -> Iterator[SearchClient]:
    with journeys.opened(url_of(engine)) as (_, client):
        assert isinstance(client, SearchClient)
        yield client


def planned(client: SearchClient, version: str, overlay: Overlay = NO_OVERLAY, offline: bool = False) -> Plan:
    return plan_store(chosen, client, find(version), released(), overlay, offline)


def brought(
    client: SearchClient, version: str, overlay: Overlay = NO_OVERLAY, options: Options = QUICK, offline: bool = False
) -> Plan:
    plan = planned(client, version, overlay, offline)
    perform(client, upgrade_task(chosen, plan, find(version), overlay), lambda *_: None, time.monotonic, options)
    return plan


def prepared(engine: Handle, rows: int = ROWS, alias: bool = False) -> str:
    """A store with two shards, which the released template does not want; its name is an index, or an alias of one."""
    version, name = newest(engine), name_of(engine)
    with opened(engine) as client:
        brought(client, version, TWO_SHARDS)
        for _ in client.write(find(version), generate(find(version), rows, 3)):
            pass
    if alias:
        ask(engine, "PUT", f"/{name}/_block/write")
        settings = {"blocks.write": None, "number_of_replicas": "0", "auto_expand_replicas": "0-2"}
        ask(engine, "PUT", f"/{name}/_clone/{name}-first", {"settings": {"index": settings}})
        ask(engine, "POST", "/_aliases", {"actions": [
            {"remove_index": {"index": name}}, {"add": {"index": f"{name}-first", "alias": name}}]})  # fmt: skip
    return version


def stored(engine: Handle) -> tuple[Truth, dict[str, int], int]:
    """The writer's records, their versions, and the number of all others."""
    name = name_of(engine)
    ask(engine, "POST", f"/{name}/_refresh")
    query = {"size": 10_000, "version": True, "query": {"term": {"NamespaceId": NAMESPACE}}}
    truth, versions = read_truth(ask(engine, "POST", f"/{name}/_search", query)["hits"]["hits"])
    others = {"query": {"bool": {"must_not": [{"term": {"NamespaceId": NAMESPACE}}]}}}
    return truth, versions, ask(engine, "POST", f"/{name}/_count", others)["count"]


def check(engine: Handle, writer: SearchWriter, others: int = ROWS) -> None:
    assert writer.statements > 50
    truth, versions, found = stored(engine)
    assert {k: v for k, v in truth.items() if writer.truth.get(k) != v} == {}, "resurrected or stale"
    assert {k: v for k, v in writer.truth.items() if truth.get(k) != v} == {}, "lost or stale"
    assert (versions, found) == (writer.versions, others)


def indices(engine: Handle) -> list[str]:
    found = ask(engine, "GET", f"/{name_of(engine)}*/_alias?expand_wildcards=all")
    return sorted(found)


def at(engine: Handle, version: str, overlay: Overlay = NO_OVERLAY) -> None:
    definition = find(version)
    with opened(engine) as client:
        seen = client.observe()
        wanted = chosen.catalog(overlay.apply(definition), overlay)
        assert [str(d) for d in differences(seen.catalog, wanted)] == []
        assert seen.recorded == chosen.label(definition)


def finished(engine: Handle) -> None:
    """Nothing of a run is left but the one index, without an alias of a writer."""
    ran = temporal_visibility("schema", "finish", url_of(engine), "--yes")
    assert ran.code == 0, ran.err
    [index] = indices(engine)
    facts = ask(engine, "GET", f"/{index}?flat_settings=true")[index]
    assert set(facts["aliases"]) <= {name_of(engine)}
    assert not {"index.gc_deletes", "index.refresh_interval", "index.blocks.write"} & set(facts["settings"])
    assert set(facts["mappings"]["_meta"]["temporal_visibility"]) == {"label"}


@contextmanager
def without_a_shard(engine: Handle, index: str) -> Iterator[None]:
    """Shard 1 of the index is nowhere meanwhile, as when its node is gone: its files are elsewhere."""
    ask(engine, "POST", f"/{index}/_flush")
    [node] = ask(engine, "GET", "/_nodes/stats/fs")["nodes"].values()
    uuid = ask(engine, "GET", f"/{index}?flat_settings=true")[index]["settings"]["index.uuid"]
    files = Path(node["fs"]["data"][0]["path"]) / "indices" / uuid / "1"
    if not files.exists():
        pytest.skip("the server's files are not on this machine")
    away = files.rename(files.with_name("away"))
    place = {"index": index, "shard": 1, "node": node["name"]}

    def moved(command: str, **more: bool) -> None:
        ask(engine, "POST", "/_cluster/reroute?retry_failed=true", {"commands": [{command: {**place, **more}}]})

    def state() -> str:
        shards = ask(engine, "GET", f"/_cluster/health/{index}?level=shards")["indices"][index]["shards"]
        return str(shards["1"]["status"])

    moved("cancel", allow_primary=True)
    try:
        wait_until(lambda: state() == "red", 30, "the end of the shard")
        yield
    finally:
        shutil.rmtree(files, ignore_errors=True)
        away.rename(files)
        moved("allocate_stale_primary", accept_data_loss=True)
        wait_until(lambda: state() != "red", 30, "the shard")
