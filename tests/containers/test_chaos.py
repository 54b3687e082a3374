"""Upgrades under misfortune chosen by a seed; TEMPORAL_VISIBILITY_CHAOS_SEED replays one, else each day has its own.

A seed that ended badly is printed with its faults; `python -m tests.containers.chaos` runs many.
"""

from __future__ import annotations

import datetime
import errno
import json
import os
from pathlib import Path

import pytest

from tests.containers import chaos, chaos_table, disk
from tests.engines.catalog import parse
from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_page_shows_what_was_recorded() -> None:
    lines = (ROOT / "tests" / "containers" / "chaos-record.jsonl").read_text(encoding="utf-8").splitlines()
    outcomes = [json.loads(line) for line in lines]
    assert len(outcomes) >= 200
    assert [one for one in outcomes if one["wrong"]] == []
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert "\n".join(chaos_table.table(outcomes)) in page


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


@pytest.mark.skipif(not disk.possible(), reason="only root can mount a disk that fills up")
def test_an_embedded_store_on_a_disk_that_fills_up(sqlite: EmbeddedHandle) -> None:
    with disk.small(sqlite.directory / "disk") as mounted:
        own = EmbeddedHandle(parse(sqlite.name), mounted.place)
        found = chaos.run(own, seed(), own.name, mounted)
        assert (found.faults[0].partition(" after")[0], found.wrong) == ("fill disk", []), found.faults


@pytest.mark.skipif(not disk.possible(), reason="only root can mount a disk that fills up")
def test_a_full_disk_refuses_and_a_freed_one_takes(tmp_path: Path) -> None:
    with disk.small(tmp_path / "disk") as mounted:
        file = mounted.place / "file"
        file.write_bytes(bytes(1 << 20))
        mounted.fill()
        with pytest.raises(OSError, match="No space left") as full:
            (mounted.place / "more").write_bytes(bytes(1 << 20))
        assert full.value.errno == errno.ENOSPC
        mounted.free()
        (mounted.place / "more").write_bytes(bytes(1 << 20))
        assert file.read_bytes() == bytes(1 << 20)
    assert not os.path.ismount(tmp_path / "disk")


@pytest.mark.long
@pytest.mark.faults
@pytest.mark.parametrize("more", range(10))
@pytest.mark.engines("postgresql", "mysql", "elasticsearch", "opensearch", "clickhouse", "sqlite", "chdb")
def test_every_store_and_its_upgrade(engine: Handle | EmbeddedHandle, more: int) -> None:
    survived(engine, seed() * 100 + more)
