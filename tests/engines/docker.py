"""A Docker engine with compose v2: found, or, for root on Debian, installed and started.

Idempotent: where both answer it changes nothing. It never stops an engine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.engines.cache import cache_root, locked
from tests.engines.errors import Unavailable
from tests.engines.packages import debian_package, install, run
from tests.engines.processes import wait_until

ENGINE = "a Docker engine"
PLUGIN = "docker/cli-plugins/docker-compose"
START_SECONDS = 60


def ensure() -> str:
    """Make `docker info` and `docker compose version` work; what answers, in words. Unavailable when it cannot."""
    with locked(cache_root() / "locks" / "docker.lock"):
        if not engine_answers():
            _engine()
        if not compose_answers():
            _compose()
    versions = "engine {{.Server.Version}}, client {{.Client.Version}}"
    told = run(["docker", "version", "--format", versions], ENGINE, "start Docker").strip()
    compose = run(["docker", "compose", "version", "--short"], "docker compose", "install its plugin").strip()
    return f"{told}, compose {compose}"


def engine_answers() -> bool:
    return _works("docker", "info")


def compose_answers() -> bool:
    return _works("docker", "compose", "version")


def _works(*command: str) -> bool:
    if not shutil.which(command[0]):
        return False
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def _engine() -> None:
    if host := os.environ.get("DOCKER_HOST"):
        raise Unavailable(f"DOCKER_HOST={host} does not answer", "start that engine, or unset DOCKER_HOST")
    if os.geteuid() != 0:
        raise Unavailable("no Docker engine answers", "start Docker, and let this user use it (group docker)")
    if not shutil.which("dockerd") or not shutil.which("iptables"):
        install("docker.io", "iptables")
    if engine_answers():  # the package may have started it
        return
    log = Path(tempfile.gettempdir()) / "temporal-visibility-dockerd.log"
    with log.open("ab") as out:
        started = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd="/"
        )

    def ended() -> str | None:
        return "dockerd ended" if started.poll() is not None else None

    try:
        wait_until(engine_answers, START_SECONDS, ENGINE, unless=ended)
    except (RuntimeError, TimeoutError) as e:
        raise Unavailable(f"dockerd does not come up, see {log}", "run where containers may be started") from e
    started.returncode = 0  # it stays, for whoever comes next


def _compose() -> None:
    """Debian 12 has compose v1 only; trixie's v2 is one program, which runs there as a plugin."""
    how = "install Docker's compose plugin (version 2)"
    if not shutil.which("apt-get"):
        raise Unavailable("docker works, but `docker compose` is missing", how)
    unpacked = debian_package("trixie", "docker-compose")
    plugins = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    shutil.copy(unpacked / "usr/libexec" / PLUGIN, plugins)
    if not compose_answers():
        raise Unavailable(f"the compose plugin in {plugins} does not run", how)
