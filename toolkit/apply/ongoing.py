"""Which run of a store's journal is not over: begun and not ended, or done with its old data still there.

It reads the journal and changes nothing.
"""

from __future__ import annotations

from toolkit.engines import Client
from toolkit.engines.online import Coordinated, Run
from toolkit.errors import ToolkitError


def unfinished(client: Coordinated) -> Run | None:
    """The run that was begun and not ended, if there is one: the rollback rather than what it takes back."""
    return next((r for r in reversed(client.journal().runs()) if r.status == "running"), None)


def kept(client: Coordinated) -> Run | None:
    """The run whose old data is still in the store, if there is one."""
    return next((r for r in client.journal().runs() if r.status == "kept"), None)


def begun(client: Client, kind: str, wanted: str | None = None) -> Run | None:
    """The run that the same command goes on with: of this kind, to version `wanted` if that is said, cut off."""
    known = unfinished(client) if isinstance(client, Coordinated) else None
    return known if known is not None and known.kind == kind and wanted in (None, known.wanted) else None


def going_on(run: Run) -> str:
    """The command that goes on with `run`, in words of a hint."""
    match run.kind:
        case "upgrade" | "downgrade":
            return f"`schema {run.kind} --to {run.wanted}`"
        case "repair":
            return "`schema drift --repair`"
        case kind:
            return f"`schema {kind}`"


def in_the_way(client: Client) -> ToolkitError | None:
    """What must be ended before another run can begin, if there is something."""
    if not isinstance(client, Coordinated):
        return None
    if (run := unfinished(client)) is not None:
        return not_finished(run)
    run = kept(client)
    return None if run is None else undecided(run)


def not_finished(run: Run) -> ToolkitError:
    """The error for who wants another run than `run`, which was cut off."""
    return ToolkitError("TV5106", f"run {run.id}, {run.kind} to {run.wanted}, is not finished", ways_on(run))


def undecided(run: Run) -> ToolkitError:
    """The error for who wants another run while the old data of `run` is kept."""
    message = f"the old data of run {run.id}, {run.kind} to {run.wanted}, is still in the store"
    hint = "Decide first: `schema finish` drops it, `schema rollback` goes back to it."
    return ToolkitError("TV5107", message, hint)


def ways_on(run: Run) -> str:
    """What can be done about a run that was cut off, as a hint."""
    if run.kind in ("rollback", "finish"):
        return f"Go on with it: {going_on(run)}."
    return f"Go on with it ({going_on(run)}), or take it back with `schema rollback`."
