"""A writer beside an upgrade: starts, closes and deletes executions of a namespace of its own, and remembers them.

It writes as Temporal does, each record whole with a growing version, and sends again what the store refused; it judges
nothing.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from toolkit.definition import Definition
from toolkit.engines import Client
from toolkit.errors import ToolkitError
from toolkit.records import Deletion, Record, Write
from toolkit.verify.evidence import SLOW, Felt

NAMESPACE = "00000000-0000-4000-8000-00000000ffff"
RUNNING, COMPLETED = 1, 2
_FIRST_VERSION = 2**40
_START = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
# A store that refuses a write for so long will not take it any more.
PATIENCE_SECONDS = 120.0
# A store that is slow gets as long a rest as a write took, at most this: the writer stands beside an upgrade, and is no
# load test.
_REST = 0.1


@dataclass(slots=True)
class _Live:
    """A run as it was last written."""

    number: int
    status: int
    word: str


@dataclass(slots=True)
class Writer:
    """Writes from entering to leaving, in a thread of its own over a client of its own. `pause`: seconds between two
    writes at least; `bare`: without search attributes. Leaving raises what ended the writer."""

    connect: Callable[[], Client]
    definition: Definition
    pause: float
    seed: int
    bare: bool = False
    _live: dict[str, _Live] = field(default_factory=dict)
    _took: list[float] = field(default_factory=list)
    _refused: int = 0
    _number: int = 0
    _client: Client | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _failure: BaseException | None = None

    def __enter__(self) -> Writer:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    @property
    def writes(self) -> int:
        """How many were answered."""
        return len(self._took)

    @property
    def truth(self) -> dict[str, tuple[int, str]]:
        """Run → status and workflow type, as the store must have it."""
        return {run: (live.status, live.word) for run, live in self._live.items()}

    def wait_for(self, more: int) -> None:
        """Return when so many further writes were answered. Raises what ended the writer."""
        goal = self.writes + more
        while self.writes < goal and self._failure is None:
            time.sleep(0.01)
        if self._failure is not None:
            raise self._failure

    def felt(self) -> Felt:
        """What it noticed so far."""
        took = sorted(self._took)
        middle = took[len(took) // 2] if took else 0.0
        slow = sum(1 for seconds in took if seconds > SLOW)
        return Felt(len(took), self._refused, took[-1] if took else 0.0, middle, slow)

    def _run(self) -> None:
        try:
            self._write(Random(self.seed))
        except BaseException as error:
            self._failure = error
        finally:
            self._disconnect()

    def _write(self, random: Random) -> None:
        while not self._stop.is_set():
            run, live = self._next(random)
            began = time.monotonic()
            self._send(self._as_write(run, live), began)
            self._took.append(time.monotonic() - began)
            if live is None:
                self._live.pop(run, None)
            else:
                self._live[run] = live
            self._stop.wait(max(self.pause, min(self._took[-1], _REST)))

    def _send(self, write: Write, began: float) -> None:
        """Until the store has taken it. One that may have arrived is sent again: its version makes that harmless."""
        while True:
            try:
                if self._client is None:
                    self._client = self.connect()
                for _ in self._client.write(self.definition, (write,)):
                    pass
                return
            except ToolkitError:
                self._refused += 1
                self._disconnect()
                if time.monotonic() - began > PATIENCE_SECONDS:
                    raise
                time.sleep(0.02)

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _next(self, random: Random) -> tuple[str, _Live | None]:
        choice = random.random()
        if choice < 0.45 or not self._live:
            self._number += 1
            return str(uuid.UUID(int=random.getrandbits(128))), _Live(self._number, RUNNING, "new")
        run = next(iter(self._live)) if choice > 0.9 else random.choice(list(self._live)[-50:])
        if choice < 0.8:
            return run, _Live(self._live[run].number, COMPLETED, f"type {random.randrange(1000)}")
        return run, None

    def _as_write(self, run: str, live: _Live | None) -> Write:
        version = _FIRST_VERSION + len(self._took)
        if live is None:
            number = self._live[run].number
            return Deletion(NAMESPACE, run, f"verify-{number}", version, _START + number * 1_000_000)
        start = _START + live.number * 1_000_000
        close = start + 60_000_000_000 if live.status == COMPLETED else None
        return Record(
            NAMESPACE, run, f"verify-{live.number}", live.word, start, start, live.status, "verify", close,
            encoding="Proto3", memo=b"m", version=version, history_length=None if close is None else 7,
            root_workflow_id=f"verify-{live.number}", root_run_id=run,
            attributes={} if self.bare else {"Keyword01": live.word},
        )  # fmt: skip
