"""What a search engine answers about indices and templates → our Catalog and SearchStore.

It asks nothing itself (`client` does); the canonical form is described in `toolkit.catalog` and kept by tests against
the catalogs of all published versions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from toolkit.catalog import Catalog, Json
from toolkit.engines.elasticsearch import render
from toolkit.engines.elasticsearch.layout import NAME, SETTINGS, settled
from toolkit.engines.elasticsearch.store import Kept, Names

# Settings that belong to one index only, and never to the one that follows it: what it is, what no server knows since
# an upgrade of its cluster, ...
_IDENTITY = (
    "uuid", "history.uuid", "creation_date", "provided_name", "version.", "blocks.", "resize.", "replication.type",
    "routing.allocation.initial_recovery", "archived.",
)  # fmt: skip
# ... and what servers keep in it themselves: they refuse an index that is made with one (Elasticsearch 7.17 to 9.4 and
# OpenSearch 2.19 to 3.6: every built-in index setting with the property PrivateIndex or InternalIndex).
_PRIVATE = (
    "allocation.existing_shards_allocator", "context.created_version", "context.current_version", "dimensions",
    "downsample.", "logsdb.add_host_name_field", "logsdb.sort_on_", "mapping.semantic_text.use_legacy_format",
    "remote_store.enabled", "remote_store.segment.repository", "remote_store.translog.repository", "rollup.source.",
    "routing.allocation.disk.watermark.ignore", "search.throttled", "searchable_snapshot.", "shard_limit.group",
    "verified_before_close", "verified_read_only",
)  # fmt: skip
# Parts of a mapping that a new index does not just take over: our own, and what it must not have for a rebuild at all.
_OURS = ("properties", "dynamic", "_meta", "_source")


def catalog(answer: Mapping[str, Json], more: Collection[str] = ()) -> Catalog:
    """The catalog of one index from its part of `GET /index`; `more`: settings that an overlay makes part of it."""
    mappings, settings = _map(answer.get("mappings")), flat_settings(_map(answer.get("settings")))
    body: dict[str, Json] = {
        "properties": properties(_map(mappings.get("properties"))),
        "dynamic": _text(mappings.get("dynamic", "true")),
        "settings": settled(known_settings(settings, more)),
    }
    return Catalog(NAME, body)


def kept(answer: Mapping[str, Json], names: Names, more: Collection[str] = ()) -> Kept:
    """What a later index takes over from this one: everything that is not our schema, and not the index's identity."""
    mappings, settings = _map(answer.get("mappings")), flat_settings(_map(answer.get("settings")))
    found = _map(answer.get("aliases"))
    return Kept(
        properties=_map(mappings.get("properties")),
        settings=own_settings(settings, more),
        aliases={name: facts for name, facts in found.items() if name != names.index},
        meta={k: v for k, v in _map(mappings.get("_meta")).items() if k != render.NOTE},
        more={k: v for k, v in mappings.items() if k not in _OURS},
        named=_map(found.get(names.index)),
    )


def own_settings(settings: Mapping[str, Json], more: Collection[str] = ()) -> dict[str, Json]:
    """Those of an index's settings (flat) that are an operator's business, and may be another index's, too."""
    return {k: v for k, v in settings.items() if k not in (*SETTINGS, *more) and not belongs_to_one(k)}


def belongs_to_one(setting: str) -> bool:
    """Whether a setting (flat, without `index.`) tells of one index only, so that no other may be made with it."""
    return setting.startswith((*_IDENTITY, *_PRIVATE))


def uuid(answer: Mapping[str, Json]) -> str:
    """What tells an index from another that had its name before."""
    return _text(flat_settings(_map(answer.get("settings"))).get("uuid", ""))


def meta(answer: Mapping[str, Json]) -> Mapping[str, Json]:
    """The `_meta` of an index."""
    return _map(_map(answer.get("mappings")).get("_meta"))


def legacy_template(
    answer: Mapping[str, Json], patterns: Sequence[str] | None, more: Collection[str] = ()
) -> dict[str, Json]:
    """The canonical form of one legacy template. `patterns`: those it should have, to be told whether it has them;
    None to be told what it has."""
    return {"kind": "legacy", "order": answer.get("order", 0), **_patterns(answer, patterns), **_inner(answer, more)}


def composable_template(
    answer: Mapping[str, Json], patterns: Sequence[str] | None, more: Collection[str] = ()
) -> dict[str, Json]:
    """The canonical form of one composable template, as `legacy_template`."""
    inner = _inner(_map(answer.get("template")), more)
    return {"kind": "composable", "priority": answer.get("priority", 0), **_patterns(answer, patterns), **inner}


def _patterns(answer: Mapping[str, Json], patterns: Sequence[str] | None) -> dict[str, Json]:
    found = answer.get("index_patterns")
    return {"index_patterns": found} if patterns is None else {"applies": found == list(patterns)}


def _inner(body: Mapping[str, Json], more: Collection[str]) -> dict[str, Json]:
    mappings = _map(body.get("mappings"))
    aliases: list[Json] = [*sorted(_map(body.get("aliases")))]
    return {
        "aliases": aliases,
        "dynamic": _text(mappings.get("dynamic", "true")),
        "properties": properties(_map(mappings.get("properties"))),
        "settings": known_settings(flat_settings(_map(body.get("settings"))), more),
    }


def properties(answer: Mapping[str, Json]) -> dict[str, Json]:
    """Fields in canonical form. Multi-fields are left out: they are an operator's addition, and disturb nobody."""
    return {name: _field(_map(facts)) for name, facts in answer.items()}


def _field(facts: Mapping[str, Json]) -> Json:
    found = {name: _number(value) for name, value in facts.items() if name not in ("properties", "fields")}
    if "properties" in facts:
        found = {"type": "object", **found, "properties": properties(_map(facts["properties"]))}
    return found


def _number(value: Json) -> Json:
    """Some servers give a whole number back with a fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def flat_settings(settings: Mapping[str, Json], prefix: str = "") -> dict[str, Json]:
    """Nested or flat settings as flat ones, without the leading `index.`."""
    found: dict[str, Json] = {}
    for name, value in settings.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            found |= flat_settings(value, f"{key}.")
        else:
            found[key.removeprefix("index.")] = value
    return found


def known_settings(settings: Mapping[str, Json], more: Collection[str] = ()) -> dict[str, Json]:
    """The settings that are part of the schema: values as text, sort keys as lists of text. `more`: an overlay's."""
    return {name: _setting(name, settings[name]) for name in (*SETTINGS, *more) if name in settings}


def _setting(name: str, value: Json) -> Json:
    if name.startswith("sort."):
        return [_text(v) for v in value] if isinstance(value, list) else [_text(value)]
    return _text(value)


def _text(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _map(value: object) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
