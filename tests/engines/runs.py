"""A run: one directory that holds all servers which one test run (or one `up` command) started, shared by its
processes.

A server belongs to a run and dies with it. Runs that were killed are found by their dead owner and cleaned; living
ones are left alone.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.engines import authority, containers
from tests.engines.catalog import Kind
from tests.engines.containers import Container
from tests.engines.leftovers import PREFIX, abandoned, claim, owned, runs_root
from tests.engines.process_server import AUTHORITY, Server, recorded
from tests.engines.processes import wait_until


@dataclass(frozen=True, slots=True)
class Run:
    """The directory of a run."""

    directory: Path

    @staticmethod
    def begin(name: str = "", keep: bool = False) -> Run:
        """A new run owned by this process; with `keep` it lives until `end`, whoever started it."""
        directory = runs_root() / f"{PREFIX}{name}" if name else owned()
        directory.mkdir(exist_ok=True)
        claim(directory, keep)
        if not (directory / AUTHORITY).exists():
            authority.create(directory / AUTHORITY)
        return Run(directory)

    def server(self, kind: Kind) -> Server:
        """The server of this version as a process; it is not started by asking."""
        return Server(kind, self.directory / kind.name)

    def container(self, kind: Kind) -> Container:
        """The server of this version in a container; it is not started by asking."""
        return Container(kind, self.directory / kind.name)

    def servers(self) -> list[Path]:
        return [path.parent for path in self.directory.glob("*/state.json")]

    def end(self) -> None:
        """Stop every server and remove the directory."""
        processes = [found for path in self.servers() if (found := recorded(path))]
        for found in processes:
            found.send_tree(signal.SIGKILL)
        for found in processes:
            with contextlib.suppress(TimeoutError):
                wait_until(lambda found=found: not found.lives(), 20, "a killed server is still there")  # type: ignore[misc]
        containers.remove(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)


def clean_leftovers() -> list[str]:
    """End the runs whose owner died without ending them; their names."""
    found = abandoned()
    for directory in found:
        Run(directory).end()
    return [directory.name for directory in found]
