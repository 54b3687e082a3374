"""A filter that is said to mean the same under two semantics does, on every record made to trip it."""

from __future__ import annotations

import random
from itertools import permutations

from tests.support import filter_grammar
from tests.support.filter_records import NAMESPACES, records
from tests.support.filter_store import extended, scope_for
from toolkit.attributes import Family
from toolkit.check.meaning import REASONS, differences
from toolkit.engines.filtering import FILTERS, filters
from toolkit.query import check, evaluate
from toolkit.query.semantics import COMMON

SEMANTICS = [filters(name).SEMANTICS for name in FILTERS] + [COMMON]


def test_nothing_differs_that_is_not_told() -> None:
    chance = random.Random(11)
    sample = [r for r in records(400) if r.namespace_id == NAMESPACES[0]]
    told = same = 0
    for _ in range(300):
        found = check.parse(filter_grammar.condition(chance), scope_for(Family.SQL))
        texts = any("Text01" in part for part in (found.text,))
        answers = {
            s.name: [evaluate.judge(found, s)(r) for r in sample] for s in SEMANTICS if not (texts and s.words is None)
        }
        for before, after in permutations((s for s in SEMANTICS if s.name in answers), 2):
            codes = differences(found, before, after)
            assert set(codes) <= REASONS.keys()
            if answers[before.name] != answers[after.name]:
                assert codes, (before.name, after.name, found.text)
                told += 1
            elif not codes:
                same += 1
    assert told > 500
    assert same > 500


def test_each_difference_is_told_by_its_code() -> None:
    by_name = {s.name: s for s in SEMANTICS}
    cases = [
        ("Keyword01 != 'a'", "postgresql", "elasticsearch", "TV8032"),
        ("NOT (Keyword01 = 'a')", "postgresql", "elasticsearch", "TV8032"),
        ("NOT (Keyword01 != 'a')", "postgresql", "elasticsearch", None),
        ("Keyword01 = 'Abc'", "postgresql", "mysql", "TV8030"),
        ("Keyword01 = '123'", "postgresql", "mysql", None),
        ("WorkflowId STARTS_WITH 'Ab'", "postgresql", "sqlite", "TV8030"),
        ("WorkflowId > 'Ab'", "postgresql", "mysql", "TV8037"),
        ("Text01 = 'fox'", "postgresql", "mysql", "TV8031"),
        ("CloseTime >= '2026-01-01T00:00:00Z'", "postgresql", "elasticsearch", "TV8035"),
        ("CloseTime < '2026-01-01T00:00:00Z'", "postgresql", "elasticsearch", None),
        ("StartTime < '2026-01-01T00:00:00Z'", "postgresql", "elasticsearch", None),
        ("StartTime = '2026-01-01T00:00:00.5Z'", "postgresql", "elasticsearch", "TV8015"),
        ("Double01 > 1.5", "postgresql", "elasticsearch", "TV8014"),
        ("Double01 = 1.5", "postgresql", "mysql", None),
        ("ExecutionStatus > 'Running'", "postgresql", "elasticsearch", "TV8036"),
        ("ExecutionStatus = 'Running'", "postgresql", "elasticsearch", None),
        ("Int01 > 5 AND Bool01 = TRUE AND Keyword01 IS NULL", "postgresql", "elasticsearch", None),
    ]
    for given, before, after, code in cases:
        found = check.parse(given, scope_for(Family.SQL))
        assert differences(found, by_name[before], by_name[after]) == ((code,) if code else ()), given
    assert {code for *_, code in cases if code} == set(REASONS)


def test_the_search_engine_of_the_test_has_the_names_it_needs() -> None:
    assert {a.name for a in extended(Family.ELASTICSEARCH).attributes} >= {"Keyword01", "Text01", "Double01"}
