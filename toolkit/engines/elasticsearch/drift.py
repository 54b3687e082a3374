"""What a search engine's drift is besides fields and settings: the template, write blocks, unfinished rebuilds, shards.

Pure; users' own search attributes stand beside our fields and are never drift.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.catalog import Absent, Json, Path, at
from toolkit.definition import Definition
from toolkit.engines.drifting import Fault
from toolkit.engines.elasticsearch import planner, render
from toolkit.engines.elasticsearch import store as stores
from toolkit.engines.elasticsearch.store import SearchStore
from toolkit.engines.elasticsearch.typemap import profile
from toolkit.overlay import Overlay
from toolkit.plan import NO_LOCK, Observed, Step, StepClass

_BLOCKS = ("blocks.write", "blocks.read_only", "blocks.read_only_allow_delete", "blocks.read", "blocks.metadata")


def examine(settings: Mapping[str, Json], health: Mapping[str, Any]) -> dict[str, Json]:
    """Blocks of the index, and how many of its shards are not where they should be."""
    blocks: dict[str, Json] = {name: settings[name] for name in _BLOCKS if str(settings.get(name)) == "true"}
    unassigned = int(health.get("unassigned_shards", 0))
    return {"blocks": blocks, "unassigned": unassigned, "health": str(health.get("status", ""))}


def is_extra(path: Path, observed: Observed) -> bool:
    """See `Drifting.is_extra`: fields that no version has are users' own search attributes."""
    return path[0] == "settings"


def rename(path: Path, facts: Json, name: str, overlay: Overlay) -> Step | None:
    """See `Drifting.rename`: no field can have another name."""
    return None


def faults(observed: Observed, wanted: Definition, overlay: Overlay) -> tuple[Fault, ...]:
    """See `Drifting.faults`."""
    store = stores.of(observed, profile())
    if not store.exists:
        return ()
    return tuple([*_unfinished(store), *_template(store, wanted, overlay), *_blocks(store), *_shards(store)])


def _unfinished(store: SearchStore) -> Iterator[Fault]:
    steps = tuple(planner.cancelled(store))
    if steps:
        yield Fault("TV6121", ("index", "rebuild"), f"a rebuild of {store.names.index} was cut off", steps)


def _template(store: SearchStore, wanted: Definition, overlay: Overlay) -> Iterator[Fault]:
    for step in planner.template(store, wanted, profile(), overlay):
        here = ("template", store.names.template)
        if not store.template:
            yield Fault("TV6120", here, f"there is no template {store.names.template}", (step,))
            continue
        goal = step.done[0].wanted
        message = f"the template {store.names.template} is not that of the version: {_differing(store.template, goal)}"
        yield Fault("TV6120", here, message, (step,))


def _differing(have: Mapping[str, Json], goal: Json | Absent) -> str:
    wanted = goal if isinstance(goal, dict) else {}
    found = []
    for part in sorted(have.keys() | wanted.keys()):
        old, new = have.get(part), wanted.get(part)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            names = sorted(n for n in old.keys() | new.keys() if at(old, (n,)) != at(new, (n,)))
            found.append(f"{part} {', '.join(names[:5])}{' …' if len(names) > 5 else ''}")
        else:
            found.append(part)
    return "; ".join(found)


def _blocks(store: SearchStore) -> Iterator[Fault]:
    blocks = store.traits.get("blocks")
    for name in blocks if isinstance(blocks, dict) and not store.interrupted else ():
        request = render.put_settings(store.names.index, {name: None})
        step = Step(f"settings.{name}", f"Take index.{name} away from {store.names.index}", "the server must write",
                    StepClass.METADATA, NO_LOCK, (request,), (), ())  # fmt: skip
        hint = "A full disk sets it by itself: make room first." if name.endswith("allow_delete") else ""
        message = f"index.{name} is set: Temporal's server cannot use the index"
        yield Fault("TV6122", ("settings", name), message, (step,), hint, first=True)


def _shards(store: SearchStore) -> Iterator[Fault]:
    number, health = store.traits.get("unassigned"), store.traits.get("health")
    if isinstance(number, int) and number > 0:
        message = f"{number} shard{'s' * (number > 1)} of {store.names.index} are not assigned; health is {health}"
        yield Fault("TV6123", ("index", "shards"), message, (), "See GET _cluster/allocation/explain.")
