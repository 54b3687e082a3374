"""One run under way: ask the machine for the next action, do it, write it down, and again.

It joins decisions (`machine`), deeds (the engine's client) and the journal; it decides nothing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
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
from toolkit.apply.limits import eased
from toolkit.apply.lock import Heartbeat
from toolkit.apply.machine import next_action, transition
from toolkit.apply.states import Done, Failed, State, Working, step_of, to_json
from toolkit.apply.task import Clock, Options, Report, Result, Task
from toolkit.catalog import Json, fingerprint
from toolkit.engines import Client
from toolkit.engines.online import Entry, Journal, Run, Sensing, Throttling
from toolkit.errors import EngineError, Stopped, StoreChanged, ToolkitError, Unverified, lost_lock
from toolkit.plan import Step

LISTEN_SECONDS = 1.0
# A long back-off is waited for in pieces, so that Ctrl-C need not wait for its end.
PIECE_SECONDS = 0.25


@dataclass(slots=True)
class Course:
    """One run under way, `current` in the journal, under the lock that `heartbeat` keeps."""

    client: Client
    journal: Journal
    current: Run
    heartbeat: Heartbeat
    task: Task
    report: Report
    clock: Clock
    options: Options
    seconds: list[float] = field(default_factory=list)
    shown: tuple[int, float] | None = None
    listened: float = float("-inf")
    asked: Json = None
    # The fingerprint of the store as it was verified.
    ended: str | None = None

    def run(self, state: State) -> Result:
        """The loop."""
        while not isinstance(state, Done | Failed):
            self._show(state)
            if self.options.stopped():
                raise self._stopped(state)
            if self.heartbeat.lost:
                raise lost_lock()
            limits = eased(self.options.limits, self._listen())
            action = next_action(state, limits)
            self.options.watch(action, None)
            outcome = self._do(action)
            self.options.watch(action, outcome)
            state = transition(self.task.plan.steps, state, outcome, limits)
            self._write(action, state)
        self._show(None)
        return self._end(state)

    def _do(self, action: Action) -> Outcome:
        rebuilding = self.client.rebuilding()
        match action:
            case Look(step):
                return self._look(self.task.plan.steps[step])
            case RunStep(step, wait):
                return rebuilding.attempt(self.task.plan.steps[step], wait, self.options.tick)
            case CopyChunk(step, after, rows):
                return rebuilding.copy(self.task.plan.steps[step], after, rows)
            case CompareChunk(step, after, rows):
                return rebuilding.compare(self.task.plan.steps[step], after, rows)
            case Replay(step, keys):
                return rebuilding.replay(self.task.plan.steps[step], keys)
            case Swap(step, wait, most):
                return rebuilding.swap(self.task.plan.steps[step], wait, most)
            case Pause(seconds):
                return self._pause(seconds * random.uniform(0.5, 1.5))
            case Measure(lag, load):
                return self._measured(lag, load)
            case Verify():
                return self._verify()
            case _:
                assert_never(action)

    def _verify(self) -> Verified:
        after = self.client.observe()
        self.ended = fingerprint(after.catalog)
        return Verified(self.task.check(after))

    def _measured(self, lag: bool, load: bool) -> Measured:
        if not isinstance(self.client, Sensing):
            return Measured(0.0, 0.0)
        return Measured((self.client.lag() or 0.0) if lag else 0.0, self.client.load() if load else 0.0)

    def _listen(self) -> Json:
        """What `schema throttle` asked of this run, looked up about once a second."""
        now = self.clock()
        if isinstance(self.client, Throttling) and now - self.listened >= LISTEN_SECONDS:
            self.asked, self.listened = self.client.throttle(self.current.id), now
        return self.asked

    def _pause(self, seconds: float) -> Paused:
        while seconds > 0 and not self.options.stopped():
            piece = min(seconds, PIECE_SECONDS)
            self.options.pause(piece)
            seconds -= piece
        return Paused()

    def _look(self, step: Step) -> Seen:
        view = self.client.observe().view()
        unmet = tuple(place for e in step.needs for place in e.unlike(view))
        return Seen(step.is_done(view), unmet)

    def _write(self, action: Action, state: State) -> None:
        if not isinstance(action, Pause):
            note = state.message if isinstance(state, Failed) else ""
            self.journal.append(self.current.id, Entry(type(action).__name__, to_json(state), note))

    def _show(self, state: Working | None) -> None:
        """Tell the reporter when a step ends and another begins."""
        number = step_of(state)
        if self.shown is not None and self.shown[0] != number:
            done, began = self.shown
            self.seconds.append(self.clock() - began)
            self.report(done, self.task.plan.steps[done], self.seconds[-1])
            self.shown = None
        if number is not None and self.shown is None:
            self.shown = (number, self.clock())
            self.report(number, self.task.plan.steps[number], None)

    def _stopped(self, state: Working) -> Stopped:
        plan = self.task.plan
        number = self.shown[0] + 1 if self.shown else len(plan.steps)
        has_way_back = plan.abandon or plan.rollback or all(step.reverse for step in plan.steps[:number])
        back = "; `schema rollback` takes it back" if has_way_back else ""
        return Stopped(
            "TV5108",
            f"stopped at a safe point, in step {number} of {len(plan.steps)}",
            f"Nothing is lost: the same command goes on from here{back}.",
        )

    def _end(self, state: Done | Failed) -> Result:
        if isinstance(state, Failed) and state.then is not None:
            kind: type[ToolkitError] = StoreChanged if state.code == "TV5001" else EngineError
            raise kind(state.code, state.message, state.hint)
        ended = {"rollback": "rolled back", "finish": "finished"}.get(self.current.kind, "")
        status = "kept" if self.task.plan.kept else "done" if isinstance(state, Done) else "failed"
        self.journal.close(self.current.id, status, self.current.of, ended)
        if isinstance(state, Failed):
            raise Unverified(state.code, state.message, state.hint)
        # A run that was cut off right before its end has nothing left to verify.
        seen = self.ended or fingerprint(self.client.observe().catalog)
        return Result(self.task.plan, tuple(self.seconds), seen)
