"""The machine by itself: every state goes into the journal and back, every legal outcome leads on, and a crash never
skips a step."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.model_store import PLAN
from toolkit.apply import actions as act
from toolkit.apply import states as at
from toolkit.apply.limits import WISHES, Limits, eased
from toolkit.apply.machine import Unforeseen, next_action, resized, start, transition
from toolkit.engines import rebuilding
from toolkit.plan import Mode

STEPS = PLAN.steps
LIMITS = Limits(attempts=3, rounds=3, max_lag=2.0, max_load=8.0)
count = st.integers(0, 10_000)
seconds = st.floats(0, 100)
places = st.none() | st.tuples(st.text(max_size=5), st.text(max_size=5))
keys = st.lists(st.tuples(st.text(max_size=5)), max_size=2).map(tuple)


def of_mode(*modes: Mode) -> st.SearchStrategy[int]:
    return st.sampled_from([n for n, step in enumerate(STEPS) if step.mode in modes])


attempts = st.integers(0, 4)
running = st.builds(at.Running, of_mode(Mode.ONCE, Mode.PARALLEL), attempts)
looking = st.builds(at.Looking, st.integers(0, len(STEPS) - 1), attempts)
copying = st.builds(at.Copying, of_mode(Mode.COPY), places, count, count, attempts)
comparing = st.builds(at.Comparing, of_mode(Mode.COMPARE), places, count, count, attempts)
replaying = st.builds(
    at.Replaying, of_mode(Mode.REPLAY, Mode.SWAP), count, count, st.none() | count, attempts, attempts, attempts
)
measuring = st.builds(at.Measuring, copying | comparing)
swapping = st.builds(at.Swapping, of_mode(Mode.SWAP), attempts)
waiting = st.builds(at.Waiting, seconds, st.text(max_size=9), looking | running | replaying | copying | measuring)
states = st.one_of(
    looking, running, copying, comparing, replaying, measuring, swapping, waiting, st.just(at.Verifying())
)
busy = st.builds(rebuilding.Busy, st.text(max_size=9))


def outcomes(action: act.Action) -> st.SearchStrategy[act.Outcome]:
    """What may come back."""
    match action:
        case act.Look():
            return st.builds(act.Seen, st.booleans(), st.lists(st.text(max_size=5), max_size=1).map(tuple))
        case act.RunStep():
            return st.just(rebuilding.Ran()) | busy
        case act.CopyChunk():
            return st.builds(rebuilding.Copied, places, count, seconds, seconds, seconds) | busy
        case act.CompareChunk():
            return st.builds(rebuilding.Compared, places, count, seconds, keys) | busy
        case act.Replay():
            return st.builds(rebuilding.Replayed, count, count, seconds) | busy
        case act.Swap():
            return st.builds(rebuilding.Swapped, seconds) | busy
        case act.Pause():
            return st.just(act.Paused())
        case act.Measure():
            return st.builds(act.Measured, seconds, seconds)
        case act.Verify():
            return st.builds(act.Verified, st.lists(st.text(max_size=5), max_size=2).map(tuple))


def step(state: at.State | None) -> int:
    found = at.step_of(state) if not isinstance(state, at.Failed) else None
    return len(STEPS) if found is None else found


@settings(max_examples=500)
@given(states, st.booleans(), st.data())
def test_every_legal_outcome_leads_on(state: at.Working, paused: bool, data: st.DataObject) -> None:
    """No outcome is unforeseen; no step is skipped; what follows fits into the journal; a failure can go on."""
    limits = eased(LIMITS, {"paused": paused})
    outcome = data.draw(outcomes(next_action(state, limits)))
    after = transition(STEPS, state, outcome, limits)
    assert step(state) <= step(after) <= step(state) + 1 or isinstance(after, at.Failed)
    if isinstance(after, at.Failed):
        assert after.hint
        assert (after.then is None) == isinstance(state, at.Verifying)
        assert step(at.resumable(after)) == step(state)
    assert at.resumable(at.from_json(at.to_json(after))) == at.resumable(after)


def test_a_run_whose_lines_are_gone_is_looked_at_from_its_beginning() -> None:
    assert at.resumable(at.from_json(None)) == at.Looking(0)


@given(states)
def test_after_a_crash_nothing_is_skipped_and_nothing_unseen_is_done_again(state: at.Working) -> None:
    """What cannot be repeated blindly is looked at first; a copy goes on where the journal says."""
    again = at.resumable(at.from_json(at.to_json(state)))
    assert step(again) == step(state)
    inner = state.then if isinstance(state, at.Waiting | at.Measuring) else state
    inner = inner.then if isinstance(inner, at.Measuring) else inner
    if isinstance(inner, at.Running | at.Swapping | at.Looking):
        assert again == at.Looking(inner.step)
    if isinstance(inner, at.Copying | at.Comparing):
        assert isinstance(again, at.Copying | at.Comparing)
        assert again.after == inner.after


@given(states, st.data())
def test_patience_ends(state: at.Working, data: st.DataObject) -> None:
    """A store that is busy for ever is given up on, with a state to go on from."""
    now: at.State = state
    for _ in range(200):
        if isinstance(now, at.Done | at.Failed):
            return
        action = next_action(now, LIMITS)
        refused = isinstance(action, act.RunStep | act.CopyChunk | act.CompareChunk | act.Replay | act.Swap)
        patient = {act.Look: act.Seen(False), act.Measure: act.Measured(0, 0), act.Pause: act.Paused(),
                   act.Verify: act.Verified(("x",))}  # fmt: skip
        now = transition(STEPS, now, rebuilding.Busy("busy") if refused else patient[type(action)], LIMITS)
    raise AssertionError(f"it waits for ever in {now}")


def test_a_paused_run_does_nothing_and_goes_on_where_it_was() -> None:
    state = at.Copying(2, ("a",), 100, 7)
    held = eased(LIMITS, {"paused": True})
    assert isinstance(next_action(state, held), act.Pause)
    assert transition(STEPS, state, act.Paused(), held) == state
    assert next_action(state, LIMITS) == act.CopyChunk(2, ("a",), 100)


def test_while_a_replica_is_behind_nothing_is_copied() -> None:
    state: at.State = at.Copying(2, None, 100, 0)
    state = transition(STEPS, state, rebuilding.Copied(("a",), 100, 0.1, lag=9.0), LIMITS)
    for _ in range(5):
        assert isinstance(state, at.Waiting)
        state = transition(STEPS, state, act.Paused(), LIMITS)
        assert isinstance(state, at.Measuring)
        assert next_action(state, LIMITS) == act.Measure(LIMITS.max_lag is not None, LIMITS.max_load is not None)
        state = transition(STEPS, state, act.Measured(lag=9.0, load=0), LIMITS)
    assert isinstance(state, at.Waiting)
    state = transition(STEPS, at.Measuring(at.Copying(2, ("a",), 100, 100)), act.Measured(0, load=9), LIMITS)
    assert isinstance(state, at.Waiting)
    state = transition(STEPS, at.Measuring(at.Copying(2, ("a",), 100, 100)), act.Measured(0, 0), LIMITS)
    assert state == at.Copying(2, ("a",), 100, 100)


def test_what_a_copy_did_not_look_at_is_looked_at_before_the_next_one() -> None:
    copied = rebuilding.Copied(("a",), 100, 0.1)
    for limits, asks in (
        (replace(LIMITS, max_lag=None, max_load=None), None),
        (replace(LIMITS, max_lag=1, max_load=None), act.Measure(True, False)),
        (replace(LIMITS, max_lag=None, max_load=1), act.Measure(False, True)),
    ):
        state = transition(STEPS, at.Copying(2, None, 100, 0), copied, limits)
        assert not isinstance(state, at.Done | at.Failed)
        action = next_action(state, limits)
        assert action == asks if asks else isinstance(action, act.CopyChunk)


@given(st.dictionaries(st.sampled_from([*WISHES, "paused", "x"]), st.none() | st.text() | st.floats() | st.booleans()))
def test_no_wish_breaks_a_run(asked: dict[str, object]) -> None:
    limits = eased(LIMITS, asked)  # type: ignore[arg-type]
    assert 0.01 <= limits.chunk_seconds <= 60
    assert 0.005 <= limits.lock_seconds <= 60
    assert limits.paused is (asked.get("paused") is True)


@given(st.integers(1, 10**6), st.floats(0, 10**6), st.floats(0.01, 60))
def test_chunks_grow_and_shrink_by_two_at_most(rows: int, took: float, wanted: float) -> None:
    size = resized(rows, took, Limits(chunk_seconds=wanted))
    assert 50 <= size <= Limits().most_rows


def test_an_outcome_of_another_action_is_a_fault() -> None:
    try:
        transition(STEPS, start(STEPS), rebuilding.Ran(), LIMITS)
    except Unforeseen:
        return
    raise AssertionError
