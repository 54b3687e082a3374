"""What a plan must know about a SQLite file besides its schema, as `Observed.traits`.

It asks queries through a function it is given and never writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolkit.catalog import Catalog, Json
from toolkit.engines.sqlite.books import EXISTS
from toolkit.engines.sqlite.render import identifier, literal
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


def read(ask: Ask, catalog: Catalog, table: str) -> tuple[int | None, dict[str, Json]]:
    """How many rows `table` has, None without it; and `texts`: the statements that made indexes and triggers of it, an
    operator's own too, which a rebuild must make again as they were written; whether there is no history; `astray`:
    see `astray`."""
    rows, strays = _numbers(ask, catalog, table) if catalog.children(("tables", table)) else (None, [])
    return rows, {
        "texts": {row["name"]: row["sql"] for row in ask(_TEXTS, (table,))},
        NO_HISTORY: not ask(EXISTS, ("schema_update_history",)),
        _ASTRAY: dict.fromkeys(strays, True),
    }


def astray(observed: Observed) -> frozenset[str]:
    """The full-text tables that know other row ids than their table has. A dump (`.dump`) numbers rows anew where some
    were deleted, and takes full-text tables along as they are."""
    found = observed.traits.get(_ASTRAY)
    return frozenset(found) if isinstance(found, dict) else frozenset()


def in_step(name: str) -> tuple[str, ...]:
    """Where `Observed.view` has something, unless the full-text table is in step with its table."""
    return ("traits", _ASTRAY, name)


def _numbers(ask: Ask, catalog: Catalog, table: str) -> tuple[int, list[str]]:
    """Number of rows, and full-text tables astray; all in one look, as others may write. Restored from a dump, a table
    has a smaller last id than its full-text tables; once it has grown past that, they lack as many rows as it had lost
    before."""
    if "without_rowid" in catalog.children(("tables", table)):
        return int(ask(f"SELECT count(*) AS v FROM {identifier(table)}", ())[0]["v"]), []
    searches = [name for name, search in catalog.children(("virtual_tables",)).items() if _over(search, table)]
    known = {f"{name}{_KNOWN}": name for name in searches if ask(EXISTS, (f"{name}{_KNOWN}",))}
    looks = [_look(table, "rowid"), *(_look(name, "id") for name in known)]
    found = {row["name"]: (row["v"], row["last"]) for row in ask(" UNION ALL ".join(looks), ())}
    return int(found[table][0]), [search for name, search in known.items() if found[name] != found[table]]


def _look(table: str, id: str) -> str:
    count, last = (f"(SELECT {what} FROM {identifier(table)})" for what in ("count(*)", f"max({id})"))
    return f"SELECT {literal(table)} AS name, {count} AS v, {last} AS last"


def _over(search: Json, table: str) -> bool:
    options = search.get("options") if isinstance(search, dict) else None
    return isinstance(options, dict) and options.get("content") == table
