"""A plan as a script for psql: guard, statements, check. Pure; the statements are the plan's own.

Guard and check compare what the server's catalog says, line by line, with what it shall say: columns with type and
expression, indexes with keys and validity, constraints, and the recorded version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from toolkit.catalog import Catalog, Json
from toolkit.engines import scripting
from toolkit.engines.postgresql import dropping, render, session
from toolkit.engines.postgresql.render import block, literal
from toolkit.plan import Observed, Plan, Sql, Step

HOW = "psql -v ON_ERROR_STOP=1 -f FILE DATABASE"

_LINES = """
SELECT 'column ' || c.relname || '.' || a.attname || ': ' || format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
       || CASE WHEN a.attgenerated <> '' THEN ' generated ' || pg_get_expr(d.adbin, d.adrelid)
               WHEN d.adbin IS NOT NULL THEN ' default ' || pg_get_expr(d.adbin, d.adrelid) ELSE '' END AS line
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind IN ('r', 'p')
  AND c.relname IN ({tables}) AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'index ' || c.relname || '.' || x.relname || ': ' || am.amname || ' ' || (
         SELECT string_agg(pg_get_indexdef(i.indexrelid, k, true) || ' ' || o.opcname
           || CASE WHEN am.amname = 'btree' AND i.indoption[k - 1] & 1 = 1 THEN ' DESC' ELSE '' END
           || CASE WHEN am.amname <> 'btree' OR (i.indoption[k - 1] & 2) / 2 = i.indoption[k - 1] & 1 THEN ''
                   WHEN i.indoption[k - 1] & 2 = 2 THEN ' NULLS FIRST' ELSE ' NULLS LAST' END, ', ' ORDER BY k)
         FROM generate_series(1, i.indnkeyatts) AS k JOIN pg_opclass o ON o.oid = i.indclass[k - 1])
       || CASE WHEN i.indisunique THEN ' unique' ELSE '' END || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_am am ON am.oid = x.relam
WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relname IN ({tables})
  AND NOT EXISTS (SELECT 1 FROM pg_constraint p WHERE p.conindid = i.indexrelid AND p.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'constraint ' || c.relname || '.' || p.conname || ': ' || pg_get_constraintdef(p.oid)
FROM pg_constraint p JOIN pg_class c ON c.oid = p.conrelid
WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relname IN ({tables})
  AND p.contype IN ('p', 'u', 'c', 'f', 'x', 't')
""".strip()


def script(plan: Plan, observed: Observed, goal: Catalog, table: str) -> str:
    """The plan for psql. `observed`: what it was made on; `goal`: the wanted catalog; `table`: that of the records."""
    reached = scripting.with_foreign(goal, observed.catalog, plan.foreign)
    tables, label = scripting.tables(observed.catalog, reached), scripting.recorded(plan, observed)
    before = (
        # Whatever the user's own psqlrc prefers; no index is built concurrently in a transaction that psql begins.
        Sql("\\set ON_ERROR_STOP on\n\\set AUTOCOMMIT on\n" + ";\n".join(session.pinned())),
        Sql(f"DO $do$ BEGIN PERFORM {session.unlimited()}; END $do$"),
        Sql(f"SET lock_timeout = {literal(render.LOCK_TIMEOUT)}"),
        Sql(f"DO $do$ BEGIN PERFORM {session.ALONE}; END $do$"),
        _assert(scripting.STALE, observed.catalog, tables, observed.recorded),
        *dropping.guard(plan.steps, table),
    )
    after = (Sql("\\echo 'Checking …'\n" + _assert(scripting.UNREACHED, reached, tables, label).text),)
    return scripting.sql_script(plan, HOW, before, after, _wrapped)


def _wrapped(step: Step) -> Iterator[str]:
    """One transaction a step, as in a run; what cannot be in one waits without limit, as nobody queues behind it."""
    statements = [s for s in step.statements if isinstance(s, Sql)]
    if not any(s.autocommit for s in statements):
        yield from (scripting.paragraph(text) for text in ("BEGIN", *(s.text for s in statements), "COMMIT"))
        return
    yield "SET lock_timeout = 0;"
    yield from (scripting.paragraph(s.text) for s in statements)
    yield f"SET lock_timeout = {literal(render.LOCK_TIMEOUT)};\n"


def _assert(problem: str, catalog: Catalog, tables: Sequence[str], recorded: str | None) -> Sql:
    """A statement that fails with `problem` unless the catalog has exactly the lines of `catalog`."""
    listed = ",\n    ".join(literal(text) for text in lines(catalog)) or "NULL"
    query = _LINES.replace("{tables}", ", ".join(literal(table) for table in tables) or "NULL")
    version = literal(recorded or "nothing")
    return block(
        "DECLARE\n  wrong text;\n  found text;\nBEGIN\n"
        f"  WITH wanted(line) AS (SELECT w FROM unnest(ARRAY[\n    {listed}\n  ]::text[]) AS w WHERE w IS NOT NULL),\n"
        f"  seen(line) AS (\n{query}\n  )\n"
        "  SELECT string_agg(d.line, '; ' ORDER BY d.line) INTO wrong FROM (\n"
        "    (SELECT 'missing ' || line AS line FROM (SELECT line FROM wanted EXCEPT SELECT line FROM seen) AS m)\n"
        "    UNION ALL\n"
        "    (SELECT 'unknown ' || line AS line FROM (SELECT line FROM seen EXCEPT SELECT line FROM wanted) AS u)\n"
        "  ) AS d;\n"
        "  IF to_regclass('schema_version') IS NOT NULL THEN\n"
        "    SELECT curr_version INTO found FROM schema_version\n"
        "    WHERE version_partition = 0 AND db_name = current_database();\n  END IF;\n"
        f"  IF coalesce(found, 'nothing') <> {version} THEN\n"
        f"    wrong := concat_ws('; ', wrong, 'schema_version says ' || coalesce(found, 'nothing'));\n  END IF;\n"
        f"  IF wrong IS NOT NULL THEN\n    RAISE EXCEPTION '%', {literal(problem + ': ')} || left(wrong, 1000);\n"
        "  END IF;\nEND"
    )


def lines(catalog: Catalog) -> list[str]:
    """What the server's catalog says of `catalog`, as `_LINES` writes it."""
    found: list[str] = []
    for table, facts in sorted(catalog.children(("tables",)).items()):
        found += [f"column {table}.{name}: {_column(value)}" for name, value in scripting.members(facts, "columns")]
        found += [f"index {table}.{name}: {_index(value)}" for name, value in scripting.members(facts, "indexes")]
        found += [
            f"constraint {table}.{name}: {value['def']}" for name, value in scripting.members(facts, "constraints")
        ]
    return found


def _column(facts: Mapping[str, Json]) -> str:
    text = f"{facts['type']}{' not null' if facts.get('not_null') else ''}"
    if "generated" in facts:
        return f"{text} generated {facts['expr']}"
    return f"{text} default {facts['default']}" if "default" in facts else text


def _index(facts: Mapping[str, Json]) -> str:
    keys = facts["keys"]
    listed = ", ".join(map(str, keys)) if isinstance(keys, list) else ""
    unique, invalid = " unique" * bool(facts.get("unique")), "" if facts.get("valid") else " invalid"
    return f"{facts['method']} {listed}{unique}{invalid}"
