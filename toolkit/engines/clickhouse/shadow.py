"""Statements of a rebuild on ClickHouse: two tables, a view from one to the other, and how they are compared.

Pure text. The pair is named, not identified: a view follows the names through EXCHANGE TABLES, so the one that fed the
shadow from the live table feeds the old table from the new one afterwards. Versions make every copy repeatable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.engines.clickhouse.names import CAPTURE, MARKER_NAMESPACE, MARKER_RUN, MARKS, OTHER
from toolkit.engines.clickhouse.render import everywhere, identifier, literal, on_cluster
from toolkit.plan import Sql

IDENTITY = ("namespace_id", "run_id")
# Columns of a run that never change: only along these may a table be cut into chunks that are compared.
CONSTANT = (*IDENTITY, "start_time", "workflow_id", "workflow_type_name")
VERSION, DELETED = "_version", "is_deleted"
NEEDED = (*IDENTITY, "start_time", VERSION, DELETED)
# Beyond this many differing rows a chunk is different as a whole.
SHOWN = 1000
# Of rows with one version the last one written counts. Several readers would mix them: quicker, and mostly no matter.
_IN_ORDER = ", max_threads = 1, max_insert_threads = 1"
_EMPTY = "defaultValueOfTypeName({})"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two tables: how it is read and written. `final`: the engine itself tells which row of a run counts."""

    read: str
    write: str
    final: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """`columns`: those both have, name → type they get; `key`: along which chunks are cut, name → type, times in UTC;
    `ttl`: when a row may go by itself, as an expression and a condition, on either side; `gone`: the same of a column's
    value; `cluster`: where ON CLUSTER belongs; `filled`: those of `changed` that may be null in the live table only."""

    live: str
    cluster: str | None
    now: Side
    beside: Side
    columns: Mapping[str, str]
    changed: frozenset[str]
    key: Mapping[str, str]
    ttl: tuple[str, ...]
    gone: Mapping[str, str]
    filled: frozenset[str] = frozenset()


def side(name: str, cluster: str | None, sharding: str, final: bool) -> Side:
    """The table `name`, on every shard of `cluster`, or the one of this server."""
    if cluster is None:
        return Side(identifier(name), identifier(name), final)
    place = f"{literal(cluster)}, currentDatabase(), {literal(name)}"
    return Side(f"cluster({place})", f"FUNCTION cluster({place}, {sharding})", final)


def marks(engine: str, cluster: str | None) -> Sql:
    """The table that says when the view began and when the tables were swapped, by the server's clock."""
    return Sql(
        f"CREATE TABLE IF NOT EXISTS {MARKS}{on_cluster(cluster)} (what String, at DateTime64(6, 'UTC'))\n"
        f"{engine}\nORDER BY at"
    )


def capture(pair: Pair) -> Sql:
    """The view that passes every new row on."""
    listed = ", ".join(_selected(name, pair) for name in pair.columns)
    return Sql(
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {CAPTURE}{on_cluster(pair.cluster)} TO {OTHER}\n"
        f"AS SELECT {listed} FROM {identifier(pair.live)}"
    )


def _selected(name: str, pair: Pair) -> str:
    return f"{_as_wanted(name, pair)} AS {identifier(name)}" if name in pair.filled else identifier(name)


def _as_wanted(name: str, pair: Pair) -> str:
    """A value in the type that the column gets; what is missing and may no longer be is the usual value of the type."""
    type = pair.columns[name]
    if name not in pair.filled:
        return f"CAST({identifier(name)}, {literal(type)})"
    inner = type.removeprefix("LowCardinality(")
    nullable = f"Nullable({type})" if inner == type else f"LowCardinality(Nullable({inner})"
    return f"ifNull(CAST({identifier(name)}, {literal(nullable)}), {_EMPTY.format(literal(type))})"


def mark(what: str, part: str = "") -> Sql:
    """Write down that `what` has happened by now."""
    return Sql(f"INSERT INTO {MARKS} SELECT {literal(what)}, now64(6, 'UTC')", part=part)


def meddled(pair: Pair, what: str) -> Sql:
    """How many mutations have taken or changed rows of the live table since `what`: no view passes them on. Where that
    happened, a row that only the other table has may be one that somebody deleted."""
    return Sql(
        f"SELECT count() AS n FROM {everywhere(pair.cluster, 'system.mutations')}\n"
        f"WHERE database = currentDatabase() AND table = {literal(pair.live)}\n"
        f"  AND create_time >= (SELECT toDateTime(max(at)) FROM {MARKS} WHERE what = {literal(what)})\n"
        "  AND match(command, '\\\\b(DELETE|UPDATE)\\\\b')",
        part="meddled",
    )


def blocks(pair: Pair, table: str, what: str, part: str = "") -> tuple[Sql, ...]:
    """Write down which blocks of rows `table` has at `what`. Not where a time to live drops such by itself."""
    if pair.ttl:
        return ()
    listed = f"{_host(pair)}, partition_id, toString(min_block_number), toString(max_block_number)"
    noted = f"arrayStringConcat([{literal(_noted(what))}, {listed}], ' ')"
    return (Sql(f"INSERT INTO {MARKS} SELECT {noted}, now64(6, 'UTC')\nFROM {_parts(pair, table)}", part=part),)


def dropped(pair: Pair, what: str, part: str) -> tuple[Sql, ...]:
    """How many blocks noted at `what` are in no part of the live table any more. Merges and mutations keep them; who
    drops or empties a partition takes them away, and no view passes that on."""
    if pair.ttl:
        return ()
    columns = f"{_host(pair)}, partition_id, min_block_number, max_block_number"
    held = f"(SELECT groupArray(({columns})) FROM {_parts(pair, pair.live)})"
    there = "p.1 = b[2] AND p.2 = b[3] AND p.3 <= toInt64(b[4]) AND p.4 >= toInt64(b[5])"
    return (
        Sql(
            f"SELECT countIf(NOT arrayExists(p -> {there}, {held})) AS n\n"
            f"FROM (SELECT splitByChar(' ', what) AS b FROM {MARKS}"
            f" WHERE startsWith(what, {literal(_noted(what) + ' ')}))",
            part=part,
        ),
    )


def _host(pair: Pair) -> str:
    """Whose blocks they are, where several servers have some. One alone may have another name in its next container."""
    return "''" if pair.cluster is None else "hostName()"


def _noted(what: str) -> str:
    return f"blocks-{what.replace(' ', '-')}"


def _parts(pair: Pair, table: str) -> str:
    source = everywhere(pair.cluster, "system.parts")
    return f"{source} WHERE active AND rows > 0 AND database = currentDatabase() AND table = {literal(table)}"


def prove(pair: Pair) -> tuple[Sql, Sql]:
    """A row that is deleted from the beginning goes into the live table, and must arrive in the other one."""
    place = f"namespace_id = {literal(MARKER_NAMESPACE)} AND run_id = {literal(MARKER_RUN)}"
    times = _times(pair)
    columns = ", ".join(identifier(name) for name in (*IDENTITY, VERSION, DELETED, *times))
    newest = f"(SELECT max({VERSION}) FROM {{}} WHERE {place})"
    return (
        Sql(
            f"INSERT INTO {pair.now.write} ({columns})\n"
            f"SELECT {literal(MARKER_NAMESPACE)}, {literal(MARKER_RUN)}, toUInt64(toUnixTimestamp64Nano(now64(9))), 1"
            + ", now64(6, 'UTC')"
            * len(times)
        ),
        Sql(f"SELECT toUInt8({newest.format(pair.now.read)} != {newest.format(pair.beside.read)}) AS n", part="prove"),
    )


def _times(pair: Pair) -> list[str]:
    """Columns that have a time in every row: the present, or a time to live may take the proof before it arrives."""
    return [name for name, type in pair.columns.items() if type.startswith("Date")]


def bound(pair: Pair) -> Sql:
    """The key of the row that ends the next chunk; no row: the rest is one chunk."""
    shown = ", ".join(f"{_text(*column)} AS key_{n}" for n, column in enumerate(pair.key.items(), 1))
    order = ", ".join(identifier(name) for name in pair.key)
    return Sql(
        f"SELECT {shown}\nFROM {pair.now.read}\nWHERE {_after(pair)}\nORDER BY {order}\nLIMIT 1 OFFSET {{rows:UInt64}}",
        part="bound",
    )


def _text(name: str, type: str) -> str:
    """What `_place` reads."""
    return f"toString({identifier(name)}, 'UTC')" if type.startswith("DateTime") else f"toString({identifier(name)})"


def copy(pair: Pair, part: str = "copy") -> Sql:
    """Every version of every run of a chunk, deletions included; again and again if need be."""
    return _copy(pair, pair.now, pair.beside, part)


def copy_back(pair: Pair) -> Sql:
    """The same the other way."""
    return _copy(pair, pair.beside, pair.now, "repair back")


def _copy(pair: Pair, source: Side, target: Side, part: str) -> Sql:
    listed = ", ".join(identifier(name) for name in pair.columns)
    selected = ", ".join(_selected(name, pair) for name in pair.columns)
    return Sql(
        f"INSERT INTO {target.write} ({listed})\nSELECT {selected}\nFROM {source.read}\nWHERE {_chunk(pair)}\n"
        f"SETTINGS max_partitions_per_insert_block = 0{'' if part == 'copy' else _IN_ORDER}",
        part=part,
    )


def size(pair: Pair) -> Sql:
    """How many rows a chunk has."""
    return Sql(f"SELECT count() AS n FROM {pair.now.read}\nWHERE {_chunk(pair)}", part="size")


def compare(pair: Pair, columns: Sequence[str], part: str = "compare") -> Sql:
    """Runs of a chunk whose newest rows are not equal in `columns` on both sides, with a mark of what they are."""
    hashed = ", ".join(_hashable(name, pair) for name in columns)
    each = f"  SELECT {', '.join(IDENTITY)}, cityHash64({hashed}) AS mark FROM "
    sides = "\n  UNION ALL\n".join(each + _newest(pair, side) for side in (pair.now, pair.beside))
    return Sql(
        f"SELECT {', '.join(IDENTITY)}, toString(mark) AS mark FROM (\n{sides}\n)\n"
        f"GROUP BY {', '.join(IDENTITY)}, mark HAVING count() != 2 LIMIT {SHOWN}",
        part=part,
    )


def _newest(pair: Pair, side: Side) -> str:
    """What a reader sees of a chunk; rows that may go by themselves at any moment are left out."""
    stays = "".join(f" AND NOT ifNull({condition}, 0)" for condition in pair.ttl)
    if side.final:
        return f"{side.read} FINAL WHERE {_chunk(pair)}{stays}"
    inner = f"SELECT * FROM {side.read} WHERE {_chunk(pair)} ORDER BY {VERSION} DESC LIMIT 1 BY {', '.join(IDENTITY)}"
    return f"({inner}) WHERE {DELETED} = 0{stays}"


def _hashable(name: str, pair: Pair) -> str:
    """A missing value must differ from an empty one, and one type must be read on both sides."""
    type = pair.columns[name]
    value = _as_wanted(name, pair) if name in pair.changed else identifier(name)
    if name in pair.gone:
        value = f"if(ifNull({pair.gone[name]}, 0), {_EMPTY.format(literal(type))}, {value})"
    if "Nullable(" not in type:
        return value
    empty = f"defaultValueOfArgumentType(assumeNotNull({value}))"
    return f"isNull({value}), ifNull({value}, {empty})"


def _chunk(pair: Pair) -> str:
    if not pair.key:
        return "1"
    return f"{_after(pair)}\n  AND ({{last:UInt8}} OR {_beside(pair, 'upto', '<', '<=')})"


def _after(pair: Pair) -> str:
    return f"({{first:UInt8}} OR {_beside(pair, 'after', '>', '>')})"


def _beside(pair: Pair, word: str, sign: str, last_sign: str) -> str:
    """The key as a whole against a place, spelled so that the primary key serves it."""
    names, found = list(pair.key), []
    for n, name in enumerate(names):
        equal = [f"{identifier(other)} = {_place(pair, word, m)}" for m, other in enumerate(names[:n])]
        mark = last_sign if n == len(names) - 1 else sign
        found.append(" AND ".join((*equal, f"{identifier(name)} {mark} {_place(pair, word, n)}")))
    return "(" + " OR ".join(f"({each})" for each in found) + ")"


def _place(pair: Pair, word: str, number: int) -> str:
    type = list(pair.key.values())[number]
    return f"accurateCastOrDefault({{{word}_{number + 1}:String}}, {literal(type)})"


def pending(pair: Pair) -> tuple[Sql, ...]:
    """How many servers of the cluster still have an earlier swap to do: a second one would undo it there."""
    if pair.cluster is None:
        return ()
    return (
        Sql(
            "SELECT count() AS n FROM system.distributed_ddl_queue\n"
            f"WHERE cluster = {literal(pair.cluster)} AND status IN ('Inactive', 'Active')\n"
            f"  AND startsWith(query, 'EXCHANGE TABLES') AND position(query, {literal(OTHER)}) > 0",
            part="wait",
        ),
    )


def exchange(pair: Pair) -> Sql:
    """The swap: on one server in one act, after which the view runs the other way."""
    return Sql(f"EXCHANGE TABLES {identifier(pair.live)} AND {OTHER}{on_cluster(pair.cluster)}", part="swap")


def named(ttl: str) -> tuple[str, ...]:
    """How a time to live of the table is named among the things that a version has; () for "", which is none."""
    return (f"TTL {ttl}",) if ttl else ()


def drop(cluster: str | None) -> tuple[Sql, ...]:
    """The view first: an insert that finds it must find its target, too."""
    place = on_cluster(cluster)
    return (
        Sql(f"DROP VIEW IF EXISTS {CAPTURE}{place}"),
        *(drop_table(name, cluster) for name in (OTHER, MARKS)),
    )


def drop_table(name: str, cluster: str | None) -> Sql:
    """A table of the rebuild, however large it is."""
    return Sql(f"DROP TABLE IF EXISTS {name}{on_cluster(cluster)} SETTINGS max_table_size_to_drop = 0")
