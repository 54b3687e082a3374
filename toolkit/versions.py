"""The ordered chain of released definitions, and the checksums that keep released files as they were released.

It reads `schema/versions/` and `schema/checksums.txt`; it never writes and knows no engine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from itertools import zip_longest
from pathlib import Path

from toolkit.definition import Definition, Header, version_key
from toolkit.errors import DefinitionError, IntegrityError, Location, VersionError
from toolkit.load import load, load_header
from toolkit.overlay import Overlay, with_others
from toolkit.resources import schema_dir

WORKING = "working"
CHECKSUMS = "checksums.txt"


@cache
def chain() -> tuple[Definition, ...]:
    """All released versions, oldest first. Raises DefinitionError when a file is broken or misnamed."""
    return read_chain(schema_dir() / "versions")


def headers() -> tuple[Header, ...]:
    """What every released version says of itself, oldest first; much faster than `chain`. Raises DefinitionError."""
    found = (load_header(path) for path in (schema_dir() / "versions").glob("*.yaml"))
    return tuple(sorted(found, key=lambda header: version_key(header.version)))


def read_chain(folder: Path) -> tuple[Definition, ...]:
    """The definitions in `folder`, each file named by the version it holds."""
    found = []
    for path in folder.glob("*.yaml"):
        definition = load(path)
        if definition.version != path.stem:
            place = Location(str(path), 1, 1)
            raise DefinitionError("TV1018", f"the file holds version {definition.version}", "Rename the file.", place)
        found.append(definition)
    return tuple(sorted(found, key=lambda d: version_key(d.version)))


def working() -> Definition:
    """The definition being worked on. Raises DefinitionError."""
    return load(schema_dir() / "visibility.yaml")


def find(version: str) -> Definition:
    """The released definition of `version` (also `v13` by its Elasticsearch label, `latest`, or `working`).

    Raises VersionError when there is none.
    """
    if version == WORKING:
        return working()
    versions = chain()
    if version == "latest":
        return versions[-1]
    for definition in reversed(versions):
        if version == definition.version or version in definition.labels.elasticsearch:
            return definition
    known = ", ".join(d.version for d in versions)
    raise VersionError("TV2002", f"there is no schema version {version[:60]!r}", f"Versions: {known}.")


def over_any(overlay: Overlay) -> Overlay:
    """`overlay` with all released versions known to it: what it says of indexes may concern only some of them."""
    if overlay.without_indexes or overlay.indexes or overlay.partial_indexes:
        return with_others(overlay, chain())
    return overlay


def checksum_lines(files: Iterable[tuple[str, bytes]]) -> list[str]:
    """One line a file: hash, path. Each hash covers the line before, so that inserting or reordering is seen too."""
    lines: list[str] = []
    for name, content in files:
        lines.append(checksum_line(lines[-1] if lines else "", name, content))
    return lines


def checksum_line(before: str, name: str, content: bytes) -> str:
    """The line of one file, which follows the line `before`."""
    digest = hashlib.sha256(before.encode() + b"\0" + name.encode() + b"\0" + content).hexdigest()
    return f"{digest}  {name}"


def recorded_lines(folder: Path) -> list[str]:
    """The lines of `schema/checksums.txt`; none when there is no such file."""
    path = folder / CHECKSUMS
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []


def verify_released(folder: Path) -> None:
    """Raise IntegrityError when a released definition is not what it was, is gone, or was slipped in between."""
    recorded = [line for line in recorded_lines(folder) if line.partition("  ")[2].startswith("versions/")]
    paths = sorted((folder / "versions").glob("*.yaml"), key=lambda p: version_key(p.stem))
    current = checksum_lines((f"versions/{p.name}", p.read_bytes()) for p in paths)
    for old, new in zip_longest(recorded, current):
        if old is not None and old != new:
            name = old.partition("  ")[2]
            raise IntegrityError(
                "TV0002", f"schema/{name} is not what was released", "Restore it; a change needs a new version."
            )


def verify_all(folder: Path) -> None:
    """Raise IntegrityError when any file that `checksums.txt` names is not what was released."""
    recorded = recorded_lines(folder)
    names = [line.partition("  ")[2] for line in recorded]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing or not recorded:
        raise IntegrityError("TV0003", f"schema/{(missing or [CHECKSUMS])[0]} is missing", "Install the package again.")
    for old, new in zip(recorded, checksum_lines((n, (folder / n).read_bytes()) for n in names), strict=True):
        if old != new:
            raise IntegrityError("TV0002", f"schema/{old.partition('  ')[2]} is not what was released", "Restore it.")
