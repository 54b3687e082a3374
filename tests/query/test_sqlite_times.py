"""Datetime attributes on SQLite, whose generated columns round fractions of a second, in each library in its way.

Under the common meaning a filter is answered by what was written, to the nanosecond; under SQLite's own, by the column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.support import journeys
from tests.support.filter_records import HOUR, NAMESPACES, records
from tests.support.filter_store import definition, prepare, scope_for
from toolkit.attributes import Family
from toolkit.engines import Client, asking
from toolkit.engines.filtering import Question
from toolkit.engines.sqlite import filters
from toolkit.query import check, evaluate
from toolkit.query.semantics import COMMON, Semantics
from toolkit.records import AttributeValue, Moment, Record, rfc3339

MINUTE = 1_709_251_200_000_000_000
# Digits behind the seconds: none, closing zeros, halves of milliseconds and their neighbours, all but the next second.
FRACTIONS = (0, 1, 499_999, 500_000, 500_001, 1_500_000, 123_499_999, 123_500_000, 500_000_000, 998_500_000,
             999_000_000, 999_499_999, 999_500_000, 999_600_000, 999_999_999)  # fmt: skip
SECONDS = (1, 59)
MOMENTS = [MINUTE + second * 10**9 + fraction for second in SECONDS for fraction in FRACTIONS]
BOUNDS = [moment + by for moment in MOMENTS for by in (-500_000, 0, 1_000)]
CONDITIONS = (
    "= {}",
    "!= {}",
    "< {}",
    "<= {}",
    "> {}",
    ">= {}",
    "BETWEEN {} AND {}",
    "NOT BETWEEN {} AND {}",
    "IN ({}, {})",
)


# SQLite's own meaning leaves it open where a half goes.
HALVES = (500_000, 1_500_000, 123_500_000, 998_500_000, 999_500_000)

pytestmark = pytest.mark.short


def kept(moments: Sequence[int]) -> list[Record]:
    """A record for each moment, and one without any."""
    attributes: list[dict[str, AttributeValue]] = [{"Datetime01": Moment(moment)} for moment in moments]
    return [
        replace(record, namespace_id=NAMESPACES[0], attributes=own)
        for record, own in zip(records(len(moments) + 1), [*attributes, {}], strict=True)
    ]


@contextmanager
def filled(handle: EmbeddedHandle, wanted: Sequence[Record]) -> Iterator[Client]:
    with journeys.opened(handle.url) as (engine, client):
        prepare(engine, client, wanted, handle.url)
        yield client


def wrong(client: Client, wanted: Sequence[Record], semantics: Semantics, bounds: Sequence[int]) -> list[str]:
    """Filters that do not find the records which the rules say; at least one finds some and not all."""
    found, telling = [], 0
    for bound in bounds:
        for form in CONDITIONS:
            text = "Datetime01 " + form.format(*(f"'{rfc3339(bound + by)}'" for by in (0, 999_501_000)))
            asked = check.parse(text, scope_for(Family.SQL))
            question = Question(definition(), NAMESPACES[0], asked, semantics)
            got = [r.run_id for r in asking.listing(filters, client, question, 100).records]
            right = [r.run_id for r in evaluate.listing(asked, wanted, semantics)]
            found += [] if got == right else [text]
            telling += 0 < len(right) < len(wanted)
    assert telling
    return found


def test_the_common_meaning_is_exact(sqlite: EmbeddedHandle) -> None:
    wanted = kept(MOMENTS)
    with filled(sqlite, wanted) as client:
        assert wrong(client, wanted, COMMON, BOUNDS) == []


def test_sqlites_own_meaning_is_that_of_a_new_library(sqlite: EmbeddedHandle) -> None:
    wanted = kept([moment for moment in MOMENTS if moment % 10**9 not in HALVES])
    with filled(sqlite, wanted) as client:
        assert wrong(client, wanted, filters.SEMANTICS, BOUNDS) == []


@pytest.mark.parametrize("hours", [-11])
def test_times_that_were_written_with_an_offset(sqlite: EmbeddedHandle, hours: int) -> None:
    """Temporal keeps the offset of a client. Nor does it matter what a fraction of a second ends with."""
    wanted = kept(MOMENTS)
    with filled(sqlite, wanted) as client:
        texts = {rfc3339(m): f"{rfc3339(m + hours * HOUR).removesuffix('Z')}{hours:+03}:00" for m in MOMENTS}
        client._connection.executemany(  # type: ignore[attr-defined]
            "UPDATE executions_visibility SET search_attributes = replace(search_attributes, ?, ?)",
            [(f'"{before}"', f'"{after}"') for before, after in texts.items()],
        )
        assert wrong(client, wanted, COMMON, BOUNDS) == []
