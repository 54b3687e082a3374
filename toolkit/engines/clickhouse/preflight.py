"""Looks for what would stop a plan half-way on this ClickHouse server, with this account. It changes nothing.

Each check is a query and a Problem with its code; what the server cannot tell is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from toolkit.engines.clickhouse import clauses, dropping, replicas, returning
from toolkit.engines.clickhouse.inspect import STORING
from toolkit.engines.clickhouse.layout import Placement
from toolkit.engines.clickhouse.names import OTHER, OWN
from toolkit.engines.clickhouse.render import identifier, kill_mutation, literal
from toolkit.engines.clickhouse.shadow import VERSION
from toolkit.engines.clickhouse.typemap import profile
from toolkit.engines.clickhouse.versions import MIGRATIONS_TABLE, VERSION_TABLE
from toolkit.engines.online import Problem
from toolkit.errors import EngineError
from toolkit.plan import Mode, Observed, Plan, Sql, Step

Ask = Callable[[str], Sequence[Mapping[str, Any]]]
# Runs a CHECK GRANT and gives its answer, which is no result set.
Granted = Callable[[str], str]

OLDEST = (24, 8)
# Engines of a database in which two tables can change places.
EXCHANGING = ("Atomic", "Replicated", "Shared")
RIGHTS = "SELECT, INSERT, CREATE TABLE, DROP TABLE, ALTER TABLE"
REBUILD_RIGHTS = f"{RIGHTS}, CREATE VIEW, DROP VIEW"
# The copy, and as much again for its merges in the worst hour.
ROOM = 2.0
# How a plan says that rows are left out, by version.
_FILTERS = ("Row level filter", "Prewhere filter", "Filter")
_DATABASE = "SELECT name, engine FROM system.databases WHERE name = currentDatabase()"
_SERVERS = "SELECT count() AS n FROM system.clusters WHERE cluster = currentDatabase()"
_NAMED = "SELECT name, engine FROM system.tables WHERE database = currentDatabase() AND name IN ({})"
_MATERIALIZED = """
SELECT name, type, default_expression AS value FROM system.columns
WHERE database = currentDatabase() AND table = {} AND default_kind = 'MATERIALIZED'
"""
_SAMPLE = 1000
_MUTATIONS = """
SELECT database, table, mutation_id AS id, command, latest_fail_reason AS reason FROM system.mutations
WHERE database = currentDatabase() AND NOT is_done AND table = {}
"""
_DISKS = """
SELECT sum(free_space) AS free FROM system.disks WHERE name IN (
  SELECT arrayJoin(disks) FROM system.storage_policies WHERE policy_name = {})
"""
_POLICY = "(SELECT storage_policy FROM system.tables WHERE database = currentDatabase() AND name = {})"


def check(
    ask: Ask, granted: Granted, version: str, plan: Plan, table: str, placement: Placement, kills: bool
) -> tuple[Problem, ...]:
    """All problems of `plan` here, fatal ones first. `kills`: a failing mutation may be killed."""
    if not plan.steps:
        return ()
    found = [
        *_server(ask, version, plan),
        *_rights(ask, granted, plan, table),
        *_mutations(ask, table, kills, plan, placement),
    ]
    found += [*_taken(ask, plan), *_used(ask, plan)]
    if placement.cluster is None:
        found += _alone(ask, plan)
    else:
        found += _cluster(ask, placement.cluster, table)
    if plan.kept and plan.rollback:
        found += _rebuild(ask, table, placement.storage_policy)
    for back in _backs(plan):
        found += returning.losses(ask, back)
    return tuple(sorted(found, key=lambda problem: not problem.fatal))


def again(ask: Ask, plan: Plan, look: Callable[[], Observed]) -> tuple[Problem, ...]:
    """What the rest of a way back would lose, may it have begun long ago. `look`: the store as it is now."""
    ahead = (back for back in _backs(plan) if not back.is_done(look().view()))
    return tuple(problem for back in ahead for problem in returning.losses(ask, back))


def _backs(plan: Plan) -> list[Step]:
    return [step for step in plan.steps if step.mode is Mode.SWAP and step.id.endswith(".back")]


def _server(ask: Ask, version: str, plan: Plan) -> Iterator[Problem]:
    numbers = re.findall(r"\d+", version)
    if tuple(int(n) for n in numbers[:2]) < OLDEST:
        yield Problem("TV5204", f"ClickHouse {version} is too old", "24.8 is the oldest.")
    for row in ask(_DATABASE):
        if plan.kept and row["engine"] not in EXCHANGING:
            hint = "Make a database of engine Atomic, and move the tables with RENAME TABLE."
            text = f"tables of database {row['name']} (engine {row['engine']}) cannot change places"
            yield Problem("TV4208", text, hint)


def _rights(ask: Ask, granted: Granted, plan: Plan, table: str) -> Iterator[Problem]:
    rights = REBUILD_RIGHTS if plan.kept else RIGHTS
    database = ask("SELECT currentDatabase() AS v")[0]["v"]
    touched = (table, profile().table, *OWN, VERSION_TABLE, MIGRATIONS_TABLE)
    try:
        missing = [right for right in rights.split(", ") if not _has(granted, right, identifier(database), touched)]
    except EngineError:
        # Older servers do not know the question.
        return
    if missing:
        hint = f"GRANT {', '.join(missing)} ON {identifier(database)}.* TO …"
        yield Problem("TV5201", f"this account lacks {', '.join(missing)} on database {database}", hint)


def _has(granted: Granted, right: str, database: str, tables: Sequence[str]) -> bool:
    """On the whole database; or on all that a run touches, where somebody has taken out other tables."""
    places = (["*"], [identifier(table) for table in tables])
    return any(all(granted(f"CHECK GRANT {right} ON {database}.{name}").strip() != "0" for name in p) for p in places)


def _made(plan: Plan) -> set[str]:
    """Tables that the plan makes."""
    paths = [expected.path for step in plan.steps for expected in step.done]
    return {path[2] for path in paths if path[:2] == ("catalog", "tables") and len(path) == 3}


def _taken(ask: Ask, plan: Plan) -> Iterator[Problem]:
    """CREATE TABLE IF NOT EXISTS takes a view, or a table that keeps its rows elsewhere, for the one that it makes."""
    made = _made(plan)
    if not made:
        return
    for row in ask(_NAMED.format(", ".join(literal(name) for name in sorted(made)))):
        if not row["engine"].endswith(STORING):
            text = f"{row['name']} is there already, and no table with rows ({row['engine']})"
            hint = "Rename it (RENAME TABLE), or drop it if nobody needs it; or make the store in another database."
            yield Problem("TV5209", text, hint)


def _used(ask: Ask, plan: Plan) -> Iterator[Problem]:
    """The server may let a constraint stay, at which each insert then fails; on a cluster it refuses in the middle."""
    parts, views = dropping.users(ask, plan)
    if parts:
        yield Problem(
            "TV4219", f"columns go on this way that these use: {', '.join(parts)}", f"{returning.ANEW.capitalize()}."
        )
    if views and plan.kept:
        yield returning.unreadable(views)
    elif views:
        text = f"columns go on this way that materialized views name: {', '.join(views)}"
        yield Problem("TV4219", text, f"If they read them: {returning.ANEW}.", fatal=False)


def _alone(ask: Ask, plan: Plan) -> Iterator[Problem]:
    """Some databases hand on statements, and rows of replicated tables only; their servers are a cluster so named."""
    for row in ask(_DATABASE) if _made(plan) else ():
        if row["engine"] == "Replicated":
            name, servers = row["name"], int(ask(_SERVERS)[0]["n"])
            text = f"each of the {servers} servers of database {name} (engine Replicated) would have a table of its own"
            hint = "Make the store in a database of engine Atomic; on a cluster, name that in an overlay (`cluster`)."
            yield Problem("TV4218", text, hint, fatal=servers > 1)


def _mutations(ask: Ask, table: str, kills: bool, plan: Plan, placement: Placement) -> Iterator[Problem]:
    """Those of `table`, as far as `plan` has anything to do with it: to drop its copy or what is old needs none."""
    ours = {step.id for step in plan.steps}
    texts = [s.text for step in plan.steps for s in step.statements if isinstance(s, Sql)]
    if not any(identifier(table) in text for text in texts):
        return
    for row in ask(_MUTATIONS.format(literal(table))):
        if killing(row["id"]) in ours:
            continue
        if row["reason"]:
            kill = kill_mutation(literal(row["database"]), row["table"], row["id"], placement.cluster)
            hint = f"Mend the cause, or {kill}; mutations=kill in the URL lets this tool do that."
            text = f"{row['command']} of {row['table']} fails, and later mutations wait for it: {row['reason'][:300]}"
            yield Problem("TV4205", text, hint, fatal=not kills)
        else:
            text = f"{row['command'][:100]} of {row['table']} is under way: later ones wait for it"
            yield Problem("TV4209", text, "", fatal=False)


def killing(id: str) -> str:
    """The id of the step of a repair that gives a mutation up: what it is there for must not keep it from running."""
    return f"mutation.{id}.kill"


def _cluster(ask: Ask, cluster: str, table: str) -> Iterator[Problem]:
    database = ask("SELECT currentDatabase() AS v")[0]["v"]
    try:
        rows = replicas.states(ask, cluster, database, [table])
    except EngineError as error:
        hint = "Every server must be up while tables change: one that is down would do its part unseen."
        yield Problem("TV4210", f"not every server of cluster {cluster} answers: {error.message[:300]}", hint)
        return
    for row in rows:
        if row["is_readonly"] or row["is_session_expired"]:
            text = f"the replica of {row['table']} on {row['host']} takes no writes"
            yield Problem("TV5207", text, "See system.replicas there; SYSTEM RESTORE REPLICA if Keeper has lost it.")
    for text in replicas.disagreements(ask, cluster, database, [table]):
        yield Problem("TV4211", f"the servers of {cluster} differ: {text}", "Make them equal first.")


def _rebuild(ask: Ask, table: str, policy: str | None) -> Iterator[Problem]:
    rows = ask(
        "SELECT name, coalesce(total_bytes, 0) AS bytes, dependencies_table AS views, create_table_query"
        f" FROM system.tables WHERE database = currentDatabase() AND name IN ({literal(table)}, {literal(OTHER)})"
    )
    by_name = {row["name"]: row for row in rows}
    if OTHER in by_name:
        hint = f"DROP TABLE {OTHER}, if nobody needs it."
        yield Problem("TV5209", f"there is a table {OTHER} already, of no run that is known", hint)
    live = by_name.get(table)
    if live is None:
        return
    yield from _hidden(ask, table)
    yield from _room(ask, table, policy, int(live["bytes"]))
    if live["views"]:
        text = f"materialized views read from {table} and follow its name: {', '.join(live['views'][:5])}"
        yield Problem("TV4212", text, "They see new rows only, as before; the copy does not pass through them.", False)
    if lost := _lost(str(live["create_table_query"])):
        text = f"these belong to {table} and would be lost when it is swapped: {', '.join(lost)}"
        yield Problem(
            "TV5206", text, "Drop these projections and constraints before, and create them again afterwards."
        )
    yield from _computed(ask, table)


def _computed(ask: Ask, table: str) -> Iterator[Problem]:
    """A copy computes such columns anew; a sample of rows tells whether that gives what they have."""
    for row in ask(_MATERIALIZED.format(literal(table))):
        name, ddl = identifier(row["name"]), f"{row['type']} DEFAULT {row['value']}"
        again = f"toString(CAST({row['value']}, {literal(row['type'])}))"
        sample = f"SELECT toString({name}) AS _was, {again} AS _again FROM {identifier(table)} LIMIT {_SAMPLE}"
        if int(ask(f"SELECT count() AS n FROM ({sample}) WHERE ifNull(_was, '') != ifNull(_again, '')")[0]["n"]):
            text = f"column {row['name']} of {table} is MATERIALIZED, and would have other values in the copy"
            hint = f"ALTER TABLE {table} MODIFY COLUMN {name} {ddl} keeps them; turn it back after `schema finish`."
            yield Problem("TV5206", text, hint)


def _lost(create: str) -> list[str]:
    """Projections and constraints. A copy with the latter would refuse old rows that do not fulfil them; the server's
    list of the former comes with 24.9."""
    return clauses.called(create, "PROJECTION", "CONSTRAINT")


def _hidden(ask: Ask, table: str) -> Iterator[Problem]:
    """The list of policies needs a right of its own, and does not tell which of them hold here: the server's plan does.
    A query without conditions is filtered by nothing else."""
    plan = ask(f"EXPLAIN actions = 1 SELECT {VERSION} FROM {identifier(table)}")
    lines = [str(value).lstrip("│└├─ ") for row in plan for value in row.values()]
    if any(line.startswith(_FILTERS) for line in lines):
        text = f"a row policy hides rows of {table} from this account: its copy would not have them"
        yield Problem(
            "TV4216", text, f"Use an account that sees them all. SHOW CREATE ROW POLICIES ON {table} shows it."
        )


def _room(ask: Ask, table: str, policy: str | None, size: int) -> Iterator[Problem]:
    """Where the copy will be: on the policy that is wished, else on the live table's."""
    rows = ask(_DISKS.format(literal(policy) if policy else _POLICY.format(literal(table))))
    free = int(rows[0]["free"] or 0) if rows else 0
    if free and free < size * ROOM:
        text = (
            f"the copy of {table} needs {size >> 20} MiB, and as much again for its merges; {free >> 20} MiB are free"
        )
        yield Problem("TV5203", text, "Free some space, or add a disk to the storage policy.", free < size)
