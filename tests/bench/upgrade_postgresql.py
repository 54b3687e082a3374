"""PostgreSQL's part of `bench_upgrade`: a writer's connection, Temporal's statements, and our command.

Temporal v1.31.2 goes 1.9 → 1.13 by one ALTER TABLE with 17 columns and 17 concurrent index builds, then 1.13 → 1.14 by
an ALTER TABLE with 2 columns and two plain index builds. The expressions are those of the catalog, which are equal.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from tests.bench import load
from tests.bench.load import NAMESPACE
from tests.support import journeys
from tests.support.catalogs import released
from toolkit.apply.planning import make_plan
from toolkit.apply.runner import plan_store
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import Sql
from toolkit.versions import find

INSERT = """
INSERT INTO executions_visibility (namespace_id, run_id, start_time, execution_time, workflow_id, workflow_type_name,
                                   status, encoding, search_attributes, task_queue, _version)
VALUES (%s, %s, now(), now(), 'load', 'load', 1, '', jsonb_build_object('Keyword01', %s::text), 'queue', 1)
"""
UPDATE = """
UPDATE executions_visibility
SET status = 2, close_time = now(), search_attributes = jsonb_build_object('Keyword01', %s::text),
    _version = _version + 1
WHERE namespace_id = %s AND run_id = %s
"""
DELETE = "DELETE FROM executions_visibility WHERE namespace_id = %s AND run_id = %s"


class _Session:
    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    def insert(self, run: str, word: str) -> None:
        self._connection.execute(INSERT, (NAMESPACE, run, word))

    def update(self, run: str, word: str) -> None:
        self._connection.execute(UPDATE, (word, NAMESPACE, run))

    def delete(self, run: str) -> None:
        self._connection.execute(DELETE, (NAMESPACE, run))

    def close(self) -> None:
        self._connection.close()


def session(url: str) -> _Session:
    """See `Bench.session`."""
    return _Session(url)


def stored(url: str) -> Mapping[str, str]:
    """See `Bench.stored`."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT run_id, keyword01 FROM executions_visibility WHERE namespace_id = %s", (NAMESPACE,)
        )
        return {run.strip(): word for run, word in rows}


def prepare(url: str) -> None:
    """See `Bench.prepare`; its buffers are set when it starts, and the system's cache stands behind them."""


def settle(url: str) -> None:
    """See `Bench.settle`."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE executions_visibility")


def statements(url: str) -> list[Sql]:
    """What Temporal's tool runs on this store."""
    with journeys.opened(url) as (engine, client):
        first = plan_store(engine, client, find("1.13"), released(), NO_OVERLAY, offline=True)
        seen = client.observe()
        middle = engine.catalog(find("1.13"))
        second = make_plan(
            engine, type(seen)(middle, "1.13", seen.server), find("1.14"), released(), NO_OVERLAY, offline=True
        )
    concurrent = [s for step in first.steps for s in step.statements if isinstance(s, Sql)]
    plain = [
        Sql(s.text.replace(" CONCURRENTLY", "")) for step in second.steps for s in step.statements if isinstance(s, Sql)
    ]
    return [*concurrent, *plain]


def temporal(url: str, log: Path) -> Mapping[str, float | str]:
    """Each statement by itself, as Temporal's tool does."""
    slowest, most = "", 0.0
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements(url):
            began = time.monotonic()
            connection.execute(statement.text)
            if time.monotonic() - began > most:
                slowest, most = statement.text.split("\n")[0][:60], time.monotonic() - began
    return {"slowest statement": slowest, "took": round(most, 2)}


def ours(url: str, log: Path) -> Mapping[str, float | str]:
    """See `load.command`."""
    return load.command(["schema", "upgrade", url, "--yes"], log)


WAYS = {"Temporal's statements": temporal, "temporal-visibility": ours}
