"""What a test has besides the shared servers: one more server of its own, and a small file system to put it on."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engines.processes import Command, start, wait_until
from tests.engines.runs import runs_root


@contextmanager
def running(command: Command, log: Path, probe: Callable[[], None], seconds: float, what: str) -> Iterator[None]:
    """The server of `command`, from the first time that `probe` raises nothing; killed afterwards."""
    process = start(command, log)

    def answers() -> bool:
        try:
            probe()
        except Exception:  # whatever the driver raises means: not yet
            return False
        return True

    def ended() -> str | None:
        return None if process.lives() else " | ".join(log.read_text().splitlines()[-5:])

    try:
        wait_until(answers, seconds, what, unless=ended)
        yield
    finally:
        process.send_tree(signal.SIGKILL)
        wait_until(lambda: not process.lives(), 30, f"the end of {what}")


@contextmanager
def small_file_system(megabytes: int) -> Iterator[Path]:
    """A file system in memory of this size, which everybody may enter."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    with tempfile.TemporaryDirectory(dir=runs_root()) as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", folder], check=True)
        Path(folder).chmod(0o755)
        try:
            yield Path(folder)
        finally:
            # A server's last threads may still be ending.
            wait_until(lambda: subprocess.run(["umount", folder], check=False).returncode == 0, 30, "umount")
