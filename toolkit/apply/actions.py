"""What the machine can ask for next, and what can come back: values only.

Doing it is the runner's part, deciding what follows is the machine's.
"""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.engines.rebuilding import Busy, Compared, Copied, Key, Ran, Replayed, Swapped


@dataclass(frozen=True, slots=True)
class Look:
    """See whether step `step` is done, and whether what it needs is so."""

    step: int


@dataclass(frozen=True, slots=True)
class RunStep:
    """Run the statements of a `once` or `parallel` step, waiting at most `wait` seconds for a lock."""

    step: int
    wait: float


@dataclass(frozen=True, slots=True)
class CopyChunk:
    """Copy the next chunk."""

    step: int
    after: Key | None
    rows: int


@dataclass(frozen=True, slots=True)
class CompareChunk:
    """Compare the next chunk."""

    step: int
    after: Key | None
    rows: int


@dataclass(frozen=True, slots=True)
class Replay:
    """Refresh at most `keys` recorded keys."""

    step: int
    keys: int


@dataclass(frozen=True, slots=True)
class Swap:
    """Try the exclusive transaction: at most `wait` seconds for the lock and `most` keys under it."""

    step: int
    wait: float
    most: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, somewhat more or less, so that two who met do not meet again."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Measure:
    """See how hard the store has it: how far replicas are behind (`lag`), how many others are at work (`load`)."""

    lag: bool
    load: bool


@dataclass(frozen=True, slots=True)
class Verify:
    """Compare the store with what was wanted."""


Action = Look | RunStep | CopyChunk | CompareChunk | Replay | Swap | Pause | Measure | Verify


@dataclass(frozen=True, slots=True)
class Seen:
    """What `Look` saw. `unmet`: what the step needs and is not so, in words."""

    done: bool
    unmet: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paused:
    """The wait is over."""


@dataclass(frozen=True, slots=True)
class Measured:
    """`lag`: seconds the slowest replica is behind; `load`: sessions at work besides ours."""

    lag: float
    load: float


@dataclass(frozen=True, slots=True)
class Verified:
    """What still differs from what was wanted, in words; () when nothing does."""

    left: tuple[str, ...]


Outcome = Seen | Ran | Busy | Copied | Compared | Replayed | Swapped | Paused | Measured | Verified
