"""Where a test run writes: in memory where there is plenty of it, on the disk elsewhere.

A server that is started, migrated and thrown away waits for its disk longer than it works. Nothing here outlives the
run, and what a kill leaves behind in memory is the same as what it leaves on a disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
GROUP = Path("/sys/fs/cgroup")
# The two ways in which Linux says what a group may have, and has.
LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
_GIBIBYTE = 1 << 30
# A whole run was seen with 0.4 GiB of files and 3 GiB of memory in use; long tests, and runs side by side, take more.
ROOM, AVAILABLE = 8 * _GIBIBYTE, 16 * _GIBIBYTE
# Where somebody has said where temporary files go, they go there.
_CHOSEN = ("TMPDIR", "TEMPORAL_VISIBILITY_TEST_DIR")


def settle(environment: MutableMapping[str, str], folder: Path = SHARED_MEMORY) -> None:
    """Have temporary files of this process, and of those it starts, in memory, unless there is too little of it or
    `environment` names a place."""
    if any(environment.get(name) for name in _CHOSEN) or not _roomy(folder):
        return
    environment["TMPDIR"] = str(folder)
    # Python looks once, and has done so by now.
    tempfile.tempdir = None


def _roomy(folder: Path) -> bool:
    if not os.path.ismount(folder) or not os.access(folder, os.W_OK | os.X_OK):
        return False
    # Java's servers unpack libraries among their temporary files.
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return False
    return shutil.disk_usage(folder).free >= ROOM and _available() >= AVAILABLE


def _available() -> int:
    """Bytes of memory that can be had, by the machine and by the group of processes we are in; 0 where nothing says
    so."""
    lines = _read(Path("/proc/meminfo")).splitlines()
    machine = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
    # Files in memory count as the group's own.
    groups = ((_read(GROUP / most).strip(), _read(GROUP / used).strip()) for most, used in LIMITS)
    return min([machine, *(int(most) - int(used) for most, used in groups if most.isdigit() and used.isdigit())])


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
