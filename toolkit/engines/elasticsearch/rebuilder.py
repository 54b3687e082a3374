"""Runs the repeated parts of a rebuild on a search engine; see `toolkit.engines.rebuilding.Rebuilding`.

It decides nothing about the order of things and knows no request: a step brings them, named by their part.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from toolkit.engines.elasticsearch import blocking, inspect, refusals, render, shadow
from toolkit.engines.elasticsearch.books import Ask, Books, SearchLease
from toolkit.engines.elasticsearch.comparing import Comparing
from toolkit.engines.elasticsearch.following import Bulk, Following, Positions
from toolkit.engines.elasticsearch.slices import grid
from toolkit.engines.elasticsearch.transport import TooBusy
from toolkit.engines.rebuilding import Busy, Compared, Copied, Key, Ran, Replayed, Swapped, Tick
from toolkit.errors import EngineError, StoreChanged, ToolkitError
from toolkit.plan import Step

# Nobody waits for a copy here, and a request is dear: what is one row and one second elsewhere is so many here.
SCALE = 8
# Following is done in bulk: so many operations take as long as following one key does elsewhere.
PER_KEY = 50
DELETED = 10
# A look for deletes that took no longer than this may be taken once more while writes are refused.
BRIEF = 3.0
JOBS = 2
# Up to so many documents the whole fingerprint is made once more while writes are refused.
WHOLE = 1_000_000

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Pass:
    """A look for what the source no longer has: how many documents that was, and how long it took."""

    deleted: int
    seconds: float

    @property
    def brief(self) -> bool:
        """Whether the next one, which has less to do, is short enough for writers to wait for it."""
        return self.seconds <= BRIEF


Execute = Callable[[Step, Callable[[], None], Tick], None]


class SearchRebuilder:
    """`execute` runs the requests of a plain step, each after its check. `overlaid`: settings an overlay decides."""

    def __init__(
        self, ask: Ask, bulk: Bulk, books: Books, lease: SearchLease, execute: Execute, overlaid: Collection[str]
    ) -> None:
        self._overlaid = overlaid
        self._ask = ask
        self._bulk = bulk
        self._books = books
        self._lease = lease
        self._execute = execute
        self._known: dict[str, Comparing] = {}
        self._last: Pass | None = None

    def attempt(self, step: Step, wait: float, tick: Tick) -> Ran | Busy:
        """See `Rebuilding.attempt`."""
        self._execute(step, self._lease.check, tick)
        return Ran()

    def copy(self, step: Step, after: Key | None, rows: int) -> Copied | Busy:
        """See `Rebuilding.copy`: the place is a sequence number, the same in all shards."""
        return _patient(lambda: self._copy(step, after, rows))

    def compare(self, step: Step, after: Key | None, rows: int) -> Compared | Busy:
        """See `Rebuilding.compare`: the place is the number of a slice of the run ids."""
        return _patient(lambda: self._compare(step, after, rows))

    def replay(self, step: Step, keys: int) -> Replayed | Busy:
        """See `Rebuilding.replay`: what was written since, and what was deleted once that is little."""
        return _patient(lambda: self._replay(step, keys))

    def swap(self, step: Step, wait: float, most: int) -> Swapped | Busy:
        """See `Rebuilding.swap`: `most` bounds what is left to do while writes are refused."""
        return _patient(lambda: self._swap(step, most))

    def _copy(self, step: Step, after: Key | None, rows: int) -> Copied:
        began = time.monotonic()
        work = self._following(step)
        at = -1 if after is None else int(after[0])
        if after is None:
            goal = work.progress()
            work.note_settings()
            work.take_fields()
            work.send("refresh source")
            work.remember(goal)
        else:
            goal = {shard: int(end) for shard, end in zip(after[1::2], after[2::2], strict=True)}
        upto = at + max(1, rows * SCALE // max(1, len(goal)))
        windows = list(_windows(goal, at, upto))
        with ThreadPoolExecutor(JOBS) as pool:
            copied = sum(pool.map(lambda window: work.copy(*window), windows))
        seconds = (time.monotonic() - began) / SCALE
        if upto >= max(goal.values(), default=-1):
            return Copied(None, copied, seconds)
        ends = tuple(text for shard, end in goal.items() for text in (shard, str(end)))
        return Copied((str(upto), *ends), copied, seconds)

    def _compare(self, step: Step, after: Key | None, rows: int) -> Compared:
        began = time.monotonic()
        sides, cells = self._comparing(step), grid()
        begin = 0 if after is None else int(after[0])
        total = max(1, int(sides.work.send("count source").body["count"]))
        end = begin + max(1, rows * SCALE * len(cells) // total)
        compared, wrong = sides.compare(cells[begin:end])
        last = None if end >= len(cells) else (str(end),)
        return Compared(last, compared, (time.monotonic() - began) / SCALE, tuple((id,) for id, _ in wrong))

    def _replay(self, step: Step, keys: int) -> Replayed:
        began = time.monotonic()
        sides = self._comparing(step)
        taken, left = sides.work.follow(keys * PER_KEY)
        enough = False
        if left == 0:
            left = self._deleted(sides)
            enough = self._last is not None and self._last.brief
        return Replayed(taken, left // PER_KEY, time.monotonic() - began, enough)

    def _swap(self, step: Step, most: int) -> Swapped | Busy:
        sides = self._comparing(step)
        work = sides.work
        began = time.monotonic()
        self._refuse_writes(work)
        try:
            ready = self._caught_up(sides, most)
            if ready:
                work.take_settings()
                self._clone(work)
                self._note_way_back(work)
                self._move(work)
        except EngineError as error:
            if refusals.shut_out(error):
                self._open_again(work, error)
            elif not self._give_up(work) and isinstance(error, TooBusy):
                # Done although the answer says otherwise: the next run sees it, and another attempt would not.
                raise EngineError(error.code, error.message, error.hint) from None
            raise
        except BaseException:
            self._give_up(work)
            raise
        if not ready:
            self._let_writers_in(work)
            return Busy("writers changed too much for the short time in which they are refused")
        self._known.clear()
        self._last = None
        return Swapped(time.monotonic() - began)

    def _refuse_writes(self, work: Following) -> None:
        try:
            blocking.refuse(self._ask, shadow.part(work.statements, "lock"), work.source, self._lease.check)
        except BaseException:
            self._let_writers_in(work)
            raise

    def _following(self, step: Step) -> Following:
        return self._comparing(step).work

    def _comparing(self, step: Step) -> Comparing:
        if step.id not in self._known:
            prints = next((known.prints for known in self._known.values()), None)
            work = Following(step.statements, self._ask, self._bulk, self._books, self._lease, self._overlaid)
            work.claim()
            if shadow.has(step.statements, "unlock"):
                # An attempt that was cut off may have left writes refused.
                self._let_writers_in(work)
            if shadow.has(step.statements, "no pipelines"):
                # ... or pipelines given back, through which nothing may be copied.
                work.send("no pipelines")
            self._known[step.id] = Comparing(work, prints)
        return self._known[step.id]

    def _deleted(self, sides: Comparing) -> int:
        """About how many operations' worth of deletes are left, after reconciling when they are many."""
        source, target = sides.work.counts()
        if (target - source) * DELETED // PER_KEY > 0:
            began = time.monotonic()
            deleted = sides.reconcile(source, target)
            self._last = Pass(deleted, time.monotonic() - began)
            source, target = sides.work.counts()
        return max(0, target - source) * DELETED

    def _caught_up(self, sides: Comparing, most: int) -> bool:
        """Follow to the end while nobody writes, and be sure. EngineError when the two sides stay different."""
        _, left = sides.work.follow(most * PER_KEY)
        if left:
            return False
        source, target = sides.work.counts()
        if abs(target - source) > bearable(most, self._last):
            return False
        if target != source:
            sides.reconcile(source, target)
            source, target = sides.work.counts()
        hint = "Nothing has changed for readers and writers; `schema rollback` removes the copy."
        if source != target:
            raise EngineError("TV4506", f"the copy {sides.work.target} has {target} records, not {source}", hint)
        if source <= WHOLE and not sides.identical():
            raise EngineError("TV4514", f"the copy {sides.work.target} has other versions of some records", hint)
        return True

    def _clone(self, work: Following) -> None:
        """Give the old index another name to live on under; one left by an attempt that was cut off is out of date."""
        if not shadow.has(work.statements, "clone"):
            return
        self._lease.check()
        name = shadow.clone_name(shadow.part(work.statements, "clone"))
        uuid = inspect.uuid(self._ask("GET", render.path(work.source), None, ()).body[work.source])
        found = self._ask("GET", render.path(name), None, (404,))
        if found.status == 200 and not shadow.ours(found.body, name, uuid):
            hint = (
                "It is not of this run. Give it another name; then the same command goes on, or `schema rollback` does."
            )
            raise EngineError("TV4520", f"there is an index or alias {name} already", hint)
        self._ask("DELETE", render.path(name), None, (404,))
        # It lives on the files of the old index until it is whole.
        if not (work.send("clone").body.get("shards_acknowledged") or self._becomes_whole(name)):
            raise EngineError("TV4511", f"a shard of {name} has no primary", "Wait for the cluster, and run it again.")

    def _becomes_whole(self, index: str) -> bool:
        """Wait for the primaries of a clone, as long as the server works at them: where the file system does not share
        files, it copies them all. Begun anew, it would never end."""
        request = shadow.started(index)
        for _ in range(blocking.ATTEMPTS):
            self._lease.check()
            state = self._ask(request.method, request.path, None, (408,)).body
            if state.get("status") != "red":
                return True
            if not state.get("initializing_shards"):
                return False
        return False

    def _note_way_back(self, work: Following) -> None:
        """From here on the new index is the one to be followed."""
        kept = work.source
        if shadow.has(work.statements, "clone"):
            kept = shadow.clone_name(shadow.part(work.statements, "clone"))
        work.remember(work.progress("target"), kept)
        work.note_settings("target", kept)

    def _move(self, work: Following) -> None:
        if shadow.has(work.statements, "pipelines"):
            # If the name does not move after all, they are taken away again before more is copied.
            self._known.clear()
            work.send("pipelines")
        known = self._ask("GET", f"{render.path(work.source)}/_alias", None, (404,)).body.get(work.source) or {}
        planned = shadow.filled(shadow.part(work.statements, "swap"), {"writer": work.writer})
        swap = shadow.moved(planned, self._books.store, (work.source, work.target), known.get("aliases") or {})
        self._lease.check()
        answer = self._ask(swap.method, swap.path, swap.body, (404,))
        if answer.status == 404:
            self._lease.check()
            raise StoreChanged(
                "TV5001",
                f"the name is no longer where it was: {answer.reason[:300]}",
                "`schema rollback` takes back what this run has done; then make a new plan.",
            )

    def _open_again(self, work: Following, refused: EngineError) -> None:
        """After a swap for which a right, or the login, was lost: it was not done, so nothing needs to be looked at,
        for which there may be no right either. EngineError that says so when even this is refused."""
        try:
            work.send("unlock", (404,))
        except EngineError:
            raise refusals.still_closed(refused, work.source) from None

    def _give_up(self, work: Following) -> bool:
        """After a swap that failed, and let writers in if it was not done. Where no answer came, a node may still be at
        it: without the writer's alias, which it takes away, it can do nothing any more. After one that was done
        (False) the old index stays closed: a write that is late must fail and be tried again, not get lost in it."""
        self._known.clear()
        with contextlib.suppress(ToolkitError):
            if not work.disclaim():
                return False
            self._let_writers_in(work)
        return True

    def _let_writers_in(self, work: Following) -> None:
        """While no swap is under way. Where that fails, whoever goes on with the run does it."""
        with contextlib.suppress(ToolkitError):
            blocking.let_in(lambda: work.send("unlock", (404,)), self._ask, work.source)


def bearable(most: int, last: Pass | None) -> int:
    """How many deletes may be left when writes are refused: those of `most` keys in any case, and as many as a look for
    them finds in the time it may take, where the last one tells."""
    least = most * PER_KEY // DELETED
    return max(least, int(last.deleted * BRIEF / last.seconds)) if last and last.brief and last.seconds > 0 else least


def _patient(act: Callable[[], _T]) -> _T | Busy:
    """What `act` gives, or Busy where the cluster asks for patience."""
    try:
        return act()
    except TooBusy as error:
        return Busy(error.message)


def _windows(goal: Positions, at: int, upto: int) -> list[tuple[str, int, int]]:
    """Shard, after, upto: what is copied next, in pieces for several at a time."""
    found: list[tuple[str, int, int]] = []
    pieces = 1 if len(goal) >= JOBS else JOBS
    for shard, end in goal.items():
        last = min(upto, end)
        width = -(-(last - at) // pieces)
        begin = at
        while width > 0 and begin < last:
            found.append((shard, begin, min(begin + width, last)))
            begin += width
    return found
