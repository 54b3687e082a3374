"""Elasticsearch and OpenSearch: two indices with a field for each pair of types."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from tests.engines.http import HttpError, call
from tests.support.type_changes.base import NAME, Refusal, Type, number
from tests.support.type_values import Holds
from toolkit.engines.attribute_json import parse_rfc3339, to_json
from toolkit.engines.elasticsearch.typemap import profile as search_profile
from toolkit.records import AttributeValue, Moment


class Search:
    """Two indices with a field for each pair of types; documents are copied as `_reindex` copies them."""

    name = "elasticsearch"

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        base = f"http://{parts.hostname}:{parts.port}"
        prefix = parts.path.strip("/")
        self._old, self._new = f"{base}/{prefix}_old", f"{base}/{prefix}_new"
        for index, which in ((self._old, 0), (self._new, 1)):
            properties = {
                f"{a.value}_{b.value}": dict(search_profile().layouts[0].attributes[(a, b)[which]])
                for a in Type
                for b in Type
            }
            self._call("PUT", index, {"mappings": {"dynamic": "false", "properties": properties},
                                      "settings": {"number_of_replicas": 0}})  # fmt: skip

    def _call(self, method: str, url: str, body: Any = None) -> Any:
        try:
            lines = body if isinstance(body, list) else [] if body is None else [body]
            sent = "".join(json.dumps(line) + "\n" for line in lines).encode() or None
            return json.loads(call(method, url, sent, {"Content-Type": "application/json"}, 60) or b"{}")
        except HttpError as error:
            raise Refusal(str(error)) from None

    def write(self, kind: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        return self._put(self._old, kind, kind, kind, values)

    def change(self, before: Type, after: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        try:
            self._put(self._old, before, after, before, values)
        except Refusal as error:
            raise Refusal(f"write: {error}") from None
        return self._put(self._new, before, after, after, values)

    def storable(self, kind: Type, values: Sequence[AttributeValue]) -> list[AttributeValue]:
        refused = self._bulk(self._old, f"{kind.value}_{kind.value}", values)
        return [value for place, value in enumerate(values) if place not in refused]

    def _put(self, index: str, a: Type, b: Type, kind: Type, values: Sequence[AttributeValue]) -> list[Holds]:
        """As `_reindex` does: the document as it is, into a field of the other type."""
        field = f"{a.value}_{b.value}"
        refused = self._bulk(index, field, values)
        if refused:
            raise Refusal(str(next(iter(refused.values()))))
        names = [f"{field}_{place}" for place in range(len(values))]
        return self._words(index, field, names) if kind is Type.TEXT else self._values(index, kind, field, names)

    def _bulk(self, index: str, field: str, values: Sequence[AttributeValue]) -> dict[int, Any]:
        """Place → what the server says, for each value that it refuses."""
        lines = []
        for place, value in enumerate(values):
            lines += [{"index": {"_id": f"{field}_{place}"}}, {field: to_json({NAME: value})[NAME]}]
        answer = self._call("POST", f"{index}/_bulk?refresh=true", lines)
        results = [item["index"] for item in answer["items"]]
        return {place: found["error"] for place, found in enumerate(results) if "error" in found}

    def _words(self, index: str, field: str, names: Sequence[str]) -> list[Holds]:
        docs = [{"_id": name, "fields": [field]} for name in names]
        found = self._call("POST", f"{index}/_mtermvectors", {"docs": docs})["docs"]
        return [frozenset(each.get("term_vectors", {}).get(field, {}).get("terms", {})) or None for each in found]

    def _values(self, index: str, kind: Type, field: str, names: Sequence[str]) -> list[Holds]:
        form = {"field": field, **({"format": "strict_date_optional_time_nanos"} if kind is Type.DATETIME else {})}
        query = {"query": {"ids": {"values": names}}, "docvalue_fields": [form], "_source": False, "size": len(names)}
        hits = {hit["_id"]: hit for hit in self._call("POST", f"{index}/_search", query)["hits"]["hits"]}
        return [self._held(kind, hits[name].get("fields", {}).get(field)) for name in names]

    def _held(self, kind: Type, values: Any) -> Holds:
        match kind, values:
            case _, None | []:
                return None
            case Type.KEYWORD_LIST, several:
                return tuple(several)
            case Type.DATETIME, [text]:
                return Moment(parse_rfc3339(text))
            case ((Type.INT | Type.DOUBLE), [one]):
                return number(repr(one))
            case _, [one]:
                return one  # type: ignore[no-any-return]
            case _:
                return f"several: {values}"

    def close(self) -> None:
        for index in (self._old, self._new):
            self._call("DELETE", index)
