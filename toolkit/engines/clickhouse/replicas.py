"""What the other servers of a cluster have: read from each of them, never believed from a queue of work to do.

It asks and tells; what follows from it is the client's business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from toolkit.engines.clickhouse.render import literal

Ask = Callable[[str], Sequence[Mapping[str, Any]]]

_MARKS = """
SELECT name, what, uniqExact(mark) AS kinds, uniqExact(host) AS hosts,
       (SELECT count() FROM clusterAllReplicas({cluster}, system.one)) AS all
FROM (
  SELECT concat(hostName(), ':', toString(tcpPort())) AS host, name, 'table' AS what,
         cityHash64(engine, sorting_key, primary_key, partition_key, sampling_key, as_select) AS mark
  FROM clusterAllReplicas({cluster}, system.tables) WHERE database = {database} AND name IN ({names})
  UNION ALL
  SELECT concat(hostName(), ':', toString(tcpPort())) AS host, table AS name, 'columns' AS what,
         sum(cityHash64(name, type, default_kind, default_expression, compression_codec)) AS mark
  FROM clusterAllReplicas({cluster}, system.columns) WHERE database = {database} AND table IN ({names})
  GROUP BY host, table
  UNION ALL
  SELECT concat(hostName(), ':', toString(tcpPort())) AS host, table AS name, 'indexes' AS what,
         sum(cityHash64(name, expr, type_full, granularity)) AS mark
  FROM clusterAllReplicas({cluster}, system.data_skipping_indices) WHERE database = {database} AND table IN ({names})
  GROUP BY host, table
)
GROUP BY name, what
HAVING kinds > 1 OR hosts != all
ORDER BY name, what
"""
_STATES = """
SELECT hostName() AS host, table, is_readonly, is_session_expired, absolute_delay AS delay
FROM clusterAllReplicas({cluster}, system.replicas) WHERE database = {database} AND table IN ({names})
"""


def disagreements(ask: Ask, cluster: str, database: str, names: Collection[str]) -> tuple[str, ...]:
    """What is not the same on every server of `cluster`, in words; () when all have the same tables."""
    if not names:
        return ()
    return tuple(
        f"{row['what']} of {row['name']}: {row['kinds']} kinds on {row['hosts']} of {row['all']} servers"
        for row in ask(_fill(_MARKS, cluster, database, names))
    )


def states(ask: Ask, cluster: str, database: str, names: Collection[str]) -> Sequence[Mapping[str, Any]]:
    """Each replica of each table: whether it takes writes, and by how many seconds it is behind."""
    return ask(_fill(_STATES, cluster, database, names))


def lag(ask: Ask, cluster: str, database: str, names: Collection[str]) -> float:
    """Seconds the slowest replica is behind."""
    return max((float(row["delay"]) for row in states(ask, cluster, database, names)), default=0.0)


def _fill(query: str, cluster: str, database: str, names: Collection[str]) -> str:
    listed = ", ".join(literal(name) for name in sorted(names))
    return query.format(cluster=literal(cluster), database=literal(database), names=listed)
