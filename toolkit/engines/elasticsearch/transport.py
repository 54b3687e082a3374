"""The two client libraries behind one small face: elasticsearch-py and opensearch-py, chosen by what answers.

It sends and receives, and puts failures into coded errors without secrets; it knows nothing of schemas.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from toolkit.catalog import Json
from toolkit.engines.elasticsearch.refusals import NO_LOGIN, NO_RIGHT, RIGHTS_HINT, full
from toolkit.errors import ConnectionFailed, EngineError, TargetError, ToolkitError
from toolkit.targets import Target

CONNECT_SECONDS = 15
SECONDS = 90
# Kept open: both sides of a comparison are asked at once, two batches of each, while the lock is renewed.
CONNECTIONS = 8
BULK_DOCUMENTS = 1000
BULK_BYTES = 8 * 1024 * 1024
RETRIES = 8
FIRST_WAIT, LONGEST_WAIT = 1, 30
SCAN_KEEP = "5m"
DEFAULT_PORT = 9200
# Options of the URL; the client libraries' own words for two of them mean the same.
OPTIONS = ("ca", "client_cert", "client_key", "verify", "api_key", "cluster_settings")
_LIBRARY_WORDS = {"ca_certs": "ca", "verify_certs": "verify"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: its status, and the decoded body ({} when there is none)."""

    status: int
    body: dict[str, Any]

    @property
    def reason(self) -> str:
        """What the server says is wrong."""
        error = self.body.get("error")
        if isinstance(error, dict):
            causes = error.get("root_cause") or [error]
            inner = error.get("caused_by") or {}
            # "All shards failed" is a reason, and says nothing: the first cause does.
            parts = [error.get("type"), error.get("reason"), inner.get("reason"), causes[0].get("reason")]
            return ": ".join(dict.fromkeys(str(p) for p in parts if p))
        return str(error or self.body or f"HTTP status {self.status}")


def whole(counted: Answer) -> Answer:
    """The answer to a count; a refusal where some shards are missing from it, as searches that want all get."""
    shards = counted.body.get("_shards") or {}
    # OpenSearch does not call a shard failed that is nowhere.
    if shards.get("successful") == shards.get("total"):
        return counted
    return Answer(503, {"error": f"{shards['successful']} of {shards['total']} shards of the index answer"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one bulk action."""

    action: str
    id: str
    status: int
    reason: str


class TooBusy(EngineError):
    """The cluster asks for patience."""


class Refusal(EngineError):
    """The cluster said no: nothing of the request was done, nor will be."""


class Transport(Protocol):
    """One connection. Whatever fails to arrive is ConnectionFailed; answers of all kinds are given back."""

    def send(self, method: str, path: str, body: Json = None, seconds: int = SECONDS) -> Answer: ...

    def bulk(self, actions: Iterable[dict[str, Any]]) -> Iterator[Outcome]: ...

    def scan(self, index: str, at_once: int) -> Iterator[Mapping[str, Any]]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is, and how it is told who asks; nothing of it is ever shown."""

    scheme: str
    host: str
    port: int
    prefix: str
    user: str | None
    password: str | None
    options: Mapping[str, str]

    @staticmethod
    def of(target: Target, prefix: str) -> Address:
        """The address in `target`. Raises TargetError for options that mean nothing here."""
        options = {_LIBRARY_WORDS.get(name, name): value for name, value in target.options.items()}
        for name in options:
            if name not in OPTIONS:
                hint = f"Known: {', '.join(OPTIONS)}"
                raise TargetError("TV3009", f"the URL's option {name[:40]!r} means nothing here", hint)
        if options.get("verify", "true") not in ("true", "false"):
            raise TargetError("TV3009", "the URL's option 'verify' must be true or false")
        if options.get("cluster_settings", "skip") != "skip":
            raise TargetError("TV3009", "the URL's option 'cluster_settings' can only be skip")
        for name in ("ca", "client_cert", "client_key"):
            if name in options and not os.path.isfile(options[name]):
                raise TargetError("TV3009", f"the URL's option {name!r} names no file: {options[name][:200]}")
        host, port = target.host or "localhost", target.port or DEFAULT_PORT
        return Address(target.transport, host, port, prefix, target.user, target.password, options)

    @property
    def verify(self) -> bool:
        """Whether the server's certificate is checked."""
        return self.options.get("verify", "true") == "true"

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme == "https"

    @property
    def login(self) -> tuple[str, str] | None:
        """User and password, when there is a user and no API key."""
        return (self.user, self.password or "") if self.user is not None and "api_key" not in self.options else None


class ElasticTransport:
    """elasticsearch-py 8: Elasticsearch 7.14 and newer."""

    def __init__(self, address: Address, target: Target) -> None:
        import elasticsearch

        host = f"[{address.host}]" if ":" in address.host else address.host
        settings: dict[str, Any] = {
            "request_timeout": SECONDS,
            "max_retries": 0,
            "connections_per_node": CONNECTIONS,
            "api_key": address.options.get("api_key"),
        }
        if address.tls:
            given = {"ca_certs": "ca", "client_cert": "client_cert", "client_key": "client_key"}
            settings |= {name: address.options[key] for name, key in given.items() if key in address.options}
            settings |= {"verify_certs": address.verify, "ssl_show_warn": False}
        url = f"{address.scheme}://{host}:{address.port}{address.prefix}"
        self._library = elasticsearch
        self._target = target
        self._client = elasticsearch.Elasticsearch(url, basic_auth=address.login, **settings)
        # A client with options of its own is made of forty objects, which takes longer than to send a request.
        self._patient: dict[int, Any] = {}

    def send(self, method: str, path: str, body: Json = None, seconds: int = SECONDS) -> Answer:
        """See Transport. Deprecation notices of the server are not for the user, who cannot change our requests."""
        headers = {"accept": "application/json"} | ({"content-type": "application/json"} if body is not None else {})
        if seconds not in self._patient:
            self._patient[seconds] = self._client.options(request_timeout=seconds)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", self._library.ElasticsearchWarning)
                answer = self._patient[seconds].perform_request(method, path, headers=headers, body=body)
            return Answer(answer.meta.status, _decoded(answer.body))
        except self._library.UnsupportedProductError:
            raise
        except self._library.ApiError as error:
            return Answer(error.meta.status, _decoded(error.body))
        except self._library.TransportError as error:
            raise unreachable(error, self._target) from None

    def bulk(self, actions: Iterable[dict[str, Any]]) -> Iterator[Outcome]:
        """See Transport. Refusals for want of room (429) are tried again, each time after a longer wait."""
        from elasticsearch.helpers import streaming_bulk

        try:
            for _, item in streaming_bulk(
                self._client, actions, chunk_size=BULK_DOCUMENTS, max_chunk_bytes=BULK_BYTES, raise_on_error=False,
                max_retries=RETRIES, initial_backoff=FIRST_WAIT, max_backoff=LONGEST_WAIT,
            ):  # fmt: skip
                yield _outcome(item)
        except self._library.ApiError as error:
            raise refused(Answer(error.meta.status, _decoded(error.body)), self._target) from None
        except self._library.TransportError as error:
            raise unreachable(error, self._target) from None

    def scan(self, index: str, at_once: int) -> Iterator[Mapping[str, Any]]:
        """See Transport. A scroll in the order of the shards: one consistent view, each document once."""
        from elasticsearch.helpers import ScanError, scan

        try:
            yield from scan(self._client, query={"version": True}, index=index, size=at_once, scroll=SCAN_KEEP)
        except ScanError as error:
            raise _broken_scan(error, self._target) from None
        except self._library.ApiError as error:
            raise refused(Answer(error.meta.status, _decoded(error.body)), self._target) from None
        except self._library.TransportError as error:
            raise unreachable(error, self._target) from None

    def close(self) -> None:
        """See Transport."""
        self._client.close()


class OpenTransport:
    """opensearch-py: OpenSearch, and Elasticsearch before 7.14."""

    def __init__(self, address: Address, target: Target) -> None:
        import opensearchpy

        settings: dict[str, Any] = {}
        if address.tls:
            given = {"ca_certs": "ca", "client_cert": "client_cert", "client_key": "client_key"}
            settings |= {name: address.options[key] for name, key in given.items() if key in address.options}
            settings |= {"use_ssl": True, "verify_certs": address.verify, "ssl_show_warn": False}
        if "api_key" in address.options:
            settings["headers"] = {"authorization": f"ApiKey {address.options['api_key']}"}
        self._library = opensearchpy.exceptions
        self._target = target
        self._client = opensearchpy.OpenSearch(
            hosts=[{"host": address.host, "port": address.port}], url_prefix=address.prefix, http_auth=address.login,
            timeout=SECONDS, max_retries=0, pool_maxsize=CONNECTIONS, **settings,
        )  # fmt: skip

    def send(self, method: str, path: str, body: Json = None, seconds: int = SECONDS) -> Answer:
        """See Transport, and ElasticTransport.send for the notices."""
        try:
            params = {"request_timeout": seconds}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", self._library.OpenSearchWarning)
                answer = self._client.transport.perform_request(method, path, params=params, body=body)
            return Answer(200, _decoded(answer)) if answer is not False else Answer(404, {})
        except self._library.ConnectionError as error:
            raise unreachable(error, self._target) from None
        except self._library.TransportError as error:
            return Answer(int(error.status_code), _decoded(error.info))
        except self._library.SerializationError:
            return Answer(200, {})

    def bulk(self, actions: Iterable[dict[str, Any]]) -> Iterator[Outcome]:
        """See Transport, and ElasticTransport.bulk."""
        from opensearchpy.helpers import streaming_bulk

        try:
            for _, item in streaming_bulk(
                self._client, actions, chunk_size=BULK_DOCUMENTS, max_chunk_bytes=BULK_BYTES, raise_on_error=False,
                max_retries=RETRIES, initial_backoff=FIRST_WAIT, max_backoff=LONGEST_WAIT,
            ):  # fmt: skip
                yield _outcome(item)
        except self._library.ConnectionError as error:
            raise unreachable(error, self._target) from None
        except self._library.TransportError as error:
            raise refused(Answer(int(error.status_code), _decoded(error.info)), self._target) from None

    def scan(self, index: str, at_once: int) -> Iterator[Mapping[str, Any]]:
        """See Transport, and ElasticTransport.scan."""
        from opensearchpy.helpers import scan
        from opensearchpy.helpers.errors import ScanError

        try:
            yield from scan(self._client, query={"version": True}, index=index, size=at_once, scroll=SCAN_KEEP)
        except ScanError as error:
            raise _broken_scan(error, self._target) from None
        except self._library.ConnectionError as error:
            raise unreachable(error, self._target) from None
        except self._library.TransportError as error:
            raise refused(Answer(int(error.status_code), _decoded(error.info)), self._target) from None

    def close(self) -> None:
        """See Transport."""
        self._client.close()


def _decoded(body: object) -> dict[str, Any]:
    if isinstance(body, str | bytes):
        try:
            body = json.loads(body)
        except ValueError:
            return {}
    return body if isinstance(body, dict) else {}


def _outcome(item: Mapping[str, Any]) -> Outcome:
    [(action, facts)] = item.items()
    error = facts.get("error")
    inner = error.get("caused_by") or {} if isinstance(error, dict) else {}
    reason = (
        f"{error.get('type')}: {error.get('reason')} {inner.get('reason', '')}" if isinstance(error, dict) else error
    )
    return Outcome(action, str(facts.get("_id")), int(facts.get("status", 0)), str(reason or "").strip())


def _broken_scan(error: Exception, target: Target) -> EngineError:
    return EngineError("TV4003", f"{target.shown}: {target.redact(str(error))[:300]}", "Run the same command again.")


def unreachable(error: Exception, target: Target) -> ToolkitError:
    """The coded error for a request that got no answer."""
    said = getattr(error, "message", None) or getattr(error, "error", None) or error
    text = target.redact(str(said)).strip().splitlines()
    reason = (text[-1] if text else "no answer")[:300]
    if "certificate" in reason.lower() or "ssl" in reason.lower() or "tls" in reason.lower():
        hint = "Is the server's certificate signed by the one in the option `ca`, and does it want `client_cert`?"
        return ConnectionFailed("TV4501", f"no secure connection to {target.shown}: {reason}", hint)
    hint = "Is the server up, and are host and port right? The port is 9200 unless the URL says another."
    return ConnectionFailed("TV4002", f"no answer from {target.shown}: {reason}", hint)


def forbidden(answer: Answer) -> bool:
    """Whether it is the user who is refused: a block of an index, or of the whole cluster, has the same status."""
    error = answer.body.get("error")
    return answer.status == 403 and not (isinstance(error, dict) and error.get("type") == "cluster_block_exception")


def refused(answer: Answer, target: Target) -> EngineError:
    """The coded error for an answer that is a refusal."""
    reason = target.redact(answer.reason)
    if no_room := full(reason, target.shown):
        return no_room
    reason = reason[:500]
    if answer.status == 401:
        return ConnectionFailed(
            NO_LOGIN,
            f"cannot connect to {target.shown}: the login was refused",
            "Are user and password, or the API key, right?",
        )
    if forbidden(answer):
        return Refusal(NO_RIGHT, f"{target.shown} refuses this user: {reason}", RIGHTS_HINT)
    if answer.status in (429, 503):
        return TooBusy("TV4003", f"{target.shown} is too busy: {reason}", "Run the same command again later.")
    # What stands between us and the cluster has no error of its kind, and may have passed the request on.
    kind = Refusal if answer.status < 500 and isinstance(answer.body.get("error"), dict) else EngineError
    return kind("TV4003", f"{target.shown} refused: {reason}")
