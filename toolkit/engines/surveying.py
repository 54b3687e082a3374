"""Ask a store how many values would not survive a change: probes, and what every engine's `survey` module offers.

Counting is the store's work; records come back only as samples. Nothing here knows an engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from toolkit.attributes import AttributeType
from toolkit.compat import Spoils
from toolkit.definition import Definition
from toolkit.engines.bound import BoundSql
from toolkit.engines.filtering import Rows, Statement
from toolkit.errors import TargetError

SAMPLES = 3
_YEAR = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_LEAP = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
_DAY = "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
# What every engine that knows regular expressions takes for a time: a day of the calendar, a zone that there is.
TIME = (
    f"({_YEAR}-{_DAY}|{_LEAP}-02-29)[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?"
    "(Z|[-+](0[0-9]|1[0-3]):[0-5][0-9]|[+]14:00)"
)
# Of a sample, what is shown; the rest would only fill the screen.
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Probe:
    """Which values of an attribute are to be counted: those that any of `spoils` names."""

    attribute: str
    type: AttributeType
    spoils: tuple[Spoils, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of the store answered: records looked at, and for each probe how many, and samples."""

    rows: int
    counts: tuple[int, ...]
    samples: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Gentle:
    """How a survey goes easy on a store: `rows` at a time, and a rest of `rest` times what each part took."""

    rows: int = 20_000
    rest: float = 1.0


GENTLE = Gentle()
Ask = Callable[[Statement], Rows]


class Survey(Protocol):
    """The function of an engine's `survey` module."""

    def parts(self, ask: Ask, definition: Definition, probes: Sequence[Probe], rows: int) -> Iterator[Part]:
        """One pass over the store in parts of about `rows` records; the caller rests in between."""
        ...


def survey(parts: Iterable[Part], probes: int, rest: float, seen: Callable[[int], None] = lambda _: None) -> Part:
    """All parts together. `seen` is told how many records were looked at so far."""
    total = Part(0, (0,) * probes, ((),) * probes)
    begun = time.monotonic()
    for part in parts:
        total = _sum(total, part)
        seen(total.rows)
        time.sleep(min(rest * (time.monotonic() - begun), 5.0))
        begun = time.monotonic()
    return total


def _sum(one: Part, other: Part) -> Part:
    samples = (tuple(dict.fromkeys((*a, *b)))[:SAMPLES] for a, b in zip(one.samples, other.samples, strict=True))
    counts = (a + b for a, b in zip(one.counts, other.counts, strict=True))
    return Part(one.rows + other.rows, tuple(counts), tuple(samples))


def sql_part(row: Mapping[str, Any], probes: int) -> Part:
    """The part in a row with the columns `looked`, and `c0`, `a0`, `z0`, … for count, least and greatest sample."""
    counts = tuple(int(row[f"c{number}"] or 0) for number in range(probes))
    samples = tuple(
        tuple(dict.fromkeys(str(row[f"{which}{number}"]) for which in "az" if row[f"{which}{number}"] is not None))
        for number in range(probes)
    )
    return Part(int(row["looked"] or 0), counts, samples)


def by_key(
    ask: Ask, keys: tuple[str, str], table: str, mark: str, rows: int, part: Callable[[str, tuple[str, ...]], BoundSql]
) -> Iterator[Rows]:
    """Parts of a SQL table in the order of its primary key. `part` makes the statement that counts, given the condition
    that bounds it and the condition's parameters."""
    pair = f"({', '.join(keys)})"
    after: tuple[str, ...] = ()
    while True:
        begin = f"{pair} > ({mark}, {mark})" if after else "1 = 1"
        order = ", ".join(keys)
        edge = ask(
            BoundSql(f"SELECT {order} FROM {table} WHERE {begin} ORDER BY {order} LIMIT 1 OFFSET {rows - 1}", after)
        )
        upto = tuple(str(value) for value in edge[0].values()) if edge else ()
        end = f" AND {pair} <= ({mark}, {mark})" if upto else ""
        yield ask(part(begin + end, (*after, *upto)))
        if not upto:
            return
        after = upto


def inexact(value: str, remainder: Callable[[str, int], str]) -> str:
    """SQL that tells whether a whole number of 64 bits has more digits than a float of 64 keeps: from 2^53 on only even
    ones are exact, from 2^54 on multiples of 4, and so on. `remainder` writes a division."""
    steps = (
        f"(({value} >= {2 ** (52 + bit)} OR {value} <= -{2 ** (52 + bit)}) AND {remainder(value, 2**bit)} <> 0)"
        for bit in range(1, 12)
    )
    return f"({' OR '.join(steps)})"


def _postgresql() -> Survey:
    from toolkit.engines.postgresql import survey

    return survey


def _mysql() -> Survey:
    from toolkit.engines.mysql import survey

    return survey


def _sqlite() -> Survey:
    from toolkit.engines.sqlite import survey

    return survey


def _elasticsearch() -> Survey:
    from toolkit.engines.elasticsearch import survey

    return survey


def _clickhouse() -> Survey:
    from toolkit.engines.clickhouse import survey

    return survey


SURVEYS: Mapping[str, Callable[[], Survey]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlite": _sqlite,
    "elasticsearch": _elasticsearch,
    "clickhouse": _clickhouse,
}


def surveys(name: str) -> Survey:
    """The survey of the engine called `name`. Raises TargetError."""
    if name not in SURVEYS:
        raise TargetError("TV3001", f"there is no survey for engine {name[:60]!r}", f"Engines: {', '.join(SURVEYS)}.")
    return SURVEYS[name]()
