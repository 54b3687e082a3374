"""Rebuilds beside live writes without a server: slices, windows, requests, and what stands in the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines_unit.test_elasticsearch import BY_LABEL, store
from toolkit.apply import plan_json
from toolkit.catalog import Json
from toolkit.engines import elasticsearch as engine
from toolkit.engines.elasticsearch import forming, inspect, preflight, rights, shadow
from toolkit.engines.elasticsearch.following import Following, checkpoints
from toolkit.engines.elasticsearch.forming import Templates
from toolkit.engines.elasticsearch.names import BOOKS
from toolkit.engines.elasticsearch.rebuilder import BRIEF, Pass, _windows, bearable
from toolkit.engines.elasticsearch.slices import LIST, Mark, Slice, coarse, differing, grid, periods, small, together
from toolkit.engines.elasticsearch.store import SearchStore
from toolkit.engines.elasticsearch.transport import Answer, TooBusy, refused
from toolkit.engines.online import Route
from toolkit.errors import EngineError
from toolkit.overlay import NO_OVERLAY, Overlay, SearchSettings
from toolkit.plan import Mode, Plan, Request
from toolkit.targets import parse_url

IDS = st.one_of(st.uuids().map(str), st.text("0123456789abcdefgz-_~é", max_size=14))


def inside(slice_: Slice, id: str | None) -> bool:
    if id is None or slice_.missing:
        return slice_.missing and id is None
    low, high = slice_.low, slice_.high
    return (low is None or id >= low) and (high is None or id < high)


@given(IDS)
def test_every_document_is_in_one_slice_and_in_one_part_of_it(id: str) -> None:
    [found] = [s for s in grid() if inside(s, id)]
    for _ in range(5):
        parts = found.parts()
        if not parts:
            break
        [found] = [part for part in parts if inside(part, id)]
    assert [s for s in coarse() if inside(s, id)] != []
    assert [s for s in grid() if inside(s, None)] == [Slice(missing=True)]


@given(st.integers(1_000_000_000_000, 3_000_000_000_000))
def test_every_start_is_in_one_slice_and_in_one_part_of_it(at: int) -> None:
    [found] = [s for s in periods() if inside(s, str(at))]
    while found.parts():
        [found] = [part for part in found.parts() if inside(part, str(at))]
    assert found.low is None or found.high is None or 0 <= at - int(found.low) < int(found.high) - int(found.low) < 16
    assert together(periods()) == together(grid()) == {"match_all": {}}
    assert together(periods()[1:]) != {"match_all": {}}


@given(st.lists(IDS, max_size=60, unique=True), st.sets(st.integers(0, 59), max_size=4))
def test_documents_that_are_on_one_side_only_are_found(ids: list[str], lost: set[int]) -> None:
    there = {id: 900 for id in ids}
    here = {id: 900 for number, id in enumerate(ids) if number not in lost}

    def count(side: dict[str, int], slice_: Slice) -> Mark:
        return Mark(sum(n for id, n in side.items() if inside(slice_, id)), None)

    def both(slices: Sequence[Slice]) -> list[tuple[Mark, Mark]]:
        return [(count(there, s), count(here, s)) for s in slices]

    leaves = [leaf for batch in differing(coarse(), both) for leaf in batch]
    for number in lost & set(range(len(ids))):
        assert sum(inside(leaf, ids[number]) for leaf in leaves) == 1
    listed = small(grid(), both)
    for id in ids:
        assert sum(inside(leaf, id) for batch in listed for leaf in batch) == 1
    for batch in listed:
        assert len(batch) == 1 or sum(count(there, leaf).count for leaf in batch) <= LIST


@given(
    st.dictionaries(st.sampled_from("0123"), st.integers(-1, 500), min_size=1), st.integers(-1, 500), st.integers(1, 99)
)
def test_windows_are_what_lies_between(goal: dict[str, int], at: int, width: int) -> None:
    found = [(shard, n) for shard, low, high in _windows(goal, at, at + width) for n in range(low + 1, high + 1)]
    wanted = [(shard, n) for shard, end in goal.items() for n in range(at + 1, min(at + width, end) + 1)]
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize(("last", "wanted"), [
    (None, 500),  # nothing was looked for yet: those of 100 keys
    (Pass(400, BRIEF / 2), 800),  # twice as many in twice the time
    (Pass(40, BRIEF / 2), 500),  # few were there; so many are always borne
    (Pass(90_000, BRIEF * 1.1), 500),  # writers would wait too long for another one
    (Pass(0, 0.0), 500),
])  # fmt: skip
def test_how_many_deletes_writers_wait_for(last: Pass | None, wanted: int) -> None:
    assert bearable(100, last) == wanted


def following(answer: Json, status: int = 200) -> Following:
    """From `a` to `b`, where every request gets this answer."""
    none, lease = cast(Any, None), cast(Any, SimpleNamespace(fencing=1, check=lambda: None))

    def ask(method: str, path: str, body: Any, fine: tuple[int, ...]) -> Answer:
        answered = Answer(status, cast(Any, answer))
        if status >= 400 and status not in fine:
            raise refused(answered, parse_url("elasticsearch+http://h:9200/a", {}))
        return answered

    return Following(shadow.tools(shadow.Pair("a", "b", 2)), ask, none, none, lease)


@pytest.mark.parametrize(("answer", "code"), [
    ({"failures": [{"status": 403, "cause": {"type": "cluster_block_exception", "reason": "index write"}}]}, "TV4505"),
    ({"error": {"type": "security_exception", "reason": "no permissions"}, "status": 403}, "TV4515"),
])  # fmt: skip
def test_a_block_on_the_new_index_is_no_want_of_rights(answer: Json, code: str) -> None:
    with pytest.raises(EngineError) as told:
        following(answer, 403).copy("0", 0, 5)
    assert (told.value.code, "total" in told.value.message) == (code, False)


def test_what_a_missing_shard_had_is_not_taken_for_deleted() -> None:
    missing: Json = {"_id": "r", "error": {"type": "no_shard_available_action_exception", "reason": "nowhere"}}
    gone: Json = {"_id": "g", "found": False}
    there: Json = {"_id": "t", "found": True, "_version": 7}
    keys = [("g", ""), ("t", "x"), ("r", "")]
    assert following({"docs": [gone, there]}).versions("live", keys[:2]) == {("t", "x"): 7}
    with pytest.raises(TooBusy, match="nowhere"):
        following({"docs": [gone, there, missing]}).versions("live", keys)


def test_a_shard_that_is_nowhere_is_missed() -> None:
    copies: Json = [{"routing": {"primary": True}, "seq_no": {"global_checkpoint": 6}}]
    new: Json = [{"routing": {"primary": True}}]

    def seen(**shards: Json) -> Answer:
        return Answer(200, {"indices": {"i": {"shards": shards}}} if shards else {"indices": {}})

    assert checkpoints(seen(**{"0": copies, "1": copies}), "i", 2) == {"0": 6, "1": 6}
    for answer in (seen(), seen(**{"1": copies}), seen(**{"0": copies}), seen(**{"0": copies, "1": new})):
        with pytest.raises(TooBusy, match="has no primary"):
            checkpoints(answer, "i", 2)


def test_texts_are_filled_in_as_values() -> None:
    request = Request("POST", "/a/_search?preference=_shards:%(shard)s", {"a": ["%(x)s", "%(y)s"], "b": "100 %(x)s"})
    found = shadow.filled(request, {"shard": 3, "x": {"q": 1}})
    assert found == Request("POST", "/a/_search?preference=_shards:3", {"a": [{"q": 1}, "%(y)s"], "b": "100 %(x)s"})


def seen(start: str = "v1", holder: str | None = None, rows: int = 5) -> SearchStore:
    """A store in use, whose shards are not those of the template."""
    made = store(engine.catalog(BY_LABEL[start]), start, holder=holder)
    settings: dict[str, Json] = {**made.catalog.children(("settings",)), "number_of_shards": "3"}
    catalog = replace(made.catalog, body={**made.catalog.body, "settings": settings})
    return replace(made, catalog=catalog, rows=rows, uuid="u-1", taken=("visibility", "visibility-v14"))


def test_the_route_of_a_rebuild() -> None:
    route = engine.online(seen(), BY_LABEL["v14"])
    assert [s.id for s in route.steps if s.id.startswith("rebuild")] == [
        f"rebuild.{w}" for w in ("create", "copy", "follow", "serve", "compare", "swap", "settle")
    ]
    assert [s.mode for s in route.steps if s.mode is not Mode.ONCE] == [
        Mode.COPY, Mode.REPLAY, Mode.COMPARE, Mode.SWAP,
    ]  # fmt: skip
    swap = next(s for s in route.steps if s.mode is Mode.SWAP)
    actions = shadow.part(swap.statements, "swap").body
    assert actions == {"actions": [
        {"remove": {"index": "visibility-v14-2", "alias": "%(writer)s", "must_exist": True}},
        {"remove_index": {"index": "visibility"}},
        {"add": {"index": "visibility-v14-2", "alias": "visibility", "is_write_index": True}},
    ]}  # fmt: skip
    assert shadow.clone_name(shadow.part(swap.statements, "clone")) == "visibility-v1"
    later = engine.online(seen(holder="visibility-old"), BY_LABEL["v14"])
    moved = shadow.part(next(s for s in later.steps if s.mode is Mode.SWAP).statements, "swap").body
    assert {"remove": {"index": "visibility-old", "alias": "visibility", "must_exist": True}} in moved["actions"]  # type: ignore[index,call-overload,operator]
    [drop] = later.finish
    assert drop.statements == (shadow.drop_unless_named("visibility-old", "visibility"),)


@pytest.mark.parametrize(("size", "wanted"), [
    (None, 2000),
    (50_000, 2000),  # a few small ones take more on disk than they are
    (4_000_000_000, 2000),
    (400_000_000_000, 20),
    (100_000_000_000, 83),
])  # fmt: skip
def test_large_documents_are_read_few_at_once(size: int | None, wanted: int) -> None:
    """With memos of 100 kB each, pages of thousands would take a node all the memory it has, and end it."""
    large = replace(seen(), rows=1_000_000, size=size)
    route, back = engine.online(large, BY_LABEL["v14"]), "rebuild.back.follow"
    plain = engine.steps(large, BY_LABEL["v14"])
    copies = [s for step in (*route.steps, *route.rollback, *plain) for s in step.statements
              if isinstance(s, Request) and s.path.startswith("/_reindex?")]  # fmt: skip
    assert {s.id for s in route.rollback} >= {back}
    assert {copy.body["source"]["size"] for copy in copies} == {wanted}  # type: ignore[index,call-overload]


def test_what_needs_no_rebuild_or_has_no_documents_takes_the_plain_way() -> None:
    for observed in (seen(rows=0), store(engine.catalog(BY_LABEL["v13"]), "v13")):
        plain = engine.steps(observed, BY_LABEL["v14"])
        assert engine.online(observed, BY_LABEL["v14"]) == Route(plain)


def plan(route: Route) -> Plan:
    return Plan("elasticsearch", (), None, "1.14", "b", "g", route.steps, (), route.rollback, route.abandon,
                route.finish)  # fmt: skip


def test_a_plan_survives_being_written_down() -> None:
    made = plan(engine.online(seen(), BY_LABEL["v14"]))
    assert plan_json.load(plan_json.dump(made)) == made


def codes(problems: object) -> list[tuple[str, bool]]:
    return [(problem.code, problem.fatal) for problem in problems]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("status", "wanted"), [
    ("green", []), ("yellow", [("TV4516", False)]), ("red", [("TV4516", True)]),
])  # fmt: skip
def test_health(status: str, wanted: list[tuple[str, bool]]) -> None:
    assert codes(preflight.health({"status": status}, "i")) == wanted


def test_the_first_cause_is_told() -> None:
    cause: Json = {"type": "t", "reason": "is set to false"}
    error: Json = {"root_cause": [cause], "type": "search_phase_execution_exception", "reason": "all shards failed"}
    refused = Answer(400, {"error": error})
    assert refused.reason == "search_phase_execution_exception: all shards failed: is set to false"
    assert codes(preflight.compared(refused, "i")) == [("TV4524", True)]
    assert codes(preflight.compared(Answer(200, {}), "i")) == codes(preflight.compared(Answer(403, {}), "i")) == []
    assert Answer(400, {"error": {**cause, "root_cause": [cause]}}).reason == "t: is set to false"


def test_rights() -> None:
    lacks = {
        "username": "me", "has_all_requested": False, "cluster": {"monitor": True},
        "index": {"visibility": {"manage": False, "read": True}},
    }  # fmt: skip
    [problem] = rights.privileges(lacks)
    assert (problem.code, problem.message) == ("TV4515", "user me may not: manage on visibility")
    for holder, named in ((None, ()), ("visibility-v13", ()), ("other", ("other",))):
        asked = rights.wanted(seen(holder=holder))
        assert asked["index"][0]["names"] == ["visibility", "visibility-*", *named]  # type: ignore[index,call-overload]
    assert codes(rights.privileges({})) == codes(rights.privileges({"has_all_requested": True})) == []


@pytest.mark.parametrize(("free", "wanted"), [
    (900, []), (200, [("TV4521", False)]), (50, [("TV4521", True)]),
])  # fmt: skip
def test_room(free: int, wanted: list[tuple[str, bool]]) -> None:
    disk = {"fs": {"total": {"available_in_bytes": free << 20, "total_in_bytes": 1000 << 20}}}
    assert codes(preflight.room({"nodes": {"a": disk}}, 100 << 20)) == wanted
    assert codes(preflight.room({}, 100 << 20)) == []


@pytest.mark.parametrize(("nodes", "roles", "wanted"), [
    (5, ["data_hot", "ingest"], []), (4, ["data"], [("TV4521", True)]), (9, ["master"], []),
])  # fmt: skip
def test_room_for_several_shards(nodes: int, roles: list[str], wanted: list[tuple[str, bool]]) -> None:
    """No node can take all of them; one without data takes none, and nothing is said where no node has any."""
    disk = {"roles": roles, "fs": {"total": {"available_in_bytes": 400 << 20, "total_in_bytes": 500 << 20}}}
    found = {str(number): disk for number in range(nodes)}
    assert codes(preflight.room({"nodes": found}, 1500 << 20, 5)) == wanted


def test_an_index_without_copies_waits_for_none() -> None:
    waits, overlay = "write.wait_for_active_shards", Overlay(elasticsearch=SearchSettings(replicas=1))
    observed = replace(seen(), kept=replace(seen().kept, settings={waits: "2"}))
    for wished, during, later in ((overlay, "1", "2"), (NO_OVERLAY, "2", None)):
        steps = {step.id: step.statements for step in engine.online(observed, BY_LABEL["v14"], wished).steps}
        [made], settled = steps["rebuild.create"], steps["rebuild.settle"][0]
        assert inspect.flat_settings(made.body)[f"settings.index.{waits}"] == during  # type: ignore[union-attr,arg-type]
        assert inspect.flat_settings(settled.body).get(waits) == later  # type: ignore[union-attr,arg-type]


def test_old_servers_templates_and_names() -> None:
    assert codes(preflight.version("Elasticsearch 7.9.3")) == [("TV4519", True)]
    assert codes(preflight.version("Elasticsearch 7.17.15")) == codes(preflight.version("OpenSearch 1.0.0")) == []
    observed = seen()
    made = plan(engine.online(observed, BY_LABEL["v14"]))
    others = {name: {"index_patterns": [pattern]} for name, pattern in
              (("all", "*"), ("visibility_template", "visibility-*"), ("other", "o*"))}  # fmt: skip
    [name] = forming.made(made)
    for known in (Templates(others, {}), Templates({}, others), Templates(others, {"hidden": others["all"]})):
        [told] = forming.hidden(known, name, observed)
        assert (told.code, told.fatal, "template all" in told.message) == ("TV4522", False, True)
    assert codes(preflight.taken(made, observed)) == []
    silent = Answer(403, {"error": {"type": "security_exception"}, "status": 403})
    assert codes(forming.check(lambda *_: silent, made, observed)) == []
    assert codes(preflight.taken(made, replace(observed, taken=("visibility-v14-2",)))) == [("TV4520", True)]


@pytest.mark.parametrize(("start", "wanted"), [("v0", [("TV4523", False)]), ("v1", [])])
def test_computed_fields_do_not_follow_into_another_layout(start: str, wanted: list[tuple[str, bool]]) -> None:
    observed = seen(start)
    more: dict[str, Json] = {"runtime": {"Day": {"type": "keyword"}}, "date_detection": False}
    observed = replace(observed, kept=replace(observed.kept, more=more))
    for route in (engine.online(observed, BY_LABEL["v14"]), Route(engine.steps(observed, BY_LABEL["v14"]))):
        assert codes(preflight.forgotten(plan(route), observed)) == wanted
        assert "date_detection" in str(route.steps)


@pytest.mark.parametrize(("kind", "cluster", "wanted"), [
    ("SEGMENT", "DOCUMENT", [("TV4534", False)]), ("SEGMENT", "SEGMENT", []), ("DOCUMENT", "DOCUMENT", []),
])  # fmt: skip
def test_a_new_index_has_the_clusters_kind_of_replication(
    kind: str, cluster: str, wanted: list[tuple[str, bool]]
) -> None:
    known: dict[str, Any] = {"defaults": {"cluster.indices.replication.strategy": cluster}}
    facts = {"settings": {"index": {"replication": {"type": kind}}}}
    assert codes(preflight.segments(lambda *_: Answer(200, known), facts, "i")) == wanted


@pytest.mark.parametrize("name", ["write", "read_only", "read_only_allow_delete"])
def test_blocks_and_sources(name: str) -> None:
    assert codes(preflight.blocks({"settings": {"index": {"blocks": {name: "true"}}}}, "i")) == [("TV4517", True)]
    assert codes(preflight.blocks({"settings": {"index": {"blocks": {name: "false"}}}}, "i")) == []
    assert codes(preflight.source({"mappings": {"_source": {"enabled": False}}}, "i")) == [("TV4518", True)]
    assert codes(preflight.source({"mappings": {}}, "i")) == []


@pytest.mark.parametrize(("pipeline", "wanted"), [("mine", [("TV4532", True)]), ("_none", []), (None, [])])
def test_searches_through_a_pipeline(pipeline: str | None, wanted: list[tuple[str, bool]]) -> None:
    settings = {"index": {"search": {"default_pipeline": pipeline} if pipeline else {"idle": {"after": "1d"}}}}
    assert codes(preflight.searched({"settings": settings}, "i")) == wanted


@pytest.mark.parametrize(("kind", "replicas", "wanted"), [
    ("SEGMENT", "1", [("TV4529", True)]), ("SEGMENT", "0", []), ("DOCUMENT", "1", []), (None, "1", []),
])  # fmt: skip
def test_replicas_that_show_writes_late(kind: Json, replicas: str, wanted: list[tuple[str, bool]]) -> None:
    settings = {"index.replication.type": kind, "index.number_of_replicas": replicas}
    assert codes(preflight.late({"settings": settings}, "i")) == wanted


@pytest.mark.parametrize("label", ["v0", "v13"])
@pytest.mark.parametrize("offline", [True, False])
def test_questions_for_rights_can_do_nothing(label: str, offline: bool) -> None:
    """Each only looks, or is about an index that is not there, or has a setting that no server knows; and every kind of
    request that the plan sends is asked for."""
    nowhere, nothing = "visibility-0123456789abcdef", "temporal_visibility_no_such_setting"
    wanted = BY_LABEL[label]
    made = plan(Route(engine.steps(seen(), wanted)) if offline else engine.online(seen(), wanted))
    asked = rights.probes(made, nowhere)
    for request in asked:
        said = f"{request.path} {request.body}"
        assert nowhere in said or nothing in said or request.path.endswith("_search"), request
        assert "visibility" not in said.replace(nowhere, "").replace(BOOKS, "").replace(nothing, ""), request
    kinds = {request.path.partition("?")[0].replace(f"/{nowhere}", "", 1) for request in asked}
    assert {"/_reindex", "/_aliases", "/_settings", "/_mapping", "/_block/write", "/_refresh"} <= kinds
