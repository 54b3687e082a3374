"""What a rebuilt table keeps of the live one besides what versions say: times to live, settings, columns, comments.

Pure. No published version has them, so plans leave them alone; what the copy cannot have is refused before anything is
done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from toolkit.catalog import Json
from toolkit.engines.clickhouse import planner, render, shadow, ttl
from toolkit.engines.clickhouse.layout import Placement
from toolkit.engines.clickhouse.traits import PATCHED, Extra, TableTraits
from toolkit.engines.physical import Table
from toolkit.errors import Unsupported

# The server says it of every table.
_GRANULARITY = ("index_granularity", "8192")
# What the row that proves the view can have as its run.
_TEXT = re.compile(r"(LowCardinality\()?(Nullable\()?(Fixed)?String\b")


def kept(known: TableTraits, placement: Placement) -> Placement:
    """`placement`, with what the live table has where the operator wishes nothing else."""
    # Some settings can be chosen only while a table is made. A storage policy that is wished takes the disk's place.
    usual = {"storage_policy", *(("disk",) if placement.storage_policy else ())}
    own = {name: value for name, value in known.settings.items() if name not in usual and (name, value) != _GRANULARITY}
    policy = placement.storage_policy or known.policy
    return replace(placement, own_ttl=known.ttl or None, storage_policy=policy, own_settings=tuple(own.items()))


def actions(known: TableTraits, wanted: Table, mine: Mapping[str, Json]) -> list[str]:
    """What the copy, made as `wanted`, gets in one ALTER. `mine`: that part of the live table that versions have."""
    types = {column.name: planner.type_of(column.catalog) for column in wanted.columns}
    found = [render.add_plain_column(x.name, x.ddl) for x in columns(known, wanted, mine)]
    found += [render.add_plain_index(n, known.indexes[n]) for n in indexes(known, wanted, mine)]
    found += [render.comment_column(n, text) for n, text in known.comments.items() if n in types]
    found += [render.modify_column_ttl(n, types[n], ttl) for n, ttl in known.ttls.items() if n in types]
    return [*found, *([render.modify_comment(known.comment)] if known.comment else [])]


def columns(known: TableTraits, wanted: Table, mine: Mapping[str, Json]) -> list[Extra]:
    """Those that others have added to the live table."""
    ours = _members(mine, "columns") | {column.name for column in wanted.columns}
    return [extra for name, extra in known.extras.items() if name not in ours]


def indexes(known: TableTraits, wanted: Table, mine: Mapping[str, Json]) -> list[str]:
    """The names of those that others have added to the live table."""
    ours = _members(mine, "indexes") | {index.name for index in wanted.indexes}
    return [name for name in known.indexes if name not in ours]


def _members(facts: Mapping[str, Json], what: str) -> set[str]:
    found = facts.get(what)
    return set(found) if isinstance(found, dict) else set()


def refuse(known: TableTraits, live: str, why: str, moved: bool, placement: Placement) -> None:
    """Raise Unsupported where `live` lacks what tells versions of a run apart, or has what its copy cannot have.
    `moved`: the copy is another table, on a cluster; `why`: what asks for the rebuild, in words."""
    for text, hint in _reasons(known, live, moved, placement):
        raise Unsupported("TV4201", f"table {live} has {why}, and {text}", hint)


def _reasons(known: TableTraits, live: str, moved: bool, placement: Placement) -> list[tuple[str, str]]:
    """Each reason and what to do about it."""
    found = []
    if missing := [name for name in shadow.NEEDED if name not in known.columns]:
        text = f"no column {', '.join(missing)} that tells versions of a run apart"
        found.append((text, planner.NO_WAY))
    if odd := [name for name in shadow.IDENTITY if not _TEXT.match(known.columns.get(name, "String"))]:
        text = f"{odd[0]} of type {known.columns[odd[0]]}, which is no text"
        found.append((text, "Make a new store and move the data."))
    if all({**known.usual, **known.settings}.get(name, "0") not in ("0", "false") for name in PATCHED):
        text = f"the settings {' and '.join(PATCHED)}: what a DELETE or UPDATE takes then leaves no mutation to see"
        away = f"Take them away (ALTER TABLE {live} MODIFY SETTING {', '.join(f'{name} = 0' for name in PATCHED)})"
        found.append((text, f"{away} and give them back after `schema finish`."))
    if placement.cluster is None and (known.replicated or known.distributed):
        is_ = "is replicated" if known.replicated else "passes rows on to a cluster"
        found.append((f"{is_}: its copy would be on this server only", "Name its cluster in an overlay."))
    away = f"Take it away (ALTER TABLE {live} REMOVE TTL) and give it back after `schema finish`"
    if ttl.groups(known.ttl):
        text = "a TTL … GROUP BY: which rows there are depends on when they were merged"
        found.append((text, f"{away}."))
    if moved and known.ttl and placement.ttl_days is None:
        found.append(("a TTL that is not its version's", f"Name it in an overlay (`ttl_days`). Or: {away}."))
    if moved and known.policy and placement.storage_policy is None:
        found.append((f"storage policy {known.policy}", "Name one in an overlay (`storage_policy`)."))
    return found
