"""Many filters over many records: each comparison is judged once for each value that its column has.

The judge of a comparison is the evaluator; here is only what AND, OR and NOT make of such judgements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolkit.query import evaluate
from toolkit.query.semantics import Semantics
from toolkit.query.tree import And, Column, Condition, Filter, Not, Or
from toolkit.records import Record

# 1 true, -1 false, 0 left open by a missing value: NOT turns the sign, AND is the least, OR the greatest.
Truths: TypeAlias = NDArray[np.int8]
Chosen: TypeAlias = NDArray[np.bool_]
_SIGN = {True: 1, False: -1, None: 0}


@dataclass(frozen=True)
class _Values:
    """A column: for each record the number of its value, and of each value one record that has it."""

    numbers: NDArray[np.int64]
    examples: Sequence[Record]


class Sheet:
    """Records in list order, which answer many filters."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._columns: dict[Column, _Values] = {}

    def chosen(self, found: Filter, semantics: Semantics) -> Chosen:
        """For each record, whether `found` asks for it."""
        if found.whole is None:
            return np.ones(len(self._records), bool)
        return self._truths(found.whole, semantics) == 1

    def count(self, found: Filter, chosen: Chosen) -> dict[Any, int]:
        """See `evaluate.count`."""
        if found.group_by is None:
            return {None: int(chosen.sum())} if chosen.any() else {}
        column, value = self._column(found.group_by), evaluate.reader(found.group_by)
        counts = np.bincount(column.numbers[chosen], minlength=len(column.examples))
        return {value(example): int(number) for example, number in zip(column.examples, counts, strict=True) if number}

    def first(self, chosen: Chosen, number: int) -> list[str]:
        """The run ids of the first `number` records."""
        return [self._records[place].run_id for place in np.flatnonzero(chosen)[:number]]

    def _truths(self, node: Condition, semantics: Semantics) -> Truths:
        match node:
            case Not(term):
                return -self._truths(term, semantics)
            case And(terms):
                return reduce(np.minimum, (self._truths(term, semantics) for term in terms))
            case Or(terms):
                return reduce(np.maximum, (self._truths(term, semantics) for term in terms))
            case _:
                column, truth = self._column(node.column), evaluate.truth(node, semantics)
                return np.array([_SIGN[truth(example)] for example in column.examples], np.int8)[column.numbers]

    def _column(self, column: Column) -> _Values:
        if column not in self._columns:
            value, known, examples = evaluate.reader(column), dict[Any, int](), list[Record]()
            numbers = np.empty(len(self._records), np.int64)
            for place, record in enumerate(self._records):
                actual = value(record)
                if actual not in known:
                    known[actual] = len(known)
                    examples.append(record)
                numbers[place] = known[actual]
            self._columns[column] = _Values(numbers, examples)
        return self._columns[column]
