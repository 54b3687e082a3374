"""Small damages to an index: a mapping or setting that was otherwise from the start, and what was changed afterwards.

An index cannot change most of itself, so a damage is mostly another body for its creation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from toolkit.plan import Request

MISSING, EXTRA, DIFFERENT, TEMPLATE, BLOCKED = "TV6111", "TV6112", "TV6113", "TV6120", "TV6122"
Body = dict[str, Any]


@dataclass(frozen=True)
class SearchDamage:
    """`change`: another body for the index; or `later`: requests to a live one, given its path and its template's."""

    name: str
    code: str
    place: str
    change: Callable[[Body], object] | None = None
    later: Callable[[str, str], list[Request]] | None = None


def field(name: str, facts: Body | None) -> Callable[[Body], object]:
    """Another mapping of one field; None: none."""

    def change(body: Body) -> None:
        if facts is None:
            del body["mappings"]["properties"][name]
        else:
            body["mappings"]["properties"][name] = facts

    return change


def setting(**values: Any) -> Callable[[Body], object]:
    """Other settings of the index; `__` stands for the dot."""
    return lambda body: body["settings"]["index"].update({k.replace("__", "."): v for k, v in values.items()})


def normalised(body: Body) -> None:
    """A keyword that loses its letters' case."""
    body["settings"]["index"]["analysis"] = {"normalizer": {"low": {"type": "custom", "filter": ["lowercase"]}}}
    body["mappings"]["properties"]["WorkflowId"] = {"type": "keyword", "normalizer": "low"}


def unsorted(body: Body) -> None:
    for name in ("sort.field", "sort.order", "sort.missing"):
        del body["settings"]["index"][name]


def put(path: str, body: Any) -> Request:
    return Request("PUT", path, body)


_KEYWORD: Body = {"type": "keyword"}
SEARCH = [
    SearchDamage("missing field", MISSING, "properties/TaskQueue", field("TaskQueue", None)),
    SearchDamage("missing list", MISSING, "properties/BuildIds", field("BuildIds", None)),
    SearchDamage("missing number", MISSING, "properties/TemporalInt01", field("TemporalInt01", None)),
    SearchDamage("keyword as text", DIFFERENT, "properties/WorkflowType", field("WorkflowType", {"type": "text"})),
    SearchDamage("other analyser", DIFFERENT, "properties/WorkflowType",
                 field("WorkflowType", {"type": "text", "analyzer": "whitespace"})),
    SearchDamage("keyword with a normaliser", DIFFERENT, "properties/WorkflowId", normalised),
    SearchDamage("keyword that ignores long words", DIFFERENT, "properties/WorkflowId",
                 field("WorkflowId", {"type": "keyword", "ignore_above": 256})),
    SearchDamage("keyword that is not indexed", DIFFERENT, "properties/TemporalPauseInfo",
                 field("TemporalPauseInfo", {"type": "keyword", "index": False})),
    SearchDamage("keyword without doc values", DIFFERENT, "properties/TemporalScheduledById",
                 field("TemporalScheduledById", {"type": "keyword", "doc_values": False})),
    SearchDamage("keyword with a value for null", DIFFERENT, "properties/ParentRunId",
                 field("ParentRunId", {"type": "keyword", "null_value": "none"})),
    SearchDamage("list with ordinals made early", DIFFERENT, "properties/TemporalKeywordList01",
                 field("TemporalKeywordList01", {"type": "keyword", "eager_global_ordinals": True})),
    SearchDamage("time in milliseconds", DIFFERENT, "properties/ExecutionTime", field("ExecutionTime", {"type": "date"})),
    SearchDamage("time with a format", DIFFERENT, "properties/TemporalDatetime01",
                 field("TemporalDatetime01", {"type": "date_nanos", "format": "strict_date_optional_time_nanos"})),
    SearchDamage("time as keyword", DIFFERENT, "properties/TemporalScheduledStartTime",
                 field("TemporalScheduledStartTime", _KEYWORD)),
    SearchDamage("smaller number", DIFFERENT, "properties/HistoryLength", field("HistoryLength", {"type": "integer"})),
    SearchDamage("number as keyword", DIFFERENT, "properties/HistorySizeBytes", field("HistorySizeBytes", _KEYWORD)),
    SearchDamage("number as double", DIFFERENT, "properties/ExecutionDuration",
                 field("ExecutionDuration", {"type": "double"})),
    SearchDamage("number that takes rubbish", DIFFERENT, "properties/StateTransitionCount",
                 field("StateTransitionCount", {"type": "long", "ignore_malformed": True})),
    SearchDamage("other scaling factor", DIFFERENT, "properties/TemporalDouble01",
                 field("TemporalDouble01", {"type": "scaled_float", "scaling_factor": 100})),
    SearchDamage("double instead of scaled", DIFFERENT, "properties/TemporalDouble02",
                 field("TemporalDouble02", {"type": "double"})),
    SearchDamage("bool as keyword", DIFFERENT, "properties/TemporalBool01", field("TemporalBool01", _KEYWORD)),
    SearchDamage("bool with a value for null", DIFFERENT, "properties/TemporalSchedulePaused",
                 field("TemporalSchedulePaused", {"type": "boolean", "null_value": False})),
    SearchDamage("number that is not indexed", DIFFERENT, "properties/TemporalInt02", field("TemporalInt02", {"type": "long", "index": False})),
    SearchDamage("words of a query split", DIFFERENT, "properties/TemporalUsedWorkerDeploymentVersions",
                 field("TemporalUsedWorkerDeploymentVersions", {"type": "keyword", "split_queries_on_whitespace": True})),
    SearchDamage("dynamic mapping", DIFFERENT, "dynamic", later=lambda path, _: [put(f"{path}/_mapping", {"dynamic": True})]),
    SearchDamage("strict mapping", DIFFERENT, "dynamic",
                 later=lambda path, _: [put(f"{path}/_mapping", {"dynamic": "strict"})]),
    SearchDamage("other number of shards", DIFFERENT, "settings/number_of_shards", setting(number_of_shards="2")),
    SearchDamage("no index sort", MISSING, "settings/sort.field", unsorted),
    SearchDamage("other index sort", DIFFERENT, "settings/sort.field",
                 setting(sort__field=["StartTime", "CloseTime", "RunId"])),
    SearchDamage("sort in the other direction", DIFFERENT, "settings/sort.order",
                 setting(sort__order=["asc", "desc", "desc"])),
    SearchDamage("open executions last", DIFFERENT, "settings/sort.missing",
                 setting(sort__missing=["_last", "_first", "_first"])),
    SearchDamage("fixed replicas", DIFFERENT, "settings/auto_expand_replicas",
                 later=lambda path, _: [put(f"{path}/_settings", {"index": {"auto_expand_replicas": "false"}})]),
    SearchDamage("idle sooner", DIFFERENT, "settings/search.idle.after",
                 later=lambda path, _: [put(f"{path}/_settings", {"index": {"search.idle.after": "30s"}})]),
    SearchDamage("setting given back", MISSING, "settings/search.idle.after",
                 later=lambda path, _: [put(f"{path}/_settings", {"index": {"search.idle.after": None}})]),
    SearchDamage("write block", BLOCKED, "settings/blocks.write",
                 later=lambda path, _: [put(f"{path}/_settings", {"index": {"blocks.write": True}})]),
    SearchDamage("full disk", BLOCKED, "settings/blocks.read_only_allow_delete",
                 later=lambda path, _: [put(f"{path}/_settings", {"index": {"blocks.read_only_allow_delete": True}})]),
    SearchDamage("missing template", TEMPLATE, "", later=lambda _, template: [Request("DELETE", template)]),
    SearchDamage("template without fields", TEMPLATE, "",
                 later=lambda path, template: [put(template, {"index_patterns": [path[1:], f"{path[1:]}-*"]})]),
    SearchDamage("template for other names", TEMPLATE, "",
                 later=lambda path, template: [put(template, {"index_patterns": [f"{path[1:]}-old"]})]),
]  # fmt: skip
