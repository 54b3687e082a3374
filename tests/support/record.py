"""Write what an engine reports of a schema version into tests/catalogs, for tests to judge by.

`python -m tests.support.record 1.15` makes a store of the version on each engine; with `--store URL` it reads a store
that was made elsewhere, as by Temporal's own scripts. Look at the difference to the version before, and commit it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines.catalog import default, parse
from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import shared
from tests.engines.runs import Run, clean_leftovers
from tests.support import journeys
from tests.support.catalogs import FOLDER
from toolkit.definition import Definition
from toolkit.engines import Engine
from toolkit.engines.elasticsearch.store import SearchStore
from toolkit.plan import Observed
from toolkit.routes import published
from toolkit.versions import find

FORMAT = "temporal-visibility-catalog/1"
SERVERS = ("postgresql", "mysql", "elasticsearch")
PATTERNS = ["temporal_visibility_v1*"]


def names(engine: Engine, wanted: Definition) -> list[str]:
    """The files of a version: SQLite has schemas by server release, which lineage.yaml lists."""
    if engine.NAME != "sqlite":
        return [engine.label(wanted)]
    return [route.name for route in published().routes if (route.engine, route.like) == ("sqlite", wanted.version)]


def read(engine: Engine, seen: Observed, source: str) -> dict[str, object]:
    """The content of a file. A search engine's is that of the template, which the index has its mapping from."""
    meta = {"engine_version": seen.server, "label": source}
    if isinstance(seen, SearchStore):
        template = {key: value for key, value in seen.template.items() if key != "applies"}
        return {"format": FORMAT, "engine": engine.NAME, "meta": meta, **template, "index_patterns": PATTERNS}
    return {"format": FORMAT, "engine": engine.NAME, "meta": meta, **seen.catalog.body}


def record(url: str, wanted: Definition, folder: Path, make: bool) -> list[Path]:
    """Write the files of the store at `url`, which is made first or is as it was found."""
    written = []
    with journeys.opened(url) as (engine, client):
        if make:
            journeys.upgrade(engine, client, wanted)
        content = read(engine, client.observe(), "made by this toolkit" if make else "made elsewhere")
        for name in names(engine, wanted):
            written.append(folder / engine.NAME / f"{name}.json")
            written[-1].parent.mkdir(exist_ok=True)
            written[-1].write_text(json.dumps(content, indent=1, sort_keys=False, ensure_ascii=False) + "\n")
    return written


@contextmanager
def stores() -> Iterator[Iterator[str]]:
    """An empty store of each engine whose published schemas are kept."""
    clean_leftovers()
    own = Run.begin()

    def urls() -> Iterator[str]:
        with tempfile.TemporaryDirectory() as place:
            yield EmbeddedHandle(parse("sqlite-python"), Path(place)).url
        for name in SERVERS:
            with shared(own.server(default(name))) as handle:
                yield handle.url

    try:
        yield urls()
    finally:
        own.end()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.record", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--store", metavar="URL", help="a store that is at the version, instead of new ones")
    arguments = parser.parse_args()
    wanted = find(arguments.version)
    if arguments.store:
        written = record(arguments.store, wanted, FOLDER, make=False)
    else:
        with stores() as urls:
            written = [path for url in urls for path in record(url, wanted, FOLDER, make=True)]
    for path in written:
        print(path)


if __name__ == "__main__":
    main()
