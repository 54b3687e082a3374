"""The options that say how gentle a run is."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import click

from toolkit.apply.limits import Limits
from toolkit.cli.options import Finite

_F = TypeVar("_F", bound=Callable[..., object])


def throttle_options(function: _F) -> _F:
    """--chunk-time, --lock-timeout, --max-lag and --max-load: the argument `wishes` of the command."""
    usual = Limits()

    @wraps(function)
    def command(
        chunk_time: float, lock_timeout: float, max_lag: float | None, max_load: float | None, **rest: object
    ) -> object:
        limits = Limits(chunk_seconds=chunk_time, lock_seconds=lock_timeout, max_lag=max_lag, max_load=max_load)
        return function(wishes=limits, **rest)

    return chunk_time(usual.chunk_seconds)(lock_timeout(usual.lock_seconds)(max_lag(max_load(command))))  # type: ignore[return-value]


def chunk_time(usual: float | None) -> Callable[[_F], _F]:
    """--chunk-time."""
    return _seconds("--chunk-time", 0.01, 60, usual, "How long one chunk of a copy may take; its size follows.")


def lock_timeout(usual: float | None) -> Callable[[_F], _F]:
    """--lock-timeout."""
    text = "How long a lock that blocks others is waited for before trying again."
    return _seconds("--lock-timeout", 0.005, 60, usual, text)


def max_lag(function: _F) -> _F:
    """--max-lag."""
    return _seconds("--max-lag", 0, None, None, "Pause the copy while a replica is further behind.")(function)


def max_load(function: _F) -> _F:
    """--max-load."""
    text = "Pause the copy while more other sessions than this are at work in the database."
    return click.option("--max-load", type=Finite(0), default=None, metavar="SESSIONS", help=text)(function)


def _seconds(name: str, least: float, most: float | None, usual: float | None, text: str) -> Callable[[_F], _F]:
    kind = Finite(least, most)
    shown = usual is not None
    return click.option(name, type=kind, default=usual, show_default=shown, metavar="SECONDS", help=text)
