"""PostgreSQL as an engine: see `toolkit.engines.Engine`.

Everything here hands on to the modules of this folder; nothing connects before `connect` is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from toolkit.attributes import Family
from toolkit.catalog import Catalog
from toolkit.definition import Definition
from toolkit.engines import Client
from toolkit.engines.online import Route
from toolkit.engines.postgresql import artefacts as _artefacts
from toolkit.engines.postgresql import layout, planner, rebuild
from toolkit.engines.postgresql.typemap import profile
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import Observed, Plan, Step
from toolkit.targets import Target

if TYPE_CHECKING:
    from toolkit.diff import Change

NAME = "postgresql"
FAMILY = Family.SQL


def supports(definition: Definition) -> bool:
    """Every version with a SQL label."""
    return definition.labels.sql is not None


def label(definition: Definition) -> str:
    """The number in `schema_version`."""
    return definition.labels.sql or definition.version


def catalog(definition: Definition, overlay: Overlay = NO_OVERLAY) -> Catalog:
    """See `Engine.catalog`."""
    return layout.catalog(definition, profile())


def empty() -> Catalog:
    """See `Engine.empty`."""
    return layout.EMPTY


def steps(observed: Observed, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> tuple[Step, ...]:
    """See `Engine.steps`."""
    return planner.steps(observed, wanted, profile())


def online(observed: Observed, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> Route:
    """See `toolkit.engines.online.OnlineEngine.online`."""
    return rebuild.route(planner.steps(observed, wanted, profile()), observed, wanted, profile())


def objects(change: Change) -> tuple[str, ...]:
    """See `Engine.objects`."""
    from toolkit.engines import touched

    rules = profile()
    return touched.objects(change, lambda name: layout.column_name(name, rules), str.lower)


def artefacts(chain: Sequence[Definition]) -> Mapping[str, str]:
    """See `Engine.artefacts`."""
    return _artefacts.files(chain, profile())


def script(plan: Plan, observed: Observed, goal: Catalog, overlay: Overlay = NO_OVERLAY) -> str:
    """See `Engine.script`."""
    from toolkit.engines.postgresql import plan_script

    return plan_script.script(plan, observed, goal, profile().table)


def connect(target: Target) -> Client:
    """See `Engine.connect`."""
    from toolkit.engines.postgresql import client

    return client.connect(target, profile())
