"""A run: one directory that holds all servers which one test run (or one `up` command) started, shared by its
processes.

A server belongs to a run and dies with it. Runs that were killed are found by their dead owner and cleaned; living
ones are left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.engines import authority, containers
from tests.engines.catalog import Kind
from tests.engines.containers import Container
from tests.engines.process_server import AUTHORITY, Server, recorded
from tests.engines.processes import Process, current, wait_until

PREFIX = "tv-eng-run-"


def runs_root() -> Path:
    return Path(os.environ.get("TEMPORAL_VISIBILITY_TEST_DIR") or tempfile.gettempdir())


@dataclass(frozen=True, slots=True)
class Run:
    """The directory of a run."""

    directory: Path

    @staticmethod
    def begin(name: str = "", keep: bool = False) -> Run:
        """A new run owned by this process; with `keep` it lives until `end`, whoever started it."""
        directory = (
            Path(tempfile.mkdtemp(prefix=PREFIX, dir=runs_root())) if not name else runs_root() / f"{PREFIX}{name}"
        )
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)
        (directory / "owner.json").write_text(json.dumps({"keep": True} if keep else asdict(current())))
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
    cleaned = []
    for directory in runs_root().glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            owner = json.loads((directory / "owner.json").read_text())
            if not owner.get("keep") and not Process(owner["pid"], owner["started"]).lives():
                Run(directory).end()
                cleaned.append(directory.name)
    return cleaned
