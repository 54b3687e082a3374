"""Several sessions that share one piece of work, such as a long replay: opened once, kept until they are given back.

It knows no engine: how a session is opened, and what its share is, come as functions.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

_S = TypeVar("_S")

# How a replay is shared, wherever it is: by so many sessions.
REPLAYERS = 3
# A replay keeps nobody waiting, so it may take so many times as long as a chunk of a copy: large batches meet the same
# key more often, and refresh it once. In small ones most of the time goes into beginning and ending.
REPLAY_SCALE = 4.0
# So many recorded keys are followed by the next step: a comparison leaves them out, and a swap begins with draining.
NEAR = 1000
DRAIN_ROUNDS = 10


class SharedWork(Generic[_S]):
    """`number` sessions, made by `open_session` and ended by `end_session`. They stay open from one piece of work to
    the next, until `close` or a failure."""

    def __init__(self, open_session: Callable[[], _S], end_session: Callable[[_S], object], number: int) -> None:
        self._open_session = open_session
        self._end_session = end_session
        self._number = number
        self._sessions: list[_S] = []

    def close(self) -> None:
        """Give the sessions back."""
        while self._sessions:
            self._end_session(self._sessions.pop())

    def together(self, work: Callable[[_S, int], int]) -> int:
        """The sum of what `work` returns for each session and the number of its share. Raises what `work` raises."""
        try:
            while len(self._sessions) < self._number:
                self._sessions.append(self._open_session())
            with ThreadPoolExecutor(self._number) as pool:
                return sum(pool.map(work, self._sessions, range(self._number)))
        except BaseException:
            self.close()
            raise
