"""How large a SQLite file's table is, and how fast its rows are read: queries that change nothing.

Copying and indexing are told from reading: the factors were measured, and are rough.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolkit.engines.measuring import SAMPLE_ROWS, Measures, Pace, Table, Work, built
from toolkit.engines.sqlite.render import identifier
from toolkit.errors import EngineError
from toolkit.plan import Sql, Step, StepClass

Ask = Callable[[str, Sequence[object]], Sequence[Mapping[str, Any]]]

_FILE = "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size"
# The pages of each object: this walks through the whole file, hence only where that is quick.
# Page by page, as SQLite can be interrupted between two of them only when it does the sum.
_PAGES = "SELECT name, sum(pgsize) AS bytes FROM dbstat GROUP BY name"
_NAMES = "SELECT type, name FROM sqlite_master WHERE tbl_name = ? AND type IN ('table', 'index')"
_COUNT = "SELECT count(*) AS n FROM {table}"
_WALKED_BELOW = 256 * 1024 * 1024
_SEARCH_TABLE = re.compile(r"CREATE VIRTUAL TABLE IF NOT EXISTS (\S+)")
COPY, INDEX = 1.0, 0.14


def read(ask: Ask, table: str) -> Measures:
    """Sizes from the file, and the time a sample of rows takes. `ask` may give up at any question (EngineError): what
    was to be told by it is then unknown."""
    names = ask(_NAMES, (table,))
    if not names:
        return Measures({}, None, 0.0, "")
    size = int(ask(_FILE, ())[0]["bytes"])
    pace, looked = _pace(ask, table)
    rows = _rows(ask, table)
    pages = _pages(ask) if size < _WALKED_BELOW else {}
    own = {row["name"] for row in names}
    indexes = {name: size for name, size in pages.items() if name in own and name != table}
    # Not walked through, the file is taken for the table: it holds little else.
    data, rest = (pages[table], sum(indexes.values())) if table in pages else (size, 0)
    what = "pages of the file" if pages else "size of the file"
    return Measures({table: Table(rows, data, indexes, rest)}, pace, 0.001, f"{what}; {looked} rows read now")


def _rows(ask: Ask, table: str) -> int | None:
    try:
        return int(ask(_COUNT.format(table=identifier(table)), ())[0]["n"])
    except EngineError:
        return None


def _pages(ask: Ask) -> dict[str, int]:
    try:
        return {row["name"]: int(row["bytes"]) for row in ask(_PAGES, ())}
    except EngineError:
        # Not every SQLite is built with dbstat, and a slow disk takes too long.
        return {}


def _pace(ask: Ask, table: str) -> tuple[Pace | None, int]:
    began = time.monotonic()
    try:
        number = len(ask(f"SELECT * FROM {identifier(table)} LIMIT {SAMPLE_ROWS}", ()))
    except EngineError:
        return None, 0
    if not number:
        return None, 0
    read = max(1e-7, time.monotonic() - began) / number
    return Pace(read, read * COPY, read * INDEX), number


def work(step: Step, table: str) -> Work | None:
    """What a step does to the rows; a full-text table counts as an index."""
    texts = [s.text for s in step.statements if isinstance(s, Sql)]
    searches = [name.strip('"') for text in texts for name in _SEARCH_TABLE.findall(text)]
    if step.id.startswith("rebuild."):
        return Work(table, copies=1.0, indexes=(*built(step), *searches))
    if step.id.startswith(("index.", "search.")) and step.step_class is StepClass.REBUILD:
        return Work(table, reads=1.0, indexes=(*built(step), *searches))
    return None
