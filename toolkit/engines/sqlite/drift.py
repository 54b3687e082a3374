"""What SQLite's drift is besides its tables: triggers that do something else, and an operator's own beside them.

Pure; all other steps are `planner`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.catalog import Json, Path
from toolkit.definition import Definition
from toolkit.engines.drifting import Fault
from toolkit.engines.sqlite import layout as layouts
from toolkit.engines.sqlite import render, triggers
from toolkit.engines.sqlite.planner import refills
from toolkit.engines.sqlite.search import SearchTable
from toolkit.engines.sqlite.typemap import profile
from toolkit.overlay import Overlay
from toolkit.plan import Lock, Observed, Sql, Step, StepClass

WRITE = Lock("RESERVED", "writes")


def is_extra(path: Path, observed: Observed) -> bool:
    """See `Drifting.is_extra`. A trigger stands inside ours when it fires on our table."""
    match path:
        case ("triggers", _):
            facts = observed.catalog.at(path)
            return isinstance(facts, dict) and facts.get("table") == profile().table
        case ("tables", *_):
            return len(path) > 2
        case _:
            return False


def rename(path: Path, facts: Json, name: str, overlay: Overlay) -> Step | None:
    """See `Drifting.rename`. Generated columns hold nothing of their own, and an index has no other name in SQLite."""
    match path:
        case ("tables", table, "columns", old) if isinstance(facts, dict) and "generated" not in facts:
            statement = render.rename_column(table, old, name)
            return Step(f"rename.{old}", f"Rename {old} to {name}", "what is in it stays", StepClass.METADATA, WRITE,
                        (statement,), (), (), (old,))  # fmt: skip
        case _:
            return None


def faults(observed: Observed, wanted: Definition, overlay: Overlay) -> tuple[Fault, ...]:
    """See `Drifting.faults`."""
    return (*_triggers(observed, wanted), *_searches(observed, wanted))


def _searches(observed: Observed, wanted: Definition) -> Iterator[Fault]:
    goal, table = layouts.layout(wanted, profile()), profile().table
    for step in refills(table, goal, observed):
        (name,) = step.objects
        text = f"{name} does not know the rows of {table}: searches find others, and writes are refused"
        hint = "Dumps number rows anew: take copies with `.backup` or VACUUM INTO."
        yield Fault("TV6126", ("virtual_tables", name, "rows"), text, (step,), hint)


def _triggers(observed: Observed, wanted: Definition) -> Iterator[Fault]:
    """The text of each trigger that is there under its right name and for its right event."""
    goal = layouts.layout(wanted, profile())
    texts = observed.traits.get("texts")
    table = goal.tables.table(profile().table)
    if not goal.searches or table is None or not isinstance(texts, dict):
        return
    insert, update, delete = goal.triggers
    made = tuple(render.create_triggers(table.name, (insert, update, delete), goal.searches))
    for statement in made:
        name = next(name for name in goal.triggers if f'"{name}"' in statement.text)
        text = texts.get(name)
        if not isinstance(text, str) or triggers.as_made(text, statement.text, name):
            continue
        if triggers.does(text) != triggers.does(statement.text):
            yield _other(name, statement, table.name, goal.searches)


def _other(name: str, statement: Sql, table: str, searches: Sequence[SearchTable]) -> Fault:
    again = tuple(render.refill_search_table(search) for search in searches)
    step = Step(f"trigger.{name}.text", f"Write trigger {name} anew, and fill the full-text tables of {table}",
                "what was written meanwhile may be missing in searches", StepClass.REBUILD, WRITE,
                (render.drop_trigger(name), statement, *again), (), ())  # fmt: skip
    return Fault("TV6116", ("triggers", name, "text"), f"trigger {name} does something else than it should", (step,))
