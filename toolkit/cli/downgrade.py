"""`schema downgrade`: bring a store to an earlier version, and say what that loses."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.apply.limits import Limits
from toolkit.apply.recognising import goes_down
from toolkit.apply.runner import plan_store, upgrade_task
from toolkit.cli.options import connected, each, target_argument, targets
from toolkit.cli.output import emit, number, output_option
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
from toolkit.engines import Client
from toolkit.engines.online import Counting
from toolkit.errors import UsageError
from toolkit.plan import Plan
from toolkit.targets import Target
from toolkit.versions import chain, find


@click.command("downgrade")
@target_argument
@click.option("--to", "version", required=True, help="Wanted schema version.")
@click.option("--dry-run", is_flag=True, help="Show the steps and what they lose, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@throttle_options
@output_option
def command(
    target: str | None, config: Path | None, version: str, dry_run: bool, yes: bool, wishes: Limits, output: str,
) -> None:  # fmt: skip
    """Bring TARGET (a URL, or a store of the configuration file) to an earlier version; says what that loses."""
    wanted = find(version)

    def act(store: Target) -> dict[str, object]:
        return _downgrade(store, wanted, dry_run, yes, wishes, output == "json")

    runs = each(targets(target, config), act, "runs")
    emit(output, {"runs": runs}, lambda: ())


def _downgrade(
    store: Target, wanted: Definition, dry_run: bool, yes: bool, wishes: Limits, quiet: bool
) -> dict[str, object]:
    name = store.name or store.shown
    with connected(store) as (engine, client):
        begun = begun_plan(client, "downgrade", wanted.version)
        plan = begun or plan_store(engine, client, wanted, chain(), store.overlay)
        if begun is None and plan.steps and not goes_down(engine, plan, client.observe, store.overlay):
            raise UsageError("TV2014", f"{name} is not above {wanted.version}", "Use `schema upgrade` to go up.")
        task = upgrade_task(engine, plan, wanted, store.overlay, "downgrade")
        problems = foreseen(client, plan) if begun is None else None
        show(name, plan, quiet, dry_run, problems)
        losses = _losses(client, plan)
        if not quiet and plan.steps:
            for column, count in losses.items():
                click.echo(f"Lost for good: {number(count)} values of {column}.")
            if not losses and begun is None:
                click.echo("Nothing is lost that an upgrade would not bring back.")
        result = None
        if not dry_run and plan.steps:
            refuse_early(client, problems)
            confirm(plan, yes)
            result = run_task(client, task, quiet, wishes)
            if not quiet:
                click.echo(f"Done: {name} is at {wanted.version}, checked against the live catalog.")
                tell_kept(plan, quiet)
        return {**answer(name, plan, result), "preflight": problems_json(problems), "losses": losses}


def _losses(client: Client, plan: Plan) -> dict[str, int]:
    """What the steps lose, counted on the data where the engine can count it."""
    return dict(client.losses(plan)) if isinstance(client, Counting) else {}
