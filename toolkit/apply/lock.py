"""Keeping the lock of a store while a run works: a thread that says again and again that the holder lives.

It renews and notices the loss; taking and giving back is the engine's part.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType

from toolkit.engines.online import Lease
from toolkit.errors import EngineError, LockHeld

# A lock not renewed for this long may be taken over.
LEASE_SECONDS = 30.0


class Heartbeat:
    """A context in which `lease` is renewed every `seconds`; it releases the lock at the end."""

    def __init__(self, lease: Lease, seconds: float) -> None:
        self._lease = lease
        self._seconds = seconds
        self._ended = threading.Event()
        self._lost = False
        # `beat` has a connection of its own, and only one.
        self._one_at_a_time = threading.Lock()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._lease.release()

    @property
    def lost(self) -> bool:
        """Whether somebody else has the lock now."""
        return self._lost

    def confirm(self) -> None:
        """Ask the store whether the lock is still ours: LockHeld when it is not. A store that does not answer is no
        proof; twice, as the first beat may find its connection gone."""
        for _ in range(2):
            with suppress(EngineError), self._one_at_a_time:
                self._lease.beat()

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                with self._one_at_a_time:
                    self._lease.beat()
            except LockHeld:
                self._lost = True
                return
            except EngineError:
                # A beat that did not get through is tried again; whether the lock is lost, the next one tells.
                continue
