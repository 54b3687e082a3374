"""`schema upgrade`: bring a store to a version."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from toolkit.apply.planning import is_downgrade
from toolkit.apply.runner import plan_store, run
from toolkit.cli.options import connected, target_argument, targets, version_option
from toolkit.cli.output import emit, output_option
from toolkit.cli.progress import StepProgress
from toolkit.definition import Definition
from toolkit.describe import plan_json, plan_lines
from toolkit.errors import UsageError
from toolkit.plan import Plan, StepClass
from toolkit.targets import Target
from toolkit.versions import chain, find


@click.command("upgrade")
@target_argument
@version_option()
@click.option("--dry-run", is_flag=True, help="Show the steps and their statements, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def command(target: str | None, config: Path | None, version: str, dry_run: bool, yes: bool, output: str) -> None:
    """Bring TARGET (a URL, or a store of the configuration file) to a version, and check that it got there."""
    wanted = find(version)
    runs = [_upgrade(store, wanted, dry_run, yes, output == "json") for store in targets(target, config)]
    emit(output, {"runs": runs}, lambda: ())


def _upgrade(store: Target, wanted: Definition, dry_run: bool, yes: bool, quiet: bool) -> dict[str, object]:
    name = store.name or store.shown
    with connected(store) as (engine, client):
        plan = plan_store(engine, client, wanted, chain(), store.overlay)
        if is_downgrade(plan):
            raise UsageError("TV2006", f"{name} is above {wanted.version} already", "An upgrade never goes down.")
        if not quiet:
            for line in (f"# {name}", *plan_lines(plan, statements=dry_run)):
                click.echo(line)
        if dry_run or not plan.steps:
            return {"target": name, "done": False, **plan_json(plan)}
        _confirm(plan, yes)
        progress = StepProgress(len(plan.steps), quiet)
        result = run(engine, client, plan, wanted, store.overlay, progress.report, time.monotonic)
        if not quiet:
            click.echo(f"Done: {name} is at {wanted.version}, checked against the live catalog.")
        return {"target": name, "done": True, "fingerprint": result.fingerprint,
                "seconds": [round(s, 3) for s in result.seconds], **plan_json(plan)}  # fmt: skip


def _confirm(plan: Plan, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            "TV2007", "there is nobody to ask", "Give --yes to run without a question, or --dry-run to look."
        )
    heavy = plan.step_class in (StepClass.REBUILD, StepClass.BREAKING)
    question = "This blocks writers while it rewrites tables. Go on?" if heavy else "Go on?"
    if not click.confirm(question):
        raise click.Abort
