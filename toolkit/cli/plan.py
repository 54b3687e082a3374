"""`schema plan`: what an upgrade would do, without doing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from toolkit.apply.checking import busy
from toolkit.apply.ongoing import in_the_way, to_end_first
from toolkit.apply.plan_json import write
from toolkit.apply.recognising import is_beyond, too_new
from toolkit.apply.runner import plan_store, script_store
from toolkit.cli.options import connected, each, target_argument, targets, version_option
from toolkit.cli.output import emit, output_option
from toolkit.cli.running import foreseen, planned, problems_json
from toolkit.definition import Definition
from toolkit.engines.online import Problem
from toolkit.errors import Differences, UsageError
from toolkit.explain.totals import Explained
from toolkit.targets import Target
from toolkit.versions import chain, find

FORMS = ["text", "markdown", "html", "sql"]


@click.command("plan")
@target_argument
@version_option()
@click.option("--statements", is_flag=True, help="Show the statements of each step, too.")
@click.option("--offline", is_flag=True, help="Plan the plain way, which is shorter and keeps writers waiting.")
@click.option("--format", "form", type=click.Choice(FORMS), default="text", show_default=True,
              help="markdown: for a ticket; html: a page with a picture; sql: a script of the plain way.")  # fmt: skip
@click.option("--out", "file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the plan to this file, for `schema upgrade --plan`.")  # fmt: skip
@click.option("--exit-code", is_flag=True, help="Leave with 3 when there is something to do.")
@output_option
def command(
    target: str | None, config: Path | None, version: str, statements: bool, offline: bool, form: str,
    file: Path | None, exit_code: bool, output: str,
) -> None:  # fmt: skip
    """Show the steps that bring TARGET (a URL, or a store of the configuration file) to a version."""
    wanted, stores = find(version), targets(target, config)
    if output == "json" and form != "text":
        two = f"--output json and --format {form} are two forms of one answer"
        raise UsageError("TV2016", two, "Give one of them.")
    if (file or form == "sql") and len(stores) > 1:
        raise UsageError("TV2013", "a plan is for one store", "Name the TARGET it is to be made for.")
    if form == "sql":
        plans = [_script(stores[0], wanted, file)]
    else:
        plans = each(stores, lambda store: _planned(store, wanted, offline))
        if file:
            write(plans[0].plan, file)
        data = {"plans": [_json(explained) for explained in plans]}
        emit(output, data, lambda: _lines(form, plans, statements))
    if exit_code and any(explained.plan.steps for explained in plans):
        raise Differences("TV6002", "there are steps to do", "Run `temporal-visibility schema upgrade`.")


def _planned(store: Target, wanted: Definition, offline: bool) -> Explained:
    with connected(store) as (engine, client):
        plan = plan_store(engine, client, wanted, chain(), store.overlay, offline)
        problems = foreseen(client, plan)
        if plan.steps and is_beyond(engine, plan.recorded):
            refusal = too_new(plan.recorded)
            problems = (Problem(refusal.code, str(refusal), refusal.hint), *(problems or ()))
        return Explained(store.name or store.shown, plan, problems)


def _script(store: Target, wanted: Definition, file: Path | None) -> Explained:
    """Print the plain way as a script. It would take a run that was cut off its way on, and its way back."""
    with connected(store) as (engine, client):
        plan, script = script_store(engine, client, wanted, chain(), store.overlay)
        run = in_the_way(client) if plan.steps and not busy(client) else None
        if run is not None and run.status == "running":
            raise to_end_first(run)
    if file:
        write(plan, file)
    click.echo(script, nl=False)
    return Explained(store.name or store.shown, plan)


def _json(explained: Explained) -> dict[str, object]:
    return {"target": explained.target, **planned(explained.plan), "preflight": problems_json(explained.problems)}


def _lines(form: str, plans: Sequence[Explained], statements: bool) -> Iterable[str]:
    from toolkit.explain import html, markdown, text

    if form == "html":
        return html.page(plans)
    if form == "markdown":
        return _each(markdown.lines(explained) for explained in plans)
    return _each(text.lines(explained, statements) for explained in plans)


def _each(plans: Iterable[Iterable[str]]) -> Iterator[str]:
    for lines in plans:
        yield from lines
