"""The command line of the harness: list, prepare, up, down, ensure-docker, build-images. For a server outside pytest.

`python -m tests.engines up postgresql-15 mysql-9` starts servers and prints their URLs until Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.engines import docker, images
from tests.engines.catalog import ENGINES, Kind, default, kinds, parse
from tests.engines.containers import Container
from tests.engines.errors import NotAllowed, Unavailable
from tests.engines.process_server import Server
from tests.engines.runs import Run, clean_leftovers, runs_root
from tests.engines.selection import Way, usual_way
from tests.engines.starting import forget_failure

DATABASE = "visibility"
PREPARING_AT_ONCE = 3


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what can be started")
    preparing = commands.add_parser("prepare", help="download and build, without starting anything")
    preparing.add_argument("names", nargs="*", metavar="NAME", help="default: the default version of each engine")
    preparing.add_argument("--all", action="store_true", help="every version")
    starting = commands.add_parser("up", help="start servers, print their URLs, keep them until Ctrl-C")
    starting.add_argument("names", nargs="+", metavar="NAME")
    ways = [Way.PROCESSES.value, Way.CONTAINERS.value]
    starting.add_argument("--engines", choices=ways, default=usual_way().value, help="default: %(default)s")
    starting.add_argument("--detach", action="store_true", help="return at once; `down` ends them")
    ending = commands.add_parser("down", help="end servers that `up --detach` started")
    for command in (starting, ending):
        command.add_argument("--run", default="dev", help="name of the group of servers (default: dev)")
    commands.add_parser("clean", help="end what killed runs left behind")
    commands.add_parser("ensure-docker", help="install and start a Docker engine with compose, where they are missing")
    building = commands.add_parser("build-images", help="build images that stand in for the official ones")
    building.add_argument("names", nargs="*", metavar="NAME", help="default: all that can be built")
    options = parser.parse_args(arguments)
    try:
        return int(COMMANDS[options.command](options) or 0)
    except (NotAllowed, Unavailable) as e:
        print(f"error: {e}", file=sys.stderr)
        return 1


def list_kinds(options: argparse.Namespace) -> None:
    for kind in kinds():
        version = kind.version
        limits = f" ({version.limits})" if version.limits else ""
        image = f"; image {version.image}" if version.image else ""
        print(f"{kind.name:26}{'default' if version.default else '':9}{version.source}{limits}{image}")


def prepare(options: argparse.Namespace) -> None:
    everything = [kind for kind in kinds() if not kind.embedded and kind.version.process]
    chosen = everything if options.all else [parse(name) for name in options.names]
    chosen = chosen or [kind for kind in map(default, ENGINES) if kind.version.process]
    # Downloads mostly wait: several at once take little longer than the longest.
    with ThreadPoolExecutor(PREPARING_AT_ONCE) as pool:
        for _ in pool.map(_prepare, chosen):
            pass


def _prepare(kind: Kind) -> None:
    began = time.monotonic()
    home = kind.definition.prepare(kind.label)
    print(f"{kind.name:20}{time.monotonic() - began:6.1f} s  {home}", flush=True)


def up(options: argparse.Namespace) -> None:
    clean_leftovers()
    wanted = [parse(name) for name in options.names]
    run = Run.begin(options.run if options.detach else "", keep=options.detach)
    try:
        make = run.container if options.engines == Way.CONTAINERS else run.server
        threads = [threading.Thread(target=_start, args=(make(kind),)) for kind in wanted]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not options.detach:
            print("Ctrl-C ends them", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        print("ending", flush=True)
    finally:
        if not options.detach:
            run.end()


def _start(server: Server | Container) -> None:
    began = time.monotonic()
    try:
        server.directory.mkdir(exist_ok=True)
        forget_failure(server.directory)
        server.up()
        engine = server.kind.definition
        if not (server.directory / "database").exists():
            engine.create(server.address, DATABASE)
            (server.directory / "database").touch()
    except Unavailable as e:
        print(f"{server.kind.name:20}error: {e}", file=sys.stderr, flush=True)
        return
    print(f"{server.kind.name:20}{time.monotonic() - began:6.1f} s  {engine.url(server.address, DATABASE)}", flush=True)


def down(options: argparse.Namespace) -> None:
    Run(runs_root() / f"tv-eng-run-{options.run}").end()


def clean(options: argparse.Namespace) -> None:
    for name in clean_leftovers():
        print(f"ended {name}")


def ensure_docker(options: argparse.Namespace) -> None:
    print(docker.ensure())


def build_images(options: argparse.Namespace) -> None:
    """Prints the variables that make compose.yaml use the stand-ins, for `docker compose --env-file`."""
    docker.ensure()
    for kind in [parse(name) for name in options.names] or images.buildable():
        began = time.monotonic()
        print(f"{images.variable(kind)}={images.build(kind)}", flush=True)
        print(f"{kind.name}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)


COMMANDS = {
    "ensure-docker": ensure_docker,
    "build-images": build_images,
    "list": list_kinds,
    "prepare": prepare,
    "up": up,
    "down": down,
    "clean": clean,
}

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
