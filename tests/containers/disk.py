"""A small disk that can be filled and freed at will: a memory file system of its own, whose size changes while in use.

Only root may mount; where that is not allowed there is no such disk. It never touches another file system.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOM = 4 << 30
# What is left of a full disk, so that it can shrink beside somebody who writes.
SLACK = 128 << 10


@dataclass(frozen=True)
class Disk:
    """The file system mounted at `place`. It takes memory for what is on it only."""

    place: Path

    def fill(self) -> None:
        """Leave no room. What is being written meanwhile makes it grow for a moment longer."""
        deadline = time.monotonic() + 10
        while True:
            now = os.statvfs(self.place)
            used = (now.f_blocks - now.f_bfree) * now.f_frsize
            if _mount("-o", f"remount,size={used + SLACK}", str(self.place)):
                return
            assert time.monotonic() < deadline, "the disk cannot be made small"

    def free(self) -> None:
        """All the room there was."""
        assert _mount("-o", f"remount,size={ROOM}", str(self.place))


def _mount(*words: str) -> bool:
    return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0


@cache
def possible() -> bool:
    """Whether this process may have such disks."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as place:
        if not _mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", place):
            return False
        _unmount(Path(place))
    return True


@contextlib.contextmanager
def small(place: Path) -> Iterator[Disk]:
    """A disk at `place`, a folder that is made; unmounted afterwards, whoever still has a file open on it."""
    place.mkdir(parents=True, exist_ok=True)
    assert _mount("-t", "tmpfs", "-o", f"size={ROOM},mode=755", "tmpfs", str(place)), "no disk can be mounted here"
    try:
        yield Disk(place)
    finally:
        _unmount(place)


def _unmount(place: Path) -> None:
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def release(folders: list[Path]) -> None:
    """Unmount what a killed process left mounted below `folders`."""
    mounted = [Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines()]
    for place in mounted:
        if any(place.is_relative_to(folder) for folder in folders):
            _unmount(place)
