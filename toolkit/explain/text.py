"""A plan as lines for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from toolkit.describe import statement_text
from toolkit.engines.online import Problem
from toolkit.explain.totals import Explained, sums, totals
from toolkit.explain.words import back, blocks, count, duration, seen_by, size, way_back
from toolkit.plan import Estimate, Plan, Step

_INDENT = " " * 5
_WIDTH = 110


def lines(explained: Explained, statements: bool = False) -> Iterator[str]:
    """The plan for a terminal."""
    plan = explained.plan
    yield f"# {explained.target}"
    yield headline(plan)
    if plan.foreign:
        yield f"Not ours, left alone: {', '.join('/'.join(path) for path in plan.foreign)}"
    if not plan.steps:
        yield "Nothing to do."
        return
    yield ""
    yield from _steps(plan, statements)
    yield from _before(explained.problems)
    heaviest = plan.step_class
    number = f"{len(plan.steps)} step{'s' * (len(plan.steps) > 1)}"
    yield f"{number}, heaviest class {heaviest.value if heaviest else 'none'}."
    facts = (*sums(totals(plan)), ("Way back", way_back(plan)))
    yield from (f"  {heading:<18}  {text}" for heading, text in facts)


def headline(plan: Plan) -> str:
    """What the store is and what is wanted, in one sentence."""
    found = ", ".join(plan.found) if plan.found else "no published version"
    recorded = plan.recorded if plan.recorded is not None else "nothing"
    return f"{plan.engine}: the store equals {found}; it records {recorded}; wanted {plan.wanted}."


def cells(step: Step) -> tuple[str, str, str, str, str]:
    """Class, whom it blocks, rows, disk, time: the columns of every form."""
    found = step.estimate or Estimate()
    return (step.step_class.value, blocks(step.lock), count(found.rows), size(found.disk), duration(found.seconds))


def _steps(plan: Plan, statements: bool) -> Iterator[str]:
    header = ("class", "blocks", "rows", "extra disk", "time")
    rows = [cells(step) for step in plan.steps]
    widths = [max(len(row[n]) for row in (header, *rows)) for n in range(len(header))]
    yield _INDENT + _row(header, widths)
    for number, (step, row) in enumerate(zip(plan.steps, rows, strict=True), 1):
        yield f"{number:>3}. {step.title}"
        yield _INDENT + _row(row, widths)
        yield from _told(step, plan, statements)
    yield ""


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    """Words to the left, numbers to the right."""
    parts = [text.ljust(w) if n < 2 else text.rjust(w) for n, (text, w) in enumerate(zip(row, widths, strict=True))]
    return "  ".join(parts).rstrip()


def _told(step: Step, plan: Plan, statements: bool) -> Iterator[str]:
    if step.reason:
        yield from _wrapped(step.reason)
    if step.objects:
        names = ", ".join(step.objects)
        shown = wrap(names, 100) if statements else wrap(names, 100, max_lines=2, placeholder=" …")
        yield from (_INDENT + line for line in shown)
    yield from _wrapped(f"done when {seen_by(step)}")
    if not statements:
        return
    if step.estimate and step.estimate.basis:
        yield f"{_INDENT}measured: {step.estimate.basis}"
    yield f"{_INDENT}back: {back(step, plan)}"
    for statement in step.statements:
        yield from ("       " + line for line in statement_text(statement).splitlines())
    if step.reverse:
        yield f"{_INDENT}back by:"
        for statement in step.reverse:
            yield from ("       " + line for line in statement_text(statement).splitlines())


def _wrapped(words: str) -> Iterator[str]:
    """Words of any length; what follows the first line stands further in."""
    return iter(wrap(words, 132, initial_indent=_INDENT, subsequent_indent=f"{_INDENT}  ", break_long_words=False))


def _before(problems: Sequence[Problem] | None) -> Iterator[str]:
    """What a look at the store found."""
    if not problems:
        return
    yield "Before it can run:" if any(p.fatal for p in problems) else "To know before it runs:"
    for problem in problems:
        sign = "must be mended" if problem.fatal else "note"
        yield from wrap(f"{problem.code} {sign}: {problem.message}. {problem.hint}", _WIDTH, initial_indent="  ",
                        subsequent_indent="         ", break_long_words=False)  # fmt: skip
    yield ""
