"""Lists and counts on the same records in ClickHouse (chDB), PostgreSQL, SQLite and Elasticsearch, side by side.

    python -m tests.engines up --detach --run bench postgresql-15 elasticsearch-7.17      # prints the URLs
    python -m tests.bench.bench_query --rows 10000000 --keep /var/tmp/bench \\
        --store postgresql://… --store elasticsearch+http://…/bench
    python -m tests.engines down --run bench

ClickHouse and SQLite live in the directory of --keep; the others wherever their URLs lead. What is filled stays: the
same command goes on where it was stopped, and fills nothing twice. SQL stores make the records themselves, a million at
a time and without the indexes that these records would fill, which come back afterwards; a search engine is written to.
With --lean, PostgreSQL and SQLite have an overlay: indexes hold only records with a value, and those that no question
asks for are left out. All sixty of ten million rows take some 70 GB. Asserts that all stores give the same answers, and
prints medians as a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench import filling, query_data, query_documents
from tests.support import journeys
from tests.support.filter_store import extended, prepare
from toolkit.engines import Client, Engine
from toolkit.engines.filtering import Filters, Question, filters
from toolkit.overlay import ALL_INDEXES, NO_OVERLAY, Overlay
from toolkit.query import check
from toolkit.query.page import Page, Place
from toolkit.query.scope import Scope
from toolkit.records import Record
from toolkit.versions import find

VERSION = "1.14"
CHUNK = 1_000_000
PAGE = 100
FAR = 500
LEAN = Overlay(
    partial_indexes=frozenset({ALL_INDEXES}),
    without_indexes=frozenset(
        {"by_execution_time", "by_workflow_id", "by_history_length", "by_task_queue", "by_execution_duration",
         "by_root_workflow_id", "by_root_run_id"}
    ),
)  # fmt: skip
INSERTS: Mapping[str, Callable[[int, int], str]] = {
    "postgresql": query_data.postgresql,
    "sqlite": query_data.sqlite,
    "clickhouse": query_data.clickhouse,
}
LISTS = {
    "everything": "",
    "by status": "ExecutionStatus = 'Failed'",
    "by type and time": "WorkflowType = 'Type7' AND StartTime >= '2026-01-01T00:20:00Z'",
    "by keyword": "Keyword01 = 'customer-4711'",
    "by list": "KeywordList01 = 'tag-7'",
}
COUNTS = {
    "everything": "",
    "by status": "ExecutionStatus = 'Failed'",
    "of statuses": "GROUP BY ExecutionStatus",
    "by number": "Int01 > 9000",
    "by list": "KeywordList01 = 'tag-7'",
}


@dataclass(frozen=True)
class Store:
    """A filled store."""

    name: str
    engine: Engine
    client: Client
    filters: Filters

    def question(self, given: str, counting: bool) -> Question:
        known = extended(self.engine.FAMILY)
        found = check.parse(given, Scope.of(known, self.engine.FAMILY), grouping=counting)
        return Question(known, query_data.BUSY, found, self.filters.SEMANTICS)

    def page(self, question: Question, after: Place | None, limit: int = PAGE) -> list[Record]:
        return self.filters.records(question, self.client.ask(self.filters.listing(question, Page(limit, after))))

    def count(self, question: Question) -> dict[object, int]:
        return self.filters.counts(question, self.client.ask(self.filters.counting(question)))


@contextmanager
def opened(url: str, overlay: Overlay) -> Iterator[Store]:
    """The store at `url`."""
    with journeys.opened(url, overlay) as (engine, client):
        yield Store(engine.NAME, engine, client, filters(engine.NAME))


def fill(url: str, rows: int, overlay: Overlay, say: Callable[[str], None]) -> None:
    """Bring the store at `url` to `rows` records, from wherever it is."""
    with opened(url, overlay) as store:
        _fill(store, url, rows, overlay, say)


def _fill(store: Store, url: str, rows: int, overlay: Overlay, say: Callable[[str], None]) -> None:
    wanted = find(VERSION)
    if not store.client.observe().catalog.body or not _there(store.client):
        prepare(store.engine, store.client, [], url)
    if indexed := store.engine.NAME in filling.INDEXED:
        filling.bring(store.engine, store.client, wanted, overlay)
    have = store.client.count()
    insert = INSERTS.get(store.engine.NAME)
    if have < rows and insert is None:
        query_documents.fill(url, rows, say)
    elif have < rows and insert is not None and indexed:
        with filling.without_indexes(store.engine, store.client, wanted, overlay, _unfilled(overlay)):
            _insert(store, insert, have, rows, say)
            say(f"{store.name}: building indexes")
        store.client.execute(filling.step("ANALYZE"))
    elif have < rows and insert is not None:
        _insert(store, insert, have, rows, say)
    assert store.client.count() == rows, f"{store.name} has {store.client.count()} records; take another directory"


def _unfilled(overlay: Overlay) -> Set[str]:
    """Partial indexes over values that none of the records has: to keep them costs nothing."""
    wanted, filled = overlay.apply(find(VERSION)), query_data.record(0).attributes
    return wanted.partial & {a.index for a in wanted.attributes if a.index and a.name not in filled}


def _there(client: Client) -> bool:
    try:
        client.count()
    except Exception:
        return False
    return True


def _insert(store: Store, insert: Callable[[int, int], str], have: int, rows: int, say: Callable[[str], None]) -> None:
    for first in range(have // CHUNK * CHUNK, rows, CHUNK):
        began, last = time.monotonic(), min(first + CHUNK, rows)
        store.client.execute(filling.step(insert(first, last)))
        say(f"{store.name}: {last} records, {(last - first) / (time.monotonic() - began):.0f} a second")


def place_of_page(store: Store, question: Question, number: int) -> Place | None:
    """The end of page `number` - 1, found by walking; None when there are not so many records."""
    slim = replace(question, definition=replace(question.definition, attributes=()))
    after: Place | None = None
    left = (number - 1) * PAGE
    while left:
        size = min(left, 5_000)
        found = store.page(slim, after, size)
        if len(found) < size:
            return None
        after, left = Place.of(found[-1]), left - size
    return after


def measured(stores: list[Store], rounds: int, say: Callable[[str], None]) -> Iterator[tuple[str, list[float]]]:
    """One line a question: milliseconds for each store; the answers are compared."""
    for name, given in LISTS.items():
        questions = [store.question(given, False) for store in stores]
        pages: list[tuple[int, Place | None]] = [(1, None)]
        if (far := place_of_page(stores[0], questions[0], FAR)) is not None:
            pages.append((FAR, far))
        for number, after in pages:
            say(f"page {number}, {name}")
            yield f"page {number}, {name}", _times(stores, rounds, _page_after(after), questions)
    for name, given in COUNTS.items():
        questions = [store.question(given, True) for store in stores]
        say(f"count, {name}")
        yield f"count, {name}", _times(stores, rounds, lambda s, q: s.count(q), questions)


def _page_after(after: Place | None) -> Callable[[Store, Question], object]:
    return lambda store, question: [record.run_id for record in store.page(question, after)]


def _times(
    stores: list[Store], rounds: int, ask: Callable[[Store, Question], object], questions: list[Question]
) -> list[float]:
    times, answers = [], []
    for store, question in zip(stores, questions, strict=True):
        spent = []
        for _ in range(rounds):
            began = time.perf_counter()
            answer = ask(store, question)
            spent.append((time.perf_counter() - began) * 1000)
        times.append(statistics.median(spent))
        answers.append(answer)
    for store, answer in zip(stores, answers, strict=True):
        assert answer == answers[0], f"{store.name} and {stores[0].name} answer differently: {questions[0].filter.text}"
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--store", action="append", default=[], metavar="URL", help="another store, on a server")
    parser.add_argument("--keep", type=Path, help="directory for ClickHouse and SQLite, and what is filled stays there")
    parser.add_argument("--lean", action="store_true", help="fewer and smaller indexes, for little disk")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    with ExitStack() as stack:
        home = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home.mkdir(parents=True, exist_ok=True)
        (home / "clickhouse").mkdir(exist_ok=True)
        urls = [f"chdb://{home.resolve()}/clickhouse", *options.store, f"sqlite:///{home.resolve()}/visibility.db"]
        lean = LEAN if options.lean else NO_OVERLAY
        overlays = {url: lean if url.startswith(tuple(filling.INDEXED)) else NO_OVERLAY for url in urls}
        # All at once: most of the work is done in servers and in C. Each thread has a connection of its own.
        with ThreadPoolExecutor() as pool:
            for future in [pool.submit(fill, url, options.rows, overlay, say) for url, overlay in overlays.items()]:
                future.result()
        stores = [stack.enter_context(opened(url, overlay)) for url, overlay in overlays.items()]
        lines = list(measured(stores, options.rounds, say))
    names = [store.name for store in stores]
    print(f"\n{options.rows} records, medians of {options.rounds}, milliseconds\n")
    print(f"| | {' | '.join(names)} |\n|---|{'---:|' * len(names)}")
    for title, times in lines:
        print(f"| {title} | {' | '.join(f'{each:.1f}' for each in times)} |")
    if options.json:
        options.json.write_text(json.dumps({"rows": options.rows, "stores": names, "times": dict(lines)}, indent=1))


if __name__ == "__main__":
    main()
