"""Requests to a search engine as values: the one place that writes paths and bodies for this engine.

Pure; names are percent-encoded here, and nowhere else, and what is in a body is data for the server's JSON reader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from toolkit.catalog import Json
from toolkit.engines.elasticsearch import paging
from toolkit.engines.elasticsearch.store import AUTO_CREATE, Names
from toolkit.engines.elasticsearch.typemap import Profile
from toolkit.plan import Request

# The key of our own note in a mapping's `_meta`.
NOTE = "temporal_visibility"
# What some of the shards say would be taken for all there is.
SEARCH = "_search?allow_partial_search_results=false"
PIPELINES = ("default_pipeline", "final_pipeline")
NO_PIPELINE = "_none"
# Said of an index that is to be filled, it keeps out those that a template of somebody else brings, too.
WITHOUT_PIPELINES: Mapping[str, Json] = dict.fromkeys(PIPELINES, NO_PIPELINE)


def path(*segments: str) -> str:
    """A path of encoded segments; whatever is inside a segment, it stays inside."""
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


def index_body(
    properties: Mapping[str, Json],
    dynamic: str,
    settings: Mapping[str, Json],
    meta: Json,
    more: Mapping[str, Json] | None = None,
) -> Json:
    """The body that creates an index, or the inner part of a template; `more`: other parts of the mapping."""
    mappings: dict[str, Json] = {"dynamic": dynamic, "properties": dict(properties), **(more or {})}
    return {
        "settings": {"index": dict(settings)},
        "mappings": {"_meta": meta, **mappings} if meta else mappings,
    }


def note_of(body: Json) -> Json:
    """Our note in a body that creates an index."""
    mappings = body.get("mappings") if isinstance(body, dict) else None
    meta = mappings.get("_meta") if isinstance(mappings, dict) else None
    return meta.get(NOTE) if isinstance(meta, dict) else None


def legacy_template(names: Names, body: Json, rules: Profile) -> Json:
    """The body of a legacy template around `index_body`."""
    assert isinstance(body, dict)
    return {"order": rules.order, "index_patterns": list(names.patterns), **body, "aliases": {}}


def composable_template(names: Names, body: Json, rules: Profile) -> Json:
    """The body of a composable template around `index_body`."""
    return {"index_patterns": list(names.patterns), "priority": rules.priority, "template": body}


def put_template(name: str, body: Json) -> Request:
    """Write a legacy template, whatever was there before."""
    return Request("PUT", path("_template", name), body)


def delete_template(name: str) -> Request:
    """The opposite of `put_template`."""
    return Request("DELETE", path("_template", name))


def delete_composable(name: str) -> Request:
    """Take away a composable template, which would hide a legacy one."""
    return Request("DELETE", path("_index_template", name))


def create_index(name: str, body: Json) -> Request:
    """A new index; refused by the server when the name is taken."""
    return Request("PUT", path(name), body, "create")


def delete_index(name: str) -> Request:
    """The opposite of `create_index`."""
    return Request("DELETE", path(name))


def put_mapping(name: str, body: Mapping[str, Json]) -> Request:
    """Add to the mapping of an index; what is there stays, but `_meta` is replaced as a whole."""
    return Request("PUT", path(name, "_mapping"), dict(body))


def put_settings(name: str, settings: Mapping[str, Json]) -> Request:
    """Change settings of a live index; None gives a setting back its default."""
    return Request("PUT", path(name, "_settings"), {"index": dict(settings)})


def auto_create(value: str | None) -> Request:
    """Whether the cluster makes an index by itself on the first write to it."""
    return Request("PUT", "/_cluster/settings", {"persistent": {AUTO_CREATE: value}})


def block_writes(name: str) -> Request:
    """Refuse writes to an index, and wait until none is on its way."""
    return Request("PUT", path(name, "_block", "write"))


def allow_writes(name: str) -> Request:
    """The opposite of `block_writes`."""
    return put_settings(name, {"blocks.write": None})


def pipelines(settings: Mapping[str, Json]) -> dict[str, Json]:
    """The pipelines through which an index with these settings sends what is written to it; {} when there are none."""
    return {name: settings[name] for name in PIPELINES if settings.get(name, NO_PIPELINE) != NO_PIPELINE}


def usual_pipelines(settings: Mapping[str, Json]) -> dict[str, Json]:
    """What a new index, which is made with none at all, gets back when it is filled: those of `settings`, or no word of
    its own about them."""
    return {name: settings.get(name) for name in PIPELINES}


def no_pipelines(settings: Mapping[str, Json]) -> dict[str, Json]:
    """Settings that keep documents out of them."""
    return dict.fromkeys(pipelines(settings), NO_PIPELINE)


def refresh(name: str) -> Request:
    """Make all that was written visible to searches, and so to a copy."""
    return Request("POST", path(name, "_refresh"))


def reindex(source: str, target: str, script: Json, at_once: int = paging.DOCUMENTS) -> Request:
    """Copy all documents with their versions. It runs as a task of the server; the client waits for its end."""
    body: dict[str, Json] = {
        "conflicts": "proceed",
        "source": {"index": source, "size": at_once},
        "dest": {"index": target, "version_type": "external"},
    }
    if script:
        body["script"] = script
    return Request("POST", "/_reindex?wait_for_completion=false&slices=auto", body)


def aliases(actions: Sequence[Json], part: str = "") -> Request:
    """Change aliases and drop indices in one atomic act: all actions, or none."""
    return Request("POST", "/_aliases", {"actions": list(actions)}, part)


def named(index: str, name: str, facts: object) -> Json:
    """The action that gives a store its name, with what `facts` say that it did before: filter and routing."""
    return {
        "add": {**(facts if isinstance(facts, dict) else {}), "index": index, "alias": name, "is_write_index": True}
    }


def drop_while(kept: str, dropped: str) -> Request:
    """Drop an index, if it is there, but only while the index `kept` is: both are looked at in one atomic act."""
    there: Json = {"remove": {"index": kept, "alias": f"{kept}-no-such-alias", "must_exist": False}}
    return aliases([there, {"remove_index": {"index": dropped}}], "if there")
