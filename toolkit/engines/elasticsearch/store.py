"""A search engine's store as it was observed: one index and what stands around it.

Plain values; reading them is `inspect`'s work, deciding on them the planner's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from toolkit.catalog import Json
from toolkit.engines.elasticsearch import paging
from toolkit.engines.elasticsearch.typemap import Layout, Profile
from toolkit.plan import Observed

AUTO_CREATE = "action.auto_create_index"


@dataclass(frozen=True, slots=True)
class Names:
    """The name users configured, the index that bears it (the same, unless the name is an alias), and the template."""

    index: str
    holder: str
    template: str
    patterns: tuple[str, ...]

    @staticmethod
    def of(index: str, holder: str | None, rules: Profile) -> Names:
        """The names around `index`. A name of Temporal's own pattern has Temporal's template; any other has its own."""
        for layout in rules.layouts:
            if index.startswith(layout.prefix):
                return Names(index, holder or index, layout.template, (layout.pattern,))
        return Names(index, holder or index, f"{index}_template", (index, f"{index}-*"))


@dataclass(frozen=True, slots=True)
class Kept:
    """What a new index takes over from the old one besides our schema: users' fields, settings, aliases, notes, and
    whatever else is in its mapping (`more`): fields that are computed, templates, rules for dates. `named`: what the
    store's own name does besides, where it is an alias: filter and routing."""

    properties: Mapping[str, Json] = field(default_factory=dict)
    settings: Mapping[str, Json] = field(default_factory=dict)
    aliases: Mapping[str, Json] = field(default_factory=dict)
    meta: Mapping[str, Json] = field(default_factory=dict)
    more: Mapping[str, Json] = field(default_factory=dict)
    named: Mapping[str, Json] = field(default_factory=dict)

    def parts(self) -> dict[str, Json]:
        """Each of these by its name."""
        return {part.name: dict(getattr(self, part.name)) for part in fields(self)}


@dataclass(frozen=True, slots=True)
class SearchStore(Observed):
    """Observed, with what only search engines have. `template`: ours in canonical form, empty when there is none.
    `auto_create`: the cluster's setting, None when it is not set; SKIPPED when it is not to be touched. `rebuilding`:
    indices that an unfinished rebuild left behind; `interrupted`: there was one. `uuid`: the index's own number;
    `taken`: names that begin like the index's; `size`: bytes of its primary shards; `put_back`: the template as it
    was."""

    names: Names = field(default=Names("", "", "", ()))
    template: Mapping[str, Json] = field(default_factory=dict)
    auto_create: str | None = None
    kept: Kept = field(default_factory=Kept)
    rebuilding: tuple[str, ...] = ()
    interrupted: bool = False
    uuid: str = ""
    taken: tuple[str, ...] = ()
    size: int | None = None
    put_back: Json = None

    def view(self) -> Json:
        """As for every store, with template, cluster setting and unfinished rebuild."""
        general = Observed.view(self)
        assert isinstance(general, dict)
        return {
            **general,
            "template": dict(self.template),
            "cluster": {AUTO_CREATE: self.auto_create},
            "interrupted": self.interrupted,
            "index": {
                "holder": self.names.holder if self.exists else None,
                "uuid": self.uuid,
                **self.kept.parts(),
            },
        }

    @property
    def at_once(self) -> int:
        """How many of its documents are read at once."""
        return paging.at_once(self.rows, self.size)

    @property
    def exists(self) -> bool:
        """Whether there is an index."""
        return "properties" in self.catalog.body


SKIPPED = "skipped"


def of(observed: Observed, rules: Profile) -> SearchStore:
    """`observed` as a SearchStore; one made without a server gets the names Temporal's own tools would give."""
    if isinstance(observed, SearchStore):
        return observed
    return SearchStore(
        catalog=observed.catalog,
        recorded=observed.recorded,
        server=observed.server,
        rows=observed.rows,
        marks=observed.marks,
        traits=observed.traits,
        names=Names.of(rules.index, None, rules),
    )


def layout_of(store: SearchStore, rules: Profile) -> Layout:
    """The layout that the observed index has: the one whose object of attributes is there, else the first."""
    found = store.catalog.children(("properties",))
    nested = (known for known in rules.layouts if known.inside and known.inside in found)
    return next((known for known in nested if _is_object(found[known.inside])), rules.layouts[0])


def _is_object(facts: Json) -> bool:
    return isinstance(facts, dict) and facts.get("type") == "object"
