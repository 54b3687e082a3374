"""The way to a version beside live writes, where an index has to be made anew, and the ways back.

Pure; `planner` says what has to change, `shadow` has the requests, this module gives their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.catalog import Catalog, Json
from toolkit.definition import Definition
from toolkit.engines.elasticsearch import layout as layouts
from toolkit.engines.elasticsearch import rebuild, render, shadow, versions
from toolkit.engines.elasticsearch import store as stores
from toolkit.engines.elasticsearch.layout import label
from toolkit.engines.elasticsearch.shadow import Pair
from toolkit.engines.elasticsearch.store import SearchStore
from toolkit.engines.elasticsearch.typemap import Layout, Profile
from toolkit.engines.online import Route
from toolkit.overlay import Overlay
from toolkit.plan import NO_LOCK, Expect, Lock, Mode, Request, Step, StepClass

SHORT = Lock("index.blocks.write", "writes, for a moment", brief=True)
_HOLDER = ("index", "holder")
_UUID = ("index", "uuid")
# Settings that decide how many copies an index has.
_COPIES = ("number_of_replicas", "auto_expand_replicas")
# Whether a write is on disk when it is answered. What is filled must keep what was copied, whatever befalls its node.
_DURABILITY = "translog.durability"
# How many copies a write waits for.
_WAITS = "write.wait_for_active_shards"


@dataclass(frozen=True, slots=True)
class _Work:
    """Everything about one rebuild. `kept`: the name that the old index will have; `cloned`: it is another one."""

    store: SearchStore
    fresh: str
    kept: str
    cloned: bool
    body: Json
    forward: Pair
    back: Pair
    copies: Mapping[str, Json]
    refresh: Json
    label: str
    plain: Step

    @property
    def aliases(self) -> Mapping[str, Json]:
        """All of the old index, its name among them where that is one."""
        kept = self.store.kept
        return {**kept.aliases, **({} if self.cloned else {self.store.names.index: dict(kept.named)})}


def route(plain: Sequence[Step], store: SearchStore, wanted: Definition, overlay: Overlay, rules: Profile) -> Route:
    """The way beside live writes. Without a rebuild it is the plain one; so it is for an index without a document, and
    for one whose run ids cannot be searched, so that nothing tells what was deleted."""
    heavy = next((step for step in plain if step.id == "index.rebuild"), None)
    run_id = store.catalog.at(("properties", "RunId", "type"))
    if heavy is None or store.rows == 0 or run_id != "keyword":
        return Route(tuple(plain))
    at = plain.index(heavy)
    before = (*_cancelled(store), *plain[:at])
    work = _work(heavy, store, wanted, overlay, rules)
    return Route(
        steps=(*before, *_steps(work)),
        rollback=(*_back(work), *_reverses(before)),
        abandon=(_abandon(work), *_reverses(before)),
        finish=(_finish(work),),
    )


def _cancelled(store: SearchStore) -> tuple[Step, ...]:
    if not store.interrupted:
        return ()
    return (
        Step(
            "rebuild.cancel", f"Take back an unfinished rebuild of {store.names.index}",
            "a run that was stopped left writes refused", StepClass.METADATA, NO_LOCK,
            rebuild.cancel(store, store.rebuilding), (), (Expect(("interrupted",), False),),
        ),
    )  # fmt: skip


def _work(heavy: Step, store: SearchStore, wanted: Definition, overlay: Overlay, rules: Profile) -> _Work:
    goal = layouts.catalog(wanted, rules, overlay)
    before, after = stores.layout_of(store, rules), rules.layout(label(wanted))
    settings = layouts.settings(after, overlay.elasticsearch)
    fresh = rebuild.shadow_name(store, wanted)
    cloned = store.names.holder == store.names.index
    kept = _kept_name(store, fresh) if cloned else store.names.holder
    conversion = rules.conversion(before, after)
    custom = rebuild.users_properties(store, before, after, conversion)
    scripts = _scripts(store, wanted, goal, before, after, rules)
    shards = (_shards(store.catalog.children(("settings",))), _shards(settings))
    during: dict[str, Json] = {
        **store.kept.settings, **settings, "number_of_replicas": "0", "auto_expand_replicas": "false",
        "refresh_interval": "-1", "gc_deletes": shadow.REMEMBER, _DURABILITY: "request", **render.WITHOUT_PIPELINES,
        **dict.fromkeys(_waits(store, settings), "1"),
    }  # fmt: skip
    note = versions.note(label(wanted), (), store.uuid)
    properties = rebuild.merged(goal.children(("properties",)), custom)
    had = store.kept.properties
    return _Work(
        store=store,
        fresh=fresh,
        kept=kept,
        cloned=cloned,
        body=render.index_body(
            properties,
            rules.dynamic,
            during,
            {**store.kept.meta, **note},
            rebuild.more(store, conversion),
        ),
        forward=Pair(store.names.holder, fresh, shards[0], scripts[0], _only(had, properties), store.at_once),
        back=Pair(fresh, kept, shards[1], scripts[1], _only(properties, had), store.at_once),
        copies={name: settings.get(name) for name in _COPIES},
        refresh=rebuild.refresh_interval(store, settings),
        label=label(wanted),
        plain=heavy,
    )


def _only(ours: Mapping[str, Json], theirs: Mapping[str, Json]) -> tuple[str, ...]:
    return tuple(sorted(ours.keys() - theirs.keys()))


def _scripts(
    store: SearchStore, wanted: Definition, goal: Catalog, before: Layout, after: Layout, rules: Profile
) -> tuple[Json, Json]:
    """How documents are converted there and back; None where both indices hold them in the same form."""
    there, back = rules.conversion(before, after), rules.conversion(after, before)
    if there is None or back is None:
        return None, None
    custom = rebuild.users_properties(store, before, after, there)
    own = rebuild.users_properties(store, before, before, None)
    return (
        rebuild.script_of(there, before, after, wanted, rebuild.members(custom, after)),
        rebuild.script_of(back, after, before, wanted, rebuild.members(own, before)),
    )


def _shards(settings: Mapping[str, Json]) -> int:
    return int(str(settings.get("number_of_shards", "1")))


def _kept_name(store: SearchStore, fresh: str) -> str:
    base = f"{store.names.index}-{store.recorded or 'before'}"
    taken = {*store.taken, *store.rebuilding, fresh}
    return next(name for name in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)


def _steps(work: _Work) -> tuple[Step, ...]:
    store, plain = work.store, work.plain
    name, fresh = store.names.index, work.fresh
    here = (Expect(_HOLDER, store.names.holder), Expect(_UUID, store.uuid))
    return (
        Step(
            "rebuild.create", f"Create {fresh} beside {store.names.holder}, at label {work.label}",
            plain.reason, StepClass.METADATA, NO_LOCK, (render.create_index(fresh, work.body),),
            (render.delete_index(fresh),), (), plain.objects,
            # All else is followed while it runs.
            needs=(*here, *rebuild.unchanged(store, "settings", "meta", "more")),
        ),
        Step(
            "rebuild.copy", f"Copy {store.names.holder} into {fresh}, window by window of its sequence numbers",
            "with the documents' own versions, so that a late copy loses", StepClass.REBUILD, NO_LOCK,
            shadow.follow(work.forward), (), (), mode=Mode.COPY,
        ),
        _follow(work.forward, "rebuild.follow"),
        Step(
            "rebuild.serve", f"Give {fresh} its copies and its refresh interval", "before anybody reads from it",
            StepClass.ONLINE, NO_LOCK,
            (render.put_settings(fresh, {"refresh_interval": work.refresh, **work.copies}),
             shadow.healthy(fresh)), (), (),
        ),
        Step(
            "rebuild.compare", f"Delete from {fresh} what was deleted meanwhile, and compare all documents",
            "slices of the run ids whose counts or fingerprints differ are looked at document by document",
            StepClass.ONLINE, NO_LOCK, shadow.tools(work.forward), (), (), mode=Mode.COMPARE,
        ),
        Step(
            "rebuild.swap", f"Swap: {name} becomes an alias of {fresh}; the old index stays as {work.kept}",
            "writes are refused for the last copies; writers try again by themselves", plain.step_class, SHORT,
            shadow.swap(work.forward, name, work.aliases, _clone(work), render.pipelines(store.kept.settings)),
            (), (Expect(_HOLDER, fresh),),
            mode=Mode.SWAP, needs=here,
        ),
        Step(
            "rebuild.settle", f"Let {fresh} be an index like any other",
            "the old one takes no writes until `schema rollback`",
            StepClass.METADATA, NO_LOCK, _tidy(work, fresh), (), (),
        ),
    )  # fmt: skip


def _waits(store: SearchStore, settings: Mapping[str, Json]) -> dict[str, Json]:
    """The setting for it, where an index that is filled without copies cannot have it, and may have it afterwards."""
    wanted, copies = str(store.kept.settings.get(_WAITS)), str(settings.get("number_of_replicas") or "0")
    return {_WAITS: wanted} if wanted.isdigit() and 1 < int(wanted) <= int(copies) + 1 else {}


def _usual(store: SearchStore) -> dict[str, Json]:
    """How long an index remembers deletes, and when it puts writes to disk, as before it was filled."""
    return {name: store.kept.settings.get(name) for name in ("gc_deletes", _DURABILITY)}


def _tidy(work: _Work, fresh: str) -> tuple[Request, ...]:
    """The new index remembers deletes as the old one did, and no longer what it was made for."""
    meta: Json = {**work.store.kept.meta, **versions.note(work.label)}
    usual = {
        **_usual(work.store),
        **_waits(work.store, work.copies),
        **render.usual_pipelines(work.store.kept.settings),
    }
    return (
        render.put_settings(fresh, usual),
        render.put_mapping(fresh, {"_meta": meta}),
    )


def _clone(work: _Work) -> Request | None:
    if not work.cloned:
        return None
    found = work.store.catalog.children(("settings",))
    copies: dict[str, Json] = {name: found[name] for name in _COPIES if name in found}
    return shadow.clone(work.store.names.holder, work.kept, {**copies, "gc_deletes": shadow.mark(work.store.uuid)})


def _follow(pair: Pair, id: str) -> Step:
    return Step(
        id, f"Copy what was written to {pair.source} meanwhile", "", StepClass.ONLINE, NO_LOCK,
        shadow.tools(pair), (), (), mode=Mode.REPLAY,
    )  # fmt: skip


def _back(work: _Work) -> tuple[Step, ...]:
    store, name = work.store, work.store.names.index
    pipelines, none = render.pipelines(store.kept.settings), render.no_pipelines(store.kept.settings)
    opened: dict[str, Json] = {
        "blocks.write": None, "gc_deletes": shadow.REMEMBER, _DURABILITY: "request", **none,
    }  # fmt: skip
    gc: dict[str, Json] = {**_usual(store), "blocks.write": None}
    return (
        Step(
            "rebuild.back.open", f"Let {work.kept} be written to", "", StepClass.METADATA, NO_LOCK,
            (render.put_settings(work.kept, opened),), (), (),
        ),
        _follow(work.back, "rebuild.back.follow"),
        Step(
            "rebuild.back", f"Swap back: {name} becomes an alias of {work.kept} again",
            "it was kept, and gets what was written since", StepClass.REBUILD, SHORT,
            shadow.swap(work.back, name, work.aliases, None, pipelines),
            (replace(render.allow_writes(work.fresh), part="if there"),),
            (Expect(_HOLDER, work.kept),),
            mode=Mode.SWAP, needs=(Expect(_HOLDER, work.fresh),),
        ),
        Step(
            "rebuild.back.drop", f"Drop the newer index {work.fresh}", "", StepClass.METADATA, NO_LOCK,
            (replace(render.put_settings(work.kept, gc), part="if there"), render.delete_index(work.fresh)), (), (),
            needs=(Expect(_HOLDER, work.kept),),
        ),
    )  # fmt: skip


def _abandon(work: _Work) -> Step:
    holder, uuid = work.store.names.holder, work.store.uuid
    drops = tuple(shadow.drop_ours(name, uuid) for name in (work.fresh, *((work.kept,) if work.cloned else ())))
    return Step(
        "rebuild.abandon", f"Drop {work.fresh}, which nobody reads yet", "", StepClass.METADATA, NO_LOCK,
        (replace(render.allow_writes(holder), part="if there"), *drops), (), (),
    )  # fmt: skip


def _finish(work: _Work) -> Step:
    drop = shadow.drop_unless_named(work.kept, work.store.names.index)
    return Step(
        "rebuild.finish", f"Drop the old index {work.kept}", "unless somebody has given it the name again",
        StepClass.METADATA, NO_LOCK, (drop,), (), (),
    )  # fmt: skip


def _reverses(steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(
        Step(f"{s.id}.undo", f"Take back: {s.title}", "", StepClass.METADATA, NO_LOCK, s.reverse, (), ())
        for s in reversed(steps)
        if s.reverse
    )
