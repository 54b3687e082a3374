"""What a test has besides the shared servers: one more server of its own, and a small file system to put it on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engines import authority
from tests.engines.catalog import parse
from tests.engines.handles import Handle, alone
from tests.engines.process_server import AUTHORITY, Server
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


@contextmanager
def on_a_small_disk(handle: Handle, megabytes: int) -> Iterator[tuple[Handle, Path]]:
    """One more server of the version of `handle`, whose data is on a file system of its own; and where that is."""
    with small_file_system(megabytes) as folder:
        authority.create(folder / AUTHORITY)
        server = Server(parse(handle.name), folder / "server")
        try:
            with alone(server) as mine:
                yield mine, folder
        finally:
            server.kill()


def fill(folder: Path, left: int) -> None:
    """Take the room of a small file system, but for `left` bytes."""
    with filler(folder).open("wb") as file:
        while True:
            disk = os.statvfs(folder)
            try:
                return os.posix_fallocate(file.fileno(), 0, max(1, disk.f_bavail * disk.f_frsize - left))
            except OSError as error:
                # A server that writes meanwhile was quicker.
                if error.errno != errno.ENOSPC or disk.f_bavail == 0:
                    raise


def filler(folder: Path) -> Path:
    """The file that `fill` makes; without it there is room again."""
    return folder / "filler"
