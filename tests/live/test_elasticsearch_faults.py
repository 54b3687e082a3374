"""Rebuilds of Elasticsearch and OpenSearch that somebody or something breaks: a full disk, a cut network. Each has a
coded answer, nothing is lost, and the same command goes on."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import quote

import pytest

from tests.engines.handles import Handle
from tests.engines.processes import wait_until
from tests.support.command import temporal_visibility
from tests.support.one_more import fill, filler, on_a_small_disk
from tests.support.online import once_before
from tests.support.search_store import (
    QUICK,
    ask,
    at,
    brought,
    check,
    finished,
    indices,
    name_of,
    opened,
    prepared,
    url_of,
    without_a_shard,
)
from tests.support.search_writing import SearchWriter
from toolkit.apply.actions import Action, CompareChunk, CopyChunk, Outcome, Swap
from toolkit.engines.bound import Search
from toolkit.engines.elasticsearch import client as clients
from toolkit.engines.elasticsearch.books import take
from toolkit.engines.elasticsearch.names import BOOKS
from toolkit.engines.elasticsearch.transport import Answer
from toolkit.errors import ConnectionFailed, EngineError

ROWS = 600
MEGABYTES = 192
# Room below which no shard comes, shards go, and indices are made read-only.
WATERMARKS = ("80mb", "60mb", "40mb")
LEFT = 20_000_000


def watched(server: Handle) -> None:
    """The node looks at its disk, as often as it may."""
    names = ("low", "high", "flood_stage")
    marks = {f"disk.watermark.{name}": mark for name, mark in zip(names, WATERMARKS, strict=True)}
    settings = {f"cluster.routing.allocation.{name}": mark for name, mark in marks.items()}
    settings |= {"cluster.routing.allocation.disk.threshold_enabled": "true", "cluster.info.update.interval": "10s"}
    ask(server, "PUT", "/_cluster/settings", {"transient": settings})


def blocked(server: Handle) -> set[str]:
    """The indices that a full disk has made read-only."""
    found = ask(server, "GET", "/_all/_settings/*.read_only_allow_delete?expand_wildcards=all&flat_settings=true")
    return {name for name, facts in found.items() if facts["settings"]}


def full_disk(engine: Handle) -> None:
    with on_a_small_disk(engine, MEGABYTES) as (server, folder):
        watched(server)
        version = prepared(server, ROWS)
        with SearchWriter(server.url) as writer:
            writer.wait_for(20)
            _breaks(server, version, folder)
            ran = temporal_visibility("schema", "upgrade", url_of(server), "--to", version, "--yes")
            assert (ran.code, "TV4521" in ran.err) == (1, True), ran.err
            with opened(server) as client:
                assert client.count() >= ROWS
            filler(folder).unlink()
            wait_until(lambda: not blocked(server), 120, "the node opens its indices again")
            writer.wait_for(20)
            ran = temporal_visibility("schema", "upgrade", url_of(server), "--to", version, "--yes")
            assert (ran.code, "Going on with run" in ran.err) == (0, True), ran.err
            writer.wait_for(20)
        at(server, version)
        check(server, writer, ROWS)
        finished(server)
        check(server, writer, ROWS)


def _breaks(server: Handle, version: str, folder: Path) -> None:
    """The disk fills up after the first chunk of the copy."""
    full: list[set[str]] = []

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, CopyChunk) and outcome is not None and not full:
            fill(folder, LEFT)
            wait_until(lambda: len(blocked(server)) >= 3, 120, "the node makes its indices read-only")
            full.append(blocked(server))

    with opened(server) as client, pytest.raises(EngineError) as told:
        brought(client, version, options=replace(QUICK, watch=watch))
    assert full
    assert name_of(server) in full[0]
    assert (told.value.code, told.value.exit_code) == ("TV4521", 1), told.value


def test_a_full_disk(elasticsearch: Handle) -> None:
    """The node makes all its indices read-only in the middle of the copy, and opens them when there is room."""
    full_disk(elasticsearch)


@pytest.mark.long
def test_a_full_disk_of_opensearch(opensearch: Handle) -> None:
    """It takes no new indices meanwhile, either."""
    full_disk(opensearch)


@pytest.mark.faults
@pytest.mark.engines("elasticsearch", "opensearch")
def test_books_without_a_shard_are_waited_for(engine: Handle) -> None:
    """As they are for a moment when another run, the first of all in this cluster, has just made them."""
    allocation = "index.routing.allocation.enable"
    with opened(engine) as client:
        take(client._books, "somebody", 1).release()
        made = ask(engine, "GET", f"/{BOOKS}")[BOOKS]
        ask(engine, "DELETE", f"/{BOOKS}")
        settings = {"hidden": True, "number_of_replicas": 0, "routing.allocation.enable": "none"}
        ask(engine, "PUT", f"/{BOOKS}?wait_for_active_shards=0", {"settings": settings, "mappings": made["mappings"]})
        later = Timer(1, ask, (engine, "PUT", f"/{BOOKS}/_settings", {allocation: None}))
        later.start()
        try:
            take(client._books, "somebody else", 1).release()
            assert not later.is_alive()
        finally:
            later.join()


@pytest.mark.faults
@pytest.mark.engines("elasticsearch", "opensearch")
@pytest.mark.parametrize("kind", ["_template", "_index_template"])
def test_books_are_not_what_somebody_elses_template_makes_of_all_indices(engine: Handle, kind: str) -> None:
    """Lock and journal must be read back whole, and must not answer to the name of a store."""
    inner = {
        "aliases": {name_of(engine): {}},
        "settings": {"index.max_result_window": 100},
        "mappings": {"_source": {"enabled": False}, "_routing": {"required": True}},
    }
    theirs = {"template": inner} if kind == "_index_template" else inner
    ask(engine, "DELETE", f"/{BOOKS}?ignore_unavailable=true")
    ask(engine, "PUT", f"/{kind}/theirs", {"index_patterns": [f"{BOOKS}*"], **theirs})
    try:
        with opened(engine) as client:
            take(client._books, "somebody", 1).release()
            assert (client.holder(), client.journal().runs(), client.observe().exists) == (None, [], False)
    finally:
        ask(engine, "DELETE", f"/{kind}/theirs")
        ask(engine, "DELETE", f"/{BOOKS}")


@pytest.mark.faults
@pytest.mark.engines("elasticsearch", "opensearch")
def test_the_network_is_cut_in_the_middle(engine: Handle) -> None:
    """In the copy, in the comparison and right before the swap; the writer's way is cut, too."""
    version = prepared(engine, ROWS)
    with SearchWriter(engine.url) as writer:
        for kind in (CopyChunk, CompareChunk, Swap):
            watch, cut = once_before(kind, engine.cut)
            with opened(engine) as client, pytest.raises(ConnectionFailed) as lost:
                brought(client, version, options=replace(QUICK, watch=watch, lease_seconds=1))
            assert (lost.value.code, lost.value.exit_code, len(cut)) == ("TV4002", 1, 1)
            engine.heal()
        with opened(engine) as client:
            brought(client, version)
        writer.wait_for(20)
    at(engine, version)
    check(engine, writer, ROWS)
    finished(engine)
    check(engine, writer, ROWS)


@pytest.mark.faults
@pytest.mark.parametrize(("name", "value", "code"), [
    ("search.allow_expensive_queries", False, "TV4524"), ("cluster.routing.allocation.enable", "none", "TV4533"),
    ("search.max_buckets", 5000, "TV4524"),
])  # fmt: skip
def test_what_the_whole_cluster_forbids_is_found_before(
    elasticsearch: Handle, name: str, value: Any, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranges of words and long lists of them: the plain way asks for none, and where nothing was deleted no other does.
    Places for shards: a copy would wait for them, and wait."""
    monkeypatch.setattr(clients, "_LONGEST_WAIT", 0.0)
    version = prepared(elasticsearch, 100)
    ask(elasticsearch, "PUT", "/_cluster/settings", {"transient": {name: value}})
    try:
        with opened(elasticsearch) as client:
            with pytest.raises(EngineError, match=name) as told:
                brought(client, version)
            assert (told.value.code, indices(elasticsearch)) == (code, [name_of(elasticsearch)])
            if code == "TV4524":
                brought(client, version, offline=True)
                assert client.count() == 100
    finally:
        ask(elasticsearch, "PUT", "/_cluster/settings", {"transient": {name: None}})


@pytest.mark.engines("elasticsearch", "opensearch")
@pytest.mark.parametrize("before", ["/_search", "/_mget", "/_clone/"])
def test_a_shard_is_lost_in_the_middle(engine: Handle, before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was in it is neither left out nor taken for deleted: the run stops, and goes on when the shard is back."""
    monkeypatch.setattr(clients, "_LONGEST_WAIT", 0.0)
    version, name = prepared(engine, ROWS), name_of(engine)
    with ExitStack() as lost, opened(engine) as client:
        send, met = client._line.send, list[str]()

        def sending(method: str, path: str, body: Any = None, seconds: int = 90) -> Answer:
            if deleted and not met and path.startswith(f"/{name}{before}"):
                met.append(path)
                lost.enter_context(without_a_shard(engine, name))
            return send(method, path, body, seconds)

        watch, deleted = once_before(CompareChunk, lambda: delete_one(engine))
        monkeypatch.setattr(client._line, "send", sending)
        few = replace(QUICK, watch=watch, limits=replace(QUICK.limits, attempts=0))
        with pytest.raises(EngineError) as told:
            brought(client, version, options=few)
        assert (len(met), told.value.code in ("TV4511", "TV5103", "TV5112")) == (1, True), told.value
        for statement in (Search("_count", {}), Search("_search", {"size": 0})):
            with pytest.raises(EngineError, match="is too busy"):
                client.ask(statement)
        assert name in indices(engine)
    with opened(engine) as client:
        brought(client, version)
        assert client.count() == ROWS - 1
    at(engine, version)
    finished(engine)


def delete_one(engine: Handle) -> None:
    """One record, which the copy has by then."""
    [hit] = ask(engine, "POST", f"/{name_of(engine)}/_search", {"size": 1, "version": True})["hits"]["hits"]
    how = f"version={hit['_version'] + 1}&version_type=external&refresh=true"
    ask(engine, "DELETE", f"/{name_of(engine)}/_doc/{quote(hit['_id'], safe='')}?{how}")
