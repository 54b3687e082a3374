"""`schema status`: what a store is, what it claims to be, what is wrong with it, and which server may start on it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from toolkit.apply.standing import standing
from toolkit.cli.options import Finite, connected, target_argument, targets
from toolkit.cli.output import emit, ended, number, output_option, unread
from toolkit.errors import Differences, ToolkitError
from toolkit.routes import needs, published
from toolkit.targets import Target

Facts = Mapping[str, Any]
_CLEAR = "\033[H\033[2J"


@click.command("status")
@target_argument
@click.option("--server", metavar="RELEASE", help="Say whether this release of Temporal's server may start.")
@click.option("--exit-code", is_flag=True, help="Leave with 3 when the store is not at the newest version.")
@click.option("--watch", type=Finite(0.1), metavar="SECONDS", help="Show it again and again, until Ctrl-C.")
@output_option
def command(
    target: str | None, config: Path | None, server: str | None, exit_code: bool, watch: float | None, output: str
) -> None:
    """Show how TARGET (a URL, or a store of the configuration file) stands; without TARGET all stores of the file."""
    stores = targets(target, config)
    if server is not None:
        # What is wrong for every store is told once, and of none.
        needs(published().servers, server)
    try:
        found, failed = _looked(stores, server, watch, output)
    except KeyboardInterrupt:
        if watch is None:
            raise
        raise ended() from None
    if failed:
        raise failed[0]
    if exit_code and any(facts["pending"] for facts in found):
        raise Differences("TV6003", "a store is not at the newest version", "Run `temporal-visibility schema plan`.")


def _looked(
    stores: Sequence[Target], server: str | None, watch: float | None, output: str
) -> tuple[list[dict[str, Any]], list[ToolkitError]]:
    """Show the stores once, or every `watch` seconds: the last facts, and what kept others from being told."""
    while True:
        failed: list[ToolkitError] = []
        found = [_look(store, server, failed) for store in stores]
        if watch is not None and output == "text" and sys.stdout.isatty():
            click.echo(_CLEAR, nl=False)
        emit(output, {"stores": found}, partial(_text, found))
        if watch is None or unread():
            return found, failed
        sys.stdout.flush()
        time.sleep(watch)


def _look(store: Target, server: str | None, failed: list[ToolkitError]) -> dict[str, Any]:
    """The facts of one store. One that cannot be asked hides none of the others, and does not end a watch."""
    name = store.name or store.shown
    try:
        with connected(store) as (engine, client):
            return {"target": name, **standing(engine, client, store.overlay, server)}
    except ToolkitError as error:
        error.told = True
        failed.append(error)
        return {"target": name, "engine": store.engine, "error": error.to_json()}


def _text(found: Sequence[Facts]) -> Iterator[str]:
    return (line for facts in found for line in _lines(facts))


def _lines(facts: Facts) -> Iterator[str]:
    if "error" in facts:
        yield f"{facts['target']}"
        yield f"  not known    {facts['error']['code']} {facts['error']['message']}"
        return
    marks, rows = facts["marks"], facts["rows"]
    nothing = "nothing yet" if facts["empty"] else "no published version"
    yield f"{facts['target']}"
    yield f"  server       {facts['server']}"
    yield f"  schema       {', '.join(facts['equals']) or nothing}  (fingerprint {facts['fingerprint']})"
    if not facts["equals"] and not facts["empty"]:
        yield from (f"               {line}" for line in facts["identity"])
    yield f"  recorded     {facts['recorded'] or 'nothing'}" + "".join(f", {tool} {m}" for tool, m in marks.items())
    yield f"  records      {number(rows) if isinstance(rows, int) else 'unknown'}"
    yield f"  newest       {facts['newest']}: " + (
        f"{facts['pending']} step{'s' * (facts['pending'] > 1)} to do" if facts["pending"] else "up to date"
    )
    yield from _around(facts)


def _around(facts: Facts) -> Iterator[str]:
    for line in facts["overlay"]:
        yield f"  overlay      {line}"
    drift, lock, run, last, fits = (facts[name] for name in ("drift", "lock", "run", "last_upgrade", "fits"))
    if drift:
        count = drift["findings"]
        what = f"{count} finding{'s' * (count != 1)}: {', '.join(drift['codes'])}" if count else "none"
        yield f"  drift        {what} (judged as {drift['version']})"
    if lock:
        yield f"  in progress  {lock['owner']} works on it since {lock['since'][:19]}"
    if run:
        state = "" if lock else ", cut off"
        yield f"  run          {run['run']}, {run['kind']} to {run['to']}, began {run['began'][:19]}{state}"
    if last:
        yield f"  last upgrade to {last['to']}, {last['status']}, {(last['ended'] or last['began'])[:19]}"
    if fits:
        yield from _server(fits)
    for line in facts["remarks"]:
        yield f"  remark       {line}"
    if facts["foreign"]:
        yield f"  not ours     {', '.join(facts['foreign'])}"


def _server(fits: Facts) -> Iterator[str]:
    if fits["starts"]:
        slow = f", without {len(fits['warnings'])} things that make it fast" if fits["warnings"] else ""
        yield f"  Temporal     the server {fits['release']} may start: it needs {fits['needs']}{slow}"
        return
    yield f"  Temporal     the server {fits['release']} must not start: it needs {fits['needs']}"
    yield from (f"               {reason}" for reason in fits["reasons"][:5])
