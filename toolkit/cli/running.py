"""What the commands that run a plan share: progress with rate and ETA, Ctrl-C at a safe point, the question before.

It shows and asks; the run itself is `toolkit.apply.runner`'s.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

import click

from toolkit.apply.actions import Action, CompareChunk, CopyChunk, Outcome, Pause, Replay
from toolkit.apply.checking import busy
from toolkit.apply.limits import Limits
from toolkit.apply.ongoing import begun, in_the_way, plan_of, to_end_first
from toolkit.apply.runner import Options, Result, Task, perform, refuse
from toolkit.describe import plan_json
from toolkit.engines import Client
from toolkit.engines.online import Checking, Problem
from toolkit.engines.rebuilding import Compared, Copied, Replayed
from toolkit.errors import UsageError
from toolkit.explain import text
from toolkit.explain.totals import Explained, totals, totals_json
from toolkit.plan import Plan, Step, StepClass

# A line in a log at most this often; a terminal is refreshed four times a second.
LOG_SECONDS = 10.0
LIVE_SECONDS = 0.25


class RunProgress:
    """One line a step: live where somebody looks, plain in a log. `report`, `watch` and `tick` go to the runner."""

    def __init__(self, total: int, quiet: bool, stream: TextIO | None = None) -> None:
        self._total = total
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._head = ""
        self._step: Step | None = None
        self._began = self._shown = time.monotonic()
        self._done = 0

    def report(self, number: int, step: Step, seconds: float | None) -> None:
        """A step begins (`seconds` None) or has ended."""
        if self._quiet:
            return
        self._head = f"[{number + 1}/{self._total}] {step.title}"
        if seconds is not None:
            clear = "\r\033[K" if self._live else ""
            self._stream.write(f"{clear}{self._head}  {seconds:.2f} s\n")
        elif self._live:
            self._stream.write(self._fitted(" …"))
        if seconds is None:
            self._step, self._done, self._began = step, 0, time.monotonic()
        self._stream.flush()

    def watch(self, action: Action, outcome: Outcome | None) -> None:
        """Rows and keys, as they are done."""
        match action, outcome:
            case ((CopyChunk() | CompareChunk()), (Copied(rows=rows) | Compared(rows=rows))):
                estimate = self._step.estimate if self._step else None
                self._count(rows, estimate.rows if estimate else None, "rows")
            case Replay(), Replayed(taken, left):
                self._count(taken, self._done + taken + left, "keys")
            case Pause(_, reason), None:
                self._line(f"waiting: {reason}")
            case _:
                pass

    def tick(self, done: int) -> None:
        """Statements of a step, as they are done."""
        self._done = 0
        self._count(done, len(self._step.statements) if self._step else None, "statements")

    def _count(self, more: int, total: int | None, what: str) -> None:
        self._done += more
        seconds = max(0.001, time.monotonic() - self._began)
        rate = self._done / seconds
        left = f", about {max(0.0, (total - self._done) / rate):.0f} s left" if total and rate else ""
        of = f" of {max(total, self._done)}" if total else ""
        self._line(f"{self._done}{of} {what}, {rate:.0f}/s{left}")

    def _line(self, text: str) -> None:
        now = time.monotonic()
        if self._quiet or now - self._shown < (LIVE_SECONDS if self._live else LOG_SECONDS):
            return
        self._shown = now
        self._stream.write(f"\r\033[K{self._fitted(f': {text}')}" if self._live else f"{self._head}: {text}\n")
        self._stream.flush()

    def _fitted(self, text: str) -> str:
        """The step's name, as much of it as there is room for, and `text`: what a terminal breaks into two lines can
        only be half overwritten."""
        room = _columns(self._stream) - 1
        return f"{self._head[: max(0, room - len(text))]}{text}"[:room]


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


@contextmanager
def safe_stop(quiet: bool) -> Iterator[threading.Event]:
    """An event that the first Ctrl-C (or SIGTERM) sets; a second one interrupts at once, which is safe as well. What
    the caller has ignored stays so: a job in the background of a script is not meant by its Ctrl-C."""
    asked = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        if not quiet:
            click.echo("\nStopping after the current action. Once more to cancel that, too.", err=True)

    meant = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in meant}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_task(client: Client, task: Task, quiet: bool, wishes: Limits) -> Result:
    """Run with progress, and stop at a safe point on Ctrl-C."""
    progress = RunProgress(len(task.plan.steps), quiet)
    with safe_stop(quiet) as asked:
        options = Options(limits=wishes, stopped=asked.is_set, watch=progress.watch, tick=progress.tick, note=_note)
        return perform(client, task, progress.report, time.monotonic, options)


def _note(said: str) -> None:
    """On stderr, whatever form the answer has: an option without effect must not go unseen."""
    click.echo(f"Note: {said}", err=True)


def looked(client: Client, plan: Plan) -> tuple[Problem, ...] | None:
    """What stands in the way of `plan`; None when nobody can tell on this engine."""
    return client.preflight(plan) if isinstance(client, Checking) else None


def foreseen(client: Client, plan: Plan) -> tuple[Problem, ...] | None:
    """As `looked`, with the run that must be ended before `plan` can begin. Where `plan` has nothing to do, that run is
    all there is to tell: ToolkitError for one that was cut off."""
    run = None if busy(client) else in_the_way(client)
    if run is None or (run.status == "kept" and not plan.steps):
        return looked(client, plan)
    error = to_end_first(run)
    if not plan.steps:
        raise error
    return (Problem(error.code, error.message, error.hint), *(looked(client, plan) or ()))


def refuse_early(client: Client, problems: Sequence[Problem] | None) -> None:
    """Raise EngineError before anything is made or asked for a run that cannot begin. Who else is at work, and what has
    to be ended first, is for the run itself to say."""
    if not busy(client) and in_the_way(client) is None:
        refuse(problems or ())


def begun_plan(client: Client, kind: str, wanted: str | None = None) -> Plan | None:
    """The plan of the run that the same command goes on with, told to the user; None: there is none."""
    known = begun(client, kind, wanted)
    if known is None:
        return None
    click.echo(f"Going on with run {known.id}, begun {known.started[:19]} by {known.owner}.", err=True)
    return plan_of(known)


def show(name: str, plan: Plan, quiet: bool, statements: bool, problems: Sequence[Problem] | None = None) -> None:
    """The plan, before it is run."""
    if not quiet:
        for line in text.lines(Explained(name, plan, None if problems is None else tuple(problems)), statements):
            click.echo(line)


def confirm(plan: Plan, yes: bool) -> None:
    """Ask before anything is done. UsageError when there is nobody to ask, click.Abort for no."""
    if yes:
        return
    # A closed stdin is None.
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "TV2007", "there is nobody to ask", "Give --yes to run without a question, or --dry-run to look."
        )
    blocks = any(s.step_class is StepClass.REBUILD and s.lock.blocks == "reads and writes" for s in plan.steps)
    question = "Go on?"
    if plan.step_class is StepClass.BREAKING:
        question = "This loses data. Go on?"
    elif blocks:
        question = "This blocks writers while it rewrites tables. Go on?"
    # The answer, which may be one document for a program, is alone on stdout.
    if not click.confirm(question, err=True):
        raise click.Abort


def tell_kept(plan: Plan, quiet: bool) -> None:
    """After a run: what it has left in the store, which the next run asks about. Beside an answer that is data, too."""
    if plan.kept:
        words = "The old data is kept and kept current: `schema finish` drops it, `schema rollback` goes back."
        click.echo(words, err=quiet)


def problems_json(problems: Sequence[Problem] | None) -> list[dict[str, object]] | None:
    """What a look found, as data; null where nobody looked."""
    if problems is None:
        return None
    return [{"code": p.code, "message": p.message, "hint": p.hint, "fatal": p.fatal} for p in problems]


def planned(plan: Plan) -> dict[str, object]:
    """A plan and its sums, as data."""
    return {**plan_json(plan), "totals": totals_json(totals(plan))}


def answer(name: str, plan: Plan, result: Result | None) -> dict[str, object]:
    """One store's part of the JSON answer."""
    if result is None:
        return {"target": name, "done": False, **planned(plan)}
    return {"target": name, "done": True, "fingerprint": result.fingerprint,
            "seconds": [round(s, 3) for s in result.seconds], **planned(result.plan)}  # fmt: skip
