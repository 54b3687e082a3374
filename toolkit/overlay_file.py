"""An overlay as YAML: its shape, and what is refused because Temporal's server or the engine could not live with it.

It reads documents and makes values; what an overlay does to a definition is `toolkit.overlay`'s part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit import document
from toolkit.attributes import AttributeType, name_problem
from toolkit.definition import LIST_ORDER, Index, IndexKey
from toolkit.document import Value
from toolkit.errors import UsageError
from toolkit.overlay import (
    ALL_INDEXES,
    MAX_PREALLOCATED,
    MAX_TTL_DAYS,
    RELEASED,
    ClickHouseSettings,
    Overlay,
    SearchSettings,
    TemplateKind,
)

_MEMBERS = ("preallocated", "without_indexes", "indexes", "partial_indexes", "elasticsearch", "clickhouse")
# What some would like to say, and why nobody can.
_REFUSED = ("without_attributes", "without_fields")
_TIME = re.compile(r"default|-1|[0-9]{1,9}(?:ms|s|m|h|d)")
_EXPANSION = re.compile(r"false|[0-9]{1,3}-(?:[0-9]{1,3}|all)")
_POLICY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_KEEPER = re.compile(r"[A-Za-z0-9_{}./-]{1,255}")
_NONE = re.compile("(?!)")


@dataclass(frozen=True, slots=True)
class Able:
    """What an engine can do of an overlay: `more` and `fewer` indexes, `partial` ones. `needed`: those that no query
    goes without, and why."""

    more: bool = True
    fewer: bool = True
    partial: bool = True
    needed: re.Pattern[str] = _NONE
    needed_because: str = ""


_TEXTS = "MySQL refuses every query for that text: MATCH … AGAINST needs its FULLTEXT index"
ABLE: Mapping[str, Able] = {
    "postgresql": Able(),
    "mysql": Able(partial=False, needed=re.compile(r"by_text_\d\d"), needed_because=_TEXTS),
    "sqlite": Able(),
    "elasticsearch": Able(more=False, fewer=False, partial=False),
    "clickhouse": Able(more=False, partial=False),
}


def load(path: Path) -> Overlay:
    """The overlay in the file at `path`. Raises DefinitionError."""
    return document.read(path, decode)


def decode(root: Value) -> Overlay:
    """The overlay a document, or the `overlay` member of a store, holds. Raises DefinitionError."""
    parts = root.members((), (*_MEMBERS, *_REFUSED))
    for name in _REFUSED:
        if name in parts:
            what = "search attributes" if name == "without_attributes" else "fields"
            raise parts[name].error(
                "TV1033",
                f"Temporal's server names its {what} in writes and queries: without one of them they fail",
                "Leave out the index (`without_indexes`); the column stays.",
            )
    return Overlay(
        preallocated=_preallocated(parts["preallocated"]) if "preallocated" in parts else {},
        without_indexes=frozenset(v.text() for v in parts["without_indexes"].list())
        if "without_indexes" in parts
        else frozenset(),
        indexes=_indexes(parts["indexes"]) if "indexes" in parts else (),
        partial_indexes=_partial(parts["partial_indexes"]) if "partial_indexes" in parts else frozenset(),
        elasticsearch=_search(parts["elasticsearch"]) if "elasticsearch" in parts else SearchSettings(),
        clickhouse=_clickhouse(parts["clickhouse"]) if "clickhouse" in parts else ClickHouseSettings(),
    )


def _preallocated(value: Value) -> dict[AttributeType, int]:
    parts = value.members((), [kind.value for kind in AttributeType])
    found = {AttributeType(name): number.integer(0, MAX_PREALLOCATED) for name, number in parts.items()}
    for kind, number in found.items():
        if number < RELEASED[kind]:
            raise parts[kind.value].error(
                "TV1030",
                f"Temporal's server names {kind.value}01 to {kind.value}{RELEASED[kind]:02d}: fewer than "
                f"{RELEASED[kind]} would break its queries",
                "Say more, or nothing; to save room leave out their indexes.",
            )
    return found


def _indexes(value: Value) -> tuple[Index, ...]:
    found: list[Index] = []
    for name, key, members in value.items():
        if problem := name_problem(name):
            raise key.error("TV1011", f"{name[:60]!r} cannot be a name: {problem}")
        if same := next((index.name for index in found if index.name.lower() == name.lower()), None):
            raise key.error("TV1016", f"two indexes called {name!r} and {same!r} are one to SQL engines")
        keys = tuple(_key(member) for member in members.list())
        if not keys:
            raise members.error("TV1015", "an index needs at least one key")
        found.append(Index(name, keys))
    return tuple(found)


def _key(value: Value) -> IndexKey:
    words = value.text().split()
    if len(words) not in (1, 2) or words[1:] not in ([], ["desc"]):
        hint = f"Write `StartTime`, `StartTime desc` or `{LIST_ORDER}`."
        raise value.error("TV1015", f"{value.text()[:60]!r} is not an index key", hint)
    return IndexKey(words[0], len(words) == 2)


def _partial(value: Value) -> frozenset[str]:
    if value.is_list():
        return frozenset(element.text() for element in value.list())
    if value.text() != ALL_INDEXES:
        raise value.wrong(f"a list of index names, or `{ALL_INDEXES}`")
    return frozenset({ALL_INDEXES})


def _search(value: Value) -> SearchSettings:
    parts = value.members(
        (),
        ("shards", "replicas", "auto_expand_replicas", "template", "refresh_interval", "lifecycle", "analyzer"),
    )
    return SearchSettings(
        shards=parts["shards"].integer(1, 1024) if "shards" in parts else None,
        replicas=parts["replicas"].integer(0, 100) if "replicas" in parts else None,
        auto_expand_replicas=_matching(
            parts, "auto_expand_replicas", _EXPANSION, "a range such as 0-2, 0-all or `false`"
        ),
        template=parts["template"].one_of(TemplateKind) if "template" in parts else None,
        refresh_interval=_matching(parts, "refresh_interval", _TIME, "a time such as 5s, -1 or `default`"),
        lifecycle=_matching(parts, "lifecycle", _POLICY, "the name of a policy"),
        analyzer=_matching(parts, "analyzer", _POLICY, "the name of an analyzer"),
    )


def _clickhouse(value: Value) -> ClickHouseSettings:
    parts = value.members((), ("cluster", "ttl_days", "storage_policy", "keeper_path", "replica"))
    if ("keeper_path" in parts) != ("replica" in parts):
        raise value.error("TV1034", "`keeper_path` and `replica` go together", "Say both, or neither.")
    if "keeper_path" in parts and "cluster" not in parts:
        raise value.error("TV1034", "`keeper_path` says how a cluster's tables are replicated", "Say `cluster`, too.")
    return ClickHouseSettings(
        cluster=_word(parts["cluster"]) if "cluster" in parts else None,
        ttl_days=parts["ttl_days"].integer(1, MAX_TTL_DAYS) if "ttl_days" in parts else None,
        storage_policy=_word(parts["storage_policy"]) if "storage_policy" in parts else None,
        keeper_path=_matching(parts, "keeper_path", _KEEPER, "a path in Keeper"),
        replica=_matching(parts, "replica", _KEEPER, "a replica's name"),
    )


def _matching(parts: Mapping[str, Value], name: str, pattern: re.Pattern[str], what: str) -> str | None:
    if name not in parts:
        return None
    text = parts[name].word()
    if not pattern.fullmatch(text):
        raise parts[name].wrong(what)
    return text


def _word(value: Value) -> str:
    text = value.text()
    if problem := name_problem(text):
        raise value.error("TV1011", f"{text[:60]!r} cannot be a name: {problem}")
    return text


def check(overlay: Overlay, engine: str) -> None:
    """Raise UsageError when `engine` could not hold the overlay, or Temporal's server could not work on it there."""
    able = ABLE[engine]
    needed = sorted(name for name in overlay.without_indexes if able.needed.fullmatch(name))
    if needed:
        raise UsageError("TV1031", f"without {needed[0]} {able.needed_because}", "Take it out of `without_indexes`.")
    if (overlay.indexes and not able.more) or (overlay.without_indexes and not able.fewer):
        raise UsageError("TV1032", f"{engine} has no indexes of columns to add or leave out", "Take them out.")
    if overlay.partial_indexes and not able.partial:
        others = sorted(name for name, one in ABLE.items() if one.partial)
        raise UsageError(
            "TV1035", f"{engine} has no indexes over a part of the rows", f"Only {', '.join(others)} have."
        )
    settings = {"elasticsearch": overlay.elasticsearch != SearchSettings(),
                "clickhouse": overlay.clickhouse != ClickHouseSettings()}  # fmt: skip
    for other, given in settings.items():
        if given and other != engine:
            raise UsageError("TV1037", f"a store on {engine} has no settings of {other}", f"Take out `{other}`.")
