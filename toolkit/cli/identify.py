"""`schema identify`: which published schema a store is, whatever it claims to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from toolkit.apply.recognising import identify_store, remarks
from toolkit.cli.options import connected, each, target_argument, targets
from toolkit.cli.output import emit, output_option
from toolkit.errors import Differences
from toolkit.lineage import Identity
from toolkit.lineage_reports import lines, to_json
from toolkit.targets import Target

# More differences than this are counted, not listed.
SHOWN = 20


@click.command("identify")
@target_argument
@click.option("--exit-code", is_flag=True, help="Leave with 3 when the store equals no published schema.")
@output_option
def command(target: str | None, config: Path | None, exit_code: bool, output: str) -> None:
    """Say which published schema TARGET (a URL, or a store of the configuration file) is, or is nearest to."""

    def act(store: Target) -> tuple[str, Identity, tuple[str, ...]]:
        with connected(store) as (engine, client):
            observed = client.observe()
            return store.name or store.shown, identify_store(engine, observed, store.overlay), remarks(engine, observed)

    found = each(targets(target, config), act)
    data = {"stores": [{"target": name, **to_json(one), "remarks": list(said)} for name, one, said in found]}
    emit(output, data, lambda: (line for one in found for line in _lines(*one)))
    if exit_code and any(not identity.exact for _, identity, _ in found):
        raise Differences("TV6101", "a store equals no published schema", "`schema drift` says what is wrong with it.")


def _lines(name: str, identity: Identity, said: tuple[str, ...]) -> Iterator[str]:
    yield name
    yield from (f"  {line}" for line in (*lines(identity), *said))
    yield f"  it records {identity.recorded or 'no version'}; fingerprint {identity.fingerprint}"
    yield from (f"    {difference}" for difference in identity.differences[:SHOWN])
    if len(identity.differences) > SHOWN:
        yield f"    and {len(identity.differences) - SHOWN} more"
    if identity.foreign:
        yield f"  not Temporal's: {', '.join('/'.join(path) for path in identity.foreign)}"
