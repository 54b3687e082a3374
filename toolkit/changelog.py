"""What CHANGELOG.md must say of schema versions and of released files that changed, and the skeleton of an entry.

Pure: texts in, texts and names out. It reads and writes no file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from toolkit.errors import UsageError

_ENTRY = re.compile(r"^- Schema (?P<version>\d+(?:\.\d+)*): (?P<text>\S.*)$", re.MULTILINE)
_CHANGED = re.compile(r"^- Changed after release: `(?P<files>\S+)`: (?P<reason>\S.*)$", re.MULTILINE)
_UNRELEASED = re.compile(r"^## Unreleased[ \t]*$", re.MULTILINE)
TODO = "TODO"
_SKELETON = f"{TODO}: what it brings, who should upgrade, and what the upgrade costs."


def unwritten(text: str, versions: Sequence[str]) -> tuple[str, ...]:
    """The versions without a line `- Schema VERSION: TEXT`, or whose TEXT is still the skeleton's."""
    written = {entry["version"] for entry in _ENTRY.finditer(text) if not entry["text"].startswith(TODO)}
    return tuple(version for version in versions if version not in written)


def with_entry(text: str, version: str) -> str:
    """The changelog with a skeleton for `version` first under "Unreleased"; as it is when there is an entry.

    Raises UsageError when there is no such heading.
    """
    if any(entry["version"] == version for entry in _ENTRY.finditer(text)):
        return text
    heading = _UNRELEASED.search(text)
    if heading is None:
        raise UsageError("TV2052", "CHANGELOG.md has no heading `## Unreleased`", "Write one; the entry goes below it.")
    rest = text[heading.end() :].lstrip("\n")
    gap = "" if rest.startswith("- ") else "\n"
    return f"{text[: heading.end()]}\n\n- Schema {version}: {_SKELETON}\n{gap}{rest}"


def unexplained(files: Sequence[str], text: str, before: str) -> tuple[str, ...]:
    """Those of `files` (below schema/) that no line of `text` explains which `before` did not have.

    A line is `- Changed after release: `FILES`: WHY`, where FILES may have `*` in it. Definitions have no such way.
    """
    old = {line.group() for line in _CHANGED.finditer(before)}
    patterns = [line["files"] for line in _CHANGED.finditer(text) if line.group() not in old]
    return tuple(
        name
        for name in files
        if name.startswith("versions/") or not any(fnmatchcase(f"schema/{name}", pattern) for pattern in patterns)
    )
