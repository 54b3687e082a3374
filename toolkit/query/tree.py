"""A List Filter as typed, frozen values: what was asked, with every name resolved and every value of its column's kind.

Plain data; nothing here knows text, stores or records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from toolkit.records import Moment


class Kind(Enum):
    """How a column's values compare. The seven attribute types, and three fields with rules of their own: a status is
    a number with names, a duration is nanoseconds with spellings, the close time is missing while open."""

    TEXT = "Text"
    KEYWORD = "Keyword"
    INT = "Int"
    DOUBLE = "Double"
    BOOL = "Bool"
    DATETIME = "Datetime"
    KEYWORD_LIST = "KeywordList"
    STATUS = "ExecutionStatus"
    DURATION = "ExecutionDuration"
    CLOSE_TIME = "CloseTime"


@dataclass(frozen=True, slots=True)
class Column:
    """`name`: as in the definition (`Keyword01`); `shown`: as the user calls it; `is_field`: every record has it."""

    name: str
    shown: str
    kind: Kind
    is_field: bool


# By kind: Text, Keyword and KeywordList str; Int, ExecutionDuration and ExecutionStatus int (a number or a name was
# given); Double and Int also float; Bool bool; Datetime and CloseTime Moment.
Value: TypeAlias = str | int | float | bool | Moment


class Operator(Enum):
    """The comparisons with one value."""

    EQ = "="
    NE = "!="
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="


@dataclass(frozen=True, slots=True)
class Compare:
    """A column against one value."""

    column: Column
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class In:
    """A column against a list of values, never empty."""

    column: Column
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """A column between two values, both included."""

    column: Column
    low: Value
    high: Value
    negated: bool = False


@dataclass(frozen=True, slots=True)
class StartsWith:
    """A Keyword that begins with `prefix`."""

    column: Column
    prefix: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IsNull:
    """A column without a value."""

    column: Column
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    term: Condition


@dataclass(frozen=True, slots=True)
class And:
    """All conditions; at least two."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the conditions; at least two."""

    terms: tuple[Condition, ...]


Predicate: TypeAlias = Compare | In | Between | StartsWith | IsNull
Condition: TypeAlias = Predicate | Not | And | Or


def columns(condition: Condition | None) -> Iterator[Column]:
    """The columns that a condition names."""
    match condition:
        case None:
            return
        case And(terms) | Or(terms):
            for term in terms:
                yield from columns(term)
        case Not(term):
            yield from columns(term)
        case _:
            yield condition.column


@dataclass(frozen=True, slots=True)
class Filter:
    """A whole filter. `condition` None asks for every record; `division`: the condition that is added because the
    namespace division was not mentioned; `text`: as it was written."""

    condition: Condition | None
    group_by: Column | None = None
    division: Condition | None = None
    text: str = ""

    @property
    def whole(self) -> Condition | None:
        """The condition with the implicit one."""
        match self.condition, self.division:
            case None, other:
                return other
            case other, None:
                return other
            case And(terms), Compare() | IsNull() as division:
                return And((*terms, division))
            case condition, division:
                assert condition is not None
                assert division is not None
                return And((condition, division))
