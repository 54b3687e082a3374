"""The label an index claims to have: a note in the `_meta` of its mapping, where every tool leaves it alone.

Temporal's own tools record nothing, so an index made by them has no label until this toolkit writes one. A label is all
that is written: some labels stand for several versions, so a version beside it could be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.catalog import Json
from toolkit.definition import Definition
from toolkit.engines.elasticsearch import layout, render
from toolkit.engines.elasticsearch.store import SearchStore
from toolkit.plan import NO_LOCK, Expect, Step, StepClass


def note(label: str | None, rebuilding: Sequence[str] = (), made_for: str = "") -> dict[str, Json]:
    """Our part of `_meta`; `rebuilding`: the indices that a rebuild under way is filling, or has left; `made_for`: the
    number of the index that this one is to replace."""
    facts: dict[str, Json] = {}
    if label is not None:
        facts["label"] = label
    if rebuilding:
        facts["rebuilding"] = list(rebuilding)
    if made_for:
        facts["made_for"] = made_for
    return {render.NOTE: facts} if facts else {}


def recorded(meta: Mapping[str, Json]) -> str | None:
    """The label in a mapping's `_meta`; None when there is none."""
    ours = meta.get(render.NOTE)
    found = ours.get("label") if isinstance(ours, dict) else None
    return found if isinstance(found, str) else None


def left_over(meta: Mapping[str, Json]) -> tuple[str, ...]:
    """The indices that an unfinished rebuild was filling, as a mapping's `_meta` says."""
    ours = meta.get(render.NOTE)
    found = ours.get("rebuilding") if isinstance(ours, dict) else None
    return tuple(str(name) for name in found) if isinstance(found, list) else ()


def record_step(store: SearchStore, wanted: Definition) -> Step:
    """The last step of every plan that changes something: say which label the index now has."""
    label = layout.label(wanted)
    return Step(
        "record.label",
        f"Record label {label} in the index",
        "so that the next run knows what this one made",
        StepClass.METADATA,
        NO_LOCK,
        (render.put_mapping(store.names.index, {"_meta": {**store.kept.meta, **note(label)}}),),
        (),
        (Expect(("recorded",), label),),
    )
