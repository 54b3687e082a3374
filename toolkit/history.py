"""Which released files are no longer what they were at a commit, a tag or a branch, as git remembers it.

It asks git and reads files; it never writes. Checksums of today do not count: they could have changed with the files.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import UsageError
from toolkit.tree import TREES
from toolkit.versions import CHECKSUMS, checksum_line

_LINEAGE = "lineage.json"
# What an entry of lineage.json says of a schema; the rest is words.
_FACTS = ("name", "version", "records", "fingerprint", "defect")
_PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Past:
    """What a commit holds: its checksums, its changelog ("" when it had none), and its list of published schemas."""

    ref: str
    lines: tuple[str, ...]
    changelog: str
    lineage: str


def past(folder: Path, ref: str) -> Past:
    """What was released at `ref` (any name git knows). Raises UsageError when git, the commit or its files are not
    there."""
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if not commit:
        raise UsageError("TV2051", f"git knows no commit {ref[:80]!r}", "In CI: fetch the whole history, with tags.")
    sums = _git(folder, "show", f"{commit.strip()}:./{CHECKSUMS}")
    if not sums:
        raise UsageError("TV2051", f"{ref} has no schema/{CHECKSUMS}", "Name a commit in which versions are released.")
    log, lineage = (_git(folder, "show", f"{commit.strip()}:./{name}") for name in ("../CHANGELOG.md", _LINEAGE))
    return Past(ref, tuple(sums.splitlines()), log or "", lineage or "{}")


def _git(folder: Path, *words: str) -> str | None:
    """What git says; None when it leaves with an error. Raises UsageError when it cannot be asked."""
    try:
        ran = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, timeout=_PATIENCE, encoding="utf-8", check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise UsageError("TV2050", f"git cannot be asked: {error}", "Install git.") from None
    if ran.returncode and ("not a git repository" in ran.stderr or "dubious ownership" in ran.stderr):
        hint = "Run this in a clone of the project." if "not a git" in ran.stderr else "git config safe.directory"
        raise UsageError("TV2050", f"git cannot read {folder}: {ran.stderr.strip().splitlines()[0][:200]}", hint)
    return None if ran.returncode else ran.stdout


def changed(folder: Path, then: Past) -> tuple[str, ...]:
    """Files that were released at `then` and are otherwise now, or gone; each judged for itself.

    The list of published schemas grows with every version: it has changed when it no longer says what it said.
    """
    return tuple(_changed(folder, then))


def _changed(folder: Path, then: Past) -> Iterator[str]:
    before = ""
    for line in then.lines:
        name = line.partition("  ")[2]
        if name == _LINEAGE:
            if _schemas(then.lineage) - _schemas(_read(folder / name).decode(errors="replace")):
                yield name
        elif name == TREES:
            # It follows from the YAML files, is current or not used, and has one more with every version.
            pass
        elif line != checksum_line(before, name, _read(folder / name)) or not (folder / name).is_file():
            yield name
        before = line


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b"{}"


def _schemas(text: str) -> set[tuple[str, ...]]:
    """None for what is no list of schemas, such as one in which a merge has left both sides."""
    try:
        engines = json.loads(text).get("engines", {})
    except ValueError:
        return set()
    return {(engine, *(str(one.get(fact)) for fact in _FACTS)) for engine, known in engines.items() for one in known}
