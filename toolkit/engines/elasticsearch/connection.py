"""Finds out what answers at an address, Elasticsearch or OpenSearch, and gives the transport that fits it.

It asks for the greeting and nothing else.
"""

from __future__ import annotations

import re
from typing import Any

from toolkit.engines.elasticsearch import transport
from toolkit.engines.elasticsearch.transport import Transport
from toolkit.errors import ConnectionFailed, TargetError
from toolkit.targets import Target


def reach(address: transport.Address, target: Target) -> tuple[Transport, str]:
    """A transport that fits what answers, and what that is; the URL's scheme is only the first guess."""
    try:
        if target.scheme.startswith("opensearch"):
            line: Transport = transport.OpenTransport(address, target)
            found = _greeting(line, target)
            if found["version"].get("distribution") == "opensearch" or _older_than(found, (7, 14)):
                return line, _server(found)
            line.close()
            line = transport.ElasticTransport(address, target)
            return line, _server(_greeting(line, target))
        from elasticsearch import UnsupportedProductError

        line = transport.ElasticTransport(address, target)
        try:
            return line, _server(_greeting(line, target))
        except UnsupportedProductError:
            line.close()
            line = transport.OpenTransport(address, target)
            return line, _server(_greeting(line, target))
    except (ValueError, TypeError, OSError) as error:
        # The libraries look at certificates and keys before they connect.
        raise TargetError("TV3009", f"the URL's options: {target.redact(str(error))[:300]}") from None


def _greeting(line: Transport, target: Target) -> dict[str, Any]:
    try:
        answer = line.send("GET", "/", seconds=transport.CONNECT_SECONDS)
    except ConnectionFailed as error:
        code = "TV4001" if error.code == "TV4002" else error.code
        raise ConnectionFailed(code, error.message, error.hint) from None
    if answer.status in (401, 403):
        raise transport.refused(answer, target)
    version = answer.body.get("version")
    if answer.status != 200 or not isinstance(version, dict) or "number" not in version:
        hint = "Is host, port and path that of the cluster itself, not of a web page before it?"
        raise ConnectionFailed("TV4502", f"{target.shown} is neither Elasticsearch nor OpenSearch", hint)
    return answer.body


def _older_than(greeting: dict[str, Any], limit: tuple[int, int]) -> bool:
    numbers = re.findall(r"\d+", str(greeting["version"]["number"]))[:2]
    return tuple(map(int, numbers)) < limit


def _server(greeting: dict[str, Any]) -> str:
    version = greeting["version"]
    product = "OpenSearch" if version.get("distribution") == "opensearch" else "Elasticsearch"
    return f"{product} {version['number']}"
