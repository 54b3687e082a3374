"""One server as processes of this machine, with its data in a directory of the run.

Every process of a run may hold a Server and call it: what is known of it lies in files. It never touches another
run's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.engines.authority import Authority
from tests.engines.catalog import Kind, parse
from tests.engines.engine import NEEDED, Address
from tests.engines.ports import free_port
from tests.engines.processes import Command, Process, give_away, start, wait_until
from tests.engines.starting import Start, bring_up, finished, locked_directory, was_ready

AUTHORITY = "authority"


def recorded(directory: Path) -> Process | None:
    """The process of the server whose directory this is; it may be dead."""
    try:
        state = json.loads((directory / "state.json").read_text())
        return Process(state["pid"], state["started"])
    except (OSError, ValueError, KeyError):
        return None


@dataclass(frozen=True, slots=True)
class Server:
    """One server process and its data; every process of a run may hold this value and call it."""

    kind: Kind
    directory: Path

    @property
    def address(self) -> Address:
        engine = self.kind.definition
        ca = str(self.authority.ca) if engine.tls else ""
        return Address("127.0.0.1", self._state()["port"], engine.user, engine.password, engine.tls, ca)

    @property
    def authority(self) -> Authority:
        """The run's certificate authority."""
        return Authority(self.directory.parent / AUTHORITY)

    def url(self, database: str, address: Address) -> str:
        """The URL of a database by the given way to the server."""
        return self.kind.definition.url(address, database)

    def neighbours(self) -> list[Address]:
        """Other members of its cluster: a process has none."""
        return []

    def secured(self) -> Server | None:
        """The server of the same version that has TLS and accounts of its own, running; None when there is none."""
        if self.kind.secured is None:
            return None
        twin = Server(self.kind.secured, self.directory.parent / self.kind.secured.name)
        twin.up()
        return twin

    @property
    def limits(self) -> str:
        """What the programs of this version cannot do."""
        return self.kind.version.limits

    def up(self) -> None:
        """Make sure that the server runs and answers; starts it (with the data it had) when it does not.

        Unavailable when it cannot be had; the reason is remembered for the rest of the run.
        """
        bring_up(self.directory, self.lives, self._start)

    def _start(self) -> None:
        engine = self.kind.definition
        began = time.monotonic()
        needed = self._start_needed()
        home = engine.prepare(self.kind.label)
        prepared = time.monotonic()
        if not was_ready(self.directory):
            for remains in self.directory.iterdir():
                shutil.rmtree(remains) if remains.is_dir() else remains.unlink()
            self.authority.copy_for_server(self.directory / "tls")
            engine.initialise(home, self.directory)
            give_away(self.directory)
        (self.directory / NEEDED).write_text(json.dumps(needed))
        for attempt in (1, 2, 3):
            again = was_ready(self.directory)
            port = self._state()["port"] if again else free_port()
            command = engine.command(home, self.directory, port)
            try:
                self._launch(command, port)
                break
            except RuntimeError:
                if again or attempt == 3 or not _port_taken(self.directory / "log"):
                    raise
        started = time.monotonic() - prepared
        finished(self.directory, Start("process", engine.told(self.address), prepared - began, started))

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
        found = recorded(self.directory)
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
        with locked_directory(self.directory):
            if found := recorded(self.directory):
                members = [found.pid, *found.tree()]
                found.send(signal.SIGCONT)
                found.send(signal.Signals(self._state()["stop"]))
                self._wait_gone(found, members)

    def kill(self) -> None:
        """End the server and all its processes at once, as a crash does (SIGKILL)."""
        with locked_directory(self.directory):
            if found := recorded(self.directory):
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
        if found := recorded(self.directory):
            found.send_tree(signal.SIGSTOP)

    def resume(self) -> None:
        if found := recorded(self.directory):
            found.send_tree(signal.SIGCONT)

    def memory(self) -> int:
        found = recorded(self.directory)
        return found.memory() if found else 0

    def _state(self) -> dict[str, int]:
        state: dict[str, int] = json.loads((self.directory / "state.json").read_text())
        return state


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:]) or "it said nothing"


def _port_taken(log: Path) -> bool:
    said = log.read_text(errors="replace")[-5000:].lower()
    return "address already in use" in said or "bind" in said
