"""The only module that talks to a search engine: connect, observe, send requests, write and read records.

It decides nothing; what to send comes as Steps, what to store as Records.
"""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

from toolkit.catalog import Json
from toolkit.definition import Definition
from toolkit.engines import batches, measuring
from toolkit.engines.bound import Search
from toolkit.engines.elasticsearch import (
    books,
    connection,
    documents,
    drift,
    executing,
    inspect,
    journal,
    layout,
    measure,
    paging,
    preflight,
    rebuilder,
    refusals,
    render,
    transport,
    versions,
)
from toolkit.engines.elasticsearch.store import AUTO_CREATE, SKIPPED, Kept, Names, SearchStore
from toolkit.engines.elasticsearch.transport import Answer, Transport
from toolkit.engines.elasticsearch.typemap import Profile
from toolkit.engines.online import Holder, Problem
from toolkit.errors import EngineError, TargetError, Unsupported
from toolkit.plan import Estimate, Plan, Step
from toolkit.records import Record, Write
from toolkit.targets import Target

# What Elasticsearch and OpenSearch take as the name of an index; wildcards and lists must never get through.
_NAME = re.compile(r"[^-_+A-Z\s\"*\\<|,>/?#:][^A-Z\s\"*\\<|,>/?#:]*")
MAX_NAME_BYTES = 255
_FIRST_WAIT = 0.1
# A cluster that cannot answer now is asked again after waits that double up to this: 6 seconds in all.
_LONGEST_WAIT = 4.0
# A chunk of a copy is answered when it is done.
LONG_SECONDS = 900
# What some servers tell of a template and take from nobody.
_DATES = ("created_date", "modified_date")
# Status of a bulk item → nothing is wrong: a newer version is there, or what was to be deleted is not.
_FINE = frozenset({200, 201, 404, 409})


def connect(target: Target, rules: Profile) -> SearchClient:
    """An open connection. Raises ConnectionFailed (unreachable, refused, no such product) or TargetError."""
    prefix, _, index = target.path.rpartition("/")
    if not index:
        raise TargetError(
            "TV3008", "the URL names no index", "Example: elasticsearch+https://user@host:9200/temporal_visibility_v1"
        )
    if not _NAME.fullmatch(index) or index in (".", "..") or len(index.encode()) > MAX_NAME_BYTES:
        raise TargetError(
            "TV3010", f"{index[:80]!r} cannot be the name of an index", "Use lower-case letters, digits, '_' and '-'."
        )
    address = transport.Address.of(target, f"/{prefix}" if prefix else "")
    line, server = connection.reach(address, target)
    return SearchClient(line, target, rules, index, server)


def _not_now(method: str, path: str, status: int) -> bool:
    """Whether to ask again: a refusal for want of room (429), and a look at an index that has no shard yet (503), as
    somebody has just made it or its node has just come back. A write waits for its shard in the server."""
    looks = method == "GET" or path.partition("?")[0].endswith(("/_search", "/_count"))
    return status == 429 or (status == 503 and looks)


class SearchClient:
    """One connection to one index or alias; see `toolkit.engines.Client`."""

    def __init__(self, line: Transport, target: Target, rules: Profile, index: str, server: str) -> None:
        self._line = line
        self._target = target
        self._rules = rules
        self._overlaid = tuple(layout.overlaid(target.overlay.elasticsearch))
        self._index = index
        self._server = server
        self._books = books.Books(self._ask, index)
        self._executing = executing.Executing(self._ask, target)
        self._lease: books.SearchLease | None = None
        self._rebuilder: rebuilder.SearchRebuilder | None = None

    def _ask(self, method: str, path: str, body: Any = None, fine: tuple[int, ...] = ()) -> Answer:
        answer = self._send(method, path, body)
        wait = _FIRST_WAIT
        while _not_now(method, path, answer.status) and wait < _LONGEST_WAIT:
            time.sleep(wait * random.uniform(0.5, 1.5))
            wait *= 2
            answer = self._send(method, path, body)
        if answer.status >= 400 and answer.status not in fine:
            raise transport.refused(answer, self._target)
        return answer

    def _send(self, method: str, path: str, body: Any) -> Answer:
        seconds = LONG_SECONDS if path.startswith("/_reindex?") else transport.SECONDS
        answer = self._line.send(method, path, body, seconds)
        return transport.whole(answer) if path.partition("?")[0].endswith("/_count") else answer

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to a request of a caller's own. Raises EngineError when it is refused."""
        return self._ask(method, path, body).body

    def observe(self) -> SearchStore:
        """See `toolkit.engines.Client.observe`."""
        found = self._ask("GET", f"{render.path(self._index)}?flat_settings=true", fine=(404,))
        indices = found.body if found.status == 200 else {}
        if len(indices) > 1:
            raise Unsupported(
                "TV4503", f"{self._index} is an alias of {len(indices)} indices", "Give the URL of one of them."
            )
        holder, facts = next(iter(indices.items()), (None, {}))
        names = Names.of(self._index, holder, self._rules)
        meta = inspect.meta(facts)
        begun = versions.left_over(meta)
        template, put_back = self._template(names)
        return SearchStore(
            catalog=inspect.catalog(facts, self._overlaid) if holder else layout.EMPTY,
            recorded=versions.recorded(meta),
            server=self._server,
            rows=self._rows() if holder else None,
            names=names,
            template=template,
            auto_create=self._auto_create(),
            kept=inspect.kept(facts, names, self._overlaid) if holder else Kept(),
            rebuilding=tuple(name for name in begun if self._exists(name)),
            interrupted=bool(begun),
            uuid=inspect.uuid(facts),
            taken=self._taken(),
            size=self._size(holder) if holder else None,
            put_back=put_back,
        )

    def _rows(self) -> int | None:
        """None: some of its shards do not answer; what else the index is can be told all the same."""
        with contextlib.suppress(transport.TooBusy):
            return self.count()
        return None

    def _taken(self) -> tuple[str, ...]:
        """Indices and aliases with our name, or one that a new index could get. `NAME*` would be neighbours, too, of
        whom a user with rights on its own names may not even know."""
        names = f"{render.path(self._index)},{render.path(f'{self._index}-')[1:]}*"
        found = self._ask("GET", f"{names}/_alias?expand_wildcards=all&ignore_unavailable=true", fine=(404,)).body
        indices = {name: facts for name, facts in found.items() if isinstance(facts, dict) and "aliases" in facts}
        return tuple(sorted({*indices, *(alias for facts in indices.values() for alias in facts["aliases"])}))

    def _size(self, holder: str) -> int | None:
        answer = self._ask("GET", render.path(holder, "_stats", "store"), fine=(403,))
        size = (answer.body.get("_all") or {}).get("primaries", {}).get("store", {}).get("size_in_bytes")
        return int(size) if isinstance(size, int) else None

    def _exists(self, index: str) -> bool:
        return self._ask("GET", f"{render.path(index)}/_settings", fine=(404,)).status == 200

    def _template(self, names: Names) -> tuple[dict[str, Any], Any]:
        """Our template, and its body to put it back. A composable one hides a legacy one."""
        path = render.path(names.template)
        found = self._ask("GET", f"/_index_template{path}", fine=(404,)).body.get("index_templates") or []
        if found:
            body = {k: v for k, v in found[0]["index_template"].items() if not k.startswith(_DATES)}
            return inspect.composable_template(body, names.patterns, self._overlaid), body
        answer = self._ask("GET", f"/_template{path}", fine=(404,))
        old = answer.body.get(names.template) if answer.status == 200 else None
        if not isinstance(old, dict):
            return {}, None
        return inspect.legacy_template(old, names.patterns, self._overlaid), old

    def _auto_create(self) -> str | None:
        """The cluster's setting; not to be touched when the URL says so, or when it may not even be read."""
        if "cluster_settings" in self._target.options:
            return SKIPPED
        answer = self._ask("GET", "/_cluster/settings?flat_settings=true", fine=(401, 403))
        if answer.status >= 400:
            return SKIPPED
        found = [answer.body.get(kind, {}).get(AUTO_CREATE) for kind in ("transient", "persistent")]
        return next((str(value) for value in found if value is not None), None)

    def examine(self) -> dict[str, Json]:
        """See `toolkit.engines.drifting.Examining.examine`."""
        path = render.path(self._index)
        found = self._ask("GET", f"{path}/_settings?flat_settings=true", fine=(404,))
        if found.status == 404 or not found.body:
            return {}
        settings = inspect.flat_settings(next(iter(found.body.values()))["settings"])
        health = self._ask("GET", f"/_cluster/health{path}", fine=(401, 403, 408))
        return drift.examine(settings, health.body if health.status == 200 else {})

    def execute(self, step: Step) -> None:
        """See `toolkit.engines.Client.execute`. A step that keeps writers waiting is taken back when it fails, except
        when its last request got no answer: that may have been done all the same."""
        self._executing.execute(step, lambda: None, lambda _: None)

    def write(self, definition: Definition, writes: Iterable[Write]) -> Iterator[int]:
        """See `toolkit.engines.Client.write`: bulk requests with the records' own versions."""
        if not self._exists(self._index):
            raise EngineError("TV4507", f"there is no index {self._index}", "Run `temporal-visibility schema upgrade`.")
        form = documents.Form.of(definition, self._rules)
        for batch in batches.batched(writes):
            final = batches.collapse(batch)
            actions = [form.action(record, self._index) for record in final.records]
            actions += [documents.deletion(write, self._index) for write in final.deletions]
            for outcome in self._line.bulk(actions):
                if outcome.status not in _FINE or (outcome.status == 404 and outcome.action != "delete"):
                    raise self._refused_document(outcome)
            yield len(batch)
        self._ask("POST", f"{render.path(self._index)}/_refresh")

    def _refused_document(self, outcome: transport.Outcome) -> EngineError:
        reason = self._target.redact(outcome.reason)
        hint = "Values must fit their fields: times from 1970 to 2262, words up to 32766 bytes."
        if outcome.status in (403, 429, 503):
            hint = "Writes are refused as long as a rebuild is under way, or the cluster is full. Run it again later."
        return refusals.failed("TV4508", f"document {outcome.id[:120]!r} was refused", self._index, reason, hint)

    def read(self, definition: Definition) -> Iterator[Record]:
        """See `toolkit.engines.Client.read`: one consistent view, a few thousand documents at a time."""
        form = documents.Form.of(definition, self._rules)
        at_once = paging.at_once(self.count(), self._size(self._index))
        for hit in self._line.scan(self._index, at_once):
            yield form.record(hit)

    def count(self) -> int:
        """See `toolkit.engines.Client.count`."""
        return self._executing.count(self._index)

    def ask(self, statement: Search) -> list[dict[str, Any]]:
        """See `toolkit.engines.filtering.Asking`: the whole answer is the only row."""
        # Counts have no such option; they are looked at.
        path = render.SEARCH if statement.path == "_search" else statement.path
        return [self._ask("POST", f"{render.path(self._index)}/{path}", dict(statement.body)).body]

    def measure(self, plan: Plan) -> dict[str, Estimate]:
        """See `toolkit.engines.measuring.Measuring`."""
        measures = measure.read(lambda way, path, body: self._ask(way, path, body, (404,)).body, self._index)
        return measuring.estimates(plan, measures, lambda step: measure.work(step, self._index))

    def take_lock(self, owner: str, seconds: float) -> books.SearchLease:
        """See `toolkit.engines.online.Coordinated.take_lock`."""
        return self._take(owner, seconds, None)

    def break_lock(self, owner: str) -> None:
        """See `toolkit.engines.online.Coordinated.break_lock`. What its holder still sends is refused."""
        self._take("temporal-visibility schema unlock", transport.SECONDS, owner).release()

    def _take(self, owner: str, seconds: float, forced: str | None) -> books.SearchLease:
        self._lease = books.take(self._books, owner, seconds, forced)
        self._rebuilder = rebuilder.SearchRebuilder(
            self._ask, self._line.bulk, self._books, self._lease, self._executing.execute, self._overlaid
        )
        return self._lease

    def holder(self) -> Holder | None:
        """See `toolkit.engines.online.Coordinated.holder`."""
        return books.holder(self._books)

    def journal(self) -> journal.SearchJournal:
        """See `toolkit.engines.online.Coordinated.journal`."""
        return journal.SearchJournal(self._books, self._lease)

    def rebuilding(self) -> rebuilder.SearchRebuilder:
        """See `toolkit.engines.online.Coordinated.rebuilding`; only for the holder of the lock."""
        assert self._rebuilder is not None
        return self._rebuilder

    def throttle(self, run: int) -> Json:
        """See `toolkit.engines.online.Throttling.throttle`."""
        return self._books.read(f"throttle~{run}").body.get("asked")

    def set_throttle(self, run: int, asked: Json) -> None:
        """See `toolkit.engines.online.Throttling.set_throttle`."""
        self._books.write(f"throttle~{run}", {"asked": asked}, None, kind="throttle", run=run)

    def lag(self) -> float | None:
        """See `toolkit.engines.online.Sensing.lag`: copies are written at once, so nothing lags."""
        return None

    def load(self) -> float:
        """See `toolkit.engines.online.Sensing.load`: what is being written, or waits for that."""
        nodes = self._ask("GET", "/_nodes/stats/thread_pool", fine=(401, 403)).body.get("nodes") or {}
        pools = [node["thread_pool"].get("write") or {} for node in nodes.values()]
        return float(sum(pool.get("active", 0) + pool.get("queue", 0) for pool in pools))

    def undivided(self) -> bool:
        """See `toolkit.engines.online.Undivided`: the name moves in one request."""
        return True

    def preflight(self, plan: Plan) -> tuple[Problem, ...]:
        """See `toolkit.engines.online.Checking.preflight`."""
        return preflight.check(self._ask, plan, self.observe())

    def close(self) -> None:
        """See `toolkit.engines.Client.close`."""
        self._line.close()
