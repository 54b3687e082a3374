"""What is published besides the versions themselves: other routes to a version, and what each server release needs.

It reads `schema/lineage.yaml` and hands out values; it knows no engine and no store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

from toolkit import document
from toolkit.catalog import Json, Path
from toolkit.definition import version_key
from toolkit.document import Value
from toolkit.errors import UsageError, VersionError
from toolkit.resources import schema_dir

FILE = "lineage.yaml"


@dataclass(frozen=True, slots=True)
class Deviation:
    """At `path` such a store has `value`, not what the version has there; `statements` make such a one of a store that
    is as the version says, without records."""

    path: Path
    value: Json
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PublishedRoute:
    """A published store that its version's definition does not tell: it claims `records` and is `like` a version or
    label, but for `change`. `defect`: it should not be as it is."""

    engine: str
    name: str
    records: str | None
    like: str
    by: str
    note: str = ""
    defect: bool = False
    change: Deviation | None = None


@dataclass(frozen=True, slots=True)
class ServerNeeds:
    """What Temporal's server needs from the release `since` on, until the next such line."""

    since: str
    sql: str
    elasticsearch: str


@dataclass(frozen=True, slots=True)
class Published:
    """The whole file."""

    routes: tuple[PublishedRoute, ...]
    servers: tuple[ServerNeeds, ...]


@cache
def published() -> Published:
    """What `schema/lineage.yaml` says. Raises DefinitionError when it is broken."""
    return document.read(schema_dir() / FILE, _decode)


def needs(servers: Sequence[ServerNeeds], release: str) -> ServerNeeds:
    """What the server `release` (1.31, v1.31.2) needs. UsageError when it is no release, older than all known, or of a
    line that began after all known: it may need what nobody here has heard of."""
    text = release.removeprefix("v")
    try:
        asked = version_key(text)
    except VersionError:
        raise UsageError("TV2040", f"{release[:60]!r} is not a release of Temporal's server", "Releases look like 1.31 "
                         "or v1.31.2.") from None  # fmt: skip
    # 1.26 stands for the newest release of that line: `1.26` is after `1.26.2`.
    place = asked if len(asked) > 2 else (*asked, 10**9)
    fitting = [line for line in servers if version_key(line.since) <= place]
    if not fitting:
        raise UsageError("TV2041", f"nothing is known of the server {release[:60]}", f"The oldest known release is "
                         f"{servers[0].since}.")  # fmt: skip
    newest = servers[-1].since.rpartition(".")[0]
    if asked[:2] > version_key(newest):
        hint = f"Install a newer temporal-visibility-toolkit; or, if its notes name no new schema, ask for {newest}."
        raise UsageError("TV2041", f"nothing is known of the server {release[:60]}: the newest known is {newest}", hint)
    return fitting[-1]


def _decode(root: Value) -> Published:
    parts = root.members(("routes", "servers"))
    routes = [_route(engine, value) for engine, _, many in parts["routes"].items() for value in many.list()]
    return Published(tuple(routes), tuple(_server(value) for value in parts["servers"].list()))


def _route(engine: str, value: Value) -> PublishedRoute:
    parts = value.members(("name", "like", "by"), ("records", "note", "defect", "change"))
    return PublishedRoute(
        engine=engine,
        name=parts["name"].text(),
        records=parts["records"].text() if "records" in parts else None,
        like=parts["like"].text(),
        by=parts["by"].text(),
        note=parts["note"].text() if "note" in parts else "",
        defect=parts["defect"].boolean() if "defect" in parts else False,
        change=_change(parts["change"]) if "change" in parts else None,
    )


def _change(value: Value) -> Deviation:
    parts = value.members(("path", "value", "statements"))
    path, made = (tuple(part.text() for part in parts[name].list()) for name in ("path", "statements"))
    return Deviation(path, cast(Json, parts["value"].plain()), made)


def _server(value: Value) -> ServerNeeds:
    parts = value.members(("from", "sql", "elasticsearch"))
    return ServerNeeds(parts["from"].text(), parts["sql"].text(), parts["elasticsearch"].text())
