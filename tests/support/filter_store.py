"""A store filled with the records of `filter_records`, and the names filters have there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from tests.support import journeys
from tests.support.filter_grammar import ALIASES
from toolkit.attributes import Family
from toolkit.definition import Definition
from toolkit.engines import Client, Engine
from toolkit.query.scope import Scope
from toolkit.records import Record
from toolkit.versions import find

VERSION = "1.14"


@cache
def store_definition(family: Family) -> Definition:
    """The definition that records are written and read with."""
    return find(VERSION)


@cache
def scope_for(family: Family) -> Scope:
    """The names of the test's namespace in a store of `family`."""
    return Scope.of(store_definition(family), family, ALIASES)


def prepare(engine: Engine, client: Client, definition: Definition, records: Sequence[Record]) -> None:
    """Create the schema in an empty store and write `records`."""
    journeys.upgrade(engine, client, definition)
    for _ in client.write(definition, records):
        pass
