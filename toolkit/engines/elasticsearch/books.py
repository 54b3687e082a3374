"""The documents of a store in the index `temporal_visibility_books`, and its lock, which is one of them.

No clock is trusted: a lock has expired when its document did not change for as long as its lease says, while somebody
who wants it looked on. Every write is conditional on what was read before, so whoever lost the lock writes nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock as Mutex
from typing import Any

from toolkit.catalog import Json
from toolkit.engines.elasticsearch import render
from toolkit.engines.elasticsearch.names import BOOKS
from toolkit.engines.elasticsearch.transport import Answer
from toolkit.engines.online import Holder
from toolkit.errors import EngineError, LockHeld, lost_lock

# method, path, body, statuses that are no failure → the answer.
Ask = Callable[[str, str, Any, tuple[int, ...]], Answer]
MOST_RUNS = 1000
_ALIASES = f"{render.path(BOOKS)}/_alias"
LOOK_SECONDS = 0.1

# Templates of others that are for all indices have no say in what these documents need.
_INDEX: Json = {
    "settings": {
        "index": {
            "number_of_shards": "1",
            "number_of_replicas": "0",
            "auto_expand_replicas": "0-1",
            "hidden": "true",
            "max_result_window": "10000",
            **render.WITHOUT_PIPELINES,
        }
    },
    "mappings": {
        "dynamic": "false",
        "_source": {"enabled": True},
        "_routing": {"required": False},
        "properties": {
            "store": {"type": "keyword"},
            "kind": {"type": "keyword"},
            "run": {"type": "long"},
            "line": {"type": "long"},
            # Kept as it is, whatever is in it.
            "body": {"type": "object", "enabled": False},
        },
    },
}


@dataclass(frozen=True, slots=True)
class Page:
    """A document as it was read, and what a write must find unchanged; `seq` -1: there is none."""

    body: Mapping[str, Any]
    seq: int = -1
    term: int = 0


class Books:
    """The documents of one store: read as they are now, and written only over what was read."""

    def __init__(self, ask: Ask, store: str) -> None:
        self._ask = ask
        self.store = store

    def create(self) -> None:
        """The index, if it is not there."""
        there = self._ask("GET", _ALIASES, None, (404,))
        if there.status == 404:
            answer = self._ask("PUT", render.path(BOOKS), _INDEX, (400,))
            if answer.status == 400 and "already_exists" not in answer.reason:
                raise EngineError("TV4003", f"the index {BOOKS} cannot be created: {answer.reason[:300]}")
            there = self._ask("GET", _ALIASES, None, ())
        self._only_books(there.body)

    def _only_books(self, found: Mapping[str, Any]) -> None:
        """Take aliases away, which no template can be kept from giving: the name of a store would be two indices."""
        gone: list[Json] = [
            {"remove": {"index": index, "alias": alias}}
            for index, facts in found.items()
            for alias in facts["aliases"]
            if alias != BOOKS
        ]
        if gone:
            self._ask("POST", "/_aliases", {"actions": gone}, (404,))

    def read(self, name: str) -> Page:
        """The document `name`, as it is at this moment."""
        answer = self._ask("GET", self._path("_doc", name), None, (404,))
        if answer.status == 404 or not answer.body.get("found"):
            return Page({})
        return Page(answer.body["_source"]["body"], answer.body["_seq_no"], answer.body["_primary_term"])

    def write(self, name: str, body: Mapping[str, Any], over: Page | None, **keys: Json) -> Page | None:
        """Write the document; None when it is no longer `over`. `over` None: whatever is there."""
        path = self._path("_doc", name)
        if over is not None and over.seq < 0:
            path = self._path("_create", name)
        elif over is not None:
            path += f"?if_seq_no={over.seq}&if_primary_term={over.term}"
        content: Json = {"store": self.store, **keys, "body": dict(body)}
        answer = self._ask("PUT", path, content, (409,))
        return None if answer.status == 409 else Page(body, answer.body["_seq_no"], answer.body["_primary_term"])

    def find(self, kinds: Sequence[str], most: int, **keys: Json) -> list[tuple[dict[str, Any], Page]]:
        """Documents of some kinds by run and line, the last `most` of them; () when there is no index yet."""
        if self._ask("POST", f"{render.path(BOOKS)}/_refresh", None, (404,)).status == 404:
            return []
        wanted: list[Json] = [{"term": {name: value}} for name, value in {"store": self.store, **keys}.items()]
        wanted.append({"terms": {"kind": list(kinds)}})
        query: Json = {
            "size": most,
            "seq_no_primary_term": True,
            "query": {"bool": {"filter": wanted}},
            "sort": [{"run": "desc"}, {"line": {"order": "desc", "missing": "_last", "unmapped_type": "long"}}],
        }
        hits = self._ask("POST", f"{render.path(BOOKS)}/_search", query, ()).body["hits"]["hits"]
        return [(h["_source"], Page(h["_source"]["body"], h["_seq_no"], h["_primary_term"])) for h in reversed(hits)]

    def _path(self, way: str, name: str) -> str:
        return render.path(BOOKS, way, f"{name}~{self.store}")


class SearchLease:
    """The lock, held; see `toolkit.engines.online.Lease`. `beat` may be called from another thread than the rest."""

    def __init__(self, books: Books, fencing: int, seconds: float, page: Page) -> None:
        self._books = books
        self._fencing = fencing
        self._seconds = seconds
        self._page = page
        self._mutex = Mutex()

    @property
    def fencing(self) -> int:
        """See `Lease.fencing`."""
        return self._fencing

    def check(self) -> None:
        """See `Lease.check`."""
        self._mine()

    def beat(self) -> None:
        """See `Lease.beat`."""
        with self._mutex:
            self._renew(lambda body: body | _until(self._seconds))

    def release(self) -> None:
        """See `Lease.release`. A lost connection is no error: the lock then expires."""
        with self._mutex, contextlib.suppress(EngineError, LockHeld):
            self._renew(lambda body: body | {"owner": None})

    def _mine(self) -> Page:
        page = self._books.read("lock")
        if page.body.get("fencing") != self._fencing or page.body.get("owner") is None:
            raise lost_lock()
        return page

    def _renew(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Write over what we wrote last; a write of ours whose answer was lost is looked up."""
        while True:
            body = change({**self._page.body, "beats": self._page.body.get("beats", 0) + 1})
            page = self._books.write("lock", body, self._page, kind="lock")
            if page is not None:
                self._page = page
                return
            self._page = self._mine()


def holder(books: Books) -> Holder | None:
    """Who holds the lock; None when nobody does. The times are those of the holder's clock: they only inform."""
    body = books.read("lock").body
    if body.get("owner") is None:
        return None
    expired = datetime.fromisoformat(body["expires"]) < datetime.now(UTC)
    return Holder(body["owner"], body["since"], body["expires"], expired, body["fencing"])


def take(books: Books, owner: str, seconds: float, forced: str | None = None) -> SearchLease:
    """Take the lock; `forced` names a holder it may be taken from at once. LockHeld when its holder lives."""
    books.create()
    first, since = books.read("lock"), time.monotonic()
    page = first
    while True:
        held = page.body.get("owner")
        if held is None or held == forced or time.monotonic() - since >= page.body["lease"]:
            lease = _taken(books, page, owner, seconds)
            if lease is not None:
                return lease
        elif (page.seq, page.term) != (first.seq, first.term):
            raise LockHeld(
                "TV5101",
                f"{held} is working on this store since {page.body['since'][:19]}",
                "Wait for it. If it is gone for good: its lock expires by itself, and `schema unlock` takes it away.",
            )
        else:
            time.sleep(LOOK_SECONDS)
        page = books.read("lock")


def _taken(books: Books, page: Page, owner: str, seconds: float) -> SearchLease | None:
    fencing = int(page.body.get("fencing", 0)) + 1
    body = {"owner": owner, "fencing": fencing, "since": now().isoformat(), "beats": 0, **_until(seconds)}
    taken = books.write("lock", body, page, kind="lock")
    if taken is None:
        return None
    _fence_journal(books, fencing)
    return SearchLease(books, fencing, seconds, taken)


def _fence_journal(books: Books, fencing: int) -> None:
    """Touch the run that is open: whatever the former holder still wants to write there no longer fits."""
    for keys, _ in books.find(["run"], MOST_RUNS):
        while keys["body"]["status"] == "running":
            page = books.read(f"run~{keys['run']}")
            touched = {**page.body, "fencing": fencing}
            if books.write(f"run~{keys['run']}", touched, page, kind="run", run=keys["run"]) is not None:
                break


def _until(seconds: float) -> dict[str, Any]:
    return {"lease": seconds, "expires": (now() + timedelta(seconds=seconds)).isoformat()}


def now() -> datetime:
    """The time here: it only informs."""
    return datetime.now(UTC)
