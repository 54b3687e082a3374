"""`schema finish`: drop what an upgrade kept for its rollback."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.apply.limits import Limits
from toolkit.apply.ways_back import finish
from toolkit.cli.options import connected, each, target_argument, targets
from toolkit.cli.output import emit, output_option
from toolkit.cli.running import answer, confirm, run_task, show
from toolkit.targets import Target


@click.command("finish")
@target_argument
@click.option("--dry-run", is_flag=True, help="Show the steps and their statements, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def command(target: str | None, config: Path | None, dry_run: bool, yes: bool, output: str) -> None:
    """Drop the old data that an upgrade of TARGET (a URL, or a store of the configuration file) kept for a rollback."""
    runs = each(targets(target, config), lambda store: _finish(store, dry_run, yes, output == "json"), "runs")
    emit(output, {"runs": runs}, lambda: ())


def _finish(store: Target, dry_run: bool, yes: bool, quiet: bool) -> dict[str, object]:
    name = store.name or store.shown
    with connected(store) as (_, client):
        task = finish(client)
        show(name, task.plan, quiet, statements=dry_run)
        result = None
        if not dry_run:
            confirm(task.plan, yes)
            result = run_task(client, task, quiet, Limits())
            if not quiet:
                click.echo(f"Done: the old data of {name} is gone.")
        return answer(name, task.plan, result)
