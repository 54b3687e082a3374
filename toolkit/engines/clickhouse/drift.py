"""What ClickHouse's drift is besides columns and indexes: unbuilt indexes, stuck mutations, projections, replicas.

Pure; it has the queries that look closer, and reads their rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from toolkit.catalog import ABSENT, Catalog, Json, Path
from toolkit.definition import Definition
from toolkit.engines.clickhouse import layout as layouts
from toolkit.engines.clickhouse import render
from toolkit.engines.clickhouse.layout import Placed, Placement
from toolkit.engines.clickhouse.names import OTHER
from toolkit.engines.clickhouse.preflight import killing
from toolkit.engines.clickhouse.render import identifier, literal
from toolkit.engines.clickhouse.typemap import profile
from toolkit.engines.clickhouse.versions import MIGRATIONS_TABLE
from toolkit.engines.drifting import Fault
from toolkit.overlay import Overlay
from toolkit.plan import NO_LOCK, Expect, Lock, Observed, Sql, Step, StepClass

Ask = Callable[[str], Sequence[Mapping[str, Any]]]

ALTER = Lock("alter", "other ALTERs", brief=True)
# An index that no part has takes no room, while its table has rows.
_UNBUILT = """
SELECT i.table AS tab, i.name AS name
FROM system.data_skipping_indices AS i
INNER JOIN (
  SELECT table, sum(rows) AS n FROM system.parts WHERE database = currentDatabase() AND active GROUP BY table
) AS p ON p.table = i.table
WHERE i.database = currentDatabase() AND i.data_compressed_bytes = 0 AND p.n > 0
  AND i.name NOT LIKE 'auto_minmax_index_%'
ORDER BY tab, name
"""
_MUTATIONS = """
SELECT table AS tab, mutation_id AS id, command, latest_fail_reason AS reason,
       dateDiff('second', create_time, now()) AS seconds
FROM system.mutations
WHERE database = currentDatabase() AND NOT is_done
ORDER BY create_time
"""
_REPLICAS = """
SELECT table AS tab, is_readonly AS readonly, total_replicas AS total, active_replicas AS active,
       absolute_delay AS delay, last_queue_update_exception AS problem
FROM system.replicas
WHERE database = currentDatabase()
ORDER BY tab
"""
_STUCK_SECONDS = 3600
_LATE_SECONDS = 300
_NOTHING = "0"


def examine(ask: Ask, placement: Placement, database: str) -> dict[str, Json]:
    """Indexes that are not built, mutations under way, and, on a cluster, how its replicas are."""
    found: dict[str, Json] = {
        "unbuilt": [[row["tab"], row["name"]] for row in ask(_UNBUILT)],
        "mutations": [
            [row["tab"], row["id"], row["command"], row["reason"], int(row["seconds"])] for row in ask(_MUTATIONS)
        ],
    }
    if placement.cluster is not None:
        found["replicas"] = [
            [r["tab"], int(r["readonly"]), int(r["total"]), int(r["active"]), int(r["delay"]), r["problem"]]
            for r in ask(_REPLICAS)
        ]
        found["hosts"] = [[row["host"], str(row["mark"])] for row in ask(hosts(placement.cluster, database))]
    return found


# One number a server: equal wherever the tables, their columns and their indexes are; 0 where there is no table.
_HOSTS = """
SELECT host, groupBitXor(mark) AS mark
FROM (
  SELECT concat(hostName(), ':', toString(tcpPort())) AS host, toUInt64(0) AS mark
  FROM clusterAllReplicas({cluster}, system.one)
  UNION ALL
  SELECT concat(hostName(), ':', toString(tcpPort())) AS host,
         cityHash64(name, engine, sorting_key, primary_key, partition_key, sampling_key) AS mark
  FROM clusterAllReplicas({cluster}, system.tables) WHERE database = {database} AND name IN ({names})
  UNION ALL
  SELECT concat(hostName(), ':', toString(tcpPort())) AS host,
         cityHash64(table, name, type, default_kind, default_expression, compression_codec) AS mark
  FROM clusterAllReplicas({cluster}, system.columns) WHERE database = {database} AND table IN ({names})
  UNION ALL
  SELECT concat(hostName(), ':', toString(tcpPort())) AS host,
         cityHash64(table, name, expr, type_full, granularity) AS mark
  FROM clusterAllReplicas({cluster}, system.data_skipping_indices) WHERE database = {database} AND table IN ({names})
)
GROUP BY host
ORDER BY host
"""


def hosts(cluster: str, database: str) -> str:
    """A query for one number a server, which is the same wherever the tables are the same. The database is said by
    name: another server has its own idea of the current one."""
    names = f"{literal(profile().table)}, {literal(profile().table + profile().cluster.suffix)}"
    return _HOSTS.format(cluster=literal(cluster), database=literal(database), names=names)


def is_extra(path: Path, observed: Observed) -> bool:
    """See `Drifting.is_extra`."""
    return len(path) > 2 and path[0] == "tables"


def rename(path: Path, facts: Json, name: str, overlay: Overlay) -> Step | None:
    """See `Drifting.rename`: here a column holds its values itself."""
    match path:
        case ("tables", table, "columns", old):
            action = f"RENAME COLUMN {identifier(old)} TO {identifier(name)}"
            statement = render.alter(table, [action], Placement.of(overlay.clickhouse).cluster)
            return Step(f"rename.{old}", f"Rename {old} to {name}", "what is in it stays", StepClass.METADATA, ALTER,
                        (statement,), (), (), (old,))  # fmt: skip
        case _:
            return None


def faults(observed: Observed, wanted: Definition, overlay: Overlay) -> tuple[Fault, ...]:
    """See `Drifting.faults`."""
    placement = Placement.of(overlay.clickhouse)
    tables = layouts.layout(wanted, profile(), placement)
    ours = {*(placed.table.name for placed in tables), OTHER, MIGRATIONS_TABLE}
    return tuple([*_mutations(observed, placement, ours), *_unbuilt(observed, tables, placement), *_replicas(observed)])


def _rows(observed: Observed, name: str) -> list[list[Any]]:
    found = observed.traits.get(name)
    return [row for row in found if isinstance(row, list)] if isinstance(found, list) else []


def _mutations(observed: Observed, placement: Placement, ours: Collection[str]) -> Iterator[Fault]:
    """One that fails, or takes an hour, keeps all later ones of its table waiting."""
    for table, id, command, reason, seconds in _rows(observed, "mutations"):
        if table not in ours or (not reason and seconds < _STUCK_SECONDS):
            continue
        kill = Sql(render.kill_mutation("currentDatabase()", table, id, placement.cluster))
        step = Step(killing(id), f"Give up the mutation {id} of {table}", "later mutations wait for it",
                    StepClass.METADATA, NO_LOCK, (kill,), (), ())  # fmt: skip
        why = f"fails: {str(reason)[:200]}" if reason else f"is not done after {seconds} s"
        message = f"mutation {id} of {table} ({command}) {why}"
        yield Fault("TV6124", ("tables", table, "mutations", id), message, (step,), first=True)


def _unbuilt(observed: Observed, tables: Sequence[Placed], placement: Placement) -> Iterator[Fault]:
    for placed in tables:
        table = placed.table
        have = observed.catalog.children(("tables", table.name, "indexes"))
        right = {index.name for index in table.indexes if have.get(index.name) == index.catalog}
        for name in [name for tab, name in _rows(observed, "unbuilt") if tab == table.name and name in right]:
            statement = render.alter(table.name, [render.materialize_index(name)], placement.cluster)
            step = Step(f"indexes.{table.name}.build.{name}", f"Build index {name} for the rows that {table.name} has",
                        "until it is done these rows are found without it", StepClass.ONLINE, NO_LOCK, (statement,),
                        (), ())  # fmt: skip
            message = f"index {name} of {table.name} is not built for the rows that are there"
            yield Fault("TV6125", ("tables", table.name, "indexes", name, "built"), message, (step,))


def _replicas(observed: Observed) -> Iterator[Fault]:
    for table, readonly, total, active, delay, problem in _rows(observed, "replicas"):
        here = ("tables", table, "replicas")
        if readonly:
            message = f"{table} takes no writes here: its replica is read-only. {problem}".strip()
            yield Fault("TV6123", here, message, (),
                        "Is Keeper reachable? SYSTEM RESTORE REPLICA brings its path back.")  # fmt: skip
        if active < total:
            yield Fault("TV6123", here, f"{active} of {total} replicas of {table} are there")
        if delay > _LATE_SECONDS:
            yield Fault("TV6123", here, f"the replica of {table} is {delay} s behind")
    yield from _hosts(observed)


def _hosts(observed: Observed) -> Iterator[Fault]:
    marks: dict[str, list[str]] = {}
    for host, mark in _rows(observed, "hosts"):
        marks.setdefault(mark, []).append(host)
    most = max(marks.values(), key=len, default=[])
    for mark, odd in marks.items():
        if odd is not most:
            what = f"the tables on {', '.join(odd)} are not those on {most[0]}"
            what = f"there are no tables on {', '.join(odd)}" if mark == _NOTHING else what
            yield Fault("TV6123", ("hosts", *odd), what, (),
                        "Look at system.columns and system.distributed_ddl_queue there.")  # fmt: skip


def mend(placed: Placed, observed: Catalog, placement: Placement) -> Iterator[Step]:
    """The steps for what no upgrade changes."""
    table = placed.table.name
    for name in observed.children(("tables", table, "projections")):
        statement = render.alter(table, [f"DROP PROJECTION IF EXISTS {identifier(name)}"], placement.cluster)
        yield Step(f"projection.{name}.drop", f"Drop projection {name} of {table}", "it is not part of the version",
                   StepClass.METADATA, ALTER, (statement,), (),
                   (Expect(("catalog", "tables", table, "projections", name), ABSENT),))  # fmt: skip
