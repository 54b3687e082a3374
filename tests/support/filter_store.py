"""A store filled with the records of `filter_records`, and the names filters have there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from tests.support import journeys
from tests.support.filter_grammar import ALIASES
from toolkit.attributes import AttributeType, Family
from toolkit.catalog import Catalog, Json
from toolkit.definition import Definition
from toolkit.engines import Client, Engine
from toolkit.engines.asking import with_own
from toolkit.engines.bound import Search
from toolkit.engines.filtering import Filters, Question
from toolkit.plan import NO_LOCK, Request, Step, StepClass
from toolkit.query.page import Page, Place
from toolkit.query.scope import Scope
from toolkit.records import Record
from toolkit.versions import find

VERSION = "1.14"
# Besides identity and times, ids in order need nothing of a record.
SLIM = frozenset({"NamespaceId", "RunId", "WorkflowId", "WorkflowType", "StartTime", "ExecutionTime", "ExecutionStatus",
                  "CloseTime"})  # fmt: skip
# Users' own attributes on a search engine, as Temporal's server maps them.
OWN = {
    "Keyword01": AttributeType.KEYWORD,
    "Keyword02": AttributeType.KEYWORD,
    "Int01": AttributeType.INT,
    "Int02": AttributeType.INT,
    "Double01": AttributeType.DOUBLE,
    "Bool01": AttributeType.BOOL,
    "Datetime01": AttributeType.DATETIME,
    "Text01": AttributeType.TEXT,
    "KeywordList01": AttributeType.KEYWORD_LIST,
}
_MAPPED: dict[AttributeType, Json] = {
    AttributeType.KEYWORD: {"type": "keyword"},
    AttributeType.KEYWORD_LIST: {"type": "keyword"},
    AttributeType.TEXT: {"type": "text"},
    AttributeType.INT: {"type": "long"},
    AttributeType.DOUBLE: {"type": "scaled_float", "scaling_factor": 10000},
    AttributeType.BOOL: {"type": "boolean"},
    AttributeType.DATETIME: {"type": "date_nanos"},
}


@cache
def definition() -> Definition:
    """The definition that records are written and read with."""
    return find(VERSION)


@cache
def slim(engine: str) -> Definition:
    """The definition to ask with when only identity, order and times of the answers matter."""
    whole = definition()
    # ClickHouse reads a column for each attribute; SQL engines have one map, which is a field.
    attributes = () if engine == "clickhouse" else whole.attributes
    return replace(whole, fields=tuple(f for f in whole.fields if f.name in SLIM), attributes=attributes)


@cache
def extended(family: Family) -> Definition:
    """The definition with the users' own attributes that the test's search engine has."""
    catalog = Catalog("any", {"properties": {name: _MAPPED[kind] for name, kind in OWN.items()}})
    return with_own(definition(), family, catalog, OWN)[0]


@cache
def scope_for(family: Family) -> Scope:
    """The names of the test's namespace in a store of `family`."""
    return Scope.of(extended(family), family, ALIASES)


def prepare(engine: Engine, client: Client, records: Sequence[Record], url: str) -> None:
    """Create the schema in an empty store and write `records`."""
    journeys.upgrade(engine, client, definition())
    if engine.FAMILY is Family.ELASTICSEARCH:
        client.execute(_own_fields(url.rpartition("/")[2]))
    for _ in client.write(definition(), records):
        pass


def _own_fields(index: str) -> Step:
    properties: dict[str, Json] = {name: _MAPPED[kind] for name, kind in OWN.items()}
    request = Request("PUT", f"/{index}/_mapping", {"properties": properties})
    return Step("own", "own fields", "tests", StepClass.METADATA, NO_LOCK, (request,), (), ())


def few(statement: Any, fields: Collection[str] | None) -> Any:
    """The same question; a search engine's documents come with `fields` only."""
    if fields is None or not isinstance(statement, Search):
        return statement
    return replace(statement, body={**statement.body, "_source": sorted(fields)})


def walk(
    engine: Filters, client: Any, question: Question, limit: int, fields: Collection[str] | None = None
) -> list[Record]:
    """All records of a listing, page by page; `fields`: a search engine's documents come with these only."""
    found: list[Record] = []
    after: Place | None = None
    while True:
        page = engine.records(question, client.ask(few(engine.listing(question, Page(limit, after)), fields)))
        found += page
        if len(page) < limit:
            return found
        after = Place.of(page[-1])
