"""`schema unlock`: take away the lock of a run that will not come back."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.cli.options import connected, each, target_argument, targets
from toolkit.cli.output import emit, output_option
from toolkit.errors import LockHeld
from toolkit.targets import Target


@click.command("unlock")
@target_argument
@click.option("--force", "owner", metavar="HOLDER", help="Take it from this holder even before it expires.")
@output_option
def command(target: str | None, config: Path | None, owner: str | None, output: str) -> None:
    """Take away an expired lock on TARGET (a URL, or a store of the configuration file)."""
    found = each(targets(target, config), lambda store: _unlock(store, owner), "stores")
    emit(output, {"stores": found}, lambda: (f"{f['target']}: {_was(f['was'])}" for f in found))


def _unlock(store: Target, owner: str | None) -> dict[str, object]:
    with connected(store) as (_, client):
        holder = client.holder()
        if holder is not None and not holder.expired and holder.owner != owner:
            hint = f"If you are sure that it is gone: --force {holder.owner!r}."
            raise LockHeld("TV5101", f"{holder.owner} holds the lock until {holder.expires}", hint)
        if holder is not None:
            client.break_lock(holder.owner)
        return {"target": store.name or store.shown, "was": holder.owner if holder else None}


def _was(owner: object) -> str:
    return f"taken from {owner}" if owner else "nobody held the lock"
