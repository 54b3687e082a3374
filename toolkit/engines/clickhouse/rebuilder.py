"""Runs the steps of a plan on ClickHouse under the lock; see `toolkit.engines.rebuilding.Rebuilding`.

It decides nothing and knows no statement of a plan: a step brings them, named by their part. Long work of the engine's
own (mutations, other replicas) is waited for by looking, never by holding a request open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from toolkit.engines.clickhouse.locks import ClickHouseLease
from toolkit.engines.clickhouse.names import OTHER
from toolkit.engines.clickhouse.shadow import SHOWN
from toolkit.engines.rebuilding import Busy, Compared, Copied, Key, Ran, Replayed, Swapped, Tick
from toolkit.errors import EngineError
from toolkit.plan import Sql, Step

Values = Mapping[str, str | int]
# A run, and a mark of what it is on one side.
Marked = tuple[str, ...]
# Runs a query with bound values and gives its rows.
Ask = Callable[[str, Values], Sequence[Mapping[str, Any]]]
# Runs a statement with bound values, and waits for what it starts.
Run = Callable[[str, Values], None]

# The machine counts in rows of a row store; here a block of rows costs what one row costs there. Chunks are never
# small, since each makes a part, and may take longer than elsewhere, since nobody waits for one.
SCALE, LEAST, PATIENCE = 10, 5000, 4.0
PROOF_SECONDS = 10.0
ROUNDS = 6
_ROUND_SECONDS = 0.05
_PATIENCE = ("TOO_MANY_PARTS", "MEMORY_LIMIT_EXCEEDED", "TOO_MANY_SIMULTANEOUS_QUERIES", "TIMEOUT_EXCEEDED")


class ClickHouseRebuilder:
    """`least`: rows of a chunk."""

    def __init__(
        self,
        ask: Ask,
        run: Run,
        lease: ClickHouseLease,
        least: int = LEAST,
    ) -> None:
        self._ask = ask
        self._run = run
        self._lease = lease
        self._least = least

    def attempt(self, step: Step, wait: float, tick: Tick) -> Ran | Busy:
        """See `Rebuilding.attempt`."""
        for number, statement in enumerate(_sql(step), 1):
            self._lease.check()
            match statement.part:
                case "wait":
                    if (running := self._number(statement, {})) > 0:
                        return Busy(f"{running} inserts that began before are still under way")
                case "behind":
                    if (behind := self._number(statement, {})) > 0:
                        return Busy(f"{behind} replicas do not have yet what was written before")
                case "prove":
                    self._prove(statement, step)
                case _:
                    self._run(statement.text, {})
            tick(number)
        return Ran()

    def copy(self, step: Step, after: Key | None, rows: int) -> Copied | Busy:
        """See `Rebuilding.copy`."""
        try:
            return self._copy(step, after, rows)
        except EngineError as error:
            return _patience(error)

    def _copy(self, step: Step, after: Key | None, rows: int) -> Copied:
        began = time.monotonic()
        self._lease.check()
        upto = self._bound(step, after, rows)
        values = _places(after, upto)
        self._lease.check()
        self._part(step, "copy", values)
        copied = self._rows(rows) if upto else self._number(_one(step, "size"), values)
        seconds = (time.monotonic() - began) / PATIENCE
        return Copied(upto, copied, seconds)

    def compare(self, step: Step, after: Key | None, rows: int) -> Compared | Busy:
        """See `Rebuilding.compare`. Rows that are just being written differ for a moment: only what differs in the
        same way again and again, though it was copied anew, is different."""
        try:
            return self._compare(step, after, rows)
        except EngineError as error:
            return _patience(error)

    def _compare(self, step: Step, after: Key | None, rows: int) -> Compared:
        began = time.monotonic()
        self._lease.check()
        upto = self._bound(step, after, rows)
        values = _places(after, upto)
        left = self._differing(step, values)
        for number in range(ROUNDS):
            if not left:
                break
            # Most of what differs is just being written: a second look is cheaper than a second copy.
            if number:
                self._repair(step, values, left)
            time.sleep(_ROUND_SECONDS * 2**number)
            left = _still(left, self._differing(step, values))
        compared = self._rows(rows) if upto else self._number(_one(step, "size"), values)
        if left and _comparing(step).part == "compare kept":
            raise _meddled(step, left)
        different = tuple(sorted({key[:-1] for key in left}))
        return Compared(upto, compared, (time.monotonic() - began) / PATIENCE, different)

    def _repair(self, step: Step, values: Values, left: Collection[Marked]) -> None:
        """Each side gets what it lacks; unless it may lack it because somebody has taken it away."""
        self._lease.check()
        if any(self._number(statement, {}) for statement in _sql(step) if statement.part == "meddled"):
            raise _meddled(step, left)
        self._part(step, "repair", values)
        self._lease.check()
        self._part(step, "repair back", values)

    def replay(self, step: Step, keys: int) -> Replayed:
        """See `Rebuilding.replay`: the view has passed everything on already."""
        self._lease.check()
        return Replayed(0, 0, 0.0)

    def swap(self, step: Step, wait: float, most: int) -> Swapped | Busy:
        """See `Rebuilding.swap`."""
        for statement in _sql(step):
            if statement.part == "wait" and self._number(statement, {}):
                return Busy("a server of the cluster still has an earlier swap to do")
            if statement.part == "dropped" and self._number(statement, {}):
                raise _dropped(step)
        self._lease.check()
        began = time.monotonic()
        self._part(step, "swap", {})
        return Swapped(time.monotonic() - began)

    def _prove(self, statement: Sql, step: Step) -> None:
        deadline = time.monotonic() + PROOF_SECONDS
        while self._number(statement, {}):
            if time.monotonic() > deadline:
                raise EngineError(
                    "TV4207",
                    f"{step.title!r}: a row written to the live table does not arrive in the table beside it",
                    "Nothing is lost: `schema rollback` takes the run back. Does somebody change materialized views?",
                )
            time.sleep(_ROUND_SECONDS)

    def _differing(self, step: Step, values: Values) -> frozenset[Marked]:
        rows = self._ask(_comparing(step).text, values)
        return frozenset(tuple(str(value) for value in row.values()) for row in rows)

    def _bound(self, step: Step, after: Key | None, rows: int) -> Key | None:
        statement = _one(step, "bound")
        if "key_1" not in statement.text:
            return None
        found = self._ask(statement.text, {**_places(after, None), "rows": self._rows(rows) - 1})
        return tuple(str(value) for value in found[0].values()) if found else None

    def _rows(self, rows: int) -> int:
        return max(self._least, rows * SCALE)

    def _number(self, statement: Sql, values: Values) -> int:
        return int(self._ask(statement.text, values)[0]["n"])

    def _part(self, step: Step, part: str, values: Values) -> None:
        for statement in _sql(step):
            if statement.part == part:
                self._run(statement.text, values)


def _patience(error: EngineError) -> Busy:
    """The server's way to ask for less at a time; any other error is raised again."""
    if any(word in error.message for word in _PATIENCE):
        return Busy(error.message[:200])
    raise error


def _comparing(step: Step) -> Sql:
    return next(s for s in _sql(step) if s.part.startswith("compare"))


def _still(before: frozenset[Marked], now: frozenset[Marked]) -> frozenset[Marked]:
    """What differs in both looks. One that was cut short does not tell what else differs."""
    if len(before) >= SHOWN:
        return now
    return before if len(now) >= SHOWN else before & now


def _meddled(step: Step, left: Collection[Marked]) -> EngineError:
    runs = sorted({"/".join(key[:-1]) for key in left})
    return EngineError(
        "TV4214",
        f"{step.title!r}: {len(runs)} runs are in one of both tables only, or other there ({', '.join(runs[:3])}):"
        " somebody has deleted or changed rows since the swap, by a mutation or whole partitions",
        f"They would be back. Do the same to {OTHER}, and give the same command again: it goes on from here.",
    )


def _dropped(step: Step) -> EngineError:
    return EngineError(
        "TV4217",
        f"{step.title!r}: partitions or parts of the live table were dropped or detached since the copy began",
        "Their records would be back. `schema rollback` takes the copy away; then begin again.",
    )


def _sql(step: Step) -> list[Sql]:
    return [s for s in step.statements if isinstance(s, Sql)]


def _one(step: Step, part: str) -> Sql:
    (statement,) = (s for s in _sql(step) if s.part == part)
    return statement


def _places(after: Key | None, upto: Key | None) -> dict[str, str | int]:
    """Values for `{after_1}…` and `{upto_1}…`; the longest key has five columns."""
    values: dict[str, str | int] = {"first": int(after is None), "last": int(upto is None)}
    for word, key in (("after", after or ()), ("upto", upto or ())):
        values |= {f"{word}_{n}": key[n - 1] if n <= len(key) else "" for n in range(1, 6)}
    return values
