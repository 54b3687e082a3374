"""Rebuilds of Elasticsearch and OpenSearch beside live writes: killed everywhere, taken back, finished; nothing lost.

The writer keeps its own truth: what it indexed, changed and deleted, and in which version, must be there at the end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from tests.engines.handles import Handle
from tests.engines.http import base, call
from tests.engines.processes import wait_until
from tests.support import journeys
from tests.support.catalogs import released
from tests.support.command import temporal_visibility
from tests.support.online import killed_again_and_again
from tests.support.search_store import (
    QUICK,
    TWO_SHARDS,
    ask,
    at,
    brought,
    check,
    finished,
    indices,
    name_of,
    newest,
    opened,
    planned,
    prepared,
    url_of,
)
from tests.support.search_writing import SearchWriter
from toolkit.apply import ways_back
from toolkit.apply.actions import Action, CompareChunk, CopyChunk, Outcome, Swap
from toolkit.apply.limits import Limits
from toolkit.apply.lock import Heartbeat
from toolkit.apply.runner import perform, upgrade_task
from toolkit.apply.task import Options, Task
from toolkit.definition import Definition
from toolkit.engines import elasticsearch as chosen
from toolkit.engines.elasticsearch import inspect, shadow
from toolkit.engines.elasticsearch.client import SearchClient
from toolkit.engines.elasticsearch.names import BOOKS
from toolkit.engines.elasticsearch.transport import Answer
from toolkit.engines.online import Entry
from toolkit.engines.rebuilding import Copied
from toolkit.errors import ConnectionFailed, EngineError, LockHeld, StoreChanged
from toolkit.overlay import NO_OVERLAY, Overlay, SearchSettings
from toolkit.plan import Plan, Request
from toolkit.records import Record
from toolkit.versions import find

pytestmark = pytest.mark.engines("elasticsearch", "opensearch")


def watching(act: Callable[[Action, Outcome | None], None]) -> Options:
    return replace(QUICK, watch=act)


def test_killed_again_and_again_it_gets_there(engine: Handle) -> None:
    """First move from an index to an alias, killed at ever later points."""
    version = prepared(engine)
    with SearchWriter(engine.url) as writer:
        kills = killed_again_and_again(url_of(engine), False, version)
    assert kills > 2
    check(engine, writer)
    at(engine, version)
    finished(engine)
    check(engine, writer)


@pytest.mark.long
@pytest.mark.parametrize("alias", [False, True], ids=["index", "alias"])
def test_killed_everywhere_it_gets_there(engine: Handle, alias: bool) -> None:
    """After each action before it is written down, and before the next one."""
    version = prepared(engine, alias=alias)
    with SearchWriter(engine.url, pause=0.01) as writer:
        kills = killed_again_and_again(url_of(engine), True, version)
    assert kills > 10
    check(engine, writer)
    at(engine, version)
    finished(engine)
    check(engine, writer)


def test_up_back_up_and_finished_under_load(engine: Handle) -> None:
    """What is written after the swap is there after a rollback, too, and the other way round; although the index puts
    what is written to disk some seconds later, and so says late how far it is."""
    version, lazy = prepared(engine), {"index.translog.durability": "async"}
    ask(engine, "PUT", f"/{name_of(engine)}/_settings", lazy)
    with SearchWriter(engine.url) as writer:
        for words, overlay in ((("upgrade", "--to", version), NO_OVERLAY), (("rollback",), TWO_SHARDS),
                               (("upgrade", "--to", version), NO_OVERLAY)):  # fmt: skip
            writer.wait_for(50)
            ran = temporal_visibility("schema", *words, url_of(engine), "--yes")
            assert ran.code == 0, ran.err
            at(engine, version, overlay)
            [facts] = ask(engine, "GET", f"/{name_of(engine)}?flat_settings=true").values()
            assert lazy.items() <= facts["settings"].items()
            writer.wait_for(50)
        finished(engine)
        writer.wait_for(50)
    check(engine, writer)
    runs = temporal_visibility("schema", "runs", url_of(engine), "--output", "json").json("schema-runs")
    assert [(r["kind"], r["status"]) for r in runs["stores"][0]["runs"]] == [
        ("upgrade", "done"), ("upgrade", "rolled back"), ("rollback", "done"), ("upgrade", "finished"),
        ("finish", "done"),
    ]  # fmt: skip


def test_two_runners_one_store(engine: Handle) -> None:
    """The second is told who holds the lock, and leaves with 4; nobody's clock is asked."""
    version = prepared(engine, 200)
    with opened(engine) as client:
        lease = client.take_lock("somebody@elsewhere:1", 60)
        with opened(engine) as second, Heartbeat(lease, 0.5), pytest.raises(LockHeld) as told:
            second.take_lock("me", 60)
        assert (told.value.code, "somebody@elsewhere:1" in told.value.message) == ("TV5101", True)
        lease = client.take_lock("somebody@elsewhere:1", 60)
        shown = temporal_visibility("schema", "unlock", url_of(engine))
        assert (shown.code, "somebody@elsewhere:1" in shown.err) == (4, True)
        shown = temporal_visibility("schema", "unlock", url_of(engine), "--force", "somebody@elsewhere:1")
        assert shown.code == 0, shown.err
        with pytest.raises(LockHeld):
            lease.beat()
    ran = temporal_visibility("schema", "upgrade", url_of(engine), "--to", version, "--yes")
    assert ran.code == 0, ran.err


def test_a_paused_holder_that_wakes_up_after_expiry_changes_nothing(engine: Handle) -> None:
    """Neither its next action, nor its journal, nor a copy that it had sent before it fell asleep."""
    version = prepared(engine, 200)
    with opened(engine) as old, opened(engine) as new:
        plan = planned(old, version)
        steps = {step.id: step for step in plan.steps}
        old.take_lock("old", 0.3)
        journal = old.journal()
        run = journal.begin("upgrade", version, {}, {}, None)
        work = old.rebuilding()
        work.attempt(steps["rebuild.create"], 1.0, lambda _: None)
        assert isinstance(work.copy(steps["rebuild.copy"], None, 10), Copied)
        following = work._known["rebuild.copy"].work
        new.take_lock("new", 30)
        assert isinstance(new.rebuilding().copy(steps["rebuild.copy"], None, 10), Copied)
        for act in (
            lambda: work.copy(steps["rebuild.copy"], None, 10),
            lambda: work.attempt(steps["rebuild.serve"], 1.0, lambda _: None),
            lambda: journal.append(run.id, Entry("late", {})),
            lambda: old._lease.beat(),  # type: ignore[union-attr]
        ):
            with pytest.raises(LockHeld):
                act()
        # What left the old holder before it lost the lock: the cluster itself refuses it.
        late = replace_writer(plan, "rebuild.copy", following.target, 1)
        with pytest.raises(EngineError) as refused:
            old._ask(late.method, late.path, late.body)
        assert "is not an alias" in refused.value.message
        new._lease.release()  # type: ignore[union-attr]


def replace_writer(plan: Plan, id: str, target: str, fencing: int) -> Request:
    """The copy of a step as a holder with that number sends it."""
    step = next(s for s in plan.steps if s.id == id)
    copy = next(s for s in step.statements if isinstance(s, Request) and s.part == "copy")
    text = json.dumps(copy.body).replace("%(writer)s", f"{target}-writer-{fencing}").replace('"%(shard)s"', "0")
    return replace(copy, body=json.loads(text.replace('"%(after)s"', "-1").replace('"%(upto)s"', "1000000")))


@pytest.mark.short
@pytest.mark.parametrize("alias", [False, True], ids=["index", "alias"])
def test_deleted_documents_never_come_back(engine: Handle, alias: bool) -> None:
    """Deleted while it is copied, while it is compared, right before writes are refused; and then copied late. One has
    no run id."""
    version = prepared(engine, 600, alias)
    name = name_of(engine)
    ask(engine, "PUT", f"/{name}/_doc/nameless?version=5&version_type=external", {"WorkflowId": "nameless"})
    ask(engine, "POST", f"/{name}/_refresh")
    hits = ask(engine, "POST", f"/{name}/_search", {"size": 700, "version": True, "_source": False})["hits"]["hits"]
    alive = {hit["_id"]: hit["_version"] for hit in hits if hit["_id"] != "nameless"} | {"nameless": 5}
    gone: dict[str, int] = {}
    late: list[int] = []

    def delete(ids: Sequence[str]) -> None:
        for id in ids:
            gone[id] = alive.pop(id)
            ask(engine, "DELETE", f"/{name}/_doc/{quote(id, safe='')}?version={gone[id] + 1}&version_type=external")

    with opened(engine) as client:
        plan = planned(client, version)
        fresh = next(s for p in plan.steps for s in p.statements if isinstance(s, Request) and s.part == "create").path

        def act(action: Action, outcome: Outcome | None) -> None:
            match action, outcome:
                case ((CopyChunk() | CompareChunk()), _):
                    delete(list(alive)[:20])
                case Swap(), None if not late:
                    for id, old in gone.items():
                        path = f"{fresh}/_doc/{quote(id, safe='')}?version={old}&version_type=external"
                        late.append(client._line.send("PUT", path, {"RunId": id.rpartition("~")[2]}).status)
                    delete([*list(alive)[:7], "nameless"])
                case _:
                    pass

        brought(client, version, options=watching(act))
        assert len(gone) > 60
        assert late.count(409) > 10, "what was copied and then deleted is remembered"
        found = ask(engine, "POST", f"/{name}/_search", {"size": 700, "version": True, "_source": False})["hits"][
            "hits"
        ]
        assert {hit["_id"]: hit["_version"] for hit in found} == alive


@pytest.mark.engines("elasticsearch")
def test_a_clone_that_is_not_whole_at_once_is_waited_for(engine: Handle) -> None:
    """As where the file system shares no files, so that all are copied."""
    version = prepared(engine, 20)
    with opened(engine) as client:
        send = client._line.send

        def slowly(method: str, path: str, body: Any = None, seconds: int = 90) -> Answer:
            if "/_clone/" not in path:
                return send(method, path, body, seconds)
            held = {"settings": {**body["settings"], "index.routing.allocation.enable": "none"}}
            # As the server answers after half a minute.
            answer = send(method, f"{path}?wait_for_active_shards=0", held, seconds).body
            ask(engine, "PUT", f"/{path.rpartition('/')[2]}/_settings", {"index.routing.allocation.enable": None})
            return Answer(200, {**answer, "shards_acknowledged": False})

        client._line.send = slowly  # type: ignore[method-assign]
        brought(client, version)


@pytest.mark.engines("opensearch")
def test_documents_with_a_routing_are_deleted_in_the_shard_that_has_them(engine: Handle) -> None:
    """Temporal gives none; an alias of an operator's may."""
    version, name = prepared(engine, 20), name_of(engine)
    for number in range(8):
        path = f"/{name}/_doc/w~{number}?routing={number}&version=5&version_type=external"
        ask(engine, "PUT", path, {"RunId": str(number)})
    gone: list[str] = []

    def act(action: Action, outcome: Outcome | None) -> None:
        while isinstance(action, CompareChunk) and len(gone) < 8:
            way = f"?routing={len(gone)}&version=6&version_type=external"
            gone.append(ask(engine, "DELETE", f"/{name}/_doc/w~{len(gone)}{way}")["result"])

    with opened(engine) as client:
        brought(client, version, Overlay(elasticsearch=SearchSettings(shards=3)), watching(act))
        assert (gone, client.count()) == (["deleted"] * 8, 20)


def test_a_name_that_somebody_moved_stops_the_run(engine: Handle) -> None:
    """Nothing is done to where it leads now; what the run had done is taken back."""
    version, name = prepared(engine, 200, alias=True), name_of(engine)
    ask(engine, "PUT", f"/{name}-theirs", {"mappings": {"properties": {"RunId": {"type": "keyword"}}}})
    move = {"actions": [{"remove": {"index": f"{name}-first", "alias": name}},
                        {"add": {"index": f"{name}-theirs", "alias": name}}]}  # fmt: skip

    def at_once(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, CompareChunk) and outcome is None:
            ask(engine, "POST", "/_aliases", move)

    def at_the_last_moment(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, Swap) and outcome is None:
            ask(engine, "POST", "/_aliases", move)

    for when in (at_once, at_the_last_moment):
        with opened(engine) as client, pytest.raises(StoreChanged) as told:
            brought(client, version, options=watching(when))
        assert told.value.code == "TV5001"
        first = ask(engine, "GET", f"/{name}-first?flat_settings=true")[f"{name}-first"]
        assert "index.blocks.write" not in first["settings"], "writers are let in again"
        ran = temporal_visibility("schema", "rollback", url_of(engine), "--yes")
        assert indices(engine) == [f"{name}-first", f"{name}-theirs"], ran.err
        ask(engine, "POST", "/_aliases", {"actions": [
            {"remove": {"index": f"{name}-theirs", "alias": name}},
            {"add": {"index": f"{name}-first", "alias": name}}]})  # fmt: skip


def test_a_busy_cluster_is_asked_again(engine: Handle) -> None:
    """Every fourth request is refused for want of room, whatever it is."""
    version = prepared(engine, 300)
    with opened(engine) as client:
        send, count = client._line.send, [0]

        def sometimes(method: str, path: str, body: Any = None, seconds: int = 90) -> Answer:
            count[0] += 1
            return Answer(429, {"error": "busy"}) if count[0] % 4 == 0 else send(method, path, body, seconds)

        client._line.send = sometimes  # type: ignore[method-assign]
        brought(client, version, options=replace(QUICK, lease_seconds=60))
        assert client.count() == 300
    at(engine, version)


def test_a_cluster_that_stays_busy_fails_and_can_go_on(engine: Handle) -> None:
    version = prepared(engine, 100)
    few = replace(QUICK, limits=Limits(attempts=1, longest_pause=0.05))
    with opened(engine) as client:
        send = client._line.send

        def never(method: str, path: str, body: Any = None, seconds: int = 90) -> Answer:
            return Answer(429, {"error": "busy"}) if path.startswith("/_reindex") else send(method, path, body, seconds)

        client._line.send = never  # type: ignore[method-assign]
        with pytest.raises(EngineError) as told:
            brought(client, version, options=few)
        assert told.value.code == "TV5112"
    ran = temporal_visibility("schema", "upgrade", url_of(engine), "--to", version, "--yes")
    assert ran.code == 0, ran.err


@pytest.mark.faults
def test_a_node_that_dies_while_it_copies(engine: Handle) -> None:
    """With a cluster that makes no index by itself. The same command goes on once the node is back."""
    version = prepared(engine)
    ask(engine, "PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": "false"}})

    def die(action: Action, outcome: Outcome | None) -> None:
        if isinstance(outcome, Copied) and outcome.last is not None and outcome.rows:
            engine.kill()

    with SearchWriter(engine.url) as writer:
        with opened(engine) as client, pytest.raises(ConnectionFailed):
            brought(client, version, options=watching(die))
        engine.start()
        writer.wait_for(20)
        with opened(engine) as client:
            brought(client, version)
        writer.wait_for(20)
    check(engine, writer)
    at(engine, version)
    ask(engine, "PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": None}})


@pytest.mark.short
def test_the_first_layout_is_converted_while_it_is_written_to_and_back(engine: Handle) -> None:
    """Documents of the first label get the later form, also those that change meanwhile; a rollback gives them back."""
    name, last = name_of(engine), newest(engine)

    def old(run: str, version: int, more: dict[str, Any]) -> None:
        names = {"NamespaceId": "n", "WorkflowId": "w", "RunId": run, "WorkflowType": "t", "TaskQueue": "q"}
        document = {**names, "StartTime": 1_700_000_000_123_456_789, "ExecutionTime": 0, "ExecutionStatus": 1, **more}
        ask(engine, "PUT", f"/{name}/_doc/w~{run}?version={version}&version_type=external", document)

    def act(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, CompareChunk) and outcome is None:
            old("a1", 20, {"ExecutionStatus": 2, "CloseTime": 1_700_000_001_123_456_789, "Attr": {"Operator": "me"}})
            old("new", 30, {"ExecutionStatus": 7})
            ask(engine, "DELETE", f"/{name}/_doc/w~b2?version=40&version_type=external")

    with opened(engine) as client:
        brought(client, "1.0")
        for run in ("a1", "b2", "c3"):
            old(run, 10, {"Attr": {"Operator": "you", "BinaryChecksums": ["x"]}})
        plan = brought(client, last, options=watching(act))
        assert "rebuild.swap" in {step.id for step in plan.steps}
        at(engine, last)
        found = {r.run_id: r for r in client.read(find(last))}
        assert {run: (r.status, r.version) for run, r in found.items()} == {
            "a1": (2, 20),
            "new": (7, 30),
            "c3": (1, 10),
        }
        assert found["a1"].attributes["BatcherUser"] == "me"
        assert (found["a1"].execution_duration, found["c3"].start_time) == (1_000_000_000, 1_700_000_000_123_456_789)
        later = replace(found["c3"], status=3, version=50, close_time=1_700_000_002_123_456_789)
        assert sum(client.write(find(last), [later, Record("n", "late", "w", "t", 1, 1, 1, version=60)])) == 2
        task = ways_back.rollback(chosen, client, released(), NO_OVERLAY)
        perform(client, task, lambda *_: None, time.monotonic, QUICK)
        before = {r.run_id: r for r in client.read(find("1.0"))}
        assert {run: (r.status, r.version) for run, r in before.items()} == {
            "a1": (2, 20), "new": (7, 30), "c3": (3, 50), "late": (1, 60),
        }  # fmt: skip
        assert before["c3"].close_time == 1_700_000_002_123_456_789
    at(engine, "1.0")
    assert len(indices(engine)) == 1


def test_every_request_that_changes_anything_is_in_the_plan(engine: Handle) -> None:
    """What the dry run shows is what is sent; besides that there are only the books, and looks at the store."""
    version = prepared(engine, 300)
    dry = temporal_visibility("schema", "upgrade", url_of(engine), "--to", version, "--dry-run")
    harmless = ("_search", "_mget", "_refresh", "_count", "_has_privileges", "_msearch")
    with opened(engine) as client:
        sent: list[tuple[str, str]] = []
        send = client._line.send

        def recording(method: str, path: str, body: Any = None, seconds: int = 90) -> Answer:
            plain = path.partition("?")[0]
            if (
                method != "GET"
                and not {BOOKS, "_simulate_index"} & {*plain.split("/")}
                and not plain.endswith(harmless)
            ):
                sent.append((method, plain))
            return send(method, path, body, seconds)

        client._line.send = recording  # type: ignore[method-assign]
        plan = brought(client, version)
        steps = [*plan.steps]
        task = ways_back.rollback(chosen, client, released(), NO_OVERLAY)
        perform(client, task, lambda *_: None, time.monotonic, QUICK)
        steps += task.plan.steps
    shown = {(s.method, s.path.partition("?")[0]) for p in steps for s in p.statements if isinstance(s, Request)}
    # A clone left by an attempt that was cut off would be dropped first; the way back would drop it, too.
    shown |= {(s.method, s.path) for p in plan.abandon for s in p.statements if isinstance(s, Request)}
    assert {"/_reindex", "/_aliases"} <= {path for _, path in sent}
    assert set(sent) - shown == set()
    for step in plan.steps:
        assert step.title in dry.out


def codes(client: SearchClient, plan: Plan) -> set[str]:
    return {problem.code for problem in client.preflight(plan) if problem.fatal}


def test_what_stands_in_the_way_is_found_before_anything_is_done(engine: Handle) -> None:
    version, name = prepared(engine, 100), name_of(engine)
    with opened(engine) as client:
        ask(engine, "PUT", f"/{name}/_settings", {"index.blocks.write": True})
        with pytest.raises(EngineError) as told:
            brought(client, version)
        assert told.value.code == "TV4517"
        ask(engine, "PUT", f"/{name}/_settings", {"index.blocks.write": None})
        plan = planned(client, version)
        ask(engine, "PUT", f"/{name}/_settings", {"index.max_result_window": 1000})
        assert codes(client, plan) == codes(client, planned(client, version, offline=True)) == {"TV4524"}
        ask(engine, "PUT", f"/{name}/_settings", {"index.max_result_window": None, "index.max_terms_count": 1000})
        assert (codes(client, plan), codes(client, planned(client, version, offline=True))) == ({"TV4524"}, set())
        ask(engine, "PUT", f"/{name}/_settings", {"index.max_terms_count": None})
        fresh = next(s for p in plan.steps for s in p.statements if isinstance(s, Request) and s.part == "create").path
        ask(engine, "PUT", fresh, {})
        assert "TV4520" in codes(client, plan)
        # The next plan takes another name.
        brought(client, version)
        assert client.observe().names.holder == f"{fresh[1:]}-2"


def test_what_templates_make_of_the_new_index_is_found_before(engine: Handle) -> None:
    """It would have the store's name at once: two would answer to it, and no write would know where to go. Or it would
    keep documents without their memos, and nobody would miss them before the old index is gone."""
    version, name = prepared(engine, 20, alias=True), name_of(engine)
    with opened(engine) as client:
        plans = [planned(client, version, offline=offline) for offline in (False, True)]
        for code, inner in (
            ("TV4528", {"aliases": {name: {}}}),
            ("TV4531", {"mappings": {"_source": {"excludes": ["Memo"]}}}),
        ):
            for kind, body in (("_template", inner), ("_index_template", {"template": inner})):
                ask(engine, "PUT", f"/{kind}/{name}_theirs", {"index_patterns": [f"{name}-*"], **body})
                assert [codes(client, plan) for plan in plans] == [{code}] * 2
                ask(engine, "DELETE", f"/{kind}/{name}_theirs")
        assert [codes(client, plan) for plan in plans] == [set()] * 2


@pytest.mark.parametrize("cloned", [False, True], ids=["index", "clone"])
def test_an_index_of_somebody_else_is_not_dropped(engine: Handle, cloned: bool) -> None:
    """It got the name that the old index was to have, while a run stood still: a new one, or a copy made for safety."""
    version, name = prepared(engine, 50), name_of(engine)

    def cut(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, Swap) and outcome is None:
            raise KeyboardInterrupt

    with opened(engine) as client:
        steps = planned(client, version).steps
        swap = next(step for step in steps if step.id == "rebuild.swap")
        theirs = shadow.clone_name(shadow.part(swap.statements, "clone"))
        with pytest.raises(KeyboardInterrupt):
            brought(client, version, options=watching(cut))
    if cloned:
        ask(engine, "PUT", f"/{name}/_block/write")
        ask(engine, "PUT", f"/{name}/_clone/{theirs}", {"settings": {"index.blocks.write": None}})
        ask(engine, "PUT", f"/{name}/_settings", {"index.blocks.write": None})
    else:
        # Made first: a cluster that has seen an upgrade from nothing makes no index for a document by itself.
        ask(engine, "PUT", f"/{theirs}")
    ask(engine, "PUT", f"/{theirs}/_doc/1?refresh=true", {"mine": "precious"})
    with opened(engine) as client:
        with pytest.raises(EngineError) as told:
            brought(client, version)
        assert told.value.code == "TV4520"
        task = ways_back.rollback(chosen, client, released(), TWO_SHARDS)
        perform(client, task, lambda *_: None, time.monotonic, QUICK)
    assert indices(engine) == [name, theirs]
    assert ask(engine, "GET", f"/{theirs}/_doc/1")["_source"] == {"mine": "precious"}


@pytest.mark.parametrize("offline", [False, True], ids=["online", "offline"])
def test_documents_are_not_sent_through_pipelines_again(engine: Handle, offline: bool) -> None:
    """Nor by what goes on after a swap that was cut off, nor on the way back; and each index has its own afterwards.
    Nor are they sent through one that a template of somebody else gives to the new index, which does not get it."""
    version, name = prepared(engine, 50), name_of(engine)
    ways = ("index.default_pipeline", "index.final_pipeline")
    own, theirs = ways if offline else reversed(ways)
    # A copy that meets them fails, as they are not there.
    pipelines = {own: f"{name}-none"}
    ask(engine, "PUT", f"/{name}/_settings", pipelines)
    body = {"index_patterns": [f"{name}-*"], "settings": {theirs: f"{name}-neither"}}
    ask(engine, "PUT", f"/_template/{name}_theirs", body)

    def wrote(run: str) -> None:
        ask(engine, "PUT", f"/{name}/_settings", dict.fromkeys(pipelines))
        ask(engine, "PUT", f"/{name}/_doc/w~{run}?version=5&version_type=external&refresh=true", {"RunId": run})
        ask(engine, "PUT", f"/{name}/_settings", pipelines)

    def has(rows: int) -> None:
        [facts] = ask(engine, "GET", f"/{name}/_settings?flat_settings=true").values()
        assert {key: facts["settings"][key] for key in ways if key in facts["settings"]} == pipelines
        assert client.count() == rows

    with opened(engine) as client:
        if offline:
            brought(client, version, offline=True)
            has(50)
            return
        send = client._line.send

        def cut(method: str, path: str, body: Any = None, seconds: int = 90) -> Answer:
            if "remove_index" in str(body):
                raise ConnectionFailed("TV4002", "cut off")
            return send(method, path, body, seconds)

        client._line.send = cut  # type: ignore[method-assign]
        with pytest.raises(ConnectionFailed):
            brought(client, version)
        client._line.send = send  # type: ignore[method-assign]
        wrote("late")
    with opened(engine) as client:
        brought(client, version)
        has(51)
        wrote("later")
        task = ways_back.rollback(chosen, client, released(), TWO_SHARDS)
        perform(client, task, lambda *_: None, time.monotonic, QUICK)
        has(52)


def test_documents_without_their_source_are_not_copied(engine: Handle) -> None:
    name = name_of(engine)
    definition: Definition = find(newest(engine))
    properties = chosen.catalog(definition).children(("properties",))
    ask(engine, "PUT", f"/{name}", {"mappings": {
        "dynamic": "false", "_source": {"excludes": ["Memo"]}, "properties": properties}})  # fmt: skip
    ask(engine, "PUT", f"/{name}/_doc/w~r?refresh=true", {"RunId": "r", "Memo": "x"})
    for offline in (False, True):
        with opened(engine) as client, pytest.raises(EngineError) as told:
            brought(client, newest(engine), offline=offline)
        assert told.value.code == "TV4518"
    assert indices(engine) == [name]


_UNTIL = "for (int i = 0; i < 900000 && new Date().getTime() < params.end; i++) { ctx._source.HistoryLength = i; }"


@pytest.mark.parametrize("way", ["online", "offline"])
def test_writes_under_way_when_writes_are_refused_are_not_lost(engine: Handle, way: str) -> None:
    """A server waits for them only so long, and answers all the same."""
    refused_while_one_writes(engine, way)


@pytest.mark.short
def test_who_gives_up_while_writes_are_under_way_lets_writers_in_again(engine: Handle) -> None:
    """What a server has then refused by halves, no setting takes away."""
    refused_while_one_writes(engine, "killed")


def refused_while_one_writes(engine: Handle, way: str) -> None:
    """A run that refuses writes in the middle of one; `way`: `killed` then, or how it goes on."""
    version, name, slow = prepared(engine, 20), name_of(engine), 200

    def written_until(end: float) -> bytes:
        lines: list[Any] = []
        for number in range(slow):
            script = {"source": _UNTIL, "params": {"end": int(end * 1000)}}
            lines += [{"update": {"_index": name, "_id": f"slow{number}"}},
                      {"scripted_upsert": True, "upsert": {"RunId": f"slow{number}"}, "script": script}]  # fmt: skip
        body = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
        return call("POST", f"{base(engine.address)}/_bulk", body, {"Content-Type": "application/x-ndjson"})

    with opened(engine) as client, ThreadPoolExecutor(1) as pool:
        send, written = client._line.send, list[Any]()

        def impatient(method: str, path: str, content: Any = None, seconds: int = 90) -> Answer:
            if path != f"/{name}/_block/write" or written:
                return send(method, path, content, seconds)
            written.append(pool.submit(written_until, time.time() + 3))
            wait_until(lambda: "bulk[s]" in str(ask(engine, "GET", "/_tasks?actions=*bulk*")), 10, "the write")
            answer = send(method, f"{path}?timeout=10ms", content, seconds)
            assert answer.body["acknowledged"] is False
            if way == "killed":
                raise KeyboardInterrupt
            return answer

        client._line.send = impatient  # type: ignore[method-assign]
        if way == "killed":
            with pytest.raises(KeyboardInterrupt):
                brought(client, version)
        else:
            brought(client, version, offline=way == "offline")
        assert b'"errors":false' in written[0].result()
        if way == "killed":
            ran = temporal_visibility("schema", "rollback", url_of(engine), "--yes")
            assert ran.code == 0, ran.err
        ask(engine, "PUT", f"/{name}/_doc/late", {"RunId": "late"})
        assert client.count() == 20 + slow + 1


@pytest.mark.short
@pytest.mark.parametrize("on", [False, True], ids=["back", "on"])
def test_a_run_that_ended_while_writes_were_refused_is_taken_back_or_goes_on(engine: Handle, on: bool) -> None:
    """The block and the clone are seen to be its own, whatever the server remembers of them."""
    version, name = prepared(engine, 20), name_of(engine)
    dead = []
    with opened(engine) as client:
        send = client._line.send

        def killed(method: str, path: str, body: Any = None, seconds: int = 90) -> Answer:
            if dead or (path == "/_aliases" and "remove_index" in str(body)):
                dead.append(path)
                raise ConnectionFailed("TV4002", "killed")
            return send(method, path, body, seconds)

        client._line.send = killed  # type: ignore[method-assign]
        with pytest.raises(ConnectionFailed):
            brought(client, version)
    assert "index.blocks.write" in str(ask(engine, "GET", f"/{name}/_settings?flat_settings=true"))
    words = ("upgrade", "--to", version) if on else ("rollback",)
    ran = temporal_visibility("schema", *words, url_of(engine), "--yes")
    assert ran.code == 0, ran.err
    ask(engine, "PUT", f"/{name}/_doc/late", {"RunId": "late"})
    assert len(indices(engine)) == (2 if on else 1)


def test_a_swap_that_arrives_late_drops_nothing(engine: Handle) -> None:
    """A gateway gives up waiting for a node that is busy; writers are let in again, and then the node does it."""
    version, name = prepared(engine, 20), name_of(engine)
    late = list[tuple[str, str, Any]]()
    with opened(engine) as client:
        send = client._line.send

        def sending(method: str, path: str, body: Any = None, seconds: int = 90) -> Answer:
            if path == "/_aliases" and "remove_index" in str(body) and not late:
                late.append((method, path, body))
                return Answer(504, {})
            return send(method, path, body, seconds)

        client._line.send = sending  # type: ignore[method-assign]
        with pytest.raises(EngineError, match="504"):
            brought(client, version)
        ask(engine, "PUT", f"/{name}/_doc/late", {"RunId": "late"})
        assert send(*late[0]).status == 404
        brought(client, version)
        assert client.count() == 21


@pytest.mark.parametrize("alias", [False, True], ids=["index", "alias"])
def test_what_is_added_meanwhile_is_kept_there_and_back(engine: Handle, alias: bool) -> None:
    """Search attributes and aliases, made while it copies and after the swap; an alias taken away stays away. So is a
    filter that the store's own name has, and another form of a field, made while it copies; and settings, too."""
    version, name = prepared(engine, 20, alias), name_of(engine)

    def aliased(action: str, word: str, **more: Any) -> None:
        [holder] = ask(engine, "GET", f"/{name}")
        facts = {"index": holder, "alias": f"{name}-{word.lower()}", **more}
        ask(engine, "POST", "/_aliases", {"actions": [{action: facts}]})

    def add(word: str) -> None:
        ask(engine, "PUT", f"/{name}/_mapping", {"properties": {word: {"type": "keyword"}}})
        ask(engine, "PUT", f"/{name}/_doc/w~{word}?version=9&version_type=external", {"RunId": word, word: "x"})
        aliased("add", word, filter={"term": {word: "x"}})

    def has(*words: str) -> None:
        ask(engine, "POST", f"/{name}/_refresh")
        assert [ask(engine, "GET", f"/{name}-{word.lower()}/_count")["count"] for word in words] == [1] * len(words)
        [facts] = ask(engine, "GET", f"/{name}").values()
        assert set(facts["aliases"]) - {name} == {f"{name}-{word.lower()}" for word in words}
        assert facts["mappings"]["properties"]["WorkflowType"] == twice
        assert facts["aliases"][name].get("filter") == (only["filter"] if alias else None)
        assert chosen_settings.items() <= inspect.flat_settings(facts["settings"]).items()

    def choose(setting: str, value: str) -> None:
        chosen_settings[setting] = value
        ask(engine, "PUT", f"/{name}/_settings", {f"index.{setting}": value})

    def act(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, CompareChunk) and outcome is None and not added:
            added.append("Early")
            choose("mapping.total_fields.limit", "2000")
            add("Early")
            ask(engine, "PUT", f"/{name}/_mapping", {"properties": {"WorkflowType": twice}})
            aliased("remove", "gone")
            choose("refresh_interval", "7s")

    added: list[str] = []
    chosen_settings: dict[str, str] = {}
    twice = {"type": "keyword", "fields": {"words": {"type": "text"}}}
    aliased("add", "gone")
    with opened(engine) as client:
        fields = len(client.observe().catalog.children(("properties",)))
    ask(engine, "PUT", f"/{name}/_settings", {"index.mapping.total_fields.limit": fields})
    only: dict[str, Any] = {"filter": {"exists": {"field": "RunId"}}}
    if alias:
        [holder] = ask(engine, "GET", f"/{name}")
        ask(engine, "POST", "/_aliases", {"actions": [{"add": {"index": holder, "alias": name, **only}}]})
    with opened(engine) as client:
        brought(client, version, options=watching(act))
        at_with(client, version, "Early")
        has("Early")
        add("Late")
        choose("max_result_window", "20000")
        # No open index takes it, nor what comes with it in one request.
        ask(engine, "POST", f"/{name}/_close")
        ask(engine, "PUT", f"/{name}/_settings", {"index.codec": "best_compression"})
        ask(engine, "POST", f"/{name}/_open")
        aliased("remove", "early")
        task = ways_back.rollback(chosen, client, released(), TWO_SHARDS)
        perform(client, task, lambda *_: None, time.monotonic, QUICK)
        has("Late")
        at_with(client, version, "Early", "Late")


def at_with(client: SearchClient, version: str, *words: str) -> None:
    have = client.observe().catalog.children(("properties",))
    assert have.keys() - chosen.catalog(find(version)).children(("properties",)).keys() == set(words)


@pytest.mark.engines("opensearch")
def test_a_plan_of_what_the_index_no_longer_has_is_refused(engine: Handle) -> None:
    """Its new index would lack what was given to the old one since the plan was made; a new plan has it."""
    version, name = prepared(engine, 20), name_of(engine)
    with opened(engine) as client:
        plans = [planned(client, version, offline=offline) for offline in (False, True)]
        ask(engine, "PUT", f"/{name}/_settings", {"index.max_result_window": "20000"})
        ask(engine, "POST", "/_aliases", {"actions": [{"add": {"index": name, "alias": f"{name}-mine"}}]})
        for plan in plans:
            with pytest.raises(StoreChanged, match="index/settings"):
                perform(
                    client,
                    upgrade_task(chosen, plan, find(version), NO_OVERLAY),
                    lambda *_: None,
                    time.monotonic,
                    QUICK,
                )
            task = ways_back.rollback(chosen, client, released(), TWO_SHARDS)
            perform(client, task, lambda *_: None, time.monotonic, QUICK)
        brought(client, version, offline=True)
    [facts] = ask(engine, "GET", f"/{name}?flat_settings=true").values()
    assert facts["settings"]["index.max_result_window"] == "20000"
    assert set(facts["aliases"]) == {name, f"{name}-mine"}


@pytest.mark.engines("elasticsearch")
def test_an_overlay_that_is_taken_away_is_none_of_the_indexs_own_changes(engine: Handle) -> None:
    """A rollback without it brings back what the index had, and is no failure."""
    version, name = prepared(engine, 20), name_of(engine)
    ask(engine, "PUT", f"/{name}/_settings", {"index.refresh_interval": "7s"})
    wishes = Overlay(elasticsearch=SearchSettings(refresh_interval="9s"))
    with journeys.opened(url_of(engine), wishes) as (_, client):
        assert isinstance(client, SearchClient)
        brought(client, version, wishes)
    with opened(engine) as client:
        task = ways_back.rollback(chosen, client, released(), TWO_SHARDS)
        perform(client, task, lambda *_: None, time.monotonic, QUICK)
    [facts] = ask(engine, "GET", f"/{name}?flat_settings=true").values()
    assert facts["settings"]["index.refresh_interval"] == "7s"


@pytest.mark.parametrize("begun", [False, True], ids=["before", "begun"])
def test_what_somebody_dropped_or_moved_shuts_no_way(engine: Handle, begun: bool) -> None:
    """Without the old index a rollback does not begin, or does not go on after its swap was cut off; and the run can be
    finished, which lets writers in. So it can where the new one was dropped, or the name moved back by hand: then the
    old one stays."""
    version, name = prepared(engine, 20), name_of(engine)
    with opened(engine) as client:
        brought(client, version)
        holder = client.observe().names.holder
        if begun:
            cut_off_at_its_swap(engine, client)
    [kept] = {*indices(engine)} - {holder}
    ask(engine, "DELETE", f"/{kept}")
    ran = temporal_visibility("schema", "rollback", url_of(engine), "--yes")
    assert (ran.code, "TV4526" in ran.err, "`schema finish`" in ran.err) == (1, True, True), ran.err
    if begun:
        with opened(engine) as client:
            dying_at(client, lambda path, _: "_doc/plan" in path, ways_back.finish(client))
    finished(engine)
    assert indices(engine) == [holder] != [name]
    with opened(engine) as client:
        brought(client, version, TWO_SHARDS)
        newer = client.observe().names.holder
        if begun:
            cut_off_at_its_swap(engine, client, NO_OVERLAY)
    back = {"actions": [{"remove": {"index": newer, "alias": name}}, {"add": {"index": holder, "alias": name}}]}
    ask(engine, *(("DELETE", f"/{newer}") if begun else ("POST", "/_aliases", back)))
    ran = temporal_visibility("schema", "finish", url_of(engine), "--yes")
    assert ran.code == 0, ran.err
    assert indices(engine) == ([] if begun else sorted([holder, newer]))


def cut_off_at_its_swap(engine: Handle, client: SearchClient, before: Overlay = TWO_SHARDS) -> None:
    """A rollback that dies when it has refused writes."""
    name = name_of(engine)
    task = ways_back.rollback(chosen, client, released(), before)
    dying_at(client, lambda path, body: path == "/_aliases" and f"'{name}'" in str(body), task)
    assert "index.blocks.write" in str(ask(engine, "GET", f"/{name}?flat_settings=true"))


def dying_at(client: SearchClient, place: Callable[[str, Any], bool], task: Task) -> None:
    """Begin `task`, which dies before the first request at that place: nothing is asked any more."""
    send, dead = client._line.send, list[str]()

    def dying(method: str, path: str, body: Any = None, seconds: int = 90) -> Answer:
        if dead or place(path, body):
            dead.append(path)
            raise ConnectionFailed("TV4002", "cut off")
        return send(method, path, body, seconds)

    client._line.send = dying  # type: ignore[method-assign]
    with pytest.raises(ConnectionFailed):
        perform(client, task, lambda *_: None, time.monotonic, replace(QUICK, lease_seconds=1))
    client._line.send = send  # type: ignore[method-assign]


@pytest.mark.engines("elasticsearch")
def test_a_plain_rebuild_that_was_cut_off_is_taken_back_until_its_last_request(engine: Handle) -> None:
    """Also before there is a new index. Once the old one is gone there is no way back, and the same command goes on."""
    version, name = prepared(engine, 20), name_of(engine)
    last: list[bool] = []

    def after_the_last(path: str, body: Any) -> bool:
        last.append(path == "/_aliases" and "remove_index" in str(body))
        return any(last[:-1])

    for place in (lambda path, _: path == f"/{name}/_block/write", after_the_last):
        with opened(engine) as client:
            plan = planned(client, version, offline=True)
            dying_at(client, place, upgrade_task(chosen, plan, find(version), NO_OVERLAY))
        ran = temporal_visibility("schema", "rollback", url_of(engine), "--yes")
        assert (ran.code, "TV4526" in ran.err) == ((1, True) if last else (0, False)), ran.err
    ran = temporal_visibility("schema", "upgrade", url_of(engine), "--to", version, "--offline", "--yes")
    assert ran.code == 0, ran.err
    at(engine, version)
