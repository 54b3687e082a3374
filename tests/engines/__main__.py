"""The command line of the harness: list, prepare, up, down, url. For developers who want a server outside pytest.

`python -m tests.engines up postgresql-15 mysql-9` starts servers and prints their URLs until Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Sequence

from tests.engines.catalog import ENGINES, Kind, kinds, parse
from tests.engines.errors import NotAllowed, Unavailable
from tests.engines.runs import Run, Server, clean_leftovers, runs_root

DATABASE = "visibility"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what can be started")
    preparing = commands.add_parser("prepare", help="download and build, without starting anything")
    preparing.add_argument("names", nargs="*", metavar="NAME", help="default: the default version of each engine")
    preparing.add_argument("--all", action="store_true", help="every version")
    starting = commands.add_parser("up", help="start servers, print their URLs, keep them until Ctrl-C")
    starting.add_argument("names", nargs="+", metavar="NAME")
    starting.add_argument("--detach", action="store_true", help="return at once; `down` ends them")
    ending = commands.add_parser("down", help="end servers that `up --detach` started")
    for command in (starting, ending):
        command.add_argument("--run", default="dev", help="name of the group of servers (default: dev)")
    commands.add_parser("clean", help="end what killed runs left behind")
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
        print(f"{kind.name:20}{'default' if version.default else '':9}{version.source}{limits}")


def prepare(options: argparse.Namespace) -> None:
    chosen = kinds() if options.all else [parse(name) for name in options.names]
    for kind in chosen or [Kind(engine.name, engine.default.label) for engine in ENGINES.values()]:
        began = time.monotonic()
        home = kind.definition.prepare(kind.label)
        print(f"{kind.name:20}{time.monotonic() - began:6.1f} s  {home}", flush=True)


def up(options: argparse.Namespace) -> None:
    clean_leftovers()
    wanted = [parse(name) for name in options.names]
    run = Run.begin(options.run if options.detach else "", keep=options.detach)
    try:
        threads = [threading.Thread(target=_start, args=(run.server(kind),)) for kind in wanted]
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


def _start(server: Server) -> None:
    began = time.monotonic()
    try:
        server.forget_failure()
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


COMMANDS = {"list": list_kinds, "prepare": prepare, "up": up, "down": down, "clean": clean}

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
