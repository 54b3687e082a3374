"""Every state a run can be in, as a value that fits into the journal.

No logic besides writing a state as JSON and reading it again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import assert_never

from toolkit.catalog import Json
from toolkit.engines.rebuilding import Key


@dataclass(frozen=True, slots=True)
class Looking:
    """About to see whether a step is done already, and whether what it needs is so; `attempt` counts swaps given up."""

    step: int
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Running:
    """A `once` or `parallel` step is to be run."""

    step: int
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Copying:
    """A `copy` step has done `done` rows up to `after`; the next chunk has `rows`, refused `attempt` times."""

    step: int
    after: Key | None
    rows: int
    done: int
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Comparing:
    """A `compare` step has done `done` rows up to `after`; the next chunk has `rows`, refused `attempt` times."""

    step: int
    after: Key | None
    rows: int
    done: int
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Replaying:
    """A `replay` step, or a swap before its attempt: `keys` at a time; `least` were left at best, `rounds` ago;
    `refused` times in a row the store asked for patience."""

    step: int
    keys: int
    done: int = 0
    least: int | None = None
    rounds: int = 0
    attempt: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Swapping:
    """The exclusive transaction of a `swap` step is to be tried."""

    step: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Back off for `seconds`, because of `reason`, then go on with `then`."""

    seconds: float
    reason: str
    then: Looking | Running | Replaying | Copying | Comparing | Measuring


@dataclass(frozen=True, slots=True)
class Measuring:
    """The store had it hard: see whether it is better before going on with `then`."""

    then: Copying | Comparing

    @property
    def step(self) -> int:
        """The step this belongs to."""
        return self.then.step


@dataclass(frozen=True, slots=True)
class Verifying:
    """All steps are done; the store is to be compared with what was wanted."""


@dataclass(frozen=True, slots=True)
class Done:
    """The store is what was wanted."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The run cannot go on by itself. `then`: where the same command goes on; None: nowhere, a new plan is needed."""

    code: str
    message: str
    hint: str
    then: Looking | None


Working = Looking | Running | Copying | Comparing | Replaying | Swapping | Waiting | Measuring | Verifying
State = Working | Done | Failed


def to_json(state: State) -> dict[str, Json]:
    """The state as the journal keeps it."""
    facts: dict[str, Json] = {"state": type(state).__name__}
    if isinstance(state, Waiting | Measuring | Failed):
        then = state.then
        return {**facts, **asdict(state), "then": None if then is None else to_json(then)}
    members = asdict(state)
    return facts | {k: list(v) if isinstance(v, tuple) else v for k, v in members.items()}


def resumable(state: State) -> Working | Done:
    """Where to go on after a crash: what may have been done unseen is looked at first; a back-off is over."""
    match state:
        case Running(step, _) | Looking(step, _) | Swapping(step, _):
            return Looking(step)
        case Copying() | Comparing():
            return replace(state, attempt=0)
        case Verifying() | Done():
            return state
        case Replaying(step, keys, done):
            return Replaying(step, keys, done)
        case Waiting(_, _, then) | Measuring(then):
            return resumable(then)
        case Failed(_, _, _, then):
            # Only the last look fails for good: all steps are done.
            return then or Verifying()
        case _:
            assert_never(state)


def step_of(state: Working | Done | None) -> int | None:
    """The number of the step a state belongs to; None when all are done."""
    match state:
        case Waiting():
            return state.then.step
        case Verifying() | Done() | None:
            return None
        case _:
            return state.step


def from_json(value: Json) -> State:
    """The state that `to_json` wrote; the first where a run's lines are gone, as each step is looked at before it is
    done. ValueError when it is none."""
    if value is None:
        return Looking(0)
    if not isinstance(value, dict):
        raise ValueError("a state is a mapping")
    match value:
        case {"state": "Looking", "step": int(step), "attempt": int(attempt)}:
            return Looking(step, attempt)
        case {"state": "Running", "step": int(step), "attempt": int(attempt)}:
            return Running(step, attempt)
        case {"state": "Swapping", "step": int(step), "attempt": int(attempt)}:
            return Swapping(step, attempt)
        case {"state": "Copying", "step": int(step), "after": after, "rows": int(rows), "done": int(done)}:
            return Copying(step, _key(after), rows, done)
        case {"state": "Comparing", "step": int(step), "after": after, "rows": int(rows), "done": int(done)}:
            return Comparing(step, _key(after), rows, done)
        case {"state": "Replaying", "step": int(step), "keys": int(keys), "done": int(done)}:
            return Replaying(step, keys, done)
        case {"state": "Waiting" | "Measuring", "then": dict(then)}:
            return resumable(from_json(then))
        case {"state": "Verifying"}:
            return Verifying()
        case {"state": "Done"}:
            return Done()
        case {"state": "Failed", "code": str(code), "message": str(message), "hint": str(hint), "then": then}:
            known = None if then is None else from_json(then)
            return Failed(code, message, hint, known if isinstance(known, Looking) else None)
        case _:
            raise ValueError(f"no state: {str(value)[:80]}")


def _key(value: Json) -> Key | None:
    return tuple(str(part) for part in value) if isinstance(value, list) else None
