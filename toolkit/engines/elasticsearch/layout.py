"""A Definition as a search engine holds it: mapped fields, settings, template, and the catalog an index then reports.

Pure; the rules are in the profile, the requests in `render`.
"""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.attributes import RESERVED_NAMES, Family, name_problem
from toolkit.catalog import Catalog, Json
from toolkit.definition import Definition, Field, SearchAttribute
from toolkit.engines.elasticsearch.typemap import Layout, Profile
from toolkit.errors import DefinitionError
from toolkit.overlay import NO_OVERLAY, Overlay, SearchSettings, TemplateKind

NAME = "elasticsearch"
EMPTY = Catalog(NAME, {})
# Settings that are part of the schema; all others are an operator's business.
SETTINGS = (
    "number_of_shards", "number_of_replicas", "auto_expand_replicas", "search.idle.after",
    "sort.field", "sort.order", "sort.missing", "sort.mode",
)  # fmt: skip
# Those of them that can be changed on a live index.
DYNAMIC_SETTINGS = frozenset({"number_of_replicas", "auto_expand_replicas", "search.idle.after", "refresh_interval",
                              "lifecycle.name"})  # fmt: skip
# What an overlay says to give a setting back to the index.
USUAL = "default"


def label(definition: Definition) -> str:
    """What an index at `definition` is called: the last of its labels."""
    return definition.labels.elasticsearch[-1]


def catalog(definition: Definition, rules: Profile, overlay: Overlay = NO_OVERLAY) -> Catalog:
    """What an index at `definition` reads back as."""
    settings_ = settled(settings(rules.layout(label(definition)), overlay.elasticsearch))
    body: dict[str, Json] = {
        "properties": properties(definition, rules),
        "dynamic": rules.dynamic,
        "settings": dict(settings_),
    }
    return Catalog(NAME, body)


def template(definition: Definition, kind: TemplateKind, rules: Profile, overlay: Overlay) -> dict[str, Json]:
    """What the template of `definition` reads back as, less its index patterns."""
    layout = rules.layout(label(definition))
    legacy = kind is TemplateKind.LEGACY
    return {
        "kind": kind.value,
        **({"order": rules.order} if legacy else {"priority": rules.priority}),
        "applies": True,
        "aliases": [],
        "dynamic": rules.dynamic,
        "properties": properties(definition, rules),
        "settings": dict(settings(layout, overlay.elasticsearch)),
    }


def properties(definition: Definition, rules: Profile) -> dict[str, Json]:
    """The mapped fields. Raises DefinitionError when a name cannot be a field, or two things would share one."""
    part, layout = definition.on(Family.ELASTICSEARCH), rules.layout(label(definition))
    _refuse_names((*part.fields, *part.attributes), layout)
    found: dict[str, Json] = {
        layout.member(f.name): dict(layout.fields[f.type])
        for f in part.fields
        if f.type in layout.fields and f.name not in layout.unmapped
    }
    attributes: dict[str, Json] = {layout.member(a.name): dict(layout.attributes[a.type]) for a in part.attributes}
    if layout.inside:
        return {**found, layout.inside: {"type": "object", "properties": attributes}}
    return {**found, **attributes}


def _refuse_names(things: tuple[Field | SearchAttribute, ...], layout: Layout) -> None:
    seen: set[str] = {layout.inside}
    for thing in things:
        member = layout.member(thing.name)
        problem = name_problem(thing.name)
        if problem is None and thing.name.startswith("_"):
            problem = "names that begin with '_' are the engine's own"
        if problem is None and isinstance(thing, SearchAttribute) and thing.name in RESERVED_NAMES:
            problem = "Temporal keeps something else under this name"
        if problem is not None:
            raise DefinitionError(
                "TV1011", f"{thing.name[:60]!r} cannot be a field on Elasticsearch: {problem}", "Rename it."
            )
        if member in seen:
            raise DefinitionError("TV1017", f"two things would be the field {member!r}", "Rename one of them.")
        seen.add(member)


def settings(layout: Layout, wishes: SearchSettings) -> Mapping[str, Json]:
    """The settings as they are written down: the released ones, with an operator's wishes."""
    found = dict(layout.settings)
    if wishes.shards is not None:
        found["number_of_shards"] = str(wishes.shards)
    if wishes.replicas is not None:
        # A fixed number holds only when the cluster does not choose it.
        found |= {"number_of_replicas": str(wishes.replicas), "auto_expand_replicas": "false"}
    if wishes.auto_expand_replicas is not None:
        found["auto_expand_replicas"] = wishes.auto_expand_replicas
    found |= {name: value for name, value in overlaid(wishes).items() if value is not None}
    return found


def overlaid(wishes: SearchSettings) -> dict[str, str | None]:
    """Settings that belong to the index itself unless an overlay names them: those it names, None for the usual."""
    named = {
        "refresh_interval": wishes.refresh_interval,
        "lifecycle.name": wishes.lifecycle,
        "analysis.analyzer.default.type": wishes.analyzer,
    }
    return {name: None if value == USUAL else value for name, value in named.items() if value is not None}


def settled(settings_: Mapping[str, Json]) -> dict[str, Json]:
    """Settings without what the cluster chooses: while replicas expand by themselves, their number is the least one."""
    least, dash, _ = str(settings_.get("auto_expand_replicas", "false")).partition("-")
    return {**settings_, "number_of_replicas": least} if dash and least.isdigit() else dict(settings_)
