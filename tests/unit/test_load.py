"""Broken definition files: each case of tests/cases/load_errors must give exactly the error in its .txt file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit import document
from toolkit.errors import DefinitionError
from toolkit.load import loads

CASES = Path(__file__).resolve().parent.parent / "cases" / "load_errors"


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda p: p.stem)
def test_error_says_where_what_and_what_was_expected(path: Path) -> None:
    with pytest.raises(DefinitionError) as caught:
        loads(path.read_text(encoding="utf-8"), path.name)
    error = caught.value
    told = f"{error.location}\n{error.code}\n{error.message}\n{error.hint}".rstrip() + "\n"
    golden = path.with_suffix(".txt")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")
    assert error.exit_code == 2


def test_every_golden_text_has_its_case() -> None:
    assert {p.stem for p in CASES.glob("*.txt")} == {p.stem for p in CASES.glob("*.yaml")}


def test_a_file_without_an_end_is_not_read_to_it() -> None:
    assert document.beginning(Path("/dev/zero"), 10) == bytes(11)
    with pytest.raises(DefinitionError, match="larger than"):
        document.read(Path("/dev/zero"), lambda value: value)
