"""A throwaway ClickHouse database, on a target's server or in a chDB directory; see `toolkit.engines.scratches`. It
never touches another database or directory.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.engines import scratches, script
from toolkit.engines.bound import BoundSql
from toolkit.engines.clickhouse.client import ClickHouseClient, connect
from toolkit.engines.clickhouse.render import identifier, literal
from toolkit.engines.clickhouse.typemap import profile
from toolkit.errors import EngineError
from toolkit.targets import Target

_EMBEDDED = "chdb"
# Parts that a merge or a copy has replaced stay on disk for a while, and count.
_SIZE = "SELECT sum(bytes_on_disk) AS v FROM system.parts WHERE database = {}"
_NAME = r"(?:`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|[A-Za-z_]\w*)"
_NO_CODE = re.compile(r"--[^\n]*|'(?:[^'\\]|\\.)*'", re.DOTALL)
# What is of another database, or chooses one. A view takes rows from where it says and puts them there, and a table of
# these engines is one of somebody else's.
_ELSEWHERE = re.compile(
    rf"(?:^\s*USE|\bDATABASES?)\s+\S+|\bENGINE\s*=\s*(?:Distributed|Buffer|Merge)\b"
    rf"|\b(?:TABLES?|VIEW|DICTIONARY|INTO|TO|FROM|JOIN)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?{_NAME}\s*\.\s*{_NAME}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ServerScratch:
    """See `toolkit.engines.scratches.Scratch`. `beside`: a session in the target's own database."""

    target: Target
    beside: ClickHouseClient

    def size(self) -> int | None:
        """See `Scratch.size`."""
        with suppress(EngineError):
            return int(self.beside.ask(BoundSql(_SIZE.format(literal(self.target.path))))[0]["v"])
        return None

    def claim(self, label: str | None) -> None:
        """See `Scratch.claim`. No route to a ClickHouse schema is published that claims anything else."""
        assert label is not None

    def load(self, dump: Path) -> None:
        """See `Scratch.load`: CREATE statements without a database's name, each ending with a semicolon."""
        _load(self.target, dump)

    def drop(self) -> None:
        """See `Scratch.drop`."""
        with suppress(EngineError):
            self.beside.execute(scratches.statement(f"DROP DATABASE IF EXISTS {identifier(self.target.path)} SYNC"))
        self.beside.close()


@dataclass(frozen=True, slots=True)
class DirectoryScratch:
    """As `ServerScratch`, a chDB directory of its own."""

    target: Target
    directory: Path

    def size(self) -> int | None:
        """See `Scratch.size`."""
        total = 0
        # The engine removes folders while they are walked; what is gone does not count.
        for folder, _, files in os.walk(self.directory):
            for name in files:
                with suppress(OSError):
                    total += os.stat(os.path.join(folder, name)).st_size
        return total

    def claim(self, label: str | None) -> None:
        """See `Scratch.claim`. No route to a ClickHouse schema is published that claims anything else."""
        assert label is not None

    def load(self, dump: Path) -> None:
        """See `Scratch.load`: CREATE statements without a database's name, each ending with a semicolon."""
        _load(self.target, dump)

    def drop(self) -> None:
        """See `Scratch.drop`."""
        shutil.rmtree(self.directory, ignore_errors=True)


def make(target: Target, name: str) -> ServerScratch | DirectoryScratch:
    """The database, or directory, `name`. Raises ConnectionFailed, TargetError or EngineError."""
    if target.transport == _EMBEDDED:
        directory = Path("/", target.path) / name
        directory.mkdir(parents=True)
        return DirectoryScratch(replace(target, path=str(directory)[1:], shown=f"chdb://{directory}"), directory)
    beside = connect(target, profile())
    try:
        beside.execute(scratches.statement(f"CREATE DATABASE {identifier(name)} ENGINE = Atomic"))
    except EngineError as error:
        beside.close()
        raise scratches.refused(error, "The user needs CREATE DATABASE.") from None
    # The database is nobody else's: no Keeper is needed to keep others away.
    options = {**{k: v for k, v in target.options.items() if k != "database"}, "lock": "table"}
    made = replace(target, path=name, options=options, shown=f"{target.shown} ({name})")
    return ServerScratch(made, beside)


def statements(text: str) -> Iterator[str]:
    """The statements of a dump. UsageError for one that is about another database, which may be somebody's own."""
    for statement in script.statements(text):
        if found := _ELSEWHERE.search(_NO_CODE.sub("''", statement)):
            raise script.elsewhere(found[0], "names of databases")
        yield statement


def _load(target: Target, dump: Path) -> None:
    client = connect(target, profile())
    try:
        for statement in list(statements(script.read(dump))):
            client.execute(scratches.statement(statement))
    finally:
        client.close()
