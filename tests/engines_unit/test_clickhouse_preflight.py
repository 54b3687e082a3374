"""Checks before a run on ClickHouse that no embedded server shows: rights, room, replicas that take no writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from toolkit.catalog import Json
from toolkit.engines.clickhouse import preflight, traits
from toolkit.engines.clickhouse.inspect import Look
from toolkit.engines.clickhouse.layout import Placement
from toolkit.engines.clickhouse.names import CAPTURE, OTHER
from toolkit.plan import Expect, Lock, Mode, Plan, Sql, Step, StepClass

STEP = Step("a", "A", "", StepClass.REBUILD, Lock("none", "nobody"), (), (), ())
KEPT = Plan("clickhouse", (), None, "1.14", "", "", (STEP,), (), rollback=(STEP,), abandon=(), finish=(STEP,))


def server(**tables: Sequence[Mapping[str, Any]]) -> preflight.Ask:
    """A server that answers by a word of the question; nothing where no word fits."""

    def ask(query: str) -> Sequence[Mapping[str, Any]]:
        if query.startswith("SELECT currentDatabase()"):
            return [{"v": "visibility"}]
        return next((rows for word, rows in tables.items() if f"system.{word}" in query), ())

    return ask


def codes(
    ask: preflight.Ask, lacks: str = "", plan: Plan = KEPT, version: str = "25.8.1", on: str = ""
) -> list[tuple[str, bool]]:
    def granted(question: str) -> str:
        return "0" if lacks and f"GRANT {lacks} ON `visibility`.{on}" in question else "1"

    found = preflight.check(ask, granted, version, plan, "executions_visibility", Placement(), False)
    return [(problem.code, problem.fatal) for problem in found]


def test_an_account_that_lacks_a_right() -> None:
    assert codes(server()) == []
    for right in preflight.REBUILD_RIGHTS.split(", "):
        assert codes(server(), lacks=right) == [("TV5201", True)], right
        # Somebody has taken a table out that is no business of ours.
        assert codes(server(), lacks=right, on="*") == [], right


@pytest.mark.parametrize(
    ("free", "wanted"), [(10 << 30, []), (3 << 29, [("TV5203", False)]), (1 << 20, [("TV5203", True)])]
)
def test_room_for_the_copy(free: int, wanted: list[tuple[str, bool]]) -> None:
    table = {"name": "executions_visibility", "bytes": 1 << 30, "views": [], "create_table_query": ""}
    # The question about disks names system.tables, too.
    assert codes(server(disks=[{"free": free}], tables=[table])) == wanted


def test_what_a_swap_would_lose_is_found_on_servers_that_do_not_list_it() -> None:
    create = "CREATE TABLE v.executions_visibility (`run_id` String, {}) ENGINE = MergeTree"
    for lost in ("PROJECTION p (SELECT a, b ORDER BY a)", "CONSTRAINT `c d` CHECK run_id != ''"):
        table = {"name": "executions_visibility", "bytes": 0, "views": [], "create_table_query": create.format(lost)}
        assert codes(server(disks=[{"free": 1}], tables=[table])) == [("TV5206", True)], lost


def test_a_constraint_that_comes_during_a_run_changes_the_table() -> None:
    """It would not be in the copy; before the swap the table must be what it was."""

    def facts(more: str) -> Json:
        create = f"CREATE TABLE v.t (`a` String{more}) ENGINE = MergeTree"
        row = {"uuid": "u", "engine": "MergeTree", "engine_full": "MergeTree", "create_table_query": create}
        row |= {"views": (), "comment": "", "total_rows": 0, "total_bytes": 0}  # type: ignore[dict-item]
        mutations = server(mutations=[{"id": 0}])
        return traits.read(mutations, Look({"t": row}, (), (), ()), "t")["table"]

    assert facts("") == facts(", INDEX i a TYPE minmax") != facts(", CONSTRAINT c CHECK a != ''")


def test_a_server_that_is_too_old_and_a_database_that_cannot_exchange() -> None:
    assert codes(server(), version="24.3.1") == [("TV5204", True)]
    assert codes(server(databases=[{"name": "visibility", "engine": "Ordinary"}])) == [("TV4208", True)]


@pytest.mark.parametrize(("servers", "wanted"), [(1, [("TV4218", False)]), (2, [("TV4218", True)])])
def test_a_table_that_each_server_of_a_database_would_have_for_itself(
    servers: int, wanted: list[tuple[str, bool]]
) -> None:
    """Statements go to all servers of a Replicated database, rows of such a table to none."""
    made = replace(STEP, done=(Expect(("catalog", "tables", "executions_visibility"), {}),))
    ask = server(databases=[{"name": "visibility", "engine": "Replicated"}], clusters=[{"n": servers}])
    plan = replace(KEPT, steps=(made,), rollback=(), abandon=(), finish=())
    assert codes(ask, plan=plan) == wanted
    assert codes(ask, plan=replace(plan, steps=(STEP,))) == []


@pytest.mark.parametrize(
    ("ttls", "made", "wanted"),
    [
        (("a + 9", "a + 9"), "", []),
        (("a + 9", "a + 5"), "TTL a + 9", []),
        (("a + 9", "a + 5"), "", [("TV5213", True)]),
        (("", "a + 5"), "", [("TV5213", True)]),
    ],
)
def test_a_time_to_live_is_the_plans_own_or_was_chosen_since(
    ttls: tuple[str, str], made: str, wanted: list[tuple[str, bool]]
) -> None:
    names = ("executions_visibility", "temporal_visibility_other")
    tables = [
        {"name": name, "create_table_query": "CREATE TABLE x (`a` Date)", "engine_full": f"M ORDER BY a TTL {ttl}"}
        for name, ttl in zip(names, ttls, strict=True)
    ]
    back = replace(STEP, id=f"rebuild.{names[0]}.back", objects=("a", made), mode=Mode.SWAP)
    plan = replace(KEPT, steps=(back,), rollback=(), abandon=(), finish=())
    assert codes(server(tables=tables), plan=plan) == wanted


@pytest.mark.parametrize(("live", "told"), [("mine", ""), ("yours", "has no column mine any more")])
def test_a_column_that_was_renamed_is_no_longer_passed_on(live: str, told: str) -> None:
    """To drop what it is called now, as other additions are, is refused by the server and would mend nothing."""
    made = {"executions_visibility": f"TABLE x (`a` Int8, `{live}` Int8)", OTHER: "TABLE x (`a` Int8, `mine` Int8)",
            CAPTURE: f"MATERIALIZED VIEW x TO {OTHER} AS SELECT `a`, `mine` FROM executions_visibility"}  # fmt: skip
    rest = {"engine_full": "M", "as_select": "SELECT 1"}
    rows = [{"name": name, "create_table_query": f"CREATE {text}", **rest} for name, text in made.items()]
    back = replace(STEP, id="rebuild.executions_visibility.back", objects=("a",), mode=Mode.SWAP)
    plan = replace(KEPT, steps=(back,), rollback=(), abandon=(), finish=())
    found = preflight.check(
        server(tables=rows), lambda _: "1", "26.9", plan, "executions_visibility", Placement(), False
    )
    assert told in found[0].message if told else found == ()


@pytest.mark.parametrize(("more", "wanted"), [("", []), ("INDEX own (lower(`set`), x) TYPE minmax,", ["TV4219"])])
def test_words_of_the_server_are_no_columns_that_go(more: str, wanted: list[str]) -> None:
    kept = f"`x` String DEFAULT set(1) COMMENT 'set' CODEC(ZSTD(1)), {more} INDEX by_x x TYPE set(256)"
    create = f"CREATE TABLE t (`set` Int64, {kept}) ENGINE = M"
    table = {"name": "t", "create_table_query": create, "engine_full": "M", "as_select": "SELECT 1"}
    drop = replace(STEP, statements=(Sql("ALTER TABLE `t`\n  DROP COLUMN IF EXISTS `set`"),))
    plan = replace(KEPT, steps=(drop,), rollback=(), abandon=(), finish=())
    assert codes(server(tables=[table]), plan=plan) == [(code, True) for code in wanted]


def test_a_mutation_under_way_is_a_note_and_a_failing_one_is_not() -> None:
    """`schema finish` drops what is old, and a run that is given up its copy: neither has to do with them."""
    row = {"database": "d", "table": "executions_visibility", "id": "m.txt", "command": "UPDATE", "reason": ""}

    def told(statement: str, reason: str) -> list[tuple[str, bool]]:
        plan = replace(KEPT, steps=(replace(STEP, statements=(Sql(statement),)),))
        return codes(server(mutations=[{**row, "reason": reason}]), plan=plan)

    altering, dropping = "ALTER TABLE `executions_visibility`", "DROP TABLE temporal_visibility_other"
    assert told(altering, "") == [("TV4209", False)]
    assert told(altering, "no") == [("TV4205", True)]
    assert told(dropping, "no") == []
