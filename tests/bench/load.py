"""A steady load on a store while something is done to it, and a report of what the writers noticed.

The engine's part is a `Session` (four small calls); pace, truth, latencies, lost rows and ratios are here. A write
that is due and cannot be sent counts from when it was due, so that a block is felt by every write it held up.
"""

from __future__ import annotations

import heapq
import json
import random
import re
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

# The namespace of the rows that the load writes.
NAMESPACE = "00000000-0000-4000-8000-0000000000b1"
SESSIONS = 4
# So many of the longest writes are named with the second in which they began.
_SLOWEST = 8


class Session(Protocol):
    """One writer's connection. Rows are in `NAMESPACE`; `word` is a keyword attribute's value, Keyword01."""

    def insert(self, run: str, word: str) -> None:
        """A new open run."""
        ...

    def update(self, run: str, word: str) -> None:
        """Close the run, with another word."""
        ...

    def delete(self, run: str) -> None:
        """Retention."""
        ...

    def close(self) -> None:
        """End of the connection."""
        ...


@dataclass(slots=True)
class _Writer:
    """One session's work, run by one thread: its own runs, so that its truth needs no lock."""

    open: Callable[[], Session]
    every: float
    stop: threading.Event
    dice: random.Random
    truth: dict[str, str] = field(default_factory=dict)
    began: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    pending: tuple[str, str | None] | None = None
    failure: BaseException | None = None

    def run(self) -> None:
        try:
            session = self.open()
            try:
                self._write(session)
            finally:
                session.close()
        except BaseException as error:
            self.failure = error

    def _write(self, session: Session) -> None:
        due = time.monotonic()
        while not self.stop.is_set():
            now = time.monotonic()
            if now < due:
                self.stop.wait(due - now)
                continue
            began = time.monotonic()
            try:
                self._one(session)
            except Exception as error:
                # As Temporal does: a write that failed is tried again until it gets through.
                self.refused.append(f"{type(error).__name__}: {str(error)[:120]}")
                if len(self.refused) > 10_000:
                    raise
                continue
            ended = time.monotonic()
            self.began.append(began)
            self.took.append(ended - began)
            self.waited.append(ended - due)
            due += self.every

    def _one(self, session: Session) -> None:
        if self.pending is None:
            self.pending = self._choose()
        run, word = self.pending
        if word is None:
            session.delete(run)
            self.truth.pop(run, None)
        elif run in self.truth:
            session.update(run, word)
            self.truth[run] = word
        else:
            session.insert(run, word)
            self.truth[run] = word
        self.pending = None

    def _choose(self) -> tuple[str, str | None]:
        """Four inserts, four updates, two deletes of ten."""
        choice, word = self.dice.random(), f"word{self.dice.randrange(1000)}"
        if choice < 0.4 or not self.truth:
            return str(uuid.UUID(int=self.dice.getrandbits(128))), word
        run = self.dice.choice(list(self.truth)) if len(self.truth) < 200 else self._some()
        return (run, word) if choice < 0.8 else (run, None)

    def _some(self) -> str:
        """One of the oldest few hundred: choosing among all would cost more than the write."""
        wanted = self.dice.randrange(200)
        return next(run for place, run in enumerate(self.truth) if place == wanted)


class Load:
    """`rate` statements a second over a few sessions, from entering to leaving; afterwards `felt` and `truth`."""

    def __init__(
        self, open_session: Callable[[], Session], rate: float, sessions: int = SESSIONS, seed: int = 5
    ) -> None:
        self._stop = threading.Event()
        self._writers = [
            _Writer(open_session, sessions / rate, self._stop, random.Random(5000 + n)) for n in range(sessions)
        ]
        self._threads = [threading.Thread(target=writer.run, daemon=True) for writer in self._writers]
        self._began = 0.0

    def __enter__(self) -> Load:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """No more writes; raises what a writer died of."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for writer in self._writers:
            if writer.failure is not None:
                raise writer.failure

    @property
    def statements(self) -> int:
        """How many have been answered."""
        return sum(len(writer.took) for writer in self._writers)

    @property
    def truth(self) -> dict[str, str]:
        """Run → word, as the store must have it."""
        return {run: word for writer in self._writers for run, word in writer.truth.items()}

    def mark(self) -> list[int]:
        """A place in time, for `felt`."""
        return [len(writer.took) for writer in self._writers]

    def felt(self, since: Sequence[int] | None = None, start: float | None = None) -> Felt:
        """What writers noticed since a `mark`, made at `start` (None: when the load began)."""
        places = since or [0] * len(self._writers)
        took = sorted(t for w, place in zip(self._writers, places, strict=True) for t in w.took[place:])
        waited = sorted(t for w, place in zip(self._writers, places, strict=True) for t in w.waited[place:])
        refused = [text for writer in self._writers for text in writer.refused]
        zero = self._began if start is None else start
        pairs = (
            zip(w.took[place:], w.began[place:], strict=False) for w, place in zip(self._writers, places, strict=True)
        )
        longest = heapq.nlargest(_SLOWEST, (pair for writer in pairs for pair in writer))
        slowest = tuple((round(began - zero, 1), round(seconds, 3)) for seconds, began in longest)
        return Felt(len(took), took[-1] if took else 0.0, quantile(took, 0.5), quantile(waited, 0.99), len(refused),
                    tuple(sorted(set(refused))[:3]), slowest)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Felt:
    """`longest`: the longest single write, sent to answered; `median` likewise; `p99`: due to answered, all in seconds;
    `refused`: writes that failed and were sent again, with some of the messages; `slowest`: the second in which the
    longest writes began, and how long each took."""

    statements: int
    longest: float
    median: float
    p99: float
    refused: int = 0
    messages: tuple[str, ...] = ()
    slowest: tuple[tuple[float, float], ...] = ()


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which `part` of the sorted values lie."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


@dataclass(frozen=True, slots=True)
class Side:
    """One way that was measured: how long it took, what writers felt meanwhile, rows that were lost or wrong after."""

    name: str
    seconds: float
    felt: Felt
    lost: int
    notes: Mapping[str, float | str] = field(default_factory=dict)


def wrong(truth: Mapping[str, str], stored: Mapping[str, str]) -> int:
    """Rows that are missing, came back, or have another word."""
    return sum(1 for run in truth.keys() | stored.keys() if truth.get(run) != stored.get(run))


def measured(
    name: str,
    open_session: Callable[[], Session],
    rate: float,
    work: Callable[[], object],
    stored: Callable[[], Mapping[str, str]],
    settle: float = 2.0,
) -> Side:
    """Do `work` under load: the load runs alone for `settle` seconds before and after it."""
    with Load(open_session, rate) as load:
        time.sleep(settle)
        calm = load.felt()
        mark, began = load.mark(), time.monotonic()
        notes = work()
        seconds = time.monotonic() - began
        # A write that is still held up is part of what was felt.
        time.sleep(settle)
        felt = load.felt(mark, began)
    found = dict(notes) if isinstance(notes, Mapping) else {}
    lost = wrong(load.truth, stored())
    return Side(name, seconds, felt, lost, {"longest before": round(calm.longest, 3), **found})


def command(words: Sequence[str], log: Path) -> dict[str, float | str]:
    """Run `temporal-visibility` as a user does, in a process of its own; title of each step → what it took, from its
    output. RuntimeError with the end of the output when it fails."""
    with log.open("w") as file:
        done = subprocess.run([sys.executable, "-m", "toolkit", *words], check=False, stderr=file, stdout=file,
                              stdin=subprocess.DEVNULL)  # fmt: skip
    said = log.read_text()
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}: {said[-1000:]}")
    ended = re.findall(r"^\[\d+/\d+\] (.*)  (\d+\.\d\d) s$", said, re.MULTILINE)
    return {title: float(seconds) for title, seconds in ended}


def table(title: str, sides: Sequence[Side]) -> list[str]:
    """A table in Markdown; the last line has the ratios of the last side to the first."""
    lines = [f"### {title}", "", "| | total | longest blocked write | p99 write | statements | refused | lost rows |",
             "|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for side in sides:
        felt = side.felt
        lines.append(
            f"| {side.name} | {side.seconds:.1f} s | {felt.longest * 1000:.0f} ms | {felt.p99 * 1000:.0f} ms "
            f"| {felt.statements} | {felt.refused} | {side.lost} |"
        )
    if len(sides) > 1:
        first, last = sides[0], sides[-1]
        ratios = (
            last.seconds / max(first.seconds, 1e-9),
            last.felt.longest / max(first.felt.longest, 1e-9),
            last.felt.p99 / max(first.felt.p99, 1e-9),
        )
        lines.append(f"| {last.name} ÷ {first.name} | {' | '.join(f'{ratio:.4g}' for ratio in ratios)} | | | |")
    for side in sides:
        notes = ", ".join(f"{name} {value}" for name, value in side.notes.items())
        lines.append(f"\n{side.name}: {notes}" if notes else "")
        longest = ", ".join(f"{took * 1000:.0f} ms at {began:.1f} s" for began, took in side.felt.slowest)
        lines += [f"  the longest writes: {longest}"] if longest else []
        lines += [f"  {message}" for message in side.felt.messages]
    return lines


def as_json(title: str, facts: Mapping[str, object], sides: Sequence[Side]) -> str:
    """The same as data."""
    return json.dumps({"bench": title, **facts, "sides": [asdict(side) for side in sides]}, indent=1)


def median(sides: Sequence[Side]) -> Side:
    """Of several rounds of one way, the one in the middle by time, with the worst of what was felt and lost."""
    middle = statistics.median_low([side.seconds for side in sides])
    chosen = next(side for side in sides if side.seconds == middle)
    worst = max(sides, key=lambda side: side.felt.longest)
    return Side(chosen.name, chosen.seconds, worst.felt, max(side.lost for side in sides), chosen.notes)
