"""Keeping one index the image of another that is written to: copy windows of sequence numbers, reconcile, compare.

Every change goes through an alias that belongs to the holder of the lock, and carries the documents' own versions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from toolkit.catalog import Json
from toolkit.engines.elasticsearch import render, shadow
from toolkit.engines.elasticsearch.books import Ask, Books, SearchLease
from toolkit.engines.elasticsearch.names import WRITER
from toolkit.engines.elasticsearch.refusals import failed, full
from toolkit.engines.elasticsearch.slices import (
    RUNS,
    Batch,
    Mark,
    Slice,
    coarse,
    differing,
    grid,
    marks,
    named,
    periods,
    small,
    together,
)
from toolkit.engines.elasticsearch.transport import Answer, TooBusy
from toolkit.engines.elasticsearch.transport import Outcome as Written
from toolkit.errors import EngineError
from toolkit.plan import Statement

Bulk = Callable[[Iterable[dict[str, Any]]], Iterator[Written]]
# Shard → the last sequence number that was followed.
Positions = dict[str, int]

_T = TypeVar("_T")
# So many deletes are in nearly every slice; in so large an index a coarse slice is too much for one list.
MANY = 50
LARGE = 1_000_000
# Some servers have no versions in scripts, some allow no scripts.
_NO_SCRIPTS = (400, 403, 500)
_WAIT = (429, 503)
_REFUSED = (400, 404, 409, 429, 500, 503)


def checkpoints(answer: Answer) -> Positions:
    """How far each shard is: what all its copies have, and no failure takes back."""
    [index] = answer.body["indices"].values()
    found: Positions = {}
    for shard, copies in index["shards"].items():
        primary = next((copy for copy in copies if copy["routing"]["primary"]), None)
        if primary is None:
            raise EngineError("TV4511", f"shard {shard} has no primary", "Wait for the cluster, and run it again.")
        found[shard] = int(primary["seq_no"]["global_checkpoint"])
    return found


# Parts that change nothing.
_SIDES = [
    f"{what} {side}"
    for what in ("fingerprint", "slices", "list", "runs", "count", "refresh")
    for side in ("source", "target")
]
_LOOKS = frozenset([*_SIDES, "progress", "progress target", "changed", "arrived", "live"])


class _NoFingerprints(Exception):
    """This server cannot make them."""


@dataclass(slots=True)
class Following:
    """One pair of indices during one step. `prints` False: the server cannot make fingerprints."""

    statements: Sequence[Statement]
    ask: Ask
    bulk: Bulk
    books: Books
    lease: SearchLease
    prints: bool | None = None

    @property
    def target(self) -> str:
        """The index that is being filled."""
        body = shadow.part(self.statements, "writer").body
        return str(body["actions"][0]["add"]["index"])  # type: ignore[index,call-overload]

    @property
    def source(self) -> str:
        """The index that is followed."""
        body = shadow.part(self.statements, "copy").body
        return str(body["source"]["index"])  # type: ignore[index,call-overload]

    @property
    def timed(self) -> bool:
        """Whether starts are times on both sides. In the first layout they are numbers, and documents from there or
        back are converted."""
        body = shadow.part(self.statements, "copy").body
        return isinstance(body, dict) and "script" not in body

    @property
    def writer(self) -> str:
        """The alias through which only we write to it."""
        return f"{self.target}{WRITER}{self.lease.fencing}"

    def send(self, part: str, fine: tuple[int, ...] = (), **values: Json) -> Answer:
        """Send the request of that part; one that changes anything only if the lock is still ours."""
        if part not in _LOOKS:
            self.lease.check()
        request = shadow.filled(shadow.part(self.statements, part), {"writer": self.writer, **values})
        return self.ask(request.method, request.path, request.body, fine)

    def claim(self) -> None:
        """Take the writer's alias, so that whoever had the lock before can no longer write."""
        aliases = self.writers()
        others: list[Json] = [{"remove": {"index": self.target, "alias": a}} for a in aliases if a != self.writer]
        if self.writer in aliases and not others:
            return
        self.lease.check()
        add = shadow.filled(shadow.part(self.statements, "writer"), {"writer": self.writer}).body
        assert isinstance(add, dict)
        actions = add["actions"]
        assert isinstance(actions, list)
        self.ask("POST", "/_aliases", {"actions": [*others, *actions]}, ())

    def writers(self) -> list[str]:
        """The aliases through which holders of the lock, past or present, write to the target."""
        found = self.ask("GET", f"{render.path(self.target)}/_alias", None, ()).body
        return [name for facts in found.values() for name in facts["aliases"] if name.startswith(self.target + WRITER)]

    def position(self) -> Positions:
        """How far the source was followed into this target; {} when it never was."""
        return {k: int(v) for k, v in self.books.read(f"position~{self.target}").body.items()}

    def remember(self, at: Mapping[str, int], target: str | None = None) -> None:
        """Note how far it was followed."""
        self.lease.check()
        self.books.write(f"position~{target or self.target}", dict(at), None, kind="position")

    def copy(self, shard: str, after: int, upto: int) -> int:
        """Copy what lies between two sequence numbers of a shard; how many documents that was."""
        answer = self.send("copy", _REFUSED, shard=int(shard), after=after, upto=upto)
        failures = answer.body.get("failures") or []
        if failures or answer.status >= 400 or answer.body.get("timed_out"):
            cause = failures[0].get("cause") or failures[0] if failures else answer.body.get("error")
            if answer.status == 404:
                self.lease.check()
            why = Answer(answer.status, {"error": cause}).reason
            if no_room := full(why, self.target):
                raise no_room
            if answer.status in _WAIT or (failures and failures[0].get("status") in _WAIT):
                raise TooBusy("TV4505", f"copying into {self.target} was refused: {why[:400]}")
            hint = "Nothing has changed for readers and writers. The message names the document or what is missing."
            raise failed("TV4505", f"copying into {self.target} failed", self.target, why, hint)
        return int(answer.body["total"])

    def follow(self, most: int | None = None) -> tuple[int, int]:
        """Copy what was written since the last time, at most `most` operations of each shard, and see that it arrived.
        How many operations were followed, and how many are left."""
        at = self.position()
        goal = checkpoints(self.send("progress"))
        self.send("refresh source")
        taken = left = 0
        for shard, end in goal.items():
            begin = at.get(shard, -1)
            upto = end if most is None else min(end, begin + most)
            if upto > begin:
                self.copy(shard, begin, upto)
                self._arrived(shard, begin, upto)
                at[shard] = upto
            taken, left = taken + upto - begin, left + end - upto
        if taken:
            self.remember(at)
        return taken, left

    def _arrived(self, shard: str, after: int, upto: int) -> None:
        """See that every document of a window is in the target, with its version."""
        while True:
            answer = self.send("changed", shard=int(shard), after=after, upto=upto)
            hits = answer.body["hits"]["hits"]
            wrong = self._wrong({hit["_id"]: hit["_version"] for hit in hits})
            if wrong:
                raise EngineError(
                    "TV4512",
                    f"document {wrong[0][:120]!r} did not arrive in {self.target} with its version",
                    "Was it deleted and written again with a lower version? `schema rollback` takes the copy back.",
                )
            if len(hits) < shadow.PAGE:
                return
            after = hits[-1]["sort"][0]

    def _wrong(self, wanted: Mapping[str, int]) -> list[str]:
        """Ids of `wanted` that the target does not have in that version, although the source still has."""
        have = self.versions("arrived", wanted)
        doubtful = [id for id, version in wanted.items() if have.get(id) != version]
        live = self.versions("live", doubtful)
        return [id for id in doubtful if live.get(id) == wanted[id]]

    def versions(self, part: str, ids: Iterable[str]) -> dict[str, int]:
        """The versions of these documents at this moment; those that are not there are left out."""
        known, found = list(ids), {}
        for start in range(0, len(known), shadow.PAGE):
            asked: list[Json] = [*known[start : start + shadow.PAGE]]
            for doc in self.send(part, ids=asked).body["docs"]:
                if doc.get("found"):
                    found[doc["_id"]] = int(doc["_version"])
        return found

    def counts(self) -> tuple[int, int]:
        """How many documents both sides have."""
        self.send("refresh target")
        return int(self.send("count source").body["count"]), int(self.send("count target").body["count"])

    def reconcile(self, source: int, target: int) -> int:
        """Delete from the target what the source no longer has, where they have so many documents. How many that was.

        Slices whose counts differ are looked through. Slices by start are quickly counted, and few of them have what
        retention deletes. To count slices of run ids takes as long as to list all of these, so that many are looked
        for everywhere.
        """
        if self.timed:
            batches = differing(periods(), self._counting, RUNS)
        elif target - source < MANY:
            batches = differing(coarse(), self._counting, RUNS)
        else:
            batches = [(slice_,) for slice_ in (coarse() if target < LARGE else grid())]
        queries = [batch[0].query for batch in differing([Slice(missing=True)], self._counting)]
        # One batch is looked through while the answers about the next one come in.
        with ThreadPoolExecutor(2) as pool:
            more: list[Json] = [run for found in pool.map(self._superfluous, batches) for run in found]
        queries += [{"terms": {"RunId": more[at : at + shadow.PAGE]}} for at in range(0, len(more), shadow.PAGE)]
        return sum(self._mend(query)[0] for query in queries)

    def compare(self, slices: Sequence[Slice]) -> tuple[int, list[str]]:
        """Follow, reconcile and compare these slices: how many documents, and the ids that are not equal."""
        self.follow()
        self.send("refresh target")
        rows = sum(source.count for source, _ in self._counting(slices))
        doubtful: dict[str, int] = {}
        for batch in self._suspicious(slices):
            doubtful |= self._mend(together(batch))[1]
        if not doubtful:
            return rows, []
        self.follow()
        return rows, self._wrong(doubtful)

    def _mend(self, query: Json) -> tuple[int, dict[str, int]]:
        """Delete from the target what the source no longer has of these documents; how many that was, and which the
        target lacks or has in another version."""
        left, right = self._sides(lambda side: self._listed(side, query))
        gone = self._drop({id: version for id, version in right.items() if id not in left})
        return gone, {id: version for id, version in left.items() if right.get(id) != version}

    def _superfluous(self, batch: Batch) -> list[str]:
        """The run ids in these slices of which the target has more documents than the source."""
        left, right = self._sides(lambda side: self._runs(side, batch))
        return [run for run, count in right.items() if count > left.get(run, 0)]

    def identical(self) -> bool:
        """Whether both sides have the same fingerprint; True where the server cannot tell. Only while nobody writes."""
        if self.prints is False:
            return True
        try:
            return all(source == target for source, target in self._printing(coarse()))
        except _NoFingerprints:
            return True

    def _suspicious(self, slices: Sequence[Slice]) -> list[Batch]:
        if self.prints is not False:
            with contextlib.suppress(_NoFingerprints):
                return differing(slices, self._printing)
        return small(slices, self._counting)

    def _printing(self, slices: Sequence[Slice]) -> list[tuple[Mark, Mark]]:
        return self._marked("fingerprint", slices, _NO_SCRIPTS)

    def _counting(self, slices: Sequence[Slice]) -> list[tuple[Mark, Mark]]:
        return self._marked("slices", slices)

    def _marked(self, part: str, slices: Sequence[Slice], refused: tuple[int, ...] = ()) -> list[tuple[Mark, Mark]]:
        """What both sides say of each slice; `refused`: how a server answers that cannot make fingerprints."""
        values: dict[str, Json] = {"slices": named(slices), "together": together(slices)}

        def ask(side: str) -> list[Mark]:
            answer = self.send(f"{part} {side}", refused, **values)
            if answer.status in refused:
                self.prints = False
                raise _NoFingerprints
            return marks(answer.body["aggregations"]["slice"]["buckets"], slices, counted=not refused)

        return list(zip(*self._sides(ask), strict=True))

    def _sides(self, ask: Callable[[str], _T]) -> tuple[_T, _T]:
        """What both sides say, asked at the same time: the shorter between the answers, the fewer writes between."""
        with ThreadPoolExecutor(2) as pool:
            source, target = pool.map(ask, ("source", "target"))
            return source, target

    def _listed(self, side: str, query: Json) -> dict[str, int]:
        """Id → version of the documents that `query` finds."""
        found: dict[str, int] = {}
        request = shadow.filled(shadow.part(self.statements, f"list {side}"), {"together": query})
        assert isinstance(request.body, dict)
        body = request.body
        while True:
            hits = self.ask(request.method, request.path, body, ()).body["hits"]["hits"]
            found |= {hit["_id"]: int(hit["_version"]) for hit in hits}
            if len(hits) < shadow.PAGE:
                return found
            body = {**body, "search_after": hits[-1]["sort"]}

    def _runs(self, side: str, batch: Batch) -> dict[str, int]:
        """Run id → number of documents in these slices."""
        found: dict[str, int] = {}
        request = shadow.filled(shadow.part(self.statements, f"runs {side}"), {"together": together(batch)})
        body: Any = request.body
        while True:
            runs = self.ask(request.method, request.path, body, ()).body["aggregations"]["runs"]
            found |= {bucket["key"]["run"]: int(bucket["doc_count"]) for bucket in runs["buckets"]}
            if len(runs["buckets"]) < shadow.RUNS_PAGE:
                return found
            composite = {**body["aggs"]["runs"]["composite"], "after": runs["after_key"]}
            body = {**body, "aggs": {"runs": {"composite": composite}}}

    def _drop(self, extra: Mapping[str, int]) -> int:
        """Delete from the target what the source has not, not even unseen; never one that has a newer version."""
        live = self.versions("live", extra)
        gone = {id: version for id, version in extra.items() if id not in live}
        self.lease.check()
        for written in self.bulk(self._deletions(gone)):
            if written.status not in (200, 404, 409):
                raise failed("TV4513", f"{self.target} refused a delete", self.target, written.reason, "")
        return len(gone)

    def _deletions(self, gone: Mapping[str, int]) -> Iterator[dict[str, Any]]:
        for id, version in gone.items():
            body = shadow.filled(
                shadow.part(self.statements, "delete"), {"writer": self.writer, "id": id, "version": version}
            ).body
            assert isinstance(body, dict)
            [facts] = body.values()
            assert isinstance(facts, dict)
            yield {"_op_type": "delete", **facts}
