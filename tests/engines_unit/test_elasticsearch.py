"""Elasticsearch and OpenSearch without a server: catalogs, templates, steps, documents and names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.catalogs import published, released
from toolkit.attributes import AttributeType, Family, Group
from toolkit.catalog import Catalog, Json, differences, fingerprint
from toolkit.definition import USUAL_STORES, Definition, SearchAttribute
from toolkit.engines import elasticsearch as engine
from toolkit.engines.elasticsearch import documents, filters, inspect, layout, planner, preflight
from toolkit.engines.elasticsearch.artefacts import labelled
from toolkit.engines.elasticsearch.store import SKIPPED, Kept, Names, SearchStore
from toolkit.engines.elasticsearch.typemap import profile
from toolkit.engines.filtering import Question
from toolkit.errors import DefinitionError, EngineError
from toolkit.overlay import NO_OVERLAY, Overlay, SearchSettings, TemplateKind
from toolkit.plan import Request, Step, StepClass
from toolkit.query import check
from toolkit.query.scope import Scope
from toolkit.records import Deletion, Moment, Record

BY_LABEL = {layout.label(part): part for part in labelled(released())}
LABELS = list(BY_LABEL)
NEWEST = BY_LABEL[LABELS[-1]]
INDEX_MEMBERS = ("properties", "dynamic", "settings")
# What every release before v1.30.0 had as v9; the file was changed afterwards.
FILES = {label: "v9-upgraded" if label == "v9" else label for label in LABELS}


def index_of(name: str) -> Catalog:
    """A published catalog as an index has it: without what only templates have."""
    whole = published("elasticsearch", name)
    assert whole.body["aliases"] == []
    return Catalog("elasticsearch", {member: whole.body[member] for member in INDEX_MEMBERS})


def store(
    catalog: Catalog,
    recorded: str | None = None,
    template: Mapping[str, Json] | None = None,
    kept: Kept | None = None,
    rebuilding: tuple[str, ...] = (),
    name: str = "visibility",
    holder: str | None = None,
) -> SearchStore:
    """A store as the client would see it, with the template of its newest label unless another is given."""
    made = layout.template(NEWEST, TemplateKind.LEGACY, profile(), NO_OVERLAY)
    return SearchStore(
        catalog=catalog,
        recorded=recorded,
        server="Elasticsearch 7.17.15",
        names=Names.of(name, holder, profile()),
        template=made if template is None else template,
        auto_create=SKIPPED,
        kept=kept or Kept(properties=catalog.children(("properties",))),
        rebuilding=rebuilding,
        interrupted=bool(rebuilding),
    )


def steps(seen: SearchStore, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> list[Step]:
    return list(planner.steps(seen, wanted, profile(), overlay))


def requests(step: Step) -> list[Request]:
    return [s for s in step.statements if isinstance(s, Request)]


@pytest.mark.parametrize("label", LABELS)
def test_the_catalog_of_every_label_is_the_published_one(label: str) -> None:
    left = differences(engine.catalog(BY_LABEL[label]), index_of(FILES[label]))
    assert left == (), [str(d) for d in left]


def test_every_definition_stands_for_its_last_label() -> None:
    for definition in released():
        label = engine.label(definition)
        assert label == definition.labels.elasticsearch[-1]
        assert differences(engine.catalog(definition), index_of(FILES[label])) == ()


def test_the_v9_template_that_was_changed_after_its_release_is_recognised_as_v10() -> None:
    changed = index_of("v9")
    assert differences(changed, index_of("v9-upgraded"))
    assert fingerprint(changed) == fingerprint(engine.catalog(BY_LABEL["v10"]))


@pytest.mark.parametrize("label", LABELS)
def test_shipped_templates_read_back_as_published(label: str) -> None:
    files = engine.artefacts(released())
    legacy = json.loads(files[f"elasticsearch/{label}/template.legacy.json"])
    whole = published("elasticsearch", FILES[label])
    assert differences(Catalog("elasticsearch", inspect.legacy_template(legacy, None)), whole) == ()
    composable = json.loads(files[f"elasticsearch/{label}/template.composable.json"])
    read = inspect.composable_template(composable, None)
    left = {d.path[0] for d in differences(Catalog("elasticsearch", read), whole)}
    assert left == {"kind", "order", "priority"}


def test_mappings_and_updates_add_up() -> None:
    files = engine.artefacts(released())
    grown: dict[str, Json] = {}
    for label in LABELS[1:]:
        mapping = json.loads(files[f"elasticsearch/{label}/mapping.json"])
        update = files.get(f"elasticsearch/{label}/mapping.update.json")
        grown = {**grown, **json.loads(update)["properties"]} if update else mapping["properties"]
        assert grown == mapping["properties"], label
        assert (update is None) == (label == "v1") == (f"elasticsearch/{label}/reindex.json" in files)
    assert "elasticsearch/v0/mapping.update.json" not in files
    assert all(text.endswith("}\n") for text in files.values())
    assert engine.artefacts(released()) == files


def test_additive_labels_are_metadata_steps() -> None:
    before = BY_LABEL["v1"]
    for label in LABELS[2:]:
        found = steps(store(engine.catalog(before), engine.label(before)), BY_LABEL[label])
        assert [s.id for s in found if s.id != "record.template"] == ["mapping.add", "record.label"]
        assert {s.step_class for s in found} == {StepClass.METADATA}
        assert {s.lock.blocks for s in found} == {"nobody"}
        before = BY_LABEL[label]


def test_a_label_between_two_of_a_version() -> None:
    chain = {d.version: d for d in released()}
    assert chain["1.1"].labels.elasticsearch == ("v1", "v2", "v3", "v4")
    found = steps(store(engine.catalog(BY_LABEL["v2"]), "v2"), chain["1.1"])
    assert [s.objects for s in found if s.id == "mapping.add"] == [("HistorySizeBytes", "TemporalNamespaceDivision")]


@pytest.mark.parametrize(("start", "end", "kind"), [
    ("v0", "v1", StepClass.REBUILD), ("v1", "v0", StepClass.BREAKING), ("v14", "v13", StepClass.BREAKING),
])  # fmt: skip
def test_what_cannot_be_done_in_place_is_one_rebuild(start: str, end: str, kind: StepClass) -> None:
    found = steps(store(engine.catalog(BY_LABEL[start]), start), BY_LABEL[end])
    assert [s.id for s in found] == ["record.template", "index.rebuild", "record.label"]
    step = found[1]
    assert (step.step_class, step.lock.blocks) == (kind, "writes")
    paths = [r.path.partition("?")[0] for r in requests(step)]
    assert paths[0] == "/visibility/_mapping"
    assert paths[1] == "/visibility/_block/write"
    assert paths[-1] == "/_aliases"
    assert paths.index("/visibility/_refresh") < paths.index("/_reindex")
    assert requests(step)[-1].body == {
        "actions": [
            {"remove_index": {"index": "visibility"}},
            {"add": {"index": f"visibility-{end}", "alias": "visibility", "is_write_index": True}},
        ]
    }
    # Taking it back lets writers in, and drops the new index only while the old one is there.
    assert step.reverse[0] == Request("PUT", "/visibility/_settings", {"index": {"blocks.write": None}}, "if there")
    assert step.reverse[1] == Request("POST", "/_aliases", {
        "actions": [
            {"remove": {"index": "visibility", "alias": "visibility-no-such-alias", "must_exist": False}},
            {"remove_index": {"index": f"visibility-{end}"}},
        ]
    }, "if there")  # fmt: skip


def test_a_rebuild_takes_everything_of_the_users_along() -> None:
    custom: Json = {"type": "text", "fields": {"raw": {"type": "keyword"}}}
    ours = engine.catalog(BY_LABEL["v14"]).children(("properties",))
    full = {**ours, "MyText": custom, "StartTime": {"type": "date_nanos", "fields": {"ms": {"type": "date"}}}}
    gone = {"TemporalExternalPayloadCount": {"type": "long", "fields": {"x": {"type": "keyword"}}}}
    kept = Kept(
        {**full, **gone},
        {"refresh_interval": "5s", "analysis.analyzer.mine.type": "standard"},
        {"reports": {"filter": {"term": {"NamespaceId": "x"}}}},
        {"owner": "us"},
        {"runtime": {"Day": {"type": "keyword"}}, "date_detection": False},
        {"filter": {"exists": {"field": "RunId"}}},
    )
    found = steps(store(engine.catalog(BY_LABEL["v14"]), "v14", kept=kept), BY_LABEL["v13"])
    create = next(r for r in requests(found[1]) if r.path == "/visibility-v13")
    assert isinstance(create.body, dict)
    mappings, settings = create.body["mappings"], create.body["settings"]
    assert isinstance(mappings, dict)
    properties = mappings["properties"]
    assert isinstance(properties, dict)
    assert properties["MyText"] == custom
    assert properties["StartTime"] == full["StartTime"]
    assert "TemporalExternalPayloadCount" not in properties
    assert mappings["_meta"] == {"owner": "us"}
    assert (mappings["runtime"], mappings["date_detection"]) == ({"Day": {"type": "keyword"}}, False)
    assert isinstance(settings, dict)
    index = settings["index"]
    assert isinstance(index, dict)
    assert (index["refresh_interval"], index["analysis.analyzer.mine.type"]) == ("-1", "standard")
    usual: Json = {"refresh_interval": "5s", "default_pipeline": None, "final_pipeline": None}
    assert Request("PUT", "/visibility-v13/_settings", {"index": usual}) in requests(found[1])
    last = requests(found[1])[-1].body
    assert isinstance(last, dict)
    assert isinstance(last["actions"], list)
    assert {"add": {"index": "visibility-v13", "alias": "reports", "filter": {"term": {"NamespaceId": "x"}}}} in last[
        "actions"
    ]
    named = next(a["add"] for a in last["actions"] if a.get("add", {}).get("alias") == "visibility")  # type: ignore
    assert named == {**kept.named, "index": "visibility-v13", "alias": "visibility", "is_write_index": True}
    record = requests(found[2])[0].body
    assert record == {"_meta": {"owner": "us", "temporal_visibility": {"label": "v13"}}}


def test_a_name_is_never_used_twice_by_rebuilds() -> None:
    catalog = engine.catalog(BY_LABEL["v14"])
    again = store(catalog, "v14", rebuilding=("visibility-v13", "visibility-v13-2"))
    rebuild = next(s for s in steps(again, BY_LABEL["v13"]) if s.id == "index.rebuild")
    assert "visibility-v13-3" in rebuild.title
    dropped = requests(rebuild)[-1].body
    assert isinstance(dropped, dict)
    assert isinstance(dropped["actions"], list)
    removed = [a["remove_index"] for a in dropped["actions"] if isinstance(a, dict) and "remove_index" in a]
    assert removed == [{"index": n} for n in ("visibility", "visibility-v13", "visibility-v13-2")]
    alias = store(catalog, "v14", holder="visibility-v13")
    assert any("visibility-v13-2" in s.title for s in steps(alias, BY_LABEL["v13"]))


def test_an_unfinished_rebuild_that_nobody_wants_any_more_is_taken_back() -> None:
    left = store(engine.catalog(NEWEST), LABELS[-1], rebuilding=("visibility-v13",))
    found = steps(left, NEWEST)
    assert [s.id for s in found] == ["rebuild.cancel"]
    opened = Request("PUT", "/visibility/_settings", {"index": {"blocks.write": None}}, "if there")
    assert opened in requests(found[0])
    assert not found[0].is_done(left.view())
    assert found[0].is_done(replace(left, rebuilding=(), interrupted=False).view())


def test_fresh_install() -> None:
    empty = replace(store(engine.empty(), template={}), auto_create=None)
    found = steps(empty, NEWEST)
    assert [s.id for s in found] == ["cluster.auto_create_index", "record.template", "index.create", "record.label"]
    assert next(s.id for s in steps(replace(empty, auto_create=SKIPPED), NEWEST)) == "record.template"
    assert next(s.id for s in steps(replace(empty, auto_create="-temporal*,+*"), NEWEST)) == "record.template"
    assert steps(store(engine.catalog(NEWEST), LABELS[-1]), NEWEST) == []


def test_overlay() -> None:
    wishes = Overlay(elasticsearch=SearchSettings(shards=5, replicas=2, template=TemplateKind.COMPOSABLE))
    assert engine.catalog(NEWEST, wishes).at(("settings", "number_of_shards")) == "5"
    assert engine.catalog(NEWEST, wishes).at(("settings", "auto_expand_replicas")) == "false"
    found = steps(store(engine.catalog(NEWEST), LABELS[-1]), NEWEST, wishes)
    assert [s.id for s in found] == ["record.template", "index.rebuild", "record.label"]
    assert [(r.method, r.path) for r in requests(found[0])] == [
        ("PUT", "/_index_template/visibility_template"), ("DELETE", "/_template/visibility_template"),
    ]  # fmt: skip
    replicas = Overlay(elasticsearch=SearchSettings(auto_expand_replicas="1-3"))
    found = steps(store(engine.catalog(NEWEST), LABELS[-1]), NEWEST, replicas)
    assert [s.id for s in found] == ["record.template", "settings.change"]
    assert engine.catalog(NEWEST, replicas).at(("settings", "number_of_replicas")) == "1"


@pytest.mark.parametrize(("name", "template", "patterns"), [
    ("temporal_visibility_v1_prod", "temporal_visibility_v1_template", ("temporal_visibility_v1*",)),
    ("temporal-visibility-dev", "temporal-visibility-template", ("temporal-visibility-*",)),
    ("ours", "ours_template", ("ours", "ours-*")),
])  # fmt: skip
def test_the_template_fits_the_name(name: str, template: str, patterns: tuple[str, ...]) -> None:
    names = Names.of(name, None, profile())
    assert (names.template, names.patterns) == (template, patterns)


HOSTILE = [
    'x"; DROP TABLE t; --',
    "a" * 300,
    "🦉",
    "",
    "a.b",
    "_id",
    "_source",
    "Memo",
    "VisibilityTaskKey",
    "a\nb",
    "NamespaceId",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(name: str) -> None:
    attribute = SearchAttribute(name, AttributeType.KEYWORD, Group.PREDEFINED, None, USUAL_STORES[Group.PREDEFINED])
    with pytest.raises(DefinitionError) as refused:
        engine.catalog(replace(NEWEST, attributes=(*NEWEST.attributes, attribute)))
    assert refused.value.code in ("TV1011", "TV1017")


def test_words_of_the_query_language_are_ordinary_names() -> None:
    names = ("Select", "type", "properties", "Order", "constructor")
    more = tuple(SearchAttribute(n, AttributeType.INT, Group.PREDEFINED) for n in names)
    catalog = engine.catalog(replace(NEWEST, attributes=(*NEWEST.attributes, *more)))
    assert all(catalog.at(("properties", name, "type")) == "long" for name in names)


def test_index_names_are_encoded_in_paths() -> None:
    odd = store(engine.empty(), template={}, name="ünï %2f")
    paths = [r.path for s in steps(odd, NEWEST) for r in requests(s)]
    assert paths[0] == "/_template/%C3%BCn%C3%AF%20%252f_template"
    assert all(" " not in path for path in paths)


def record(**members: object) -> Record:
    base = Record("ns", "run", "wf", "Type", 1_700_000_000_123_456_789, 1_700_000_000_123_456_789, 1)
    return replace(base, **members)  # type: ignore[arg-type]


FULL = record(
    status=2, task_queue="q", close_time=1_700_000_001_000_000_000, history_length=7, history_size_bytes=9,
    execution_duration=876_543_211, state_transition_count=3, memo=b"\x00\xff", encoding="Proto3",
    parent_workflow_id="p", parent_run_id="pr", root_workflow_id="wf", root_run_id="run", version=42,
    attributes={
        "BatcherUser": "me", "BuildIds": ("a", "b"), "TemporalBool01": True, "TemporalDouble01": 0.5,
        "TemporalDatetime01": Moment(1_700_000_000_000_000_001), "TemporalInt01": 2**53 + 1,
    },
)  # fmt: skip


def test_a_document_is_what_temporals_server_writes() -> None:
    form = documents.Form.of(NEWEST, profile())
    document = form.document(FULL)
    assert document["StartTime"] == "2023-11-14T22:13:20.123456789Z"
    assert document["CloseTime"] == "2023-11-14T22:13:21Z"
    assert document["ExecutionStatus"] == "Completed"
    assert (document["Memo"], document["MemoEncoding"]) == ("AP8=", "Proto3")
    assert document["TemporalDatetime01"] == "2023-11-14T22:13:20.000000001Z"
    assert document["BuildIds"] == ["a", "b"]
    started = form.document(record())
    assert set(started) == {
        "NamespaceId", "RunId", "WorkflowId", "WorkflowType", "StartTime", "ExecutionTime", "ExecutionStatus",
        "TaskQueue", "RootWorkflowId", "RootRunId", "VisibilityTaskKey",
    }  # fmt: skip
    action = form.action(FULL, "i")
    assert {k: action[k] for k in ("_op_type", "_index", "_id", "version", "version_type")} == {
        "_op_type": "index", "_index": "i", "_id": "wf~run", "version": 42, "version_type": "external",
    }  # fmt: skip
    assert documents.deletion(Deletion("ns", "run", "wf", 43, 0), "i")["version"] == 43


def test_a_document_of_the_first_layout() -> None:
    form = documents.Form.of(BY_LABEL["v0"], profile())
    document = form.document(replace(FULL, attributes={"BatcherUser": "me", "BatcherNamespace": "n"}))
    assert document["StartTime"] == FULL.start_time
    assert document["ExecutionStatus"] == 2
    assert document["Attr"] == {"Operator": "me", "CustomNamespace": "n"}
    assert document["Encoding"] == "Proto3"
    assert "ParentRunId" not in document


@pytest.mark.parametrize("label", ["v0", "v1", "v14"])
def test_documents_read_back(label: str) -> None:
    part = BY_LABEL[label]
    form = documents.Form.of(part, profile())
    kept = {a.name for a in part.attributes}
    mine = replace(FULL, attributes={k: v for k, v in FULL.attributes.items() if k in kept})
    read = form.record({"_id": "x", "_version": 42, "_source": form.document(mine)})
    assert {m: getattr(read, m) for m in ("attributes", "start_time", "close_time", "status", "memo", "version")} == {
        m: getattr(mine, m) for m in ("attributes", "start_time", "close_time", "status", "memo", "version")
    }
    if label == "v14":
        assert read == mine


def test_lists_in_documents() -> None:
    form = documents.Form.of(NEWEST, profile())
    source = form.document(record())
    one = form.record({"_version": 1, "_source": {**source, "BatcherUser": ["me"], "BuildIds": "a"}})
    assert one.attributes == {"BatcherUser": "me", "BuildIds": ("a",)}
    with pytest.raises(EngineError) as refused:
        form.record({"_id": "wf~run", "_version": 1, "_source": {**source, "BatcherUser": ["a", "b"]}})
    assert refused.value.code == "TV4504"
    assert "visibilityAllowList" in refused.value.hint
    shown = documents.Form.of(NEWEST, profile(), several=True)
    lists = {"BatcherUser": ["a", "b"], "BuildIds": ["c"], "TemporalInt01": [1, None], "TemporalBool01": [True, False]}
    assert shown.record({"_version": 1, "_source": {**source, **lists}}).attributes == {
        "BatcherUser": ("a", "b"), "BuildIds": ("c",), "TemporalInt01": 1, "TemporalBool01": (True, False),
    }  # fmt: skip
    with pytest.raises(EngineError):
        form.record({"_id": "wf~run", "_version": 1, "_source": {"StartTime": "yesterday"}})


@given(st.text(max_size=600), st.text(min_size=1, max_size=64, alphabet="0123456789abcdef-"))
def test_document_ids_fit(workflow_id: str, run_id: str) -> None:
    encodable = workflow_id.encode(errors="ignore").decode()
    identity = documents.document_id(encodable, run_id)
    assert len(identity.encode()) <= 512
    assert identity.endswith(f"~{run_id}")
    assert encodable.startswith(identity.removesuffix(f"~{run_id}"))
    assert documents.document_id("x" * 447, "r" * 64) == "x" * 447 + "~" + "r" * 64
    assert len(documents.document_id("é" * 400, "r" * 36).encode()) in (511, 512)


def test_inspect_reads_what_servers_answer() -> None:
    answer: dict[str, Json] = {
        "mappings": {"dynamic": False, "properties": {
            "D": {"type": "scaled_float", "scaling_factor": 10000.0, "fields": {"x": {"type": "long"}}},
            "O": {"properties": {"k": {"type": "keyword"}}},
        }},
        "settings": {"archived": {"index": {"shard.check_on_startup": "fix"}},
                     "index": {"number_of_shards": "1", "number_of_replicas": "2", "auto_expand_replicas": "0-2",
                               "sort": {"field": "A"}, "codec": "x", "uuid": "u", "verified_read_only": "true",
                               "remote_store": {"enabled": "true", "translog": {"buffer_interval": "1s"}}}},
    }  # fmt: skip
    assert inspect.catalog(answer).body == {
        "dynamic": "false",
        "properties": {
            "D": {"type": "scaled_float", "scaling_factor": 10000},
            "O": {"type": "object", "properties": {"k": {"type": "keyword"}}},
        },
        "settings": {
            "number_of_shards": "1",
            "number_of_replicas": "0",
            "auto_expand_replicas": "0-2",
            "sort.field": ["A"],
        },
    }
    kept = inspect.kept(answer, Names.of("i", None, profile()))
    assert kept.settings == {"codec": "x", "remote_store.translog.buffer_interval": "1s"}


NO_POLICY = {"error": {"type": "resource_not_found_exception", "reason": "Lifecycle policy not found: a"}}
NO_ILM = {"error": {"type": "index_not_found_exception", "reason": "no such index [_ilm]"}}


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (200, {"a": {"version": 1}}, []),
        (403, {}, []),
        (404, NO_POLICY, [("TV2046", False)]),
        (404, NO_ILM, [("TV2045", True)]),
        (400, {"error": "no handler found for uri [/_ilm/policy/a]"}, [("TV2045", True)]),
    ],
)
def test_a_lifecycle_is_looked_up(status: int, answer: dict[str, object], said: list[tuple[str, bool]]) -> None:
    """As servers with and without ILM answer, and one that does not tell this user."""
    assert [(p.code, p.fatal) for p in preflight.managed("a", status, answer)] == said


def test_unknown_statuses_are_counted_together() -> None:
    found = check.parse("GROUP BY ExecutionStatus", Scope.of(NEWEST, Family.ELASTICSEARCH))
    question = Question(NEWEST, "ns", found, filters.SEMANTICS)

    def counts(*keys: object) -> dict[object, int]:
        buckets = [{"key": {"value": key}, "doc_count": 2} for key in keys]
        return filters.counts(question, [{"aggregations": {"groups": {"buckets": buckets}}}])

    assert counts("Running", "Unspecified", "New", None) == {1: 2, 0: 4, None: 2}
    assert counts(1, 0, 9) == {1: 2, 0: 2, 9: 2}
