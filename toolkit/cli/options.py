"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from toolkit.cli.output import interrupted
from toolkit.engines import ENGINES, Client, Engine, engine
from toolkit.errors import ToolkitError
from toolkit.targets import DEFAULT_FILE, Target, is_url, resolve

_F = TypeVar("_F", bound=Callable[..., object])
_T = TypeVar("_T")


class Finite(click.FloatRange):
    """A number in a range. `nan` is in none, and no wait or limit is endless."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As click's types; a usage error for what is no number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is no number to wait for or to stay below.", param, ctx)
        return number


def target_argument(function: _F) -> _F:
    """TARGET and --config: one store, or all stores of the configuration file."""
    help_text = f"File that names stores.  [default: {DEFAULT_FILE}]"
    path = click.Path(dir_okay=False, path_type=Path)
    return click.argument("target", required=False)(click.option("--config", type=path, help=help_text)(function))


def engine_option(required: bool = False) -> Callable[[_F], _F]:
    """--engine."""
    return click.option("--engine", "engine_name", type=click.Choice(list(ENGINES)), required=required, help="Engine.")


def version_option(default: str = "latest") -> Callable[[_F], _F]:
    """--to."""
    return click.option("--to", "version", default=default, show_default=True, help="Wanted schema version.")


def targets(target: str | None, config: Path | None) -> tuple[Target, ...]:
    """What the command line names, with `${ENV}` filled in. UsageError for a file beside a URL: its overlay would be
    passed over, and what an overlay has made would look like drift."""
    if config is not None and target is not None and is_url(target):
        raise click.UsageError("--config names stores: give the name of one instead of a URL, or leave --config out")
    return resolve(target, config, os.environ)


def each(stores: Sequence[Target], act: Callable[[Target], _T], member: str | None = None) -> list[_T]:
    """What `act` answers for each store. The error that ends it names its store where there are several, and has the
    answers before it: as `member` of the document, when they are data."""
    found: list[_T] = []
    for store in stores:
        try:
            found.append(act(store))
        except (ToolkitError, KeyboardInterrupt, click.Abort) as end:
            if len(stores) == 1:
                raise
            error = end if isinstance(end, ToolkitError) else interrupted()
            error.target = store.name or store.shown
            error.answered = {member: found} if member else {}
            raise error from None
    return found


@contextmanager
def connected(target: Target) -> Iterator[tuple[Engine, Client]]:
    """The engine and an open client of `target`, closed afterwards; no error leaves with a secret in it."""
    chosen = engine(target.engine)
    try:
        client = chosen.connect(target)
        try:
            yield chosen, client
        finally:
            client.close()
    except ToolkitError as error:
        error.message, error.hint = target.redact(error.message), target.redact(error.hint)
        raise
