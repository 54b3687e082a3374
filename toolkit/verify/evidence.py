"""What walking an upgrade path showed, as values: the path, what was measured, what was found wrong.

Nothing here measures or prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from toolkit.definition import Definition
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import StepClass


@dataclass(frozen=True, slots=True)
class UpgradePath:
    """From a published schema to a version on one engine. `start` is a name of the lineage (1.9, 1.12-combined, v9);
    `definition` what records of that schema hold; `label`: what such a store claims to be; `steady`: who writes to the
    old schema can go on with the new one; `deviation`: statements that make such a store of one that is as the
    definition says; `bare`: it takes no search attributes."""

    engine: str
    start: str
    definition: Definition
    label: str | None
    goal: Definition
    overlay: Overlay = NO_OVERLAY
    steady: bool = True
    deviation: tuple[str, ...] = ()
    bare: bool = False

    @property
    def name(self) -> str:
        """As reports call it."""
        return f"{self.engine} {self.start} -> {self.goal.version}"


class Check(Enum):
    """What is judged, in the order in which it is."""

    START = "the store is what the path starts from"
    UPGRADE = "the upgrade ends"
    SCHEMA = "the live catalog equals the definition"
    RECORDS = "every record is what it was"
    WRITES = "every write made meanwhile is there, and nothing that was deleted"
    QUERIES = "List Filters give the same answers"
    BACK = "the way back leads back"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be; `code` as in docs/codes.md."""

    check: Check
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class StepTaken:
    """One step as it was done: its lock, whom that blocks, and seconds."""

    title: str
    step_class: StepClass
    lock: str
    blocks: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Felt:
    """What the writer noticed: writes answered, writes refused and sent again, the longest one from first try to
    answer, and how many took longer than `SLOW` seconds."""

    writes: int
    refused: int
    longest: float
    median: float
    slow: int


SLOW = 0.25


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes of the store before the upgrade, at most during it, and after it; None: the engine does not tell."""

    before: int | None
    peak: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one path showed. `checks`: what was judged, findings or not; `lock`: the longest time in seconds that a
    step kept writers waiting by its own account, None when no step ever did; `back`: how the way back was gone."""

    path: UpgradePath
    server: str
    rows: int
    seconds: float
    steps: tuple[StepTaken, ...]
    felt: Felt
    disk: Disk
    lock: float | None
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...] = ()
    back: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def none(path: UpgradePath, rows: int, code: str, reason: str) -> Evidence:
    """What there is to say of a path that could not be walked, because there was no store to walk it on."""
    finding = Finding(Check.START, code, reason)
    return Evidence(path, "", rows, 0.0, (), Felt(0, 0, 0.0, 0.0, 0), Disk(None, None, None), None, (Check.START,),
                    (finding,))  # fmt: skip


def passed(found: Sequence[Evidence]) -> bool:
    """Whether all did, and there was something to judge."""
    return bool(found) and all(one.passed for one in found)
