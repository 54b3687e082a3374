"""What an engine offers beyond plain steps: a lock and a journal in the store, and pre-flight checks.

Lock and journal every engine has; what else is here is optional: a client is asked whether it has it. Values and
protocols only; nothing here does anything. The steps that run beside live writes are in `toolkit.engines.rebuilding`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from toolkit.catalog import Json, Path
from toolkit.definition import Definition
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import Observed, Plan, Step

if TYPE_CHECKING:
    from toolkit.engines.rebuilding import Rebuilding


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock: times as the store's clock says them, ISO 8601."""

    owner: str
    since: str
    expires: str
    expired: bool
    fencing: int


class Lease(Protocol):
    """The lock of one store, held."""

    @property
    def fencing(self) -> int:
        """A number that grows with every holder; an older holder's number is worth nothing."""
        ...

    def check(self) -> None:
        """LockHeld when somebody else has taken the lock meanwhile."""
        ...

    def beat(self) -> None:
        """Say that the holder lives, over a connection of its own. Raises as `check`."""
        ...

    def release(self) -> None:
        """Give the lock back, if it is still ours."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """One run as the journal has it. `status`: running, done, kept (done, the old data still there), finished, rolled
    back, abandoned. `of`: the run that a rollback or finish belongs to. `state`: the machine's last state."""

    id: int
    kind: str
    status: str
    wanted: str
    owner: str
    started: str
    ended: str | None
    plan: Json
    state: Json
    of: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: what was done, and the state the machine is in since."""

    action: str
    state: Json
    note: str = ""


class Journal(Protocol):
    """The record of all runs of a store, kept in the store."""

    def runs(self) -> Sequence[Run]:
        """All runs, oldest first; () when there is no journal yet."""
        ...

    def lines(self, run: int) -> Sequence[Mapping[str, Json]]:
        """The lines of one run, oldest first: number, time, action, note."""
        ...

    def begin(self, kind: str, wanted: str, plan: Json, state: Json, of: int | None) -> Run:
        """A new run, status `running`."""
        ...

    def append(self, run: int, entry: Entry) -> None:
        """One more line, checked against the lock."""
        ...

    def close(self, run: int, status: str, of: int | None = None, of_status: str = "") -> None:
        """End a run, and say what that makes of the run it belongs to, in one transaction."""
        ...


class Coordinated(Protocol):
    """The part of a client that keeps the lock and the journal in the store."""

    def take_lock(self, owner: str, seconds: float) -> Lease:
        """Take the lock for `seconds`, to be renewed by `beat`. LockHeld when somebody has it."""
        ...

    def holder(self) -> Holder | None:
        """Who holds the lock now."""
        ...

    def break_lock(self, owner: str) -> None:
        """Take the lock from `owner`, whose sessions are ended."""
        ...

    def journal(self) -> Journal:
        """The journal of this store."""
        ...

    def rebuilding(self) -> Rebuilding:
        """The steps that run beside live writes."""
        ...


@runtime_checkable
class Sensing(Protocol):
    """A client that can tell how hard its store has it, so that a copy waits (`--max-lag`, `--max-load`)."""

    def lag(self) -> float | None:
        """By how many seconds the slowest replica is behind; None: none is seen that could be. EngineError when that
        cannot be told."""
        ...

    def load(self) -> float:
        """How many sessions besides ours are at work. EngineError when that cannot be told."""
        ...


@runtime_checkable
class Throttling(Protocol):
    """A client whose store keeps what `schema throttle` asked of a run that is under way; the runner looks there about
    once a second. What is asked is the runner's business; the store keeps it with the run, and it ends with the run."""

    def throttle(self, run: int) -> Json:
        """What was asked last; None: nothing."""
        ...

    def set_throttle(self, run: int, asked: Json) -> None:
        """Ask; needs no lock. None takes everything back."""
        ...


@runtime_checkable
class Undivided(Protocol):
    """A client whose swaps may be done or not done, and nothing between, whatever became of the run."""

    def undivided(self) -> bool:
        """Whether they are: then what is observed of a swap says whether anything has changed places."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """What a pre-flight check found. `fatal`: the run must not start."""

    code: str
    message: str
    hint: str
    fatal: bool = True


def listed(names: Sequence[str], most: int) -> str:
    """`names` for a message: so many of them, and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


@runtime_checkable
class Checking(Protocol):
    """A client that can look for trouble before a run."""

    def preflight(self, plan: Plan) -> tuple[Problem, ...]:
        """What stands in the way of `plan` on this store, with this role; it changes nothing."""
        ...


@runtime_checkable
class Rechecking(Protocol):
    """A client that can look again before a run that was cut off goes on: what was in order may not be so by now."""

    def recheck(self, plan: Plan) -> tuple[Problem, ...]:
        """What stands in the way of the rest of `plan`; it changes nothing."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A client that can count what a plan would lose."""

    def losses(self, plan: Plan) -> Mapping[str, int]:
        """Column or field → number of values that the plan's steps destroy and no upgrade would bring back."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a version beside live writes, and the ways back; see `toolkit.plan.Plan`. `foreign`: where objects of
    others will be, besides where they are.
    """

    steps: tuple[Step, ...]
    rollback: tuple[Step, ...] = ()
    abandon: tuple[Step, ...] = ()
    finish: tuple[Step, ...] = ()
    foreign: tuple[Path, ...] = ()


@runtime_checkable
class OnlineEngine(Protocol):
    """An engine whose plain steps would keep writers waiting, and that knows a longer way which does not."""

    def online(self, observed: Observed, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> Route:
        """As `Engine.steps`, on the way beside live writes."""
        ...
