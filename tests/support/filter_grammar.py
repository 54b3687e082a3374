"""Random List Filters, built from the grammar over the names and values that `filter_records` uses. All are valid."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from tests.support import filter_records as data
from toolkit.records import rfc3339

MAX_DEPTH = 3


def quoted(chance: random.Random, text: str) -> str:
    """`text` between quotes of either kind, with what needs escaping escaped in either way."""
    mark = chance.choice("''\"")
    doubled = chance.random() < 0.5
    escaped = text.replace("\\", "\\\\").replace(mark, mark * 2 if doubled else "\\" + mark)
    return f"{mark}{escaped}{mark}"


def _keyword(chance: random.Random) -> str:
    return quoted(chance, chance.choice(data.KEYWORDS))


def _moment(chance: random.Random) -> str:
    when = data.START + chance.randrange(30) * data.HOUR + chance.choice(data.FRACTIONS)
    return str(when) if chance.random() < 0.2 else quoted(chance, rfc3339(when))


def _status(chance: random.Random) -> str:
    return chance.choice(("1", "2", "7", "'Running'", "'Completed'", '"Failed"', "'TimedOut'", "'Paused'"))


def _duration(chance: random.Random) -> str:
    return chance.choice(("3600000000000", "'1h'", "'90m'", "'05:00:00'", "'1d'", "'1.5h'", "'-1s'", "'7200000000000'"))


def _number(chance: random.Random) -> str:
    value = chance.choice((*data.INTS, *data.DOUBLES, 5.5, 1e30, -1e30))
    return ("+" if value > 0 and chance.random() < 0.1 else "") + repr(value)


def _sentence(chance: random.Random) -> str:
    words = chance.choice(data.SENTENCES).split()
    return quoted(chance, " ".join(chance.sample(words, min(len(words), chance.randrange(1, 3)))))


Values = Callable[[random.Random], str]
ORDERING = ("=", "!=", ">", ">=", "<", "<=", "<>", "IN", "NOT IN", "BETWEEN", "NOT BETWEEN")
PREFIX = ("STARTS_WITH", "NOT STARTS_WITH")
LISTS = ("=", "!=", "IN", "NOT IN")


def one_of(*texts: str) -> Values:
    return lambda chance: quoted(chance, chance.choice(texts))


# Name → (values, operators besides IS NULL).
FIELDS: Mapping[str, tuple[Values, tuple[str, ...]]] = {
    "WorkflowId": (one_of(*data.WORKFLOW_IDS, "order"), (*ORDERING, *PREFIX)),
    "ScheduleId": (one_of("nightly", "night", "x"), ("=", "!=", "STARTS_WITH", "IN")),
    "WorkflowType": (one_of(*data.TYPES, "Order"), (*ORDERING, *PREFIX)),
    "`TaskQueue`": (one_of(*data.QUEUES, "d"), (*LISTS, *PREFIX)),
    "ParentWorkflowId": (one_of("order-1", "parent", "none"), (*LISTS, *PREFIX)),
    "ExecutionStatus": (_status, ORDERING),
    "StartTime": (_moment, ORDERING),
    "ExecutionTime": (_moment, ORDERING),
    "CloseTime": (_moment, ORDERING),
    "ExecutionDuration": (_duration, ORDERING),
    "HistoryLength": (_number, ORDERING),
    "StateTransitionCount": (_number, ORDERING),
    "Customer": (_keyword, (*ORDERING, *PREFIX)),
    "`my key`": (one_of("a", "A", "b", "z"), (*ORDERING, *PREFIX)),
    "Int01": (_number, ORDERING),
    "Int02": (_number, ORDERING),
    "Double01": (_number, ORDERING),
    "Bool01": (lambda chance: chance.choice(("TRUE", "false")), (">", ">=", "<", "<=", *LISTS)),
    "SchedulePaused": (lambda chance: chance.choice(("true", "FALSE")), ("=", "!=")),
    "Datetime01": (_moment, ORDERING),
    "TemporalScheduledStartTime": (_moment, ORDERING),
    "Text01": (_sentence, ("=", "!=")),
    "KeywordList01": (one_of(*data.LIST_ELEMENTS, "none"), LISTS),
    "BuildIds": (one_of("v1", "v2", "V1", "none"), LISTS),
    "TemporalKeyword01": (one_of("chasm", "Chasm", "c"), (*ORDERING, *PREFIX)),
    "TemporalExternalPayloadCount": (_number, ORDERING),
    "NamespaceDivision": (one_of("TemporalScheduler", "other", "no"), LISTS),
}
ALIASES = {"Customer": "Keyword01", "my key": "Keyword02"}
GROUPS = ("ExecutionStatus", "TemporalLowCardinalityKeyword01", "NamespaceDivision")


def predicate(chance: random.Random) -> str:
    """One condition."""
    name = chance.choice(list(FIELDS))
    values, operators = FIELDS[name]
    operator = chance.choice((*operators, "IS NULL", "IS NOT NULL"))
    match operator.split()[-1]:
        case "NULL":
            return f"{name} {_case(chance, operator)}"
        case "IN":
            listed = ", ".join(values(chance) for _ in range(chance.randrange(1, 5)))
            return f"{name} {_case(chance, operator)} ({listed})"
        case "BETWEEN":
            return f"{name} {_case(chance, operator)} {values(chance)} AND {values(chance)}"
        case _:
            return f"{name} {_case(chance, operator)} {values(chance)}"


def _case(chance: random.Random, words: str) -> str:
    return words.lower() if chance.random() < 0.3 else words


def condition(chance: random.Random, depth: int = 0) -> str:
    """A condition, nested up to MAX_DEPTH."""
    shape = chance.random()
    if depth >= MAX_DEPTH or shape < 0.4:
        return predicate(chance)
    if shape < 0.55:
        return f"NOT ({condition(chance, depth + 1)})"
    if shape < 0.6:
        return f"({condition(chance, depth + 1)})"
    word = chance.choice((" AND ", " OR ", " and ", " or "))
    parts = [condition(chance, depth + 1) for _ in range(chance.randrange(2, 4))]
    return word.join(f"({part})" if chance.random() < 0.6 else part for part in parts)


def filter_text(chance: random.Random) -> str:
    """A whole filter."""
    grouped = f" GROUP BY {chance.choice(GROUPS)}" if chance.random() < 0.1 else ""
    return condition(chance) + grouped
