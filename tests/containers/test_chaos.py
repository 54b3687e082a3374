"""Upgrades under misfortune chosen by a seed; TEMPORAL_VISIBILITY_CHAOS_SEED replays one, else each day has its own.

A seed that ended badly is printed with its faults; `python -m tests.containers.chaos` runs many.
"""

from __future__ import annotations

import datetime
import os

import pytest

from tests.containers import chaos
from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle


def seed() -> int:
    given = os.environ.get("TEMPORAL_VISIBILITY_CHAOS_SEED")
    return int(given) if given else datetime.date.today().toordinal()


def survived(handle: Handle | EmbeddedHandle, number: int) -> None:
    print(f"TEMPORAL_VISIBILITY_CHAOS_SEED={number}")
    found = chaos.run(handle, number, handle.name)
    assert found.wrong == [], f"seed {number}: {found.faults}"


@pytest.mark.faults
def test_a_server_and_its_upgrade(postgresql: Handle) -> None:
    survived(postgresql, seed())


def test_an_embedded_store_and_its_upgrade(sqlite: EmbeddedHandle) -> None:
    survived(sqlite, seed())


@pytest.mark.long
@pytest.mark.faults
@pytest.mark.parametrize("more", range(10))
@pytest.mark.engines("postgresql", "mysql", "elasticsearch", "opensearch", "clickhouse", "sqlite", "chdb")
def test_every_store_and_its_upgrade(engine: Handle | EmbeddedHandle, more: int) -> None:
    survived(engine, seed() * 100 + more)
