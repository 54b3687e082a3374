"""The columns of the visibility record at version 1.9, and the ClickHouse type of each, for typed, map and JSON layouts.

This module only describes columns; it never runs a statement.
"""

from __future__ import annotations

from typing import Final

OPEN: Final = "toDateTime64('2299-12-31 23:59:59', 6, 'UTC')"
"""What an open execution's close time counts as when rows are put in order (the largest whole second of DateTime64(6))."""

CLOSE_ORDER: Final = f"ifNull(CloseTime, {OPEN})"

TIME: Final = "DateTime64(6, 'UTC')"
WORD: Final = "LowCardinality(String)"

BASE: Final[dict[str, str]] = {
    "NamespaceId": WORD,
    "RunId": "String",
    "WorkflowId": "String",
    "WorkflowType": WORD,
    "StartTime": TIME,
    "ExecutionTime": TIME,
    "CloseTime": f"Nullable({TIME})",
    "ExecutionStatus": WORD,
    "HistoryLength": "Nullable(Int64)",
    "HistorySizeBytes": "Nullable(Int64)",
    "ExecutionDuration": "Nullable(Int64)",
    "StateTransitionCount": "Nullable(Int64)",
    "TaskQueue": WORD,
    "ParentWorkflowId": "Nullable(String)",
    "ParentRunId": "Nullable(String)",
    "RootWorkflowId": "String",
    "RootRunId": "String",
    "Memo": "String",
    "MemoEncoding": WORD,
    "_version": "UInt64",
    "_deleted": "UInt8",
}
"""Fields every record has; ``_version`` orders the versions of one run, ``_deleted`` marks a tombstone."""

ATTRIBUTE_TYPE: Final[dict[str, str]] = {
    "Keyword": "Nullable(String)",
    "Int": "Nullable(Int64)",
    "Double": "Nullable(Float64)",
    "Bool": "Nullable(Bool)",
    "Datetime": f"Nullable({TIME})",
    "Text": "Nullable(String)",
    "KeywordList": "Array(String)",
}
"""The column type of each search attribute type."""

MAP_TYPE: Final[dict[str, str]] = {
    name: f"Map(LowCardinality(String), {spec.removeprefix('Nullable(').removesuffix(')') if 'Nullable' in spec else spec})"
    for name, spec in ATTRIBUTE_TYPE.items()
} | {"Datetime": f"Map(LowCardinality(String), {TIME})"}
"""The map that holds all attributes of one type in the map layout."""

PREDEFINED: Final[dict[str, str]] = {
    "TemporalChangeVersion": "KeywordList",
    "BinaryChecksums": "KeywordList",
    "BuildIds": "KeywordList",
    "TemporalPauseInfo": "KeywordList",
    "BatcherNamespace": "Keyword",
    "BatcherUser": "Keyword",
    "TemporalScheduledStartTime": "Datetime",
    "TemporalScheduledById": "Keyword",
    "TemporalSchedulePaused": "Bool",
    "TemporalNamespaceDivision": "Keyword",
    "TemporalWorkerDeploymentVersion": "Keyword",
    "TemporalWorkflowVersioningBehavior": "Keyword",
    "TemporalWorkerDeployment": "Keyword",
}

_COUNTS: Final = {"Bool": 3, "Datetime": 3, "Double": 3, "Int": 3, "Keyword": 10, "Text": 3, "KeywordList": 3}

CUSTOM: Final[dict[str, str]] = {f"{kind}{n:02}": kind for kind, count in _COUNTS.items() for n in range(1, count + 1)}

ATTRIBUTES: Final[dict[str, str]] = PREDEFINED | CUSTOM
"""Every search attribute column at 1.9 and its attribute type."""

TYPED: Final[dict[str, str]] = BASE | {name: ATTRIBUTE_TYPE[kind] for name, kind in ATTRIBUTES.items()}
"""The whole record with one typed column per attribute."""
