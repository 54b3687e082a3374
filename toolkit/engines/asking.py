"""Ask a store a question and understand the answer: a page of records, exact counts, or how the engine would do it.

It sends what an engine's filters say and hands back values; it decides nothing about meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from toolkit.attributes import AttributeType, Family, Group
from toolkit.catalog import Catalog, Json
from toolkit.definition import Definition, SearchAttribute
from toolkit.engines.bound import BoundSql, Search
from toolkit.engines.filtering import Asking, Filters, Question
from toolkit.query import page
from toolkit.query.page import Page, Place
from toolkit.query.tree import columns
from toolkit.records import Record

# Mapping types of a search engine → attribute types. A keyword field may hold one value or many; nothing tells.
_MAPPED: Mapping[str, AttributeType] = {
    "keyword": AttributeType.KEYWORD,
    "text": AttributeType.TEXT,
    "long": AttributeType.INT,
    "double": AttributeType.DOUBLE,
    "scaled_float": AttributeType.DOUBLE,
    "boolean": AttributeType.BOOL,
    "date_nanos": AttributeType.DATETIME,
    "date": AttributeType.DATETIME,
}


@dataclass(frozen=True, slots=True)
class Listing:
    """One page; `next_token` asks for what follows, None at the end."""

    records: tuple[Record, ...]
    next_token: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is sent (values left out of SQL), the engine's own plan, and what to know about it."""

    statement: Json
    plan: Json
    notes: tuple[str, ...]


def listing(filters: Filters, client: Asking, question: Question, limit: int, token: str | None = None) -> Listing:
    """The page after `token`. Raises UsageError for a token that is not of this question, EngineError."""
    after = page.read(token, question.mark) if token is not None else None
    # One more than wanted tells whether anything follows.
    rows = client.ask(filters.listing(question, Page(limit + 1, after)))
    found = filters.records(question, rows)
    more = len(found) > limit
    kept = tuple(found[:limit])
    return Listing(kept, page.write(Place.of(kept[-1]), question.mark) if more else None)


def count(filters: Filters, client: Asking, question: Question) -> dict[object, int]:
    """The exact number by value of GROUP BY; without it, under None. Raises EngineError."""
    return filters.counts(question, client.ask(filters.counting(question)))


def explain(filters: Filters, client: Asking, question: Question, limit: int | None) -> Explanation:
    """How the engine would answer `listing` (with `limit`) or `count` (None). Raises EngineError."""
    statement = filters.counting(question) if limit is None else filters.listing(question, Page(limit))
    found = filters.explained(question, client.ask(filters.explaining(statement)))
    sent: Json = statement.text if isinstance(statement, BoundSql) else _plain(statement)
    return Explanation(sent, found.plan, tuple(_notes(question, found.served)))


def _plain(statement: Search) -> Json:
    return {"path": statement.path, "body": dict(statement.body)}


def _notes(question: Question, served: frozenset[str]) -> Iterator[str]:
    """Said only when no index narrows the search down: one that does is enough for AND, and OR is the engine's art."""
    named = {column.name: column.shown for column in columns(question.filter.condition)}
    if named and not served & named.keys():
        yield (
            f"No index serves this filter ({', '.join(named.values())}): every record of the namespace is looked at, "
            "in list order until the page is full."
        )


def with_own(
    definition: Definition, family: Family, catalog: Catalog, given: Mapping[str, AttributeType]
) -> tuple[Definition, Definition]:
    """`definition` with the attributes that users of a search engine have under their own names: once for filters, once
    for reading. `given` says what the mapping does not: whether a keyword field is a Keyword or a KeywordList."""
    if family is not Family.ELASTICSEARCH:
        return definition, definition
    known = {f.name for f in definition.fields} | {a.name for a in definition.on(family).attributes}
    mapped = {name: _mapped(facts) for name, facts in catalog.children(("properties",)).items() if name not in known}
    found = {name: given.get(name, kind) for name, kind in mapped.items() if kind}
    # Read as a list, a single value is a list of one; the other way round it would be an error.
    several = {
        name: AttributeType.KEYWORD_LIST if kind is AttributeType.KEYWORD and name not in given else kind
        for name, kind in found.items()
    }
    return _extended(definition, found), _extended(definition, several)


def with_named(definition: Definition, family: Family, aliases: Mapping[str, str], seen: bool) -> Definition:
    """`definition` with the attributes that a search engine keeps under the namespace's own names, where other stores
    have the field that `aliases` (name → field) tells. Unless `seen` (the definition has all that is in a store) they
    are taken to be there, of the field's type. What a mapping calls a keyword is a list where the field is one."""
    if family is not Family.ELASTICSEARCH:
        return definition
    part = definition.on(family)
    there = {f.name: None for f in part.fields} | {a.name: a for a in part.attributes}
    types = {a.name: a.type for a in definition.attributes}
    own = {name: types[field] for name, field in aliases.items() if field in types and field not in there}
    added = {} if seen else {name: kind for name, kind in own.items() if name not in there}
    lists = {name for name, kind in own.items() if kind is AttributeType.KEYWORD_LIST and _may_be_list(there.get(name))}
    return _extended(definition, added | dict.fromkeys(lists, AttributeType.KEYWORD_LIST))


def _may_be_list(attribute: SearchAttribute | None) -> bool:
    return attribute is not None and (attribute.group, attribute.type) == (Group.CUSTOM, AttributeType.KEYWORD)


def _mapped(facts: Json) -> AttributeType | None:
    return _MAPPED.get(str(facts.get("type"))) if isinstance(facts, dict) else None


def _extended(definition: Definition, own: Mapping[str, AttributeType]) -> Definition:
    stores = frozenset({Family.ELASTICSEARCH})
    added = tuple(SearchAttribute(name, kind, Group.CUSTOM, None, stores) for name, kind in own.items())
    kept = tuple(a for a in definition.attributes if a.name not in own)
    return replace(definition, attributes=kept + added)
