"""The journal of a store, as documents of its books."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.catalog import Json
from toolkit.engines.elasticsearch.books import MOST_RUNS, Books, Page, SearchLease, now
from toolkit.engines.online import Entry, Run
from toolkit.errors import lost_lock

PAGE = 5000


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
            "kind": kind, "status": "running", "wanted": wanted, "owner": owner, "started": now().isoformat(),
            "ended": None, "of": of, "fencing": self._fencing, "last": self._entry(1, Entry("begin", state)),
        }  # fmt: skip
        page = self._books.write(f"run~{number}", body, Page({}), kind="run", run=number)
        if page is None:
            raise lost_lock()
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
        self._put(run, {"status": status, "ended": now().isoformat()})

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
                raise lost_lock()
            self._pages[run] = page
        return self._pages[run]

    def _put(self, run: int, change: Mapping[str, Any]) -> None:
        before = self._page(run)
        body = {**before.body, **change, "fencing": self._fencing}
        page = self._books.write(f"run~{run}", body, before, kind="run", run=run)
        if page is None:
            raise lost_lock()
        self._pages[run] = page

    def _entry(self, line: int, entry: Entry) -> dict[str, Any]:
        return {"line": line, "at": now().isoformat(), "fencing": self._fencing, "action": entry.action,
                "note": entry.note, "state": entry.state}  # fmt: skip


def _run(number: int, body: Mapping[str, Any], plan: Mapping[str, Any]) -> Run:
    last = body["last"]
    return Run(
        number, body["kind"], body["status"], body["wanted"], body["owner"], body["started"], body["ended"],
        dict(plan), last["state"], body["of"], last["note"],
    )  # fmt: skip


def _line(body: Mapping[str, Any]) -> dict[str, Json]:
    return {name: body[name] for name in ("line", "at", "action", "note", "state")}
