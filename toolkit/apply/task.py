"""What a run is asked to do and how it may go: values, and the callbacks by which it is watched.

Nothing here does anything.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from toolkit.apply.actions import Action, Outcome
from toolkit.apply.limits import Limits
from toolkit.apply.lock import LEASE_SECONDS
from toolkit.engines.online import Run
from toolkit.plan import Observed, Plan, Step

# Called before a step (seconds None) and after it (seconds it took).
Report = Callable[[int, Step, float | None], None]
Clock = Callable[[], float]
# Called around every action: outcome None before it, and again after it.
Watch = Callable[[Action, Outcome | None], None]
# What still differs from what was wanted, in words.
Check = Callable[[Observed], tuple[str, ...]]


def _nothing(*_: object) -> None:
    """Nobody looks."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes: `stopped` is asked before every action; `tick` hears how many statements of a step are done,
    `note` what the user should know before it begins."""

    limits: Limits = field(default_factory=Limits)
    lease_seconds: float = LEASE_SECONDS
    stopped: Callable[[], bool] = _never
    pause: Callable[[float], None] = time.sleep
    watch: Watch = _nothing
    tick: Callable[[int], None] = _nothing
    note: Callable[[str], None] = _nothing
    owner: str = field(default_factory=lambda: f"{os.environ.get('USER', 'user')}@{socket.gethostname()}:{os.getpid()}")


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be run: `kind` as the journal has it, the plan, how to see that it succeeded, the run it ends, and an
    open one that it is begun instead of."""

    kind: str
    plan: Plan
    check: Check
    of: Run | None = None
    instead: Run | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did: the plan, seconds per step, and the fingerprint seen afterwards."""

    plan: Plan
    seconds: tuple[float, ...]
    fingerprint: str
