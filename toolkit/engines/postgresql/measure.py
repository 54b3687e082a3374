"""How large the table of a PostgreSQL store is, and how fast this server reads its rows: queries that change nothing.

Copying and indexing are told from reading: the factors were measured, and are rough.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

from toolkit.engines.measuring import SAMPLE_ROWS, SAMPLE_SECONDS, Measures, Pace, Table, Work, built
from toolkit.engines.postgresql.render import identifier
from toolkit.engines.postgresql.traits import Ask
from toolkit.errors import EngineError
from toolkit.plan import Mode, Step, StepClass

_SIZES = """
SELECT CASE WHEN relpages > 0
            THEN reltuples::float8 / relpages * (pg_relation_size(oid) / current_setting('block_size')::int)
            ELSE 0 END AS rows,
       pg_table_size(oid) AS data, pg_indexes_size(oid) AS indexes
FROM pg_class WHERE oid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(%s)) AND relkind = 'r'
"""
_INDEXES = """
SELECT x.relname AS name, pg_relation_size(x.oid) AS bytes FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
WHERE i.indrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(%s))
"""
_USUAL_TIMEOUT = """
SELECT set_config('statement_timeout', reset_val, false) FROM pg_settings WHERE name = 'statement_timeout'
"""
# Counted when nobody has counted: a table that was never analysed and is not large.
_COUNTED_BELOW = 256 * 1024 * 1024
# A row as text costs about what its generated columns cost; writing table, key and log comes to that. Of runs with
# 20 000 and 100 000 rows.
COPY, INDEX, COMPARE = 2.8, 0.28, 0.8
# Sessions that build indexes on a shadow, see `rebuilder`.
_JOBS = 2


def read(ask: Ask, table: str) -> Measures:
    """Sizes from the catalog, and the time a sample of rows takes."""
    began = time.monotonic()
    sizes = ask(_SIZES, (table,))
    trip = time.monotonic() - began
    if not sizes:
        return Measures({}, None, trip, "")
    data = int(sizes[0]["data"])
    rows = _rows(ask, table, sizes[0])
    indexes = {row["name"]: int(row["bytes"]) for row in ask(_INDEXES, (table,))}
    pace, looked = _pace(ask, table, rows, trip)
    basis = f"sizes from pg_class; {looked} rows read now" if looked else "sizes from pg_class"
    return Measures({table: Table(rows, data, indexes, int(sizes[0]["indexes"]))}, pace, trip, basis)


def _rows(ask: Ask, table: str, sizes: Mapping[str, Any]) -> int | None:
    if sizes["rows"] > 0:
        return int(sizes["rows"])
    if sizes["data"] > _COUNTED_BELOW:
        return None
    found, _ = _soon(ask, f"SELECT count(*) AS n FROM {identifier(table)}")
    return int(found["n"]) if found else None


def _soon(ask: Ask, query: str) -> tuple[Mapping[str, Any] | None, float]:
    """The row of a query and the seconds it took; no row, where that would be longer than a short look."""
    ask("SELECT set_config('statement_timeout', %s, false)", (f"{SAMPLE_SECONDS:g}s",))
    began = time.monotonic()
    try:
        return ask(query, ())[0], time.monotonic() - began
    except EngineError:
        return None, time.monotonic() - began
    finally:
        ask(_USUAL_TIMEOUT, ())


def _pace(ask: Ask, table: str, rows: int | None, trip: float) -> tuple[Pace | None, int]:
    """Whole pages taken by chance, so that what lies on disk counts as such."""
    if not rows:
        return None, 0
    share = min(100.0, 100.0 * SAMPLE_ROWS / rows)
    sample = f"SELECT * FROM {identifier(table)} TABLESAMPLE SYSTEM ({share:.6f}) LIMIT {SAMPLE_ROWS}"
    found, seconds = _soon(ask, f"SELECT count(*) AS n, sum(length(s::text)) AS size FROM ({sample}) AS s")
    number = int(found["n"]) if found else 0
    if not number:
        return None, 0
    read = max(1e-7, seconds - trip) / number
    return Pace(read, read * COPY, read * INDEX), number


def work(step: Step, table: str, there: Collection[str]) -> Work | None:
    """What a step does to the rows of `table`, which has the indexes `there`."""
    match step.mode:
        case Mode.COPY:
            return Work(table, copies=1.0, indexes=(f"{table}_pkey",))
        case Mode.COMPARE:
            return Work(table, reads=COMPARE)
        case Mode.PARALLEL:
            return Work(table, indexes=built(step), at_once=_JOBS)
        case _:
            pass
    if step.id.startswith("index."):
        return Work(table, indexes=() if step.id.endswith(".drop") else (step.id.removeprefix("index."),))
    if step.step_class is StepClass.REBUILD:
        # Rewriting a table makes all its indexes anew.
        return Work(table, copies=1.0, indexes=tuple(there), frees=True)
    return Work(table)
