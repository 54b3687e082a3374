"""Journeys every SQL engine makes in its live tests: to each version fresh, step by step up, and step by step down.

The judge is the live catalog, compared with the published one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.catalogs import released
from toolkit.apply.planning import make_plan
from toolkit.apply.runner import plan_store, run
from toolkit.catalog import Catalog, differences
from toolkit.definition import Definition
from toolkit.engines import Client, Engine, engine
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import Plan
from toolkit.targets import parse_url

Published = Callable[[Definition], Catalog]


@contextmanager
def opened(url: str, overlay: Overlay = NO_OVERLAY) -> Iterator[tuple[Engine, Client]]:
    """The engine and an open client for `url`."""
    target = parse_url(url, {}, overlay)
    chosen = engine(target.engine)
    client = chosen.connect(target)
    try:
        yield chosen, client
    finally:
        client.close()


def upgrade(chosen: Engine, client: Client, wanted: Definition) -> Plan:
    """Plan on what is observed, run, and let the runner look again."""
    plan = plan_store(chosen, client, wanted, released(), NO_OVERLAY)
    run(chosen, client, plan, wanted, NO_OVERLAY, lambda *_: None, lambda: 0.0)
    return plan


def at(chosen: Engine, client: Client, wanted: Definition, published: Published) -> None:
    """Assert that the store is at `wanted`: catalog, recorded label, nothing left to do, recognised."""
    seen = client.observe()
    left = differences(seen.catalog, published(wanted))
    assert left == (), f"{wanted.version}: {[str(d) for d in left[:5]]}"
    assert seen.recorded == chosen.label(wanted)
    again = make_plan(chosen, seen, wanted, released(), NO_OVERLAY)
    assert again.steps == ()
    assert wanted.version in again.found


def fresh(urls: Iterator[str], published: Published) -> None:
    """A fresh install of every version, each on a database of its own."""
    for wanted in released():
        with opened(next(urls)) as (chosen, client):
            if chosen.supports(wanted):
                upgrade(chosen, client, wanted)
                at(chosen, client, wanted, published)


def up_and_down(url: str, published: Published) -> None:
    """From the first version to the last and back, a version at a time."""
    with opened(url) as (chosen, client):
        chain = [d for d in released() if chosen.supports(d)]
        for wanted in [*chain, *reversed(chain[:-1])]:
            upgrade(chosen, client, wanted)
            at(chosen, client, wanted, published)


def one_leap(url: str, published: Published, start: str = "1.9") -> None:
    """From `start` to the newest version in one plan."""
    with opened(url) as (chosen, client):
        upgrade(chosen, client, next(d for d in released() if d.version == start))
        upgrade(chosen, client, released()[-1])
        at(chosen, client, released()[-1], published)
