"""The shape every kind of server has for the harness: a table of functions, so that nothing else asks which engine it
is.

It holds no state and starts nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.engines.processes import Command

if TYPE_CHECKING:
    from tests.engines.secured import Secure


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and the account that may do everything there."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    secure: bool = False  # HTTPS
    ca: str = ""  # the file of the authority that signed the server's certificate, when it is ours


NEEDED = "needed.json"


def needed(directory: Path) -> dict[str, str]:
    """host:port of the servers that this server's engine needs, by their names."""
    return dict(json.loads((directory / NEEDED).read_text()))


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an engine: its label, where its programs come from in words, and the official image."""

    label: str
    source: str
    image: str
    default: bool = False  # the version that every test runs on
    limits: str = ""  # what the programs from `source` cannot do; the official image can
    process: bool = True  # whether there are programs at all; else the official image is the only way
    container: bool = True  # whether containers are a way; else there are only processes
    routine: bool = True  # whether the short suite runs on it every time, or only with --all-versions and by name


@dataclass(frozen=True, slots=True)
class Engine:
    """What the harness must know about one kind of server."""

    name: str
    versions: tuple[Version, ...]
    prepare: Callable[[str], Path]  # version label -> directory with the programs
    initialise: Callable[[Path, Path], None]  # programs, empty directory -> an empty data directory inside it
    command: Callable[[Path, Path, int], Command]  # programs, directory, port -> the server
    probe: Callable[[Address], None]  # raises while the server does not answer
    told: Callable[[Address], str]  # the version that the server itself tells
    create: Callable[[Address, str], None]  # an empty database (search engines: nothing, the name is a prefix)
    drop: Callable[[Address, str], None]
    url: Callable[[Address, str], str]  # the address in the form that drivers and the toolkit take
    container_port: int
    user: str = ""
    password: str = ""
    start_seconds: float = 60.0
    secure: Secure | None = None  # URLs through TLS and accounts
    tls: bool = False  # whether it takes nothing but HTTPS, with a certificate of the run's authority
    secured_by: str = ""  # the engine that enforces TLS and accounts where this one has neither, for versions both have
    needs: tuple[str, ...] = ()  # servers that must run before it; their addresses lie in its directory, see `needed`
    furnish: Callable[[Address], None] | None = None  # a new container's server -> the accounts that a process has
    administrator: str = ""  # the account that may do so, when it is not `user`
    companions: tuple[str, ...] = ()  # compose services that are started with a container's own
