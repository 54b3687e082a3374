"""From engine to engine: values at the edges of every type are written to one real store, read from it, written to
another, and both are asked the same. What the verdicts say must happen, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import permutations

import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.engines.http import call
from tests.support import journeys
from tests.support.command import temporal_visibility
from tests.support.filter_store import SLIM, definition, few, prepare, slim
from tests.support.type_values import VALUES
from toolkit.attributes import AttributeType
from toolkit.compat import Severity
from toolkit.compat_stores import SHOWS, asked
from toolkit.engines import Client, Engine
from toolkit.engines.compatibility import move
from toolkit.engines.filtering import Filters, Question, filters
from toolkit.errors import EngineError
from toolkit.query.page import Page
from toolkit.query.tree import And, Column, Compare, Condition, Filter, IsNull, Kind, Operator
from toolkit.records import AttributeValue, Record

pytestmark = pytest.mark.needs("scaled_float")  # attributes of every type
Type = AttributeType
ATTRIBUTES = {kind: f"{kind.value}01" for kind in Type}
WORKFLOW = Column("WorkflowId", "WorkflowId", Kind.KEYWORD, True)


@dataclass
class Store:
    """A store, what it took of `everything` (run id → record), and what it has answered."""

    engine: Engine
    client: Client
    filters: Filters
    url: str
    taken: dict[str, Record] = field(default_factory=dict)
    answers: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)

    def write(self, *records: Record) -> None:
        for _ in self.client.write(definition(), records):
            pass

    def take(self, given: Sequence[Record]) -> Iterator[Record]:
        """Write those of `given` that the store takes, and give them back; the others are found by halving."""
        try:
            self.write(*given)
            yield from given
        except EngineError:
            half = len(given) // 2
            if half:
                yield from self.take(given[:half])
                yield from self.take(given[half:])

    def fill(self) -> None:
        """Write all of `everything` that the store takes."""
        self.taken = {r.run_id: r for r in self.take(everything())}

    def ask(self, namespace: str, found: Filter) -> frozenset[str]:
        question = Question(slim(self.engine.NAME), namespace, found, self.filters.SEMANTICS)
        rows = self.client.ask(few(self.filters.listing(question, Page(1000)), SLIM))
        return frozenset(record.run_id for record in self.filters.records(question, rows))

    def read(self, namespace: str) -> dict[str, Record]:
        return {r.run_id: r for r in self.client.read(definition()) if r.namespace_id == namespace}


@pytest.fixture
def stores(
    postgresql: Handle, mysql: Handle, elasticsearch: Handle, sqlite: EmbeddedHandle, chdb: EmbeddedHandle
) -> Iterator[Mapping[str, Store]]:
    found = {}
    with ExitStack() as stack:
        for handle in (postgresql, mysql, elasticsearch, sqlite, chdb):
            engine, client = stack.enter_context(journeys.opened(handle.url))
            prepare(engine, client, [], handle.url)
            found[engine.NAME] = Store(engine, client, filters(engine.NAME), handle.url)
        yield found


def record(kind: Type, label: str, value: AttributeValue | None, namespace: str = "origin") -> Record:
    attributes = {} if value is None else {ATTRIBUTES[kind]: value}
    start = 1_769_860_800_000_000_000
    return Record(namespace, f"{kind.value}-{label}", kind.value, "t", start, start, 1, version=1,
                  root_workflow_id="w", root_run_id="r", attributes=attributes)  # fmt: skip


@cache
def everything() -> tuple[Record, ...]:
    """A record for each value at an edge, for each that a verdict may show, and one without any, for each type."""
    found = []
    for kind in Type:
        values = dict.fromkeys([*VALUES[kind], *(s.value for s in SHOWS if kind in s.kinds and s.value is not None)])
        found += [record(kind, str(place), value) for place, value in enumerate(values)]
        found.append(record(kind, "none", None))
    return tuple(found)


@cache
def questions(kind: Type) -> tuple[Filter, ...]:
    """What both stores are asked about attributes of a type: all that verdicts may show, and each value by itself."""
    column = Column(ATTRIBUTES[kind], ATTRIBUTES[kind], Kind(kind.value), False)
    conditions: list[Condition] = [IsNull(column)]
    conditions += [renamed(asked(kind, s.question), column) for s in SHOWS if kind in s.kinds]
    for value in VALUES[kind]:
        texts = value if isinstance(value, tuple) else (value,)
        # PostgreSQL takes words up to 2 KiB in a question, too.
        fitting = [t for t in texts if kind is not Type.TEXT or 0 < len(str(t).strip()) < 1000]
        conditions += [Compare(column, Operator.EQ, text) for text in fitting]
    return tuple(about(kind, condition) for condition in dict.fromkeys(conditions))


def about(kind: Type, condition: Condition) -> Filter:
    return Filter(And((Compare(WORKFLOW, Operator.EQ, kind.value), condition)), text=repr(condition))


def renamed(found: Filter, column: Column) -> Condition:
    condition = found.condition
    assert condition is not None
    assert not isinstance(condition, And)
    return replace(condition, column=column)  # type: ignore[call-arg]


def test_every_move_is_as_the_verdicts_say(stores: Mapping[str, Store]) -> None:
    for store in stores.values():
        store.fill()
        assert store.taken
    lies = []
    for before, after in permutations(stores, 2):
        lies += [f"{before} -> {after}: {lie}" for lie in moved(stores[before], stores[after])]
    assert not lies, "\n".join(lie[:300] for lie in lies)


def moved(before: Store, after: Store) -> Iterator[str]:
    """Everything that `before` took goes to `after`; what is then not as the verdicts say."""
    there = before.read("origin")
    namespace = before.engine.NAME
    got = [replace(r, namespace_id=namespace, run_id=r.run_id + namespace) for r in there.values()]
    taken = {r.run_id for r in after.take(got)}
    refused = {r.run_id.removesuffix(namespace) for r in got if r.run_id not in taken}
    for kind in Type:
        verdicts = move(before.engine.NAME, after.engine.NAME, kind)
        mine = {run for run in refused if run.startswith(f"{kind.value}-")}
        told = any(v.severity is Severity.REFUSED and v.code != "TV8034" for v in verdicts)
        if mine and not told:
            yield f"{kind.value}: {sorted(mine)} refused without a word"
        different = list(differing(before, after, kind, refused))
        if different and not any(v.severity in (Severity.LOSSY, Severity.REFUSED) for v in verdicts):
            yield f"{kind.value}: different without a word: {different[:3]}"
    yield from untrue(before, after)


def differing(before: Store, after: Store, kind: Type, refused: set[str]) -> Iterator[str]:
    namespace = before.engine.NAME
    for found in questions(kind):
        key = ("origin", found.text)
        if key not in before.answers:
            before.answers[key] = before.ask("origin", found)
        wanted = before.answers[key] - refused
        got = frozenset(run.removesuffix(namespace) for run in after.ask(namespace, found))
        if got != wanted:
            yield f"{found.text}: {sorted(got ^ wanted)}"


def untrue(before: Store, after: Store) -> Iterator[str]:
    """What is untrue about the verdicts, each tried with its own example."""
    tried = {}
    for kind in Type:
        for verdict in move(before.engine.NAME, after.engine.NAME, kind):
            if verdict.severity is not Severity.SAFE and verdict.code != "TV8034":
                name = f"{verdict.code}-{verdict.severity.value}-{before.engine.NAME}-{after.engine.NAME}"
                tried[kind, verdict] = record(kind, name, verdict.example, f"{kind.value}-{name}")
    held = {r.namespace_id for r in before.take(list(tried.values()))}
    there = [r for r in before.client.read(definition()) if r.namespace_id in held]
    taken = {r.namespace_id for r in after.take(there)}
    again = {r.namespace_id: r for r in after.client.read(definition())}
    for (kind, verdict), mine in tried.items():
        said = f"{kind.value}: {verdict.code} {verdict.severity.value}:"
        if mine.namespace_id not in held:
            yield f"{said} {before.engine.NAME} cannot hold {verdict.example!r}"
        elif verdict.severity is Severity.REFUSED:
            if mine.namespace_id in taken:
                yield f"{said} it is taken"
        elif mine.namespace_id not in taken:
            yield f"{said} it is refused"
        elif not verdict.question:
            if again[mine.namespace_id].attributes == mine.attributes:
                yield f"{said} it comes back as it was"
        else:
            column = Column(ATTRIBUTES[kind], ATTRIBUTES[kind], Kind(kind.value), False)
            found = about(kind, renamed(asked(kind, verdict.question), column))
            if before.ask(mine.namespace_id, found) == after.ask(mine.namespace_id, found):
                yield f"{said} both answer alike to {verdict.question}"


def test_several_values_where_one_is_meant(elasticsearch: Handle, sqlite: EmbeddedHandle) -> None:
    """TV8034: Temporal lets a document on Elasticsearch hold a list in any attribute; no other store takes that, but
    `query` shows it."""
    lists = {
        ATTRIBUTES[Type.TEXT]: ["a b", "c"], ATTRIBUTES[Type.KEYWORD]: ["a", "b"], ATTRIBUTES[Type.INT]: [1, 2],
        ATTRIBUTES[Type.DOUBLE]: [0.5, 2.0], ATTRIBUTES[Type.BOOL]: [True, False],
        ATTRIBUTES[Type.DATETIME]: ["2026-01-31T12:00:00Z", "2026-02-01T12:00:00.5Z"],
    }  # fmt: skip
    with journeys.opened(elasticsearch.url) as (engine, client):
        prepare(engine, client, [], elasticsearch.url)
        store = Store(engine, client, filters(engine.NAME), elasticsearch.url)
        store.write(record(Type.KEYWORD, "one", "a"))
        base, _, index = elasticsearch.url.removeprefix("elasticsearch+").rpartition("/")
        body = {"doc": lists}
        call("POST", f"{base}/{index}/_update/Keyword~Keyword-one?refresh=true", json.dumps(body).encode(),
             {"Content-Type": "application/json"})  # fmt: skip
        with pytest.raises(EngineError) as refused:
            store.read("origin")
        assert refused.value.code == "TV4504"
    [listed] = temporal_visibility("query", elasticsearch.url, "--namespace", "origin", "--output", "json").json(
        "query"
    )["executions"]
    assert listed["search_attributes"] == lists
    for kind in set(Type) - {Type.KEYWORD_LIST}:
        assert "TV8034" in {verdict.code for verdict in move("elasticsearch", "sqlite", kind)}
        assert "TV8034" not in {verdict.code for verdict in move("sqlite", "elasticsearch", kind)}
