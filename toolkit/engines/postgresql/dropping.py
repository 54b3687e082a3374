"""What of the operator's own would go with what a plan or a script drops, or keep it from going or from getting another
type, and whether this role may drop it. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolkit.engines.online import Problem, listed
from toolkit.engines.postgresql import planner
from toolkit.engines.postgresql.names import SHADOW
from toolkit.engines.postgresql.render import block, literal
from toolkit.engines.postgresql.traits import Ask
from toolkit.plan import Mode, Plan, Sql, Step

# What a column takes along when it gets another type, and what a shadow has of its own; nothing else lets it have one.
_FOLLOWING = ("index ", "statistics object ", "sequence ", "table constraint ")
_COMPUTED = ("default value ", "table column ")
# The steps that drop function and extension, be it on a way down or on a way back.
_GOING = {id.replace(".drop", end) for id in planner.LEFTOVERS for end in (".drop", ".undo")}
# What goes with a column, or keeps it from going. Indexes: only those of the operator's own (`own`); attrdef (before 15
# the column that is computed): what makes the column itself, or another that goes, too.
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
WHERE d.refclassid = 'pg_class'::regclass AND a.attname = ANY({columns})
  AND d.refobjid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident({table}))
  AND (x.relkind IS DISTINCT FROM 'i' OR x.relname {own}) AND coalesce(k.contype <> 'n', true)
  AND (m.attrelid IS DISTINCT FROM a.attrelid OR m.attname <> ALL({columns}))
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
# What uses them, but for what is ours of the live table, and of one that goes, too. Of an extension, its own parts use
# each other; of a table, a column that is computed (before 15), or what computes it.
_USED = """
SELECT DISTINCT g.step,
       coalesce(a.attrelid::regclass || '.' || a.attname, x.indexrelid::regclass::text,
                i.type || ' ' || i.identity) AS name
FROM (SELECT 'extension.btree_gin' AS step, m.classid, m.objid
      FROM pg_extension e JOIN pg_depend m ON m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid
      WHERE e.extname = 'btree_gin' AND m.deptype = 'e'
      UNION ALL SELECT 'function.convert_ts', 'pg_proc'::regclass,
        to_regprocedure(quote_ident(current_schema()) || '.convert_ts(varchar)')::oid) AS g
JOIN pg_depend d ON d.refclassid = g.classid AND d.refobjid = g.objid
CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
LEFT JOIN pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid
LEFT JOIN pg_index x ON d.classid = 'pg_class'::regclass AND x.indexrelid = d.objid
LEFT JOIN pg_class y ON y.oid = x.indexrelid
LEFT JOIN pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum
  OR d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND a.attrelid = d.objid AND a.attnum = d.objsubid
WHERE (g.step <> 'extension.btree_gin' OR d.classid = 'pg_class'::regclass)
  AND (coalesce(y.relname, a.attname, '') {own} OR coalesce(x.indrelid, a.attrelid, 0) NOT IN (
    SELECT oid FROM pg_class
    WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relname IN ({table}, {shadow})))
ORDER BY 1, 2
"""


def problems(ask: Ask, plan: Plan, table: str) -> Iterator[Problem]:
    """What uses columns that `plan` drops: indexes, checks and statistics go with them in silence, and a view is what
    the server stops at."""
    own = [path[3] for path in plan.foreign if path[:3] == ("tables", table, "indexes")]
    columns, steps = _dropped(plan, table), {step.id for step in plan.steps}
    yield from leftovers(ask, plan, table)
    # A copy gets all indexes, and the checks of what it was made with.
    found = [*_users(ask, table, columns, own), *_users(ask, table, _made_anew(plan, table), ())]
    # What is taken back may have got indexes since.
    found += _users(ask, table, _taken_back(plan, table), None)
    if used := [row["name"] for row in found if steps.isdisjoint(_drops(row["own"]))]:
        text = f"these use columns that {table} is to lose: {', '.join(used)}"
        yield Problem("TV5218", text, "Drop them before: they would go, too, or stop the run half-way.")


def retyping(ask: Ask, plan: Plan, table: str) -> Iterator[Problem]:
    """What keeps columns from getting another type, as a view does, and columns that are made from them."""
    names = [name for step in plan.steps for name in planner.retyped(step)]
    found = _users(ask, table, names, (), _dropped(plan, table))
    used = [row["name"] for row in found if not row["name"].startswith(_FOLLOWING)]
    if plan.kept:
        used = [name for name in used if name.startswith(_COMPUTED)]
    if used:
        text = f"these use columns of {table} that are to get another type: {', '.join(used)}"
        yield Problem("TV5218", text, "Drop them before and create them again afterwards.")


def _users(
    ask: Ask, table: str, columns: Sequence[str], own: Sequence[str] | None, going: Sequence[str] = ()
) -> Sequence[Mapping[str, Any]]:
    """What uses `columns`: of indexes `own` (None: all), of computed columns all but these and those `going`, too."""
    if not columns:
        return ()
    query = _USING.format(columns="%s", table="%s", own="IS NOT NULL" if own is None else "= ANY(%s)")
    return ask(query, (columns, table, *(() if own is None else ([*own],)), [*columns, *going]))


def guard(steps: Sequence[Step], table: str) -> tuple[Sql, ...]:
    """What stops a script before it does anything, where something uses what it drops and does not name: other columns
    go with a column (before 15), and indexes, in silence."""
    columns = [name for step in steps if step.id == f"columns.{table}.drop" for name in step.objects]
    named = [step.id.split(".")[1] for step in steps if step.id.endswith(".drop")]
    using = _USING.format(columns=_texts(columns), table=literal(table), own="IS NOT NULL")
    used = _USED.format(table=literal(table), shadow=literal(SHADOW), own=f"<> ALL({_texts([*columns, *named])})")
    found = []
    if columns:
        others = f"own IS NULL OR own <> ALL({_texts(named)})"
        found.append(_refuse(f"{using}) AS d\nWHERE {others}", f"columns that {table} is to lose"))
    if any(step.id in _GOING for step in steps):
        found.append(_refuse(f"{used}) AS d", "the extension btree_gin or the function convert_ts, which are to go"))
    return tuple(found)


def _refuse(found: str, what: str) -> Sql:
    said, hint = f"these use {what}: %", "Drop them before: they would go, too, or stop this half-way."
    return block(
        f"DECLARE\n  used TEXT;\nBEGIN\n  SELECT string_agg(name, ', ') INTO used FROM ({found};\n"
        f"  IF used IS NOT NULL THEN\n    RAISE EXCEPTION {literal(said)}, used\n      USING HINT = {literal(hint)};\n"
        "  END IF;\nEND"
    )


def _texts(names: Sequence[str]) -> str:
    return f"ARRAY[{', '.join(map(literal, names))}]::text[]"


def leftovers(ask: Ask, plan: Plan, table: str) -> Iterator[Problem]:
    """What would stop a way down, or a way back, at its last steps, when nothing leads on any more."""
    going = sorted(step.id.rpartition(".")[0] for step in plan.steps if step.id in _GOING)
    for row in ask(_LEFTOVERS, ()) if going else ():
        if row["step"] in going and not row["mine"]:
            text = f"the {row['name']}, which is to go, belongs to {row['owner']}, and {row['me']} is no member of it"
            yield Problem("TV5201", text, f"Run this as {row['owner']}, or stay with a version that has it.")
    own = [path[3] for path in plan.foreign if path[:2] == ("tables", table) and len(path) == 4]
    query = _USED.format(table="%s", shadow="%s", own="= ANY(%s)")
    used = [*ask(query, (own, table, SHADOW))] if going else []
    for step in going:
        if names := [row["name"] for row in used if row["step"] == step]:
            text = f"these use the {step.replace('.', ' ')}, which is to go: {listed(names, 3)}"
            yield Problem("TV5218", text, "Drop them before, or stay with a version that has it.")


def _drops(name: str | None) -> tuple[str, ...]:
    """The steps of a repair, or of a way back, that drop what is called so by themselves."""
    return tuple(f"{kind}.{name}.{how}" for kind in ("index", "constraint", "trigger") for how in ("drop", "undo"))


def _made_anew(plan: Plan, table: str) -> list[str]:
    """Columns that a shadow gets, be they new, or dropped there first."""
    gone = _dropped(plan, table)
    return [n for step in plan.steps if step.id == f"rebuild.{table}.shadow" for n in step.objects if n not in gone]


def _taken_back(plan: Plan, table: str) -> list[str]:
    """Columns that a run was cut off after making, and that go with it."""
    return [e.path[-1] for step in plan.steps if step.id == f"columns.{table}.add.undo" for e in step.done]


def _dropped(plan: Plan, table: str) -> list[str]:
    """Columns that the plan drops. A shadow is made without those that are not among what its table has in the end."""
    made = {name for step in plan.rollback if step.mode is Mode.SWAP for name in step.objects}
    ids = (f"columns.{table}.drop", f"rebuild.{table}.shadow")
    return [name for step in plan.steps if step.id in ids for name in step.objects if name not in made]
