"""`schema overlay`: what a store's overlay asks for, whether that can be, and what Temporal's server must be told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from toolkit.cli.options import target_argument, targets
from toolkit.cli.output import emit, output_option
from toolkit.definition import Definition
from toolkit.engines import engine
from toolkit.overlay import describe, server_configuration
from toolkit.targets import Target
from toolkit.versions import find


@click.command("overlay")
@target_argument
@click.option("--to", "version", default="latest", show_default=True, help="Version that the overlay is laid over.")
@output_option
def command(target: str | None, config: Path | None, version: str, output: str) -> None:
    """Show the overlay of TARGET (a store of the configuration file), without connecting to it.

    Leaves with 2 when the engine could not hold it, or Temporal's server could not work on it.
    """
    definition = find(version)
    found = [_read(store, definition) for store in targets(target, config)]
    emit(output, {"stores": found}, lambda: (line for facts in found for line in _lines(facts)))


def _read(store: Target, definition: Definition) -> dict[str, object]:
    goal = store.overlay.apply(definition)
    # The engine refuses here what it could not hold: too many indexes, names that clash.
    chosen = engine(store.engine)
    chosen.catalog(goal, store.overlay)
    added = [a.name for a in goal.on(chosen.FAMILY).attributes if definition.attribute(a.name) is None]
    return {
        "target": store.name or store.shown,
        "engine": store.engine,
        "version": definition.version,
        "wishes": describe(store.overlay),
        "attributes": added,
        "server_configuration": server_configuration(store.overlay),
    }


def _lines(facts: dict[str, object]) -> Iterator[str]:
    wishes, added = facts["wishes"], facts["attributes"]
    assert isinstance(wishes, list)
    assert isinstance(added, list)
    yield f"{facts['target']}: {facts['engine']}, over version {facts['version']}"
    yield from (f"  {wish}" for wish in wishes or ["no wishes"])
    if added:
        yield f"  more attributes: {', '.join(added)}"
    if facts["server_configuration"]:
        yield "Temporal's static configuration, once all its stores have these columns:"
        yield from (f"  {line}" for line in str(facts["server_configuration"]).splitlines())
