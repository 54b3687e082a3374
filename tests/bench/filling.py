"""Filling SQL stores with many records: the indexes that these would fill go first, and come back in plain builds.

For stores that nobody else uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager

from tests.support.catalogs import released
from toolkit.apply.runner import plan_store, run
from toolkit.definition import Definition
from toolkit.engines import Client, Engine
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import NO_LOCK, Sql, Step, StepClass

# Where building indexes again is much cheaper than filling them: how one is dropped.
INDEXED = {
    "postgresql": 'DROP INDEX "{name}"',
    "sqlite": 'DROP INDEX "{name}"',
    "mysql": "DROP INDEX `{name}` ON `{table}`",
}


# Servers of tests have little memory, too little for sixty indexes of a large table.
ROOMY = {
    "mysql": (
        "SET GLOBAL innodb_buffer_pool_size = 1073741824",
        "SET GLOBAL innodb_redo_log_capacity = 536870912",
        # Joins by key are a fifth quicker.
        "SET GLOBAL innodb_adaptive_hash_index = ON",
    )
}


def roomy(engine: Engine, client: Client) -> None:
    """Memory as a server in use has it, where that can be set while it runs."""
    for statement in ROOMY.get(engine.NAME, ()):
        client.execute(step(statement))


def step(statement: str) -> Step:
    """A step that is only this statement."""
    return Step("bench", "bench", "", StepClass.METADATA, NO_LOCK, (Sql(statement),), (), ())


def bring(engine: Engine, client: Client, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> None:
    """The store to `wanted`, the plain way."""
    plan = plan_store(engine, client, wanted, released(), overlay, offline=True)
    run(engine, client, plan, wanted, overlay, lambda *_: None, lambda: 0.0)


@contextmanager
def without_indexes(
    engine: Engine, client: Client, wanted: Definition, overlay: Overlay = NO_OVERLAY, kept: Set[str] = frozenset()
) -> Iterator[None]:
    """Within, the store has only the indexes `kept`; afterwards all of `wanted`."""
    for table, facts in client.observe().catalog.children(("tables",)).items():
        indexes = facts.get("indexes") if isinstance(facts, dict) else None
        for name in sorted(set(indexes if isinstance(indexes, dict) else ()) - kept):
            client.execute(step(INDEXED[engine.NAME].format(name=name, table=table)))
    yield
    bring(engine, client, wanted, overlay)
