"""Generate realistic visibility records and their arrival order inside the embedded engine, from hashes of the row number.

The same ``rows`` and the same code always give the same records; nothing here reads a clock or a random source.
"""

from __future__ import annotations

import itertools
import uuid
from typing import Final

from .columns import ATTRIBUTES, TYPED

DAYS: Final = 30
BASE_TIME: Final = "toDateTime64('2026-10-01 00:00:00', 6, 'UTC')"
END_TIME: Final = "toDateTime64('2026-10-31 00:00:00', 6, 'UTC')"
DELETED_AT: Final = "addSeconds(addDays(ends, 1), 60)"
NAMESPACES: Final = tuple(str(uuid.uuid5(uuid.NAMESPACE_DNS, f"namespace-{n}.example")) for n in range(20))
TYPES: Final = tuple(
    f"{noun}{verb}Workflow"
    for noun, verb in itertools.product(
        (
            "Order",
            "Invoice",
            "User",
            "Payment",
            "Shipment",
            "Report",
            "Email",
            "Backup",
            "Import",
            "Export",
            "Refund",
            "Ledger",
            "Quote",
            "Claim",
            "Device",
            "Index",
            "Price",
            "Stock",
            "Visit",
            "Audit",
        ),
        ("Create", "Sync", "Cleanup", "Notify", "Approve", "Settle", "Retry", "Archive", "Verify", "Bill"),
    )
)
WORDS: Final = [
    "customer",
    "asked",
    "for",
    "delivery",
    "before",
    "noon",
    "parcel",
    "damaged",
    "returned",
    "refund",
    "pending",
    "manual",
    "review",
    "late",
    "payment",
    "retry",
    "provider",
    "timeout",
    "invoice",
    "corrected",
    "address",
    "unknown",
    "warehouse",
    "berlin",
    "paris",
    "tokyo",
    "osaka",
    "lagos",
    "quito",
    "order",
    "split",
    "partial",
    "priority",
    "gold",
    "silver",
    "bronze",
    "new",
    "existing",
    "migrated",
    "legacy",
    "import",
    "batch",
    "nightly",
    "weekly",
    "report",
    "error",
    "warning",
    "resolved",
    "escalated",
    "ticket",
    "agent",
    "bot",
    "api",
    "web",
    "mobile",
    "partner",
    "internal",
    "test",
    "canary",
    "rollout",
    "blue",
    "green",
]


def _zipf(size: int, skew: float) -> str:
    """The cumulative shares of a Zipf distribution as an array literal."""
    weights = [1 / (n**skew) for n in range(1, size + 1)]
    return "[" + ",".join(f"{x / sum(weights):.9f}" for x in itertools.accumulate(weights)) + "]"


def _strings(values: tuple[str, ...] | list[str]) -> str:
    return "[" + ",".join(f"'{value}'" for value in values) + "]"


def _u(salt: int) -> str:
    """A uniform number in [0, 1) of the row number and a salt."""
    return f"(cityHash64(idx, {salt}) / 18446744073709551616.)"


def _pick(size: int, skew: float, salt: int) -> str:
    return f"least(1 + arrayCount(x -> x < {_u(salt)}, {_zipf(size, skew)}), {size})"


def _id(salt: int, of: str = "idx") -> str:
    return (
        f"toString(reinterpretAsUUID(concat(reinterpretAsString(bitOr(cityHash64({of}, {salt}), 1)),"
        f" reinterpretAsString(bitOr(cityHash64({of}, {salt + 1}), 9223372036854775808)))))"
    )


def _some(share: float, salt: int, value: str) -> str:
    return f"if({_u(salt)} < {share}, {value}, NULL)"


def runs_sql(table: str, rows: int) -> str:
    """Create the table of runs: one row a run, with everything that decides its versions."""
    normal = f"(sqrt(-2 * log({_u(11)} + 1e-12)) * cos(6.283185307 * {_u(12)}))"
    return f"""CREATE TABLE {table} ENGINE = MergeTree ORDER BY idx SETTINGS index_granularity = 8192 AS
    WITH addMicroseconds({BASE_TIME}, toInt64(idx * {DAYS * 86400e6 / rows:.6f}) + cityHash64(idx, 99) % 1000000) AS start,
      toInt64(greatest(20000, least(1e6 * exp(4.1 + 2.3 * {normal}), 29 * 86400e6))) AS duration
    SELECT idx, {_strings(NAMESPACES)}[{_pick(20, 1.1, 1)}] AS NamespaceId, {_id(2)} AS RunId,
      {_strings(TYPES)}[{_pick(200, 1.05, 4)}] AS WorkflowType,
      multiIf({_u(5)} < 0.1, concat('cron-', toString(cityHash64(idx, 6) % 300)),
        {_u(5)} < 0.5, concat('order/', toString(cityHash64(idx, 6) % {max(1, int(rows / 1.3))})),
        concat(lower(substring(WorkflowType, 1, 4)), '-', toString(cityHash64(idx, 7) % {rows * 3}))) AS WorkflowId,
      start AS StartTime, duration AS lasts, addMicroseconds(start, duration) AS ends,
      {_u(13)} >= 0.026 AND ends < {END_TIME} AS closed,
      closed AND {_u(14)} < 0.062 AND {DELETED_AT} < {END_TIME} AS deleted, toUInt8(cityHash64(idx, 15) % 3) AS upserts
    FROM (SELECT number AS idx FROM numbers({rows}))"""


def _memo() -> str:
    """Half the runs have a memo of up to 400 bytes that does not compress."""
    size = "if(cityHash64(idx, 30) % 2 = 0, 0, cityHash64(idx, 31) % 51)"
    return f"arrayStringConcat(arrayMap(j -> reinterpretAsString(bitOr(cityHash64(idx, 32, j), 72057594037927936)), range({size})))"


def _list(share: float, salt: int, distinct: int, prefix: str) -> str:
    size = f"if({_u(salt)} < {share}, cityHash64(idx, {salt + 1}) % 6, 0)"
    return f"arrayMap(j -> concat('{prefix}', toString(cityHash64(idx, {salt + 2}, j) % {distinct})), range({size}))"


def _text(share: float, salt: int) -> str:
    words = (
        f"arrayStringConcat(arrayMap(j -> {_strings(WORDS)}[1 + cityHash64(idx, {salt + 1}, j) % {len(WORDS)}],"
        f" range(5 + cityHash64(idx, {salt + 2}) % 11)), ' ')"
    )
    return _some(share, salt, words)


def _attributes() -> dict[str, str]:
    """The expression of every search attribute that is filled, by name; ``kind`` says which version of the run it is."""
    day = "addSeconds(StartTime, cityHash64(idx, {0}) % 864000)"
    values = {
        "TemporalChangeVersion": _list(0.1, 200, 40, "change-"),
        "BuildIds": f"if(kind = 0, [], arrayConcat(['unversioned'], {_list(0.3, 203, 60, 'build-')}))",
        "TemporalScheduledStartTime": _some(0.1, 206, "StartTime"),
        "TemporalScheduledById": _some(0.1, 206, "concat('schedule-', toString(cityHash64(idx, 207) % 500))"),
        "TemporalWorkerDeployment": _some(0.3, 208, "concat('deploy-', toString(cityHash64(idx, 209) % 12))"),
        "TemporalWorkerDeploymentVersion": _some(0.3, 208, "concat('deploy:', toString(cityHash64(idx, 210) % 90))"),
        "TemporalWorkflowVersioningBehavior": _some(
            0.3, 208, "if(cityHash64(idx, 211) % 2 = 0, 'Pinned', 'AutoUpgrade')"
        ),
        "Bool01": _some(0.5, 40, "cityHash64(idx, 41) % 50 = 0"),
        "Bool02": _some(0.1, 42, "cityHash64(idx, 43) % 2 = 0"),
        "Datetime01": _some(0.4, 44, day.format(45)),
        "Datetime02": _some(0.1, 46, day.format(47)),
        "Double01": _some(0.4, 48, f"round(exp(3 + 2 * {_u(49)}), 4)"),
        "Double02": _some(0.1, 50, f"{_u(51)} * 1e6"),
        "Int01": _some(0.6, 52, "toInt64(cityHash64(idx, 53) % 1000000) + kind"),
        "Int02": _some(0.2, 54, "toInt64(cityHash64(idx, 55) % 100)"),
        "Keyword01": _some(0.6, 56, "concat('customer-', toString(cityHash64(idx, 57) % 50000))"),
        "Keyword02": _some(0.4, 58, "concat('step-', toString(kind))"),
        "Keyword03": _some(0.3, 60, "['gold','silver','bronze','none'][1 + cityHash64(idx, 61) % 4]"),
        "Keyword04": _some(0.1, 62, _id(63)),
        "Text01": _text(0.3, 70),
        "Text02": _text(0.05, 74),
        "KeywordList01": _list(0.4, 80, 5000, "tag-"),
        "KeywordList02": _list(0.1, 84, 20, "region-"),
    }
    empty = {"KeywordList": "emptyArrayString()"}
    return {name: values.get(name, empty.get(kind, "NULL")) for name, kind in ATTRIBUTES.items()}


def _record() -> dict[str, str]:
    """The expression of every column of one version; kind is 0 start, 1 and 2 upserts, 8 close, 9 delete."""
    closing = lambda value: f"if(kind = 8, {value}, NULL)"  # noqa: E731
    status = (
        "multiIf(kind != 8, 'Running', s < 0.88, 'Completed', s < 0.93, 'Failed', s < 0.95, 'Canceled',"
        " s < 0.96, 'Terminated', s < 0.98, 'ContinuedAsNew', 'TimedOut')".replace("s <", f"{_u(16)} <")
    )
    child = f"{_u(17)} < 0.2"
    base = {
        "NamespaceId": "NamespaceId",
        "RunId": "RunId",
        "WorkflowId": "WorkflowId",
        "WorkflowType": "WorkflowType",
        "StartTime": "StartTime",
        "ExecutionTime": "StartTime",
        "CloseTime": closing("ends"),
        "ExecutionStatus": status,
        "HistoryLength": closing("5 + cityHash64(idx, 18) % 200"),
        "HistorySizeBytes": closing("2000 + cityHash64(idx, 19) % 100000"),
        "ExecutionDuration": closing("lasts * 1000"),
        "StateTransitionCount": closing("3 + cityHash64(idx, 20) % 90"),
        "TaskQueue": "concat('queue-', toString(cityHash64(WorkflowType) % 40))",
        "ParentWorkflowId": f"if({child}, concat('parent-', toString(cityHash64(idx, 21) % 100000)), NULL)",
        "ParentRunId": f"if({child}, {_id(22)}, NULL)",
        "RootWorkflowId": f"if({child}, concat('parent-', toString(cityHash64(idx, 21) % 100000)), WorkflowId)",
        "RootRunId": f"if({child}, {_id(22)}, RunId)",
        "Memo": _memo(),
        "MemoEncoding": "if(Memo = '', '', 'Proto3')",
        "_version": "toUInt64(toUnixTimestamp64Micro(at))",
        "_deleted": "0",
    }
    return base | _attributes()


def _columns() -> str:
    """Every column of one version, cast to its type; a delete carries its key and nothing else."""
    keys = {"NamespaceId", "RunId", "StartTime", "_version"}
    empty = {"Nullable": "NULL", "Array": "[]", "DateTime": "0", "UInt": "1"}
    parts = []
    for name, value in _record().items():
        spec = TYPED[name]
        blank = next((text for start, text in empty.items() if spec.startswith(start)), "''")
        chosen = value if name in keys else f"if(kind = 9, {blank}, {value})"
        parts.append(f"CAST({chosen} AS {spec}) AS {name}")
    return ", ".join(parts)


AT: Final = (
    "multiIf(kind = 0, StartTime, kind = 8, ends, kind = 9, "
    f"{DELETED_AT}, least(addMicroseconds(StartTime, intDiv(lasts * kind, 3)), addMicroseconds(StartTime, 3600000000 * kind)))"
)
"""When a version of a run is written."""


def versions_sql(table: str, runs: str, where: str = "1") -> str:
    """Create the table of every written version and delete, in the order in which they arrive."""
    kinds = "arrayConcat([0], if(upserts > 0, [1], []), if(upserts > 1, [2], []), if(closed, [8], []), if(deleted, [9], []))"
    return f"""CREATE TABLE {table} ENGINE = MergeTree ORDER BY (at, idx) SETTINGS index_granularity = 8192 AS
    SELECT idx, kind, at, ends, {_columns()} FROM (
      SELECT r.*, kind, {AT} AS at FROM (SELECT *, arrayJoin({kinds}) AS kind FROM {runs} WHERE {where}) AS r) AS v
    WHERE at < {END_TIME}"""


def truth_sql(table: str, runs: str, where: str = "1") -> str:
    """Create the plain answer: the last version of every run that was not deleted, without any version logic of the engine."""
    last = (
        f"multiIf(closed, 8, upserts > 1 AND {AT.replace('kind', '2')} < {END_TIME}, 2, "
        f"upserts > 0 AND {AT.replace('kind', '1')} < {END_TIME}, 1, 0)"
    )
    return f"""CREATE TABLE {table} ENGINE = MergeTree ORDER BY (NamespaceId, RunId) SETTINGS index_granularity = 8192 AS
    SELECT {_columns()} FROM (SELECT *, {AT} AS at FROM (
      SELECT *, toUInt8({last}) AS kind FROM {runs} WHERE NOT deleted AND {where}))"""
