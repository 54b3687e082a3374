"""Where a test run writes: a chosen place stays, and memory is taken only where there is plenty."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.engines import memory


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", tempfile.gettempdir())
    monkeypatch.setattr(memory.os.path, "ismount", lambda _: True)
    monkeypatch.setattr(memory, "ROOM", 0)
    monkeypatch.setattr(memory, "AVAILABLE", 0)


def test_plenty_of_memory_is_taken(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    memory.settle(environment, tmp_path)
    assert environment == {"TMPDIR": str(tmp_path)}
    assert tempfile.tempdir is None


@pytest.mark.parametrize("name", ["TMPDIR", "TEMPORAL_VISIBILITY_TEST_DIR"])
def test_a_chosen_place_stays(name: str, tmp_path: Path) -> None:
    environment = {name: "/var/tmp"}
    memory.settle(environment, tmp_path)
    assert environment == {name: "/var/tmp"}
    assert tempfile.tempdir is not None


@pytest.mark.parametrize("what", ["ROOM", "AVAILABLE"])
def test_little_memory_is_left_alone(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, what, 1 << 60)
    environment: dict[str, str] = {}
    memory.settle(environment, tmp_path)
    assert environment == {}


def test_no_such_place(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    memory.settle(environment, tmp_path / "none")
    assert environment == {}


def test_a_small_group_on_a_large_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    monkeypatch.setattr(memory, "AVAILABLE", 1 << 20)
    (tmp_path / "memory.max").write_text("2097152\n")
    (tmp_path / "memory.current").write_text("2000000\n")
    environment: dict[str, str] = {}
    memory.settle(environment, tmp_path)
    assert environment == {}
    (tmp_path / "memory.current").write_text("1000\n")
    memory.settle(environment, tmp_path)
    assert environment == {"TMPDIR": str(tmp_path)}
