"""What a live store physically is, in the canonical form of `temporal-visibility-catalog/1`, and how two such differ.

A catalog is a tree of plain values: maps whose order does not count, lists whose order does. This module compares and
fingerprints; it never talks to a store and knows no engine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
Path: TypeAlias = tuple[str, ...]


class Absent:
    """The type of ABSENT, which stands for 'there is nothing at this path'."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class Catalog:
    """One store's schema. `body` holds the engine's part only: no format line, no `meta`."""

    engine: str
    body: Mapping[str, Json]

    def at(self, path: Path) -> Json | Absent:
        """The value at `path`, or ABSENT."""
        return at(dict(self.body), path)

    def children(self, path: Path) -> dict[str, Json]:
        """The members of the map at `path`; empty when there is none."""
        found = self.at(path)
        return found if isinstance(found, dict) else {}

    def without(self, paths: Iterable[Path]) -> Catalog:
        """This catalog less the values at `paths`."""
        body: Json = dict(self.body)
        for path in paths:
            body = _without(body, path)
        assert isinstance(body, dict)
        return Catalog(self.engine, body)

    def having(self, path: Path, value: Json) -> Catalog:
        """This catalog with `value` at `path`."""
        return Catalog(self.engine, _having(dict(self.body), path, value))


@dataclass(frozen=True, slots=True)
class Difference:
    """At `path` the store has `observed` where `wanted` is wanted; ABSENT means nothing there."""

    path: Path
    observed: Json | Absent
    wanted: Json | Absent

    def __str__(self) -> str:
        sign = "+" if isinstance(self.observed, Absent) else "-" if isinstance(self.wanted, Absent) else "~"
        values = [json.dumps(v, ensure_ascii=False) for v in (self.observed, self.wanted) if not isinstance(v, Absent)]
        return f"{sign} {'/'.join(self.path)}: {' -> '.join(values)}"


def at(tree: Json, path: Path) -> Json | Absent:
    """The value at `path` in `tree`, or ABSENT."""
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return ABSENT
        tree = tree[name]
    return tree


def _without(tree: Json, path: Path) -> Json:
    if not path or not isinstance(tree, dict) or path[0] not in tree:
        return tree
    head, *rest = path
    if not rest:
        return {name: value for name, value in tree.items() if name != head}
    return {**tree, head: _without(tree[head], tuple(rest))}


def _having(tree: dict[str, Json], path: Path, value: Json) -> dict[str, Json]:
    head, *rest = path
    inner = tree.get(head)
    if rest:
        value = _having(inner if isinstance(inner, dict) else {}, tuple(rest), value)
    return {**tree, head: value}


def differences(observed: Catalog, wanted: Catalog) -> tuple[Difference, ...]:
    """Where the two catalogs differ, sorted by path; a missing or extra object is one difference, at its own path."""
    found: list[Difference] = []
    _compare(dict(observed.body), dict(wanted.body), (), found)
    return tuple(sorted(found, key=lambda difference: difference.path))


def _compare(observed: Json, wanted: Json, path: Path, found: list[Difference]) -> None:
    if isinstance(observed, dict) and isinstance(wanted, dict):
        for name in observed.keys() | wanted.keys():
            if name not in observed:
                found.append(Difference((*path, name), ABSENT, wanted[name]))
            elif name not in wanted:
                found.append(Difference((*path, name), observed[name], ABSENT))
            else:
                _compare(observed[name], wanted[name], (*path, name), found)
    elif observed != wanted or isinstance(observed, bool) != isinstance(wanted, bool):
        found.append(Difference(path, observed, wanted))


# Parts of a table that are maps of objects; all other parts of it are facts of the table.
_PARTS_OF_TABLES = frozenset({"columns", "indexes", "constraints", "triggers", "projections"})


def objects(catalog: Catalog) -> dict[Path, Json]:
    """Path → facts of every object: a column, an index, a field, a function, or a single fact of a table."""
    return dict(_objects(dict(catalog.body), ()))


def _objects(tree: dict[str, Json], path: Path) -> Iterator[tuple[Path, Json]]:
    for name, value in tree.items():
        here = (*path, name)
        if isinstance(value, dict) and _holds_objects(here, value):
            yield from _objects(value, here)
        else:
            yield here, value


def _holds_objects(path: Path, value: dict[str, Json]) -> bool:
    match path:
        case (_,) | ("tables", _) | ("properties", _, "properties"):
            return True
        case ("tables", _, part):
            return part in _PARTS_OF_TABLES
        case ("properties", _):
            return "properties" in value
        case _:
            return False


def same(one: Catalog, other: Catalog) -> bool:
    """Whether both have one fingerprint; most that differ are told apart without working it out."""
    # True equals 1 in Python, and is another text.
    return one == other and fingerprint(one) == fingerprint(other)


def fingerprint(catalog: Catalog) -> str:
    """A short, stable name of the schema: 16 hex digits over its canonical text. Column order does not count."""
    text = json.dumps(
        {"engine": catalog.engine, **catalog.body}, sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]
