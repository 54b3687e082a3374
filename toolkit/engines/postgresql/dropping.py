"""What of the operator's own would go with what a plan drops, or keep it from going, and whether this role may drop it.
It changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from toolkit.engines.online import Problem, listed
from toolkit.engines.postgresql import planner
from toolkit.plan import Mode, Plan

Ask = Callable[[str, Sequence[object]], Sequence[Mapping[str, Any]]]

# What goes with a column, or keeps it from going. Indexes: only those of the operator's own; attrdef (before 15 the
# column that is computed): what makes the column itself, or another that goes, too.
_USING = """
SELECT DISTINCT coalesce(CASE v.relkind WHEN 'm' THEN 'materialized view ' WHEN 'v' THEN 'view ' END || v.relname,
                         i.type || ' ' || coalesce(x.relname, k.conname, i.identity)) AS name,
       coalesce(x.relname, k.conname, g.tgname) AS own
FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
LEFT JOIN pg_class x ON d.classid = 'pg_class'::regclass AND x.oid = d.objid AND d.objsubid = 0
LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
LEFT JOIN pg_class v ON v.oid = w.ev_class
LEFT JOIN pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid
LEFT JOIN pg_attribute m ON m.attrelid = e.adrelid AND m.attnum = e.adnum
  OR d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND m.attrelid = d.objid AND m.attnum = d.objsubid
LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
WHERE d.refclassid = 'pg_class'::regclass AND a.attname = ANY(%s)
  AND d.refobjid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(%s))
  AND (x.relkind IS DISTINCT FROM 'i' OR x.relname = ANY(%s)) AND coalesce(k.contype <> 'n', true)
  AND (m.attrelid IS DISTINCT FROM a.attrelid OR m.attname <> ALL(%s))
ORDER BY 1
"""

# What the last steps of a way down drop: function and extension, whose they are, and whether that is this role.
_LEFTOVERS = """
SELECT l.step, l.name, pg_get_userbyid(l.owner) AS owner, pg_has_role(l.owner, 'USAGE') OR l.step LIKE 'function%%'
  AND pg_has_role((SELECT nspowner FROM pg_namespace WHERE nspname = current_schema()), 'USAGE') AS mine,
  current_user AS me
FROM (SELECT 'extension.btree_gin' AS step, 'extension btree_gin' AS name, extowner AS owner
      FROM pg_extension WHERE extname = 'btree_gin'
      UNION ALL SELECT 'function.convert_ts', 'function convert_ts', proowner
      FROM pg_proc WHERE oid = to_regprocedure(quote_ident(current_schema()) || '.convert_ts(varchar)')) AS l
ORDER BY l.step
"""
# Indexes of the database that use the extension, but for those of our table that are ours.
_EXTENDED = """
SELECT DISTINCT x.oid::regclass::text AS name
FROM pg_extension e
JOIN pg_depend m ON m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid AND m.deptype = 'e'
JOIN pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid AND d.classid = 'pg_class'::regclass
JOIN pg_class x ON x.oid = d.objid JOIN pg_index i ON i.indexrelid = x.oid
WHERE e.extname = 'btree_gin' AND (x.relname = ANY(%s)
  OR i.indrelid IS DISTINCT FROM to_regclass(quote_ident(current_schema()) || '.' || quote_ident(%s)))
ORDER BY 1
"""


def problems(ask: Ask, plan: Plan, table: str) -> Iterator[Problem]:
    """What uses columns that `plan` drops: indexes, checks and statistics go with them in silence, and a view is what
    the server stops at."""
    own = [path[3] for path in plan.foreign if path[:3] == ("tables", table, "indexes")]
    columns, steps = _dropped(plan, table), {step.id for step in plan.steps}
    yield from _leftovers(ask, steps, own, table)
    found = [*ask(_USING, (columns, table, own, columns))] if columns else []
    if again := _made_anew(plan, table):
        # A copy gets all indexes, and the checks of what it was made with.
        found += ask(_USING, (again, table, [], again))
    if used := [row["name"] for row in found if steps.isdisjoint(_drops(row["own"]))]:
        text = f"these use columns that {table} is to lose: {', '.join(used)}"
        yield Problem("TV5218", text, "Drop them before: they would go, too, or stop the run half-way.")


def _leftovers(ask: Ask, steps: Collection[str], own: Sequence[str], table: str) -> Iterator[Problem]:
    """What would stop a way down at its last steps, when there is no way back any more."""
    going = {step.removesuffix(".drop") for step in steps if step in planner.LEFTOVERS}
    for row in ask(_LEFTOVERS, ()) if going else ():
        if row["step"] in going and not row["mine"]:
            text = f"the {row['name']}, which is to go, belongs to {row['owner']}, and {row['me']} is no member of it"
            yield Problem("TV5201", text, f"Run this as {row['owner']}, or go to a version that has it.")
    if "extension.btree_gin" in going and (used := [row["name"] for row in ask(_EXTENDED, (own, table))]):
        text = f"these use the extension btree_gin, which is to go: {listed(used, 3)}"
        yield Problem("TV5218", text, "Drop them before, or go to a version that has it.")


def _drops(name: str | None) -> tuple[str, ...]:
    """The steps of a repair that drop what is called so by themselves."""
    return tuple(f"{kind}.{name}.drop" for kind in ("index", "constraint", "trigger"))


def _made_anew(plan: Plan, table: str) -> list[str]:
    """Columns that a shadow gets, be they new, or dropped there first."""
    gone = _dropped(plan, table)
    return [n for step in plan.steps if step.id == f"rebuild.{table}.shadow" for n in step.objects if n not in gone]


def _dropped(plan: Plan, table: str) -> list[str]:
    """Columns that the plan drops. A shadow is made without those that are not among what its table has in the end."""
    made = {name for step in plan.rollback if step.mode is Mode.SWAP for name in step.objects}
    ids = (f"columns.{table}.drop", f"rebuild.{table}.shadow")
    return [name for step in plan.steps if step.id in ids for name in step.objects if name not in made]
