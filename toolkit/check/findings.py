"""What a check finds, as values: what it is about, how bad it is, where it stands, what to do.

Nothing here looks for anything or prints.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

from toolkit.attributes import AttributeType
from toolkit.compat import Severity, Spoils, Verdict, shown


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, counted from 1, and a column, counted from 1 (None: the whole line)."""

    file: str
    line: int
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Suspect:
    """Values of an attribute that a store on `engine` can be asked to count."""

    engine: str
    attribute: str
    type: AttributeType
    spoils: tuple[Spoils, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many of the values looked at would not survive, and a few of them."""

    values: int
    looked_at: int
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know before a change. `about`: an attribute, field, index or saved filter; `engine`: where it holds;
    `example`: a value that breaks; `suspect`: what may be counted, `counted`: what was."""

    code: str
    severity: Severity
    about: str
    message: str
    hint: str = ""
    engine: str | None = None
    example: Hashable = None
    place: Place | None = None
    suspect: Suspect | None = None
    counted: Counted | None = None

    def to_json(self) -> dict[str, object]:
        """The finding as `--output json` shows it."""
        place, counted = self.place, self.counted
        return {
            "code": self.code,
            "severity": self.severity.value,
            "about": self.about,
            "engine": self.engine,
            "message": self.message,
            "hint": self.hint,
            "example": self.example,
            "place": place and {"file": place.file, "line": place.line, "column": place.column},
            "counted": counted
            and {"values": counted.values, "looked_at": counted.looked_at, "samples": list(counted.samples)},
        }


def of_verdict(verdict: Verdict, about: str, engine: str, suspect: Suspect | None = None) -> Finding:
    """The finding that a verdict is for one thing on one engine."""
    found = Finding(verdict.code, verdict.severity, about, verdict.reason, verdict.hint, engine, suspect=suspect)
    return replace(found, example=_frozen(shown(verdict.example)))


def _frozen(value: object) -> Hashable:
    if isinstance(value, list):
        return tuple(_frozen(element) for element in value)
    assert isinstance(value, Hashable)
    return value


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """In the order of severity, else as they were found; what several engines share is told once."""
    merged: dict[Finding, list[str]] = {}
    for finding in findings:
        merged.setdefault(replace(finding, engine=None), []).append(finding.engine or "")
    found = [replace(f, engine=", ".join(dict.fromkeys(filter(None, names))) or None) for f, names in merged.items()]
    return tuple(sorted(found, key=lambda finding: -finding.severity.rank))


def at_least(findings: Iterable[Finding], severity: Severity) -> tuple[Finding, ...]:
    """Those that are as bad as `severity`, or worse."""
    return tuple(finding for finding in findings if finding.severity.rank >= severity.rank)
