"""A balancer before a MySQL server: it greets with a number of its own where the server says which session it is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import urlsplit

_NOBODYS = 4_000_000_000


@contextmanager
def balanced(url: str) -> Iterator[str]:
    """`url` by way of a balancer."""
    parts = urlsplit(url)
    with closing(socket.create_server(("127.0.0.1", 0))) as front:
        threading.Thread(target=_serve, args=(front, (parts.hostname, parts.port)), daemon=True).start()
        yield url.replace(f":{parts.port}/", f":{front.getsockname()[1]}/")
        # Wakes up who waits for the next client.
        front.shutdown(socket.SHUT_RDWR)


def _serve(front: socket.socket, server: tuple[str | None, int | None]) -> None:
    with suppress(OSError):
        while True:
            client, _ = front.accept()
            back = socket.create_connection(server)  # type: ignore[arg-type]
            client.sendall(_renumbered(back.recv(4096)))
            for one, other in ((client, back), (back, client)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _renumbered(greeting: bytes) -> bytes:
    """Four bytes of head, one of the protocol, the server's version up to a zero, then four bytes of the number."""
    start = greeting.index(0, 5) + 1
    return greeting[:start] + _NOBODYS.to_bytes(4, "little") + greeting[start + 4 :]


def _pump(one: socket.socket, other: socket.socket) -> None:
    with closing(other), suppress(OSError):
        while data := one.recv(65_536):
            other.sendall(data)
