"""A plan as Markdown, for a pull request or a ticket. Pure; whatever comes from a store is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from toolkit.describe import statement_text
from toolkit.engines.online import Problem
from toolkit.explain.text import cells, headline
from toolkit.explain.totals import Explained, sums, totals
from toolkit.explain.words import COMMAND, back, seen_by, way_back
from toolkit.plan import Estimate, Plan, Request, Statement, Step

# What Markdown or HTML inside it would take for a command. An underscore inside a word is plain.
_SPECIAL = re.compile(r"([\\`*\[\]<>|~#$!@&]|(?<!\w)_|_(?!\w))")
_ALIGNED = "|--:|---|---|---|--:|--:|--:|"


def lines(explained: Explained, statements: bool = True) -> Iterator[str]:
    """The plan, ready to be pasted."""
    plan = explained.plan
    yield f"## Visibility schema of {code(explained.target)}: plan to {escape(plan.wanted)}"
    yield ""
    yield escape(headline(plan))
    if plan.foreign:
        yield ""
        yield f"Not ours, left alone: {', '.join(code('/'.join(path)) for path in plan.foreign)}"
    yield ""
    if not plan.steps:
        yield "Nothing to do."
        return
    yield from _problems(explained.problems)
    yield "| # | step | class | blocks | rows | extra disk | time |"
    yield _ALIGNED
    for number, step in enumerate(plan.steps, 1):
        yield f"| {number} | {escape(step.title)} | " + " | ".join(escape(cell) for cell in cells(step)) + " |"
    yield ""
    for heading, text in (*sums(totals(plan)), ("Way back", way_back(plan))):
        yield f"- **{heading}**: {_spans(text)}"
    yield ""
    for number, step in enumerate(plan.steps, 1):
        yield from _step(number, step, plan, statements)
    yield f"Made on fingerprint `{plan.base}`; goal `{plan.goal}`. It runs on no other."


def escape(text: str) -> str:
    """`text` as Markdown shows it letter by letter, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """`text` as a code span, whatever backticks are in it."""
    line = " ".join(text.split())
    ticks = "`" * (_longest(line) + 1)
    return f"{ticks} {line} {ticks}" if "`" in line else f"{ticks}{line}{ticks}"


def fence(text: str, language: str) -> Iterator[str]:
    """`text` as a code block that nothing in it can end."""
    ticks = "`" * max(3, _longest(text) + 1)
    yield f"{ticks}{language}"
    yield from text.splitlines()
    yield ticks


def _longest(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _spans(text: str) -> str:
    """Our own words, with commands as code."""
    return "".join(f"`{part}`" if n % 2 else _line(part) for n, part in enumerate(COMMAND.split(text)))


def _line(text: str) -> str:
    """As `escape`, with the blanks at both ends."""
    return _SPECIAL.sub(r"\\\1", re.sub(r"\s+", " ", text))


def _problems(problems: Sequence[Problem] | None) -> Iterator[str]:
    if not problems:
        return
    yield "### Before it runs"
    yield ""
    for problem in problems:
        sign = "**must be mended**" if problem.fatal else "note"
        yield f"- `{problem.code}` {sign}: {_spans(problem.message)}. {_spans(problem.hint)}"
    yield ""


def _step(number: int, step: Step, plan: Plan, statements: bool) -> Iterator[str]:
    """One step, folded; inside a tag only HTML counts."""
    yield f"<details><summary>{number}. {html.escape(' '.join(step.title.split()))}</summary>"
    yield ""
    if step.reason:
        yield f"- why: {escape(step.reason)}"
    if step.objects:
        yield f"- objects: {', '.join(code(name) for name in step.objects)}"
    yield f"- done when {_spans(seen_by(step))}"
    yield f"- back: {_spans(back(step, plan))}"
    yield f"- measured: {escape((step.estimate or Estimate()).basis or 'nothing')}"
    yield ""
    if statements:
        yield from fence("\n\n".join(map(statement_text, step.statements)), _language(step.statements))
        yield ""
    if statements and step.reverse:
        yield "Back:"
        yield ""
        yield from fence("\n\n".join(map(statement_text, step.reverse)), _language(step.reverse))
        yield ""
    yield "</details>"
    yield ""


def _language(statements: Sequence[Statement]) -> str:
    return "http" if any(isinstance(s, Request) for s in statements) else "sql"
