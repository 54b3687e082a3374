"""`sample`: fill a store with realistic records."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click

from toolkit.apply.planning import recognise
from toolkit.cli.options import connected, each, target_argument, targets
from toolkit.cli.output import emit, output_option
from toolkit.cli.progress import counted
from toolkit.definition import Definition
from toolkit.engines import Client, Engine
from toolkit.errors import EngineError
from toolkit.sample import WRITES_PER_ROW, generate
from toolkit.targets import Target
from toolkit.versions import chain


@click.command("sample")
@target_argument
@click.option("--rows", type=click.IntRange(1, 1_000_000_000), default=10_000, show_default=True, help="Live records.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same records.")
@output_option
def command(target: str | None, config: Path | None, rows: int, seed: int, output: str) -> None:
    """Fill TARGET (a URL, or a store of the configuration file) with realistic records: written, rewritten, deleted."""

    def act(store: Target) -> dict[str, object]:
        with connected(store) as (engine, client):
            return _fill(engine, client, store, rows, seed, output == "json")

    found = each(targets(target, config), act, "stores")
    lines = (
        f"{f['target']}: {f['writes']} writes, {f['records']} records in the store, {f['writes_per_second']} writes/s"
        for f in found
    )
    emit(output, {"stores": found}, lambda: lines)


def _fill(engine: Engine, client: Client, store: Target, rows: int, seed: int, quiet: bool) -> dict[str, object]:
    definition = _version_of(engine, client, store)
    began, writes = time.monotonic(), 0
    for count in counted(_writes(client, definition, rows, seed), round(rows * WRITES_PER_ROW), "writes", quiet):
        writes += count
    seconds = time.monotonic() - began
    return {
        "target": store.name or store.shown,
        "version": definition.version,
        "writes": writes,
        "records": client.count(),
        "seconds": round(seconds, 3),
        "writes_per_second": round(writes / max(seconds, 0.001)),
    }


def _writes(client: Client, definition: Definition, rows: int, seed: int) -> Iterator[int]:
    return client.write(definition, generate(definition, rows, seed))


def _version_of(engine: Engine, client: Client, store: Target) -> Definition:
    """The version whose schema the store has; EngineError when it has none of ours."""
    seen = recognise(engine, client.observe(), chain(), store.overlay)
    if not seen.versions:
        raise EngineError(
            "TV4101",
            f"{store.name or store.shown} has no published schema, so there is nothing to fill",
            "Run `temporal-visibility schema upgrade` first.",
        )
    return next(d for d in reversed(chain()) if d.version == seen.versions[-1])
