"""What a swap back to the kept table would lose or bring back unseen: the live table against the kept one. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from toolkit.catalog import Absent, Catalog
from toolkit.engines.physical import Table
from toolkit.engines.postgresql import layout
from toolkit.engines.postgresql.render import identifier
from toolkit.engines.postgresql.traits import TableTraits
from toolkit.engines.postgresql.typemap import profile
from toolkit.overlay import ALL_INDEXES, Overlay
from toolkit.plan import Sql, Step
from toolkit.versions import chain, working

# Of what an overlay may wish, this alone gives what versions have another form.
_PARTIAL = Overlay(partial_indexes=frozenset({ALL_INDEXES}))


def unlisted(back: Step, live: TableTraits, kept: TableTraits) -> tuple[str, ...]:
    """What the live table had when it came, of a run of an earlier release, which did not write it down: what the swap
    back names, and all that published versions have."""
    indexes = {index.name for table in _tables() for index in table.indexes}
    text = "\n".join(s.text for s in back.statements if isinstance(s, Sql))
    named = (name for name in (*kept.columns, *live.indexes) if identifier(name) in text)
    return (*published().difference(kept.plain_columns), *indexes, *named)


def published() -> set[str]:
    """The columns of all published versions."""
    return {column.name for table in _tables() for column in table.columns}


def _tables() -> Iterator[Table]:
    yield from (table for definition in chain() for table in layout.layout(definition, profile()))


def altered(catalog: Catalog, table: str) -> Iterator[str]:
    """Columns and indexes that some version has, and none as they are in `catalog`, in words. An index that is no good
    any more is none."""
    for kind, word in (("columns", "column"), ("indexes", "index")):
        for name, facts in catalog.children(("tables", table, kind)).items():
            known = [form.at(("tables", table, kind, name)) for form in _forms()]
            spoiled = isinstance(facts, dict) and facts.get("valid") is False
            if facts not in known and not spoiled and any(not isinstance(k, Absent) for k in known):
                yield f"{word} {name} was altered"


@cache
def _forms() -> tuple[Catalog, ...]:
    """The catalogs of all versions, and those with partial indexes: asked for again in every attempt at a swap."""
    definitions = (one for version in (*chain(), working()) for one in (version, _PARTIAL.apply(version)))
    return tuple(layout.catalog(definition, profile()) for definition in definitions)


def gone(live: TableTraits, kept: TableTraits, made: Sequence[str]) -> list[str]:
    """Columns without which the kept table cannot be made current; `made`: what the live table had when it came."""
    return [name for name in kept.plain_columns if name in made and name not in live.columns]


def changed(live: TableTraits, kept: TableTraits, made: Sequence[str]) -> list[str]:
    """What is otherwise since the live table came, in words."""
    return [*_new(live, made), *_rights(live, kept), *_settings(live, kept)]


def _new(live: TableTraits, made: Sequence[str]) -> Iterator[str]:
    yield from (f"column {name} is new" for name in live.columns if name not in made)
    yield from (f"index {name} is new" for name in live.indexes if name not in made)


def _rights(live: TableTraits, kept: TableTraits) -> Iterator[str]:
    here, there = _granted(live), _granted(kept)
    for key in sorted(here.keys() | there.keys(), key=str):
        column, who, right = key
        # A column of the kept table alone comes back with its rights.
        if here.get(key) == there.get(key) or (column is not None and column not in live.columns):
            continue
        how = "granted" if key not in there else "revoked" if key not in here else "changed"
        yield f"{right}{f' ({column})' if column else ''} of {who} was {how}"


def _granted(table: TableTraits) -> dict[tuple[str | None, str, str], bool]:
    """Column, role, right → whether it may be passed on. Several may have granted it, and a copy has all from one."""
    found: dict[tuple[str | None, str, str], bool] = {}
    for column, who, right, grantable in table.grants:
        found[column, who, right] = grantable or found.get((column, who, right), False)
    return found


def _settings(live: TableTraits, kept: TableTraits) -> Iterator[str]:
    pairs = {
        "owner": (live.owner, kept.owner),
        "storage options": (sorted(live.options), sorted(kept.options)),
        "comment": (live.comment, kept.comment),
        "replica identity": (live.replica, kept.replica),
    }
    yield from (f"{word} was changed" for word, (now, then) in pairs.items() if now != then)
