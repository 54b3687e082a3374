"""A plan as a script for an engine's own command-line client: the parts that all SQL engines share. Pure.

A script begins with a guard (the store must be exactly what the plan was made on), has the plan's own statements step
by step, and ends with a check (the store must be exactly what was wanted). Engines say how they look and refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from toolkit.catalog import Absent, Catalog, Json, Path
from toolkit.plan import Observed, Plan, Sql, Step

# Words of the guard and of the check when they refuse; the engine adds what differs, if it can tell.
STALE = "this script was made for another state of the store; make a new one with schema plan --format sql"
UNREACHED = "the store is not what was wanted; see schema plan"


def sql_script(
    plan: Plan, how: str, before: Sequence[Sql], after: Sequence[Sql], wrapped: Callable[[Step], Iterable[str]]
) -> str:
    """The whole script. `how`: the command that runs it; `before`, `after`: guard and check with what belongs to them;
    `wrapped`: the paragraphs of one step."""
    parts = [heading(plan, how)]
    parts += [paragraph(s.text) for s in before]
    for number, step in enumerate(plan.steps, 1):
        parts.append("\n".join([f"-- {number}. {line(step.title)}", *_reason(step), *wrapped(step)]))
    parts += [paragraph(s.text) for s in after]
    return "\n".join(parts)


def heading(plan: Plan, how: str, mark: str = "--") -> str:
    """What this is, and how to run it."""
    found = ", ".join(plan.found) or "no published version"
    words = (
        f"Visibility schema on {plan.engine}: from {found} (recorded: {plan.recorded or 'nothing'}) to {plan.wanted}.",
        f"Made on fingerprint {plan.base}; it stops on any other state of the store. Goal: {plan.goal}.",
        "It makes none of the checks that an upgrade makes before it begins: `schema plan` says what is in the way.",
        f"Run it with: {how}",
        "Stopped half-way: make a new one, which begins where this one stopped.",
    )
    return "\n".join(f"{mark} {line(text)}" for text in words) + "\n"


def line(text: str) -> str:
    """`text` on one line, so that it stays a comment."""
    return " ".join(text.split())


def _reason(step: Step) -> list[str]:
    waits = f" Blocks {step.lock.blocks} ({step.lock.name})." if step.lock.waits else ""
    return [f"--    {line(step.step_class.value + '.' + waits + (' ' + step.reason if step.reason else ''))}"]


def paragraph(text: str) -> str:
    """A statement with its semicolon."""
    return f"{text};\n"


def plain(step: Step) -> Iterable[str]:
    """The statements of a step, one after the other."""
    return (paragraph(s.text) for s in step.statements if isinstance(s, Sql))


def recorded(plan: Plan, observed: Observed) -> str | None:
    """The version that the store records when the plan is done."""
    wanted = (str(e.wanted) for step in plan.steps for e in step.done if e.path == ("recorded",))
    return next(wanted, observed.recorded)


def members(facts: Json, what: str) -> list[tuple[str, Mapping[str, Json]]]:
    """The columns, indexes or the like in a table's `facts`, by name."""
    found = facts.get(what) if isinstance(facts, dict) else None
    pairs = found.items() if isinstance(found, dict) else ()
    return sorted((name, value) for name, value in pairs if isinstance(value, dict))


def tables(*catalogs: Catalog) -> list[str]:
    """The names of all tables in `catalogs`."""
    return sorted({name for catalog in catalogs for name in catalog.children(("tables",))})


def with_foreign(goal: Catalog, observed: Catalog, foreign: Sequence[Path]) -> Catalog:
    """`goal` with the objects of the observed store that no version has: they stay."""
    body: dict[str, Json] = dict(goal.body)
    for path in foreign:
        value = observed.at(path)
        if not isinstance(value, Absent):
            body = _put(body, path, value)
    return Catalog(goal.engine, body)


def _put(tree: dict[str, Json], path: Path, value: Json) -> dict[str, Json]:
    head, *rest = path
    if not rest:
        return {**tree, head: value}
    inner = tree.get(head)
    return {**tree, head: _put(inner if isinstance(inner, dict) else {}, tuple(rest), value)}
