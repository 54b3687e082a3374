"""Ends a wait of another session: MySQL's own time limits for table locks begin at one second, which is long for
writers who queue behind the one that waits.

It only ever ends a wait for a lock, never work that is under way.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pymysql

from toolkit.engines.mysql.connection import Connection, answers, ask, run, session
from toolkit.engines.mysql.others import SHOWN
from toolkit.errors import EngineError

_WAITS = re.compile(r"Waiting for .* lock")
_SHORTEST = 0.005


class Watcher:
    """Watches one session over connections of its own, which are opened when first needed, and again when the server
    has ended them: a copy may take longer than it lets a session be idle."""

    def __init__(self, open_session: Callable[[], Connection], watched: Connection) -> None:
        self._open = open_session
        self._watched = session(watched)
        self._watching: Connection | None = None
        self._helping: Connection | None = None

    def helper(self) -> Connection:
        """One more connection, for a lock that is held while another is asked for."""
        if not answers(self._helping):
            self._helping = self._open()
        return self._helping

    @contextmanager
    def limited(
        self, seconds: float, waits: Callable[[], None] | None = None, other: Connection | None = None
    ) -> Iterator[None]:
        """In this block the session (or `other` instead) waits at most about `seconds` for a lock: the server then ends
        its statement. `waits` is called, in another thread, when the session is first seen waiting."""
        number = self._watched if other is None else session(other)
        if not answers(self._watching):
            self._watching = self._open()
        ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(number, seconds, ended, waits), name="watcher", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _watch(self, session: int, seconds: float, ended: threading.Event, waits: Callable[[], None] | None) -> None:
        since: float | None = None
        pause = max(_SHORTEST, min(seconds, 1.0) / 5)
        while not ended.wait(_SHORTEST if waits else pause):
            try:
                now = time.monotonic()
                if not self._waiting(session):
                    since = None
                    continue
                if waits is not None:
                    waits()
                    waits = None
                since = since or now
                if now - since >= seconds:
                    self._kill(session)
                    since = None
            except (pymysql.MySQLError, EngineError):
                # The session's own time limit still holds.
                return

    def _waiting(self, session: int) -> bool:
        assert self._watching is not None
        states = (row["State"] for row in ask(self._watching, SHOWN) if row["Id"] == session)
        return any(_WAITS.fullmatch(state or "") for state in states)

    def _kill(self, session: int) -> None:
        assert self._watching is not None
        run(self._watching, f"KILL QUERY {session}")

    def close(self) -> None:
        """Give the connections back; never fails."""
        for connection in (self._watching, self._helping):
            if connection is not None and connection.open:
                connection.close()
