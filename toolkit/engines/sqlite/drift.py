"""What SQLite's drift is besides its tables: triggers that do something else, and an operator's own beside them.

Pure; all other steps are `planner`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.catalog import Json, Path
from toolkit.definition import Definition
from toolkit.engines.drifting import Fault
from toolkit.engines.sqlite import layout as layouts
from toolkit.engines.sqlite import render
from toolkit.engines.sqlite.search import SearchTable
from toolkit.engines.sqlite.tokens import Token, canonical, enclosed, groups, tokens
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
    return tuple(_triggers(observed, wanted))


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
        if isinstance(text, str) and not _as_made(text, statement.text, name) and _does(text) != _does(statement.text):
            yield _other(name, statement, table.name, goal.searches)


def _as_made(text: str, made: str, name: str) -> bool:
    """Whether the trigger is in our own words; SQLite keeps them, but for an IF NOT EXISTS before the name."""
    return text.partition(f'"{name}"')[2] == made.partition(f'"{name}"')[2] != ""


def _other(name: str, statement: Sql, table: str, searches: Sequence[SearchTable]) -> Fault:
    again = tuple(render.refill_search_table(search) for search in searches)
    step = Step(f"trigger.{name}.text", f"Write trigger {name} anew, and fill the full-text tables of {table}",
                "what was written meanwhile may be missing in searches", StepClass.REBUILD, WRITE,
                (render.drop_trigger(name), statement, *again), (), ())  # fmt: skip
    return Fault("TV6116", ("triggers", name, "text"), f"trigger {name} does something else than it should", (step,))


def _does(text: str) -> dict[str, list[str]]:
    """What a trigger does, full-text table by full-text table: the order of tables, of columns, and letters' case are
    the writer's own business, as Temporal's own files show."""
    found: dict[str, list[str]] = {}
    body = text[text.upper().find("BEGIN") + len("BEGIN") : text.upper().rfind("END")]
    for part in groups(tokens(body), ";"):
        if part:
            table, words = _written(part)
            found.setdefault(table, []).append(words)
    head = text[: text.upper().find("BEGIN")].upper()
    return found | ({"WHEN": [canonical(tokens(head.partition("WHEN")[2]))]} if " WHEN" in head else {})


def _written(part: list[Token]) -> tuple[str, str]:
    """The table an INSERT goes to, and its values by column; any other statement as it is."""
    opens = [place for place, token in enumerate(part) if token.text == "("]
    if not part[0].is_word("INSERT") or not any(token.is_word("VALUES") for token in part) or len(opens) < 2:
        return "", canonical(part).lower()
    columns, _ = enclosed(part, opens[0])
    start = next(place for place, token in enumerate(part) if token.is_word("VALUES"))
    values, _ = enclosed(part, start + 1)
    names = [canonical(column).lower() for column in groups(columns)]
    pairs = zip(names, (canonical(value).lower() for value in groups(values)), strict=False)
    return part[2].value.lower(), ", ".join(sorted(f"{name}={value}" for name, value in pairs))
