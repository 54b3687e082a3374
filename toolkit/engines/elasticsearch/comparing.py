"""What one index has that another has not: counts and fingerprints of slices, then documents, and what to delete.

Every change goes through `Following`, with the documents' own versions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from toolkit.catalog import Json
from toolkit.engines.elasticsearch import shadow
from toolkit.engines.elasticsearch.following import Following
from toolkit.engines.elasticsearch.refusals import failed
from toolkit.engines.elasticsearch.shadow import Key
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

_T = TypeVar("_T")
# So many deletes are in nearly every slice; in so large an index a coarse slice is too much for one list.
MANY = 50
LARGE = 1_000_000
# Some servers have no versions in scripts, some allow no scripts.
_NO_SCRIPTS = (400, 403, 500)


class _NoFingerprints(Exception):
    """This server cannot make them."""


@dataclass(slots=True)
class Comparing:
    """Both sides of what is followed. `prints` False: the server cannot make fingerprints."""

    work: Following
    prints: bool | None = None

    @property
    def timed(self) -> bool:
        """Whether starts are times on both sides. In the first layout they are numbers, and documents from there or
        back are converted."""
        body = shadow.part(self.work.statements, "copy").body
        return isinstance(body, dict) and "script" not in body

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

    def compare(self, slices: Sequence[Slice]) -> tuple[int, list[Key]]:
        """Follow, reconcile and compare these slices: how many documents, and those that are not equal."""
        self.work.follow()
        self.work.send("refresh target")
        rows = sum(source.count for source, _ in self._counting(slices))
        doubtful: dict[Key, int] = {}
        for batch in self._suspicious(slices):
            doubtful |= self._mend(together(batch))[1]
        if not doubtful:
            return rows, []
        self.work.follow()
        return rows, self.work.wrong(doubtful)

    def _mend(self, query: Json) -> tuple[int, dict[Key, int]]:
        """Delete from the target what the source no longer has of these documents; how many that was, and which the
        target lacks or has in another version."""
        left, right = self._sides(lambda side: self._listed(side, query))
        gone = self._drop({key: version for key, version in right.items() if key not in left})
        return gone, {key: version for key, version in left.items() if right.get(key) != version}

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
            answer = self.work.send(f"{part} {side}", refused, **values)
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

    def _listed(self, side: str, query: Json) -> dict[Key, int]:
        """The documents that `query` finds, and their versions."""
        found: dict[Key, int] = {}
        request = shadow.filled(shadow.part(self.work.statements, f"list {side}"), {"together": query})
        assert isinstance(request.body, dict)
        body = request.body
        while True:
            hits = self.work.ask(request.method, request.path, body, ()).body["hits"]["hits"]
            found |= {shadow.key(hit): int(hit["_version"]) for hit in hits}
            if len(hits) < shadow.PAGE:
                return found
            body = {**body, "search_after": hits[-1]["sort"]}

    def _runs(self, side: str, batch: Batch) -> dict[str, int]:
        """Run id → number of documents in these slices."""
        found: dict[str, int] = {}
        request = shadow.filled(shadow.part(self.work.statements, f"runs {side}"), {"together": together(batch)})
        body: Any = request.body
        while True:
            runs = self.work.ask(request.method, request.path, body, ()).body["aggregations"]["runs"]
            found |= {bucket["key"]["run"]: int(bucket["doc_count"]) for bucket in runs["buckets"]}
            if len(runs["buckets"]) < shadow.RUNS_PAGE:
                return found
            composite = {**body["aggs"]["runs"]["composite"], "after": runs["after_key"]}
            body = {**body, "aggs": {"runs": {"composite": composite}}}

    def _drop(self, extra: Mapping[Key, int]) -> int:
        """Delete from the target what the source has not, not even unseen; never one that has a newer version."""
        live = self.work.versions("live", extra)
        gone = {key: version for key, version in extra.items() if key not in live}
        self.work.lease.check()
        for written in self.work.bulk(self._deletions(gone)):
            if written.status not in (200, 404, 409):
                raise failed("TV4513", f"{self.work.target} refused a delete", self.work.target, written.reason, "")
        return len(gone)

    def _deletions(self, gone: Mapping[Key, int]) -> Iterator[dict[str, Any]]:
        for (id, routing), version in gone.items():
            body = shadow.filled(
                shadow.part(self.work.statements, "delete"), {"writer": self.work.writer, "id": id, "version": version}
            ).body
            assert isinstance(body, dict)
            [facts] = body.values()
            assert isinstance(facts, dict)
            yield {"_op_type": "delete", **facts, **shadow.routed(routing)}
