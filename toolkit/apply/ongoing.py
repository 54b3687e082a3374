"""Which run of a store's journal is not over: begun and not ended, or done with its old data still there.

It reads the journal and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.apply import plan_json
from toolkit.engines import Client
from toolkit.engines.online import Run
from toolkit.errors import ToolkitError, UsageError
from toolkit.plan import Plan


def unfinished(client: Client) -> Run | None:
    """The run that was begun and not ended, if there is one: the rollback rather than what it takes back."""
    return _unfinished(client.journal().runs())


def kept(client: Client) -> Run | None:
    """The run whose old data is still in the store, if there is one."""
    return _kept(client.journal().runs())


def in_the_way(client: Client) -> Run | None:
    """The run that must be ended before another can begin: `unfinished`, else `kept`."""
    runs = client.journal().runs()
    return _unfinished(runs) or _kept(runs)


def _unfinished(runs: Sequence[Run]) -> Run | None:
    return next((run for run in reversed(runs) if run.status == "running"), None)


def _kept(runs: Sequence[Run]) -> Run | None:
    return next((run for run in runs if run.status == "kept"), None)


def begun(client: Client, kind: str, wanted: str | None = None) -> Run | None:
    """The run that the same command goes on with: of this kind, to version `wanted` if that is said, cut off."""
    known = unfinished(client)
    return known if known is not None and known.kind == kind and wanted in (None, known.wanted) else None


def plan_of(run: Run) -> Plan:
    """The plan that `run` follows. ToolkitError when another version of this tool has written it, in its own way."""
    try:
        return plan_json.load(run.plan)
    except UsageError:
        what = f"this version of the tool cannot read the plan of run {run.id}, {run.kind} to {run.wanted}"
        raise ToolkitError("TV5119", what, f"Go on with the version that began it, as {run.owner}.") from None


def going_on(run: Run) -> str:
    """The command that goes on with `run`, in words of a hint."""
    match run.kind:
        case "upgrade" | "downgrade":
            return f"`schema {run.kind} --to {run.wanted}`"
        case "repair":
            return "`schema drift --repair`"
        case kind:
            return f"`schema {kind}`"


def to_end_first(run: Run) -> ToolkitError:
    """The error for who wants another run than `run`, which is `in_the_way`."""
    name = f"run {run.id}, {run.kind} to {run.wanted},"
    if run.status == "kept":
        hint = "Decide first: `schema finish` drops it, `schema rollback` goes back to it."
        return ToolkitError("TV5107", f"the old data of {name} is still in the store", hint)
    return ToolkitError("TV5106", f"{name} is not finished", ways_on(run))


def ways_on(run: Run) -> str:
    """What can be done about a run that was cut off, as a hint."""
    if run.kind in ("rollback", "finish"):
        return f"Go on with it: {going_on(run)}."
    return f"Go on with it ({going_on(run)}), or take it back with `schema rollback`."
