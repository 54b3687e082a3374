"""Plans on every engine: what is shown is what runs, a plan in a file runs on its own store only, scripts get there.

A script is what `schema plan --format sql` prints, run by the engine's own client where there is one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.command import Ran, here
from tests.support.shells import run_script
from toolkit.apply import plan_json
from toolkit.apply.runner import Options, perform, plan_store, upgrade_task
from toolkit.catalog import Catalog, differences
from toolkit.describe import statement_text
from toolkit.engines import Client, Engine
from toolkit.engines.elasticsearch.client import SearchClient
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import Plan, Step
from toolkit.sample import generate
from toolkit.versions import chain, find

AnyHandle = Handle | EmbeddedHandle
EVERY = pytest.mark.engines("postgresql", "mysql", "sqlite", "elasticsearch", "chdb")
NEWEST = pytest.mark.needs("scaled_float")


def prepared(url: str, version: str = "1.9", rows: int = 100) -> None:
    """A store at `version` with some records."""
    with journeys.opened(url) as (chosen, client):
        journeys.upgrade(chosen, client, find(version))
        for _ in client.write(find(version), generate(find(version), rows, 3)):
            pass


def catalog(url: str) -> tuple[Catalog, str | None, int | None]:
    """What a store is."""
    with journeys.opened(url) as (_, client):
        seen = client.observe()
        return seen.catalog, seen.recorded, client.count()


def done(*words: str) -> Ran:
    """A command that must succeed."""
    ran = here(*words)
    assert ran.code == 0, ran.err
    return ran


def script_for(url: str, version: str = "latest") -> str:
    """What the command prints."""
    return done("schema", "plan", url, "--to", version, "--format", "sql").out


def shape(steps: Any) -> list[tuple[str, list[str]]]:
    """Ids and statements, of steps as JSON or as values."""
    return [
        (s.id, [statement_text(t) for t in s.statements]) if isinstance(s, Step) else (s["id"], s["statements"])
        for s in steps
    ]


@EVERY
@NEWEST
def test_what_is_shown_is_what_runs(engine: AnyHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan, the dry run and the run: the same steps with the same statements, and every one of them done."""
    url = engine.url
    prepared(url)
    plan = done("schema", "plan", url, "--statements", "--output", "json").json("schema-plan")["plans"][0]
    dry = done("schema", "upgrade", url, "--dry-run", "--output", "json").json("schema-upgrade")["runs"][0]
    assert shape(plan["steps"]) == shape(dry["steps"])
    # By code: sizes and ages in the words may be others a moment later.
    assert _codes(plan) == _codes(dry)
    with journeys.opened(url) as (chosen, client):
        ran = _recorded(chosen, client, monkeypatch)
    assert shape(ran.plan.steps) == shape(plan["steps"])
    assert set(ran.reported) == set(range(len(plan["steps"])))
    assert [step for n, step in enumerate(ran.plan.steps) if step not in ran.asked.get(n, [])] == []


def _codes(answer: Any) -> list[tuple[str, bool]] | None:
    found = answer["preflight"]
    return None if found is None else [(one["code"], one["fatal"]) for one in found]


class Recorded:
    """A run: its plan, the steps reported, and the steps that the engine was handed, by number."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.reported: list[int] = []
        self.asked: dict[int, list[Step]] = {}


def _recorded(chosen: Engine, client: Client, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    plan = plan_store(chosen, client, find("latest"), chain(), NO_OVERLAY)
    seen = Recorded(plan)

    def report(number: int, step: Step, seconds: float | None) -> None:
        seen.reported.append(number)
        assert step == plan.steps[number]

    def watched(target: Any, names: tuple[str, ...]) -> Any:
        for name in names:
            call = getattr(target, name)

            def recording(step: Step, *rest: Any, call: Callable[..., Any] = call) -> Any:
                seen.asked.setdefault(seen.reported[-1], []).append(step)
                return call(step, *rest)

            monkeypatch.setattr(target, name, recording, raising=True)
        return target

    open_ = client.rebuilding
    kept: list[Any] = []

    def rebuilding() -> Any:
        if not kept:
            kept.append(watched(open_(), ("attempt", "copy", "compare", "replay", "swap")))
        return kept[0]

    monkeypatch.setattr(client, "rebuilding", rebuilding)
    task = upgrade_task(chosen, plan, find("latest"), NO_OVERLAY)
    perform(client, task, report, lambda: 0.0, Options())
    (run,) = [r for r in client.journal().runs() if r.kind == "upgrade" and r.wanted == chain()[-1].version]
    journaled = plan_json.load(run.plan)
    assert shape(journaled.steps) == shape(plan.steps)
    return seen


@EVERY
@NEWEST
def test_a_plan_in_a_file_runs_on_its_store_only(engine: AnyHandle, tmp_path: Path) -> None:
    """Not when the file was touched, not on a store that is another or has changed, and then exactly what it says."""
    url, file = engine.url, tmp_path / "plan.json"
    prepared(url)
    done("schema", "plan", url, "--to", "1.13", "--out", str(file))
    upgrade = ("schema", "upgrade", url, "--yes", "--plan")

    touched = tmp_path / "touched.json"
    content = json.loads(file.read_text())
    content["steps"][0]["title"] += " and more"
    touched.write_text(json.dumps(content))
    refused(2, "TV2012", *upgrade, str(touched))
    touched.write_text("{}")
    refused(2, "TV2011", *upgrade, str(touched))

    before = catalog(url)
    other = engine.new_database()
    prepared(other, "1.10", 20)
    refused(1, "TV5001", "schema", "upgrade", other, "--yes", "--plan", str(file))
    assert catalog(url) == before

    done(*upgrade, str(file))
    assert catalog(url)[1] in ("1.13", "v13")
    finish(url)
    done("schema", "plan", url, "--to", "1.14", "--out", str(file))
    with journeys.opened(url) as (chosen, client):
        journeys.upgrade(chosen, client, find("1.12"))
    finish(url)
    before = catalog(url)
    refused(1, "TV5001", *upgrade, str(file))
    assert catalog(url) == before


def refused(code: int, error: str, *words: str) -> None:
    """A command that must not do it."""
    ran = here(*words)
    assert (ran.code, error in ran.err) == (code, True), ran.err


def finish(url: str) -> None:
    """Drop what a run kept for its rollback, where it kept something."""
    ran = here("schema", "finish", url, "--yes")
    assert ran.code == 0 or "TV5109" in ran.err, ran.err


@EVERY
def test_a_plan_for_another_engine_is_refused(engine: AnyHandle, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    done("schema", "plan", engine.url, "--out", str(file))
    own = plan_json.read(file)
    plan_json.write(replace(own, engine="mysql" if own.engine == "sqlite" else "sqlite"), file)
    refused(2, "TV2013", "schema", "upgrade", engine.url, "--yes", "--plan", str(file))


def test_a_plan_of_another_overlay_or_version_is_refused(sqlite: EmbeddedHandle, tmp_path: Path) -> None:
    """Before anything is done: the run would do all of it, and then not end as wanted."""
    config, file = tmp_path / "stores.yaml", tmp_path / "plan.json"
    more = "overlay: {preallocated: {Int: 5}}"
    config.write_text(f"stores:\n  plain: {{url: '{sqlite.url}'}}\n  more: {{url: '{sqlite.url}', {more}}}\n")
    done("schema", "plan", "plain", "--config", str(config), "--to", "1.3", "--out", str(file))
    for wish in ((), ("--dry-run",)):
        refused(2, "TV5118", "schema", "upgrade", "more", "--config", str(config), "--yes", "--plan", str(file), *wish)
    ours = ("schema", "upgrade", "plain", "--config", str(config), "--yes", "--plan", str(file))
    refused(2, "TV2013", *ours, "--to", "1.4")
    refused(2, "--offline", *ours, "--offline")
    done(*ours, "--to", "1.3")


def starts(engine: AnyHandle, version: str) -> Iterator[str]:
    """Stores to begin with: with records, fresh, and stopped half-way between two versions."""
    url = engine.new_database()
    prepared(url, version)
    yield url
    yield engine.new_database()
    url = engine.new_database()
    prepared(url, version)
    with journeys.opened(url) as (chosen, client):
        plan = plan_store(chosen, client, find("latest"), chain(), NO_OVERLAY, offline=True)
        for step in plan.steps[: max(1, len(plan.steps) // 2)]:
            client.execute(step)
    yield url


@EVERY
@NEWEST
def test_the_script_gets_there(engine: AnyHandle, tmp_path: Path) -> None:
    """From 1.9, from nothing, and from half-way: catalog and recorded version are those of a run, records stay."""
    with journeys.opened(engine.url) as (chosen, client):
        journeys.upgrade(chosen, client, find("latest"))
        goal, label = client.observe().catalog, client.observe().recorded
    for url in starts(engine, "1.9"):
        with journeys.opened(url) as (_, client):
            before = client.count() if client.observe().recorded else 0
        run_script(url, script_for(url), tmp_path)
        seen, recorded, count = catalog(url)
        assert differences(seen, goal) == ()
        assert (recorded, count) == (label, before)
        assert done("schema", "plan", url, "--output", "json").json("schema-plan")["plans"][0]["steps"] == []


@pytest.mark.short  # guards go by what catalogs say, and versions differ in how they can be asked
@EVERY
@NEWEST
def test_a_script_stops_on_another_state_of_the_store(engine: AnyHandle, tmp_path: Path) -> None:
    """When somebody was there before it, and when it is run twice."""
    url = engine.url
    prepared(url, rows=20)
    script = script_for(url, "1.13")
    with journeys.opened(url) as (chosen, client):
        journeys.upgrade(chosen, client, find("1.11"))
    before = catalog(url)
    with pytest.raises(Exception, match="another state of the store"):
        run_script(url, script, tmp_path)
    assert catalog(url) == before
    script = script_for(url, "1.13")
    run_script(url, script, tmp_path)
    with pytest.raises(Exception, match="another state of the store"):
        run_script(url, script, tmp_path)


@pytest.mark.engines("elasticsearch")
def test_a_script_rebuilds_an_index(engine: AnyHandle, tmp_path: Path) -> None:
    """From v0, which no index can be changed from in place. A script whose last request is refused lets writers in."""
    prepared(engine.url, "1.0", 200)
    with journeys.opened(engine.url) as (_, client):
        assert isinstance(client, SearchClient)
        name = client.observe().names.index
        client.request("PUT", f"/{name}/_alias/{name}-a")
        script = script_for(engine.url, "1.10")
        client.request("DELETE", f"/{name}/_alias/{name}-a")
        client.request("PUT", f"/{name}-a")
        with pytest.raises(Exception, match="with the same name as the alias"):
            run_script(engine.url, script, tmp_path)
        client.request("PUT", f"/{name}/_doc/1", {})
        client.request("DELETE", f"/{name}/_doc/1")
        client.request("DELETE", f"/{name}-a")
    run_script(engine.url, script_for(engine.url, "1.10"), tmp_path)
    _, recorded, count = catalog(engine.url)
    assert (recorded, count) == ("v10", 200)


@EVERY
@NEWEST
def test_estimates_are_measured(engine: AnyHandle) -> None:
    """A step that touches rows knows how many; what is not known is null, and nothing says 0 that is more."""
    prepared(engine.url, rows=600)
    plan = done("schema", "plan", engine.url, "--output", "json").json("schema-plan")["plans"][0]
    heavy = [s["estimate"] for s in plan["steps"] if s["class"] in ("rebuild", "online")]
    known = [e for e in heavy if e["rows"]]
    if not engine.url.startswith(("elasticsearch", "opensearch")):
        assert known
    for estimate in known:
        assert 400 <= estimate["rows"] <= 2000
        assert estimate["seconds"] is None or estimate["seconds"] > 0
        assert estimate["basis"]
    assert all(e["basis"] for e in heavy if e["rows"] is None and e["seconds"] is None and e["basis"])
    assert plan["totals"]["seconds"] > 0
