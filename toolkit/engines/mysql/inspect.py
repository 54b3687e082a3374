"""MySQL's own catalog (information_schema) → our Catalog: the queries, and the reading of their rows.

It asks nothing itself (`client` does); the canonical form is described in `toolkit.catalog` and kept by tests against
the catalogs of all published versions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolkit.catalog import Catalog, Json
from toolkit.engines.mysql.layout import COLLATION
from toolkit.engines.mysql.versions import TABLES

# Our own state and other tools' books are no part of the schema.
IGNORED_TABLES = TABLES
IGNORED_PREFIX = "temporal_visibility_"

Row = Mapping[str, Any]
Ask = Callable[[str], Sequence[Row]]
_Tables = dict[str, dict[str, Json]]

# A table that has its database's collation is said to have the usual one: which it is, is a property of the database.
# One that has the usual one in a database with another has not: it could not be joined with a new table there.
_RELATIONS = f"""
SELECT t.TABLE_NAME AS name, t.TABLE_TYPE AS kind, t.ENGINE AS engine, t.CREATE_OPTIONS AS options,
       t.TABLE_COMMENT AS comment, t.TABLE_COLLATION AS own_collation,
       CASE t.TABLE_COLLATION WHEN s.DEFAULT_COLLATION_NAME THEN '{COLLATION}'
         WHEN '{COLLATION}' THEN '{COLLATION}, which is not the database''s' ELSE t.TABLE_COLLATION END AS collation
FROM information_schema.TABLES t JOIN information_schema.SCHEMATA s ON s.SCHEMA_NAME = t.TABLE_SCHEMA
WHERE t.TABLE_SCHEMA = DATABASE()
"""
_COLUMNS = """
SELECT TABLE_NAME AS tab, COLUMN_NAME AS name, COLUMN_TYPE AS type, IS_NULLABLE AS nullable, COLUMN_DEFAULT AS preset,
       EXTRA AS extra, GENERATION_EXPRESSION AS expr, COLLATION_NAME AS collation, COLUMN_COMMENT AS comment
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
"""
_INDEXES = """
SELECT TABLE_NAME AS tab, INDEX_NAME AS name, SEQ_IN_INDEX AS place, NON_UNIQUE AS repeats, COLUMN_NAME AS col,
       SUB_PART AS prefix, COLLATION AS direction, INDEX_TYPE AS type, IS_VISIBLE AS visible, EXPRESSION AS expr,
       INDEX_COMMENT AS comment
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX
"""
_CONSTRAINTS = """
SELECT c.TABLE_NAME AS tab, c.CONSTRAINT_NAME AS name, c.CONSTRAINT_TYPE AS type, k.CHECK_CLAUSE AS expr
FROM information_schema.TABLE_CONSTRAINTS c
LEFT JOIN information_schema.CHECK_CONSTRAINTS k
  ON k.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND k.CONSTRAINT_NAME = c.CONSTRAINT_NAME
WHERE c.TABLE_SCHEMA = DATABASE() AND c.CONSTRAINT_TYPE <> 'PRIMARY KEY'
"""
_TRIGGERS = """
SELECT EVENT_OBJECT_TABLE AS tab, TRIGGER_NAME AS name, ACTION_TIMING AS timing, EVENT_MANIPULATION AS event
FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
"""
_ROUTINES = """
SELECT ROUTINE_NAME AS name, ROUTINE_TYPE AS kind, DTD_IDENTIFIER AS returns, IS_DETERMINISTIC AS fixed
FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
"""

_INTRODUCER = re.compile(r"_[a-z0-9]+(?='(?:[^']|'')*')")
_BLANKS = re.compile(r"\s+")
_MULTI_VALUED = re.compile(r"cast\(.* array\)", re.DOTALL)
# What EXTRA says that is said elsewhere in the canonical form.
_TOLD = {"STORED GENERATED", "VIRTUAL GENERATED", "DEFAULT_GENERATED"}


def read(ask: Ask) -> Catalog:
    """The catalog of the connection's database; `ask` runs one query and gives its rows as mappings."""
    relations = [r for r in ask(_RELATIONS) if not _ignored(r["name"])]
    own = {r["name"]: r["own_collation"] for r in relations}
    tables: _Tables = {r["name"]: _table(r) for r in relations if r["kind"] == "BASE TABLE"}
    for row in ask(_COLUMNS):
        _put(tables, row, "columns", _column(row, own.get(row["tab"])))
    _indexes(tables, ask(_INDEXES))
    for row in ask(_CONSTRAINTS):
        _put(tables, row, "constraints", _constraint(row))
    for row in ask(_TRIGGERS):
        _put(tables, row, "triggers", {"timing": row["timing"], "event": row["event"]})
    body: dict[str, Json] = {"tables": dict(tables)}
    views: dict[str, Json] = {r["name"]: "view" for r in relations if r["kind"] == "VIEW"}
    routines: dict[str, Json] = {r["name"]: _routine(r) for r in ask(_ROUTINES) if not _ignored(r["name"])}
    return Catalog("mysql", body | ({"views": views} if views else {}) | ({"routines": routines} if routines else {}))


def _ignored(name: str) -> bool:
    return name.lower() in IGNORED_TABLES or name.lower().startswith(IGNORED_PREFIX)


def _put(tables: _Tables, row: Row, what: str, facts: Json) -> None:
    if row["tab"] in tables and not _ignored(row["name"]):
        members = tables[row["tab"]].setdefault(what, {})
        assert isinstance(members, dict)
        members[row["name"]] = facts


def _table(row: Row) -> dict[str, Json]:
    facts: dict[str, Json] = {"engine": row["engine"], "collation": row["collation"], "columns": {}}
    if row["options"]:
        facts["options"] = row["options"]
    if row["comment"]:
        facts["comment"] = row["comment"]
    return facts


def _column(row: Row, table_collation: str | None) -> Json:
    facts: dict[str, Json] = {"type": row["type"]}
    extra = row["extra"]
    if row["nullable"] == "NO":
        facts["not_null"] = True
    if row["preset"] is not None:
        text = row["preset"]
        facts["default"] = f"({expression(text)})" if "DEFAULT_GENERATED" in extra else text
    if row["expr"]:
        facts["generated"] = "stored" if "STORED" in extra else "virtual"
        facts["expr"] = expression(row["expr"])
    for told in _TOLD:
        extra = extra.replace(told, "")
    if extra.strip():
        facts["extra"] = extra.strip()
    # JSON columns have the collation utf8mb4_bin in the server's books only.
    if row["collation"] and row["collation"] != table_collation:
        facts["collation"] = row["collation"]
    if row["comment"]:
        facts["comment"] = row["comment"]
    return facts


def expression(text: str) -> str:
    """An expression as the server prints it, without what depends on the session that wrote it: backslashes before
    quotes, the character sets of literals, blanks between words."""
    return _BLANKS.sub(" ", _INTRODUCER.sub("", text.replace("\\'", "'"))).strip()


def _indexes(tables: _Tables, rows: Sequence[Row]) -> None:
    """One row a key, in their order."""
    for row in rows:
        if row["tab"] not in tables:
            continue
        table = tables[row["tab"]]
        if row["name"] == "PRIMARY":
            keys = table.setdefault("primary_key", [])
            assert isinstance(keys, list)
            keys.append(row["col"])
            continue
        members = table.setdefault("indexes", {})
        assert isinstance(members, dict)
        facts = members.setdefault(row["name"], _index(row))
        assert isinstance(facts, dict)
        keys = facts["keys"]
        assert isinstance(keys, list)
        keys.append(_index_key(row))
        if row["expr"] and _MULTI_VALUED.fullmatch(expression(row["expr"])):
            facts["multi_valued"] = True


def _index(row: Row) -> dict[str, Json]:
    facts: dict[str, Json] = {"type": row["type"], "keys": []}
    if not row["repeats"]:
        facts["unique"] = True
    if row["visible"] == "NO":
        facts["visible"] = False
    if row["comment"]:
        facts["comment"] = row["comment"]
    return facts


def _index_key(row: Row) -> str:
    down = " DESC" if row["direction"] == "D" else ""
    if row["expr"]:
        return expression(row["expr"]) + down
    prefix = f"({row['prefix']})" if row["prefix"] else ""
    return f"`{row['col']}`{prefix}{down}"


def _constraint(row: Row) -> Json:
    facts: dict[str, Json] = {"type": row["type"].lower()}
    if row["expr"]:
        facts["def"] = expression(row["expr"])
    return facts


def _routine(row: Row) -> Json:
    facts: dict[str, Json] = {"kind": row["kind"].lower(), "deterministic": row["fixed"] == "YES"}
    if row["returns"]:
        facts["returns"] = row["returns"]
    return facts
