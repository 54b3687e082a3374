"""A connection pooler in front of a PostgreSQL server, as small as a test needs: no COPY, no cancelling, one database.

In transaction mode each transaction gets whatever session is free; in session mode a client keeps its own. Clients are
told a process number that is no server's, as PgBouncer does.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_ENCRYPTION = (80877103, 80877104)
_NO_ANSWER = (0, 12)


@contextmanager
def pooler(url: str, by_transaction: bool) -> Iterator[str]:
    """The URL of the same database through a pooler."""
    parts = urlsplit(url)
    free: list[socket.socket] = []
    servers: list[socket.socket] = []

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError, EOFError):
            server = socket.create_connection((parts.hostname or "", parts.port or 5432))
            servers.append(server)
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _greet(client, server)
            _relay(client, server, free if by_transaction else [])
        if not by_transaction:
            server.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        port = listening.getsockname()[1]
        yield parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()
        listening.shutdown(socket.SHUT_RDWR)
    for server in servers:
        server.close()


def _greet(client: socket.socket, server: socket.socket) -> None:
    """Let the client show the server who it is."""
    while True:
        start = _exactly(client, 4)
        start += _exactly(client, struct.unpack("!I", start)[0] - 4)
        if struct.unpack("!I", start[4:8])[0] not in _ENCRYPTION:
            break
        client.sendall(b"N")
    server.sendall(start)
    kind = b""
    while kind not in (b"Z", b"E"):
        kind, message = _message(server)
        if kind == b"K":
            message = message[:5] + struct.pack("!I", 1) + message[9:]
        client.sendall(message)
        if kind == b"R" and struct.unpack("!I", message[5:9])[0] not in _NO_ANSWER:
            server.sendall(_message(client)[1])


def _relay(client: socket.socket, server: socket.socket, free: list[socket.socket]) -> None:
    """Until the client ends. The session that was free last is taken first; it is free when the client hears of it."""
    free.append(server)
    while True:
        kind, message = _message(client)
        if kind == b"X":
            return
        held = free.pop()
        held.sendall(message)
        state = b""
        while state != b"I":
            while kind not in (b"Q", b"S"):
                kind, message = _message(client)
                held.sendall(message)
            answer, message = _message(held)
            if answer == b"Z":
                state = message[5:6]
                if state == b"I":
                    free.append(held)
                else:
                    kind = b""
            client.sendall(message)


def _message(peer: socket.socket) -> tuple[bytes, bytes]:
    """The kind of the next message, and all of it."""
    head = _exactly(peer, 5)
    return head[:1], head + _exactly(peer, struct.unpack("!I", head[1:])[0] - 4)


def _exactly(peer: socket.socket, number: int) -> bytes:
    found = b""
    while len(found) < number:
        piece = peer.recv(number - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found
