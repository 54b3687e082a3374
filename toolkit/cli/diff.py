"""`schema diff`: what changes between two versions, logically or on one engine."""

from __future__ import annotations

import click

from toolkit.cli.options import engine_option
from toolkit.cli.output import emit, output_option
from toolkit.describe import change_json, change_line, step_json
from toolkit.diff import diff
from toolkit.engines import engine, refuse_unsupported
from toolkit.errors import Differences
from toolkit.plan import Observed, Step
from toolkit.versions import find


@click.command("diff")
@click.argument("before", metavar="FROM")
@click.argument("after", metavar="TO")
@engine_option()
@click.option("--exit-code", is_flag=True, help="Leave with 3 when there are differences.")
@output_option
def command(before: str, after: str, engine_name: str | None, exit_code: bool, output: str) -> None:
    """Show what changes from version FROM to version TO; with --engine also the steps on that engine."""
    old, new = find(before), find(after)
    data: dict[str, object] = {"from": old.version, "to": new.version, "engine": engine_name}
    changes = diff(old, new)
    steps: tuple[Step, ...] = ()
    if engine_name is not None:
        chosen = engine(engine_name)
        refuse_unsupported(chosen, old, new)
        changes = diff(old.on(chosen.FAMILY), new.on(chosen.FAMILY))
        observed = Observed(chosen.catalog(old), chosen.label(old), "")
        steps = tuple(s for s in chosen.steps(observed, new) if not s.id.startswith("record."))
        data["steps"] = [step_json(step) for step in steps]
    data["changes"] = [change_json(change) for change in changes]
    lines = [change_line(change) for change in changes] or ["No differences."]
    lines += [f"  {step.title}  [{step.step_class.value}; blocks {step.lock.blocks}]" for step in steps]
    emit(output, data, lambda: lines)
    if exit_code and (changes or steps):
        raise Differences("TV6001", f"{old.version} and {new.version} differ")
