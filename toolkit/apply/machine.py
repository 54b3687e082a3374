"""The whole course of a run as two pure functions: which action a state asks for, and which state its outcome leads to.

Nothing here touches a store, a clock or chance; one small function per state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from toolkit.apply.actions import (
    Action,
    CompareChunk,
    CopyChunk,
    Look,
    Measure,
    Measured,
    Outcome,
    Pause,
    Paused,
    Replay,
    RunStep,
    Seen,
    Swap,
    Verified,
    Verify,
)
from toolkit.apply.limits import Limits
from toolkit.apply.states import (
    Comparing,
    Copying,
    Done,
    Failed,
    Looking,
    Measuring,
    Replaying,
    Running,
    State,
    Swapping,
    Verifying,
    Waiting,
    Working,
)
from toolkit.engines.rebuilding import Busy, Compared, Copied, Ran, Replayed, Swapped
from toolkit.plan import Mode, Step

# How long a run that is paused, or whose store has it hard, waits before it looks again.
PATIENCE_SECONDS = 1.0


class Unforeseen(Exception):
    """An outcome that its state cannot have: a fault of the program, never of the user."""


def start(steps: Sequence[Step]) -> Working:
    """The first state of a run."""
    return Looking(0) if steps else Verifying()


def next_action(state: Working, limits: Limits) -> Action:
    """What is to be done in `state`."""
    if limits.paused and not isinstance(state, Waiting):
        return Pause(PATIENCE_SECONDS, "paused by `schema throttle`")
    match state:
        case Looking(step):
            return Look(step)
        case Running(step):
            return RunStep(step, limits.lock_seconds)
        case Copying(step, after, rows):
            return CopyChunk(step, after, rows)
        case Comparing(step, after, rows):
            return CompareChunk(step, after, rows)
        case Replaying(step, keys):
            return Replay(step, keys)
        case Swapping(step):
            return Swap(step, limits.lock_seconds, limits.backlog * 4)
        case Waiting(seconds, reason):
            return Pause(seconds, reason)
        case Measuring():
            return Measure(limits.max_lag is not None, limits.max_load is not None)
        case Verifying():
            return Verify()
        case _:
            assert_never(state)


def transition(steps: Sequence[Step], state: Working, outcome: Outcome, limits: Limits) -> State:
    """The state that follows. Unforeseen when `outcome` cannot come back from what `state` asks for."""
    match state, outcome:
        case Looking(), Seen():
            return _seen(steps, state, outcome, limits)
        case Running(), Ran():
            return _enter(steps, state.step + 1, limits)
        case Running(), Busy():
            return _retry(state.step, state.attempt, outcome, limits, Running(state.step, state.attempt + 1))
        case Copying(), Copied():
            return _copied(steps, state, outcome, limits)
        case Comparing(), Compared():
            return _compared(steps, state, outcome, limits)
        case Replaying(), Replayed():
            return _replayed(steps, state, outcome, limits)
        case Swapping(), Swapped():
            return _enter(steps, state.step + 1, limits)
        case Swapping(), Busy():
            # What is recorded meanwhile is replayed before the next attempt, so that little is left under the lock.
            again = Replaying(state.step, limits.rows, attempt=state.attempt + 1)
            return _retry(state.step, state.attempt, outcome, limits, again)
        case ((Copying() | Comparing() | Replaying()), Busy()):
            return _refused(state, outcome, limits)
        case Waiting(), Paused():
            return state.then
        case _, Paused():
            return state
        case Measuring(), Measured(lag, load):
            return _eased(state, lag, load, limits)
        case Verifying(), Verified():
            return _verified(outcome)
        case _:
            raise Unforeseen(f"{type(state).__name__} cannot end with {type(outcome).__name__}")


def _enter(steps: Sequence[Step], step: int, limits: Limits) -> State:
    """The state in which a step begins. What it needs is looked at first, if it needs anything."""
    if step >= len(steps):
        return Verifying()
    # A swap looks for what it needs right before each attempt, after the replay.
    if steps[step].needs and steps[step].mode is not Mode.SWAP:
        return Looking(step)
    return _begin(steps[step], step, limits)


def _begin(step: Step, number: int, limits: Limits) -> State:
    match step.mode:
        case Mode.ONCE | Mode.PARALLEL:
            return Running(number)
        case Mode.COPY:
            return Copying(number, None, limits.rows, 0)
        case Mode.COMPARE:
            return Comparing(number, None, limits.rows, 0)
        case Mode.REPLAY | Mode.SWAP:
            return Replaying(number, limits.rows)
        case _:
            assert_never(step.mode)


def _seen(steps: Sequence[Step], state: Looking, outcome: Seen, limits: Limits) -> State:
    step = steps[state.step]
    if outcome.done:
        return _enter(steps, state.step + 1, limits)
    if outcome.unmet:
        return Failed(
            "TV5001",
            f"before {step.title!r}: the store was changed by somebody else: {'; '.join(outcome.unmet[:3])}",
            "Undo that and give the same command again; or `schema rollback` takes back what this run has done: then "
            "make a new plan.",
            Looking(state.step),
        )
    if step.mode is Mode.SWAP:
        # A resumed run comes here first and has everything to replay; one that just replayed tries at once.
        return Swapping(state.step, state.attempt) if state.attempt else Replaying(state.step, limits.rows, attempt=1)
    return _begin(step, state.step, limits)


def _retry(step: int, attempt: int, busy: Busy, limits: Limits, again: Running | Replaying) -> State:
    """Try again after a pause that grows, or give up for now."""
    if attempt >= limits.attempts:
        return Failed(
            "TV5103",
            f"what it waits for did not come in {attempt + 1} attempts of {limits.lock_seconds:g} s: {busy.reason}",
            "Nothing is lost: end long transactions or inserts, or try later. The same command goes on from here.",
            Looking(step),
        )
    pause = 0.0 if busy.at_once else min(limits.longest_pause, 0.05 * 1.5**attempt)
    return Waiting(pause, busy.reason, again)


def _copied(steps: Sequence[Step], state: Copying, outcome: Copied, limits: Limits) -> State:
    if outcome.last is None:
        return _enter(steps, state.step + 1, limits)
    rows = resized(state.rows, outcome.seconds, limits)
    next_ = Measuring(replace(state, after=outcome.last, rows=rows, done=state.done + outcome.rows, attempt=0))
    eased = _eased(next_, outcome.lag or 0.0, outcome.load or 0.0, limits)
    unseen = (limits.max_lag is not None and outcome.lag is None) or (
        limits.max_load is not None and outcome.load is None
    )
    return next_ if unseen and eased == next_.then else eased


def _eased(state: Measuring, lag: float, load: float, limits: Limits) -> State:
    """Go on, or wait and measure again: while a replica is too far behind or others are at work, nothing is copied."""
    if limits.max_lag is not None and lag > limits.max_lag:
        return Waiting(PATIENCE_SECONDS, f"a replica is {lag:.1f} s behind", state)
    if limits.max_load is not None and load > limits.max_load:
        others = "1 other session is" if load == 1 else f"{load:g} other sessions are"
        return Waiting(PATIENCE_SECONDS, f"{others} at work", state)
    return state.then


def _refused(state: Copying | Comparing | Replaying, busy: Busy, limits: Limits) -> State:
    """The store asked for patience: less at a time after a pause that grows, or give up for now."""
    times = state.refused if isinstance(state, Replaying) else state.attempt
    if times >= limits.attempts:
        return Failed(
            "TV5112",
            f"the store refused {times + 1} times in a row: {busy.reason}",
            "Nothing is lost: try at a quieter hour. The same command goes on from here.",
            Looking(state.step),
        )
    pause = min(limits.longest_pause, 0.05 * 1.5**times)
    match state:
        case Replaying():
            return Waiting(pause, busy.reason, replace(state, keys=max(50, state.keys // 2), refused=times + 1))
        case _:
            return Waiting(pause, busy.reason, replace(state, rows=max(50, state.rows // 2), attempt=times + 1))


def _compared(steps: Sequence[Step], state: Comparing, outcome: Compared, limits: Limits) -> State:
    if outcome.different:
        keys = ", ".join("/".join(part.rstrip() for part in key) for key in outcome.different[:3])
        return Failed(
            "TV5105",
            f"the copy differs from the live table: {keys}",
            "Somebody writes to the tool's own table, or the tool has a fault. `schema rollback` removes the copy.",
            Looking(state.step),
        )
    if outcome.last is None:
        return _enter(steps, state.step + 1, limits)
    rows = resized(state.rows, outcome.seconds, limits)
    return replace(state, after=outcome.last, rows=rows, done=state.done + outcome.rows, attempt=0)


def _replayed(steps: Sequence[Step], state: Replaying, outcome: Replayed, limits: Limits) -> State:
    if outcome.enough or outcome.left <= limits.backlog:
        if steps[state.step].mode is Mode.SWAP:
            return Looking(state.step, max(1, state.attempt))
        return _enter(steps, state.step + 1, limits)
    gained = state.least is None or outcome.left < state.least
    if not gained and state.rounds >= limits.rounds:
        return Failed(
            "TV5104",
            f"writers change rows faster than they can be followed: {outcome.left} keys are waiting",
            "Try at a quieter hour. The same command goes on from here.",
            Looking(state.step),
        )
    return replace(
        state,
        keys=resized(state.keys, outcome.seconds, limits),
        done=state.done + outcome.taken,
        least=outcome.left if gained else state.least,
        rounds=0 if gained else state.rounds + 1,
        refused=0,
    )


def _verified(outcome: Verified) -> State:
    if not outcome.left:
        return Done()
    shown = "; ".join(outcome.left[:5])
    hint = "Run `schema plan` to see what is left."
    return Failed("TV5002", f"the store is not what was wanted: {shown}", hint, None)


def resized(rows: int, seconds: float, limits: Limits) -> int:
    """The next chunk's size: towards the time a chunk may take, at most twice or half of the last one."""
    factor = limits.chunk_seconds / seconds if seconds > 0 else 2.0
    return max(50, min(limits.most_rows, round(rows * max(0.5, min(2.0, factor)))))
