"""`schema plan`: what an upgrade would do, without doing it."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.apply.plan_json import write
from toolkit.apply.runner import plan_store
from toolkit.cli.options import connected, target_argument, targets, version_option
from toolkit.cli.output import emit, output_option
from toolkit.describe import plan_json, plan_lines
from toolkit.errors import Differences, UsageError
from toolkit.versions import chain, find


@click.command("plan")
@target_argument
@version_option()
@click.option("--statements", is_flag=True, help="Show the statements of each step, too.")
@click.option("--offline", is_flag=True, help="Plan the plain way, which is shorter and keeps writers waiting.")
@click.option("--out", "file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the plan to this file, for `schema upgrade --plan`.")  # fmt: skip
@click.option("--exit-code", is_flag=True, help="Leave with 3 when there is something to do.")
@output_option
def command(
    target: str | None, config: Path | None, version: str, statements: bool, offline: bool, file: Path | None,
    exit_code: bool, output: str,
) -> None:  # fmt: skip
    """Show the steps that bring TARGET (a URL, or a store of the configuration file) to a version."""
    wanted, stores = find(version), targets(target, config)
    if file and len(stores) > 1:
        raise UsageError("TV2013", "a plan is for one store", "Name the TARGET it is to be made for.")
    plans = []
    for store in stores:
        with connected(store) as (engine, client):
            plan = plan_store(engine, client, wanted, chain(), store.overlay, offline)
            plans.append((store.name or store.shown, plan))
    if file:
        write(plans[0][1], file)
    data = {"plans": [{"target": name, **plan_json(plan)} for name, plan in plans]}
    emit(output, data, lambda: (line for name, plan in plans for line in (f"# {name}", *plan_lines(plan, statements))))
    if exit_code and any(plan.steps for _, plan in plans):
        raise Differences("TV6002", "there are steps to do", "Run `temporal-visibility schema upgrade`.")
