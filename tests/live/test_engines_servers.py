"""The harness itself: each server does what its handle promises, and a killed one keeps its data."""

from __future__ import annotations

import pytest

from tests.engines.errors import NotAllowed
from tests.live.engine_probe import read, write

pytestmark = pytest.mark.short


def test_a_database_of_its_own(engine):
    write(engine.url, "a")
    other = engine.new_database()
    assert other != engine.url
    write(other, "b")
    assert read(engine.url) == ["a"]
    assert read(other) == ["b"]


@pytest.mark.faults
@pytest.mark.engines("postgresql", "mysql", "elasticsearch", "opensearch", "clickhouse")
def test_kill_and_start_keeps_the_data(engine):
    write(engine.url, "before")
    engine.kill()
    with pytest.raises(Exception):  # each driver has its own
        read(engine.url)
    engine.start()
    assert read(engine.url) == ["before"]


@pytest.mark.engines("postgresql")
def test_a_shared_server_cannot_be_broken(engine):
    for act in (engine.stop, engine.kill, engine.pause, engine.cut):
        with pytest.raises(NotAllowed, match="faults"):
            act()
