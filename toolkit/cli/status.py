"""`schema status`: what a store is, what it claims to be, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from toolkit.apply.runner import status
from toolkit.cli.options import connected, target_argument, targets
from toolkit.cli.output import emit, number, output_option
from toolkit.errors import Differences
from toolkit.versions import chain


@click.command("status")
@target_argument
@click.option("--exit-code", is_flag=True, help="Leave with 3 when the store is not at the newest version.")
@output_option
def command(target: str | None, config: Path | None, exit_code: bool, output: str) -> None:
    """Show which version TARGET (a URL, or a store of the configuration file) really has."""
    found = []
    for store in targets(target, config):
        with connected(store) as (engine, client):
            found.append({"target": store.name or store.shown, **status(engine, client, chain(), store.overlay)})
    emit(output, {"stores": found}, lambda: (line for facts in found for line in _lines(facts)))
    if exit_code and any(facts["pending"] for facts in found):
        raise Differences("TV6003", "a store is not at the newest version", "Run `temporal-visibility schema plan`.")


def _lines(facts: Mapping[str, object]) -> Iterator[str]:
    equals, marks, foreign = facts["equals"], facts["marks"], facts["foreign"]
    assert isinstance(equals, list)
    assert isinstance(marks, dict)
    assert isinstance(foreign, list)
    rows = facts["rows"]
    yield f"{facts['target']}"
    yield f"  server       {facts['server']}"
    nothing = "nothing yet" if facts["empty"] else "no published version"
    yield f"  schema       {', '.join(equals) or nothing}  (fingerprint {facts['fingerprint']})"
    yield f"  recorded     {facts['recorded'] or 'nothing'}" + "".join(
        f", {tool} {mark}" for tool, mark in marks.items()
    )
    yield f"  records      {number(rows) if isinstance(rows, int) else 'unknown'}"
    yield f"  newest       {facts['newest']}: " + (
        f"{facts['pending']} steps to do" if facts["pending"] else "up to date"
    )
    if foreign:
        yield f"  not ours     {', '.join(foreign)}"
