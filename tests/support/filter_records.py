# ruff: noqa: E501
"""Records made to trip filters: few distinct values with every trap in them, ties in both times, missing values.

All of it can be stored by every engine. Left out, because stores cannot agree on them: empty lists and empty elements,
the sign that joins lists on SQLite, and marks that PostgreSQL's raw tsvector reads as positions or quotes.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolkit.records import AttributeValue, Moment, Record

NAMESPACES = ("7a0b2c3d-0000-4000-8000-000000000001", "7a0b2c3d-0000-4000-8000-000000000002")
# 2024-03-01T00:00:00Z
START = 1_709_251_200_000_000_000
HOUR = 3_600_000_000_000
FRACTIONS = (0, 0, 0, 1_000_000, 500_000_000, 123_456_789, 999_400_100, 250_000_400, 7_000, 999_999_000)
KEYWORDS = (
    "a", "A", "b", "B", "order", "Order", "order-1", "order_1", "orderx1", "50%", "500", "it's", 'say "hi"',
    "back\\slash", "á", "ß", "日本", "tail ", " head", "", "!", "x!y", "%", "_", "NULL", "true", "12", "ab", "abc", "a;b", "a--b",
)  # fmt: skip
WORKFLOW_IDS = ("order-1", "order-2", "Order-1", "order_2", "temporal-sys-scheduler:nightly", "pay/1", "x' OR '1'='1")
TYPES = ("OrderWorkflow", "PaymentWorkflow", "orderworkflow", "Cleanup")
QUEUES = ("default", "Default", "batch", "")
LIST_ELEMENTS = (
    "red",
    "Red",
    "RED",
    "green",
    "blue",
    "dark blue",
    'q"uote',
    "it's",
    "grün",
    "a,b",
    "x:1",
    "[1]",
    "_",
    "%",
)
SENTENCES = (
    "the quick brown fox", "The Quick fox", "fox", "FOX", "foxes run", "half-open range", "half open", "order_1 failed",
    "order 1 failed", "naïve café", "naive cafe", "v1.2 released", "to be or not to be", "a b c", "retry",
    "Retry later", "red,green", "x",
)  # fmt: skip
INTS = (
    -9_223_372_036_854_775_808,
    -5,
    -1,
    0,
    1,
    2,
    3,
    5,
    6,
    10,
    1000,
    9_007_199_254_740_993,
    9_223_372_036_854_775_807,
)
DOUBLES = (
    -1000.5,
    -1.0,
    -0.00001,
    0.0,
    0.1,
    0.12344,
    0.1234,
    0.12346,
    0.5,
    1.0,
    1.5,
    2.00004,
    2.0,
    3.14159265,
    1e6,
    12345.6789,
)
DIVISION = "TemporalNamespaceDivision"


def records(number: int, seed: int = 1) -> Iterator[Record]:
    """`number` records, the same for the same seed."""
    chance = random.Random(seed)
    for serial in range(number):
        yield _record(chance, serial)


def _record(chance: random.Random, serial: int) -> Record:
    status = chance.choice((1, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8))
    is_open = status in (1, 8)
    start = START + chance.randrange(24) * HOUR + chance.choice(FRACTIONS)
    close = None if is_open else start + chance.randrange(1, 6) * HOUR
    run_id = str(uuid.UUID(int=chance.getrandbits(96) << 32 | serial))
    workflow_id = chance.choice(WORKFLOW_IDS)
    return Record(
        namespace_id=NAMESPACES[0] if chance.random() < 0.9 else NAMESPACES[1],
        run_id=run_id,
        workflow_id=workflow_id,
        workflow_type=chance.choice(TYPES),
        start_time=start,
        execution_time=start + chance.choice((0, 0, HOUR)),
        status=status,
        task_queue=chance.choice(QUEUES),
        close_time=close,
        history_length=None if is_open else chance.choice((3, 10, 11, 500)),
        history_size_bytes=None if is_open else chance.choice((0, 1024, 10**12)),
        execution_duration=None if close is None else close - start,
        state_transition_count=None if is_open else chance.choice((1, 2, 3)),
        encoding="",
        parent_workflow_id=chance.choice((None, None, "order-1", "parent")),
        parent_run_id=None,
        root_workflow_id=workflow_id,
        root_run_id=run_id,
        version=serial + 1,
        attributes=_attributes(chance),
    )


def _attributes(chance: random.Random) -> Mapping[str, AttributeValue]:
    def some(values: Sequence[Any]) -> Any:
        return chance.choice(values)

    wanted: dict[str, Any] = {
        "Keyword01": lambda: some(KEYWORDS),
        "Keyword02": lambda: some(KEYWORDS[:4]),
        "Int01": lambda: some(INTS),
        "Int02": lambda: some(INTS[3:8]),
        "Double01": lambda: some(DOUBLES),
        "Bool01": lambda: some((True, False)),
        "Datetime01": lambda: Moment(START + chance.randrange(5) * HOUR + some(FRACTIONS)),
        "Text01": lambda: some(SENTENCES),
        "KeywordList01": lambda: tuple(chance.sample(LIST_ELEMENTS, chance.randrange(1, 4))),
        "BuildIds": lambda: tuple(chance.sample(("v1", "v2", "V1", "unversioned"), chance.randrange(1, 3))),
        "TemporalSchedulePaused": lambda: some((True, False)),
        "TemporalScheduledStartTime": lambda: Moment(START + chance.randrange(5) * HOUR),
        "TemporalLowCardinalityKeyword01": lambda: some(("low", "Low", "high")),
        "TemporalKeyword01": lambda: some(("chasm", "Chasm")),
        "TemporalExternalPayloadCount": lambda: some((0, 1, 2)),
    }
    found = {name: make() for name, make in wanted.items() if chance.random() < 0.75}
    if chance.random() < 0.05:
        found[DIVISION] = some(("TemporalScheduler", "other"))
    return found
