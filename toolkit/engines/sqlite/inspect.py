"""SQLite's own catalog, read into the canonical form of `temporal-visibility-catalog/1`.

It asks queries through a function it is given and never connects, writes, or knows what the schema should be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolkit.catalog import Catalog, Json
from toolkit.engines.sqlite import ddl
from toolkit.engines.sqlite.tokens import canonical, tokens, type_name
from toolkit.engines.sqlite.versions import TABLES

# Our own state, other tools' books and SQLite's own tables are no part of the schema.
IGNORED_TABLES = TABLES
IGNORED_PREFIXES = ("temporal_visibility_", "sqlite_")

Row = Mapping[str, Any]
Ask = Callable[[str], Sequence[Row]]

_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
_COLUMNS = """
SELECT m.name AS "table", x.name, x.type, x."notnull" AS not_null, x.dflt_value AS "default", x.pk, x.hidden
FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS x
WHERE m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%'
"""
_KEYS = """
SELECT m.name AS "index", x.name, x."desc" AS descending, x.coll
FROM sqlite_master AS m, pragma_index_xinfo(m.name) AS x
WHERE m.type = 'index' AND m.sql IS NOT NULL AND x."key" = 1
ORDER BY m.name, x.seqno
"""
_VIRTUAL = "CREATE VIRTUAL"
_GENERATED = {2: "virtual", 3: "stored"}
# FTS5 keeps these beside each of its tables.
_SHADOWS = ("_data", "_idx", "_content", "_docsize", "_config")


def read(ask: Ask) -> Catalog:
    """The catalog of the main database; `ask` runs one query and gives its rows as mappings."""
    objects = ask(_OBJECTS)
    virtual = {r["name"]: ddl.virtual(r["sql"]) for r in objects if r["sql"].upper().startswith(_VIRTUAL)}
    hidden = {f"{name}{tail}" for name, text in virtual.items() if text.module == "fts5" for tail in _SHADOWS}
    seen = [r for r in objects if r["tbl_name"] not in hidden and not _ignored(r["tbl_name"], r["name"])]
    spelled = {r["name"].lower(): r["name"] for r in objects if r["type"] in ("table", "view")}
    columns, keys = _grouped(ask(_COLUMNS), "table"), _grouped(ask(_KEYS), "index")
    tables: dict[str, dict[str, Json]] = {
        r["name"]: _table(columns[r["name"]], ddl.table(r["sql"]))
        for r in seen
        if r["type"] == "table" and r["name"] not in virtual
    }
    for row in seen:
        if row["type"] == "index" and row["tbl_name"] in tables:
            members = tables[row["tbl_name"]].setdefault("indexes", {})
            assert isinstance(members, dict)
            members[row["name"]] = _index(keys[row["name"]], ddl.index(row["sql"]))
    found: dict[str, Json] = {
        "tables": dict(tables),
        "virtual_tables": {n: _virtual(text) for n, text in virtual.items() if not _ignored(n)},
        "triggers": {r["name"]: _trigger(r, spelled) for r in seen if r["type"] == "trigger"},
    }
    views: dict[str, Json] = {r["name"]: canonical(tokens(r["sql"])) for r in seen if r["type"] == "view"}
    return Catalog("sqlite", found | ({"views": views} if views else {}))


def _ignored(*names: str) -> bool:
    return any(n.lower() in IGNORED_TABLES or n.lower().startswith(IGNORED_PREFIXES) for n in names)


def _grouped(rows: Sequence[Row], by: str) -> Mapping[str, Sequence[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[by]].append(row)
    return found


def _table(rows: Sequence[Row], text: ddl.TableText) -> dict[str, Json]:
    columns: dict[str, Json] = {row["name"]: _column(row, text.columns.get(row["name"].lower())) for row in rows}
    keys = sorted((row for row in rows if row["pk"]), key=lambda row: row["pk"])
    facts: dict[str, Json] = {"columns": columns}
    if keys:
        facts["primary_key"] = [row["name"] for row in keys]
    if text.constraints:
        facts["constraints"] = list(text.constraints)
    for option in ("STRICT", "WITHOUT ROWID"):
        if option in text.options:
            facts[option.lower().replace(" ", "_")] = True
    return facts


def _column(row: Row, text: ddl.ColumnText | None) -> Json:
    facts: dict[str, Json] = {"type": type_name(row["type"])}
    if row["not_null"]:
        facts["not_null"] = True
    if row["default"] is not None:
        facts["default"] = canonical(tokens(row["default"]))
    if row["hidden"] in _GENERATED:
        facts["generated"] = _GENERATED[row["hidden"]]
    if text is None:
        return facts
    if text.expr is not None:
        facts["expr"] = text.expr
    if text.collation not in (None, "BINARY"):
        facts["collate"] = text.collation
    if text.checks:
        facts["check"] = " AND ".join(text.checks)
    return facts


def _index(rows: Sequence[Row], text: ddl.IndexText) -> Json:
    keys: list[Json] = [_key(row, written) for row, written in zip(rows, text.keys, strict=True)]
    facts: dict[str, Json] = {"keys": keys}
    if text.unique:
        facts["unique"] = True
    if text.predicate is not None:
        facts["predicate"] = text.predicate
    return facts


def _key(row: Row, written: str) -> str:
    name = row["name"] if row["name"] is not None else written
    collation = f" COLLATE {row['coll']}" if row["coll"] not in (None, "BINARY") else ""
    return f"{name}{collation}{' DESC' if row['descending'] else ''}"


def _virtual(text: ddl.VirtualText) -> Json:
    return {"module": text.module, "columns": list(text.columns), "options": dict(text.options)}


def _trigger(row: Row, spelled: Mapping[str, str]) -> Json:
    """`spelled`: tables and views as they are called; SQLite keeps the name as CREATE TRIGGER wrote it."""
    text = ddl.trigger(row["sql"])
    table = spelled.get(row["tbl_name"].lower(), row["tbl_name"])
    facts: dict[str, Json] = {"table": table, "timing": text.timing, "event": text.event}
    return facts | ({"of": list(text.columns)} if text.columns else {})
