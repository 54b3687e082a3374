"""Servers of MySQL that a test has besides the shared one: a source with a replica, and one on a small disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.engines.engine import Address
from tests.engines.handles import Handle
from tests.engines.ports import free_port
from tests.engines.processes import give_away, wait_until
from tests.engines.runs import runs_root
from tests.engines.servers import mysql as server
from tests.support.mysql import sql
from tests.support.one_more import running

DATABASE = "visibility"
_LOGGED = ("--log-bin=bin", "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--log-bin-trust-function-creators=1")


@dataclass(frozen=True)
class Pair:
    """A source and its replica: URLs of the same database, and the replica's address as the source's URL names it."""

    source: str
    replica: str
    place: str


@contextmanager
def another(
    mysql: Handle,
    options: Sequence[str] = (),
    folder: Path | None = None,
    made: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Address]:
    """One more server of the same version, with `options` added, in that `environment`; its data below `folder` where
    one is given. `made`: options that hold from the making of the data on."""
    with tempfile.TemporaryDirectory(dir=folder or runs_root()) as place:
        directory, home, port = Path(place), server.prepare(mysql.version), free_port()
        directory.chmod(0o755)
        server.initialise(home, directory, made)
        (directory / "data/auto.cnf").unlink(missing_ok=True)
        shutil.copytree(mysql._host.directory / "tls", directory / "tls")  # type: ignore[attr-defined]
        give_away(directory)
        command = server.command(home, directory, port)
        command = type(command)(
            [*command.argv, *made, *options], {**(command.environment or {}), **(environment or {})}
        )
        address = Address("127.0.0.1", port, server.USER, server.PASSWORD)

        with running(command, directory / "log", lambda: server.probe(address), 90, "mysqld"):
            yield address


@contextmanager
def replicated(mysql: Handle, named: bool) -> Iterator[Pair]:
    """A source and a replica that follows it; `named`: the replica tells the source where it is."""
    with ExitStack() as stack:
        source = stack.enter_context(another(mysql, (*_LOGGED, "--server-id=1")))
        # What the replica reports is its port, which is known once it runs: registered when it begins to follow.
        says = ("--report-host=127.0.0.1",) if named else ()
        replica = stack.enter_context(another(mysql, (*_LOGGED, "--server-id=2", "--super-read-only=ON", *says)))
        there = server.url(replica, "mysql")
        sql(
            there,
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {source.port},"
            f" SOURCE_USER = '{source.user}', SOURCE_PASSWORD = '{source.password}', SOURCE_AUTO_POSITION = 1,"
            " GET_SOURCE_PUBLIC_KEY = 1",
            "START REPLICA",
        )
        sql(server.url(source, "mysql"), f"CREATE DATABASE {DATABASE}")
        found = f"SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{DATABASE}'"
        wait_until(lambda: bool(sql(there, found)), 60, "the replica has the database")
        place = f"{replica.host}:{replica.port}"
        yield Pair(server.url(source, DATABASE), server.url(replica, DATABASE), place)
