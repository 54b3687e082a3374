"""Elasticsearch and OpenSearch as one engine: see `toolkit.engines.Engine`. Which of the two it is, the server says.

Everything here hands on to the modules of this folder; nothing connects before `connect` is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from toolkit.attributes import Family
from toolkit.catalog import Catalog
from toolkit.definition import Definition
from toolkit.engines import Client
from toolkit.engines.elasticsearch import artefacts as _artefacts
from toolkit.engines.elasticsearch import layout, planner, route
from toolkit.engines.elasticsearch import store as stores
from toolkit.engines.elasticsearch.typemap import profile
from toolkit.engines.online import Route
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import Observed, Plan, Step
from toolkit.targets import Target

if TYPE_CHECKING:
    from toolkit.diff import Change

NAME = layout.NAME
FAMILY = Family.ELASTICSEARCH


def supports(definition: Definition) -> bool:
    """Every version with an Elasticsearch label."""
    return bool(definition.labels.elasticsearch)


def label(definition: Definition) -> str:
    """`v13`: the last of the version's labels, kept in the mapping's `_meta`."""
    return layout.label(definition)


def catalog(definition: Definition, overlay: Overlay = NO_OVERLAY) -> Catalog:
    """See `Engine.catalog`. Templates and aliases are no part of it: they stand beside the index."""
    return layout.catalog(definition, profile(), overlay)


def empty() -> Catalog:
    """See `Engine.empty`."""
    return layout.EMPTY


def steps(observed: Observed, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> tuple[Step, ...]:
    """See `Engine.steps`."""
    return planner.steps(observed, wanted, profile(), overlay)


def online(observed: Observed, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> Route:
    """See `toolkit.engines.online.OnlineEngine.online`."""
    rules = profile()
    plain = planner.steps(observed, wanted, rules, overlay)
    return route.route(plain, stores.of(observed, rules), wanted, overlay, rules)


def objects(change: Change) -> tuple[str, ...]:
    """See `Engine.objects`."""
    from toolkit.engines import touched

    return touched.objects(change, str, str, indexes=False)


def artefacts(chain: Sequence[Definition]) -> Mapping[str, str]:
    """See `Engine.artefacts`."""
    return _artefacts.files(chain, profile())


def script(plan: Plan, observed: Observed, goal: Catalog, overlay: Overlay = NO_OVERLAY) -> str:
    """See `Engine.script`."""
    from toolkit.engines.elasticsearch import plan_script

    return plan_script.script(plan, stores.of(observed, profile()), goal)


def connect(target: Target) -> Client:
    """See `Engine.connect`."""
    from toolkit.engines.elasticsearch import client

    return client.connect(target, profile())
