"""An HTTPS front for servers that have no security of their own here: TLS, client certificates, passwords and API keys.

It really refuses who must be refused, and passes everything else on unchanged. A test double for an operator's gateway.
"""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import ssl
import threading
from collections.abc import Callable, Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.engines.authority import Authority

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te", "upgrade"})


def basic(user: str, password: str) -> str:
    """The Authorization header of a user and password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def api_key(identity: str, secret: str) -> str:
    """What an API key looks like in a client's settings: both parts in base64."""
    return base64.b64encode(f"{identity}:{secret}".encode()).decode()


class Front:
    """Listens with TLS on a port of its own and forwards to the address that `upstream` gives."""

    def __init__(
        self,
        authority: Authority,
        upstream: Callable[[], tuple[str, int]],
        accepted: Collection[str] | None,
        client_certificate: bool = False,
        account: tuple[str, str] = ("", ""),
    ) -> None:
        """`accepted` are the Authorization headers that may pass; None leaves that to the server behind.

        `account` is what a ClickHouse user becomes who shows a certificate of that name instead of a password.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.server)
        if client_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority.ca)
        self._server = _Server(context, upstream, accepted, account)
        self.port: int = int(self._server.socket.getsockname()[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="secure front", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self,
        context: ssl.SSLContext,
        upstream: Callable[[], tuple[str, int]],
        accepted: Collection[str] | None,
        account: tuple[str, str],
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.context, self.upstream, self.accepted, self.account = context, upstream, accepted, account

    def finish_request(self, request: object, client_address: object) -> None:
        """In the connection's own thread: a client that never shakes hands holds up nobody."""
        request.settimeout(60)  # type: ignore[attr-defined]
        with self.context.wrap_socket(request, server_side=True) as secured:  # type: ignore[arg-type]
            self.RequestHandlerClass(secured, client_address, self)  # type: ignore[arg-type]

    def handle_error(self, request: object, client_address: object) -> None:
        """A refused handshake is what tests provoke: the client gets to know, the log need not."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _forward(self) -> None:
        body = self._body()
        accepted = self.server.accepted
        given = self.headers.get("Authorization", "")
        if accepted is not None and not any(hmac.compare_digest(given.encode(), one.encode()) for one in accepted):
            self._answer(
                401, [("WWW-Authenticate", 'Basic realm="security"'), ("Content-Type", "application/json")], REFUSED
            )
            return
        dropped = HOP_BY_HOP if accepted is None else HOP_BY_HOP | {"authorization"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        if (
            self.headers.get("X-ClickHouse-SSL-Certificate-Auth") == "on"
            and self.headers.get("X-ClickHouse-User") == self._certificate_name()
        ):
            headers["X-ClickHouse-User"], headers["X-ClickHouse-Key"] = self.server.account
        upstream = http.client.HTTPConnection(*self.server.upstream(), timeout=120)
        try:
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
            self._answer(answer.status, kept, answer.read())
        finally:
            upstream.close()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _forward

    def _certificate_name(self) -> str | None:
        """The common name in the client's certificate, which the handshake has verified."""
        connection: ssl.SSLSocket = self.connection
        shown = connection.getpeercert() or {}
        subject: Any = shown.get("subject", ())
        names = [str(value) for part in subject for key, value in part if key == "commonName"]
        return names[0] if names else None

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


REFUSED = json.dumps(
    {"error": {"type": "security_exception", "reason": "missing or wrong authentication credentials"}, "status": 401}
).encode()
