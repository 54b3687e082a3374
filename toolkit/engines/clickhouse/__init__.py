"""ClickHouse as an engine: see `toolkit.engines.Engine`.

Everything here hands on to the modules of this folder; nothing connects before `connect` is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from toolkit.attributes import Family
from toolkit.catalog import Catalog
from toolkit.definition import Definition
from toolkit.engines import Client
from toolkit.engines.clickhouse import artefacts as _artefacts
from toolkit.engines.clickhouse import layout, planner, rebuild
from toolkit.engines.clickhouse.layout import Placement
from toolkit.engines.clickhouse.typemap import profile
from toolkit.engines.clickhouse.versions import Migration
from toolkit.engines.online import Route
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import Observed, Plan, Step
from toolkit.targets import Target

if TYPE_CHECKING:
    from toolkit.diff import Change

NAME = "clickhouse"
FAMILY = Family.CLICKHOUSE


def supports(definition: Definition) -> bool:
    """Every version with a ClickHouse label."""
    return definition.labels.clickhouse is not None


def label(definition: Definition) -> str:
    """The version in `temporal_visibility_schema_version`."""
    return definition.labels.clickhouse or definition.version


def catalog(definition: Definition, overlay: Overlay = NO_OVERLAY) -> Catalog:
    """See `Engine.catalog`."""
    return layout.catalog(definition, profile(), Placement.of(overlay.clickhouse))


def empty() -> Catalog:
    """See `Engine.empty`."""
    return layout.EMPTY


def steps(observed: Observed, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> tuple[Step, ...]:
    """See `Engine.steps`. Raises Unsupported when a table's engine or keys would have to change."""
    placement = Placement.of(overlay.clickhouse)
    return planner.steps(observed, wanted, profile(), placement, _shipped(placement), _before(observed, wanted))


def online(observed: Observed, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> Route:
    """See `toolkit.engines.online.OnlineEngine.online`: as `steps`, and a rebuild where no ALTER leads to `wanted`."""
    placement = Placement.of(overlay.clickhouse)
    return rebuild.route(observed, wanted, profile(), placement, _shipped(placement), _before(observed, wanted))


def _shipped(placement: Placement) -> tuple[Migration, ...]:
    from toolkit.engines.clickhouse.versions import shipped

    return shipped(placement.cluster is not None)


def _before(observed: Observed, wanted: Definition) -> Definition | None:
    """The version the store records, where that is another one."""
    from toolkit.versions import chain

    if observed.recorded in (None, label(wanted)):
        return None
    return next((d for d in chain() if supports(d) and label(d) == observed.recorded), None)


def objects(change: Change) -> tuple[str, ...]:
    """See `Engine.objects`."""
    from toolkit.engines import touched

    rules = profile()
    return touched.objects(change, lambda name: layout.column_name(name, rules), layout.attribute_column)


def artefacts(chain: Sequence[Definition]) -> Mapping[str, str]:
    """See `Engine.artefacts`."""
    return _artefacts.files(chain, profile())


def script(plan: Plan, observed: Observed, goal: Catalog, overlay: Overlay = NO_OVERLAY) -> str:
    """See `Engine.script`."""
    from toolkit.engines.clickhouse import plan_script

    return plan_script.script(plan, observed, goal, Placement.of(overlay.clickhouse))


def connect(target: Target) -> Client:
    """See `Engine.connect`."""
    from toolkit.engines.clickhouse import client

    return client.connect(target, profile())
