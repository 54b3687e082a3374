"""Servers in containers for the length of a proof: official images, started by Docker's command, gone afterwards.

It knows how each image is told its password and asked whether it is ready; it touches no container it did not start.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from toolkit.engines import engine
from toolkit.errors import ConnectionFailed, TargetError, ToolkitError, UsageError
from toolkit.targets import Target, parse_url

READY_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Image:
    """An official image: `environment` and `url` may have `{password}` in them; `url` also `{port}`."""

    name: str
    port: int
    environment: Mapping[str, str]
    url: str
    arguments: tuple[str, ...] = ()


IMAGES: Mapping[str, Image] = {
    "postgresql": Image("postgres:17", 5432, {"POSTGRES_PASSWORD": "{password}"},
                        "postgresql://postgres:{password}@127.0.0.1:{port}/postgres"),
    "mysql": Image("mysql:8.4", 3306, {"MYSQL_ROOT_PASSWORD": "{password}", "MYSQL_DATABASE": "verify"},
                   "mysql://root:{password}@127.0.0.1:{port}/verify",
                   ("--log-bin-trust-function-creators=1",)),
    "elasticsearch": Image("docker.elastic.co/elasticsearch/elasticsearch:8.19.0", 9200,
                           {"discovery.type": "single-node", "xpack.security.enabled": "false",
                            "ES_JAVA_OPTS": "-Xms512m -Xmx512m"},
                           "elasticsearch+http://127.0.0.1:{port}/verify"),
    "clickhouse": Image("clickhouse/clickhouse-server:25.8", 8123,
                        {"CLICKHOUSE_USER": "verify", "CLICKHOUSE_PASSWORD": "{password}", "CLICKHOUSE_DB": "verify",
                         "CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT": "1"},
                        "clickhouse+http://verify:{password}@127.0.0.1:{port}/verify"),
}  # fmt: skip


def images(words: Sequence[str]) -> dict[str, str]:
    """ENGINE=IMAGE, as the command line gives them. UsageError for an engine without an image."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, image = word.partition("=")
        if name not in IMAGES or not equals or not image or image.startswith("-"):
            raise UsageError("TV2082", f"{word[:80]!r} names no image", f"ENGINE=IMAGE; engines: {', '.join(IMAGES)}.")
        found[name] = image
    return found


@contextmanager
def running(name: str, others: Mapping[str, str]) -> Iterator[Target]:
    """A server of the engine `name` that takes connections. Raises UsageError (no such image), ToolkitError (Docker
    does not answer, the image cannot be had, or the server does not get ready)."""
    if name not in IMAGES:
        raise UsageError("TV2082", f"there is no image for {name}", f"Engines in containers: {', '.join(IMAGES)}.")
    image, password = IMAGES[name], secrets.token_urlsafe(12)
    # Named by us: whoever is stopped while Docker starts it knows nothing else of it.
    container = f"temporal-visibility-{secrets.token_hex(6)}"
    try:
        _docker(
            "run", "--detach", "--rm", "--name", container, "--publish", f"127.0.0.1::{image.port}",
            "--label", "temporal-visibility=verify",
            *(part for key, value in image.environment.items()
              for part in ("--env", f"{key}={value.format(password=password)}")),
            others.get(name, image.name), *image.arguments, secret=password,
        )  # fmt: skip
        port = _docker("port", container, f"{image.port}/tcp").splitlines()[0].rpartition(":")[2]
        target = parse_url(image.url.format(password=password, port=port), {})
        _wait(target)
        yield target
    except BaseException:
        # What went wrong is told, not that there was nothing to remove.
        with suppress(ToolkitError):
            _remove(container)
        raise
    _remove(container)


def _remove(container: str) -> None:
    """One that has ended is gone already, which older Dockers call an error."""
    try:
        _docker("rm", "--force", "--volumes", container)
    except ToolkitError as error:
        if "No such container" not in error.message:
            raise


def _docker(*words: str, secret: str = "") -> str:
    program = shutil.which("docker")
    if program is None:
        raise ToolkitError("TV8209", "there is no `docker` command here", "Install Docker, or give --on URL.")
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        reason = reason.replace(secret, "***") if secret else reason
        hint = "Does Docker run, and can it fetch the image? Name another with --image ENGINE=IMAGE."
        raise ToolkitError("TV8209", f"docker {words[0]}: {reason}", hint)
    return done.stdout.strip()


def _wait(target: Target) -> None:
    """Until the server takes a connection: images that set themselves up answer for a moment, and go away again."""
    deadline, good = time.monotonic() + READY_SECONDS, 0
    while good < 2:
        try:
            engine(target.engine).connect(target).close()
            good += 1
        except TargetError:
            raise
        except ConnectionFailed as error:
            good = 0
            if time.monotonic() > deadline:
                raise ToolkitError("TV8209", f"the server does not get ready: {error.message}",
                                   "Look at the container's log.") from None  # fmt: skip
        time.sleep(1.0)
