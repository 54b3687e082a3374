"""The requests of a rebuild beside live writes: copy, follow, compare, swap. Texts like `%(after)s` in them are filled
in when they are sent.

Pure. What changed is found by the sequence numbers of the shards; a copy brings the documents' own versions, so it may
be repeated, and a late one loses. An index that is being filled is written to only through an alias (`%(writer)s`) that
belongs to one holder of the lock: whoever lost the lock writes into nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast
from urllib.parse import quote, unquote
from zlib import crc32

from toolkit.catalog import Json
from toolkit.engines.elasticsearch import inspect, paging, render
from toolkit.plan import Request

# How long the index that is being filled remembers what was deleted, so that no late copy brings it back.
REMEMBER = "7d"
_WEEK = 7 * 86_400
PAGE = 2000
RUNS_PAGE = 10_000
GREEN_SECONDS = 30

# A hash of start (milliseconds; the first layout has nanoseconds) and version for each document, added up: the order of
# documents does not count. Run ids are what slices are made of; as texts in a script they would take ten times as long.
_HASH = """
def at = doc['StartTime'].size() == 0 ? 0L : doc['StartTime'].value;
long h = at instanceof Long ? (long) at / 1000000L : at.toInstant().toEpochMilli();
h = (h ^ (doc['_version'].value * -7046029254386353131L)) * -4417276706812531889L;
h ^= (h >>> 29);
long[] sums = (long[]) state.sums;
sums[0] += 1L;
sums[1] += h * 1609587929392839161L;
"""
_ADD = """
long count = 0L; long sum = 0L;
for (s in states) { if (s != null) { count += (long) s[0]; sum += (long) s[1]; } }
return String.valueOf(count) + " " + String.valueOf(sum);
"""
FINGERPRINT: Json = {
    "scripted_metric": {
        "init_script": "state.sums = new long[2]",
        "map_script": _HASH.replace("\n", " ").strip(),
        "combine_script": "return [state.sums[0], state.sums[1]]",
        "reduce_script": _ADD.replace("\n", " ").strip(),
    }
}

# Run ids in their order, from one page to the next, and without a look at any document.
BY_RUN: Json = {"runs": {"composite": {"size": RUNS_PAGE, "sources": [{"run": {"terms": {"field": "RunId"}}}]}}}

# Id and routing of a document; without routing the id tells its shard.
Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Pair:
    """What is copied from where to where: `shards` of the source, how documents are converted on the way, the fields of
    the source that the target is not to have, and how many documents are read at once."""

    source: str
    target: str
    shards: int
    script: Json = None
    without: tuple[str, ...] = ()
    at_once: int = paging.DOCUMENTS


def tools(pair: Pair) -> tuple[Request, ...]:
    """All that following and comparing need; the parts are told apart by their names."""
    return (*follow(pair), *compare(pair))


def follow(pair: Pair) -> tuple[Request, ...]:
    """Take the writer's alias; look how far the shards are; copy what lies between two sequence numbers; see that it
    arrived."""
    window: Json = {"range": {"_seq_no": {"gt": "%(after)s", "lte": "%(upto)s"}}}
    source: dict[str, Json] = {"index": pair.source, "size": pair.at_once, "query": window}
    if pair.shards > 1:
        source["slice"] = {"id": "%(shard)s", "max": pair.shards}
    body: dict[str, Json] = {
        "conflicts": "proceed",
        "source": source,
        "dest": {"index": "%(writer)s", "version_type": "external"},
    }
    if pair.script:
        body["script"] = pair.script
    changed: Json = {
        "size": PAGE, "_source": False, "version": True, "query": window, "sort": [{"_seq_no": "asc"}],
    }  # fmt: skip
    mget, refresh = "_mget?_source=false", "_refresh"
    return (
        *_fields(pair),
        *_settings(pair),
        render.aliases([{"add": {"index": pair.target, "alias": "%(writer)s"}}], "writer"),
        Request("POST", f"{render.path(pair.source)}/_flush", None, "flush source"),
        Request("GET", f"{render.path(pair.source, '_stats', 'docs')}?level=shards", None, "progress"),
        Request("POST", f"{render.path(pair.source)}/{refresh}", None, "refresh source"),
        Request("POST", "/_reindex?require_alias=true&refresh=false&timeout=1m", body, "copy"),
        Request(
            "POST", f"{render.path(pair.source)}/{render.SEARCH}&preference=_shards:%(shard)s", changed, "changed"
        ),
        Request("POST", f"{render.path(pair.target)}/{mget}", {"docs": "%(docs)s"}, "arrived"),
        Request("POST", f"{render.path(pair.target)}/{refresh}", None, "refresh target"),
        Request("GET", render.path(pair.source, "_count"), None, "count source"),
        Request("GET", render.path(pair.target, "_count"), None, "count target"),
    )  # fmt: skip


def _fields(pair: Pair) -> tuple[Request, ...]:
    """Give the target the fields that somebody adds to the source meanwhile; a converted document has others."""
    if pair.script:
        return ()
    one = "*.mappings.properties"
    wanted = quote(",".join([one, *(f"-{one}.{name}" for name in pair.without)]), safe="*,.-")
    source, target = render.path(pair.source, "_mapping"), render.path(pair.target, "_mapping")
    return (
        Request("GET", f"{source}?filter_path={wanted}", None, "fields source"),
        Request("GET", f"{target}?filter_path={one}", None, "fields target"),
        Request("PUT", target, {"properties": "%(fields)s"}, "fields"),
    )


def _settings(pair: Pair) -> tuple[Request, ...]:
    """Give the target the settings that somebody changes on the source meanwhile."""
    source, target = (render.path(index, "_settings") for index in (pair.source, pair.target))
    return (
        Request("GET", f"{source}?flat_settings=true", None, "settings source"),
        Request("GET", f"{target}?flat_settings=true", None, "settings target"),
        Request("PUT", target, {"index": "%(settings)s"}, "settings"),
    )


def compare(pair: Pair) -> tuple[Request, ...]:
    """Compare slices by counts and fingerprints, list documents or only run ids, delete what the source lost."""
    listing: Json = {
        "size": PAGE, "_source": False, "version": True, "query": "%(together)s", "sort": ["RunId", "_seq_no"],
    }  # fmt: skip
    runs: Json = {"size": 0, "track_total_hits": False, "query": "%(together)s", "aggs": BY_RUN}
    gone: Json = {
        "delete": {
            "_index": "%(writer)s", "_id": "%(id)s", "version": "%(version)s", "version_type": "external_gte",
        }
    }  # fmt: skip
    found: list[Request] = []
    for side, index in (("source", pair.source), ("target", pair.target)):
        search = f"{render.path(index)}/{render.SEARCH}"
        only: dict[str, Json] = {"size": 0, "track_total_hits": False, "query": "%(together)s"}
        counted: Json = {**only, "aggs": {"slice": {"filters": {"filters": "%(slices)s"}}}}
        marked: Json = {
            **only,
            "aggs": {"slice": {"filters": {"filters": "%(slices)s"}, "aggs": {"mark": FINGERPRINT}}},
        }
        found += [
            Request("POST", search, marked, f"fingerprint {side}"),
            Request("POST", search, counted, f"slices {side}"),
            Request("POST", search, listing, f"list {side}"),
            Request("POST", search, runs, f"runs {side}"),
        ]
    live = Request("POST", f"{render.path(pair.source)}/_mget?_source=false", {"docs": "%(docs)s"}, "live")
    return (*found, live, Request("POST", "/_bulk", gone, "delete"))


def swap(
    pair: Pair, name: str, aliases: Mapping[str, Json], clone: Request | None, pipelines: Mapping[str, Json]
) -> tuple[Request, ...]:
    """Refuse writes; the last copies; the name goes from one index to the other, only if it is still where it was and
    the lock is still ours. `aliases`: those of the source, with the name where it is one. `clone`: the name is an
    index, which can only live on under another name. `pipelines`: those that the target has from then on; none while
    it is copied to, as what comes has been through them."""
    others = {alias: facts for alias, facts in aliases.items() if alias != name}
    moved: list[Json] = [
        {"add": {"index": pair.target, "alias": alias, **(facts if isinstance(facts, dict) else {})}}
        for alias, facts in others.items()
    ]
    if clone is None:
        gone: list[Json] = [{"remove": {"index": pair.source, "alias": name, "must_exist": True}}]
        gone += [{"remove": {"index": pair.source, "alias": alias, "must_exist": True}} for alias in others]
    else:
        gone = [{"remove_index": {"index": pair.source}}]
    actions: list[Json] = [
        {"remove": {"index": pair.target, "alias": "%(writer)s", "must_exist": True}},
        *gone,
        render.named(pair.target, name, aliases.get(name)),
        *moved,
    ]
    block = render.block_writes(pair.source)
    allow, none = render.allow_writes(pair.source), render.no_pipelines(pipelines)
    return (
        replace(block, part="lock"),
        *tools(pair),
        *((clone,) if clone else ()),
        Request("GET", f"{render.path(pair.target, '_stats', 'docs')}?level=shards", None, "progress target"),
        *((replace(render.put_settings(pair.target, pipelines), part="pipelines"),) if pipelines else ()),
        render.aliases(actions, "swap"),
        replace(allow, part="unlock"),
        *((replace(render.put_settings(pair.target, none), part="no pipelines"),) if pipelines else ()),
    )


def moved(swap: Request, name: str, pair: tuple[str, str], aliases: Mapping[str, Json]) -> Request:
    """The swap of `name` from one index of `pair` to the other, with the source's own aliases as they are now: some may
    have been added or taken away since the plan was made."""
    assert isinstance(swap.body, dict)
    source, target = pair
    actions: list[Json] = []
    dropped = False
    for action in cast("list[dict[str, dict[str, Json]]]", swap.body["actions"]):
        [(kind, facts)] = action.items()
        dropped |= kind == "remove_index"
        if kind == "add":
            continue
        if kind == "remove_index" or facts["alias"] == name or (kind, facts["index"]) == ("remove", target):
            actions.append(cast("Json", action))
    actions.append(render.named(target, name, aliases.get(name)))
    for alias, facts_ in aliases.items():
        if alias != name:
            gone: Json = {"remove": {"index": source, "alias": alias, "must_exist": False}}
            added: Json = {"add": {"index": target, "alias": alias, **(facts_ if isinstance(facts_, dict) else {})}}
            actions += [added] if dropped else [gone, added]
    return replace(swap, body={**swap.body, "actions": actions})


def clone(source: str, target: str, settings: Mapping[str, Json]) -> Request:
    """The same index under another name, sharing its files; only while writes are refused."""
    body: Json = {"settings": {"index.blocks.write": None, **{f"index.{k}": v for k, v in settings.items()}}}
    return Request("PUT", render.path(source, "_clone", target), body, "clone")


def clone_name(request: Request) -> str:
    """The name a clone gets."""
    return unquote(request.path.rpartition("/")[2])


def mark(uuid: str) -> str:
    """How long the clone of the index with that number remembers deletes. Nobody else has just this in mind, and there
    is no other mark for a clone: some servers forget of what it was made."""
    return f"{_WEEK + crc32(uuid.encode()) % _WEEK}s"


def drop_ours(name: str, uuid: str) -> Request:
    """Drop an index that a run has made of the index with that number; one of somebody else with that name stays."""
    return Request("DELETE", render.path(name), {"made_of": uuid}, "if ours")


def drop_unless_named(index: str, name: str) -> Request:
    """Drop an index, but never while `name` leads to it."""
    return Request("DELETE", render.path(index), {"name": name}, "unless named")


def ours(found: Mapping[str, Json], name: str, uuid: str) -> bool:
    """Whether `GET /name` tells of an index that a run has made of the one with that number: the new one, which says so
    itself, or the clone. Somebody else's clone does not remember deletes as ours does."""
    facts = found.get(name)
    if not isinstance(facts, dict):
        return False
    note, settings = inspect.meta(facts).get(render.NOTE), facts.get("settings")
    flat = inspect.flat_settings(settings) if isinstance(settings, dict) else {}
    made = isinstance(note, dict) and note.get("made_for") == uuid
    # Runs that an earlier release began have another mark.
    older = flat.get("resize.source.uuid") == uuid and flat.get("gc_deletes") == REMEMBER
    return made or older or flat.get("gc_deletes") == mark(uuid)


def healthy(index: str) -> Request:
    """Wait until all copies of an index are there, or the cluster has no more room for them."""
    return _health(index, "green&wait_for_no_initializing_shards=true", "health")


def started(index: str) -> Request:
    """Wait until the primaries of an index are there."""
    return _health(index, "yellow")


def _health(index: str, status: str, part: str = "") -> Request:
    path = render.path("_cluster", "health", index)
    return Request("GET", f"{path}?wait_for_status={status}&timeout={GREEN_SECONDS}s", None, part)


def filled(request: Request, values: Mapping[str, Json]) -> Request:
    """The request with its `%(name)s` filled in: a text that is nothing else becomes the value itself."""
    path = request.path
    for name, value in values.items():
        if isinstance(value, str | int):
            path = path.replace(f"%({name})s", str(value))
    return Request(request.method, path, _filled(request.body, values), request.part)


def _filled(body: Json, values: Mapping[str, Json]) -> Json:
    match body:
        case dict():
            return {key: _filled(value, values) for key, value in body.items()}
        case list():
            return [_filled(value, values) for value in body]
        case str() if body.startswith("%(") and body.endswith(")s") and body[2:-2] in values:
            return values[body[2:-2]]
        case _:
            return body


def key(hit: Mapping[str, Json]) -> Key:
    """The key of a document that a search has found."""
    return str(hit["_id"]), str(hit.get("_routing", ""))


def routed(routing: str) -> dict[str, Json]:
    """What a request says of a document besides its id."""
    return {"routing": routing} if routing else {}


def part(statements: Sequence[object], name: str) -> Request:
    """The one statement of that part."""
    return next(s for s in statements if isinstance(s, Request) and s.part == name)


def has(statements: Sequence[object], name: str) -> bool:
    """Whether there is such a part."""
    return any(isinstance(s, Request) and s.part == name for s in statements)
