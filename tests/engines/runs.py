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
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.engines import authority
from tests.engines.authority import Authority
from tests.engines.cache import locked
from tests.engines.catalog import Kind, parse
from tests.engines.engine import NEEDED, Address
from tests.engines.errors import Unavailable
from tests.engines.ports import free_port
from tests.engines.processes import Command, Process, current, give_away, start, wait_until

PREFIX = "tv-eng-run-"
AUTHORITY = "authority"


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
        """The server of this version; it is not started by asking."""
        return Server(kind, self.directory / kind.name)

    def servers(self) -> list[Path]:
        return [path.parent for path in self.directory.glob("*/state.json")]

    def end(self) -> None:
        """Stop every server and remove the directory."""
        processes = [found for path in self.servers() if (found := _recorded(path))]
        for found in processes:
            found.send_tree(signal.SIGKILL)
        for found in processes:
            with contextlib.suppress(TimeoutError):
                wait_until(lambda found=found: not found.lives(), 20, "a killed server is still there")  # type: ignore[misc]
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


def _recorded(directory: Path) -> Process | None:
    try:
        state = json.loads((directory / "state.json").read_text())
    except (OSError, ValueError):
        return None
    return Process(state["pid"], state["started"])


@dataclass(frozen=True, slots=True)
class Server:
    """One server process and its data; every process of a run may hold this value and call it."""

    kind: Kind
    directory: Path

    @property
    def address(self) -> Address:
        engine = self.kind.definition
        return Address("127.0.0.1", self._state()["port"], engine.user, engine.password)

    @property
    def authority(self) -> Authority:
        """The run's certificate authority."""
        return Authority(self.directory.parent / AUTHORITY)

    def up(self) -> None:
        """Make sure that the server runs and answers; starts it (with the data it had) when it does not.

        Unavailable when it cannot be had; the reason is remembered for the rest of the run.
        """
        with self._locked():
            if (self.directory / "failed").exists():
                raise Unavailable((self.directory / "failed").read_text())
            if self.lives():
                return
            try:
                self._start()
            except Exception as e:
                if not (self.directory / "ready").exists():
                    said = str(e) if isinstance(e, Unavailable) else f"{type(e).__name__}: {e}"
                    (self.directory / "failed").write_text(said)
                    raise Unavailable(said) from e
                raise

    def forget_failure(self) -> None:
        """Let the next `up` try again."""
        (self.directory / "failed").unlink(missing_ok=True)

    def _start(self) -> None:
        engine = self.kind.definition
        began = time.monotonic()
        needed = self._start_needed()
        home = engine.prepare(self.kind.label)
        prepared = time.monotonic()
        if not (self.directory / "ready").exists():
            for remains in self.directory.iterdir():
                shutil.rmtree(remains) if remains.is_dir() else remains.unlink()
            self.authority.copy_for_server(self.directory / "tls")
            engine.initialise(home, self.directory)
            give_away(self.directory)
        (self.directory / NEEDED).write_text(json.dumps(needed))
        for attempt in (1, 2, 3):
            again = (self.directory / "ready").exists()
            port = self._state()["port"] if again else free_port()
            command = engine.command(home, self.directory, port)
            try:
                self._launch(command, port)
                break
            except RuntimeError:
                if again or attempt == 3 or not _port_taken(self.directory / "log"):
                    raise
        if not (self.directory / "ready").exists():
            times = {"prepared": round(prepared - began, 2), "started": round(time.monotonic() - prepared, 2)}
            (self.directory / "ready").write_text(json.dumps(times))

    def _start_needed(self) -> dict[str, str]:
        addresses = {}
        for name in self.kind.definition.needs:
            server = Server(parse(name), self.directory.parent / name)
            server.up()
            addresses[name] = f"{server.address.host}:{server.address.port}"
        return addresses

    def _launch(self, command: Command, port: int) -> None:
        log = self.directory / "log"
        log.touch()
        found = start(command, log)
        state = {"pid": found.pid, "started": found.started, "port": port, "stop": command.stop_signal}
        temporary = self.directory / "state.new"
        temporary.write_text(json.dumps(state))
        temporary.rename(self.directory / "state.json")
        engine = self.kind.definition

        def ended() -> str | None:
            return None if found.lives() else f"the server ended: {_last_words(log)}"

        try:
            wait_until(self.answers, engine.start_seconds, f"{self.kind.name} does not answer", unless=ended)
        except BaseException:
            found.send_tree(signal.SIGKILL)
            raise

    def lives(self) -> bool:
        found = _recorded(self.directory)
        return found is not None and found.lives()

    def answers(self) -> bool:
        """Whether the server does its work now."""
        try:
            self.kind.definition.probe(self.address)
        except Exception:  # whatever a driver raises means: not yet
            return False
        return True

    def stop(self) -> None:
        """Ask the server to end, and wait until it has."""
        with self._locked():
            if found := _recorded(self.directory):
                members = [found.pid, *found.tree()]
                found.send(signal.SIGCONT)
                found.send(signal.Signals(self._state()["stop"]))
                self._wait_gone(found, members)

    def kill(self) -> None:
        """End the server and all its processes at once, as a crash does (SIGKILL)."""
        with self._locked():
            if found := _recorded(self.directory):
                members = found.tree()
                found.send_tree(signal.SIGKILL)
                self._wait_gone(found, members)

    def _wait_gone(self, found: Process, members: list[int]) -> None:
        wait_until(lambda: not found.lives(), 60, f"{self.kind.name} does not end")
        for pid in members[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def pause(self) -> None:
        """Freeze the server: connections stay open and nothing is answered."""
        if found := _recorded(self.directory):
            found.send_tree(signal.SIGSTOP)

    def resume(self) -> None:
        if found := _recorded(self.directory):
            found.send_tree(signal.SIGCONT)

    def memory(self) -> int:
        found = _recorded(self.directory)
        return found.memory() if found else 0

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.directory.mkdir(exist_ok=True)
        self.directory.chmod(0o755)
        with locked(self.directory.with_suffix(self.directory.suffix + ".lock")):
            yield

    def _state(self) -> dict[str, int]:
        state: dict[str, int] = json.loads((self.directory / "state.json").read_text())
        return state


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:]) or "it said nothing"


def _port_taken(log: Path) -> bool:
    said = log.read_text(errors="replace")[-5000:].lower()
    return "address already in use" in said or "bind" in said
