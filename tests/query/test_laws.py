"""Laws of the language: what the grammar makes is understood, what is not is refused, nothing else ever happens."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.query.test_corpus import SCOPE, entries
from tests.support import filter_grammar
from tests.support.filter_store import scope_for
from toolkit.attributes import Family
from toolkit.errors import FilterError
from toolkit.query import check, dialect, text
from toolkit.query.evaluate import judge
from toolkit.query.rules import All, Among, AnyOf, Begins, HasWord, Present, Rule, Within, decide
from toolkit.query.semantics import COMMON, Semantics
from toolkit.query.tree import Condition, Filter, Kind

GENERATED = 10_000
NAMES = scope_for(Family.SQL)


def test_ten_thousand_generated_filters_are_understood_and_keep_their_normal_form() -> None:
    chance = random.Random(20240301)
    for _ in range(GENERATED):
        given_text = filter_grammar.filter_text(chance)
        found = check.parse(given_text, NAMES)
        normal = text.write(found)
        again = check.parse(normal, NAMES)
        assert (again.condition, again.group_by) == (found.condition, found.group_by), given_text
        assert text.write(again) == normal


def test_ten_thousand_damaged_filters_are_understood_or_refused_in_place() -> None:
    chance = random.Random(7)
    refused = 0
    for _ in range(GENERATED):
        given_text = _damaged(chance, filter_grammar.filter_text(chance))
        try:
            check.parse(given_text, NAMES)
        except FilterError as error:
            refused += 1
            assert 0 <= error.start <= error.end <= len(given_text), given_text
            assert error.pointer() or not given_text
    assert refused > GENERATED / 2


def _damaged(chance: random.Random, given_text: str) -> str:
    place = chance.randrange(len(given_text))
    match chance.randrange(4):
        case 0:
            return given_text[:place] + given_text[place + chance.randrange(1, 8) :]
        case 1:
            return given_text[:place] + chance.choice(string.punctuation + "\n\0é") + given_text[place:]
        case 2:
            other = chance.randrange(len(given_text))
            return given_text[min(place, other) :] + given_text[: min(place, other)]
        case _:
            words = given_text.split()
            chance.shuffle(words)
            return " ".join(words)


@given(st.text(max_size=200))
@settings(max_examples=2000)
def test_any_text_is_understood_or_refused(given_text: str) -> None:
    try:
        check.parse(given_text, SCOPE)
    except FilterError as error:
        assert error.code.startswith("TV70")
        assert str(error)


@given(st.text(max_size=80).filter(lambda t: t.isprintable()))
@settings(max_examples=1000)
def test_any_value_survives_being_written(value: str) -> None:
    for mark in "'\"":
        escaped = value.replace("\\", "\\\\").replace(mark, mark * 2)
        found = check.parse(f"WorkflowId = {mark}{escaped}{mark}", SCOPE)
        assert check.parse(text.write(found), SCOPE).condition == found.condition
        assert getattr(found.condition, "value", None) == value


@pytest.mark.parametrize(
    "given_text",
    [
        "(" * 100_000,
        "(" * 60_000 + "Int01 = 1" + ")" * 100,
        "NOT " * 15_000 + "Int01 = 1",
        "NOT (" * 10_000 + "Int01 = 1",
        "(" * 51 + "Int01 = 1" + ")" * 51,
        "Int01 = 1 AND " * 501 + "Int01 = 1",
        "Int01 IN (" + "1," * 2000 + "1)",
        "x" * 1_000_000,
        "'" * 99_999,
        "`" * 65_535,
        "\\" * 65_000,
        "WorkflowId = '" + "\\" * 65_000,
        "-" * 60_000,
        "Int01 = " + "9" * 60_000,
        "Int01 = 1" + "0" * 5_000,
        "Int01 = 1e" + "9" * 5_000,
        "ExecutionDuration > '" + "1h" * 30_000 + "'",
        "ExecutionDuration > '" + "1" * 60_000 + "s'",
        "StartTime > '" + "2" * 60_000 + "'",
        "StartTime > '2024-01-01T00:00:00." + "1" * 60_000 + "'",
        "{" * 60_000,
        "{#" * 30_000,
        "\ud800 = 1",
        "WorkflowId = '\ud800'",
        "WorkflowId = '\0'",
        "\0",
    ],
    ids=lambda t: ascii(t[:24]),
)
def test_hostile_input_is_refused_quickly(given_text: str) -> None:
    with pytest.raises(FilterError) as caught:
        check.parse(given_text, SCOPE)
    assert len(caught.value.message) < 300


def test_the_limits_themselves_are_allowed() -> None:
    check.parse("(" * dialect.MAX_DEPTH + "Int01 = 1" + ")" * dialect.MAX_DEPTH, SCOPE)
    check.parse(" AND ".join(["Int01 = 1"] * dialect.MAX_CONDITIONS), SCOPE)
    check.parse("Int01 IN (" + ", ".join(["1"] * dialect.MAX_VALUES) + ")", SCOPE)
    check.parse("Int01 = 1" + " " * (dialect.MAX_LENGTH - 9), SCOPE)


# --- Rules say the same as the typed filter they come from, whatever the semantics.

ENGINE_LIKE = (
    COMMON,
    Semantics("everything", missing_matches=frozenset(Kind), open_is_last=True, status_by_name=True),
    Semantics("nothing"),
)


def test_negation_is_gone_and_half_open_ranges_are_turned_around() -> None:
    found = check.parse("NOT (Int01 > 5 OR NOT Customer = 'a')", NAMES)
    assert found.condition is not None
    rule = decide(found.condition, Semantics("sql"))
    assert isinstance(rule, All)
    within, among = rule.terms
    assert isinstance(within, Within)
    assert (within.low, within.high, within.below, within.negated) == (None, 5, False, False)
    assert isinstance(among, Among)
    assert not among.negated


@pytest.mark.parametrize("semantics", ENGINE_LIKE, ids=lambda s: s.name)
def test_rules_agree_with_the_evaluator(semantics: Semantics) -> None:
    from tests.support.filter_records import records

    chance = random.Random(99)
    some = list(records(120, seed=5))
    compared = 0
    for _ in range(400):
        found = check.parse(filter_grammar.condition(chance), NAMES)
        assert found.condition is not None
        plain = Filter(found.condition)
        if _has_text(found.condition):
            continue
        rule = decide(found.condition, semantics)
        wanted = judge(plain, semantics)
        for record in some:
            compared += 1
            assert _holds(rule, record, semantics) == wanted(record), found.text
    assert compared > 10_000


def _has_text(condition: Condition) -> bool:
    return "Kind.TEXT" in repr(condition)


def _holds(rule: Rule, record: object, semantics: Semantics) -> bool:
    from tests.support.filter_rules import holds

    match rule:
        case All(terms):
            return all(_holds(term, record, semantics) for term in terms)
        case AnyOf(terms):
            return any(_holds(term, record, semantics) for term in terms)
        case Among() | Within() | Begins() | HasWord() | Present():
            return holds(rule, record, semantics)


def test_every_corpus_filter_has_a_rule_under_every_semantics() -> None:
    for given_text, wanted in entries():
        if wanted.startswith("!!"):
            continue
        whole = check.parse(given_text, SCOPE).whole
        for semantics in ENGINE_LIKE:
            try:
                assert whole is None or decide(whole, semantics)
            except FilterError as error:
                assert error.code == "TV7011"
