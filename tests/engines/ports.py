"""Free TCP ports for servers, outside the range that the system gives to outgoing connections.

A port found here is free at that moment only: whoever starts a server on it tries another one if it was taken
meanwhile.
"""

from __future__ import annotations

import os
import random
import socket

FIRST, LAST = (int(p) for p in os.environ.get("TEMPORAL_VISIBILITY_TEST_PORTS", "20000-20999").split("-"))
RESERVED = LAST - (LAST - FIRST) // 5  # from here on servers choose themselves (inner ports that nobody asks for)
INNER_RANGE = f"{RESERVED}-{LAST}"


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    for port in random.sample(range(FIRST, RESERVED), RESERVED - FIRST):
        if is_free(port):
            return port
    raise OSError(f"no free port from {FIRST} to {RESERVED - 1}")
