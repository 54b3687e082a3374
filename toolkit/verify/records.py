"""The records of a store in a form that can be compared, and the answers to a few List Filters.

It reads through an engine's client and filters and compares values; it never writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.definition import Definition
from toolkit.engines import Client, Engine, asking
from toolkit.engines.filtering import Asking, Question, filters
from toolkit.errors import FilterError
from toolkit.query import check
from toolkit.query.scope import Scope
from toolkit.records import Record

PAGE = 100
# Each asks another kind of index; a version that lacks an attribute is not asked for it.
QUESTIONS = (
    "ExecutionStatus = 'Running'",
    "ExecutionStatus != 'Completed' AND StartTime >= '2025-01-01T00:00:10Z'",
    "WorkflowType = 'InvoiceBatchWorkflow' OR CloseTime IS NULL",
    "WorkflowId STARTS_WITH 'Nightly'",
    "ExecutionDuration > '10s'",
    "Keyword01 IS NOT NULL",
    "Int01 BETWEEN 0 AND 1000",
    "Double01 >= 0.5",
    "Bool01 = true",
    "Datetime01 IS NULL",
    "BuildIds IS NOT NULL",
    "TemporalNamespaceDivision IS NOT NULL",
)
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Content:
    """Every record's hash by namespace and run; the writer's own (see `mine`) with status and workflow type."""

    others: Mapping[Key, int]
    mine: Mapping[str, tuple[int, str]]


def content(client: Client, definition: Definition, mine: str, whole: bool = True) -> Content:
    """All records as `definition` sees them; those of the namespace `mine` apart. `whole` False: only what every form
    of a record tells alike, for an upgrade that brings another form. Raises EngineError."""
    number = fingerprint if whole else _core
    others: dict[Key, int] = {}
    own: dict[str, tuple[int, str]] = {}
    for record in client.read(definition):
        if record.namespace_id == mine:
            own[record.run_id] = (record.status, record.workflow_type)
        else:
            others[record.namespace_id, record.run_id] = number(record)
    return Content(others, own)


def fingerprint(record: Record) -> int:
    """A number that only equal records share."""
    parts = [repr(getattr(record, name)) for name in record.__slots__ if name != "attributes"]
    parts += [f"{name}={value!r}" for name, value in sorted(record.attributes.items())]
    return int.from_bytes(hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest(), "big")


def _core(record: Record) -> int:
    """Who and when: the first layout of search engines has no durations and no search attributes of other types."""
    times = (record.start_time // 1000, None if record.close_time is None else record.close_time // 1000)
    parts = (record.workflow_id, record.workflow_type, record.status, *times)
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


def different(before: Mapping[Key, int], after: Mapping[Key, int]) -> tuple[str, ...]:
    """What happened to records between two looks, in words; () when nothing did."""
    said = (
        ("lost", sorted(before.keys() - after.keys())),
        ("not there before", sorted(after.keys() - before.keys())),
        ("changed", sorted(key for key in before.keys() & after.keys() if before[key] != after[key])),
    )
    return tuple(f"{len(keys)} records {what}, the first is run {keys[0][1]}" for what, keys in said if keys)


def answers(engine: Engine, client: Asking, definition: Definition, namespaces: Sequence[str]) -> dict[str, object]:
    """Question → the number of records and the first page's runs, for the questions that `definition` has words for."""
    known = filters(engine.NAME)
    scope = Scope.of(definition.on(engine.FAMILY), engine.FAMILY)
    found: dict[str, object] = {}
    for text in QUESTIONS:
        try:
            parsed = check.parse(text, scope)
        except FilterError:
            continue
        for namespace in namespaces:
            question = Question(definition, namespace, parsed, known.SEMANTICS)
            page = asking.listing(known, client, question, PAGE)
            runs = tuple(record.run_id for record in page.records)
            found[f"{namespace}: {text}"] = (asking.count(known, client, question)[None], runs)
    return found


def unlike(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    """Questions whose answer is another one."""
    return tuple(question for question in before if after.get(question) != before[question])
