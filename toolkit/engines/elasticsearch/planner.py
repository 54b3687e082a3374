"""From what an index is to what it shall be: Steps, their locks, and how to see that they are done.

Pure; it reads catalogs and layouts and never a connection. Fields and changeable settings are added in place; all else
is a rebuild, because an index can neither drop a field, nor change its type, its sort order or its number of shards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from toolkit.catalog import ABSENT, Absent, Catalog, Difference, Json, differences
from toolkit.definition import Definition
from toolkit.engines.elasticsearch import layout as layouts
from toolkit.engines.elasticsearch import rebuild as rebuilds
from toolkit.engines.elasticsearch import render, versions
from toolkit.engines.elasticsearch import store as stores
from toolkit.engines.elasticsearch.store import AUTO_CREATE, SearchStore
from toolkit.engines.elasticsearch.typemap import Profile
from toolkit.errors import UsageError
from toolkit.overlay import Overlay, TemplateKind
from toolkit.plan import NO_LOCK, Expect, Lock, Observed, Request, Step, StepClass

WRITE_BLOCK = Lock("index.blocks.write", "writes")


def steps(observed: Observed, wanted: Definition, rules: Profile, overlay: Overlay) -> tuple[Step, ...]:
    """The steps to `wanted`; foreign objects must have been taken out of `observed` before."""
    store = stores.of(observed, rules)
    if overlay.elasticsearch.lifecycle and store.server.startswith("OpenSearch"):
        hint = "Its policies name their indices themselves: `ism_template` in the policy. Take `lifecycle` out."
        raise UsageError("TV1036", "OpenSearch has no index setting for a lifecycle", hint)
    goal = layouts.catalog(wanted, rules, overlay)
    settings = layouts.settings(rules.layout(layouts.label(wanted)), overlay.elasticsearch)
    changed = differences(store.catalog, goal)
    anew = store.exists and any(_needs_rebuild(d) for d in changed)
    work = [*_cluster(store), *template(store, wanted, rules, overlay)]
    if not store.exists:
        work.append(_create(store, wanted, goal, settings, rules))
    elif anew:
        work.append(_rebuild(store, wanted, goal, settings, changed, rules))
    else:
        work += [*cancelled(store), *_in_place(store, changed)]
    if anew or store.recorded != layouts.label(wanted):
        work.append(versions.record_step(store, wanted))
    return tuple(work)


def _needs_rebuild(difference: Difference) -> bool:
    match difference:
        case Difference(("properties", _), Absent(), _) | Difference(("dynamic",), _, _):
            return False
        case Difference(("settings", name), _, _):
            return name not in layouts.DYNAMIC_SETTINGS
        case _:
            return True


def _cluster(store: SearchStore) -> Iterator[Step]:
    """Temporal's own tool sets it too. A cluster that has an index already has its own policy."""
    if store.exists or store.auto_create not in (None, "true"):
        return
    yield Step(
        "cluster.auto_create_index",
        f"Set {AUTO_CREATE} to false in the cluster",
        "a write to a missing index must fail, not make one without a mapping",
        StepClass.METADATA,
        NO_LOCK,
        (render.auto_create("false"),),
        (render.auto_create(store.auto_create),),
        (Expect(("cluster", AUTO_CREATE), "false"),),
    )


def template(store: SearchStore, wanted: Definition, rules: Profile, overlay: Overlay) -> Iterator[Step]:
    """Named as a record, because it is none of the index: it says what the next index of this name will be."""
    there = store.template.get("kind")
    kind = overlay.elasticsearch.template or TemplateKind(there or "legacy")
    goal = layouts.template(wanted, kind, rules, overlay)
    if dict(store.template) == goal:
        return
    names = store.names
    settings = layouts.settings(rules.layout(layouts.label(wanted)), overlay.elasticsearch)
    meta: Json = dict(versions.note(layouts.label(wanted)))
    body = render.index_body(layouts.properties(wanted, rules), rules.dynamic, settings, meta)
    legacy = render.put_template(names.template, render.legacy_template(names, body, rules))
    composable = Request(
        "PUT", render.path("_index_template", names.template), render.composable_template(names, body, rules)
    )
    statements: dict[TemplateKind, tuple[Request, ...]] = {
        TemplateKind.LEGACY: (legacy, *((render.delete_composable(names.template),) if there == "composable" else ())),
        TemplateKind.COMPOSABLE: (
            composable,
            *((render.delete_template(names.template),) if there == "legacy" else ()),
        ),
    }
    gone = render.delete_template if kind is TemplateKind.LEGACY else render.delete_composable
    yield Step(
        "record.template",
        f"Put the {kind.value} template {names.template}",
        f"an index made later under this name gets label {layouts.label(wanted)}; existing ones do not change",
        StepClass.METADATA,
        NO_LOCK,
        statements[kind],
        _template_before(store, kind) if there else (gone(names.template),),
        (Expect(("template",), goal),),
    )


def _template_before(store: SearchStore, kind: TemplateKind) -> tuple[Request, ...]:
    """The requests that put the template back as it was found, in its own kind."""
    name, there = store.names.template, store.template.get("kind")
    if store.put_back is None:
        return ()
    if there == TemplateKind.LEGACY.value:
        other = () if there == kind.value else (render.delete_composable(name),)
        return (*other, render.put_template(name, store.put_back))
    other = () if there == kind.value else (render.delete_template(name),)
    return (*other, Request("PUT", render.path("_index_template", name), store.put_back))


def _create(
    store: SearchStore, wanted: Definition, goal: Catalog, settings: Mapping[str, Json], rules: Profile
) -> Step:
    properties = goal.children(("properties",))
    body = render.index_body(properties, rules.dynamic, settings, dict(versions.note(layouts.label(wanted))))
    name = store.names.index
    return Step(
        "index.create",
        f"Create index {name} with {len(properties)} fields",
        "",
        StepClass.METADATA,
        NO_LOCK,
        (render.create_index(name, body),),
        (render.delete_index(name),),
        tuple(Expect(("catalog", "properties", field), facts) for field, facts in properties.items()),
        tuple(properties),
    )


def _in_place(store: SearchStore, changed: Sequence[Difference]) -> Iterator[Step]:
    added: dict[str, Json] = {}
    settings: dict[str, Json] = {}
    for difference in changed:
        match difference:
            case Difference(("properties", name), Absent(), facts) if not isinstance(facts, Absent):
                added[name] = facts
            case Difference(("settings", name), _, value):
                settings[name] = None if isinstance(value, Absent) else value
            case Difference(("dynamic",), _, value) if isinstance(value, str):
                yield _dynamic(store, value)
            case _:
                pass
    if added:
        yield _add_fields(store, added)
    if settings:
        yield _settings(store, settings)


def _dynamic(store: SearchStore, value: str) -> Step:
    return Step(
        "mapping.dynamic",
        f"Set dynamic mapping of {store.names.index} to {value}",
        "fields that no version knows must not become part of the mapping by themselves",
        StepClass.METADATA,
        NO_LOCK,
        (render.put_mapping(store.names.index, {"dynamic": value}),),
        (),
        (Expect(("catalog", "dynamic"), value),),
    )


def _add_fields(store: SearchStore, added: dict[str, Json]) -> Step:
    names = sorted(added)
    shown = ", ".join(names) if len(names) < 6 else f"{', '.join(names[:3])}, …"
    return Step(
        "mapping.add",
        f"Add {len(names)} field{'s' * (len(names) > 1)} to the mapping of {store.names.index}: {shown}",
        "documents that have them already become searchable by them when they are written next",
        StepClass.METADATA,
        NO_LOCK,
        (render.put_mapping(store.names.index, {"properties": {name: added[name] for name in names}}),),
        (),
        tuple(Expect(("catalog", "properties", name), added[name]) for name in names),
        tuple(names),
    )


def _settings(store: SearchStore, settings: dict[str, Json]) -> Step:
    before = {name: store.catalog.children(("settings",)).get(name) for name in settings}
    return Step(
        "settings.change",
        f"Change settings of {store.names.index}: {', '.join(f'{k} = {v}' for k, v in settings.items())}",
        "",
        StepClass.METADATA,
        NO_LOCK,
        (render.put_settings(store.names.index, settings),),
        (render.put_settings(store.names.index, before),),
        tuple(
            Expect(("catalog", "settings", name), ABSENT if value is None else value)
            for name, value in settings.items()
        ),
    )


def cancelled(store: SearchStore) -> Iterator[Step]:
    """The step that takes an unfinished rebuild back, if there is one."""
    if not store.interrupted:
        return
    yield Step(
        "rebuild.cancel",
        f"Take back an unfinished rebuild of {store.names.index}",
        "a run that was stopped left writes refused"
        + (f", and {', '.join(store.rebuilding)}" if store.rebuilding else ""),
        StepClass.METADATA,
        NO_LOCK,
        rebuilds.cancel(store, store.rebuilding),
        (),
        (Expect(("interrupted",), False),),
    )


def _rebuild(
    store: SearchStore,
    wanted: Definition,
    goal: Catalog,
    settings: Mapping[str, Json],
    changed: Sequence[Difference],
    rules: Profile,
) -> Step:
    work = rebuilds.rebuild(store, wanted, goal, settings, rules)
    properties = goal.children(("properties",))
    lost = [d.path[1] for d in changed if d.path[0] == "properties" and isinstance(d.wanted, Absent)]
    conversion = rules.conversion(stores.layout_of(store, rules), rules.layout(layouts.label(wanted)))
    breaking = conversion.loses if conversion else bool(lost)
    return Step(
        "index.rebuild",
        f"Rebuild {store.names.index} as {work.shadow}, at label {layouts.label(wanted)}",
        _why(changed),
        StepClass.BREAKING if breaking else StepClass.REBUILD,
        WRITE_BLOCK,
        work.statements,
        work.cancel,
        (
            *(Expect(("catalog", "properties", name), facts) for name, facts in properties.items()),
            *(Expect(("catalog", "properties", name), ABSENT) for name in lost),
            *(Expect(("catalog", "settings", name), value) for name, value in goal.children(("settings",)).items()),
        ),
        tuple(sorted({d.path[1] for d in changed if len(d.path) > 1})),
        needs=rebuilds.unchanged(store, "properties", "settings", "aliases", "meta", "more", "named"),
    )


def _why(changed: Sequence[Difference]) -> str:
    """What cannot be done in place, in words."""
    reasons = []
    for difference in changed:
        match difference:
            case Difference(("properties", name), _, Absent()):
                reasons.append(f"{name} goes (its values stay in the documents)")
            case Difference(("properties", name, *_), _, wanted) if not isinstance(difference.observed, Absent):
                reasons.append(f"{name} becomes {wanted}")
            case Difference(("settings", "number_of_shards"), found, wanted):
                reasons.append(f"number_of_shards {found} becomes {wanted} (overlay: elasticsearch.shards)")
            case Difference(("settings", name), found, wanted) if name not in layouts.DYNAMIC_SETTINGS:
                reasons.append(f"{name} {found} becomes {wanted}")
            case _:
                pass
    shown = "; ".join(reasons[:4]) + ("; …" if len(reasons) > 4 else "")
    return f"an index cannot change this in place: {shown}; the name stays, as an alias"
