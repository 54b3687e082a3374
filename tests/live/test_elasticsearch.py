"""Elasticsearch and OpenSearch: what we create and upgrade to is what Temporal's own files make; records survive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.engines.handles import Handle
from tests.engines.servers.search import request
from tests.support import journeys
from tests.support.catalogs import published, released
from toolkit.apply.runner import plan_store, run
from toolkit.catalog import Catalog, Json, differences
from toolkit.definition import Definition
from toolkit.engines import elasticsearch as chosen
from toolkit.engines.elasticsearch import inspect, planner, scratch
from toolkit.engines.elasticsearch.artefacts import labelled
from toolkit.engines.elasticsearch.client import SearchClient
from toolkit.engines.elasticsearch.transport import Answer
from toolkit.engines.elasticsearch.typemap import profile
from toolkit.errors import ConnectionFailed, EngineError, TargetError, Unsupported
from toolkit.overlay import NO_OVERLAY, Overlay, SearchSettings, TemplateKind
from toolkit.plan import Plan, StepClass
from toolkit.records import Deletion, Record
from toolkit.sample import expected, generate
from toolkit.targets import parse_url

pytestmark = pytest.mark.engines("elasticsearch", "opensearch")

BY_LABEL = {chosen.label(part): part for part in labelled(released())}
INDEX_MEMBERS = ("properties", "dynamic", "settings")
# The setting is the whole cluster's, and other tests use the cluster too.
SKIP = "?cluster_settings=skip"


def parts(handle: Handle) -> list[Definition]:
    """The labels this server can hold, oldest first: some builds lack scaled_float, which those from v11 on need."""
    last = 10 if "scaled_float" in handle.limits else 14
    return [BY_LABEL[f"v{n}"] for n in range(last + 1)]


def temporal(wanted: Definition) -> Catalog:
    label = chosen.label(wanted)
    whole = published("elasticsearch", "v9-upgraded" if label == "v9" else label)
    return Catalog("elasticsearch", {member: whole.body[member] for member in INDEX_MEMBERS})


@contextmanager
def opened(url: str) -> Iterator[SearchClient]:
    with journeys.opened(url if "?" in url else f"{url}{SKIP}") as (_, client):
        assert isinstance(client, SearchClient)
        yield client


def upgrade(client: SearchClient, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> Plan:
    """By the plain way; the one beside live writes has tests of its own."""
    plan = plan_store(chosen, client, wanted, released(), overlay, offline=True)
    run(chosen, client, plan, wanted, overlay, lambda *_: None, lambda: 0.0)
    return plan


def at(client: SearchClient, wanted: Definition) -> None:
    """Index and template are the published ones, the label is recorded, and nothing is left to do."""
    seen = client.observe()
    left = differences(seen.catalog.without([p for p in foreign(client)]), temporal(wanted))
    assert left == (), f"{chosen.label(wanted)}: {[str(d) for d in left[:5]]}"
    assert seen.recorded == chosen.label(wanted)
    assert plan_store(chosen, client, wanted, released(), NO_OVERLAY).steps == ()
    whole = published("elasticsearch", "v9-upgraded" if chosen.label(wanted) == "v9" else chosen.label(wanted))
    template = Catalog("elasticsearch", {k: v for k, v in seen.template.items() if k != "applies"})
    assert [str(d) for d in differences(template, whole) if d.path != ("index_patterns",)] == []
    assert seen.template["applies"] is True


def foreign(client: SearchClient) -> tuple[tuple[str, ...], ...]:
    return plan_store(chosen, client, released()[-1], released(), NO_OVERLAY).foreign


def records(client: SearchClient, definition: Definition) -> dict[tuple[str, str], Record]:
    return {(r.namespace_id, r.run_id): r for r in client.read(definition)}


def filled(client: SearchClient, definition: Definition, rows: int, seed: int = 1) -> dict[tuple[str, str], Record]:
    """Fill the store; what it holds then."""
    writes = list(generate(definition, rows, seed, attributes=definition))
    assert sum(client.write(definition, writes)) == len(writes)
    assert client.count() == rows
    return {key: replace(r, memo=r.memo or None) for key, r in expected(writes).items()}


def ask(handle: Handle, method: str, path: str, body: object = None) -> dict[str, Json]:
    answer = request(handle.address, method, path, body)
    assert isinstance(answer, dict)
    return answer


def name_of(handle: Handle) -> str:
    return urlsplit(handle.url).path[1:]


def test_fresh_install_of_every_label(engine: Handle) -> None:
    for part in parts(engine):
        with opened(engine.new_database()) as client:
            plan = upgrade(client, part)
            assert {step.step_class for step in plan.steps} == {StepClass.METADATA}
            at(client, part)


@pytest.mark.short
def test_every_step_up_with_records(engine: Handle) -> None:
    """v0 to v1 converts every document; all further labels are additions, and no document is touched."""
    chain = parts(engine)
    with opened(engine.url) as client:
        upgrade(client, chain[0])
        at(client, chain[0])
        before = filled(client, chain[0], 1500)
        assert records(client, chain[0]) == {
            key: replace(r, history_size_bytes=None, execution_duration=None, state_transition_count=None,
                         parent_workflow_id=None, parent_run_id=None, root_workflow_id="", root_run_id="")
            for key, r in before.items()
        }  # fmt: skip
        plan = upgrade(client, chain[1])
        assert plan.step_class is StepClass.REBUILD
        at(client, chain[1])
        kept = records(client, chain[1])
        assert kept.keys() == before.keys()
        for key, record in kept.items():
            old = before[key]
            assert (record.attributes, record.start_time, record.close_time) == (
                old.attributes, old.start_time, old.close_time,
            )  # fmt: skip
            assert (record.status, record.memo, record.encoding, record.version) == (
                old.status, old.memo, old.encoding, old.version,
            )  # fmt: skip
            took = None if old.close_time is None else old.close_time - (old.execution_time or old.start_time)
            assert record.execution_duration == took
        for part in chain[2:]:
            plan = upgrade(client, part)
            assert plan.step_class is StepClass.METADATA
            assert "index.rebuild" not in {step.id for step in plan.steps}
            at(client, part)
            assert records(client, chain[1]) == kept


def test_every_step_down_with_records(engine: Handle) -> None:
    """A field cannot be dropped in place: each step down is a rebuild, and the values stay in the documents."""
    chain = parts(engine)
    with opened(engine.url) as client:
        upgrade(client, chain[-1])
        kept = filled(client, chain[-1], 400)
        for part in reversed(chain[:-1]):
            plan = upgrade(client, part)
            assert plan.step_class is StepClass.BREAKING
            at(client, part)
            assert client.count() == len(kept)
            if chosen.label(part) != "v0":
                assert records(client, chain[-1]) == kept
        assert {r.status for r in records(client, chain[0]).values()} == {r.status for r in kept.values()}
        assert {r.close_time for r in records(client, chain[0]).values()} == {r.close_time for r in kept.values()}
        upgrade(client, chain[-1])
        at(client, chain[-1])
        again = records(client, chain[-1])
        assert {k: r.attributes for k, r in again.items()} == {k: r.attributes for k, r in kept.items()}
        assert {k: r.version for k, r in again.items()} == {k: r.version for k, r in kept.items()}
    names = ask(engine, "GET", f"/{name_of(engine)}*?expand_wildcards=all")
    assert len(names) == 1, "no index is left behind"


def test_twenty_thousand_records_there_and_back(engine: Handle) -> None:
    newest = parts(engine)[-1]
    with opened(engine.url) as client:
        upgrade(client, newest)
        wanted = {k: replace(r, memo=r.memo or None) for k, r in expected(generate(newest, 20_000, 3)).items()}
        assert sum(client.write(newest, wanted.values())) == len(wanted)
        assert client.count() == 20_000
        found = records(client, released()[-1])
        assert found.keys() == wanted.keys()
        assert [k for k in wanted if found[k] != wanted[k]] == []


@pytest.mark.short
def test_shipped_templates_make_published_indices(engine: Handle) -> None:
    """An index made by a template alone is the published one, and is recorded, whichever kind the template is."""
    files = chosen.artefacts(released())
    name = name_of(engine)
    for part in parts(engine):
        label = chosen.label(part)
        for kind, path in (("legacy", "_template"), ("composable", "_index_template")):
            body = json.loads(files[f"elasticsearch/{label}/template.{kind}.json"])
            body["index_patterns"] = [f"{name}-{label}-{kind}*"]
            ask(engine, "PUT", f"/{path}/{name}-{kind}", body)
            index = f"{name}-{label}-{kind}-x"
            ask(engine, "PUT", f"/{index}")
            with opened(engine.url_of(index)) as client:
                seen = client.observe()
                assert [str(d) for d in differences(seen.catalog, temporal(part))] == []
                assert seen.recorded == label
            ask(engine, "DELETE", f"/{path}/{name}-{kind}")


def test_shipped_updates_lead_from_label_to_label(engine: Handle) -> None:
    files = chosen.artefacts(released())
    name = name_of(engine)
    ask(engine, "PUT", f"/{name}", {
        "mappings": json.loads(files["elasticsearch/v1/mapping.json"]),
        "settings": json.loads(files["elasticsearch/v1/template.legacy.json"])["settings"],
    })  # fmt: skip
    with opened(engine.url) as client:
        for part in parts(engine)[2:]:
            label = chosen.label(part)
            ask(engine, "PUT", f"/{name}/_mapping", json.loads(files[f"elasticsearch/{label}/mapping.update.json"]))
            seen = client.observe()
            assert [str(d) for d in differences(seen.catalog, temporal(part))] == []
            assert seen.recorded == label


def test_an_index_made_by_temporals_tools_is_recognised(engine: Handle) -> None:
    """It records nothing, and has no template of its own; v9 as its file was later changed equals v10."""
    whole = published("elasticsearch", "v9").body
    settings = {f"index.{name}": value for name, value in dict(whole["settings"]).items()}  # type: ignore[arg-type]
    mappings = {"dynamic": "false", "properties": whole["properties"]}
    ask(engine, "PUT", f"/{name_of(engine)}", {"mappings": mappings, "settings": settings})
    with opened(engine.url) as client:
        assert client.observe().recorded is None
        plan = upgrade(client, BY_LABEL["v10"])
        assert plan.found == ("1.10",)
        assert [step.id for step in plan.steps] == ["record.template", "record.label"]
        at(client, BY_LABEL["v10"])


def test_what_users_added_stays(engine: Handle) -> None:
    """Attributes of their own, multi-fields, settings, aliases: left alone by additions, taken along by a rebuild."""
    name = name_of(engine)
    with opened(engine.url) as client:
        upgrade(client, BY_LABEL["v9"])
        ask(engine, "PUT", f"/{name}/_mapping", {"properties": {
            "OrderId": {"type": "keyword"},
            "Notes": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
            "WorkflowId": {"type": "keyword", "fields": {"words": {"type": "text"}}},
        }})  # fmt: skip
        script = {"source": "emit(doc['WorkflowId'].value)"}
        computed = {"elasticsearch": "runtime", "opensearch": "derived"}[engine.engine]
        more = {computed: {"Same": {"type": "keyword", "script": script}}, "date_detection": False,
                "dynamic_templates": [{"words": {"match": "x*", "mapping": {"type": "keyword"}}}]}  # fmt: skip
        ask(engine, "PUT", f"/{name}/_mapping", more)
        ask(engine, "PUT", f"/{name}/_settings", {"index": {"refresh_interval": "7s"}})
        ask(engine, "POST", "/_aliases", {"actions": [
            {"add": {"index": name, "alias": f"{name}-reports", "filter": {"term": {"OrderId": "a-1"}}}}
        ]})  # fmt: skip
        one = Record("ns", "run", "wf", "T", 1, 1, 1, version=5, attributes={"OrderId": "a-1"})
        assert sum(client.write(BY_LABEL["v9"], [one])) == 1
        for label in ("v10", "v8"):
            plan = upgrade(client, BY_LABEL[label])
            assert set(plan.foreign) == {("properties", "OrderId"), ("properties", "Notes")}
            at(client, BY_LABEL[label])
        seen = client.observe()
        assert seen.names.holder == f"{name}-v8"
        assert seen.kept.settings["refresh_interval"] == "7s"
        assert set(seen.kept.aliases) == {f"{name}-reports"}
        found = ask(engine, "POST", f"/{name}-reports/_search", {"query": {"match_all": {}}, "version": True})
        [hit] = found["hits"]["hits"]  # type: ignore[index,call-overload]
        assert hit["_version"] == 5  # type: ignore[index,call-overload]
        whole = ask(engine, "GET", f"/{name}/_mapping")[f"{name}-v8"]["mappings"]  # type: ignore[index,call-overload]
        assert set(more) <= set(whole)  # type: ignore[arg-type]
        assert (
            ask(engine, "POST", f"/{name}/_search", {"query": {"term": {"Same": "wf"}}})["hits"]["total"]["value"] == 1
        )  # type: ignore[index,call-overload]
        mapping = whole["properties"]  # type: ignore[index,call-overload]
        assert mapping["Notes"] == {"type": "text", "fields": {"raw": {"type": "keyword"}}}  # type: ignore[index,call-overload]
        assert mapping["WorkflowId"]["fields"] == {"words": {"type": "text"}}  # type: ignore[index,call-overload]


def test_users_attributes_of_the_first_layout_become_fields(engine: Handle) -> None:
    name = name_of(engine)
    with opened(engine.url) as client:
        upgrade(client, BY_LABEL["v0"])
        ask(engine, "PUT", f"/{name}/_mapping", {"properties": {"Attr": {"properties": {
            "CustomKeyword": {"type": "keyword"}, "CustomDate": {"type": "date"},
        }}}})  # fmt: skip
        document = {
            "NamespaceId": "n", "WorkflowId": "w", "RunId": "r", "WorkflowType": "t", "TaskQueue": "q",
            "StartTime": 1_700_000_000_123_456_789, "ExecutionTime": 0, "CloseTime": 1_700_000_001_123_456_790,
            "ExecutionStatus": 7, "Memo": "AP8=", "Encoding": "Proto3",
            "Attr": {"CustomKeyword": ["a", "b"], "CustomDate": "2021-06-11T16:04:07.98-07:00", "Operator": "me"},
        }  # fmt: skip
        ask(engine, "PUT", f"/{name}/_doc/w~r?version=9&version_type=external", document)
        plan = plan_store(chosen, client, BY_LABEL["v1"], released(), NO_OVERLAY, offline=True)
        for step in plan.steps:
            client.execute(step)
            assert step.is_done(client.observe().view())
        at(client, BY_LABEL["v1"])
        [hit] = ask(engine, "POST", f"/{name}/_search", {"version": True})["hits"]["hits"]  # type: ignore[index,call-overload]
        assert hit["_version"] == 9  # type: ignore[index,call-overload]
        source = dict(hit["_source"])  # type: ignore[index,call-overload,arg-type]
        assert source == {
            "NamespaceId": "n", "WorkflowId": "w", "RunId": "r", "WorkflowType": "t", "TaskQueue": "q",
            "StartTime": "2023-11-14T22:13:20.123456789Z", "ExecutionTime": "2023-11-14T22:13:20.123456789Z",
            "CloseTime": "2023-11-14T22:13:21.123456790Z", "ExecutionDuration": 1_000_000_001,
            "ExecutionStatus": "TimedOut", "Memo": "AP8=", "MemoEncoding": "Proto3", "BatcherUser": "me",
            "CustomKeyword": ["a", "b"], "CustomDate": "2021-06-11T16:04:07.98-07:00",
        }  # fmt: skip
        mapping = client.observe().kept.properties
        assert (mapping["CustomKeyword"], mapping["CustomDate"]) == ({"type": "keyword"}, {"type": "date_nanos"})


@pytest.mark.short
def test_late_writes_lose_and_deleted_records_stay_deleted(engine: Handle) -> None:
    newest = parts(engine)[-1]
    with opened(engine.url) as client:
        upgrade(client, newest)
        one = Record("ns", "r", "w", "T", 1_000, 1_000, 1, version=10)
        for write in (one, replace(one, status=2, version=20), replace(one, status=3, version=15)):
            assert sum(client.write(newest, [write])) == 1
        assert [r.status for r in client.read(newest)] == [2]
        gone = Deletion("ns", "r", "w", 30, 1_000)
        assert sum(client.write(newest, [gone, Deletion("ns", "never", "w", 1, 0)])) == 2
        assert sum(client.write(newest, [replace(one, version=25)])) == 1
        assert list(client.read(newest)) == []
        assert client.count() == 0
        with pytest.raises(EngineError) as refused:
            sum(client.write(newest, [replace(one, run_id="early", start_time=-1, version=1)]))
        assert refused.value.code == "TV4508"


@pytest.mark.parametrize("done", range(1, 7))
def test_a_rebuild_that_was_killed_is_finished_or_taken_back(engine: Handle, done: int) -> None:
    """The process ends after `done` requests of the rebuild; nothing is lost either way."""
    with opened(engine.url) as client:
        upgrade(client, BY_LABEL["v9"])
        kept = filled(client, BY_LABEL["v9"], 50)
        for wanted, last in ((BY_LABEL["v9"], "rebuild.cancel"), (BY_LABEL["v8"], "record.label")):
            half_done(client, BY_LABEL["v8"], done)
            half_done(client, BY_LABEL["v8"], done)
            plan = upgrade(client, wanted)
            assert plan.steps[-1].id == last
            at(client, wanted)
            assert records(client, BY_LABEL["v9"]) == kept
            new = Record("ns", f"after-{last}", "w", "T", 1, 1, 1, version=1)
            assert sum(client.write(wanted, [new])) == 1
            kept = records(client, BY_LABEL["v9"])
    assert len(ask(engine, "GET", f"/{name_of(engine)}*?expand_wildcards=all")) == 1


def half_done(client: SearchClient, wanted: Definition, done: int) -> None:
    """The first requests of the plan's rebuild, and then nothing more, as if the process had been killed."""
    plan = plan_store(chosen, client, wanted, released(), NO_OVERLAY, offline=True)
    rebuild = next(step for step in plan.steps if step.id == "index.rebuild")
    client.execute(replace(rebuild, statements=rebuild.statements[:done], reverse=()))


def test_a_rebuild_that_fails_is_taken_back_at_once(engine: Handle) -> None:
    """A document that cannot be converted stops the copy: the name, the writes and all documents are as before."""
    name = name_of(engine)
    with opened(engine.url) as client:
        upgrade(client, BY_LABEL["v0"])
        # The server takes it for a number, but the document keeps the text.
        ask(engine, "PUT", f"/{name}/_doc/bad?refresh=true", {"StartTime": "1"})
        with pytest.raises(EngineError) as failed:
            upgrade(client, BY_LABEL["v1"])
        assert failed.value.code == "TV4505"
        seen = client.observe()
        assert (seen.recorded, seen.interrupted, seen.names.holder) == ("v0", False, name)
        assert list(ask(engine, "GET", f"/{name}*?expand_wildcards=all")) == [name]
        assert sum(client.write(BY_LABEL["v0"], [Record("n", "r", "w", "T", 1, 1, 1, version=1)])) == 1
        ask(engine, "DELETE", f"/{name}/_doc/bad")
        upgrade(client, BY_LABEL["v1"])
        at(client, BY_LABEL["v1"])


def test_a_rebuild_whose_last_request_is_refused_is_taken_back_at_once(engine: Handle) -> None:
    """An alias of the plan is an index by then, so that the name cannot move: writers are let in again."""
    name = name_of(engine)
    with opened(engine.url) as client:
        upgrade(client, BY_LABEL["v9"])
        filled(client, BY_LABEL["v9"], 20)
        alias = {"index": name, "alias": f"{name}-theirs"}
        ask(engine, "POST", "/_aliases", {"actions": [{"add": alias}]})
        send = client._line.send

        def taken(method: str, path: str, body: Any = None, seconds: int = 90) -> Answer:
            if {"remove_index": {"index": name}} in (body or {}).get("actions", ()):
                ask(engine, "POST", "/_aliases", {"actions": [{"remove": alias}]})
                ask(engine, "PUT", f"/{name}-theirs", {})
            return send(method, path, body, seconds)

        client._line.send = taken  # type: ignore[method-assign]
        with pytest.raises(EngineError) as refused:
            upgrade(client, BY_LABEL["v8"])
        assert "exists with the same name as the alias" in refused.value.message
        seen = client.observe()
        assert (seen.recorded, seen.interrupted, seen.names.holder) == ("v9", False, name)
        assert sum(client.write(BY_LABEL["v9"], [Record("n", "r", "w", "T", 1, 1, 1, version=1)])) == 1


@pytest.mark.short
def test_a_rebuild_that_was_killed_after_it_blocked_writes_is_finished(engine: Handle) -> None:
    """Elasticsearch 9 notes the block in a setting of its own, that no new index may be made with."""
    with opened(engine.url) as client:
        upgrade(client, BY_LABEL["v9"])
        kept = filled(client, BY_LABEL["v9"], 20)
        half_done(client, BY_LABEL["v8"], 2)
        assert ask(engine, "GET", f"/{name_of(engine)}/_settings/index.blocks.write") != {}
        upgrade(client, BY_LABEL["v8"])
        at(client, BY_LABEL["v8"])
        assert set(records(client, BY_LABEL["v8"])) == set(kept)


def test_writes_are_refused_during_a_rebuild(engine: Handle) -> None:
    with opened(engine.url) as client:
        upgrade(client, BY_LABEL["v9"])
        half_done(client, BY_LABEL["v8"], 2)
        with pytest.raises(EngineError) as refused:
            sum(client.write(BY_LABEL["v9"], [Record("n", "r", "w", "T", 1, 1, 1, version=1)]))
        assert refused.value.code == "TV4508"
        assert "rebuild" in refused.value.hint


@pytest.mark.short
def test_operators_wishes(engine: Handle) -> None:
    wishes = Overlay(elasticsearch=SearchSettings(shards=3, replicas=0, template=TemplateKind.COMPOSABLE))
    with opened(engine.url) as client:
        upgrade(client, BY_LABEL["v9"], wishes)
        kept = filled(client, BY_LABEL["v9"], 200)
        newer = upgrade(client, BY_LABEL["v10"], wishes)
        [template] = (step for step in newer.steps if step.id == "record.template")
        client.execute(replace(template, statements=template.reverse))
        assert not template.is_done(client.observe().view())
        client.execute(template)
        assert plan_store(chosen, client, BY_LABEL["v10"], released(), wishes).steps == ()
        assert client.observe().catalog.at(("settings", "number_of_shards")) == "3"
        assert client.observe().template["kind"] == "composable"
        plan = upgrade(client, BY_LABEL["v10"])
        assert any("overlay" in step.reason for step in plan.steps)
        assert client.observe().catalog.at(("settings", "number_of_shards")) == "1"
        assert records(client, BY_LABEL["v10"]) == kept
        legacy = Overlay(elasticsearch=SearchSettings(template=TemplateKind.LEGACY))
        assert [s.id for s in upgrade(client, BY_LABEL["v10"], legacy).steps] == ["record.template"]
        at(client, BY_LABEL["v10"])


@pytest.mark.faults
def test_the_cluster_makes_no_index_by_itself(engine: Handle) -> None:
    with journeys.opened(engine.url) as (_, client):
        assert isinstance(client, SearchClient)
        # The setting is the whole cluster's: another test may have set it before.
        ask(engine, "PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": None}})
        plan = upgrade(client, BY_LABEL["v9"])
        assert plan.steps[0].id == "cluster.auto_create_index"
        assert plan.steps[0].is_done(client.observe().view())
        settings = ask(engine, "GET", "/_cluster/settings?flat_settings=true")
        assert settings["persistent"] == {"action.auto_create_index": "false"}
        ask(engine, "PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": None}})
        at(client, BY_LABEL["v9"])


@pytest.mark.faults
def test_a_server_that_dies_is_a_coded_error(engine: Handle) -> None:
    with journeys.opened(f"{engine.url}{SKIP}") as (_, client):
        upgrade(client, BY_LABEL["v9"])  # type: ignore[arg-type]
        engine.kill()
        with pytest.raises(ConnectionFailed):
            client.observe()
        with pytest.raises(ConnectionFailed):
            list(client.read(BY_LABEL["v9"]))
        with pytest.raises(ConnectionFailed):
            list(client.write(BY_LABEL["v9"], [Record("n", "r", "w", "T", 1, 1, 1, version=1)]))
        engine.start()
        at(client, BY_LABEL["v9"])  # type: ignore[arg-type]


@pytest.mark.short
@pytest.mark.parametrize("scheme", ["elasticsearch", "opensearch"])
def test_the_product_is_what_answers_not_what_the_url_says(engine: Handle, scheme: str) -> None:
    # Servers warn whoever puts a legacy template beside it; that is no word for users. Elasticsearch 8 refuses it.
    theirs = f"/_index_template/{name_of(engine)}_theirs"
    ask(engine, "PUT", theirs, {"index_patterns": [f"{name_of(engine)[:-2]}*"]})
    with opened(f"{scheme}+http://{engine.url.partition('://')[2]}") as client:
        if engine.engine == "elasticsearch" and not engine.version.startswith("7."):
            with pytest.raises(EngineError, match=r"no legacy template"):
                upgrade(client, BY_LABEL["v9"])
            assert not client.observe().exists  # type: ignore[attr-defined]
            ask(engine, "DELETE", theirs)
        upgrade(client, BY_LABEL["v9"])
        product, _, number = client.observe().server.partition(" ")
        assert (product.lower(), number.startswith(engine.version)) == (engine.engine, True)
        filled(client, BY_LABEL["v9"], 100)


@pytest.mark.short
def test_tls_passwords_certificates_and_keys(engine: Handle) -> None:
    secured = engine.secured()
    for url in secured.good.values():
        with opened(f"{url}&cluster_settings=skip") as client:
            upgrade(client, BY_LABEL["v9"])
            assert sum(client.write(BY_LABEL["v9"], [Record("n", "r", "w", "T", 1, 1, 1, version=1)])) == 1
            assert client.count() == 1
    for what, url in secured.bad.items():
        with pytest.raises(ConnectionFailed) as refused, journeys.opened(url):
            pass
        assert refused.value.code in {"TV4001", "TV4501"}, what
        shown = f"{refused.value.message} {refused.value.hint} {refused.value!r}"
        assert not [secret for secret in secured.secrets if secret in shown], what
    with pytest.raises(TargetError) as missing, journeys.opened(secured.good["password"] + "&ca=/no/such/file"):
        pass
    assert missing.value.code == "TV3009"


def test_an_alias_of_two_indices_is_refused(engine: Handle) -> None:
    name = name_of(engine)
    for index in (f"{name}-a", f"{name}-b"):
        ask(engine, "PUT", f"/{index}", {"aliases": {name: {}}})
    with opened(engine.url) as client, pytest.raises(Unsupported) as refused:
        client.observe()
    assert refused.value.code == "TV4503"


def test_nothing_is_written_without_an_index(engine: Handle) -> None:
    with opened(engine.url) as client:
        with pytest.raises(EngineError) as refused:
            list(client.write(BY_LABEL["v9"], [Record("n", "r", "w", "T", 1, 1, 1, version=1)]))
        assert refused.value.code == "TV4507"
        assert client.observe().rows is None


def test_a_dump_of_an_index_with_pipelines_takes_records(engine: Handle, tmp_path: Path) -> None:
    """They need not be where the dump is tried, and are not asked for."""
    part, name, dump = BY_LABEL["v9"], name_of(engine), tmp_path / "index.json"
    with opened(engine.url) as client:
        upgrade(client, part)
    ask(engine, "PUT", f"/{name}/_settings", {"index.default_pipeline": f"{name}-none"})
    dump.write_text(json.dumps(ask(engine, "GET", f"/{name}")))
    tried = scratch.make(parse_url(engine.url, {}), f"{name}-tried")
    tried.load(dump)
    filled(tried.client, part, 3)
    tried.drop()


def test_multi_fields_are_not_ours(engine: Handle) -> None:
    with opened(engine.url) as client:
        upgrade(client, BY_LABEL["v9"])
        path = f"/{name_of(engine)}/_mapping"
        ask(engine, "PUT", path, {"properties": {"TaskQueue": {"type": "keyword", "fields": {"t": {"type": "text"}}}}})
        at(client, BY_LABEL["v9"])


def test_a_broken_index_is_seen_and_repaired(engine: Handle) -> None:
    """The comparison can fail: a wrong type, no index sort, dynamic mapping, another setting, a changed template."""
    name = name_of(engine)
    with opened(engine.url) as client:
        upgrade(client, BY_LABEL["v8"])
        ask(engine, "PUT", f"/{name}/_mapping", {"dynamic": "true"})
        ask(engine, "PUT", f"/{name}/_settings", {"index": {"search.idle.after": "1m"}})
        ask(engine, "PUT", f"/_template/{name}_template", {"index_patterns": ["other*"]})
        left = {"/".join(d.path) for d in differences(client.observe().catalog, temporal(BY_LABEL["v8"]))}
        assert left == {"dynamic", "settings/search.idle.after"}
        plan = upgrade(client, BY_LABEL["v8"])
        assert [s.id for s in plan.steps] == ["record.template", "mapping.dynamic", "settings.change"]
        at(client, BY_LABEL["v8"])
    ask(engine, "DELETE", f"/{name}")
    ask(engine, "DELETE", f"/_template/{name}_template")
    mapping = {"dynamic": "false", "properties": {"RunId": {"type": "text"}, "Mine": {"type": "long"}}}
    ask(engine, "PUT", f"/{name}", {"mappings": mapping})
    with opened(engine.url) as client:
        left = {"/".join(d.path) for d in differences(client.observe().catalog, temporal(BY_LABEL["v8"]))}
        assert {"properties/RunId/type", "properties/StartTime", "settings/sort.field"} <= left
        plan = upgrade(client, BY_LABEL["v8"])
        assert plan.step_class is StepClass.REBUILD
        assert plan.foreign == (("properties", "Mine"),)
        at(client, BY_LABEL["v8"])


def test_the_steps_are_the_same_with_and_without_a_server(engine: Handle) -> None:
    """What was observed is enough to plan: the planner is pure."""
    with opened(engine.url) as client:
        upgrade(client, BY_LABEL["v5"])
        seen = client.observe()
        assert planner.steps(seen, BY_LABEL["v9"], profile(), NO_OVERLAY) == tuple(
            chosen.steps(seen, BY_LABEL["v9"], NO_OVERLAY)
        )
        assert inspect.catalog({"mappings": {}, "settings": {}}).body["properties"] == {}


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<html>Welcome</html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("scheme", ["elasticsearch", "opensearch"])
def test_a_web_page_is_no_search_engine(engine: Handle, scheme: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"{scheme}+http://u:s3cret-word@127.0.0.1:{server.server_port}/visibility"
        with pytest.raises(ConnectionFailed) as refused, journeys.opened(url):
            pass
        server.shutdown()
    assert refused.value.code == "TV4502"
    assert "s3cret" not in refused.value.message


@pytest.mark.parametrize(("url", "code"), [
    ("elasticsearch+http://127.0.0.1:1/visibility", "TV4001"),
    ("opensearch+http://u:s3cret@127.0.0.1:1/visibility", "TV4001"),
    ("elasticsearch+http://127.0.0.1:1/", "TV3008"),
    ("elasticsearch+http://127.0.0.1:1/a*", "TV3010"),
    ("elasticsearch+http://127.0.0.1:1/_all", "TV3010"),
    ("elasticsearch+http://127.0.0.1:1/a,b", "TV3010"),
    ("elasticsearch+http://127.0.0.1:1/%3Cx-%7Bnow%7D%3E", "TV3010"),
    ("elasticsearch+http://127.0.0.1:1/i?colour=red", "TV3009"),
    ("elasticsearch+http://127.0.0.1:1/i?verify=maybe", "TV3009"),
])  # fmt: skip
def test_urls_that_lead_nowhere(engine: Handle, url: str, code: str) -> None:
    with pytest.raises((ConnectionFailed, TargetError)) as refused:
        chosen.connect(parse_url(url, {}))
    assert refused.value.code == code
    assert "s3cret" not in f"{refused.value.message} {refused.value.hint}"
