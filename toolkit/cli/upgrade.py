"""`schema upgrade`: bring a store to a version."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from toolkit.apply import plan_json as plans
from toolkit.apply.limits import Limits
from toolkit.apply.recognising import goes_down, is_beyond, too_new
from toolkit.apply.runner import plan_store, upgrade_task
from toolkit.cli.options import connected, each, target_argument, targets, version_option
from toolkit.cli.output import emit, output_option
from toolkit.cli.running import (
    answer,
    begun_plan,
    confirm,
    foreseen,
    problems_json,
    refuse_early,
    run_task,
    show,
    tell_kept,
)
from toolkit.cli.throttle import throttle_options
from toolkit.definition import Definition
from toolkit.errors import UsageError
from toolkit.plan import Plan
from toolkit.targets import Target
from toolkit.versions import chain, find


@click.command("upgrade")
@target_argument
@version_option()
@click.option("--plan", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Run exactly the plan in this file, written by `schema plan --out`.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Take the plain way, which is shorter and keeps writers waiting.")
@click.option("--dry-run", is_flag=True, help="Show the steps and their statements, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@throttle_options
@output_option
def command(
    target: str | None, config: Path | None, version: str, file: Path | None, offline: bool, dry_run: bool, yes: bool,
    wishes: Limits, output: str,
) -> None:  # fmt: skip
    """Bring TARGET (a URL, or a store of the configuration file) to a version, and check that it got there."""
    given = plans.read(file) if file else None
    wanted = find(given.wanted if given else version)
    if given:
        _alone(given, version, offline)
    stores = targets(target, config)
    if given and len(stores) > 1:
        raise UsageError("TV2013", "a plan is for one store", "Name the TARGET it was made for.")

    def act(store: Target) -> dict[str, object]:
        return _upgrade(store, wanted, given, offline, dry_run, yes, wishes, output == "json")

    runs = each(stores, act, "runs")
    emit(output, {"runs": runs}, lambda: ())


def _alone(given: Plan, version: str, offline: bool) -> None:
    """Where to and how is said by the plan: UsageError when the command line says otherwise."""
    said = click.get_current_context().get_parameter_source("version") is not ParameterSource.DEFAULT
    if said and find(version).version != given.wanted:
        raise UsageError("TV2013", f"the plan is for version {given.wanted}", "Leave --to out, or make a new plan.")
    if offline:
        raise click.UsageError("--offline goes with `schema plan`, where the steps of --plan were chosen")


def _upgrade(
    store: Target, wanted: Definition, given: Plan | None, offline: bool, dry_run: bool, yes: bool, wishes: Limits,
    quiet: bool,
) -> dict[str, object]:  # fmt: skip
    name = store.name or store.shown
    with connected(store) as (engine, client):
        begun = begun_plan(client, "upgrade", wanted.version)
        plan = begun or given or plan_store(engine, client, wanted, chain(), store.overlay, offline)
        if plan.engine != engine.NAME:
            raise UsageError("TV2013", f"the plan is for {plan.engine}, {name} is {engine.NAME}", "Make a new plan.")
        if begun is None and goes_down(engine, plan, client.observe, store.overlay):
            if is_beyond(engine, plan.recorded):
                raise too_new(plan.recorded)
            hint = "An upgrade never goes down: use `schema downgrade`."
            raise UsageError("TV2006", f"{name} is above {wanted.version} already", hint)
        task = upgrade_task(engine, plan, wanted, store.overlay)
        problems = foreseen(client, plan) if begun is None else None
        found = {"preflight": problems_json(problems)}
        show(name, plan, quiet, dry_run, problems)
        if dry_run or not plan.steps:
            return answer(name, plan, None) | found
        refuse_early(client, problems)
        confirm(plan, yes)
        result = run_task(client, task, quiet, wishes)
        if not quiet:
            click.echo(f"Done: {name} is at {wanted.version}, checked against the live catalog.")
            tell_kept(plan, quiet)
        return answer(name, plan, result) | found
