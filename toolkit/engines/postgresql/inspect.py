"""PostgreSQL's own catalog → our Catalog: the queries, and the reading of their rows.

It asks nothing itself (`client` does); the canonical form is described in `toolkit.catalog` and kept by tests against
the catalogs of all published versions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolkit.catalog import Catalog, Json
from toolkit.engines.postgresql.versions import TABLES

# Our own state and other tools' books are no part of the schema.
IGNORED_TABLES = TABLES
IGNORED_PREFIX = "temporal_visibility_"
# Other extensions belong to the database, not to the visibility schema.
KNOWN_EXTENSIONS = ("btree_gin",)

Row = Mapping[str, Any]
Ask = Callable[[str], Sequence[Row]]

_RELATIONS = """
SELECT c.oid::bigint AS id, c.relname AS name, c.relkind::text AS kind, c.relpersistence::text AS persistence,
       c.reloptions AS options, c.relrowsecurity AS rls
FROM pg_class c
WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  AND NOT EXISTS (SELECT 1 FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
                    AND d.deptype IN ('e', 'i', 'a'))
"""
_COLUMNS = """
SELECT a.attrelid::bigint AS id, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
       a.attnotnull AS not_null, a.attgenerated::text AS generated, a.attidentity::text AS identity,
       pg_get_expr(d.adbin, d.adrelid) AS expr,
       CASE WHEN a.attcollation <> t.typcollation THEN co.collname END AS collation
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation co ON co.oid = a.attcollation
WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind IN ('r', 'p')
  AND a.attnum > 0 AND NOT a.attisdropped
"""
_INDEXES = """
SELECT i.indrelid::bigint AS id, x.relname AS name, am.amname AS method, i.indisunique AS is_unique,
       i.indisvalid AS valid, i.indisready AS ready, x.reloptions AS options, i.indnkeyatts AS keys,
       pg_get_expr(i.indpred, i.indrelid) AS predicate,
       ARRAY(SELECT coalesce(quote_ident(a.attname), pg_get_indexdef(i.indexrelid, k.place::int, true))
             FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
             LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
             ORDER BY k.place) AS columns,
       ARRAY(SELECT o.opcname FROM unnest(i.indclass::oid[]) WITH ORDINALITY AS u(oid, n)
             JOIN pg_opclass o ON o.oid = u.oid ORDER BY u.n) AS operators,
       i.indoption::int[] AS flags
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_am am ON am.oid = x.relam
WHERE x.relnamespace = quote_ident(current_schema())::regnamespace
  AND NOT EXISTS (SELECT 1 FROM pg_constraint p WHERE p.conindid = i.indexrelid AND p.contype IN ('p', 'u', 'x'))
"""
_CONSTRAINTS = """
SELECT p.conrelid::bigint AS id, p.conname AS name, p.contype::text AS type, pg_get_constraintdef(p.oid) AS def,
       p.convalidated AS validated,
       ARRAY(SELECT a.attname::text FROM unnest(p.conkey) WITH ORDINALITY AS k(n, o)
             JOIN pg_attribute a ON a.attrelid = p.conrelid AND a.attnum = k.n ORDER BY k.o) AS columns
FROM pg_constraint p
WHERE p.connamespace = quote_ident(current_schema())::regnamespace AND p.conrelid <> 0
  AND p.contype IN ('p', 'u', 'c', 'f', 'x', 't')
"""
_TRIGGERS = """
SELECT t.tgrelid::bigint AS id, t.tgname AS name, pg_get_triggerdef(t.oid) AS def
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND NOT t.tgisinternal
"""
_FUNCTIONS = """
SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' AS name, l.lanname AS language,
       pg_get_function_result(p.oid) AS returns, p.proisstrict AS strict, p.provolatile::text AS volatility,
       p.prosecdef AS security_definer
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = quote_ident(current_schema())::regnamespace
  AND NOT EXISTS (SELECT 1 FROM pg_depend d
                  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
"""
_EXTENSIONS = "SELECT extname AS name FROM pg_extension ORDER BY 1"

_KINDS = {"v": "view", "m": "materialized view", "S": "sequence", "f": "foreign table"}
_CONSTRAINT_TYPES = {
    "p": "primary key", "u": "unique", "c": "check", "f": "foreign key", "x": "exclusion", "t": "trigger",
}  # fmt: skip
_VOLATILITY = {"i": "immutable", "s": "stable", "v": "volatile"}


def read(ask: Ask) -> Catalog:
    """The catalog of the current schema; `ask` runs one query and gives its rows as mappings."""
    relations = [r for r in ask(_RELATIONS) if not _ignored(r["name"])]
    tables: dict[int, dict[str, Json]] = {r["id"]: _table(r) for r in relations if r["kind"] in "rp"}
    for row in ask(_COLUMNS):
        _put(tables, row, "columns", _column(row))
    for row in ask(_INDEXES):
        _put(tables, row, "indexes", _index(row))
    for row in ask(_CONSTRAINTS):
        if row["type"] == "p" and row["id"] in tables:
            tables[row["id"]]["primary_key"] = list(row["columns"])
        _put(tables, row, "constraints", _constraint(row))
    for row in ask(_TRIGGERS):
        _put(tables, row, "triggers", row["def"])
    body: dict[str, Json] = {
        "tables": {r["name"]: tables[r["id"]] for r in relations if r["id"] in tables},
        "functions": {r["name"]: _function(r) for r in ask(_FUNCTIONS) if not _ignored(r["name"])},
        "extensions": [r["name"] for r in ask(_EXTENSIONS) if r["name"] in KNOWN_EXTENSIONS],
    }
    others: dict[str, Json] = {r["name"]: _KINDS[r["kind"]] for r in relations if r["kind"] in _KINDS}
    return Catalog("postgresql", body | ({"other_relations": others} if others else {}))


def _ignored(name: str) -> bool:
    return name in IGNORED_TABLES or name.lower().startswith(IGNORED_PREFIX)


def _put(tables: dict[int, dict[str, Json]], row: Row, what: str, facts: Json) -> None:
    if row["id"] in tables and not _ignored(row["name"]):
        members = tables[row["id"]].setdefault(what, {})
        assert isinstance(members, dict)
        members[row["name"]] = facts


def _table(row: Row) -> dict[str, Json]:
    facts: dict[str, Json] = {"columns": {}}
    if row["kind"] == "p":
        facts["kind"] = "partitioned table"
    if row["persistence"] != "p":
        facts["persistence"] = {"u": "unlogged", "t": "temporary"}[row["persistence"]]
    if row["options"]:
        facts["reloptions"] = list(row["options"])
    if row["rls"]:
        facts["rls"] = True
    return facts


def _column(row: Row) -> Json:
    facts: dict[str, Json] = {"type": row["type"]}
    if row["not_null"]:
        facts["not_null"] = True
    if row["generated"]:
        facts["generated"] = {"s": "stored", "v": "virtual"}[row["generated"]]
        facts["expr"] = row["expr"]
    elif row["expr"] is not None:
        facts["default"] = row["expr"]
    if row["identity"]:
        facts["identity"] = {"a": "always", "d": "by default"}[row["identity"]]
    if row["collation"]:
        facts["collation"] = row["collation"]
    return facts


def _index(row: Row) -> Json:
    keys: list[Json] = [
        _index_key(row["columns"][n], row["operators"][n], row["flags"][n], row["method"]) for n in range(row["keys"])
    ]
    facts: dict[str, Json] = {"method": row["method"], "keys": keys, "valid": row["valid"]}
    if row["is_unique"]:
        facts["unique"] = True
    if len(row["columns"]) > row["keys"]:
        facts["include"] = list(row["columns"][row["keys"] :])
    if row["predicate"]:
        facts["predicate"] = row["predicate"]
    if not row["ready"]:
        facts["ready"] = False
    if row["options"]:
        facts["reloptions"] = list(row["options"])
    return facts


def _index_key(text: str, operators: str, flags: int, method: str) -> str:
    descending, nulls_first = bool(flags & 1), bool(flags & 2)
    order = " DESC" if descending and method == "btree" else ""
    if method == "btree" and nulls_first != descending:
        order += " NULLS FIRST" if nulls_first else " NULLS LAST"
    return f"{text} {operators}{order}"


def _constraint(row: Row) -> Json:
    facts: dict[str, Json] = {"type": _CONSTRAINT_TYPES[row["type"]], "def": row["def"]}
    if not row["validated"]:
        facts["not_valid"] = True
    return facts


def _function(row: Row) -> Json:
    facts: dict[str, Json] = {
        "language": row["language"],
        "returns": row["returns"],
        "strict": row["strict"],
        "volatility": _VOLATILITY[row["volatility"]],
    }
    if row["security_definer"]:
        facts["security_definer"] = True
    return facts
