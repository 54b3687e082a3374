"""How SQLite's libraries round a time to milliseconds, each in its way, and in which of them a store was written.

An index holds what the library computed that wrote it. One that computes otherwise no longer finds the entry when it
deletes or changes the row: "database disk image is malformed". So a store's own way is kept to.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum
from typing import Any

from toolkit.engines.sqlite.render import TIME_FORM, check, identifier, literal, path
from toolkit.plan import Sql, Step, StepClass

# Format and time → text, or None; what a library's own strftime() does.
Strftime = Callable[..., str | int | float | bytes | None]

# A time with more digits than are kept: what is before the seconds, these, the fraction, and the zone.
_FINE = re.compile(r"(.{17})(\d\d)\.(\d{4,})(.*)", re.DOTALL)
_LAST = Decimal("59.999")
# Steps of these classes write indexes.
_INDEXED = (StepClass.REBUILD, StepClass.BREAKING)
_OTHER = (
    "this sqlite3 does not find all rows in the indexes of the file: use temporal-visibility schema upgrade, or a "
    "sqlite3 that rounds times as the server's does; see docs/upgrading.md"
)
_INDEXES = """
SELECT c.name AS column, min(l.name) AS "index"
FROM pragma_table_xinfo(:table) AS c, pragma_index_list(:table) AS l, pragma_index_xinfo(l.name) AS x
WHERE c.hidden IN (2, 3) AND c.type LIKE 'TIMESTAMP' AND x.name = c.name AND x.key = 1 AND l.partial = 0 GROUP BY c.name
"""


class Way(Enum):
    """Up to 3.42, half a millisecond is rounded up; from 3.43 on, as the number's binary form lies; neither lets a
    second become 60. From 3.49 on, a fraction of more than .999 is cut before that. Tried with 3.40 to 3.51."""

    DECIMAL = "3.42 or before"
    BINARY = "3.43 to 3.48"
    CUT = "3.49 or later"


def way_of(library: tuple[int, ...]) -> Way:
    """How the library with this version number rounds."""
    return Way.CUT if library >= (3, 49) else Way.BINARY if library >= (3, 43) else Way.DECIMAL


def rounded(given: str, way: Way) -> str:
    """A time as it is written in a document, with three digits behind the seconds when it had more."""
    found = _FINE.fullmatch(given)
    if found is None:
        return given
    before, seconds, digits, zone = found.groups()
    fraction = int(digits) / 10 ** len(digits)
    exact = int(seconds) + (min(fraction, 0.999) if way is Way.CUT else fraction)
    if zone.upper() not in ("Z", ""):
        # They go through whole milliseconds, with a half rounded up. Into another minute only the library itself can.
        milliseconds = int(exact * 1000 + 0.5)
        return given if milliseconds >= 60_000 else f"{before}{milliseconds / 1000:06.3f}{zone}"
    if way is Way.DECIMAL:
        half_up = Decimal(f"{seconds}.{digits}").quantize(Decimal("0.001"), ROUND_HALF_UP)
        return f"{before}{min(half_up, _LAST):06.3f}{zone}"
    return f"{before}{min(exact, float(_LAST)):06.3f}{zone}"


def strftime(way: Way, native: Strftime) -> Strftime:
    """The function of that name for a library that rounds otherwise; `native` is its own."""

    def function(*given: object) -> str | int | float | bytes | None:
        match given:
            case (_, None):
                return None
            case (form, str(time)) if form == TIME_FORM:
                return native(form, rounded(time, way))
            case _:
                return native(*given)

    return function


def written(connection: sqlite3.Connection, table: str, native: Strftime, library: Way) -> Way | None:
    """The way in which the table's indexes were written; None: nothing in them tells. `library`: this one's.

    Reads each index on a Datetime attribute once. Raises the driver's errors."""
    votes: Counter[Way] = Counter()
    agrees = False
    for column, index in connection.execute(_INDEXES, {"table": table}).fetchall():
        shown, name, given = identifier(column), identifier(table), f"JSON_EXTRACT(t.search_attributes, {path(column)})"
        telling = f"substr({given}, 20, 5) GLOB '.999[5-9]' AND substr({given}, 18, 2) <> '59'"
        query = (
            f"SELECT i.{shown}, t.{shown}, {given} FROM {name} AS i INDEXED BY {identifier(index)}"
            f" CROSS JOIN {name} AS t ON t.rowid = i.rowid"
            f" WHERE i.{shown} IS NOT NULL AND (i.{shown} IS NOT t.{shown} OR {telling})"
        )
        for stored, computed, text in connection.execute(query):
            agrees = agrees or stored == computed
            if stored != computed and isinstance(text, str):
                votes.update(way for way in Way if native(TIME_FORM, rounded(text, way)) == stored)
    # Where two libraries have written, the newer one is the one that goes on.
    ways = [max(votes, key=lambda way: (votes[way], _age(way)))] if votes else []
    return max([*ways, library] if agrees else ways, key=_age, default=None)


def _age(way: Way) -> int:
    return list(Way).index(way)


def guard(steps: Sequence[Step], table: str) -> tuple[Sql, ...]:
    """Statements that stop a script with these steps where the library that runs it computes otherwise than the one
    that wrote the table's indexes. They read the whole table: a twentieth of the time of a rebuild."""
    if not any(step.step_class in _INDEXED for step in steps):
        return ()
    found = f"SELECT 1 FROM pragma_integrity_check({literal(table)})"
    return check(_OTHER, f"NOT EXISTS (\n  {found} WHERE integrity_check LIKE 'row % missing from index %'\n)")


class Agreement:
    """One connection that computes times as the library did that wrote the store. Raises the driver's errors."""

    def __init__(self, connection: sqlite3.Connection, table: str) -> None:
        self._connection = connection
        # Whatever the store's connection is told, this one's functions are the library's own.
        self._plain = sqlite3.connect(":memory:")
        self._kept = way_of(sqlite3.sqlite_version_info)
        self._written = written(connection, table, self._native, self._kept)

    def reach(self, fine: bool) -> None:
        """From here on the connection rounds as the store does. `fine`: times are to be written that libraries round
        differently; where nothing tells what the store is used with, that is a new one."""
        way = self._written or (Way.CUT if fine else self._kept)
        if way is not self._kept:
            self._connection.create_function("strftime", -1, strftime(way, self._native), deterministic=True)
            self._kept = way

    def _native(self, *given: object) -> Any:
        return self._plain.execute(f"SELECT strftime({', '.join('?' * len(given))})", given).fetchone()[0]

    def close(self) -> None:
        """Give back what this opened."""
        self._plain.close()
