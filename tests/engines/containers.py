"""One server as a container of compose.yaml: the same handles as a process has, by pytest-docker's compose executor.

The run's name is the compose project's, so that runs side by side never meet. It decides nothing about images.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_docker.plugin import DockerComposeExecutor, get_docker_ip

from tests.engines import docker, images
from tests.engines.authority import Authority
from tests.engines.catalog import Kind, parse
from tests.engines.engine import Address
from tests.engines.ports import free_port
from tests.engines.processes import wait_until
from tests.engines.starting import Start, bring_up, finished, locked_directory, noted, was_ready

COMPOSE = Path(__file__).with_name("compose.yaml")
STATE, VARIABLES, MARK = "state.json", "compose.env", "containers"
AUTHORITY = "authority"
STOP_SECONDS, START_SECONDS = 60, 300


def project(run: Path, variables: Path | None = None) -> DockerComposeExecutor:
    """Compose for the run in this directory, with a file of variables for compose.yaml."""
    command = f'docker compose --ansi never --env-file "{variables}"' if variables else "docker compose --ansi never"
    return DockerComposeExecutor(command, str(COMPOSE), run.name.lower())


def remove(run: Path) -> None:
    """End the containers of a run, with their data; nothing when it had none."""
    if (run / MARK).exists():
        project(run).execute("--profile '*' down --volumes --remove-orphans --timeout 0")


@dataclass(frozen=True, slots=True)
class Container:
    """One server in a container; every process of a run may hold this value and call it."""

    kind: Kind
    directory: Path

    @property
    def address(self) -> Address:
        engine = self.kind.definition
        return Address(get_docker_ip(), self._ports()[self.kind.name], engine.user, engine.password)

    @property
    def authority(self) -> Authority:
        """The run's certificate authority."""
        return Authority(self.directory.parent / AUTHORITY)

    def url(self, database: str, address: Address) -> str:
        """The URL of a database by the given way to the server."""
        return self.kind.definition.url(address, database)

    def neighbours(self) -> list[Address]:
        """The other members of its cluster that tests may talk to."""
        ports = self._ports()
        return [replace(self.address, port=port) for name, port in ports.items() if name != self.kind.name]

    def secured(self) -> Container | None:
        """A server with security of its own: there is none in a container."""
        return None

    @property
    def limits(self) -> str:
        """What a stand-in cannot do; the official image can do everything."""
        start = noted(self.directory)
        return self.kind.version.limits if start and images.PREFIX in start.how else ""

    def up(self) -> None:
        """Make sure that the server runs and answers; starts it (with the data it had) when it does not.

        Unavailable when it cannot be had; the reason is remembered for the rest of the run.
        """
        bring_up(self.directory, self.lives, self._start)

    def _start(self) -> None:
        again, began = was_ready(self.directory), time.monotonic()
        image = "" if again else self._prepare()
        for name in self.kind.definition.needs:
            Container(parse(name), self.directory.parent / name).up()
        prepared = time.monotonic()
        companions = " ".join(self.kind.definition.companions)
        self._compose(f"up --detach --no-deps --no-recreate --quiet-pull {self.kind.name} {companions}")
        self._wait()
        if not again:
            if furnish := self.kind.definition.furnish:
                furnish(replace(self.address, user=self.kind.definition.administrator or self.address.user))
            self.kind.definition.probe(self.address)
            how = f"container of {image}"
            told, started = self.kind.definition.told(self.address), time.monotonic() - prepared
            finished(self.directory, Start(how, told, prepared - began, started))

    def _prepare(self) -> str:
        """Write the variables for compose; the image's name."""
        docker.ensure()
        image = images.choose(self.kind, self.directory.parent)
        published = [self.kind.name, *(c for c in self.kind.definition.companions if not c.endswith("keeper"))]
        ports = {name: free_port() for name in published}
        shutil.rmtree(self.directory / "tls", ignore_errors=True)
        self.authority.copy_for_server(self.directory / "tls")
        values = {images.variable(self.kind): image, "TLS_DIRECTORY": str(self.directory / "tls")}
        values |= {f"{images.service(name)}_PORT": str(port) for name, port in ports.items()}
        _write_variables(self.directory / VARIABLES, values)
        (self.directory / STATE).write_text(json.dumps({"ports": ports}))
        (self.directory.parent / MARK).touch()
        return image

    def _wait(self) -> None:
        engine = self.kind.definition
        account = replace(self.address, user=engine.administrator or self.address.user)

        def answers() -> bool:
            try:
                engine.probe(account)
            except Exception:  # whatever a driver raises means: not yet
                return False
            return True

        def ended() -> str | None:
            return None if self.lives() else f"the container ended: {self._last_words()}"

        wait_until(answers, START_SECONDS, f"{self.kind.name} does not answer", unless=ended)

    def lives(self) -> bool:
        if not (self.directory / STATE).exists():
            return False
        running = self._compose(f"ps --quiet --status running --status paused {self.kind.name}")
        return bool(running.strip())

    def stop(self) -> None:
        """Ask the server to end, and wait until it has."""
        self.resume()
        with locked_directory(self.directory):
            self._compose(f"stop --timeout {STOP_SECONDS} {self.kind.name}")

    def kill(self) -> None:
        """End the server and all its processes at once, as a crash does (SIGKILL)."""
        with locked_directory(self.directory):
            self._compose(f"kill --signal SIGKILL {self.kind.name}")
            wait_until(lambda: not self.lives(), STOP_SECONDS, f"{self.kind.name} does not end")

    def pause(self) -> None:
        """Freeze the server: connections stay open and nothing is answered."""
        self._compose(f"pause {self.kind.name}")

    def resume(self) -> None:
        if self._compose(f"ps --quiet --status paused {self.kind.name}").strip():
            self._compose(f"unpause {self.kind.name}")

    def _compose(self, command: str) -> str:
        run = self.directory.parent
        return bytes(project(run, self.directory / VARIABLES).execute(f"--profile '*' {command}")).decode()

    def _ports(self) -> dict[str, int]:
        return dict(json.loads((self.directory / STATE).read_text())["ports"])

    def _last_words(self) -> str:
        said = self._compose(f"logs --no-color --no-log-prefix --tail 3 {self.kind.name}").splitlines()
        return " | ".join(line.strip() for line in said if line.strip()) or "it said nothing"


def _write_variables(path: Path, values: Mapping[str, str]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
