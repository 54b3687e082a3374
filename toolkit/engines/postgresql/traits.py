"""What a rebuild must know about a live table besides its schema: identity, owner, grants, options, own indexes, and
what depends on it. The query, and the reading of its one row.

It asks nothing itself. Whatever is read here either moves to the new table (`rebuild`) or is refused (`OBSTACLES`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.catalog import Json
from toolkit.engines.postgresql.names import CAPTURE, OLD, SHADOW, TRUNCATE

# Where `Observed.view` has the number of the old table.
KEPT = ("traits", "kept")
Ask = Callable[[str, Sequence[object]], Sequence[Mapping[str, Any]]]

# The text of pg_get_indexdef after the table's name does not depend on how table and index are called.
_TAIL = """substr(pg_get_indexdef(i.indexrelid), 1 + length(format('CREATE %%sINDEX %%I ON %%I.%%I ',
           CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname, n.nspname, c.relname)))"""
# What depends on the table, on the type of its rows, or on the type of lists of them.
_ON_IT = """(d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
          OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (y.oid, y.typarray))"""
# Catalogs whose objects are looked for one kind at a time.
_NAMED = ", ".join(
    f"'{name}'::regclass" for name in ("pg_class", "pg_rewrite", "pg_proc", "pg_statistic_ext", "pg_publication_rel")
)
_QUERY = f"""
SELECT json_build_object(
  'oid', c.oid::bigint, 'schema', n.nspname, 'owner', pg_get_userbyid(c.relowner), 'kind', c.relkind,
  'persistence', c.relpersistence, 'replica', c.relreplident,
  'options', (SELECT coalesce(json_agg(o.value), '[]') FROM (
      SELECT unnest(c.reloptions) AS value
      UNION ALL SELECT 'toast.' || unnest(t.reloptions) FROM pg_class t WHERE t.oid = c.reltoastrelid) AS o),
  'comment', obj_description(c.oid, 'pg_class'),
  'grants', coalesce((SELECT json_agg(json_build_array(NULL, CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                ELSE quote_ident(pg_get_userbyid(a.grantee)) END, a.privilege_type, a.is_grantable)
                ORDER BY a.grantee, a.privilege_type)
      FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner), '[]'),
  'column_grants', coalesce((SELECT json_agg(json_build_array(t.attname, CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                ELSE quote_ident(pg_get_userbyid(a.grantee)) END, a.privilege_type, a.is_grantable)
                ORDER BY t.attname, a.grantee, a.privilege_type)
      FROM pg_attribute t, aclexplode(t.attacl) a WHERE t.attrelid = c.oid AND a.grantee <> c.relowner), '[]'),
  'columns', (SELECT json_object_agg(t.attname, json_build_object('type', format_type(t.atttypid, t.atttypmod),
                'generated', t.attgenerated <> '') ORDER BY t.attnum)
      FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped),
  'indexes', coalesce((SELECT json_object_agg(x.relname, json_build_object('tail', {_TAIL},
                'unique', i.indisunique, 'primary', i.indisprimary) ORDER BY x.relname)
      FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid), '{{}}'),
  'obstacles', coalesce((SELECT json_agg(o.word || ' ' || o.name ORDER BY o.word, o.name) FROM (
      SELECT CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END AS word, v.oid::regclass::text AS name
        FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
        WHERE d.classid = 'pg_rewrite'::regclass AND {_ON_IT} AND v.oid <> c.oid GROUP BY v.relkind, v.oid
      UNION ALL SELECT 'rule', r.rulename FROM pg_rewrite r WHERE r.ev_class = c.oid
      UNION ALL SELECT 'trigger', t.tgname FROM pg_trigger t
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgname NOT IN ('{CAPTURE}', '{TRUNCATE}')
      UNION ALL SELECT 'policy', p.polname FROM pg_policy p WHERE p.polrelid = c.oid
      UNION ALL SELECT 'row security', c.relname WHERE c.relrowsecurity OR c.relforcerowsecurity
      UNION ALL SELECT 'foreign key', k.conname FROM pg_constraint k
        WHERE k.contype = 'f' AND (k.conrelid = c.oid OR k.confrelid = c.oid)
      UNION ALL SELECT 'constraint', k.conname FROM pg_constraint k
        WHERE k.contype IN ('u', 'x') AND k.conrelid = c.oid
      UNION ALL SELECT 'publication', p.pubname FROM pg_publication_tables p
        WHERE p.schemaname = n.nspname AND p.tablename = c.relname
      UNION ALL SELECT DISTINCT 'subscription', s.subname::text FROM pg_subscription_rel r
        JOIN pg_stat_subscription s ON s.subid = r.srsubid WHERE r.srrelid = c.oid
      UNION ALL SELECT 'inheritance', h.inhrelid::regclass::text FROM pg_inherits h
        WHERE h.inhrelid = c.oid OR h.inhparent = c.oid
      UNION ALL SELECT 'statistics', s.stxname FROM pg_statistic_ext s WHERE s.stxrelid = c.oid
      UNION ALL SELECT 'sequence', s.relname FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.classid = 'pg_class'::regclass
          AND s.relkind = 'S'
      UNION ALL SELECT 'function', f.proname FROM pg_depend d JOIN pg_proc f ON f.oid = d.objid
        WHERE d.classid = 'pg_proc'::regclass AND {_ON_IT} GROUP BY f.oid, f.proname
      UNION ALL SELECT 'column of its type', a.attrelid::regclass::text || '.' || a.attname
        FROM pg_attribute a JOIN pg_class u ON u.oid = a.attrelid
        WHERE a.atttypid IN (y.oid, y.typarray) AND a.attnum > 0 AND NOT a.attisdropped
          AND u.relkind IN ('r', 'p', 'm', 'f', 'c')
      UNION ALL SELECT DISTINCT i.type, i.identity
        FROM pg_depend d CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
        WHERE {_ON_IT} AND i.identity IS NOT NULL AND CASE d.classid
          WHEN 'pg_type'::regclass THEN d.objid NOT IN (y.oid, y.typarray)
          WHEN 'pg_attrdef'::regclass THEN d.objid NOT IN (SELECT e.oid FROM pg_attrdef e WHERE e.adrelid = c.oid)
          WHEN 'pg_constraint'::regclass THEN d.objid NOT IN (
            SELECT k.oid FROM pg_constraint k WHERE k.conrelid = c.oid OR k.contype = 'f')
          WHEN 'pg_trigger'::regclass THEN d.objid NOT IN (SELECT t.oid FROM pg_trigger t WHERE t.tgrelid = c.oid)
          WHEN 'pg_policy'::regclass THEN d.objid NOT IN (SELECT p.oid FROM pg_policy p WHERE p.polrelid = c.oid)
          ELSE d.classid NOT IN ({_NAMED}) END
      UNION ALL SELECT 'constraint that was never checked', k.conname FROM pg_constraint k
        WHERE k.conrelid = c.oid AND k.contype IN ('c', 'n') AND NOT k.convalidated
      UNION ALL SELECT 'comment on', x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
        JOIN pg_description s ON s.objoid = x.oid AND s.classoid = 'pg_class'::regclass WHERE i.indrelid = c.oid
      UNION ALL SELECT 'comment on', k.conname FROM pg_constraint k
        JOIN pg_description s ON s.objoid = k.oid AND s.classoid = 'pg_constraint'::regclass
        WHERE k.conrelid = c.oid AND k.contype <> 'c'
      UNION ALL SELECT 'security label on', c.relname FROM pg_seclabel l
        WHERE l.classoid = 'pg_class'::regclass AND l.objoid = c.oid
      UNION ALL SELECT 'clustering by', x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
        WHERE i.indrelid = c.oid AND i.indisclustered
      UNION ALL SELECT 'unlogged table', c.relname WHERE c.relpersistence <> 'p'
      UNION ALL SELECT 'replica identity by index', x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
        WHERE i.indrelid = c.oid AND i.indisreplident
      UNION ALL SELECT 'access method', m.amname FROM pg_am m WHERE m.oid = c.relam AND m.amname <> 'heap'
      UNION ALL SELECT 'tablespace of', x.relname FROM pg_class x
        WHERE x.reltablespace <> 0 AND (x.oid = c.oid
              OR x.oid IN (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = c.oid))
      UNION ALL SELECT 'settings of column', t.attname FROM pg_attribute t
        WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped
          AND (t.attoptions IS NOT NULL OR coalesce(t.attstattarget, -1) >= 0)
  ) o), '[]')
) AS table,
json_build_object(
  'columns', (SELECT json_object_agg(t.attname, md5(json_build_array(t.attnotnull, pg_get_expr(d.adbin, d.adrelid),
                t.attcollation, t.attstorage, to_jsonb(t) ->> 'attcompression', col_description(c.oid, t.attnum))::text)
                ORDER BY t.attnum)
      FROM pg_attribute t LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = t.attnum
      WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped),
  'checks', coalesce((SELECT json_object_agg(k.conname, md5(json_build_array(pg_get_constraintdef(k.oid),
                obj_description(k.oid, 'pg_constraint'))::text) ORDER BY k.conname)
      FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'), '{{}}'),
  'key', coalesce((SELECT json_object_agg(k.conname, pg_get_constraintdef(k.oid))
      FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p'), '{{}}')
) AS details,
pg_relation_size(c.oid) AS bytes, pg_indexes_size(c.oid) AS index_bytes, pg_total_relation_size(c.oid) AS all_bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type y ON y.oid = c.reltype
WHERE c.oid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(%s)) AND c.relkind = 'r'
"""
# What anybody may change beside a lock that leaves reads and writes alone: rights, and what hangs on the table.
_LOOSE = f"""
SELECT json_build_array(
  c.relacl, (SELECT json_agg(a.attacl ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid),
  (SELECT json_agg(json_build_array(d.classid, d.objid, d.objsubid) ORDER BY d.classid, d.objid, d.objsubid)
   FROM pg_depend d WHERE {_ON_IT}),
  (SELECT count(*) FROM pg_subscription_rel r WHERE r.srrelid = c.oid),
  (SELECT json_agg(p.oid ORDER BY p.oid) FROM pg_publication p))::text AS v
FROM pg_class c JOIN pg_type y ON y.oid = c.reltype
WHERE c.oid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(%s))
"""
_OWN = f"""
SELECT relname AS name, oid::bigint AS oid FROM pg_class
WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relname IN ('{OLD}', '{SHADOW}')
"""


@dataclass(frozen=True, slots=True)
class TableTraits:
    """One live table. `replica`: the letter of its replica identity in pg_class; `indexes`: name → DDL after the
    table's name, or None for the primary key; `obstacles`: what a swap would lose and cannot carry over, in words;
    grants: column or None, grantee as quoted, privilege, grantable."""

    oid: int
    schema: str
    owner: str
    options: tuple[str, ...]
    replica: str
    comment: str | None
    grants: tuple[tuple[str | None, str, str, bool], ...]
    columns: Mapping[str, str]
    plain_columns: tuple[str, ...]
    indexes: Mapping[str, str | None]
    unique: frozenset[str]
    obstacles: tuple[str, ...]


def read(ask: Ask, table: str) -> dict[str, Json]:
    """`Observed.traits`: `table` and `details` (what must not change during a rebuild), `own` (which of our tables are
    there, be it in a store that was restored from a dump), `kept` (the number of the old one, which tells it from all
    others) and `sizes`; empty when there is no such table."""
    rows = ask(_QUERY, (table,))
    if not rows:
        return {}
    row = rows[0]
    own = {one["name"]: one["oid"] for one in ask(_OWN, ())}
    there: Json = {name: True for name in own}
    sizes: Json = {"heap": row["bytes"], "indexes": row["index_bytes"], "all": row["all_bytes"]}
    return {"table": row["table"], "details": row["details"], "own": there, "kept": own.get(OLD), "sizes": sizes}


def loose(ask: Ask, table: str) -> str:
    """What is read here of rights and dependents, to be compared with what it was a moment ago: quick, for it is asked
    while everybody waits."""
    rows = ask(_LOOSE, (table,))
    return str(rows[0]["v"]) if rows else ""


def decode(value: Json) -> TableTraits:
    """The traits in `Observed.traits["table"]`."""
    assert isinstance(value, dict)
    facts: dict[str, Any] = dict(value)
    return TableTraits(
        oid=facts["oid"],
        schema=facts["schema"],
        owner=facts["owner"],
        options=tuple(facts["options"]),
        replica=facts["replica"],
        comment=facts["comment"],
        grants=tuple((g[0], g[1], g[2], g[3]) for g in [*facts["grants"], *facts["column_grants"]]),
        columns={name: column["type"] for name, column in facts["columns"].items()},
        plain_columns=tuple(name for name, column in facts["columns"].items() if not column["generated"]),
        indexes={name: None if i["primary"] else i["tail"] for name, i in facts["indexes"].items()},
        unique=frozenset(name for name, i in facts["indexes"].items() if i["unique"]),
        obstacles=tuple(facts["obstacles"]),
    )
