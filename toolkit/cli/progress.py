"""Progress on the terminal: one line a step, live where somebody is looking, plain in a log.

It writes to stderr only, so that answers on stdout stay clean.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

from toolkit.plan import Step


class StepProgress:
    """Reports steps of a run; pass `report` to the runner."""

    def __init__(self, total: int, quiet: bool, stream: TextIO | None = None) -> None:
        self._total = total
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()

    def report(self, number: int, step: Step, seconds: float | None) -> None:
        """One event: a step begins (`seconds` None) or has ended."""
        if self._quiet:
            return
        head = f"[{number + 1}/{self._total}] {step.title}"
        if seconds is not None:
            clear = "\r\033[K" if self._live else ""
            self._stream.write(f"{clear}{head}  {seconds:.2f} s\n")
        elif self._live:
            self._stream.write(f"{head[:100]} …")
        self._stream.flush()


def counted(counts: Iterable[int], estimate: int, what: str, quiet: bool) -> Iterator[int]:
    """Pass `counts` on, with a bar, rate and ETA on a terminal, and a line every ten percent in a log.

    `estimate` is the expected sum; where it is wrong the bar ends full all the same.
    """
    if quiet:
        yield from counts
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield from _logged(counts, estimate, what)
        return
    done = TextColumn("{task.completed:,.0f}")
    speed = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), done, speed, TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=estimate, rate="")
        for count in counts:
            rate = progress.tasks[0].speed
            progress.update(task, advance=count, rate=f"{rate:,.0f}/s" if rate else "")
            yield count
        progress.update(task, total=progress.tasks[0].completed or 1)


def _logged(counts: Iterable[int], estimate: int, what: str) -> Iterator[int]:
    done, shown = 0, 0
    for count in counts:
        done += count
        if estimate and done * 10 // estimate > shown:
            shown = done * 10 // estimate
            print(f"{what}: {done} of about {max(done, estimate)}", file=sys.stderr, flush=True)
        yield count
