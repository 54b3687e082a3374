"""The ordered chain of released definitions, and the checksums that keep released files as they were released.

It reads `schema/versions/` and `schema/checksums.txt`; it never writes and knows no engine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from toolkit.definition import Definition, version_key
from toolkit.errors import DefinitionError, IntegrityError, Location, VersionError
from toolkit.load import load
from toolkit.resources import schema_dir

WORKING = "working"
CHECKSUMS = "checksums.txt"


@cache
def chain() -> tuple[Definition, ...]:
    """All released versions, oldest first. Raises DefinitionError when a file is broken or misnamed."""
    return read_chain(schema_dir() / "versions")


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


def released_files(folder: Path) -> list[Path]:
    """What the checksums cover, in their order: definitions first, then every artefact by path."""
    definitions = sorted(folder.glob("versions/*.yaml"), key=lambda p: version_key(p.stem))
    others = (p for d in ("sql", "clickhouse", "elasticsearch") for p in (folder / d).rglob("*") if p.is_file())
    artefacts = sorted(p for p in others if p.suffix in {".sql", ".json", ".py"} and "__pycache__" not in p.parts)
    return [*definitions, *artefacts]


def checksum_lines(files: Iterable[tuple[str, bytes]]) -> list[str]:
    """One line a file: hash, path. Each hash covers the line before, so that inserting or reordering is seen too."""
    lines: list[str] = []
    for name, content in files:
        before = lines[-1].encode() if lines else b""
        digest = hashlib.sha256(before + b"\0" + name.encode() + b"\0" + content).hexdigest()
        lines.append(f"{digest}  {name}")
    return lines


def current_lines(folder: Path) -> list[str]:
    """The checksum lines as they would be written now."""
    return checksum_lines((p.relative_to(folder).as_posix(), p.read_bytes()) for p in released_files(folder))


def verify_checksums(folder: Path, lines: Sequence[str] | None = None) -> None:
    """Raise IntegrityError when a released file is not what it was, or one was added, removed or moved."""
    path = folder / CHECKSUMS
    recorded = path.read_text().splitlines() if path.exists() else []
    for old, new in zip(recorded, lines if lines is not None else current_lines(folder), strict=False):
        if old != new:
            name = new.partition("  ")[2]
            raise IntegrityError(
                "TV0002", f"schema/{name} is not what was released", "Restore it, or release a new version."
            )
    if len(recorded) != len(lines if lines is not None else current_lines(folder)):
        raise IntegrityError("TV0003", "files were added to or removed from schema/ since checksums.txt was written",
                             "Run `temporal-visibility schema generate`.")  # fmt: skip
