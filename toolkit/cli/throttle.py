"""The options that say how gentle a run is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from toolkit.apply.machine import Limits

_F = TypeVar("_F", bound=Callable[..., object])


def throttle_options(function: _F) -> _F:
    """--chunk-time, --lock-timeout and --max-lag."""
    usual = Limits()
    chunk = click.option(
        "--chunk-time",
        type=click.FloatRange(0.01, 60),
        default=usual.chunk_seconds,
        show_default=True,
        metavar="SECONDS",
        help="How long one chunk of a copy may take; its size follows.",
    )
    lock = click.option(
        "--lock-timeout",
        type=click.FloatRange(0.005, 60),
        default=usual.lock_seconds,
        show_default=True,
        metavar="SECONDS",
        help="How long a lock that blocks others is waited for before trying again.",
    )
    lag = click.option(
        "--max-lag",
        type=click.FloatRange(0),
        default=None,
        metavar="SECONDS",
        help="Pause the copy while a replica is further behind.",
    )
    return chunk(lock(lag(function)))
