"""Which versions a test runs on and how their servers are started: decided from the command line, the environment and
the test's markers, before anything starts.

Pure: it gives lists of kinds and touches no server.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.engines.catalog import ENGINES, Kind, default, parse, versions
from tests.engines.errors import Unavailable

VARIABLE = "TEMPORAL_VISIBILITY_TEST_{}_URL"


class Way(StrEnum):
    """How servers are started when no URL names one."""

    PROCESSES = "processes"
    CONTAINERS = "containers"
    URLS = "urls"  # not at all: only servers that were given by URL


def usual_way(system: str = sys.platform, machine: str = platform.machine()) -> Way:
    """Processes where the packages have programs for the machine, else containers."""
    return Way.PROCESSES if system == "linux" and machine in ("x86_64", "amd64") else Way.CONTAINERS


@dataclass(frozen=True, slots=True)
class Selection:
    """The user's choice: named servers only (none: no restriction), every version in full, servers given by URL, and
    how the others are started.
    """

    only: tuple[Kind, ...] = ()
    all_versions: bool = False
    urls: Mapping[Kind, str] = field(default_factory=dict)
    way: Way = Way.PROCESSES

    def kinds(self, engine: str, short: bool) -> list[Kind]:
        """The versions of `engine` on which a test runs that is, or is not, in the short suite."""
        given = [kind for kind in self.urls if kind.engine == engine]
        if given:
            return given
        if self.only:
            return [kind for kind in self.only if kind.engine == engine]
        wanted = [v for v in versions(engine) if v.default or self.all_versions or (short and v.routine)]
        return [Kind(engine, version.label) for version in wanted]

    def why_not(self, kind: Kind) -> str | None:
        """Why tests that nobody asked for by name are left out on this version; None when they are not."""
        if kind.embedded or kind in self.only or kind in self.urls:
            return None
        if self.way is Way.PROCESSES and not kind.version.process:
            return f"official image only: --engines=containers --servers={kind.name}"
        if self.way is Way.CONTAINERS and not kind.version.container:
            return f"as a process only: --engines=processes --servers={kind.name}"
        return None

    def check(self, kind: Kind) -> None:
        """Unavailable when the chosen way has no server of this version at all."""
        if self.way is Way.URLS and kind not in self.urls:
            raise Unavailable(f"--engines=urls, and no URL of {kind.name}", f"set {variable(kind)}")
        if self.way is Way.PROCESSES and kind not in self.urls and not kind.version.process:
            raise Unavailable(f"there are no programs of {kind.name}, only an image", "--engines=containers")
        if self.way is Way.CONTAINERS and kind not in self.urls and not kind.version.container:
            raise Unavailable(f"there is no image of {kind.name}, only programs", "--engines=processes")


def selection(
    names: Collection[str],
    all_versions: bool,
    environment: Mapping[str, str] = os.environ,
    way: str | None = None,
) -> Selection:
    """The choice that options and environment express; NotAllowed for an unknown name."""
    only = tuple(parse(name) for text in names for name in text.split(",") if name)
    return Selection(only, all_versions, urls_of(environment), Way(way) if way else usual_way())


def in_step(columns: Sequence[Sequence[Kind]], usable: Callable[[Kind], bool]) -> list[tuple[Kind, ...]]:
    """Versions for a test with several engines: each at least once, beside some version of every other, where all
    with all would be dozens. What is not usable has a row of its own, or others would be left out with it."""
    if not all(columns):
        return []
    whole = [[kind for kind in column if usable(kind)] or list(column) for column in columns]
    longest = max(map(len, whole))
    rows = [tuple(column[number % len(column)] for column in whole) for number in range(longest)]
    for place, column in enumerate(columns):
        for kind in column:
            if kind not in whole[place]:
                rows.append((*rows[0][:place], kind, *rows[0][place + 1 :]))
    return rows


def variable(kind: Kind) -> str:
    """The variable that gives a server of this version: TEMPORAL_VISIBILITY_TEST_MYSQL_8_0_URL."""
    return VARIABLE.format(f"{kind.engine}_{kind.label.replace('.', '_')}".upper())


def urls_of(environment: Mapping[str, str]) -> dict[Kind, str]:
    """Servers given by variables: TEMPORAL_VISIBILITY_TEST_MYSQL_URL means the default version, …_MYSQL_8_0_URL one."""
    found: dict[Kind, str] = {}
    for engine in ENGINES:
        for version in versions(engine):
            kind = Kind(engine, version.label)
            usual = environment.get(VARIABLE.format(engine.upper())) if kind == default(engine) else None
            if url := environment.get(variable(kind)) or usual:
                found[kind] = url
    return found
