"""An operator's wishes on top of a released definition: more preallocated attributes, fewer indexes, engine settings.

It makes a Definition out of a Definition and hands engine settings on; it never touches a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, fields, replace
from enum import Enum

from toolkit.attributes import AttributeType, Family, Group
from toolkit.definition import LIST_ORDER, USUAL_STORES, Definition, Index, SearchAttribute, default_index_name, names
from toolkit.errors import UsageError

# Temporal's own limit for `visibility.persistenceCustomSearchAttributes`.
MAX_PREALLOCATED = 99
# ClickHouse counts a time to live in 32 bits, which end in 2106: a sum beyond that is in the past, and the row goes at
# once.
MAX_TTL_DAYS = 20_000
# What its server has without that setting.
RELEASED: Mapping[AttributeType, int] = {
    AttributeType.BOOL: 3,
    AttributeType.DATETIME: 3,
    AttributeType.DOUBLE: 3,
    AttributeType.INT: 3,
    AttributeType.KEYWORD: 10,
    AttributeType.TEXT: 3,
    AttributeType.KEYWORD_LIST: 3,
}
ALL_INDEXES = "all"
# Stores' own tables (Temporal's, Alembic's, ours, SQLite's) and keys, with which indexes share names.
_TABLES = ("executions_visibility", "custom_search_attributes", "chasm_search_attributes", "schema_version",
           "schema_update_history", "alembic_version")  # fmt: skip
_TAKEN = frozenset({"primary", *_TABLES, *(f"{name}_pkey" for name in _TABLES), "alembic_version_pkc"})
_TAKEN_BEGINNINGS = ("temporal_visibility", "executions_visibility_fts_", "sqlite_")


class TemplateKind(Enum):
    """The two kinds of index templates: `legacy`, as Temporal's own tool writes them, and `composable`."""

    LEGACY = "legacy"
    COMPOSABLE = "composable"


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Elasticsearch and OpenSearch: None means what the released template says; for `template`, the kind that is there,
    else a legacy one; for the last three, what the index itself has (and `default` gives that back)."""

    shards: int | None = None
    replicas: int | None = None
    auto_expand_replicas: str | None = None
    template: TemplateKind | None = None
    refresh_interval: str | None = None
    lifecycle: str | None = None
    analyzer: str | None = None


@dataclass(frozen=True, slots=True)
class ClickHouseSettings:
    """ClickHouse: `cluster` makes the tables replicated and distributed; `ttl_days` counts from the close time."""

    cluster: str | None = None
    ttl_days: int | None = None
    storage_policy: str | None = None
    keeper_path: str | None = None
    replica: str | None = None


@dataclass(frozen=True, slots=True)
class Overlay:
    """All wishes together; `preallocated` gives the wanted number of custom attributes per type; `indexes` are more of
    them; `partial_indexes` shall hold only the records which have a value ("all": each index that can be so).
    `elsewhere`: indexes, fields and attributes of other versions, which the wishes may name as well."""

    preallocated: Mapping[AttributeType, int] = field(default_factory=dict)
    without_indexes: frozenset[str] = frozenset()
    indexes: tuple[Index, ...] = ()
    partial_indexes: frozenset[str] = frozenset()
    elasticsearch: SearchSettings = SearchSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    elsewhere: frozenset[str] = field(default=frozenset(), compare=False)

    def apply(self, definition: Definition) -> Definition:
        """`definition` with the wishes that concern it. UsageError when an index to leave out is not there, or one to
        add is there already or names what the version lacks; what another version has is no error."""
        wanted = replace(definition, attributes=(*definition.attributes, *self._more(definition)))
        known = _index_names(wanted)
        others = self.elsewhere - known
        _all_known(self.without_indexes - others, known, "to leave out")
        added = tuple(self._addable(wanted, known))
        drop = self.without_indexes
        able = _partial_able(wanted) - drop
        every = ALL_INDEXES in self.partial_indexes
        _all_known(self.partial_indexes - others - {ALL_INDEXES}, able, "over records with a value")
        return replace(
            wanted,
            fields=tuple(replace(f, index=None) if f.index in drop else f for f in wanted.fields),
            attributes=tuple(replace(a, index=None) if a.index in drop else a for a in wanted.attributes),
            indexes=(*(i for i in wanted.indexes if i.name not in drop), *added),
            partial=frozenset(able) if every else self.partial_indexes & able,
        )

    def _more(self, definition: Definition) -> list[SearchAttribute]:
        """Only of types of which the version has some: the first ones had no custom attributes, nor a column for their
        values."""
        have = {a.name for a in definition.attributes}
        group = Group.CUSTOM
        there = {a.type for a in definition.attributes if a.group is group}
        return [
            SearchAttribute(name, kind, group, default_index_name(name), USUAL_STORES[group])
            for kind, number in self.preallocated.items()
            if kind in there
            for name in (f"{kind.value}{i:02d}" for i in range(1, number + 1))
            if name not in have
        ]

    def _addable(self, wanted: Definition, known: Set[str]) -> Iterator[Index]:
        """The indexes to add that this version can have: they are for SQL stores only."""
        things = set(names(wanted)) | {LIST_ORDER}
        columns = set(names(wanted.on(Family.SQL)))
        for index in self.indexes:
            name = index.name.lower()
            if name in _TAKEN or name.startswith(_TAKEN_BEGINNINGS):
                message = f"index {index.name!r}: a table or key of the store itself is called so"
                raise UsageError("TV2044", message, "Choose another name.")
            if name in {name.lower() for name in known}:
                raise UsageError("TV2044", f"there is an index {index.name!r} already", "Choose another name.")
            for key in index.keys:
                if key.field not in things | self.elsewhere:
                    hint = "See `schema show`."
                    raise UsageError(
                        "TV2044", f"index {index.name!r}: there is nothing called {key.field[:60]!r}", hint
                    )
            if all(key.field in columns or key.field not in self.elsewhere for key in index.keys):
                yield index


def with_others(overlay: Overlay, versions: Iterable[Definition]) -> Overlay:
    """`overlay` as it may be laid over each of `versions`, whichever of them has what it names."""
    more = Overlay(overlay.preallocated)
    wanted = [more.apply(version) for version in versions]
    found = (name for version in wanted for name in (*names(version.on(Family.SQL)), *_index_names(version)))
    return replace(overlay, elsewhere=frozenset(found))


def _index_names(definition: Definition) -> set[str]:
    singles = (*(f.index for f in definition.fields), *(a.index for a in definition.attributes))
    return {name for name in (*singles, *(i.name for i in definition.indexes)) if name}


def _partial_able(definition: Definition) -> set[str]:
    """Single-value indexes of what may be missing: those of required fields would hold every record all the same."""
    fields_ = (f.index for f in definition.fields if not f.required and f.name != "CloseTime")
    return {name for name in (*fields_, *(a.index for a in definition.attributes)) if name}


def _all_known(wanted: Set[str], known: Set[str], what: str) -> None:
    unknown = sorted(wanted - known)
    if unknown:
        raise UsageError("TV2004", f"there is no index {unknown[0]!r} {what}", "See `schema show`.")


NO_OVERLAY = Overlay()


def describe(overlay: Overlay) -> list[str]:
    """The wishes, one line each; none for no overlay."""
    found = [f"{number} {kind.value}" for kind, number in overlay.preallocated.items()]
    lines = [f"preallocated: {', '.join(found)}"] if found else []
    lines += [f"without indexes: {', '.join(sorted(overlay.without_indexes))}"] if overlay.without_indexes else []
    lines += [f"more indexes: {', '.join(i.name for i in overlay.indexes)}"] if overlay.indexes else []
    lines += [f"partial indexes: {', '.join(sorted(overlay.partial_indexes))}"] if overlay.partial_indexes else []
    for name, settings in (("elasticsearch", overlay.elasticsearch), ("clickhouse", overlay.clickhouse)):
        wishes = [
            f"{f.name} {_word(value)}" for f in fields(settings) if (value := getattr(settings, f.name)) is not None
        ]
        lines += [f"{name}: {', '.join(wishes)}"] if wishes else []
    return lines


def _word(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


def server_configuration(overlay: Overlay) -> str:
    """What Temporal's static configuration must say to use the additional columns; '' when nothing."""
    more = {k.value: n for k, n in overlay.preallocated.items() if n > RELEASED[k]}
    if not more:
        return ""
    lines = [f"    {name}: {number}" for name, number in sorted(more.items())]
    return "\n".join(["visibility:", "  persistenceCustomSearchAttributes:", *lines]) + "\n"
