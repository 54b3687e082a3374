"""The candidate layouts: how each table is made, how a batch of arriving versions is written, and how it is read.

This module only builds statements; it never runs one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from .columns import ATTRIBUTES, BASE, CLOSE_ORDER, MAP_TYPE, OPEN, TYPED

RUN_KEY: Final = ("NamespaceId", "RunId")
START_KEY: Final = ("NamespaceId", "StartTime", "RunId")

SETTINGS: Final = "index_granularity = 8192, index_granularity_bytes = 10485760"

CODECS: Final[dict[str, str]] = {
    "StartTime": "CODEC(Delta(8), ZSTD(1))",
    "ExecutionTime": "CODEC(Delta(8), ZSTD(1))",
    "CloseTime": "CODEC(Delta(8), ZSTD(1))",
    "_version": "CODEC(Delta(8), ZSTD(1))",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """One candidate: its statements and the form its reads take."""

    name: str
    what: str
    key: tuple[str, ...]
    create: tuple[str, ...]
    insert: tuple[str, ...]
    """Statements with ``{source}``, the batch of arriving rows."""
    reader: str = "final"
    """final: FINAL inside; limit_by: newest version by LIMIT 1 BY; candidates: read versions in order, then check them."""
    column: Callable[[str], str] = str
    candidates_from: str = "t"
    filter_candidates: bool = True
    read_settings: Mapping[str, int | str] = field(default_factory=dict)
    tables: tuple[str, ...] = ("t",)


def _skip_indexes(columns: Mapping[str, str], key: tuple[str, ...]) -> list[str]:
    """One skip index per field, by its type: ranges by minmax, words by bloom filter, tokens by token bloom filter."""
    found = [f"INDEX by_close_order {CLOSE_ORDER} TYPE minmax GRANULARITY 1"] if "CloseTime" in columns else []
    if "RunId" in columns and key[1] != "RunId":
        found.append("INDEX by_run RunId TYPE bloom_filter(0.01) GRANULARITY 1")
    for name in ("WorkflowId", "ParentWorkflowId", "RootWorkflowId"):
        found.append(f"INDEX by_{name} {name} TYPE bloom_filter(0.01) GRANULARITY 1")
    for name in ("WorkflowType", "ExecutionStatus"):
        found.append(f"INDEX by_{name} {name} TYPE set(256) GRANULARITY 1")
    if "StartTime" not in key:
        found.append("INDEX by_start StartTime TYPE minmax GRANULARITY 1")
    for name, kind in ATTRIBUTES.items():
        if name not in columns:
            continue
        match kind:
            case "Keyword" | "KeywordList":
                found.append(f"INDEX by_{name} {name} TYPE bloom_filter(0.01) GRANULARITY 1")
            case "Int" | "Double" | "Datetime" | "Bool":
                found.append(f"INDEX by_{name} {name} TYPE minmax GRANULARITY 1")
            case _:
                found.append(f"INDEX by_{name} lower(ifNull({name}, '')) TYPE tokenbf_v1(8192, 3, 0) GRANULARITY 1")
    return found


def _table(
    columns: Mapping[str, str],
    key: tuple[str, ...],
    *,
    engine: str = "ReplacingMergeTree(_version, _deleted)",
    order: str = "",
    extra: tuple[str, ...] = (),
    partition: str = "",
    settings: str = "",
    indexes: list[str] | None = None,
) -> str:
    """CREATE TABLE t."""
    parts = [f"`{name}` {spec} {CODECS.get(name, 'CODEC(ZSTD(1))')}" for name, spec in columns.items()]
    parts += _skip_indexes(columns, key) if indexes is None else indexes
    return (
        f"CREATE TABLE t ({', '.join([*parts, *extra])}) ENGINE = {engine} {partition} "
        f"ORDER BY ({order or ', '.join(key)}) SETTINGS {SETTINGS}{settings}"
    )


def _insert(columns: Mapping[str, str] = TYPED, table: str = "t") -> str:
    names = ", ".join(columns)
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM {{source}}"


def _map_columns() -> dict[str, str]:
    return BASE | {f"{kind}Attributes": spec for kind, spec in MAP_TYPE.items()}


def _map_insert() -> str:
    """Collect the typed columns of the batch into one map per attribute type, leaving out what is missing."""
    values = dict.fromkeys(BASE, "") | {name: name for name in BASE}
    for kind in MAP_TYPE:
        names = [name for name, of in ATTRIBUTES.items() if of == kind]
        present = "length(v.2) > 0" if kind == "KeywordList" else "v.2 IS NOT NULL"
        plain = "v.2" if kind == "KeywordList" else "assumeNotNull(v.2)"
        pairs = ", ".join(f"('{name}', {name})" for name in names)
        values[f"{kind}Attributes"] = (
            f"mapFromArrays(arrayMap(v -> v.1, arrayFilter(v -> {present}, [{pairs}])),"
            f" arrayMap(v -> {plain}, arrayFilter(v -> {present}, [{pairs}])))"
        )
    return f"INSERT INTO t ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {{source}}"


def _map_column(name: str) -> str:
    kind = ATTRIBUTES.get(name)
    if kind is None:
        return name
    if kind == "KeywordList":
        return f"{kind}Attributes['{name}']"
    return f"if(mapContains({kind}Attributes, '{name}'), {kind}Attributes['{name}'], NULL)"


def _map_indexes(key: tuple[str, ...]) -> list[str]:
    keyword = "INDEX by_Keyword mapValues(KeywordAttributes) TYPE bloom_filter(0.01) GRANULARITY 1"
    lists = "INDEX by_KeywordList arrayFlatten(mapValues(KeywordListAttributes)) TYPE bloom_filter(0.01) GRANULARITY 1"
    return [*_skip_indexes(BASE, key), keyword, lists]


_JSON_TYPE: Final = {
    "Keyword": "String",
    "Int": "Int64",
    "Double": "Float64",
    "Bool": "Bool",
    "Datetime": "String",
    "Text": "String",
    "KeywordList": "Array(Nullable(String))",
}


def _json_insert() -> str:
    names = ", ".join(BASE)
    fields = ", ".join(ATTRIBUTES)
    return (
        f"INSERT INTO t ({names}, SearchAttributes) SELECT {names}, "
        f"toJSONString(CAST(tuple({fields}), 'Tuple({', '.join(f'{n} {TYPED[n]}' for n in ATTRIBUTES)})'))::JSON FROM {{source}}"
    ).replace("'UTC'", "''UTC''")


def _json_column(name: str) -> str:
    kind = ATTRIBUTES.get(name)
    if kind is None:
        return name
    if kind == "KeywordList":
        return f"arrayMap(x -> assumeNotNull(x), SearchAttributes.{name}.:`Array(Nullable(String))`)"
    if kind == "Datetime":
        return f"CAST(SearchAttributes.{name}.:`DateTime64(9)` AS Nullable(DateTime64(6, 'UTC')))"
    return f"SearchAttributes.{name}.:{_JSON_TYPE[kind]}"


_CLOSE_KEY: Final = ("NamespaceId", "CloseOrder", "StartTime", "RunId")
_CLOSE_COLUMNS: Final = TYPED | {"CloseOrder": "DateTime64(6, 'UTC')"}


def _close_insert() -> str:
    """Write the row at its place in the order, and for a closed or deleted run a tombstone at the place it had while open."""
    names = [name for name in TYPED if name != "_deleted"]
    return (
        f"INSERT INTO t ({', '.join(names)}, _deleted, CloseOrder) SELECT {', '.join(names)}, place.1, place.2 FROM {{source}} "
        f"ARRAY JOIN multiIf(_deleted, [(1, ends), (1, {OPEN})], CloseTime IS NULL, [(0, {OPEN})],"
        f" [(0, assumeNotNull(CloseTime)), (1, {OPEN})])::Array(Tuple(UInt8, DateTime64(6, 'UTC'))) AS place"
    )


_NARROW: Final = ("NamespaceId", "RunId", "StartTime", "_version")
_BY_CLOSE: Final = (
    "CREATE TABLE by_close (NamespaceId LowCardinality(String), CloseOrder DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),"
    " StartTime DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)), RunId String CODEC(ZSTD(1)), _version UInt64 CODEC(Delta(8), ZSTD(1)),"
    " _deleted UInt8) ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY (NamespaceId, CloseOrder DESC, StartTime DESC, RunId)"
    f" SETTINGS {SETTINGS}, allow_experimental_reverse_key = 1"
)
_BY_CLOSE_VIEW: Final = (
    "CREATE MATERIALIZED VIEW by_close_of_t TO by_close AS SELECT NamespaceId, place.2 AS CloseOrder, StartTime, RunId, _version,"
    f" place.1 AS _deleted FROM t ARRAY JOIN multiIf(CloseTime IS NULL, [(0, {OPEN})],"
    f" [(0, assumeNotNull(CloseTime)), (1, {OPEN})])::Array(Tuple(UInt8, DateTime64(6, 'UTC'))) AS place WHERE t._deleted = 0"
)
_PROJECTION: Final = (
    f"PROJECTION by_close (SELECT NamespaceId, {CLOSE_ORDER}, StartTime, RunId, _version, _deleted, CloseTime, ExecutionStatus,"
    f" WorkflowType, WorkflowId ORDER BY NamespaceId, {CLOSE_ORDER}, StartTime, RunId)"
)
_EXACT: Final = {"use_skip_indexes_if_final": 1, "use_skip_indexes_if_final_exact_mode": 1}
_MONTH: Final = "PARTITION BY toYYYYMM(StartTime)"
_PER_PARTITION: Final = {"do_not_merge_across_partitions_select_final": 1, "defer_partition_pruning_after_final": 0}


def layouts() -> tuple[Layout, ...]:
    """Every candidate, simplest first."""
    typed = _insert()
    day = "NamespaceId, toStartOfDay(StartTime), RunId"
    reverse = ", allow_experimental_reverse_key = 1"
    newest_first = "NamespaceId, StartTime DESC, RunId"
    return (
        Layout("run_key", "Replacing, key (namespace, run), FINAL", RUN_KEY, (_table(TYPED, RUN_KEY),), (typed,)),
        Layout(
            "run_key_limit_by",
            "plain MergeTree, key (namespace, run), newest version by LIMIT 1 BY",
            RUN_KEY,
            (_table(TYPED, RUN_KEY, engine="MergeTree", order="NamespaceId, RunId, _version"),),
            (typed,),
            reader="limit_by",
        ),
        Layout(
            "run_key_hash_parts",
            "run_key, 8 partitions by run hash, FINAL per partition",
            RUN_KEY,
            (_table(TYPED, RUN_KEY, partition="PARTITION BY cityHash64(RunId) % 8"),),
            (typed,),
            read_settings=_PER_PARTITION,
        ),
        Layout(
            "run_key_close_table",
            "run_key, close order from a second table by materialized view",
            RUN_KEY,
            (_table(TYPED, RUN_KEY), _BY_CLOSE, _BY_CLOSE_VIEW),
            (typed,),
            reader="candidates",
            candidates_from="by_close",
            filter_candidates=False,
            tables=("t", "by_close"),
        ),
        Layout(
            "run_key_projection",
            "run_key, close order from a projection",
            RUN_KEY,
            (_table(TYPED, RUN_KEY, extra=(_PROJECTION,), settings=", deduplicate_merge_projection_mode = 'rebuild'"),),
            (typed,),
            reader="candidates",
        ),
        Layout(
            "start_key",
            "Replacing, key (namespace, start, run), FINAL",
            START_KEY,
            (_table(TYPED, START_KEY),),
            (typed,),
        ),
        Layout(
            "start_key_checked",
            "start_key, versions in order first, then checked with FINAL",
            START_KEY,
            (_table(TYPED, START_KEY),),
            (typed,),
            reader="candidates",
        ),
        Layout(
            "start_key_newest",
            "start_key_checked, newest start first",
            START_KEY,
            (_table(TYPED, START_KEY, order=newest_first, settings=reverse),),
            (typed,),
            reader="candidates",
        ),
        Layout(
            "start_key_small",
            "start_key_checked, 1024 rows a granule",
            START_KEY,
            (_table(TYPED, START_KEY).replace("index_granularity = 8192", "index_granularity = 1024"),),
            (typed,),
            reader="candidates",
        ),
        Layout(
            "start_key_month",
            "start_key_checked, partition by month of start",
            START_KEY,
            (_table(TYPED, START_KEY, partition=_MONTH),),
            (typed,),
            reader="candidates",
            read_settings=_PER_PARTITION,
        ),
        Layout(
            "day_key",
            "key (namespace, day of start, run), checked",
            ("NamespaceId", "toStartOfDay(StartTime)", "RunId"),
            (_table(TYPED, START_KEY, order=day),),
            (typed,),
            reader="candidates",
        ),
        Layout(
            "start_key_maps",
            "start_key_checked, attributes in a map per type",
            START_KEY,
            (_table(_map_columns(), START_KEY, indexes=_map_indexes(START_KEY)),),
            (_map_insert(),),
            reader="candidates",
            column=_map_column,
        ),
        Layout(
            "start_key_json",
            "start_key_checked, attributes in one JSON column",
            START_KEY,
            (_table(BASE | {"SearchAttributes": "JSON"}, START_KEY),),
            (_json_insert(),),
            reader="candidates",
            column=_json_column,
        ),
        Layout(
            "close_key",
            "Replacing, key (namespace, close or open, start, run), tombstone at the open place",
            _CLOSE_KEY,
            (
                _table(
                    _CLOSE_COLUMNS,
                    _CLOSE_KEY,
                    order="NamespaceId, CloseOrder DESC, StartTime DESC, RunId",
                    settings=reverse,
                ),
            ),
            (_close_insert(),),
        ),
    )
