"""Every published schema and route of every engine, upgraded beside a writer on the real server, and taken back.

The walks are those of `schema verify-paths`; the servers are those of the test run.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support.catalogs import released
from tests.support.sabotage import sabotaged
from toolkit.definition import Definition
from toolkit.engines import engine as engine_named
from toolkit.plan import Request, Sql, Statement
from toolkit.routes import published
from toolkit.targets import Target, parse_url
from toolkit.verify.evidence import Check, Evidence, UpgradePath
from toolkit.verify.paths import paths
from toolkit.verify.places import walk_on

ROWS = int(os.environ.get("TEMPORAL_VISIBILITY_PATH_ROWS", "120"))
NEWEST = released()[-1]


def place(handle: Handle | EmbeddedHandle) -> Target:
    """Where throwaway stores are made: a chDB directory may hold others, and is open in no other client."""
    target = parse_url(handle.url, {})
    if target.scheme == "chdb":
        return replace(target, path=f"{handle.directory}/paths".removeprefix("/"))  # type: ignore[union-attr]
    return target


def ways(target: Target, goal: Definition) -> tuple[UpgradePath, ...]:
    return paths(engine_named(target.engine), released(), published().routes, goal)


def shown(found: list[Evidence]) -> str:
    return "\n".join(f"{one.path.name}: {f.check.name} {f.code} {f.message}" for one in found for f in one.findings)


def walked(handle: Handle | EmbeddedHandle, goal: Definition, part: int | None = None) -> list[Evidence]:
    """All ways, or every third of them; in the first part also those that begin at a defect."""
    target = place(handle)
    known = engine_named(target.engine)
    wanted = [
        path
        for number, path in enumerate(ways(target, goal))
        if part in (None, number % 3) or (part == 0 and path.deviation)
    ]
    # The same engine walks all of them behind its server form.
    wanted = wanted[::3] if target.scheme == "chdb" else wanted
    return [walk_on(known, path, target, ROWS, released()) for path in wanted]


def check(found: list[Evidence]) -> None:
    assert shown(found) == ""
    for one in found:
        assert set(one.checks) >= set(Check) - (set() if one.path.steady else {Check.QUERIES}), one.path.name
        assert one.felt.writes >= 40 or not one.path.steady


# Every third by default, all of them in the long run.
@pytest.mark.parametrize("part", [0, pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.long)])
def test_from_every_published_schema_to_the_newest(engine: Handle | EmbeddedHandle, part: int) -> None:
    check(walked(engine, NEWEST, part))


@pytest.mark.long
@pytest.mark.parametrize("goal", [d.version for d in released()[1:-1]])
def test_from_every_published_schema_to_every_version(engine: Handle | EmbeddedHandle, goal: str) -> None:
    definition = next(d for d in released() if d.version == goal)
    if engine_named(place(engine).engine).supports(definition):
        check(walked(engine, definition))


EV = "executions_visibility"
ONE = f"SELECT run_id FROM {EV} WHERE workflow_id NOT LIKE 'verify-%' LIMIT 1"
# Engine → (lost row, dropped index, wrong default or setting).
WRONG: dict[str, tuple[Statement, Statement, Statement]] = {
    "postgresql": (
        Sql(f"DELETE FROM {EV} WHERE run_id IN ({ONE})"),
        Sql("DROP INDEX by_task_queue"),
        Sql(f"ALTER TABLE {EV} ALTER COLUMN task_queue SET DEFAULT 'x'"),
    ),
    "mysql": (
        Sql(f"DELETE FROM {EV} WHERE workflow_id NOT LIKE 'verify-%' LIMIT 1"),
        Sql(f"DROP INDEX by_task_queue ON {EV}"),
        Sql(f"ALTER TABLE {EV} ALTER COLUMN task_queue SET DEFAULT 'x'"),
    ),
    "sqlite": (
        Sql(f"DELETE FROM {EV} WHERE run_id IN ({ONE})"),
        Sql("DROP INDEX by_task_queue"),
        Sql("DROP TRIGGER executions_visibility_au"),
    ),
    "clickhouse": (
        Sql(f"DELETE FROM {EV} WHERE workflow_id NOT LIKE 'verify-%' AND status = 1"),
        Sql(f"ALTER TABLE {EV} DROP INDEX by_task_queue"),
        Sql(f"ALTER TABLE {EV} MODIFY COLUMN task_queue DEFAULT 'x'"),
    ),
    "elasticsearch": (
        Request("POST", "/{index}/_delete_by_query?refresh=true&conflicts=proceed",
                {"query": {"bool": {"must": {"term": {"ExecutionStatus": "Running"}},
                                    "must_not": {"prefix": {"WorkflowId": "verify-"}}}}}),
        Request("PUT", "/{index}/_settings", {"index.search.idle.after": "30s"}),
        Request("PUT", "/{index}/_mapping", {"dynamic": "true"}),
    ),
}  # fmt: skip


# chDB is ClickHouse, and what a proof asks of OpenSearch is what it asks of Elasticsearch: one of each is enough.
@pytest.mark.engines("postgresql", "mysql", "sqlite", "elasticsearch", "clickhouse")
@pytest.mark.parametrize("wrong", ["lost record", "dropped index", "wrong default"])
def test_a_broken_step_is_found(engine: Handle | EmbeddedHandle, wrong: str) -> None:
    """One lost row, one dropped index or setting, one wrong default: the walk must say so."""
    target = place(engine)
    known = engine_named(target.engine)
    path = next(path for path in ways(target, NEWEST) if path.definition.version == "1.13")
    number = ["lost record", "dropped index", "wrong default"].index(wrong)
    broken = sabotaged(known, NEWEST.version, WRONG[target.engine][number])
    found = walk_on(broken, path, target, ROWS, released())
    codes = {finding.code for finding in found.findings}
    expected = {"TV8203"} if wrong == "lost record" else {"TV8202", "TV5002"}
    assert codes & expected, shown([found])
