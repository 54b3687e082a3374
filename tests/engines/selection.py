"""Which versions a test runs on: decided from the command line, the environment and the test's markers, before
anything starts.

Pure: it gives lists of kinds and touches no server.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tests.engines.catalog import ENGINES, Kind, parse

VARIABLE = "TEMPORAL_VISIBILITY_TEST_{}_URL"


@dataclass(frozen=True, slots=True)
class Selection:
    """The user's choice: named servers only (none: no restriction), every version in full, and servers given by URL."""

    only: tuple[Kind, ...] = ()
    all_versions: bool = False
    urls: Mapping[Kind, str] = None  # type: ignore[assignment]

    def kinds(self, engine: str, short: bool) -> list[Kind]:
        """The versions of `engine` on which a test runs that is, or is not, in the short suite."""
        given = [kind for kind in self.urls if kind.engine == engine]
        if given:
            return given
        if self.only:
            return [kind for kind in self.only if kind.engine == engine]
        definition = ENGINES[engine]
        labels = [v.label for v in definition.versions if v.default or short or self.all_versions]
        return [Kind(engine, label) for label in labels]


def selection(names: Collection[str], all_versions: bool, environment: Mapping[str, str] = os.environ) -> Selection:
    """The choice that options and environment express; NotAllowed for an unknown name."""
    only = tuple(parse(name) for text in names for name in text.split(",") if name)
    return Selection(only, all_versions, urls_of(environment))


def urls_of(environment: Mapping[str, str]) -> dict[Kind, str]:
    """Servers given by variables: TEMPORAL_VISIBILITY_TEST_MYSQL_URL, or for one version …_MYSQL_8_0_URL."""
    found: dict[Kind, str] = {}
    for engine in ENGINES.values():
        names = {engine.default.label: VARIABLE.format(engine.name.upper())}
        for version in engine.versions:
            own = VARIABLE.format(f"{engine.name}_{version.label.replace('.', '_')}".upper())
            if url := environment.get(own) or environment.get(names.get(version.label, "")):
                found[Kind(engine.name, version.label)] = url
    return found
