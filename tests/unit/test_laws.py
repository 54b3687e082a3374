"""Laws that hold for any definitions, real or made up."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings

from tests.support.catalogs import released
from tests.support.definitions import definitions
from toolkit.apply.planning import recognise
from toolkit.catalog import differences, fingerprint
from toolkit.definition import Definition
from toolkit.diff import apply, diff
from toolkit.engines import ENGINES
from toolkit.errors import DefinitionError
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import Observed
from toolkit.versions import headers


def unordered(definition: Definition) -> tuple[frozenset[object], frozenset[object], frozenset[object]]:
    fields = (replace(f, since=None, renamed_from=None) for f in definition.fields)
    attributes = (replace(a, since=None, renamed_from=None) for a in definition.attributes)
    return frozenset(fields), frozenset(attributes), frozenset(definition.indexes)


@given(definitions())
def test_nothing_differs_from_itself(a: Definition) -> None:
    assert diff(a, a) == ()


@given(definitions(), definitions())
def test_a_diff_leads_from_one_definition_to_the_other(a: Definition, b: Definition) -> None:
    assert unordered(apply(a, diff(a, b))) == unordered(b)


def test_released_versions_follow_from_each_other() -> None:
    for a, b in pairwise(released()):
        assert diff(a, b)
        assert unordered(apply(a, diff(a, b))) == unordered(b)
        assert unordered(apply(b, diff(b, a))) == unordered(a)


def test_headers_are_those_of_the_definitions() -> None:
    assert headers() == tuple(definition.header for definition in released())


@pytest.mark.parametrize("name", list(ENGINES))
def test_a_store_at_a_version_needs_no_steps_and_is_recognised(name: str) -> None:
    engine = ENGINES[name]()
    chain = [d for d in released() if engine.supports(d)]
    for definition in chain:
        observed = Observed(engine.catalog(definition), engine.label(definition), "")
        steps = [s for s in engine.steps(observed, definition) if not s.id.startswith("record.")]
        assert steps == [], definition.version
        seen = recognise(engine, observed, chain, NO_OVERLAY)
        assert definition.version in seen.versions
        assert seen.foreign == ()


@pytest.mark.parametrize("name", list(ENGINES))
@settings(max_examples=60)
@given(definitions())
def test_a_catalog_knows_its_definition(name: str, definition: Definition) -> None:
    """Another attribute, or another type, is another fingerprint: the store tells what it holds."""
    engine = ENGINES[name]()
    try:
        catalog = engine.catalog(definition)
    except DefinitionError as error:
        assert error.code.startswith("TV")
        return
    part = definition.on(engine.FAMILY)
    for attribute in part.attributes:
        less = replace(definition, attributes=tuple(a for a in definition.attributes if a.name != attribute.name))
        assert fingerprint(engine.catalog(less)) != fingerprint(catalog)
        assert differences(engine.catalog(less), catalog)
