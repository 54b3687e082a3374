"""The lock of a ClickHouse store: a row in Keeper, or a table of claims where one server alone is asked.

Keeper's row is changed only if nobody changed it in between. Without Keeper each claim is a row of its own, and a
claim counts only when it is the only one with its number: of two who claim at once neither has it, and both try again.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from toolkit.engines.clickhouse.names import CLAIMS, LOCK
from toolkit.engines.clickhouse.render import literal, on_cluster
from toolkit.engines.online import Holder
from toolkit.errors import EngineError, LockHeld, Unsupported, lost_lock

# Runs one query and gives its rows; EngineError when it fails.
Ask = Callable[[str], Sequence[Mapping[str, Any]]]
# Runs one statement; EngineError when it fails.
Run = Callable[[str], None]

# This process, for an engine that lives in it: whoever else held the lock has died with the engine.
PROCESS = uuid.uuid4().hex
_TRIES = 20
_NOW = "now64(6, 'UTC')"
_LAST = 2**62


@dataclass(frozen=True, slots=True)
class Held:
    """What the store knows of its lock. `owner` '': nobody has it; `token` tells two holders of one name apart."""

    fencing: int
    token: str
    owner: str
    process: str
    taken: str
    expires: str
    expired: bool


# The store in which a lock may be besides, if its table is there by now.
Elsewhere = Callable[[], "Store | None"]
FREE = Held(0, "", "", "", "", "", True)


class Store(Protocol):
    """Where the lock is kept."""

    def create(self) -> None:
        """Make the table, if it is not there."""
        ...

    def held(self) -> Held:
        """The lock as it is now."""
        ...

    def has(self, held: Held) -> bool:
        """Whether `held` is still the newest claim, and the only one with its number. Asked before every write."""
        ...

    def claim(self, before: Held, token: str, owner: str, seconds: float) -> None:
        """Take the lock if it is still as in `before`; `held` tells whether that worked."""
        ...

    def renew(self, held: Held, line: int, seconds: float) -> None:
        """Say that the holder lives."""
        ...

    def release(self, held: Held) -> None:
        """Give the lock back, if it is still this one's."""
        ...


def _held(row: Mapping[str, Any]) -> Held:
    return Held(
        int(row["fencing"]), row["token"], row["owner"], row["process"], row["taken"], row["expires"],
        bool(row["expired"]),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeeperStore:
    """One row of a KeeperMap table, which every server of a cluster sees alike."""

    ask: Ask
    run: Run
    database: str
    cluster: str | None

    def create(self) -> None:
        """See `Store.create`. Unsupported where the server has no Keeper."""
        path = literal(f"/temporal_visibility/{self.database}")
        try:
            self.run(
                f"CREATE TABLE IF NOT EXISTS {LOCK}{on_cluster(self.cluster)} (name String, fencing UInt64,"
                " token String, owner String, process String, taken_at DateTime64(6, 'UTC'),"
                f" expires_at DateTime64(6, 'UTC')) ENGINE = KeeperMap({path}) PRIMARY KEY name"
            )
        except EngineError as error:
            if "keeper_map_path_prefix" in error.message or "UNKNOWN_STORAGE" in error.message:
                raise _no_keeper() from None
            raise
        if not self.ask(f"SELECT 1 AS v FROM {LOCK} WHERE name = 'schema'"):
            self._unless_changed(
                f"INSERT INTO {LOCK} SETTINGS keeper_map_strict_mode = 1 VALUES ('schema', 0, '', '', '', 0, 0)"
            )

    def held(self) -> Held:
        """See `Store.held`."""
        rows = self.ask(
            "SELECT fencing, token, owner, process, toString(taken_at) AS taken, toString(expires_at) AS expires,"
            f" expires_at < {_NOW} AS expired FROM {LOCK} WHERE name = 'schema'"
        )
        return _held(rows[0]) if rows else FREE

    def has(self, held: Held) -> bool:
        """See `Store.has`."""
        return self.held().token == held.token

    def claim(self, before: Held, token: str, owner: str, seconds: float) -> None:
        """See `Store.claim`."""
        self._update(
            f"fencing = {before.fencing + 1}, token = {literal(token)}, owner = {literal(owner)},"
            f" process = {literal(PROCESS)}, taken_at = {_NOW}, expires_at = {_later(seconds)}",
            f"fencing = {before.fencing}",
        )

    def renew(self, held: Held, line: int, seconds: float) -> None:
        """See `Store.renew`."""
        self._update(f"expires_at = {_later(seconds)}", f"token = {literal(held.token)}")

    def release(self, held: Held) -> None:
        """See `Store.release`."""
        self._update("owner = ''", f"token = {literal(held.token)}")

    def _update(self, assignments: str, condition: str) -> None:
        self._unless_changed(
            f"ALTER TABLE {LOCK} UPDATE {assignments} WHERE name = 'schema' AND {condition}"
            " SETTINGS keeper_map_strict_mode = 1"
        )

    def _unless_changed(self, statement: str) -> None:
        """Somebody else's change in between is no error here: the row says who it was."""
        try:
            self.run(statement)
        except EngineError as error:
            if not any(word in error.message for word in ("Bad version", "Node exists", "No node")):
                raise


@dataclass(frozen=True, slots=True)
class ClaimStore:
    """Claims in a table of one server. `embedded`: the engine lives in this process and serves nobody else."""

    ask: Ask
    run: Run
    embedded: bool

    def create(self) -> None:
        """See `Store.create`."""
        self.run(
            f"CREATE TABLE IF NOT EXISTS {CLAIMS} (fencing UInt64, token String, line UInt64, owner String,"
            " process String, taken_at DateTime64(6, 'UTC'), expires_at DateTime64(6, 'UTC'))"
            " ENGINE = ReplacingMergeTree(line) ORDER BY (fencing, token)"
        )

    def held(self) -> Held:
        """See `Store.held`."""
        rows = self.ask(
            f"SELECT * FROM (SELECT fencing, token, argMax(owner, line) AS owner, any(process) AS process,"
            f" toString(min(taken_at)) AS taken, toString(argMax(expires_at, line)) AS expires,"
            f" argMax(expires_at, line) < {_NOW} AS expired FROM {CLAIMS}"
            f" WHERE fencing = (SELECT max(fencing) FROM {CLAIMS}) GROUP BY fencing, token)"
        )
        if len(rows) == 1:
            found = _held(rows[0])
            gone = self.embedded and found.process != PROCESS
            return Held(found.fencing, "", "", "", "", "", True) if gone else found
        return Held(int(rows[0]["fencing"]), "", "", "", "", "", True) if rows else FREE

    def has(self, held: Held) -> bool:
        """See `Store.has`. What `held` would say, for less than half of what that costs the server."""
        found = self.ask(f"SELECT DISTINCT token FROM {CLAIMS} WHERE fencing >= {held.fencing}")
        return [row["token"] for row in found] == [held.token]

    def claim(self, before: Held, token: str, owner: str, seconds: float) -> None:
        """See `Store.claim`."""
        self._insert(before.fencing + 1, token, 0, owner, seconds)

    def renew(self, held: Held, line: int, seconds: float) -> None:
        """See `Store.renew`."""
        self._insert(held.fencing, held.token, line, held.owner, seconds)

    def release(self, held: Held) -> None:
        """See `Store.release`."""
        self._insert(held.fencing, held.token, _LAST, "", 0.0)

    def _insert(self, fencing: int, token: str, line: int, owner: str, seconds: float) -> None:
        self.run(
            f"INSERT INTO {CLAIMS} SELECT {fencing}, {literal(token)}, {line}, {literal(owner)}, {literal(PROCESS)},"
            f" {_NOW}, {_later(seconds)}"
        )


def _later(seconds: float) -> str:
    return f"{_NOW} + toIntervalMillisecond({round(seconds * 1000)})"


def _no_keeper() -> Unsupported:
    return Unsupported(
        "TV4206",
        "this ClickHouse server has no Keeper to hold the lock: keeper_map_path_prefix is not set",
        "Set it on the server. Or, if the URL leads to one server only, add lock=table to it: the lock is then a table"
        " of that server, and behind a load balancer over several servers two runs would not see each other.",
    )


class ClickHouseLease:
    """The lock, held; see `toolkit.engines.online.Lease`. `beating` gives a store over a connection of its own, and
    what closes that; it is used in the heartbeat's thread only."""

    def __init__(
        self, store: Store, held: Held, seconds: float, beating: Callable[[], tuple[Store, Callable[[], None]]]
    ) -> None:
        self._store = store
        self._held = held
        self._seconds = seconds
        self._beating = beating
        self._beats: tuple[Store, Callable[[], None]] | None = None
        self._line = 0

    @property
    def fencing(self) -> int:
        """See `Lease.fencing`."""
        return self._held.fencing

    @property
    def owner(self) -> str:
        """Who holds it."""
        return self._held.owner

    def check(self) -> None:
        """See `Lease.check`."""
        if not self._store.has(self._held):
            raise lost_lock()

    def beat(self) -> None:
        """See `Lease.beat`."""
        if self._beats is None:
            self._beats = self._beating()
        store, _ = self._beats
        self._line += 1
        if not store.has(self._held):
            raise lost_lock()
        store.renew(self._held, self._line, self._seconds)
        if not store.has(self._held):
            raise lost_lock()

    def release(self) -> None:
        """See `Lease.release`. A lost connection is no error: the lock then expires."""
        try:
            if self._store.has(self._held):
                self._store.release(self._held)
        except EngineError:
            pass
        finally:
            if self._beats is not None:
                self._beats[1]()


def take(
    store: Store, owner: str, seconds: float, forced: str | None = None, elsewhere: Elsewhere = lambda: None
) -> Held:
    """Take the lock; `forced` names a holder it may be taken from before it expires. `elsewhere`: where a run with
    another URL would have it. LockHeld when somebody has it, Unsupported without Keeper."""
    _bar(elsewhere(), owner, forced)
    store.create()
    for _ in range(_TRIES):
        before = store.held()
        _refuse(before, forced)
        token = uuid.uuid4().hex
        store.claim(before, token, owner, seconds)
        after = store.held()
        if after.token == token:
            try:
                # Who claims there looks here after his claim, too: of two at once at least one sees the other.
                _bar(elsewhere(), owner, forced)
            except LockHeld:
                store.release(after)
                raise
            return after
        time.sleep(random.uniform(0.02, 0.2))
    raise LockHeld("TV5101", "several runs want to begin on this store at once", "Run the same command again.")


def _refuse(held: Held, forced: str | None) -> None:
    if held.owner and not held.expired and held.owner != forced:
        raise LockHeld(
            "TV5101",
            f"{held.owner} is working on this store since {held.taken[:19]} UTC",
            "Wait for it. If it is gone for good: its lock expires by itself, and `schema unlock` takes it away.",
        )


def _bar(store: Store | None, owner: str, forced: str | None) -> None:
    """Nobody goes on under the lock in `store`: LockHeld when somebody has it; who slept past its end has lost it."""
    if store is None:
        return
    held = store.held()
    _refuse(held, forced)
    if held.owner:
        store.release(take(store, owner, 0.0, forced))


def holder(store: Store) -> Holder | None:
    """Who holds the lock; the table must be there."""
    held = store.held()
    if not held.owner:
        return None
    return Holder(held.owner, held.taken, held.expires, held.expired, held.fencing)
