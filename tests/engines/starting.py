"""What all ways of starting a server have in common: one starter at a time, remembered failures, notes for the table.

Files in the server's directory are the notes. It starts nothing itself.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.engines.cache import locked
from tests.engines.errors import Unavailable

READY, FAILED = "ready", "failed"


@dataclass(frozen=True, slots=True)
class Start:
    """How a server came up: in which way, the version it tells, and the seconds that preparing and starting took."""

    how: str
    told: str
    prepared: float
    started: float


def bring_up(directory: Path, lives: Callable[[], bool], start: Callable[[], None]) -> None:
    """Call `start` unless the server lives or has failed in this run; Unavailable when it fails the first time."""
    with locked_directory(directory):
        if (directory / FAILED).exists():
            raise Unavailable((directory / FAILED).read_text())
        if lives():
            return
        try:
            start()
        except Exception as e:
            if was_ready(directory):
                raise
            said = " ".join(str(e).split()) if isinstance(e, Unavailable) else f"{type(e).__name__}: {e}"
            (directory / FAILED).write_text(said)
            raise Unavailable(said) from e


@contextlib.contextmanager
def locked_directory(directory: Path) -> Iterator[None]:
    """Hold the server of this directory, which is made when it is not there."""
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)
    with locked(directory.with_suffix(directory.suffix + ".lock")):
        yield


def was_ready(directory: Path) -> bool:
    """Whether the server has answered before: then its data is there."""
    return (directory / READY).exists()


def finished(directory: Path, start: Start) -> None:
    """Note that the server answers; what is noted of the first time stays."""
    if not was_ready(directory):
        (directory / READY).write_text(json.dumps(asdict(start)))


def noted(directory: Path) -> Start | None:
    """How the server came up; None when it did not."""
    return Start(**json.loads((directory / READY).read_text())) if was_ready(directory) else None


def failure(directory: Path) -> str:
    """Why the server could not be started; empty when nothing failed."""
    return (directory / FAILED).read_text() if (directory / FAILED).exists() else ""


def forget_failure(directory: Path) -> None:
    """Let the next try start it again."""
    (directory / FAILED).unlink(missing_ok=True)
