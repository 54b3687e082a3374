"""What is still under way into the live table when a view begins, or two tables change places: questions to be asked
until the answer is nothing.

Pure text; `shadow` has the statements that change anything.
"""

from __future__ import annotations

from toolkit.engines.clickhouse.names import MARKS, OTHER
from toolkit.engines.clickhouse.render import everywhere, literal
from toolkit.engines.clickhouse.shadow import Pair, mark
from toolkit.plan import Sql

# Through how many materialized views one after the other an insert elsewhere is followed into the live table.
_FEEDING = 3
# Engines of tables that pass on what they read elsewhere, a batch at a time; so many flush intervals may one take.
_STREAMING = ("Kafka", "RabbitMQ", "NATS", "FileLog", "S3Queue", "AzureQueue")
_BATCHES = 2


def wait(pair: Pair, what: str) -> Sql:
    """How many inserts are under way that began before `what`: statements, and batches that a stream may have begun."""
    since, written = _since(what), _written(pair)
    return Sql(
        f"SELECT count() + {_streams(written, since)} AS n\nFROM {everywhere(pair.cluster, 'system.processes')}\n"
        "WHERE query_kind IN ('Insert', 'AsyncInsertFlush')\n"
        f"  AND arrayExists(t -> position(query, t) > 0, {written})\n"
        "  AND now64(6, 'UTC') - toIntervalMillisecond(toUInt64(elapsed * 1000))\n"
        f"      < {since}",
        part="wait",
    )


def _since(what: str) -> str:
    return f"(SELECT min(at) FROM {MARKS} WHERE what = {literal(what)})"


def _written(pair: Pair) -> str:
    """The live table, and those that are read by a materialized view that names it, or another of these: who writes
    there writes here."""
    live = literal(pair.live)
    found, tables = f"[{live}]", "SELECT groupArray(name) FROM system.tables WHERE"
    for _ in range(_FEEDING):
        views = f"({tables} as_select != '' AND arrayExists(t -> position(create_table_query, t) > 0, {found}))"
        found = f"({tables} name = {live} OR hasAny(dependencies_table, {views}))"
    return found


def _streams(written: str, since: str) -> str:
    """How many tables of `written` feed views by themselves, in batches that no list shows, and may not be through with
    the one that was under way at `since`."""
    engines = ", ".join(literal(engine) for engine in _STREAMING)
    own = "toUInt64OrZero(extract(engine_full, 'flush_interval_ms = (\\\\d+)'))"
    longest = f"toIntervalMillisecond({_BATCHES} * greatest(toUInt64(getSetting('stream_flush_interval_ms')), {own}))"
    return (
        f"(SELECT count() FROM system.tables WHERE engine IN ({engines}) AND has({written}, name)\n"
        f"  AND now64(6, 'UTC') < {since} + {longest})"
    )


def arrived(pair: Pair, what: str) -> tuple[Sql, ...]:
    """Write down that what `wait` waits for has ended; then: how many replicas do not have all of it yet. A chunk is
    read from one replica of each shard, and so is a comparison: what that one lacks, neither would find."""
    if pair.cluster is None:
        return ()
    ended = f"{what} ended"
    return (
        mark(ended),
        Sql(
            f"SELECT count() AS n FROM {everywhere(pair.cluster, 'system.replicas')}\n"
            f"WHERE database = currentDatabase() AND table IN ({literal(pair.live)}, {literal(OTHER)})\n"
            "  AND absolute_delay > 0 AND now64(6, 'UTC') - toIntervalSecond(absolute_delay)\n"
            f"      <= {_since(ended)}",
            part="behind",
        ),
    )
