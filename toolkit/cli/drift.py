"""`schema drift`: where a store is not as its version and overlay say, and the repair."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click

from toolkit.apply.checking import Check, check_store
from toolkit.apply.estimating import estimated
from toolkit.apply.limits import Limits
from toolkit.apply.repairing import repair_task
from toolkit.cli.files import writable, write
from toolkit.cli.options import Finite, connected, target_argument, targets
from toolkit.cli.output import ci_output_option, emit, interrupted
from toolkit.cli.running import begun_plan, confirm, run_task, show, tell_kept
from toolkit.cli.throttle import throttle_options
from toolkit.drift import Report
from toolkit.drift_reports import Checked, github, junit, metrics
from toolkit.engines import Client, Engine
from toolkit.errors import Differences, LockHeld, Stopped, ToolkitError
from toolkit.plan import Request, Sql
from toolkit.targets import Target
from toolkit.versions import find

# Renames first, then the rest, then what only shows when that is done.
ROUNDS = 4
SHOWN_STEPS = 2


@click.command("drift")
@target_argument
@click.option("--version", "version", help="Judge against this version.  [default: the one the store records]")
@click.option("--repair", is_flag=True, help="Repair what was found, after a question.")
@click.option("--keep-extra", is_flag=True, help="Leave columns and indexes alone that are not part of the version.")
@click.option("--offline", is_flag=True, help="Repair the plain way, which is shorter and keeps writers waiting.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", type=Finite(0), default=0.0, metavar="SECONDS", help="Wait for a run in progress.")
@click.option("--junit", "junit_file", type=click.Path(dir_okay=False, path_type=Path), help="Write a JUnit report.")
@click.option("--metrics", "metrics_file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write a Prometheus textfile.")  # fmt: skip
@throttle_options
@ci_output_option()
def command(
    target: str | None, config: Path | None, version: str | None, repair: bool, keep_extra: bool, offline: bool,
    yes: bool, wait: float, junit_file: Path | None, metrics_file: Path | None, wishes: Limits, output: str,
) -> None:  # fmt: skip
    """Show where TARGET (a URL, or a store of the configuration file) is not as its version and overlay say.

    Leaves with 3 when there is drift, with 4 when a run is in progress.
    """
    for file in filter(None, (junit_file, metrics_file)):
        writable(file)
    found: list[tuple[Checked, Report | None]] = []
    failed: list[ToolkitError] = []
    for store in targets(target, config):
        check = Check(store.overlay, version, keep_extra, offline, wait)
        try:
            with connected(store) as (engine, client):
                report, _ = check_store(engine, client, check)
                if repair:
                    report = _repaired(_name(store), engine, client, check, report, yes, wishes, output != "text")
                found.append((Checked(_name(store), engine.NAME, report.version, report.findings), report))
        except (ToolkitError, KeyboardInterrupt, click.Abort) as end:
            failed.append(end if isinstance(end, ToolkitError) else interrupted())
            found.append((_unchecked(store, version, failed[-1]), None))
            if isinstance(failed[-1], Stopped):
                break
    checked = [one for one, _ in found]
    emit(
        output, {"stores": [_json(*one) for one in found]},
        lambda: (line for one in found for line in _lines(*one)), lambda: github(checked),
    )  # fmt: skip
    _leave_when_stopped(failed)
    if junit_file:
        write(junit_file, junit(checked))
    if metrics_file:
        write(metrics_file, metrics(checked, time.time()))
    _leave(checked, failed, repair)


def _name(store: Target) -> str:
    return store.name or store.shown


def _unchecked(store: Target, version: str | None, error: ToolkitError) -> Checked:
    """What the answer has in the place of a report."""
    error.told = True
    busy = isinstance(error, LockHeld)
    return Checked(_name(store), store.engine, version, (), (error.code, error.message), busy)


def _leave_when_stopped(failed: list[ToolkitError]) -> None:
    """Before files are written: a report that lacks stores would say that there are no others."""
    if failed and isinstance(failed[-1], Stopped):
        raise failed[-1]


def _leave(checked: list[Checked], failed: list[ToolkitError], repaired: bool) -> None:
    """With the gravest thing: what could not be checked, then drift, then a run in progress."""
    grave = [error for error in failed if not isinstance(error, LockHeld)]
    if grave:
        raise grave[0]
    findings = [finding for one in checked for finding in one.findings]
    if findings:
        more = not repaired and any(finding.steps for finding in findings)
        hint = "`schema drift --repair` " + ("repairs what can be repaired." if more else "can repair nothing of that.")
        raise Differences("TV6104", f"{len(findings)} finding{'s' * (len(findings) > 1)}", hint)
    if failed:
        raise failed[0]


def _repaired(
    name: str, engine: Engine, client: Client, check: Check, report: Report, yes: bool, wishes: Limits, quiet: bool
) -> Report:
    """The report after the repair."""
    for _ in range(ROUNDS):
        plan = begun_plan(client, "repair") or estimated(client, report.plan)
        if not plan.steps:
            break
        show(name, plan, quiet, statements=False)
        confirm(plan, yes)
        run_task(client, repair_task(engine, plan, find(plan.wanted), check.overlay), quiet, wishes)
        tell_kept(plan, quiet)
        before, (report, _) = report, check_store(engine, client, check)
        if not report.findings or (report.findings == before.findings and not before.again):
            break
    return report


def _json(one: Checked, report: Report | None) -> dict[str, object]:
    error = None if one.error is None else {"code": one.error[0], "message": one.error[1]}
    statements = _statements(report) if report else {}
    return {
        "target": one.store,
        "engine": one.engine,
        "version": one.version,
        "busy": one.busy,
        "error": error,
        "findings": [
            {"code": f.code, "object": f.name, "message": f.message, "hint": f.hint, "steps": list(f.steps),
             "repair": [text for step in f.steps for text in statements.get(step, ())]}
            for f in one.findings
        ],
        "beside": ["/".join(path) for path in report.beside] if report else [],
    }  # fmt: skip


def _statements(report: Report) -> dict[str, list[str]]:
    return {step.id: [_text(s) for s in step.statements] for step in report.plan.steps}


def _text(statement: Sql | Request) -> str:
    match statement:
        case Sql(text):
            return text
        case Request(method, path, body):
            return f"{method} {path}" + ("" if body is None else f" {body}")


def _lines(one: Checked, report: Report | None) -> Iterator[str]:
    if one.error:
        yield f"{one.store}: {'a run is in progress' if one.busy else 'not checked'}: {one.error[1]}"
        return
    count = len(one.findings)
    yield f"{one.store}: " + (f"{count} finding{'s' * (count != 1)}" if count else "no drift") + f" at {one.version}"
    statements = _statements(report) if report else {}
    for finding in one.findings:
        yield f"  {finding.code} {finding.message}"
        for step in finding.steps[:SHOWN_STEPS]:
            yield f"         repair: {_shown(statements.get(step, []), finding.path)}"
        if len(finding.steps) > SHOWN_STEPS:
            yield f"         … in {len(finding.steps)} steps: see --repair, or --output json"
        if finding.hint:
            yield f"         {finding.hint}"
    if report and report.beside:
        yield f"  not ours, left alone: {', '.join('/'.join(path) for path in report.beside)}"


def _shown(statements: list[str], path: tuple[str, ...]) -> str:
    """The one statement that has to do with the object, on one line; of a long series its number."""
    if len(statements) > 3:
        return f"a series of {len(statements)} statements: see --output json"
    about = [text for text in statements if path and path[-1] in text] or statements
    text = " ".join(" ".join(about).split())
    return text if len(text) <= 200 else f"{text[:197]}…"
