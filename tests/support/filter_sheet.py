"""Many filters over many records: records that are alike in everything a filter looks at are judged once.

The judge is the evaluator; here is only which records it need not see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from toolkit.engines.asking import columns
from toolkit.query import evaluate
from toolkit.query.semantics import Semantics
from toolkit.query.tree import Column, Filter
from toolkit.records import Record


@dataclass(frozen=True)
class Alike:
    """The records in list order, and for each the number of its group: `groups` has one record of each, and how many
    there are."""

    records: Sequence[Record]
    group: Sequence[int]
    groups: Sequence[tuple[Record, int]]

    def wanted(self, found: Filter, semantics: Semantics) -> list[bool]:
        """For each group, whether `found` asks for it."""
        judge = evaluate.judge(found, semantics)
        return [judge(record) for record, _ in self.groups]

    def count(self, found: Filter, wanted: Sequence[bool]) -> dict[Any, int]:
        """See `evaluate.count`."""
        value = evaluate.reader(found.group_by) if found.group_by else lambda _: None
        counts: Counter[Any] = Counter()
        for (record, number), asked in zip(self.groups, wanted, strict=True):
            if asked:
                counts[value(record)] += number
        return dict(counts)

    def first(self, wanted: Sequence[bool], number: int) -> list[str]:
        """The run ids of the first `number` records."""
        found = (record.run_id for record, group in zip(self.records, self.group, strict=True) if wanted[group])
        return list(islice(found, number))


class Sheet:
    """Records in list order, and their values column by column."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._columns: dict[Column, list[Any]] = {}

    def alike(self, found: Filter) -> Alike:
        """The records by what `found` looks at."""
        looked = {*columns(found.whole), *([found.group_by] if found.group_by else ())}
        numbers: dict[tuple[Any, ...], int] = {}
        # Without a column there is one group, and nothing to tell records by.
        values = zip(*map(self._column, looked), strict=True) if looked else iter([()] * len(self._records))
        group = [numbers.setdefault(value, len(numbers)) for value in values]
        sizes = Counter(group)
        first = dict(zip(reversed(group), reversed(self._records), strict=True))
        return Alike(self._records, group, [(first[number], sizes[number]) for number in range(len(numbers))])

    def _column(self, column: Column) -> list[Any]:
        if column not in self._columns:
            self._columns[column] = list(map(evaluate.reader(column), self._records))
        return self._columns[column]
