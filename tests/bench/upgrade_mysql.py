"""MySQL's part of `bench_upgrade`: a writer's connection, Temporal's statements, and our command.

Temporal's tool goes from version to version, and adds each column and each index by a statement of its own that names
no algorithm, so MySQL takes the best it knows. The expressions are those of the catalog, which are equal.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from tests.bench import filling, load
from tests.bench.load import NAMESPACE
from tests.support import journeys
from tests.support.catalogs import released
from tests.support.mysql import CSA, EV, ask, connect, driver, sql
from toolkit.engines.mysql import alter, layout, render
from toolkit.engines.mysql.typemap import profile
from toolkit.engines.physical import Table
from toolkit.versions import find

INSERT = f"""
INSERT INTO {EV} (namespace_id, run_id, start_time, execution_time, workflow_id, workflow_type_name, status, encoding,
                  task_queue, search_attributes, _version)
VALUES (%s, %s, NOW(6), NOW(6), 'load', 'load', 1, '', 'queue', JSON_OBJECT('Keyword01', %s), 1)
"""
UPDATE = f"""
UPDATE {EV}
SET status = 2, close_time = NOW(6), search_attributes = JSON_OBJECT('Keyword01', %s), _version = _version + 1
WHERE namespace_id = %s AND run_id = %s
"""
SIDE = f"""
INSERT INTO {CSA} (namespace_id, run_id, search_attributes) VALUES (%s, %s, JSON_OBJECT('Keyword01', %s)) AS new
ON DUPLICATE KEY UPDATE search_attributes = new.search_attributes
"""


class _Session:
    """Each write is a transaction over both tables, at the isolation that Temporal's server has."""

    def __init__(self, url: str) -> None:
        self._connection = connect(url)
        ask(self._connection, "SET SESSION transaction_isolation = 'READ-COMMITTED'")

    def insert(self, run: str, word: str) -> None:
        self._both((INSERT, (NAMESPACE, run, word)), (SIDE, (NAMESPACE, run, word)))

    def update(self, run: str, word: str) -> None:
        self._both((UPDATE, (word, NAMESPACE, run)), (SIDE, (NAMESPACE, run, word)))

    def delete(self, run: str) -> None:
        delete = "DELETE FROM {} WHERE namespace_id = %s AND run_id = %s"
        self._both(*((delete.format(table), (NAMESPACE, run)) for table in (EV, CSA)))

    def _both(self, *work: tuple[str, tuple[str, ...]]) -> None:
        self._connection.begin()
        try:
            for statement, values in work:
                ask(self._connection, statement, values)
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()


def session(url: str) -> _Session:
    """See `Bench.session`."""
    return _Session(url)


def stored(url: str) -> Mapping[str, str]:
    """See `Bench.stored`; a run that is in one table only has a word that no writer wrote."""
    rows = sql(
        url,
        f"SELECT e.run_id, IF(e.search_attributes->>'$.Keyword01' <=> c.Keyword01, c.Keyword01, 'unlike') FROM {EV} e "
        f"LEFT JOIN {CSA} c USING (namespace_id, run_id) WHERE e.namespace_id = '{NAMESPACE}' UNION ALL "
        f"SELECT c.run_id, 'alone' FROM {CSA} c LEFT JOIN {EV} e USING (namespace_id, run_id) "
        f"WHERE c.namespace_id = '{NAMESPACE}' AND e.run_id IS NULL",
    )
    return dict(rows)


def prepare(url: str) -> None:
    """See `Bench.prepare`."""
    with journeys.opened(url) as (engine, client):
        filling.roomy(engine, client)


def settle(url: str) -> None:
    """See `Bench.settle`."""
    sql(url, f"ANALYZE TABLE {EV}, {CSA}")


def statements() -> Iterator[str]:
    """What Temporal's tool runs from 1.9 on."""
    chain = released()
    for before, after in pairwise(chain[chain.index(find("1.9")) :]):
        observed = layout.catalog(before, profile())
        for table in layout.layout(after, profile()):
            if table.name not in observed.children(("tables",)):
                yield render.create_table(replace(table, indexes=()), layout.PRIMARY_KEY).text
                yield from (_one(table, render.add_index(index)) for index in table.indexes)
                continue
            change = alter.alteration(table, observed)
            yield from (_one(table, render.add_column(column)) for column in change.added)
            yield from (_one(table, render.add_index(index)) for index in change.built)


def _one(table: Table, clause: str) -> str:
    return f"ALTER TABLE {render.identifier(table.name)} {clause}"


def temporal(url: str, log: Path) -> Mapping[str, float | str]:
    """Each statement by itself, as Temporal's tool does."""
    slowest, most, number = "", 0.0, 0
    with driver(url) as connection:
        for statement in statements():
            began = time.monotonic()
            ask(connection, statement)
            number += 1
            if time.monotonic() - began > most:
                slowest, most = " ".join(statement.split())[:70], time.monotonic() - began
    return {"statements": number, "slowest statement": slowest, "took": round(most, 2)}


def ours(url: str, log: Path) -> Mapping[str, float | str]:
    """See `load.command`."""
    return load.command(["schema", "upgrade", url, "--yes"], log)


WAYS = {"Temporal's statements": temporal, "temporal-visibility": ours}
