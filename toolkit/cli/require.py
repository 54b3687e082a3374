"""`schema require`: whether a release of Temporal's server may start on a store, told by the exit code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from toolkit.apply.standing import require
from toolkit.cli.options import connected, each, target_argument, targets
from toolkit.cli.output import emit, output_option
from toolkit.errors import Differences
from toolkit.requiring import Fitness
from toolkit.targets import Target


@click.command("require")
@target_argument
@click.option("--server", metavar="RELEASE", required=True, help="The release that is to be started, such as 1.31.")
@output_option
def command(target: str | None, config: Path | None, server: str, output: str) -> None:
    """Leave with 0 when this release of Temporal's server may start on TARGET, with 3 when it may not.

    Without TARGET: on every store of the configuration file.
    """

    def act(store: Target) -> tuple[str, Fitness]:
        with connected(store) as (engine, client):
            return store.name or store.shown, require(engine, client.observe(), store.overlay, server)

    found = each(targets(target, config), act)
    data = {
        "stores": [
            {"target": name, "release": f.release, "needs": f.needs, "starts": f.starts, "reasons": list(f.reasons),
             "warnings": list(f.warnings)}
            for name, f in found
        ]
    }  # fmt: skip
    emit(output, data, lambda: (line for name, fits in found for line in _lines(name, fits)))
    if any(not fits.starts for _, fits in found):
        raise Differences("TV6106", f"the server {server} must not start", "`schema upgrade` brings the store there.")


def _lines(name: str, fits: Fitness) -> Iterator[str]:
    yield f"{name}: the server {fits.release} {'may' if fits.starts else 'must not'} start; it needs {fits.needs}"
    yield from (f"  {reason}" for reason in fits.reasons)
    yield from (f"  {warning}: queries will be slow" for warning in fits.warnings)
