"""Directories that belong to a living process: runs, and what is unpacked or tried out on the way to the cache.

Each says who owns it, so that whoever comes after a killed owner finds what to end and remove. It ends nothing itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests.engines.processes import Process, current

PREFIX = "tv-eng-run-"
OWNER, STATE = "owner.json", "state.json"


def runs_root() -> Path:
    """Where runs live: $TEMPORAL_VISIBILITY_TEST_DIR, else the system's place for temporary files."""
    return Path(os.environ.get("TEMPORAL_VISIBILITY_TEST_DIR") or tempfile.gettempdir())


def owned(name: str = "") -> Path:
    """A new directory of this process, which servers may enter."""
    directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{name}", dir=runs_root()))
    claim(directory, keep=False)
    return directory


def claim(directory: Path, keep: bool) -> None:
    """Make this process the owner of a directory; with `keep` it belongs to nobody and stays."""
    directory.chmod(0o755)
    (directory / OWNER).write_text(json.dumps({"keep": True} if keep else asdict(current())))


def note(directory: Path, process: Process) -> None:
    """Say which process works in a folder of an owned directory, so that it can be ended."""
    (directory / STATE).write_text(json.dumps(asdict(process)))


@contextlib.contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A directory for the time of one job."""
    directory = owned(f"{name}-")
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def abandoned() -> list[Path]:
    """The directories whose owners are dead."""
    found = []
    for directory in runs_root().glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            owner = json.loads((directory / OWNER).read_text())
            if not owner.get("keep") and not Process(owner["pid"], owner["started"]).lives():
                found.append(directory)
    return found
