"""An operator's wishes on top of a released definition: more preallocated attributes, fewer indexes, engine settings.

It makes a Definition out of a Definition and hands engine settings on; it never touches a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path

from toolkit import document
from toolkit.attributes import AttributeType, Group, name_problem
from toolkit.definition import USUAL_STORES, Definition, SearchAttribute, default_index_name
from toolkit.document import Value
from toolkit.errors import UsageError

# Temporal's own limit for `visibility.persistenceCustomSearchAttributes`.
MAX_PREALLOCATED = 99


class TemplateKind(Enum):
    """The two kinds of index templates: `legacy`, as Temporal's own tool writes them, and `composable`."""

    LEGACY = "legacy"
    COMPOSABLE = "composable"


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Elasticsearch and OpenSearch: None means what the released template says; for `template`, the kind that is there,
    else a legacy one."""

    shards: int | None = None
    replicas: int | None = None
    auto_expand_replicas: str | None = None
    template: TemplateKind | None = None


@dataclass(frozen=True, slots=True)
class ClickHouseSettings:
    """ClickHouse: `cluster` makes the tables replicated and distributed; `ttl_days` counts from the close time."""

    cluster: str | None = None
    ttl_days: int | None = None
    storage_policy: str | None = None


@dataclass(frozen=True, slots=True)
class Overlay:
    """All wishes together; `preallocated` gives the wanted number of custom attributes per type."""

    preallocated: Mapping[AttributeType, int] = field(default_factory=dict)
    without_indexes: frozenset[str] = frozenset()
    elasticsearch: SearchSettings = SearchSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()

    def apply(self, definition: Definition) -> Definition:
        """`definition` with the wishes that concern it. UsageError when an index to leave out is not there."""
        attributes = list(definition.attributes)
        for kind, number in self.preallocated.items():
            have = {a.name for a in attributes}
            for name in (f"{kind.value}{i:02d}" for i in range(1, number + 1)):
                if name not in have:
                    group = Group.CUSTOM
                    attributes.append(SearchAttribute(name, kind, group, default_index_name(name), USUAL_STORES[group]))
        wanted = replace(definition, attributes=tuple(attributes))
        known = {
            *(f.index for f in wanted.fields),
            *(a.index for a in wanted.attributes),
            *(i.name for i in wanted.indexes),
        }
        unknown = self.without_indexes - known
        if unknown:
            raise UsageError("TV2004", f"there is no index {sorted(unknown)[0]!r} to leave out", "See `schema show`.")
        drop = self.without_indexes
        return replace(
            wanted,
            fields=tuple(replace(f, index=None) if f.index in drop else f for f in wanted.fields),
            attributes=tuple(replace(a, index=None) if a.index in drop else a for a in wanted.attributes),
            indexes=tuple(i for i in wanted.indexes if i.name not in drop),
        )


NO_OVERLAY = Overlay()


def describe(overlay: Overlay) -> list[str]:
    """The wishes, one line each; none for no overlay."""
    found = [f"{number} {kind.value}" for kind, number in overlay.preallocated.items()]
    lines = [f"preallocated: {', '.join(found)}"] if found else []
    lines += [f"without indexes: {', '.join(sorted(overlay.without_indexes))}"] if overlay.without_indexes else []
    for name, settings in (("elasticsearch", overlay.elasticsearch), ("clickhouse", overlay.clickhouse)):
        wishes = [f"{f.name} {getattr(settings, f.name)}" for f in fields(settings) if getattr(settings, f.name)]
        lines += [f"{name}: {', '.join(wishes)}"] if wishes else []
    return lines


def load(path: Path) -> Overlay:
    """The overlay in the file at `path`. Raises DefinitionError."""
    return document.read(path, decode)


def decode(root: Value) -> Overlay:
    """The overlay a document, or the `overlay` member of a store, holds."""
    parts = root.members((), ("preallocated", "without_indexes", "elasticsearch", "clickhouse"))
    return Overlay(
        preallocated=_preallocated(parts["preallocated"]) if "preallocated" in parts else {},
        without_indexes=frozenset(v.text() for v in parts["without_indexes"].list())
        if "without_indexes" in parts
        else frozenset(),
        elasticsearch=_search(parts["elasticsearch"]) if "elasticsearch" in parts else SearchSettings(),
        clickhouse=_clickhouse(parts["clickhouse"]) if "clickhouse" in parts else ClickHouseSettings(),
    )


def _preallocated(value: Value) -> dict[AttributeType, int]:
    parts = value.members((), [kind.value for kind in AttributeType])
    return {AttributeType(name): number.integer(0, MAX_PREALLOCATED) for name, number in parts.items()}


def _search(value: Value) -> SearchSettings:
    parts = value.members((), ("shards", "replicas", "auto_expand_replicas", "template"))
    return SearchSettings(
        shards=parts["shards"].integer(1, 1024) if "shards" in parts else None,
        replicas=parts["replicas"].integer(0, 100) if "replicas" in parts else None,
        auto_expand_replicas=parts["auto_expand_replicas"].text() if "auto_expand_replicas" in parts else None,
        template=parts["template"].one_of(TemplateKind) if "template" in parts else None,
    )


def _clickhouse(value: Value) -> ClickHouseSettings:
    parts = value.members((), ("cluster", "ttl_days", "storage_policy"))
    return ClickHouseSettings(
        cluster=_word(parts["cluster"]) if "cluster" in parts else None,
        ttl_days=parts["ttl_days"].integer(1, 36500) if "ttl_days" in parts else None,
        storage_policy=_word(parts["storage_policy"]) if "storage_policy" in parts else None,
    )


def _word(value: Value) -> str:
    text = value.text()
    if problem := name_problem(text):
        raise value.error("TV1011", f"{text[:60]!r} cannot be a name: {problem}")
    return text
