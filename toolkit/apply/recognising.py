"""What a live store is, asked of all known schemas of its engine: the joint of observation and lineage.

It decides nothing of its own and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from toolkit.attributes import Family
from toolkit.engines import Engine
from toolkit.engines import engine as engine_called
from toolkit.engines.version_tables import SHARED
from toolkit.lineage import Identity, Known, identify, members
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import Observed
from toolkit.routes import published
from toolkit.versions import chain


def known_schemas(engine: Engine, overlay: Overlay) -> tuple[Known, ...]:
    """Every published schema of the engine, with the overlay on top of it."""
    return _released(engine.NAME) if overlay == NO_OVERLAY else members(engine, chain(), published().routes, overlay)


@cache
def _released(name: str) -> tuple[Known, ...]:
    return members(engine_called(name), chain(), published().routes)


def identify_store(engine: Engine, observed: Observed, overlay: Overlay) -> Identity:
    """Which published schema the observed store is, with the overlay on top of it."""
    return identified(engine, observed, known_schemas(engine, overlay))


def identified(engine: Engine, observed: Observed, known: Sequence[Known]) -> Identity:
    """As `identify_store`, with the known schemas at hand."""
    return identify(observed.recorded, observed.catalog, known, engine.empty(), known_schemas(engine, NO_OVERLAY))


def only_we_record(engine: Engine) -> bool:
    """Whether nobody but this tool writes down a version: on search engines Temporal's own tools record nothing."""
    return engine.FAMILY is Family.ELASTICSEARCH


def remarks(observed: Observed) -> tuple[str, ...]:
    """What else there is to know about where the store stands."""
    shared = observed.traits.get(SHARED)
    if not isinstance(shared, list) or not shared:
        return ()
    return (
        "Temporal's main store is in the same database: schema_version has one row for both, so it is neither read nor "
        "written; a database of its own for visibility is better",
    )
