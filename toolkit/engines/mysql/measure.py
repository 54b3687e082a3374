"""How large the tables of a MySQL store are, and how fast this server reads their rows: queries that change nothing.

Copying and indexing are told from reading: the factors were measured, and are rough.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolkit.engines.measuring import SAMPLE_ROWS, SAMPLE_SECONDS, Measures, Pace, Table, Work, built
from toolkit.engines.mysql.fill import FILL
from toolkit.engines.mysql.render import identifier
from toolkit.errors import EngineError
from toolkit.plan import Mode, Step, StepClass

Ask = Callable[[str, Sequence[object] | None], Sequence[Mapping[str, Any]]]

_TABLES = """
SELECT TABLE_NAME AS name, TABLE_ROWS AS n, DATA_LENGTH AS data, INDEX_LENGTH AS indexes
FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'
"""
_INDEX_NAMES = """
SELECT DISTINCT TABLE_NAME AS tab, INDEX_NAME AS name FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME <> 'PRIMARY'
"""
# InnoDB's own number of rows is a guess that is far off in small tables, which are quickly counted.
_COUNTED_BELOW = 64 * 1024 * 1024
COPY, INDEX = 2.0, 0.12


def read(ask: Ask, main: str) -> Measures:
    """Sizes from information_schema, and the time a sample of rows of the table `main` takes."""
    began = time.monotonic()
    ask("SELECT 1 AS one", None)
    trip = time.monotonic() - began
    names: dict[str, list[str]] = {}
    for row in ask(_INDEX_NAMES, None):
        names.setdefault(row["tab"], []).append(row["name"])
    tables = {row["name"]: _table(ask, row, names.get(row["name"], [])) for row in ask(_TABLES, None)}
    pace, looked = _pace(ask, main, trip) if main in tables else (None, 0)
    basis = f"sizes from information_schema; {looked} rows read now" if looked else "sizes from information_schema"
    return Measures(tables, pace, trip, basis)


def _table(ask: Ask, row: Mapping[str, Any], names: Sequence[str]) -> Table:
    data, indexes = int(row["data"] or 0), int(row["indexes"] or 0)
    rows = int(row["n"] or 0)
    if data < _COUNTED_BELOW:
        rows = int(ask(f"SELECT COUNT(*) AS n FROM {identifier(row['name'])}", None)[0]["n"])
    # The server tells only what all indexes take together.
    each = indexes // len(names) if names else 0
    return Table(rows, data, dict.fromkeys(names, each), indexes)


def _pace(ask: Ask, table: str, trip: float) -> tuple[Pace | None, int]:
    limit = f"/*+ MAX_EXECUTION_TIME({round(SAMPLE_SECONDS * 1000)}) */"
    sample = f"SELECT {limit} * FROM {identifier(table)} LIMIT {SAMPLE_ROWS}"
    began = time.monotonic()
    try:
        number = len(ask(sample, None))
    except EngineError:
        return None, 0
    if not number:
        return None, 0
    read = max(1e-7, time.monotonic() - began - trip) / number
    return Pace(read, read * COPY, read * INDEX), number


def work(step: Step, measures: Measures, main: str) -> Work | None:
    """What a step does to the rows of its table, which its id names."""
    table = next((part for part in step.id.split(".")[1:] if part in measures.tables), main)
    match step.mode:
        case Mode.COPY if step.id.startswith(f"{FILL}."):
            return Work(main, reads=1.0)
        case Mode.COPY:
            return Work(table, copies=1.0)
        case Mode.COMPARE:
            return Work(table, reads=2.0)
        case Mode.PARALLEL:
            return Work(table, indexes=built(step))
        case _:
            pass
    if step.step_class is StepClass.ONLINE:
        return Work(table, reads=1.0, indexes=built(step))
    if step.id.endswith(".copy"):
        there = measures.tables[table].indexes if table in measures.tables else {}
        return Work(table, copies=1.0, indexes=(*there, *(n for n in built(step) if n not in there)), frees=True)
    return Work(table, indexes=built(step)) if step.step_class is StepClass.REBUILD else Work(table)
