"""docs/codes.md lists every code the program can show, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CODE = re.compile(r"TV\d{4}")


def in_the_program() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "toolkit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                found.add(node.value)
    return found


def test_every_code_is_documented_once() -> None:
    rows = re.findall(r"^\| (TV\d{4}) \|", (ROOT / "docs" / "codes.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(in_the_program())
