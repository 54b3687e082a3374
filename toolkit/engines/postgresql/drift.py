"""What PostgreSQL's drift is besides its columns and indexes: constraints, triggers, table options, function bodies.

Pure; the steps for columns and indexes are `planner`'s, the facts come from `examine`'s queries through the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from toolkit.catalog import ABSENT, Catalog, Json, Path
from toolkit.definition import Definition
from toolkit.engines.drifting import Fault
from toolkit.engines.physical import Table
from toolkit.engines.postgresql import locking, recording, render
from toolkit.engines.postgresql.locking import EXCLUSIVE, SHARE_UPDATE
from toolkit.engines.postgresql.names import CAPTURE, LOG
from toolkit.engines.postgresql.render import identifier, literal
from toolkit.overlay import Overlay
from toolkit.plan import NO_LOCK, Expect, Observed, Sql, Step, StepClass

Ask = Callable[[str], Sequence[Mapping[str, Any]]]

# An operator's own settings of a table: how it is stored and vacuumed, not what it holds.
_TUNING = frozenset({"reloptions"})
_BODIES = """
SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' AS name, p.prosrc AS body
FROM pg_proc p WHERE p.pronamespace = quote_ident(current_schema())::regnamespace AND p.proname = 'convert_ts'
"""
# Whether changes of the table are recorded, and where to.
_RECORDER = """
SELECT to_regclass('{log}') IS NOT NULL AS logged, to_regclass('temporal_visibility_run') IS NOT NULL AS runs
FROM pg_trigger WHERE tgrelid = to_regclass(quote_ident(current_schema()) || '.' || {table}) AND tgname = '{capture}'
"""
_OPEN = "SELECT 1 FROM temporal_visibility_run WHERE status IN ('running', 'kept') LIMIT 1"


def examine(ask: Ask, table: str) -> dict[str, Json]:
    """The bodies of our functions, and a trigger that records changes of `table` though no run needs them."""
    bodies: Json = {row["name"]: " ".join(row["body"].split()) for row in ask(_BODIES)}
    found = ask(_RECORDER.format(log=LOG, table=literal(identifier(table)), capture=CAPTURE))
    alone = [row for row in found if not (row["runs"] and ask(_OPEN))]
    return {"bodies": bodies} | ({"recorder": {"table": table, "logged": alone[0]["logged"]}} if alone else {})


def is_extra(path: Path, observed: Observed) -> bool:
    """See `Drifting.is_extra`."""
    return len(path) > 2 and not (len(path) == 3 and path[-1] in _TUNING)


def rename(path: Path, facts: Json, name: str, overlay: Overlay) -> Step | None:
    """See `Drifting.rename`."""
    statements: tuple[Sql, ...]
    match path:
        case ("tables", table, "columns", old):
            lock, statements = EXCLUSIVE, (locking.aside(table), render.rename_column(table, old, name))
        case ("tables", _, "indexes", old):
            lock, statements = SHARE_UPDATE, (render.rename_index(old, name),)
        case _:
            return None
    return Step(f"rename.{old}", f"Rename {old} to {name}", "what is in it stays", StepClass.METADATA, lock,
                statements, (), (), (old,))  # fmt: skip


def faults(observed: Observed, wanted: Definition, overlay: Overlay) -> tuple[Fault, ...]:
    """See `Drifting.faults`."""
    return (*_functions(observed), *_recorder(observed))


def _recorder(observed: Observed) -> Iterator[Fault]:
    facts = observed.traits.get("recorder")
    if not isinstance(facts, dict):
        return
    table = str(facts["table"])
    away = (locking.calm(LOG), recording.stop(table), *recording.drop())
    step = Step("recorder.drop", "Stop recording changes", "no run needs them", StepClass.METADATA, EXCLUSIVE, away,
                (), ())  # fmt: skip
    failing = "" if facts["logged"] else ", into a table that is not there: every write fails"
    message = f"trigger {CAPTURE} records changes for a run that is not in the journal{failing}"
    yield Fault("TV6112", ("tables", table, "triggers", CAPTURE), message, (step,))


def _functions(observed: Observed) -> Iterator[Fault]:
    bodies = observed.traits.get("bodies")
    for name, body in bodies.items() if isinstance(bodies, dict) else ():
        if name in observed.catalog.children(("functions",)) and body != " ".join(render.function_body().split()):
            step = Step("function.convert_ts.body", "Write the body of function convert_ts anew", "",
                        StepClass.METADATA, NO_LOCK, (render.create_function(),), (), ())  # fmt: skip
            message = f"function {name} does something else than it should"
            hint = "Values of Datetime attributes written meanwhile may be wrong: they are made when a row is written."
            yield Fault("TV6116", ("functions", name, "body"), message, (step,), hint)


def mend(table: Table, observed: Catalog) -> Iterator[Step]:
    """The steps for what no upgrade changes: constraints, triggers, persistence, row security."""
    have = observed.children(("tables", table.name))
    if not have:
        return
    yield from _constraints(table, observed)
    for name in observed.children(("tables", table.name, "triggers")):
        yield _alter(table.name, f"trigger.{name}.drop", f"Drop trigger {name}",
                     Sql(f"DROP TRIGGER IF EXISTS {identifier(name)} ON {identifier(table.name)}"),
                     Expect(("catalog", "tables", table.name, "triggers", name), ABSENT))  # fmt: skip
    changes = (
        ("persistence", "SET LOGGED", "Log the changes of", StepClass.REBUILD),
        ("rls", "DISABLE ROW LEVEL SECURITY", "Disable row security on", StepClass.METADATA),
    )
    for fact, clause, title, weight in changes:
        if fact in have:
            yield _alter(table.name, f"table.{table.name}.{fact}", f"{title} {table.name}",
                         Sql(f"ALTER TABLE {identifier(table.name)} {clause}"),
                         Expect(("catalog", "tables", table.name, fact), ABSENT), weight=weight)  # fmt: skip


def _constraints(table: Table, observed: Catalog) -> Iterator[Step]:
    have = observed.children(("tables", table.name, "constraints"))
    wanted = table.catalog["constraints"]
    assert isinstance(wanted, dict)
    renamed = dict(_twins(have, wanted))
    for old, name in renamed.items():
        yield _rename_constraint(table.name, old, name, wanted[name])
    for name, facts in have.items():
        if wanted.get(name) != facts and name not in renamed:
            here = ("catalog", "tables", table.name, "constraints", name)
            yield _alter(table.name, f"constraint.{name}.drop", f"Drop constraint {name}",
                         Sql(f"ALTER TABLE {identifier(table.name)} DROP CONSTRAINT IF EXISTS {identifier(name)}"),
                         Expect(here, ABSENT))  # fmt: skip
    for name, facts in wanted.items():
        if have.get(name) != facts and isinstance(facts, dict) and name not in renamed.values():
            here = ("catalog", "tables", table.name, "constraints", name)
            key = Expect(("catalog", "tables", table.name, "primary_key"), table.catalog["primary_key"])
            # Its index is built while everybody waits.
            yield _alter(table.name, f"constraint.{name}", f"Add constraint {name}",
                         Sql(f"ALTER TABLE {identifier(table.name)} ADD CONSTRAINT {identifier(name)} {facts['def']}"),
                         Expect(here, facts), key, weight=StepClass.REBUILD)  # fmt: skip


def _twins(have: Mapping[str, Json], wanted: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Constraints that are there under another name: old → wanted one. A primary key that is dropped and made again
    refuses all upserts meanwhile."""
    for name, facts in wanted.items():
        twins = [old for old, found in have.items() if found == facts and old not in wanted]
        if name not in have and len(twins) == 1:
            yield twins[0], name


def _rename_constraint(table: str, old: str, new: str, facts: Json) -> Step:
    here = ("catalog", "tables", table, "constraints")
    return Step(f"constraint.{new}.rename", f"Rename constraint {old} to {new}", "it is called so in all versions",
                StepClass.METADATA, EXCLUSIVE, (render.rename_constraint(table, old, new),),
                (render.rename_constraint(table, new, old),),
                (Expect((*here, new), facts),), (new,))  # fmt: skip


def keys_made(step: Step) -> tuple[str, ...]:
    """The key, which has the name of its index, that a step of `_constraints` makes or renames; of others nothing."""
    kind, _, name = step.id.partition(".")
    return (name.removesuffix(".rename"),) if kind == "constraint" and not name.endswith(".drop") else ()


def constraints_dropped(step: Step) -> tuple[str, ...]:
    """The constraint that a step of `_constraints` takes away; of others nothing."""
    kind, _, name = step.id.partition(".")
    return (name.removesuffix(".drop"),) if kind == "constraint" and name.endswith(".drop") else ()


def _alter(
    table: str, id: str, title: str, statement: Sql, *done: Expect, weight: StepClass = StepClass.METADATA
) -> Step:
    return Step(id, title, "it is otherwise in the wanted version", weight, EXCLUSIVE, (statement,), (), done, (table,))
