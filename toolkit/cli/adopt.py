"""`schema adopt`: take over a store that other tools or hands made."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.apply.adopting import adoption
from toolkit.apply.limits import Limits
from toolkit.cli.options import connected, each, target_argument, targets
from toolkit.cli.output import emit, output_option
from toolkit.cli.running import answer, begun_plan, confirm, run_task
from toolkit.lineage_reports import lines, to_json
from toolkit.targets import Target
from toolkit.versions import find


@click.command("adopt")
@target_argument
@click.option("--as", "version", metavar="VERSION",
              help="Take it over as this version.  [default: what it is seen to be]")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what it is and what would be recorded, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def command(
    target: str | None, config: Path | None, version: str | None, dry_run: bool, yes: bool, output: str
) -> None:
    """Take over TARGET (a URL, or a store of the configuration file): say what it is, and record that. Nothing else
    is changed."""

    def act(store: Target) -> dict[str, object]:
        return _adopt(store, version, dry_run, yes, output == "json")

    found = each(targets(target, config), act, "stores")
    emit(output, {"stores": found}, lambda: ())


def _adopt(store: Target, version: str | None, dry_run: bool, yes: bool, quiet: bool) -> dict[str, object]:
    name = store.name or store.shown
    with connected(store) as (engine, client):
        begun = begun_plan(client, "adopt", find(version).version if version else None)
        found = adoption(engine, client, store.overlay, version, begun)
        plan = found.task.plan
        if not quiet:
            click.echo(f"{name} is")
            for line in lines(found.identity):
                click.echo(f"  {line}")
            for difference in found.identity.differences[:10]:
                click.echo(f"    {difference}")
        said = {"adopted_as": found.version, "identity": to_json(found.identity)}
        if not plan.steps:
            if not quiet:
                click.echo("Everything about it is recorded already.")
            return answer(name, plan, None) | said
        if not quiet:
            click.echo("To be recorded, and nothing else:")
            for step in plan.steps:
                click.echo(f"  {step.title}: {step.reason}")
        if dry_run:
            return answer(name, plan, None) | said
        confirm(plan, yes)
        result = run_task(client, found.task, quiet, Limits())
        if not quiet:
            click.echo(f"Done: {name} is taken over as {found.version}.")
        return answer(name, plan, result) | said
