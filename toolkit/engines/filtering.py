"""What every engine offers for List Filters, and the engines that do, written out by hand.

An engine's `filters` module turns a Question into a statement and rows into answers; it is pure and never connects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from toolkit.catalog import Json
from toolkit.definition import Definition
from toolkit.engines.bound import BoundSql, Search
from toolkit.errors import TargetError
from toolkit.query import text
from toolkit.query.page import Page, question_mark
from toolkit.query.semantics import COMMON, Semantics
from toolkit.query.tree import Filter, columns
from toolkit.records import Record

_Made = TypeVar("_Made")
Statement: TypeAlias = BoundSql | Search
# What comes back: rows by column name, or, from a search engine, its whole answer as the only row.
Rows: TypeAlias = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Question:
    """Which records of a namespace are asked for, in a store at `definition`, and what the filter means there."""

    definition: Definition
    namespace_id: str
    filter: Filter
    semantics: Semantics

    @property
    def mark(self) -> str:
        """What page tokens of this question carry."""
        # With the condition on the division, which need not be in the filter's own text.
        whole = self.filter.whole
        names = [column.name for column in columns(whole)]
        return question_mark(self.namespace_id, text.write(Filter(whole)), names, self.semantics.name)


@dataclass(frozen=True, slots=True)
class Explained:
    """How an engine would answer: its own plan, and the columns of the filter that some index narrows down."""

    plan: Json
    served: frozenset[str]


class Kept(Generic[_Made]):
    """What was made of a definition, as long as the same definition comes: many questions are asked of one store."""

    def __init__(self, make: Callable[[Definition], _Made]) -> None:
        self._make = make
        self._last: tuple[Definition, _Made] | None = None

    def of(self, definition: Definition) -> _Made:
        """What is made of `definition`. Definitions are compared by identity, for they are large."""
        last = self._last
        if last is None or last[0] is not definition:
            last = self._last = (definition, self._make(definition))
        return last[1]


class Filters(Protocol):
    """The functions of an engine's `filters` module. All are pure."""

    @property
    def SEMANTICS(self) -> Semantics: ...

    def listing(self, question: Question, page: Page) -> Statement:
        """The statement for one page of records, in list order."""
        ...

    def counting(self, question: Question) -> Statement:
        """The statement for the exact number, by value of GROUP BY when the filter has it."""
        ...

    def explaining(self, statement: Statement) -> Statement:
        """The statement that shows how the engine would run `statement`, without running it."""
        ...

    def records(self, question: Question, rows: Rows) -> list[Record]:
        """The answer to `listing`."""
        ...

    def counts(self, question: Question, rows: Rows) -> dict[object, int]:
        """The answer to `counting`: by value of GROUP BY (None: no value), or under None the only number."""
        ...

    def explained(self, question: Question, rows: Rows) -> Explained:
        """The answer to `explaining`."""
        ...


class Asking(Protocol):
    """What a client does with a statement."""

    def ask(self, statement: Any) -> Rows:
        """The engine's answer. Raises EngineError."""
        ...


def _postgresql() -> Filters:
    from toolkit.engines.postgresql import filters

    return filters


def _sqlite() -> Filters:
    from toolkit.engines.sqlite import filters

    return filters


def _mysql() -> Filters:
    from toolkit.engines.mysql import filters

    return filters


def _elasticsearch() -> Filters:
    from toolkit.engines.elasticsearch import filters

    return filters


def _clickhouse() -> Filters:
    from toolkit.engines.clickhouse import filters

    return filters


FILTERS: Mapping[str, Callable[[], Filters]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlite": _sqlite,
    "elasticsearch": _elasticsearch,
    "clickhouse": _clickhouse,
}


def filters(name: str) -> Filters:
    """The filters of the engine called `name`. Raises TargetError."""
    if name not in FILTERS:
        raise TargetError("TV3001", f"there are no filters for engine {name[:60]!r}", f"Engines: {', '.join(FILTERS)}.")
    return FILTERS[name]()


def meaning(name: str, engine: Filters) -> Semantics:
    """The semantics that `--semantics` names: the engine's own, or the common one."""
    return COMMON if name == COMMON.name else engine.SEMANTICS
