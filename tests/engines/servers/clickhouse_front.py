"""An HTTP front over chDB, for tests: takes what ClickHouse's port 8123 takes and lets the embedded engine answer.

A program of its own, run with the chDB it is to serve on PYTHONPATH. A test double for the transport, never for a
cluster.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import re
import signal
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlparse

import chdb  # type: ignore[import-untyped,unused-ignore]

PATH = os.environ.get("CLICKHOUSE_PATH", "/var/lib/clickhouse")
HOST, PORT = os.environ.get("CLICKHOUSE_HOST", "0.0.0.0"), int(os.environ.get("CLICKHOUSE_PORT", "8123"))
USER, PASSWORD = os.environ.get("CLICKHOUSE_USER") or "default", os.environ.get("CLICKHOUSE_PASSWORD", "")
CONFIG = os.environ.get("STAND_IN_CONFIG", "")
SERVER_DEFAULTS = {"mutations_sync": "0", "async_insert": "0"}  # chDB's own differ from a server's
TRANSPORT = frozenset(
    [
        "query",
        "database",
        "user",
        "password",
        "session_id",
        "session_timeout",
        "session_check",
        "query_id",
        "quota_key",
        "compress",
        "decompress",
        "buffer_size",
        "wait_end_of_query",
        "client_protocol_version",
        "role",
        "default_format",
    ]
)
TRANSPORT_PREFIXES = ("param_", "http_", "send_progress", "enable_http", "cancel_http")
FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*$", re.I)
INLINE_DATA = re.compile(rb"\s*INSERT\b[^;]*?\bFORMAT\s+\w+[ \t]*\r?\n", re.I)
INSERT = re.compile(rb"\s*INSERT\b", re.I)
QUOTED = re.compile(rb"'(?:[^'\\]|\\.|'')*'|`[^`]*`|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.S)
# Over HTTP without a session their effect ends with the request.
STATEFUL = re.compile(r"\s*(SET|USE|CREATE\s+(OR\s+REPLACE\s+)?TEMPORARY)\b", re.I)
KEPT = 16  # connections that wait for the next request
HTTP_STATUS = {"516": 403, "60": 404, "81": 404, "47": 404, "62": 400, "27": 400}


class Refused(Exception):
    """The front itself says no, in ClickHouse's words."""


@dataclass(frozen=True)
class Statement:
    """One statement as the engine gets it."""

    text: str
    output_format: str
    database: str
    settings: Mapping[str, str]
    parameters: Mapping[str, str]


def literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def preparations(statement: Statement) -> list[str]:
    """The statements that put one connection into the asked state: few, as each takes as long as a short query."""
    use = [f"USE `{statement.database}`"] if statement.database else []
    return [*use, *_set(statement.settings)]


def _set(values: Mapping[str, str]) -> list[str]:
    return ["SET " + ", ".join(f"{name} = {literal(value)}" for name, value in values.items())] if values else []


class Engine:
    """The embedded engine: connections that are kept for later requests of the same state, one for each at a time, and
    one that keeps it open between requests.

    Engines before 26 have but one connection: what closes another closes all ("Invalid or closed connection"), and a
    view dropped by one waits for ever for what another had opened. Requests take turns on it, and leave it as it was.
    """

    def __init__(self) -> None:
        self._path = PATH + (f"?config-file={CONFIG}" if CONFIG else "")
        self._open = chdb.connect(self._path)
        self._alone = int(str(chdb.engine_version).partition(".")[0]) < 26
        self._turn = threading.Lock()
        self._idle: list[tuple[tuple[str, ...], Any]] = []

    def run(self, statement: Statement) -> bytes:
        if self._alone:
            return self._in_turn(statement)
        state = tuple(preparations(statement))
        kept = self._taken(state)
        connection = chdb.connect(self._path) if kept is None else kept
        try:
            for preparation in state if kept is None else ():
                connection.query(preparation)
            parameters = dict(statement.parameters)
            answer = _bytes(connection.query(statement.text, statement.output_format, params=parameters))
        except BaseException:
            connection.close()
            raise
        if STATEFUL.match(statement.text):
            connection.close()
        else:
            self._keep(state, connection)
        return answer

    def _in_turn(self, statement: Statement) -> bytes:
        parameters = {f"param_{name}": value for name, value in statement.parameters.items()}
        with self._turn:
            try:
                for preparation in (*preparations(statement), *_set(parameters)):
                    self._open.query(preparation)
                return _bytes(self._open.query(statement.text, statement.output_format))
            finally:
                if usual := ", ".join(f"{name} = DEFAULT" for name in statement.settings):
                    self._open.query(f"SET {usual}")
                self._open.query("USE default")

    def _taken(self, state: tuple[str, ...]) -> Any:
        """A connection in this state that nobody uses; None: there is none."""
        with self._turn:
            for number, (its, connection) in enumerate(self._idle):
                if its == state:
                    del self._idle[number]
                    return connection
        return None

    def _keep(self, state: tuple[str, ...], connection: Any) -> None:
        """Those that were used last are kept."""
        with self._turn:
            self._idle.insert(0, (state, connection))
            over = self._idle[KEPT:]
            del self._idle[KEPT:]
        for _, old in over:
            old.close()


def _bytes(answer: Any) -> bytes:
    return bytes(answer.bytes() or b"") if answer is not None else b""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    engine: Engine

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if urlparse(self.path).path in ("/ping", "/") and "query=" not in self.path:
            self._answer(200, b"Ok.\n", {})
        else:
            self._execute(b"", {"readonly": "2"})

    def do_POST(self) -> None:
        self._execute(self._body(), {})

    def _execute(self, body: bytes, extra: Mapping[str, str]) -> None:
        query = dict(parse_qsl(urlparse(self.path).query, keep_blank_values=True))
        try:
            self._check_account(query)
            body = _decompress(body, self.headers.get("Content-Encoding", ""))
            database = query.get("database") or self.headers.get("X-ClickHouse-Database") or ""
            with _statement(query, body, database, extra) as statement:
                answer = self.engine.run(statement)
            headers = {"Summary": "{}", "Timezone": "UTC", "Format": statement.output_format}
            self._answer(200, answer, headers)
        except Exception as e:
            code = found[1] if (found := re.search(r"Code: (\d+)", str(e))) else "1000"
            self._answer(HTTP_STATUS.get(code, 500), str(e).encode() + b"\n", {"Exception-Code": code})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _answer(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(f"X-ClickHouse-{name}", value)
        self.send_header("X-ClickHouse-Server-Display-Name", "chdb-stand-in")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _check_account(self, query: Mapping[str, str]) -> None:
        user, password = query.get("user"), query.get("password")
        if (given := self.headers.get("Authorization", "")).startswith("Basic "):
            user, _, password = base64.b64decode(given[6:]).decode().partition(":")
        user = self.headers.get("X-ClickHouse-User", user) or "default"
        password = self.headers.get("X-ClickHouse-Key", password) or ""
        if user != USER or not hmac.compare_digest(password.encode(), PASSWORD.encode()):
            said = "Authentication failed: password is incorrect, or there is no user with such name."
            raise Refused(f"Code: 516. DB::Exception: {user}: {said} (AUTHENTICATION_FAILED)")


def _decompress(body: bytes, encoding: str) -> bytes:
    if encoding == "lz4":
        import lz4.frame  # type: ignore[import-untyped,unused-ignore]

        # A client may send a frame a block; decompress() alone stops after the first and says nothing.
        found = bytearray()
        while body:
            frame = lz4.frame.LZ4FrameDecompressor()
            found += frame.decompress(body)
            body = frame.unused_data or b""
        return bytes(found)
    if encoding == "zstd":
        import backports.zstd

        return bytes(backports.zstd.decompress(body))
    return zlib.decompress(body, 47) if encoding in ("gzip", "deflate") else body


@contextlib.contextmanager
def _statement(query: Mapping[str, str], body: bytes, database: str, extra: Mapping[str, str]) -> Iterator[Statement]:
    """The request as a statement; data of an insert lies in a file as long as the context lasts."""
    text, data = (query["query"].encode(), body) if query.get("query") else (body, b"")
    if not data and (found := INLINE_DATA.match(text)) and len(text) > found.end():
        text, data = text[: found.end()], text[found.end() :]
    if re.search(rb";\s*[^\s;]", QUOTED.sub(b"''", text)):
        raise Refused("Code: 62. DB::Exception: Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)")
    named, insert = FORMAT.search(text), INSERT.match(text)
    output = query.get("default_format", "TabSeparated")
    with tempfile.NamedTemporaryFile(prefix="tv-eng-insert-") as spool:
        if data and insert:
            spool.write(data)
            spool.flush()
            text = (
                FORMAT.sub(b"", text)
                + f" FROM INFILE '{spool.name}' FORMAT {named[1].decode() if named else 'Native'}".encode()
            )
        elif data:
            text += b"\n" + data
        elif named and not insert:
            output, text = named[1].decode(), FORMAT.sub(b"", text)
        settings = {k: v for k, v in query.items() if k not in TRANSPORT and not k.startswith(TRANSPORT_PREFIXES)}
        parameters = {k.removeprefix("param_"): v for k, v in query.items() if k.startswith("param_")}
        yield Statement(text.decode(), output, database, {**SERVER_DEFAULTS, **settings, **extra}, parameters)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    engine = Handler.engine = Engine()
    if database := os.environ.get("CLICKHOUSE_DB"):
        engine.run(Statement(f"CREATE DATABASE IF NOT EXISTS `{database}`", "TabSeparated", "", {}, {}))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    version = engine.run(Statement("SELECT version()", "TabSeparated", "", {}, {})).decode().strip()
    print("chDB stand-in for ClickHouse, not a server:", version, flush=True)
    Server((HOST, PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
