"""List Filters on Elasticsearch and OpenSearch: a Question as a search body, and answers as records and counts.

Pure; what comes from outside is only ever a value in the body, never a name or a part of a script.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, assert_never

from toolkit.attributes import STATUS_NAMES
from toolkit.engines.bound import Search
from toolkit.engines.elasticsearch import documents
from toolkit.engines.elasticsearch.layout import label
from toolkit.engines.elasticsearch.typemap import Layout, Statuses, Times, profile
from toolkit.engines.filtering import Explained, Question, Rows, Statement
from toolkit.query.page import Page, Place
from toolkit.query.rules import All, Among, AnyOf, Begins, HasWord, Operand, Present, Rule, Within, decide
from toolkit.query.semantics import ALL_KINDS, SECOND, Doubles, Semantics, Words
from toolkit.query.semantics import Times as Given
from toolkit.query.tree import Column, Kind
from toolkit.records import Moment, Record, rfc3339

SEMANTICS = Semantics(
    name="elasticsearch",
    missing_matches=ALL_KINDS,
    words=Words.STANDARD,
    # The server writes no fraction where there is none, and a search engine takes such a time for the whole second.
    fields=Given(seconds=True),
    attributes=Given(seconds=True),
    doubles=Doubles(scale=4, equal_rounded=True),
    status_by_name=True,
)
# What a date_nanos field can hold: 1970-01-01 to 2262-04-11. Later moments are later than everything, and so on.
_LAST_MOMENT = 2**63 - 1
# More values than any of the fields that may be grouped by has.
_GROUPS = 10_000

Query = Mapping[str, Any]
_NOTHING: Query = {"match_none": {}}
_EVERYTHING: Query = {"match_all": {}}


def listing(question: Question, page: Page) -> Statement:
    """See `Filters.listing`."""
    names = _Names(question)
    filters = [_where(question, names)]
    if page.after:
        filters.append(_after(page.after, names))
    close, start, run = (names.field(name) for name in ("CloseTime", "StartTime", "RunId"))
    order = [{close: {"order": "desc", "missing": "_first"}}, {start: {"order": "desc"}}, {run: {"order": "asc"}}]
    query = {"bool": {"filter": filters}}
    body = {"size": page.limit, "query": query, "sort": order, "version": True, "track_total_hits": False}
    return Search("_search", body)


def counting(question: Question) -> Statement:
    """See `Filters.counting`."""
    names = _Names(question)
    query = _where(question, names)
    if question.filter.group_by is None:
        return Search("_count", {"query": query})
    terms = {"field": names.column(question.filter.group_by), "missing_bucket": True}
    groups = {"composite": {"size": _GROUPS, "sources": [{"value": {"terms": terms}}]}}
    return Search("_search", {"size": 0, "track_total_hits": False, "query": query, "aggs": {"groups": groups}})


def explaining(statement: Statement) -> Statement:
    """See `Filters.explaining`."""
    assert isinstance(statement, Search)
    return Search("_validate/query?explain=true", {"query": statement.body["query"]})


def records(question: Question, rows: Rows) -> list[Record]:
    """See `Filters.records`."""
    form = documents.Form.of(question.definition, profile(), several=True)
    return [form.record(hit) for hit in rows[0]["hits"]["hits"]]


def counts(question: Question, rows: Rows) -> dict[object, int]:
    """See `Filters.counts`."""
    column, answer = question.filter.group_by, rows[0]
    if column is None:
        return {None: int(answer["count"])}
    found: dict[object, int] = {}
    for bucket in answer["aggregations"]["groups"]["buckets"]:
        key = bucket["key"]["value"]
        if column.kind is Kind.STATUS and key is not None:
            key = documents.status_number(key)
        # Every unknown name is the same status.
        found[key] = found.get(key, 0) + int(bucket["doc_count"])
    return found


def explained(question: Question, rows: Rows) -> Explained:
    """See `Filters.explained`. Every field that the mapping has is indexed."""
    names = [f.name for f in question.definition.fields] + [a.name for a in question.definition.attributes]
    return Explained(rows[0].get("explanations", []), frozenset(names))


class _Names:
    """What documents of a definition call columns, and how they hold times and statuses."""

    def __init__(self, question: Question) -> None:
        self.layout: Layout = profile().layout(label(question.definition))
        self._seconds = question.semantics.fields.seconds

    def field(self, name: str) -> str:
        return self.layout.member(name)

    def column(self, column: Column) -> str:
        member = self.layout.member(column.name)
        return f"{self.layout.inside}.{member}" if self.layout.inside and not column.is_field else member

    def time(self, nanoseconds: int) -> str | int:
        # All nine digits: a search engine fills missing ones up at the upper end of a range.
        if self.layout.times is Times.NANOSECONDS:
            return nanoseconds
        whole, _, fraction = rfc3339(nanoseconds).removesuffix("Z").partition(".")
        return f"{whole}.{fraction.ljust(9, '0')}Z"

    def value(self, column: Column, value: Operand) -> Any:
        match value:
            case Moment(nanoseconds) if (
                self._seconds and nanoseconds % SECOND == 0 and self.layout.times is Times.RFC3339
            ):
                return rfc3339(nanoseconds)
            case Moment(nanoseconds):
                return self.time(nanoseconds)
            case Decimal():
                return float(value)
            case int() if column.kind is Kind.STATUS and self.layout.statuses is Statuses.NAME:
                return STATUS_NAMES[value]
            case _:
                return value


def _where(question: Question, names: _Names) -> Query:
    namespace: Query = {"term": {names.field("NamespaceId"): question.namespace_id}}
    whole = question.filter.whole
    if whole is None:
        return {"bool": {"filter": [namespace]}}
    return {"bool": {"filter": [namespace, _query(decide(whole, question.semantics), names)]}}


def _query(rule: Rule, names: _Names) -> Query:
    match rule:
        case All(terms):
            return {"bool": {"filter": [_query(term, names) for term in terms]}} if terms else _EVERYTHING
        case AnyOf(terms):
            return _any([_query(term, names) for term in terms])
        case Present(column, negated):
            exists = _exists(column, names)
            return {"bool": {"must_not": [exists]}} if negated else exists
        case _:
            return _negated(_positive(rule, names), rule, names)


def _negated(positive: Query, test: Among | Within | Begins | HasWord, names: _Names) -> Query:
    """A search engine's `must_not` finds what lacks the field, too; when that is not wanted, it must exist."""
    if not test.negated:
        return positive
    opposite: dict[str, Any] = {"must_not": [positive]}
    return {"bool": opposite if test.missing else {"filter": [_exists(test.column, names)], **opposite}}


def _positive(test: Among | Within | Begins | HasWord, names: _Names) -> Query:
    field = names.column(test.column)
    match test:
        case Begins(prefix=prefix):
            return {"prefix": {field: {"value": prefix}}}
        case HasWord(text=text):
            return {"match": {field: {"query": text}}}
        case Among(values=values):
            kept = [names.value(test.column, value) for value in values if _storable(value, names)]
            return {"terms": {field: kept}} if kept else _NOTHING
        case Within():
            return _range(field, test, names)
        case _:
            assert_never(test)


def _range(field: str, test: Within, names: _Names) -> Query:
    bounds: dict[str, Any] = {}
    low, high = test.low, test.high
    if (low is not None and _too_late(low, names)) or (high is not None and _too_early(high, names)):
        return _NOTHING
    if low is not None and not _too_early(low, names):
        bounds["gt" if test.above else "gte"] = names.value(test.column, low)
    if high is not None and not _too_late(high, names):
        bounds["lt" if test.below else "lte"] = names.value(test.column, high)
    return {"range": {field: bounds}} if bounds else _exists(test.column, names)


def _storable(value: Operand, names: _Names) -> bool:
    return not _too_early(value, names) and not _too_late(value, names)


def _too_early(value: Operand, names: _Names) -> bool:
    return isinstance(value, Moment) and names.layout.times is Times.RFC3339 and value.nanoseconds < 0


def _too_late(value: Operand, names: _Names) -> bool:
    return isinstance(value, Moment) and names.layout.times is Times.RFC3339 and value.nanoseconds > _LAST_MOMENT


def _exists(column: Column, names: _Names) -> Query:
    return {"exists": {"field": names.column(column)}}


def _any(queries: list[Query]) -> Query:
    return {"bool": {"should": queries, "minimum_should_match": 1}} if queries else _NOTHING


def _after(place: Place, names: _Names) -> Query:
    """What comes after `place` in list order: open ones (which have no close time) first."""
    close, start, run = (names.field(name) for name in ("CloseTime", "StartTime", "RunId"))
    at_start = names.time(place.start_time)
    later: list[Query] = [
        {"range": {start: {"lt": at_start}}},
        {"bool": {"filter": [{"term": {start: at_start}}, {"range": {run: {"gt": place.run_id}}}]}},
    ]
    closed: Query = {"exists": {"field": close}}
    if place.close_time is None:
        return _any([closed, {"bool": {"must_not": [closed], "filter": [_any(later)]}}])
    at_close = names.time(place.close_time)
    same: Query = {"bool": {"filter": [{"term": {close: at_close}}, _any(later)]}}
    return _any([{"range": {close: {"lt": at_close}}}, same])
