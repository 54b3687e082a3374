"""Which lock is a store's: the one in Keeper, or the table of one server, and how it is taken over a session.

`locks` knows how each of them works; this module chooses, and honours the other one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from toolkit.engines.clickhouse import locks
from toolkit.engines.clickhouse.connection import own_option
from toolkit.engines.clickhouse.names import CLAIMS, LOCK
from toolkit.engines.clickhouse.session import Session
from toolkit.engines.online import Holder

LockStore = locks.KeeperStore | locks.ClaimStore


@dataclass(frozen=True, slots=True)
class Locking:
    """`opened` gives another session, for the heartbeat; `has`: whether the database has a table of that name."""

    session: Session
    opened: Callable[[], Session]
    has: Callable[[str], bool]
    database: Callable[[], str]
    cluster: str | None

    def take(self, owner: str, seconds: float, forced: str | None) -> locks.ClickHouseLease:
        """The lock, held. Raises LockHeld or Unsupported; see `locks.take`."""
        store = self.store()
        held = locks.take(store, owner, seconds, forced, lambda: self.elsewhere(store))
        return locks.ClickHouseLease(store, held, seconds, lambda: self._beating(store))

    def _beating(self, store: LockStore) -> tuple[locks.Store, Callable[[], None]]:
        """The same store as the lease's: another one may have come since."""
        session = self.opened()
        return replace(store, **_asking(session)), session.close

    def store(self) -> LockStore:
        """Where the lock is: in Keeper, unless the engine is embedded or the URL says that there is one server only.
        A lock that is in Keeper already is honoured in any case."""
        target = self.session.target
        embedded = target.transport == "chdb"
        if embedded or (own_option(target, "lock") == "table" and not self.has(LOCK)):
            return locks.ClaimStore(**_asking(self.session), embedded=embedded)
        return self._keeper()

    def _keeper(self) -> locks.KeeperStore:
        return locks.KeeperStore(**_asking(self.session), database=self.database(), cluster=self.cluster)

    def elsewhere(self, store: LockStore) -> LockStore | None:
        """Where a run would have the lock whose URL differs in `lock`, if there has been one."""
        if isinstance(store, locks.KeeperStore):
            claims = locks.ClaimStore(**_asking(self.session), embedded=False)
            return claims if self.has(CLAIMS) else None
        return self._keeper() if not store.embedded and self.has(LOCK) else None

    def holder(self) -> Holder | None:
        """Who has the lock, wherever it is."""
        store = self.store()
        there = self.has(LOCK if isinstance(store, locks.KeeperStore) else CLAIMS)
        found = locks.holder(store) if there else None
        other = self.elsewhere(store) if found is None or found.expired else None
        return (locks.holder(other) if other else None) or found


def _asking(session: Session) -> dict[str, Any]:
    return {"ask": session.ask, "run": session.command}
