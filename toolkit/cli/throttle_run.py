"""`schema throttle`: change how gentle a run is while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from toolkit.apply.limits import Limits, eased
from toolkit.apply.ongoing import unfinished
from toolkit.apply.runner import tells
from toolkit.catalog import Json
from toolkit.cli.options import connected, each, target_argument, targets
from toolkit.cli.output import emit, output_option
from toolkit.cli.throttle import chunk_time, lock_timeout, max_lag, max_load
from toolkit.engines import Client, Engine
from toolkit.engines.online import Run, Throttling
from toolkit.errors import ToolkitError, Unsupported
from toolkit.targets import Target


@click.command("throttle")
@target_argument
@chunk_time(None)
@lock_timeout(None)
@max_lag
@max_load
@click.option("--pause/--resume", "paused", default=None, help="Hold the run at the next safe point, or let it go on.")
@click.option("--reset", is_flag=True, help="Take back what was asked before: the run's own options hold again.")
@output_option
def command(
    target: str | None, config: Path | None, chunk_time: float | None, lock_timeout: float | None,
    max_lag: float | None, max_load: float | None, paused: bool | None, reset: bool, output: str,
) -> None:  # fmt: skip
    """Change the run on TARGET (a URL, or a store of the configuration file) while it runs; without options, show.

    The run looks about once a second, between two chunks."""
    given: dict[str, Json] = {"chunk_seconds": chunk_time, "lock_seconds": lock_timeout, "max_lag": max_lag,
                              "max_load": max_load, "paused": paused}  # fmt: skip
    wishes = {name: value for name, value in given.items() if value is not None}

    def act(store: Target) -> dict[str, Json]:
        with connected(store) as (engine, client):
            return {"target": store.name or store.shown, **_ask(engine, client, wishes, reset)}

    found = each(targets(target, config), act, "stores")
    emit(output, {"stores": found}, lambda: (line for facts in found for line in _lines(facts)))


def _ask(engine: Engine, client: Client, wishes: Mapping[str, Json], reset: bool) -> dict[str, Json]:
    if not isinstance(client, Throttling):
        raise Unsupported("TV5115", f"a run on {engine.NAME} cannot be throttled", "Stop it with Ctrl-C: it can go on.")
    run = unfinished(client)
    if run is None:
        raise ToolkitError("TV5116", "no run is under way", "`schema runs` lists all runs.")
    for said in tells(client, eased(Limits(), dict(wishes))):
        click.echo(f"Note: {said}", err=True)
    before = client.throttle(run.id)
    asked = {**({} if reset or not isinstance(before, dict) else before), **wishes}
    if wishes or reset:
        client.set_throttle(run.id, asked or None)
    return {"run": run.id, **_facts(run), "asked": asked}


def _facts(run: Run) -> dict[str, Json]:
    return {"kind": run.kind, "to": run.wanted, "by": run.owner}


def _lines(facts: Mapping[str, Json]) -> Iterator[str]:
    asked = facts["asked"]
    said = ", ".join(f"{name} {value}" for name, value in asked.items()) if isinstance(asked, dict) else ""
    yield f"{facts['target']}: run {facts['run']}, {facts['kind']} to {facts['to']} by {facts['by']}"
    yield f"  asked of it: {said or 'nothing'}"
