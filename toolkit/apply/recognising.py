"""What a live store is, asked of all known schemas of its engine: the joint of observation and lineage.

It decides nothing of its own and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from toolkit.apply.planning import recognise
from toolkit.attributes import Family
from toolkit.catalog import Catalog, same
from toolkit.definition import version_key
from toolkit.engines import Engine
from toolkit.engines import engine as engine_called
from toolkit.engines.version_tables import FOREIGN, SHARED, foreign_mark
from toolkit.errors import UsageError, VersionError
from toolkit.lineage import LIKELY, Identity, Known, identify, members
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import Observed, Plan
from toolkit.routes import published
from toolkit.versions import chain

_NEWER = "Install a newer temporal-visibility-toolkit"


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


def readable(engine: Engine, observed: Observed, overlay: Overlay) -> str | None:
    """The newest version that the store equals, else the newest that it equals but for indexes: what it has can be read
    without them. None: there is none."""
    seen = recognise(engine, observed, chain(), overlay)
    if seen.versions:
        return seen.versions[-1]
    bare = _without_indexes(observed.catalog.without(seen.foreign))
    known = (one for one in reversed(known_schemas(engine, overlay)) if not one.route)
    return next((one.version for one in known if same(_without_indexes(one.catalog), bare)), None)


def _without_indexes(catalog: Catalog) -> Catalog:
    return catalog.without(("tables", table, "indexes") for table in catalog.children(("tables",)))


def goes_down(engine: Engine, plan: Plan, look: Callable[[], Observed], overlay: Overlay) -> bool:
    """Whether `plan` leads to an earlier version than the store is at: the one it equals, else what `look` shows. One
    that records a later version than all known may have what looks like somebody else's."""
    if is_beyond(engine, plan.recorded) and any(d.version == plan.wanted for d in chain()):
        return True
    stands = plan.found or _nearly(engine, look(), overlay)
    return bool(stands) and min(map(version_key, stands)) > version_key(plan.wanted)


def is_beyond(engine: Engine, recorded: str | None) -> bool:
    """Whether a store claims a later version than all that are known here: newer tools have been at work on it."""
    labels = (engine.label(d) for d in chain() if engine.supports(d))
    try:
        known = max(version_key(label.removeprefix("v")) for label in labels)
        return recorded is not None and version_key(recorded.removeprefix("v")) > known
    except VersionError:
        return False


def _beyond(recorded: str | None) -> str:
    """What `is_beyond` means, in words."""
    return f"the store records {recorded}, which is later than all that this toolkit knows"


def too_new(recorded: str | None, otherwise: str = "") -> UsageError:
    """What a command says that will not touch such a store; `otherwise`: what else there is to do than the usual."""
    return UsageError("TV2006", _beyond(recorded), f"{_NEWER}{otherwise}.")


def _nearly(engine: Engine, observed: Observed, overlay: Overlay) -> tuple[str, ...]:
    """The versions that a store which has drifted is at: those it is like, else those of the label it records. One
    that is between two versions has something of the later one to lose."""
    identity = identify_store(engine, observed, overlay)
    best, recorded = identity.partial.goal if identity.partial else identity.best, observed.recorded
    if best is not None and (identity.confidence >= LIKELY or recorded is None):
        return (best.version,) if best.route else _labelled(engine, best.name)
    return () if recorded is None else _labelled(engine, recorded)


def _labelled(engine: Engine, label: str) -> tuple[str, ...]:
    """Every version of that label: search engines have some for several. A number no version has stands for itself."""
    found = [d.version for d in chain() if label in (engine.label(d), d.version, *d.labels.elasticsearch)]
    return tuple(found) or ((label,) if label.replace(".", "").isdigit() else ())


def only_we_record(engine: Engine) -> bool:
    """Whether nobody but this tool writes down a version: on search engines Temporal's own tools record nothing."""
    return engine.FAMILY is Family.ELASTICSEARCH


def remarks(engine: Engine, observed: Observed) -> tuple[str, ...]:
    """What else there is to know about where the store stands."""
    found = []
    if is_beyond(engine, observed.recorded):
        found.append(f"{_beyond(observed.recorded)}. {_NEWER}")
    shared = observed.traits.get(SHARED)
    if isinstance(shared, list) and shared:
        found.append(
            "Temporal's main store is in the same database: schema_version has one row for both, so it is neither read "
            "nor written; a database of its own for visibility is better"
        )
    if mark := foreign_mark(observed):
        found.append(
            f"alembic_version has revision {mark[:60]!r}, which is none of ours: the table is another project's, and "
            "is not written"
        )
    books = [tool for tool, mark in observed.marks.items() if mark == FOREIGN]
    found += [f"the book of {tool} in this database is {FOREIGN}: it is not written" for tool in books]
    return tuple(found)
