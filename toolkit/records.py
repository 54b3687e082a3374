"""A visibility record as a value, independent of any store.

Times are nanoseconds since 1970-01-01T00:00:00Z, so that no engine's precision is lost on the way; this module converts
times and never reads or writes a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """The value of a Datetime attribute, in nanoseconds since 1970; a type of its own, so that it is no Int."""

    nanoseconds: int


SingleValue: TypeAlias = str | int | float | bool | Moment
# By type: Text and Keyword str, Int int, Double float, Bool bool, Datetime Moment, KeywordList tuple of str. Where a
# search engine holds several values of another type, and they are only to be shown, a tuple of those.
AttributeValue: TypeAlias = SingleValue | tuple[SingleValue, ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Record:
    """One execution. Member names are the SQL column names of Temporal; None means 'not known (yet)'."""

    namespace_id: str
    run_id: str
    workflow_id: str
    workflow_type: str
    start_time: int
    execution_time: int
    status: int
    task_queue: str = ""
    close_time: int | None = None
    history_length: int | None = None
    history_size_bytes: int | None = None
    execution_duration: int | None = None
    state_transition_count: int | None = None
    memo: bytes | None = None
    encoding: str = ""
    parent_workflow_id: str | None = None
    parent_run_id: str | None = None
    root_workflow_id: str = ""
    root_run_id: str = ""
    version: int = 0
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deletion:
    """The end of a record at retention; `version` orders it among the writes of the same run."""

    namespace_id: str
    run_id: str
    workflow_id: str
    version: int
    start_time: int


Write: TypeAlias = Record | Deletion

# Logical field name (as in definitions) → member of Record.
MEMBERS = {
    "NamespaceId": "namespace_id",
    "RunId": "run_id",
    "WorkflowId": "workflow_id",
    "WorkflowType": "workflow_type",
    "StartTime": "start_time",
    "ExecutionTime": "execution_time",
    "ExecutionStatus": "status",
    "TaskQueue": "task_queue",
    "CloseTime": "close_time",
    "HistoryLength": "history_length",
    "HistorySizeBytes": "history_size_bytes",
    "ExecutionDuration": "execution_duration",
    "StateTransitionCount": "state_transition_count",
    "Memo": "memo",
    "MemoEncoding": "encoding",
    "ParentWorkflowId": "parent_workflow_id",
    "ParentRunId": "parent_run_id",
    "RootWorkflowId": "root_workflow_id",
    "RootRunId": "root_run_id",
    "Version": "version",
}


def moment(nanoseconds: int) -> datetime:
    """The moment as an aware datetime in UTC; what is below a microsecond is cut off."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def nanoseconds(when: datetime) -> int:
    """The inverse of `moment`; a datetime without zone is taken as UTC."""
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    delta = aware - _EPOCH
    return (delta.days * 86_400_000_000 + delta.seconds * 1_000_000 + delta.microseconds) * 1000


def rfc3339(nanoseconds: int) -> str:
    """The moment as Temporal writes it into search attributes: RFC 3339 with nanoseconds as needed, zone Z."""
    whole, rest = divmod(nanoseconds, 1_000_000_000)
    # Not strftime, which writes years below 1000 with fewer than four digits.
    text = (_EPOCH + timedelta(seconds=whole)).replace(tzinfo=None).isoformat()
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{text}{fraction}Z"
