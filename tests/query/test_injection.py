"""Nothing from outside becomes part of a statement: values are parameters, names are looked up, tokens are checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from tests.support import filter_injections as corpus
from tests.support.filter_store import definition, scope_for
from toolkit.attributes import Family
from toolkit.engines import engine
from toolkit.engines.bound import BoundSql
from toolkit.engines.filtering import FILTERS, Question, filters
from toolkit.errors import FilterError, UsageError
from toolkit.query import check, page
from toolkit.query.page import Page, Place
from toolkit.query.semantics import COMMON
from toolkit.query.text import write

TEMPLATES = (
    "WorkflowId = {}", "Keyword01 != {}", "Keyword01 IN ({}, 'b')", "Keyword01 > {}", "Keyword01 BETWEEN {} AND {}",
    "Keyword01 STARTS_WITH {}", "Keyword01 NOT STARTS_WITH {}", "KeywordList01 = {}", "KeywordList01 NOT IN ({}, {})",
    "Text01 = {}", "Text01 != {}", "ScheduleId = {}", "TemporalNamespaceDivision = {}",
)  # fmt: skip
VALUES, NAMES, TOKENS = list(corpus.values()), list(corpus.names()), list(corpus.tokens())


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def test_the_corpus_is_large() -> None:
    assert len(VALUES) >= 200
    assert len({*VALUES, *NAMES, *TOKENS}) >= 400


def questions(template: str, value: str, name: str) -> Iterator[Question]:
    chosen = filters(name)
    family = engine(name).FAMILY
    for semantics in (chosen.SEMANTICS, COMMON):
        found = check.parse(template.replace("{}", quoted(value)), scope_for(family))
        if semantics.words is None and "Text01" in template:
            continue
        yield Question(definition(), value, found, semantics)


def statement_text(template: str, value: str, name: str) -> list[str]:
    chosen = filters(name)
    place = Place(5, 5, value)
    texts = []
    for question in questions(template, value, name):
        for statement in (chosen.listing(question, Page(10, place)), chosen.counting(question)):
            if isinstance(statement, BoundSql):
                texts.append(statement.text)
            else:
                texts.append(json.dumps(_shape(statement.body)))
    return texts


def _shape(body: object) -> object:
    """A search body with every value (but not its members' names) taken out."""
    if isinstance(body, Mapping):
        return {str(k): _shape(v) for k, v in body.items()}
    return [_shape(v) for v in body[:1]] if isinstance(body, list) else None


@pytest.mark.parametrize("name", FILTERS)
def test_values_never_change_the_statement(name: str) -> None:
    for template in TEMPLATES:
        # The number of words and the emptiness of a text may shape a statement; their content may not.
        expected: dict[object, list[str]] = {}
        for value in VALUES:
            if template.startswith("Text01") and not value.strip():
                continue
            texts = statement_text(template, value, name)
            shape = tuple(text.count("hasToken") for text in texts), tuple("1 = 0" in text for text in texts)
            assert texts == expected.setdefault(shape, texts), (template, value)
        assert len(expected) < 12


@pytest.mark.parametrize("family", Family)
def test_names_are_looked_up_and_nothing_else(family: Family) -> None:
    scope = scope_for(family)
    for name in NAMES:
        given = "`" + name.replace("`", "``") + "`"
        for template in ("{} = 'x'", "{} IS NULL", "GROUP BY {}", "NOT ({} IN ('a'))"):
            with pytest.raises(FilterError):
                check.parse(template.replace("{}", given), scope)


def test_values_are_kept_as_they_are() -> None:
    scope = scope_for(Family.SQL)
    for value in VALUES:
        found = check.parse(f"WorkflowId = {quoted(value)}", scope)
        assert getattr(found.condition, "value", None) == value
        assert check.parse(write(found), scope).condition == found.condition


def test_tokens_are_refused() -> None:
    for token in TOKENS:
        with pytest.raises(UsageError) as caught:
            page.read(token, "0" * 16)
        assert caught.value.code == "TV7012"


def test_aliases_name_columns_only() -> None:
    from toolkit.query.scope import Scope

    for name in NAMES:
        with pytest.raises(UsageError) as caught:
            Scope.of(definition(), Family.SQL, {"x": name})
        assert caught.value.code == "TV7014"
        harmless = Scope.of(definition(), Family.SQL, {name: "Keyword05", "Plain": "Keyword05"})
        found = check.parse("`" + name.replace("`", "``") + "` = 'x'", harmless)
        plain = check.parse("Plain = 'x'", harmless)
        for engine_name in FILTERS:
            counting = filters(engine_name).counting
            statement = counting(Question(definition(), "n", found, COMMON))
            assert statement == counting(Question(definition(), "n", plain, COMMON))
