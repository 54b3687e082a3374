"""Whether a release of Temporal's server may start on a store: what it asks for, and what the store lacks of that.

Pure. A column or field that is missing keeps the server from working; a missing index makes it slow, and is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolkit.attributes import Family
from toolkit.catalog import Catalog, Path, objects
from toolkit.definition import version_key
from toolkit.errors import VersionError
from toolkit.lineage import Known
from toolkit.plan import Observed
from toolkit.routes import ServerNeeds

# Objects that writes and queries name. Without an index they only take longer.
_NAMED = frozenset({"columns", "tables", "functions", "properties", "virtual_tables", "triggers"})


@dataclass(frozen=True, slots=True)
class Fitness:
    """`needs`: the version or label the release asks for; `reasons`: why it may not start; `warnings`: what it will
    miss."""

    release: str
    needs: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def starts(self) -> bool:
        """Whether the release may start."""
        return not self.reasons


def fitness(
    family: Family, checks_record: bool, observed: Observed, known: Sequence[Known], release: str, line: ServerNeeds
) -> Fitness:
    """How the store fits `release`. `known`: all published schemas with the overlay; `checks_record`: the server reads
    the recorded version when it starts, as it does on PostgreSQL and MySQL."""
    label = line.elasticsearch if family is Family.ELASTICSEARCH else line.sql
    later = _from(known, label)
    if not later:
        return Fitness(release, label, (f"this engine has no version {label}",), ())
    reasons = [*(_record(observed, label) if checks_record else ())]
    warnings: list[str] = []
    have = objects(observed.catalog)
    for path, facts in objects(later[0].catalog).items():
        word = _what(path)
        if path not in have:
            (reasons if _named(path) else warnings).append(f"{word} is missing")
        elif have[path] != facts and not _in_a_later_one(path, have[path], later):
            severe = _named(path) and "indexes" not in path
            (reasons if severe else warnings).append(f"{word} is otherwise than in any version")
    return Fitness(release, label, tuple(reasons), tuple(warnings))


def _from(known: Sequence[Known], label: str) -> list[Known]:
    """The schema called `label` and all that follow it."""
    plain = [one for one in known if not one.route]
    place = next((n for n, one in enumerate(plain) if one.name == label), None)
    return [] if place is None else plain[place:]


def _record(observed: Observed, label: str) -> Iterator[str]:
    if observed.traits.get("shared"):
        return
    if observed.recorded is None:
        yield "schema_version records no version for this database: the server refuses to start"
        return
    try:
        too_old = version_key(observed.recorded) < version_key(label)
    except VersionError:
        too_old = True
    if too_old:
        yield f"schema_version records {observed.recorded}: the server refuses to start below {label}"


def _in_a_later_one(path: Path, facts: object, later: Sequence[Known]) -> bool:
    return any(one.catalog.at(path) == facts for one in later)


def _named(path: Path) -> bool:
    part = path[2] if path[0] == "tables" and len(path) > 3 else path[0]
    return part in _NAMED and not (path[0] == "tables" and len(path) == 3)


def _what(path: Path) -> str:
    kind = path[2] if path[0] == "tables" and len(path) > 3 else path[0]
    words = {"columns": "column", "indexes": "index", "properties": "field", "functions": "function",
             "virtual_tables": "full-text table", "triggers": "trigger", "settings": "setting"}  # fmt: skip
    return f"{words.get(kind, kind)} {path[-1]}"


def newest(family: Family, checks_record: bool, observed: Observed, known: Sequence[Known],
           lines: Sequence[ServerNeeds], below: Catalog) -> Fitness | None:  # fmt: skip
    """The newest release that may start; None when none may."""
    if observed.catalog == below:
        return None
    for line in reversed(lines):
        found = fitness(family, checks_record, observed, known, line.since, line)
        if found.starts:
            return found
    return None
