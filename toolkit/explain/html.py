"""A plan as one page that needs nothing besides itself: the picture, the table, and the statements folded away.

Pure. Everything that is not markup of this module is escaped; the page may load and run nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from toolkit.describe import statement_text
from toolkit.engines.online import Problem
from toolkit.explain.picture import picture
from toolkit.explain.style import STYLE
from toolkit.explain.text import cells, headline
from toolkit.explain.totals import Explained, sums, totals
from toolkit.explain.words import COMMAND, back, seen_by, way_back
from toolkit.plan import Estimate, Plan, Statement, Step

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_KEYS = (("metadata", "at once"), ("online", "long, blocks nobody"), ("rebuild", "copies or rewrites"),
         ("breaking", "loses data"), ("unknown", "nobody knows how long"), ("waits", "somebody waits"))  # fmt: skip


def page(plans: Sequence[Explained]) -> Iterator[str]:
    """The page, line by line."""
    heading = f"Visibility schema: plan to {plans[0].plan.wanted}" if plans else "Visibility schema: no plan"
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<title>{escape(heading)}</title>"
    yield f"<style>{STYLE}</style></head><body>"
    for explained in plans:
        yield "<section>"
        yield from _section(explained)
        yield "</section>"
    yield "<footer>Made by temporal-visibility. Times and sizes are estimates from what was measured.</footer>"
    yield "</body></html>"


def _section(explained: Explained) -> Iterator[str]:
    plan = explained.plan
    yield f"<h1>{escape(explained.target)}</h1>"
    yield f"<p>{escape(headline(plan))}</p>"
    if plan.foreign:
        names = ", ".join(f"<code>{escape('/'.join(path))}</code>" for path in plan.foreign)
        yield f'<p class="soft">Not ours, left alone: {names}</p>'
    if not plan.steps:
        yield "<p>Nothing to do.</p>"
        return
    found = totals(plan)
    yield '<dl class="sums">'
    for heading, text in (*sums(found), ("Way back", way_back(plan))):
        yield f"<div><dt>{escape(heading)}</dt><dd>{_spans(text)}</dd></div>"
    yield "</dl>"
    yield from _problems(explained.problems)
    yield "<h2>On a time axis</h2>"
    yield f'<figure><div class="wide">{picture(found)}</div><figcaption>'
    for name, words in _keys(plan):
        yield f'<span><i class="key {name}"></i>{escape(words)}</span>'
    yield "</figcaption></figure>"
    yield from _table(plan)
    yield "<h2>Statements</h2>"
    for number, step in enumerate(plan.steps, 1):
        yield from _step(number, step, plan)
    base, goal = escape(plan.base), escape(plan.goal)
    yield f'<p class="soft">Made on fingerprint <code>{base}</code>, goal <code>{goal}</code>. It runs on no other.</p>'


def _keys(plan: Plan) -> list[tuple[str, str]]:
    """The colours that the picture has."""
    used = {step.step_class.value for step in plan.steps}
    if any(step.estimate is None or step.estimate.seconds is None for step in plan.steps):
        used.add("unknown")
    if any(step.lock.waits for step in plan.steps):
        used.add("waits")
    return [(name, words) for name, words in _KEYS if name in used]


def _spans(text: str) -> str:
    """Our own words, with commands as code."""
    parts = [f"<code>{escape(p)}</code>" if n % 2 else escape(p) for n, p in enumerate(COMMAND.split(text))]
    return "".join(parts)


def _problems(problems: Sequence[Problem] | None) -> Iterator[str]:
    if problems is None:
        return
    yield "<h2>Looked at before it runs</h2>"
    if not problems:
        yield '<p class="soft">Nothing stands in the way.</p>'
        return
    yield '<ul class="problems">'
    for problem in problems:
        fatal = ' class="fatal"' if problem.fatal else ""
        sign = "must be mended" if problem.fatal else "note"
        yield (
            f"<li{fatal}><b>{escape(problem.code)}, {sign}.</b> {_spans(problem.message)}. "
            f'<span class="soft">{_spans(problem.hint)}</span></li>'
        )
    yield "</ul>"


def _table(plan: Plan) -> Iterator[str]:
    yield '<h2>Steps</h2><div class="wide"><table><thead><tr><th class="n">#</th><th>step</th><th>class</th>'
    yield '<th>blocks</th><th class="n">rows</th><th class="n">extra disk</th><th class="n">time</th></tr></thead>'
    yield "<tbody>"
    for number, step in enumerate(plan.steps, 1):
        kind, waits, *numbers = cells(step)
        yield f'<tr><td class="n">{number}</td><td>{escape(step.title)}'
        if step.reason:
            yield f'<div class="why">{escape(step.reason)}</div>'
        yield f'</td><td class="class"><i class="key {escape(kind)}"></i>{escape(kind)}</td><td>{escape(waits)}</td>'
        yield "".join(f'<td class="n">{escape(cell)}</td>' for cell in numbers) + "</tr>"
    yield "</tbody></table></div>"


def _step(number: int, step: Step, plan: Plan) -> Iterator[str]:
    yield f"<details><summary>{number}. {escape(step.title)}</summary><div>"
    yield f"<p>Done when {_spans(seen_by(step))}.</p><p>Back: {_spans(back(step, plan))}.</p>"
    yield f'<p class="soft">Measured: {escape((step.estimate or Estimate()).basis or "nothing")}.</p>'
    if step.objects:
        yield f'<p class="soft">{escape(", ".join(step.objects))}</p>'
    yield f"<pre>{escape(_statements(step.statements))}</pre>"
    if step.reverse:
        yield f"<p>Back by:</p><pre>{escape(_statements(step.reverse))}</pre>"
    yield "</div></details>"


def _statements(statements: Sequence[Statement]) -> str:
    return "\n\n".join(statement_text(s) for s in statements)
