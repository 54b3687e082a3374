"""The records of the query benchmark as requests of a search engine's bulk API, written as text: ten million of them.

`check` compares them with what the toolkit itself would write. It sends requests to the given server, and nothing else.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from tests.bench.query_data import BASE, BUSY, NAMESPACES, TICK, mixed, record
from toolkit.engines.elasticsearch import documents
from toolkit.engines.elasticsearch.typemap import profile
from toolkit.versions import find

BATCH = 5_000
SENDERS = 2
_FRACTIONS = {0: "", 250: ".25", 500: ".5", 750: ".75"}


@lru_cache(maxsize=100_000)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}{_FRACTIONS[rest]}Z"


def lines(n: int) -> str:
    """The two lines of record n: the action, and the document.

    The index chooses the document's own name: to look ten million random ones up takes longer than all the rest.
    """
    place, chance = mixed(n, 0) % 100, mixed(n, 1) % 100
    namespace = BUSY if place < 60 else NAMESPACES[1 + mixed(n, 0) % 19]
    status = (
        "Running" if chance < 10 else "Completed" if chance < 80 else "Failed" if chance < 92 else "Terminated"
        if chance < 96 else "TimedOut"
    )  # fmt: skip
    start, took = BASE * 1000 + n * TICK, mixed(n, 2) % 14_400 * TICK
    run, kind, sixth = f"{mixed(n, 3):08x}-0000-4000-8000-{n:012x}", mixed(n, 5), mixed(n, 6)
    began, flow = _time(start), f"order-{mixed(n, 4) % 100_000}"
    closed = "" if status == "Running" else (
        f'"CloseTime":"{_time(start + took)}","HistoryLength":{sixth % 1000},"ExecutionDuration":{took * 1_000_000},'
    )  # fmt: skip
    return (
        '{"index":{}}\n'
        f'{{"Keyword01":"customer-{sixth % 100_000}","Int01":{mixed(n, 7) % 10_000},'
        f'"KeywordList01":["tag-{mixed(n, 8) % 50}"],"VisibilityTaskKey":"0~{n + 1}","NamespaceId":"{namespace}",'
        f'"RunId":"{run}","StartTime":"{began}","ExecutionTime":"{began}","WorkflowId":"{flow}",'
        f'"WorkflowType":"Type{kind % 30}","ExecutionStatus":"{status}",{closed}"TaskQueue":"queue-{kind % 7}",'
        f'"RootWorkflowId":"{flow}","RootRunId":"{run}"}}\n'
    )


def check() -> None:
    """Assert that the lines are what the toolkit writes."""
    form = documents.Form.of(find("1.14"), profile())
    for n in range(0, 3_000, 7):
        assert json.loads(lines(n).splitlines()[1]) == form.document(record(n)), n


def fill(url: str, number: int, say: Callable[[str], None]) -> None:
    """Write so many records to the index at `url`, but for the requests whose records are there already."""
    check()
    parts = urlsplit(url)
    index = parts.path[1:]
    _settings(parts.netloc, index, "60s")
    there = _there(parts.netloc, index)
    starts = [start for start in range(0, number, BATCH) if there.get(start) != min(BATCH, number - start)]
    assert not [start for start in starts if start in there], "requests that were done in part: delete the index"
    began = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as pool:
        sent = pool.map(lambda start: _send(parts.netloc, index, start, min(start + BATCH, number)), starts)
        for count, (start, _) in enumerate(zip(starts, sent, strict=True), start=1):
            if count % 100 == 0:
                rate = count * BATCH / (time.monotonic() - began)
                say(f"elasticsearch: {start + BATCH} records, {rate:.0f} a second")
    _settings(parts.netloc, index, None)


def _there(address: str, index: str) -> dict[int, int]:
    """The first record of a request → how many of its records are there: times of start follow from the numbers."""
    width = BATCH * TICK
    buckets = {"field": "StartTime", "fixed_interval": f"{width}ms", "offset": f"{BASE * 1000 % width}ms",
               "min_doc_count": 1}  # fmt: skip
    body = {"size": 0, "aggs": {"requests": {"date_histogram": buckets}}}
    _ask(address, "POST", f"/{index}/_refresh", b"", "application/json")
    answer: Any = _ask(address, "POST", f"/{index}/_search", json.dumps(body).encode(), "application/json")
    found = answer["aggregations"]["requests"]["buckets"]
    return {(bucket["key"] - BASE * 1000) // TICK: bucket["doc_count"] for bucket in found}


def _send(address: str, index: str, first: int, last: int) -> None:
    body = "".join(map(lines, range(first, last))).encode()
    path = f"/{index}/_bulk?filter_path=errors,items.*.status"
    answer: Any = _ask(address, "POST", path, body, "application/x-ndjson")
    bad = {item["index"]["status"] for item in answer["items"]} - {201} if answer["errors"] else set()
    assert not bad, f"documents were refused: {bad}"


def _settings(address: str, index: str, refresh: str | None) -> None:
    body = json.dumps({"index": {"refresh_interval": refresh}}).encode()
    _ask(address, "PUT", f"/{index}/_settings", body, "application/json")


def _ask(address: str, method: str, path: str, body: bytes, kind: str) -> object:
    """The answer; a server that has no room just now (429) is asked again."""
    while True:
        connection = http.client.HTTPConnection(address, timeout=300)
        try:
            connection.request(method, path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 429:
            assert answer.status == 200, text[:300]
            return json.loads(text)
        time.sleep(2)
