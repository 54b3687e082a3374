"""How gentle a run is: the limits it began with, and what somebody asked of it while it runs.

Values and pure functions; where a wish is kept is the engine's part, when it is read the runner's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from toolkit.catalog import Json


@dataclass(frozen=True, slots=True)
class Limits:
    """How gentle a run is. `chunk_seconds`: time one chunk may take; `rows`: size of the first one; `lock_seconds`: how
    long a lock is waited for, while others queue behind; `attempts`: how often that is tried; `backlog`: recorded keys
    left when a swap is tried; `rounds`: how many replays without gain on the writers before the run gives up;
    `max_lag`: how many seconds a replica may be behind while rows are copied; `max_load`: how many other sessions may
    be at work meanwhile; `paused`: nothing is done until it is taken back."""

    chunk_seconds: float = 0.25
    rows: int = 1000
    most_rows: int = 20_000
    lock_seconds: float = 0.05
    attempts: int = 60
    longest_pause: float = 5.0
    backlog: int = 25
    rounds: int = 240
    max_lag: float | None = None
    max_load: float | None = None
    paused: bool = False


# What may be asked of a run: name in the store → smallest and greatest value.
WISHES: Mapping[str, tuple[float, float]] = {
    "chunk_seconds": (0.01, 60),
    "lock_seconds": (0.005, 60),
    "max_lag": (0, 1e9),
    "max_load": (0, 1e9),
}


def eased(limits: Limits, asked: Json) -> Limits:
    """`limits` with what was asked; anything that means nothing is left out, since a run must not die of a wish."""
    if not isinstance(asked, dict):
        return limits
    numbers: dict[str, float] = {}
    for name, (least, most) in WISHES.items():
        value = asked.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
            numbers[name] = float(value)
    return replace(
        limits,
        chunk_seconds=numbers.get("chunk_seconds", limits.chunk_seconds),
        lock_seconds=numbers.get("lock_seconds", limits.lock_seconds),
        max_lag=numbers.get("max_lag", limits.max_lag),
        max_load=numbers.get("max_load", limits.max_load),
        paused=asked.get("paused") is True,
    )
