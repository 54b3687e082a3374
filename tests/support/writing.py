"""A writer that inserts, updates and deletes records of its own while something else happens to the store.

It keeps its own truth: what it wrote is what must be there at the end. How a record is written is a subclass's part.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from typing import Any, Self

import psycopg

NAMESPACE = "00000000-0000-4000-8000-000000000001"
# Run id → status and the value of Keyword01.
Truth = dict[str, tuple[int, str]]


class Writer:
    """Writes until the `with` block ends, with `pause` seconds between two statements. `truth`: what must be there;
    `longest`: the longest statement in seconds; a failed statement ends the writer and is raised by the block's end.
    """

    def __init__(self, url: str, pause: float = 0.002, seed: int = 5) -> None:
        self.url = url
        self.truth: Truth = {}
        self.statements = 0
        self.longest = 0.0
        self.failure: BaseException | None = None
        self._pause = pause
        self._dice = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def open(self) -> Any:
        """A connection of the driver's own; called in the writer's thread."""
        raise NotImplementedError

    def insert(self, connection: Any, run: str, word: str) -> None:
        """A record with status 1 and Keyword01 `word`."""
        raise NotImplementedError

    def update(self, connection: Any, run: str, word: str) -> None:
        """The record gets status 2, a close time and another Keyword01."""
        raise NotImplementedError

    def delete(self, connection: Any, run: str) -> None:
        """The record goes."""
        raise NotImplementedError

    def close(self, connection: Any) -> None:
        """Give the connection back."""
        connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def wait_for(self, more: int, seconds: float = 60.0) -> None:
        """Return when `more` further statements are written; raises what ended the writer."""
        goal, deadline = self.statements + more, time.monotonic() + seconds
        while self.statements < goal:
            if self.failure is not None:
                raise self.failure
            assert time.monotonic() < deadline, f"the writer did not write {more} statements in {seconds:g} s"
            time.sleep(0.005)

    def _run(self) -> None:
        try:
            connection = self.open()
            try:
                while not self._stop.is_set():
                    began = time.monotonic()
                    self._write(connection)
                    took = time.monotonic() - began
                    self.longest = max(self.longest, took)
                    self.statements += 1
                    # Where writes are slow, the run beside them gets its turn: they are no load test.
                    self._stop.wait(max(self._pause, min(3 * took, 0.1)))
            finally:
                self.close(connection)
        except BaseException as error:
            self.failure = error

    def _write(self, connection: Any) -> None:
        choice = self._dice.random()
        if choice < 0.4 or not self.truth:
            run = str(uuid.UUID(int=self._dice.getrandbits(128)))
            self.insert(connection, run, "new")
            self.truth[run] = (1, "new")
            return
        run = self._dice.choice(list(self.truth))
        if choice < 0.8:
            word = f"word {self._dice.randrange(1000)}"
            self.update(connection, run, word)
            self.truth[run] = (2, word)
        else:
            self.delete(connection, run)
            del self.truth[run]


class PostgresWriter(Writer):
    """Writes to PostgreSQL."""

    def open(self) -> psycopg.Connection:
        """See `Writer.open`."""
        return psycopg.connect(self.url, autocommit=True)

    def insert(self, connection: psycopg.Connection, run: str, word: str) -> None:
        """See `Writer.insert`."""
        connection.execute(
            "INSERT INTO executions_visibility (namespace_id, run_id, start_time, execution_time, workflow_id,"
            " workflow_type_name, status, encoding, search_attributes) VALUES"
            " (%s, %s, now(), now(), 'w', 't', 1, '', jsonb_build_object('Keyword01', %s::text, 'TemporalInt01', 7))",
            (NAMESPACE, run, word),
        )

    def update(self, connection: psycopg.Connection, run: str, word: str) -> None:
        """See `Writer.update`."""
        connection.execute(
            "UPDATE executions_visibility SET status = 2, close_time = now(),"
            " search_attributes = jsonb_build_object('Keyword01', %s::text) WHERE namespace_id = %s AND run_id = %s",
            (word, NAMESPACE, run),
        )

    def delete(self, connection: psycopg.Connection, run: str) -> None:
        """See `Writer.delete`."""
        connection.execute(
            "DELETE FROM executions_visibility WHERE namespace_id = %s AND run_id = %s", (NAMESPACE, run)
        )
