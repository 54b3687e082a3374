"""The rebuild: a new index beside the old one, filled from it while writes are refused, and put into its place.

Pure; it writes the requests down. The old index remembers in `_meta` which new ones were begun, so that a run that was
killed can be repeated or taken back; the last request drops the old index and names the new one, all or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from toolkit.attributes import STATUS_NAMES, UNKNOWN_STATUS, Family, FieldType
from toolkit.catalog import Catalog, Json
from toolkit.definition import Definition
from toolkit.engines.elasticsearch import render, versions
from toolkit.engines.elasticsearch import store as stores
from toolkit.engines.elasticsearch.layout import label
from toolkit.engines.elasticsearch.store import SearchStore
from toolkit.engines.elasticsearch.typemap import Conversion, Layout, Profile, Statuses, Times
from toolkit.plan import Expect, Request

# Fields whose values are made by scripts: those of Elasticsearch, and those of OpenSearch.
COMPUTED = ("runtime", "derived")


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What a rebuild sends, and what takes it back as long as the last request was not sent."""

    shadow: str
    statements: tuple[Request, ...]
    cancel: tuple[Request, ...]


def rebuild(
    store: SearchStore, wanted: Definition, goal: Catalog, settings: Mapping[str, Json], rules: Profile
) -> Rebuild:
    """The requests that replace the index of `store` by one at `wanted`, whose catalog is `goal`."""
    names, before, after = store.names, stores.layout_of(store, rules), rules.layout(label(wanted))
    conversion = rules.conversion(before, after)
    custom = users_properties(store, before, after, conversion)
    properties = merged(goal.children(("properties",)), custom)
    begun = (*store.rebuilding, shadow_name(store, wanted))
    shadow = begun[-1]
    script = script_of(conversion, before, after, wanted, members(custom, after)) if conversion else None
    # Documents have been through the pipelines when they were written.
    during: dict[str, Json] = {
        **store.kept.settings, **settings, **render.WITHOUT_PIPELINES, "refresh_interval": "-1",
    }  # fmt: skip
    usual = {"refresh_interval": refresh_interval(store, settings), **render.usual_pipelines(store.kept.settings)}
    moved: list[Json] = [render.named(shadow, names.index, store.kept.named)]
    moved += [
        {"add": {"index": shadow, "alias": alias, **(facts if isinstance(facts, dict) else {})}}
        for alias, facts in store.kept.aliases.items()
    ]
    dropped: list[Json] = [{"remove_index": {"index": name}} for name in (names.holder, *store.rebuilding)]
    statements = (
        _note(store, begun),
        render.block_writes(names.holder),
        render.refresh(names.holder),
        render.create_index(
            shadow, render.index_body(properties, rules.dynamic, during, _meta(store), more(store, conversion))
        ),
        render.reindex(names.holder, shadow, script, store.at_once),
        render.put_settings(shadow, usual),
        render.aliases([*dropped, *moved]),
    )
    return Rebuild(shadow, statements, cancel(store, begun))


def unchanged(store: SearchStore, *parts: str) -> tuple[Expect, ...]:
    """That these parts of what the new index takes over are still as the plan has them; see `Kept`."""
    kept = store.kept.parts()
    return tuple(Expect(("index", part), kept[part]) for part in parts)


def refresh_interval(store: SearchStore, settings: Mapping[str, Json]) -> Json:
    """What a rebuild gives back at its end: an overlay's wish, else what the index had."""
    return settings.get("refresh_interval", store.kept.settings.get("refresh_interval"))


def more(store: SearchStore, conversion: Conversion | None) -> dict[str, Json]:
    """What the new index takes over of the rest of the mapping. Scripts of computed fields name fields of the old
    layout, and would fail in another one."""
    return {name: facts for name, facts in store.kept.more.items() if conversion is None or name not in COMPUTED}


def _meta(store: SearchStore) -> Json:
    return {**store.kept.meta, **versions.note(None, (), store.uuid)}


def cancel(store: SearchStore, begun: tuple[str, ...]) -> tuple[Request, ...]:
    """The requests that take unfinished rebuilds back: writes are let in again, whatever becomes of the rest; their
    indices go."""
    drops = (render.drop_while(store.names.holder, name) for name in begun)
    opened, note = (replace(r, part="if there") for r in (render.allow_writes(store.names.holder), _note(store, ())))
    return (opened, *drops, note)


def _note(store: SearchStore, begun: tuple[str, ...]) -> Request:
    meta = {**store.kept.meta, **versions.note(store.recorded, begun)}
    return render.put_mapping(store.names.holder, {"_meta": meta})


def shadow_name(store: SearchStore, wanted: Definition) -> str:
    """`<index>-<label>`, or the first `<index>-<label>-N` that is neither the old index nor left from another try."""
    base = f"{store.names.index}-{label(wanted)}"
    taken = {store.names.index, store.names.holder, *store.rebuilding, *store.taken}
    tries = (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3)))
    return next(name for name in tries if name not in taken)


def users_properties(
    store: SearchStore, before: Layout, after: Layout, conversion: Conversion | None
) -> dict[str, Json]:
    """What users added to the mapping, in the form it has after the rebuild."""
    have = store.catalog.children(("properties",))
    custom = added(store.kept.properties, have)
    if conversion is None:
        return custom
    inner = custom.pop(before.inside, {}) if before.inside else {}
    members = inner.get("properties", {}) if isinstance(inner, dict) else {}
    found = {**(members if isinstance(members, dict) else {}), **custom}
    found = {name: _converted(facts, conversion) for name, facts in found.items() if _typed(facts)}
    return {after.inside: {"properties": found}} if after.inside and found else found


def added(full: Mapping[str, Json], known: Mapping[str, Json]) -> dict[str, Json]:
    """What `full` has and `known` has not, down to the members of fields both have."""
    found: dict[str, Json] = {}
    for name, facts in full.items():
        if name not in known:
            found[name] = facts
        elif isinstance(facts, dict) and (inner := _added_to_field(facts, known[name])):
            found[name] = inner
    return found


def _added_to_field(facts: Mapping[str, Json], known: Json) -> dict[str, Json]:
    found: dict[str, Json] = {"fields": facts["fields"]} if "fields" in facts else {}
    members, ours = facts.get("properties"), known.get("properties") if isinstance(known, dict) else None
    if isinstance(members, dict) and (more := added(members, ours if isinstance(ours, dict) else {})):
        found["properties"] = more
    return found


def _typed(facts: Json) -> bool:
    return isinstance(facts, dict) and ("type" in facts or "properties" in facts)


def _converted(facts: Json, conversion: Conversion) -> Json:
    kind = str(facts.get("type")) if isinstance(facts, dict) else ""
    return dict(conversion.types[kind]) if kind in conversion.types else facts


def merged(ours: Mapping[str, Json], custom: Mapping[str, Json]) -> dict[str, Json]:
    """Our fields with what users added; an addition to a field that is gone goes with it."""
    found = dict(ours)
    for name, facts in custom.items():
        mine = found.get(name)
        if isinstance(mine, dict) and isinstance(facts, dict):
            both = {**facts, **mine}
            for part in ("properties", "fields"):
                inner, more = mine.get(part), facts.get(part)
                if isinstance(inner, dict) and isinstance(more, dict):
                    both[part] = merged(inner, more)
            found[name] = both
        elif _typed(facts):
            found[name] = facts
    return found


def members(custom: Mapping[str, Json], layout: Layout) -> list[str]:
    """The names of users' own attributes in `custom`."""
    inner = custom.get(layout.inside, {}) if layout.inside else custom
    members = inner.get("properties", {}) if layout.inside and isinstance(inner, dict) else custom
    return sorted(members) if isinstance(members, dict) else []


def script_of(
    conversion: Conversion, before: Layout, after: Layout, wanted: Definition, custom: list[str]
) -> dict[str, Json]:
    """The script that turns each document from one layout into the other, with its parameters."""
    part = wanted.on(Family.ELASTICSEARCH)
    own = {after.member(a.name) for a in part.attributes}
    attributes: list[Json] = [*sorted({*own, *custom})]
    times: list[Json] = [after.member(f.name) for f in part.fields if f.type is FieldType.DATETIME]
    params: dict[str, Json] = {
        "inside": before.inside or after.inside,
        "names": _renamed(before, after),
        "times": times,
        "statuses": _statuses(after),
        "attributes": attributes,
        "unknown": UNKNOWN_STATUS,
    }
    assert before.times is not after.times
    assert {before.times, after.times} == set(Times)
    used = {name: value for name, value in params.items() if f"params.{name}" in conversion.script}
    return {"lang": "painless", "source": conversion.script, "params": used}


def _renamed(before: Layout, after: Layout) -> dict[str, Json]:
    """A document's word before → its word afterwards, where they differ."""
    logical = {*before.names, *after.names}
    return {before.member(name): after.member(name) for name in sorted(logical)}


def _statuses(after: Layout) -> dict[str, Json]:
    match after.statuses:
        case Statuses.NAME:
            return {str(number): name for number, name in STATUS_NAMES.items()}
        case Statuses.NUMBER:
            return {name: number for number, name in STATUS_NAMES.items()}
