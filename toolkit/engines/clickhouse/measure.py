"""How large the table of a ClickHouse store is, how fast this server reads its rows, and how many of them would lose a
value: queries that change nothing.

Copying and indexing are told from reading: the factors were measured, and are rough.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolkit.engines.clickhouse import dropping
from toolkit.engines.clickhouse.render import identifier, literal
from toolkit.engines.measuring import SAMPLE_SECONDS, Measures, Pace, Table, Work, built
from toolkit.errors import EngineError
from toolkit.plan import Mode, Plan, Step, StepClass

Ask = Callable[[str], Sequence[Mapping[str, Any]]]

# Columns are read by themselves and quickly, so a sample is larger than on row stores.
_SAMPLE = 200_000
COPY, INDEX = 3.0, 0.3


def _sizes(table: str) -> str:
    return f"""
SELECT sum(rows) AS n, sum(data_compressed_bytes) AS data, sum(secondary_indices_compressed_bytes) AS indexes
FROM system.parts WHERE active AND database = currentDatabase() AND table = {literal(table)}"""


def _index_sizes(table: str) -> str:
    return f"""
SELECT name, data_compressed_bytes AS bytes FROM system.data_skipping_indices
WHERE database = currentDatabase() AND table = {literal(table)}"""


def read(ask: Ask, table: str) -> Measures:
    """Sizes from system.parts, and the time a sample of rows takes."""
    began = time.monotonic()
    sizes = ask(_sizes(table))[0]
    trip = time.monotonic() - began
    indexes = {row["name"]: int(row["bytes"]) for row in ask(_index_sizes(table))}
    size = Table(int(sizes["n"]), int(sizes["data"]), indexes, int(sizes["indexes"]))
    pace, looked = _pace(ask, table, trip) if size.rows else (None, 0)
    basis = f"sizes from system.parts; {looked} rows read now" if looked else "sizes from system.parts"
    return Measures({table: size}, pace, trip, basis)


def _pace(ask: Ask, table: str, trip: float) -> tuple[Pace | None, int]:
    sample = f"SELECT * FROM {identifier(table)} LIMIT {_SAMPLE}"
    limit = f"SETTINGS max_execution_time = {SAMPLE_SECONDS:g}"
    began = time.monotonic()
    try:
        number = int(ask(f"SELECT count() AS n, sum(cityHash64(*)) AS h FROM ({sample}) {limit}")[0]["n"])
    except EngineError:
        return None, 0
    if not number:
        return None, 0
    read = max(1e-9, time.monotonic() - began - trip) / number
    return Pace(read, read * COPY, read * INDEX), number


def losses(ask: Ask, plan: Plan, table: str, engine: str) -> dict[str, int]:
    """How many rows have a value in each column that `plan` drops, or that its copy is made without. `engine`: that of
    `table`."""
    place = f"database = currentDatabase() AND table = {literal(table)}"
    types = {row["name"]: row["type"] for row in ask(f"SELECT name, type FROM system.columns WHERE {place}")}
    dropped = {name for step in plan.steps if ".drop" in step.id for name in step.objects}
    names = sorted((dropped | dropping.left_out(plan)) & set(types))
    if not names:
        return {}
    counts = ", ".join(f"countIf({_given(name, types[name])}) AS {identifier(name)}" for name in names)
    # Only some engines tell which row of a run counts.
    final = "" if engine == "MergeTree" else "FINAL"
    row = ask(f"SELECT {counts} FROM {identifier(table)} {final}")[0]
    return {name: int(row[name]) for name in names if row[name]}


def _given(name: str, type: str) -> str:
    """Whether a column has a value: an empty list is the same as none."""
    return f"notEmpty({identifier(name)})" if type.startswith("Array(") else f"isNotNull({identifier(name)})"


def work(step: Step, table: str) -> Work | None:
    """What a step does to the rows."""
    match step.mode:
        case Mode.COPY:
            return Work(table, copies=1.0)
        case Mode.COMPARE:
            return Work(table, reads=2.0)
        case _:
            pass
    if step.id.startswith("indexes.") and step.id.endswith(".build"):
        return Work(table, indexes=step.objects)
    if step.step_class is StepClass.REBUILD:
        return Work(table, copies=1.0, indexes=built(step), frees=True)
    return Work(table)
