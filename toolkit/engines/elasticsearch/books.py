"""The lock and the journal of a store, as documents of the index `temporal_visibility_books`.

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
from toolkit.engines.online import Entry, Holder, Run
from toolkit.errors import EngineError, LockHeld

# method, path, body, statuses that are no failure → the answer.
Ask = Callable[[str, str, Any, tuple[int, ...]], Answer]
MOST_RUNS = 1000
PAGE = 5000
LOOK_SECONDS = 0.1

_INDEX: Json = {
    "settings": {
        "index": {
            "number_of_shards": "1",
            "number_of_replicas": "0",
            "auto_expand_replicas": "0-1",
            "hidden": "true",
            **render.WITHOUT_PIPELINES,
        }
    },
    "mappings": {
        "dynamic": "false",
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


def lost() -> LockHeld:
    """The error of a holder whose lock went to somebody else."""
    return LockHeld(
        "TV5102",
        "this run has lost its lock: somebody else has taken it over",
        "Look at `schema runs` before you go on.",
    )


class Books:
    """The documents of one store: read as they are now, and written only over what was read."""

    def __init__(self, ask: Ask, store: str) -> None:
        self._ask = ask
        self.store = store

    def create(self) -> None:
        """The index, if it is not there."""
        if self._ask("GET", f"{render.path(BOOKS)}/_mapping", None, (404,)).status == 404:
            answer = self._ask("PUT", render.path(BOOKS), _INDEX, (400,))
            if answer.status == 400 and "already_exists" not in answer.reason:
                raise EngineError("TV4003", f"the index {BOOKS} cannot be created: {answer.reason[:300]}")

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
            raise lost()
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
    body = {"owner": owner, "fencing": fencing, "since": _now().isoformat(), "beats": 0, **_until(seconds)}
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
    return {"lease": seconds, "expires": (_now() + timedelta(seconds=seconds)).isoformat()}


def _now() -> datetime:
    return datetime.now(UTC)


class SearchJournal:
    """The journal; see `toolkit.engines.online.Journal`. `lease` None: only to be read. A run's document holds its
    last line; a line gets a document of its own when the next one takes its place."""

    def __init__(self, books: Books, lease: SearchLease | None) -> None:
        self._books = books
        self._lease = lease
        self._pages: dict[int, Page] = {}

    def runs(self) -> Sequence[Run]:
        """See `Journal.runs`."""
        # One question for both: each has the index refreshed first, which costs the server more than the search.
        found = self._books.find(["plan", "run"], 2 * MOST_RUNS)
        plans = {keys["run"]: page.body for keys, page in found if keys["kind"] == "plan"}
        known = [(keys["run"], page.body) for keys, page in found if keys["kind"] == "run"]
        return [_run(number, body, plans[number]) for number, body in known if number in plans]

    def lines(self, run: int) -> Sequence[Mapping[str, Json]]:
        """See `Journal.lines`."""
        last = self._books.read(f"run~{run}").body.get("last")
        found = {page.body["line"]: page.body for _, page in self._books.find(["line"], PAGE, run=run)}
        return [_line(body) for _, body in sorted({**found, **({last["line"]: last} if last else {})}.items())]

    def begin(self, kind: str, wanted: str, plan: Json, state: Json, of: int | None) -> Run:
        """See `Journal.begin`."""
        assert isinstance(plan, dict)
        owner = str(self._check().body.get("owner") or "")
        number = max((run.id for run in self.runs()), default=0) + 1
        self._books.write(f"plan~{number}", plan, None, kind="plan", run=number)
        body = {
            "kind": kind, "status": "running", "wanted": wanted, "owner": owner, "started": _now().isoformat(),
            "ended": None, "of": of, "fencing": self._fencing, "last": self._entry(1, Entry("begin", state)),
        }  # fmt: skip
        page = self._books.write(f"run~{number}", body, Page({}), kind="run", run=number)
        if page is None:
            raise lost()
        self._pages[number] = page
        return _run(number, body, plan)

    def append(self, run: int, entry: Entry) -> None:
        """See `Journal.append`."""
        page = self._page(run)
        last = page.body["last"]
        self._books.write(f"line~{run}~{last['line']}", last, None, kind="line", run=run, line=last["line"])
        self._put(run, {"last": self._entry(last["line"] + 1, entry)})

    def close(self, run: int, status: str, of: int | None = None, of_status: str = "") -> None:
        """See `Journal.close`. The run that is ended comes first: repeated, this ends the same."""
        self._check()
        if of is not None:
            self._put(of, {"status": of_status})
        self._put(run, {"status": status, "ended": _now().isoformat()})

    @property
    def _fencing(self) -> int:
        return self._lease.fencing if self._lease is not None else 0

    def _check(self) -> Page:
        assert self._lease is not None
        self._lease.check()
        return self._books.read("lock")

    def _page(self, run: int) -> Page:
        """What a write must find unchanged. Read once: what is read later could be another holder's."""
        if run not in self._pages:
            self._check()
            page = self._books.read(f"run~{run}")
            if page.body.get("fencing", 0) > self._fencing:
                raise lost()
            self._pages[run] = page
        return self._pages[run]

    def _put(self, run: int, change: Mapping[str, Any]) -> None:
        before = self._page(run)
        body = {**before.body, **change, "fencing": self._fencing}
        page = self._books.write(f"run~{run}", body, before, kind="run", run=run)
        if page is None:
            raise lost()
        self._pages[run] = page

    def _entry(self, line: int, entry: Entry) -> dict[str, Any]:
        return {"line": line, "at": _now().isoformat(), "fencing": self._fencing, "action": entry.action,
                "note": entry.note, "state": entry.state}  # fmt: skip


def _run(number: int, body: Mapping[str, Any], plan: Mapping[str, Any]) -> Run:
    last = body["last"]
    return Run(
        number, body["kind"], body["status"], body["wanted"], body["owner"], body["started"], body["ended"],
        dict(plan), last["state"], body["of"], last["note"],
    )  # fmt: skip


def _line(body: Mapping[str, Any]) -> dict[str, Json]:
    return {name: body[name] for name in ("line", "at", "action", "note", "state")}
