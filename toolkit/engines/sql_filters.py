"""The part of compiling rules to SQL that is the same for every SQL engine: combining tests, comparing, paging.

Pure. Texts hold placeholders only; which column, which placeholder and which form a value takes, the engine says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from toolkit.query.page import Place
from toolkit.query.rules import All, Among, AnyOf, Begins, HasWord, Operand, Present, Rule, Test, Within

ESCAPE = "!"


@dataclass(frozen=True, slots=True)
class Piece:
    """A condition with its parameters in the order of their placeholders."""

    text: str
    parameters: tuple[Any, ...] = ()


TRUE, FALSE = Piece("1 = 1"), Piece("1 = 0")


def combine(rule: Rule, test: Callable[[Test], Piece]) -> Piece:
    """The condition for a whole rule, given how to write a single test."""
    match rule:
        case All(terms):
            return joined([combine(term, test) for term in terms], "AND") if terms else TRUE
        case AnyOf(terms):
            return joined([combine(term, test) for term in terms], "OR") if terms else FALSE
        case _:
            return test(rule)


def joined(pieces: Sequence[Piece], word: str) -> Piece:
    """Conditions with AND or OR between, halved again and again: engines limit how deep an expression may be."""
    if len(pieces) == 1:
        return pieces[0]
    middle = len(pieces) // 2
    left, right = joined(pieces[:middle], word), joined(pieces[middle:], word)
    return Piece(f"({left.text} {word} {right.text})", left.parameters + right.parameters)


def scalar(expression: str, test: Among | Within, mark: str, bind: Callable[[Operand], Any]) -> Piece:
    """A column with one value against values; `mark` is the placeholder."""
    match test:
        case Among(values=()):
            return missing_or(expression, FALSE, test) if not test.negated else _present(expression, test)
        case Among(values=(value,)):
            return missing_or(expression, Piece(f"{expression} = {mark}", (bind(value),)), test)
        case Among(values=values):
            marks = ", ".join(mark for _ in values)
            return missing_or(expression, Piece(f"{expression} IN ({marks})", tuple(map(bind, values))), test)
        case Within(low=low, high=high):
            parts = []
            if low is not None:
                parts.append(Piece(f"{expression} {'>' if test.above else '>='} {mark}", (bind(low),)))
            if high is not None:
                parts.append(Piece(f"{expression} {'<' if test.below else '<='} {mark}", (bind(high),)))
            return missing_or(expression, joined(parts, "AND"), test)
        case _:
            assert_never(test)


def _present(expression: str, test: Among) -> Piece:
    return TRUE if test.missing else Piece(f"{expression} IS NOT NULL")


def missing_or(expression: str, positive: Piece, test: Among | Within | Begins | HasWord) -> Piece:
    """`positive`, or its opposite when the test is negated; NULL, which is not true, stands for a missing value."""
    if not test.negated:
        return positive
    opposite = Piece(f"NOT ({positive.text})", positive.parameters)
    return joined([Piece(f"{expression} IS NULL"), opposite], "OR") if test.missing else opposite


def present(expression: str, test: Present) -> Piece:
    """Whether there is a value."""
    return Piece(f"{expression} IS {'' if test.negated else 'NOT '}NULL")


def prefix_pattern(prefix: str) -> str:
    """The LIKE pattern, with ESCAPE '!', for texts that begin with `prefix`."""
    for special in (ESCAPE, "%", "_"):
        prefix = prefix.replace(special, ESCAPE + special)
    return prefix + "%"


def after(place: Place, columns: tuple[str, str, str], mark: str, bind: Callable[[int | None], Any]) -> Piece:
    """What comes after `place` in list order. `columns`: close time (open is last), start time, run id.

    The first condition follows from the others; it is there so that an index can begin where the page begins.
    """
    close, start, run = columns
    at_close, at_start = bind(place.close_time), bind(place.start_time)
    return Piece(
        f"({close} <= {mark} AND ({close} < {mark} OR {start} < {mark} OR ({start} = {mark} AND {run} > {mark})))",
        (at_close, at_close, at_start, at_start, place.run_id),
    )
