"""A rebuild of an index beside a raw `_reindex` with slices=auto, and what writers notice of it, in one run.

Run: python -m tests.bench.bench_upgrade_elasticsearch --documents 20000 --rate 500 (--server opensearch-2.19). The
index lacks the sort order of the released template, so everything must be copied. First without load, several rounds in
turn: the raw copy into an index with the same settings, and the copy step of our run. Then the whole run under load.
Prints tables; asserts nothing.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import statistics
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from tests.bench import load
from tests.bench.bench_upgrade import databases
from tests.bench.load import NAMESPACE
from tests.support import journeys
from tests.support.catalogs import released
from toolkit.apply import ways_back
from toolkit.apply.actions import Action, Outcome
from toolkit.apply.runner import perform, plan_store, upgrade_task
from toolkit.apply.task import Options
from toolkit.engines import Client, Engine
from toolkit.engines.rebuilding import Swapped
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import Request
from toolkit.sample import generate
from toolkit.versions import find

VERSION = "1.10"
FIRST_VERSION = 1 << 40
SKIP = "?cluster_settings=skip"


class Session:
    """A writer: the bulk API with external versions, one action a request; see `load.Session`."""

    versions = itertools.count(FIRST_VERSION)

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._line = http.client.HTTPConnection(parts.netloc, timeout=60)
        self._index = parts.path[1:]
        self._starts = dict[str, str]()

    def insert(self, run: str, word: str) -> None:
        self._starts.setdefault(run, _now())
        self._send("index", run, self._document(run, word, "Running"))

    def update(self, run: str, word: str) -> None:
        self._send("index", run, {**self._document(run, word, "Completed"), "CloseTime": _now()})

    def delete(self, run: str) -> None:
        self._send("delete", run, None)
        self._starts.pop(run, None)

    def close(self) -> None:
        self._line.close()

    def _document(self, run: str, word: str, status: str) -> dict[str, Any]:
        return {
            "NamespaceId": NAMESPACE, "WorkflowId": "load", "RunId": run, "WorkflowType": "load", "TaskQueue": word,
            "StartTime": self._starts[run], "ExecutionTime": self._starts[run], "ExecutionStatus": status,
        }  # fmt: skip

    def _send(self, action: str, run: str, document: Any) -> None:
        version = next(Session.versions)
        facts = {"_index": self._index, "_id": f"load~{run}", "version": version, "version_type": "external"}
        lines = [json.dumps({action: facts}), *([json.dumps(document)] if document else [])]
        self._line.request("POST", "/_bulk", "\n".join(lines) + "\n", {"Content-Type": "application/x-ndjson"})
        answer = json.loads(self._line.getresponse().read())
        item = answer["items"][0][action]
        if "error" in item:
            time.sleep(0.005)
            raise RuntimeError(f"{item['status']} {item['error']['type']}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ask(url: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """One request to the cluster of `url`."""
    line = http.client.HTTPConnection(urlsplit(url).netloc, timeout=900)
    data = None if body is None else json.dumps(body)
    line.request(method, path, data, {"Content-Type": "application/json"})
    answer = line.getresponse()
    found = json.loads(answer.read() or b"{}")
    line.close()
    if answer.status >= 400:
        raise RuntimeError(f"{method} {path}: {str(found)[:500]}")
    assert isinstance(found, dict)
    return found


def name_of(url: str) -> str:
    return urlsplit(url).path[1:]


def fill(url: str, documents: int) -> None:
    """An index at VERSION without the sort order of its template."""
    definition = find(VERSION)
    with journeys.opened(url + SKIP) as (engine, client):
        catalog = engine.catalog(definition)
        settings = {k: v for k, v in catalog.children(("settings",)).items() if not k.startswith("sort.")}
        mappings = {"dynamic": "false", "properties": catalog.children(("properties",))}
        ask(url, "PUT", f"/{name_of(url)}", {"settings": {"index": settings}, "mappings": mappings})
        for _ in client.write(definition, generate(definition, documents, 3)):
            pass
    ask(url, "POST", f"/{name_of(url)}/_forcemerge?max_num_segments=5")


def raw(url: str) -> float:
    """Seconds of a plain `_reindex` with slices=auto into an index with the settings of ours while it is filled."""
    name, target = name_of(url), f"{name_of(url)}-raw"
    with journeys.opened(url + SKIP) as (engine, client):
        plan = plan_store(engine, client, find(VERSION), released(), NO_OVERLAY)
    create = next(s for p in plan.steps for s in p.statements if isinstance(s, Request) and s.part == "create")
    ask(url, "PUT", f"/{target}", create.body)
    began = time.monotonic()
    body = {"source": {"index": name, "size": 2000}, "dest": {"index": target, "version_type": "external"}}
    task = ask(url, "POST", "/_reindex?slices=auto&wait_for_completion=false", body)["task"]
    while not ask(url, "GET", f"/_tasks/{task}")["completed"]:
        time.sleep(0.02)
    seconds = time.monotonic() - began
    ask(url, "DELETE", f"/{target}")
    return seconds


def ours(url: str) -> dict[str, float]:
    """Seconds of each step of our run, and of the time in which writes were refused; then back again."""
    with journeys.opened(url + SKIP) as (engine, client):
        found = upgraded(engine, client)
        task = ways_back.rollback(engine, client, released(), NO_OVERLAY)
        perform(client, task, lambda *_: None, time.monotonic, Options())
        return found


def upgraded(engine: Engine, client: Client) -> dict[str, float]:
    """The run itself."""
    definition, window = find(VERSION), [0.0]

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(outcome, Swapped):
            window[0] = outcome.seconds

    plan = plan_store(engine, client, definition, released(), NO_OVERLAY)
    task = upgrade_task(engine, plan, definition, NO_OVERLAY)
    result = perform(client, task, lambda *_: None, time.monotonic, Options(watch=watch))
    steps = {s.id: round(seconds, 2) for s, seconds in zip(plan.steps, result.seconds, strict=True)}
    return {**steps, "window": round(window[0], 3)}


def loaded(url: str) -> Mapping[str, float | str]:
    """Our run while others write."""
    with journeys.opened(url + SKIP) as (engine, client):
        return dict(upgraded(engine, client))


def stored(url: str) -> Mapping[str, str]:
    """Run → word of what the load wrote."""
    name, found = name_of(url), dict[str, str]()
    ask(url, "POST", f"/{name}/_refresh")
    body: dict[str, Any] = {"size": 5000, "query": {"term": {"NamespaceId": NAMESPACE}}, "sort": ["RunId"]}
    while hits := ask(url, "POST", f"/{name}/_search", body)["hits"]["hits"]:
        found |= {hit["_source"]["RunId"]: hit["_source"]["TaskQueue"] for hit in hits}
        body["search_after"] = hits[-1]["sort"]
    return found


def others(url: str) -> int:
    """How many documents there are that the load did not write: none may be lost or doubled."""
    ask(url, "POST", f"/{name_of(url)}/_refresh")
    query = {"query": {"bool": {"must_not": [{"term": {"NamespaceId": NAMESPACE}}]}}}
    return int(ask(url, "POST", f"/{name_of(url)}/_count", query)["count"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=500, help="writes a second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--server", default="elasticsearch-7.17")
    arguments = parser.parse_args()
    with databases(arguments.server) as fresh:
        url = fresh()
        fill(url, arguments.documents)
        raws, copies = [], []
        for number in range(arguments.rounds):
            print(f"round {number + 1} …", file=sys.stderr, flush=True)
            raws.append(raw(url))
            copies.append(ours(url)["rebuild.copy"])
        side = load.measured("ours", lambda: Session(url), arguments.rate, lambda: loaded(url), lambda: stored(url))
        kept = others(url)
    print(f"### {arguments.server}, {arguments.documents} documents, {arguments.rate:g} writes/s\n")
    print("| copy, no load | median | all rounds |\n|---|---:|---|")
    for name, seconds in (("raw _reindex, slices=auto", raws), ("ours", copies)):
        print(f"| {name} | {statistics.median(seconds):.2f} s | {', '.join(f'{s:.2f}' for s in seconds)} |")
    print(f"| ours ÷ raw | {statistics.median(copies) / statistics.median(raws):.3g} | |\n")
    print("\n".join(load.table("the whole run under load", [side])))
    print(f"\ndocuments lost, doubled or come back: {side.lost + abs(kept - arguments.documents)}")


if __name__ == "__main__":
    main()
