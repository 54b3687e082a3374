"""`schema rollback`: take back the run that is open, or whose old data is kept."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.apply.limits import Limits
from toolkit.apply.ways_back import rollback
from toolkit.cli.options import connected, each, target_argument, targets
from toolkit.cli.output import emit, output_option
from toolkit.cli.running import answer, begun_plan, confirm, looked, problems_json, run_task, show
from toolkit.cli.throttle import throttle_options
from toolkit.targets import Target
from toolkit.versions import chain


@click.command("rollback")
@target_argument
@click.option("--dry-run", is_flag=True, help="Show the steps and their statements, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@throttle_options
@output_option
def command(
    target: str | None, config: Path | None, dry_run: bool, yes: bool, wishes: Limits, output: str,
) -> None:  # fmt: skip
    """Take back the last run on TARGET (a URL, or a store of the configuration file); no record is lost."""

    def act(store: Target) -> dict[str, object]:
        return _rollback(store, dry_run, yes, wishes, output == "json")

    runs = each(targets(target, config), act, "runs")
    emit(output, {"runs": runs}, lambda: ())


def _rollback(store: Target, dry_run: bool, yes: bool, wishes: Limits, quiet: bool) -> dict[str, object]:
    name = store.name or store.shown
    with connected(store) as (engine, client):
        going_on = begun_plan(client, "rollback") is not None
        task = rollback(engine, client, chain(), store.overlay)
        problems = None if going_on else looked(client, task.plan)
        show(name, task.plan, quiet, dry_run, problems)
        result = None
        if not dry_run:
            confirm(task.plan, yes)
            result = run_task(client, task, quiet, wishes)
            if not quiet:
                click.echo(f"Done: {name} is at {task.plan.wanted} again.")
        return {**answer(name, task.plan, result), "preflight": problems_json(problems)}
