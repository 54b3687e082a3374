"""An upgrade 1.9 → newest under a steady write load, beside what Temporal's own statements do, in one run.

Run: python -m tests.bench.bench_upgrade --engine postgresql --rows 20000 --rate 500. Each engine's part is a module
`tests/bench/upgrade_<engine>.py` with what `Bench` asks for. Prints a table of both ways and their ratios; asserts
nothing.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from tests.bench import filling, load
from tests.engines.catalog import ENGINES, default, parse
from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import shared
from tests.engines.runs import Run, clean_leftovers
from tests.support import journeys
from toolkit.records import Record
from toolkit.sample import expected, generate
from toolkit.versions import find

# Takes the store's URL and the path of a log file, upgrades, and returns figures of its own to be shown.
Way = Callable[[str, Path], Mapping[str, float | str]]


class Bench(Protocol):
    """What a module `upgrade_<engine>` has."""

    # Name → how it upgrades from 1.9 to the newest version; Temporal's own first, ours last.
    WAYS: Mapping[str, Way]

    def session(self, url: str) -> load.Session:
        """A writer's connection."""
        ...

    def stored(self, url: str) -> Mapping[str, str]:
        """Run → word of the rows in `load.NAMESPACE`."""
        ...

    def prepare(self, url: str) -> None:
        """Called once before the store is filled: memory as a server in use has it, where that can be set."""
        ...

    def settle(self, url: str) -> None:
        """Called once after the store is filled: statistics, refresh, whatever a store in use has."""
        ...


@contextmanager
def databases(name: str) -> Iterator[Callable[[], str]]:
    """A function that gives the URL of a fresh database on a server of this name."""
    if name in ("sqlite", "chdb"):
        with tempfile.TemporaryDirectory() as folder:
            yield EmbeddedHandle(default(name), Path(folder)).new_database
        return
    clean_leftovers()
    run = Run.begin()
    try:
        with shared(run.server(parse(name))) as handle:
            yield handle.new_database
    finally:
        run.end()


@cache
def _records(version: str, rows: int) -> tuple[Record, ...]:
    definition = find(version)
    return tuple(expected(generate(definition, rows, 3)).values())


def fill(url: str, rows: int) -> None:
    """A store at 1.9 with `rows` records."""
    start = find("1.9")
    with journeys.opened(url) as (engine, client):
        journeys.upgrade(engine, client, start)
        plain = filling.without_indexes(engine, client, start) if engine.NAME in filling.INDEXED else nullcontext()
        with plain:
            for _ in client.write(start, _records(start.version, rows)):
                pass


def measure(bench: Bench, url: str, name: str, arguments: argparse.Namespace, log: Path) -> load.Side:
    """One way on a store of its own."""
    bench.prepare(url)
    fill(url, arguments.rows)
    bench.settle(url)
    return load.measured(
        name,
        lambda: bench.session(url),
        arguments.rate,
        lambda: bench.WAYS[name](url, log),
        lambda: bench.stored(url),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="postgresql", help="postgresql, mysql-8.0, sqlite, …")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=500, help="statements a second")
    parser.add_argument("--way", action="append", help="only this way (repeatable)")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    arguments = parser.parse_args()
    name = arguments.engine
    family = parse(name).engine if name.partition("-")[0] in ENGINES else name
    module = {"opensearch": "elasticsearch", "chdb": "clickhouse"}.get(family, family)
    bench = cast(Bench, importlib.import_module(f"tests.bench.upgrade_{module}"))
    sides = []
    with databases(name) as fresh, tempfile.TemporaryDirectory() as folder:
        for way in arguments.way or bench.WAYS:
            print(f"{way} …", file=sys.stderr, flush=True)
            sides.append(measure(bench, fresh(), way, arguments, Path(folder) / "log"))
            # Should the other way fail, this one's figures are not lost.
            print("\n".join(load.table(way, sides[-1:])), file=sys.stderr, flush=True)
    title = f"{name}, {arguments.rows} rows, {arguments.rate:g} statements/s"
    print("\n".join(load.table(title, sides)))
    if arguments.json:
        facts = {"engine": name, "rows": arguments.rows, "rate": arguments.rate}
        arguments.json.write_text(load.as_json("upgrade", facts, sides))


if __name__ == "__main__":
    main()
