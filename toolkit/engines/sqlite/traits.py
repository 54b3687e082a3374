"""What a plan must know about a SQLite file besides its schema, as `Observed.traits`.

It asks queries through a function it is given and never writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from toolkit.catalog import Catalog, Json
from toolkit.engines.sqlite.books import EXISTS
from toolkit.engines.sqlite.render import identifier
from toolkit.engines.version_tables import NO_HISTORY
from toolkit.plan import Observed

Ask = Callable[[str, Sequence[object]], Sequence[Mapping[str, Any]]]

# A trigger stands there under its table's name as its own statement spells it.
_TEXTS = (
    "SELECT name, sql FROM sqlite_master WHERE tbl_name = ? COLLATE NOCASE AND type IN ('index', 'trigger') "
    "AND sql IS NOT NULL"
)
_ASTRAY = "astray"
# What FTS5 keeps of each row it knows, by row id.
_KNOWN = "_docsize"


def read(ask: Ask, catalog: Catalog, table: str) -> dict[str, Json]:
    """`texts`: the statements that made indexes and triggers of `table`, an operator's own too, which a rebuild must
    make again as they were written; whether there is no history; `astray`: see `astray`."""
    return {
        "texts": {row["name"]: row["sql"] for row in ask(_TEXTS, (table,))},
        NO_HISTORY: not ask(EXISTS, ("schema_update_history",)),
        _ASTRAY: {name: True for name in _astray(ask, catalog, table)},
    }


def astray(observed: Observed) -> frozenset[str]:
    """The full-text tables that know other row ids than their table has. A dump (`.dump`) numbers rows anew where some
    were deleted, and takes full-text tables along as they are."""
    found = observed.traits.get(_ASTRAY)
    return frozenset(found) if isinstance(found, dict) else frozenset()


def in_step(name: str) -> tuple[str, ...]:
    """Where `Observed.view` has something, unless the full-text table is in step with its table."""
    return ("traits", _ASTRAY, name)


def _astray(ask: Ask, catalog: Catalog, table: str) -> Iterator[str]:
    """Restored from a dump, a table has a smaller last id than its full-text tables; once it has grown past that, they
    lack as many rows as it had lost before."""
    facts = catalog.children(("tables", table))
    for name, search in catalog.children(("virtual_tables",)).items() if facts and "without_rowid" not in facts else ():
        if _over(search, table) and ask(EXISTS, (f"{name}{_KNOWN}",)):
            rows, known = identifier(table), identifier(f"{name}{_KNOWN}")
            same = f"(SELECT max(rowid) FROM {rows}) IS (SELECT max(id) FROM {known})"
            count = f"(SELECT count(*) FROM {rows}) = (SELECT count(*) FROM {known})"
            if not ask(f"SELECT {same} AND {count} AS v", ())[0]["v"]:
                yield name


def _over(search: Json, table: str) -> bool:
    options = search.get("options") if isinstance(search, dict) else None
    return isinstance(options, dict) and options.get("content") == table
