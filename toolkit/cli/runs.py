"""`schema runs`: the journal of a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from toolkit.cli.options import connected, each, target_argument, targets
from toolkit.cli.output import emit, output_option, table
from toolkit.engines import Client
from toolkit.targets import Target


@click.command("runs")
@target_argument
@click.option("--run", "number", type=int, help="Show every line of this run.")
@output_option
def command(target: str | None, config: Path | None, number: int | None, output: str) -> None:
    """List the runs on TARGET (a URL, or a store of the configuration file), and who holds its lock."""

    def act(store: Target) -> dict[str, object]:
        with connected(store) as (_, client):
            return {"target": store.name or store.shown, **_read(client, number)}

    found = each(targets(target, config), act, "stores")
    emit(output, {"stores": found}, lambda: (line for facts in found for line in _lines(facts)))


def _read(client: Client, number: int | None) -> dict[str, object]:
    holder, journal = client.holder(), client.journal()
    runs = [
        {"run": r.id, "kind": r.kind, "to": r.wanted, "status": r.status, "by": r.owner, "began": r.started,
         "ended": r.ended, "of": r.of, "state": r.state, "note": r.note}
        for r in journal.runs() if number in (None, r.id)
    ]  # fmt: skip
    lines = [] if number is None else [dict(line) for line in journal.lines(number)]
    lock = None if holder is None else {"owner": holder.owner, "since": holder.since, "expires": holder.expires,
                                        "expired": holder.expired}  # fmt: skip
    return {"lock": lock, "runs": runs, "lines": lines}


def _lines(facts: Mapping[str, object]) -> Iterator[str]:
    yield f"# {facts['target']}"
    lock, runs, lines = facts["lock"], facts["runs"], facts["lines"]
    assert isinstance(runs, list)
    assert isinstance(lines, list)
    if isinstance(lock, dict):
        yield f"Locked by {lock['owner']} since {lock['since']}{' (expired)' if lock['expired'] else ''}."
    if not runs:
        yield "No runs."
        return
    header = ("run", "kind", "to", "status", "began", "ended", "by")
    rows = [(str(r["run"]), r["kind"], r["to"], r["status"], r["began"][:19], (r["ended"] or "-")[:19], r["by"])
            for r in runs]  # fmt: skip
    yield from table(header, rows)
    if lines:
        yield ""
        cells = [(str(x["line"]), x["at"][:23], x["action"], _state(x["state"]), x["note"]) for x in lines]
        yield from table(("line", "at", "did", "then", "note"), cells)


def _state(state: object) -> str:
    if not isinstance(state, dict):
        return ""
    step = f" {state['step'] + 1}" if "step" in state else ""
    return f"{state.get('state')}{step}" + (f" ({state['done']} done)" if state.get("done") else "")
