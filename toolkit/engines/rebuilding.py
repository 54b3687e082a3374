"""The steps that run beside live writes: what the runner asks of an engine, and what comes back.

Values and protocols only; nothing here does anything, and a command that runs nothing need not import it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from toolkit.plan import Step

# A place in a table: the values of its key columns, as text.
Key: TypeAlias = tuple[str, ...]
# Called with how many of a step's statements are done.
Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Ran:
    """A step's statements were run."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Nothing was done, because somebody else uses the store just now; `reason` says who or what. `at_once`: waiting
    would make it worse."""

    reason: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Copied:
    """A chunk of `rows` rows was copied up to `last`; None: that was the last chunk. `lag`: by how many seconds the
    slowest replica is behind. `load`: how many sessions besides ours are at work. None: not looked at with the copy."""

    last: Key | None
    rows: int
    seconds: float
    lag: float | None = None
    load: float | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A chunk was compared up to `last` (None: the last one); `different`: keys that are not equal on both sides."""

    last: Key | None
    rows: int
    seconds: float
    different: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Replayed:
    """`taken` recorded keys were refreshed from the live rows; about `left` are still recorded. `enough`: what follows
    can deal with so many, however many the limits allow."""

    taken: int
    left: int
    seconds: float
    enough: bool = False


@dataclass(frozen=True, slots=True)
class Swapped:
    """The shadow took the live table's place; writers waited at most `seconds`."""

    seconds: float


class Rebuilding(Protocol):
    """What a rebuild asks of an engine. Each call checks the lock first, is short, and may be repeated."""

    def attempt(self, step: Step, wait: float, tick: Tick) -> Ran | Busy:
        """Run the statements of a `once` or `parallel` step; give up when a lock is not granted in `wait` seconds."""
        ...

    def copy(self, step: Step, after: Key | None, rows: int) -> Copied | Busy:
        """Copy about `rows` rows that come after `after`. Busy: the store asks for patience (429 and the like)."""
        ...

    def compare(self, step: Step, after: Key | None, rows: int) -> Compared | Busy:
        """Compare about `rows` rows that come after `after` on both sides."""
        ...

    def replay(self, step: Step, keys: int) -> Replayed | Busy:
        """Refresh at most `keys` recorded keys from the live rows."""
        ...

    def swap(self, step: Step, wait: float, most: int) -> Swapped | Busy:
        """Put the shadow in the live table's place; give up when a lock is not granted in `wait` seconds, or when more
        than `most` keys would have to be refreshed under it."""
        ...
