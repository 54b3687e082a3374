"""MySQL: records come back as they were written, and late writes change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.kept import kept
from tests.support.mysql import CHSA, CSA, EV, NEWEST, at, sql
from toolkit.engines.bound import BoundSql
from toolkit.engines.mysql import rows
from toolkit.engines.mysql.typemap import profile
from toolkit.records import Deletion, Moment, Record
from toolkit.sample import expected, generate


@pytest.mark.parametrize("version", ["1.0", "1.2", "1.9", "1.14"])
def test_records_come_back_as_they_were_written(mysql: Handle, version: str) -> None:
    definition = at(version)
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, definition)
        writes = list(generate(definition, 1000, seed=11))
        assert sum(client.write(definition, writes)) == len(writes)
        wanted = {key: kept(record, definition) for key, record in expected(writes).items()}
        assert {(r.namespace_id, r.run_id): r for r in client.read(definition)} == wanted
        assert client.count() == len(wanted)
    if version == "1.0":
        return
    side = [CSA, CHSA] if version == "1.14" else [CSA]
    versions = "AND e._version = s._version" if version not in ("1.2",) else ""
    for table in side:
        same = f"SELECT COUNT(*), SUM(e.search_attributes <=> s.search_attributes {versions}) FROM {EV} e "
        assert sql(mysql.url, f"{same} LEFT JOIN {table} s USING (namespace_id, run_id)") == [(1000, 1000)]


EDGES: dict[str, Any] = {
    "Keyword01": "NUL \x00 and 😀 and \\ and ' and \" and %s and \u2028",
    "Keyword02": "x" * 255,
    "Text01": "it's a:b https://example.test/?q=1 \\ '' 漢字 " * 50,
    "Int01": -(2**63),
    "Int02": 2**63 - 1,
    "Double01": -999_999_999_999_999.0,
    "Double02": 0.1 + 0.2,
    "Bool01": False,
    "Datetime01": Moment(-1),
    "Datetime02": Moment(4_102_444_799_123_456_789),
    "KeywordList01": ("", "é", "e\u0301", "♡", "x" * 255),
}


@pytest.mark.short
def test_values_at_the_edges(mysql: Handle) -> None:
    record = Record(
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "run", "w" * 255, "t", -62_135_596_800_000_000_000 + 10**18,
        253_402_300_799_999_999_000, 8, task_queue="Ünïcode %", close_time=999, history_length=2**63 - 1,
        memo=bytes(range(256)) * 255, encoding="Proto3", parent_workflow_id="'; --", root_run_id="r", version=2**62,
        attributes=EDGES,
    )  # fmt: skip
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        list(client.write(NEWEST, [record]))
        assert list(client.read(NEWEST)) == [kept(record, NEWEST)]
        columns = "Keyword01, Int01, Double02, Bool01, Datetime02, JSON_LENGTH(KeywordList01)"
        (row,) = sql(mysql.url, f"SELECT {columns} FROM {CSA}")
        assert [str(value) for value in row] == [
            EDGES["Keyword01"], str(-(2**63)), "0.30000", "0", "2099-12-31 23:59:59.123457", "5",
        ]  # fmt: skip


@pytest.mark.short
def test_a_late_write_changes_no_table(mysql: Handle) -> None:
    def state(version: int, word: str) -> Record:
        attributes = {"Keyword01": word, "TemporalKeyword01": word, "BatcherUser": word}
        return Record("n", "r", "w", "t", 0, 0, 1, version=version, attributes=attributes)

    found = (
        f"SELECT e.BatcherUser, c.Keyword01, h.TemporalKeyword01, e._version, c._version, h._version FROM {EV} e "
        f"JOIN {CSA} c USING (namespace_id, run_id) JOIN {CHSA} h USING (namespace_id, run_id)"
    )
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, NEWEST)
        list(client.write(NEWEST, [state(5, "five")]))
        list(client.write(NEWEST, [state(3, "late"), state(5, "again")]))
        assert sql(mysql.url, found) == [("five", "five", "five", 5, 5, 5)]
        # As Temporal's server leaves it when an execution starts: the other tables say 0, whatever the main one says.
        sql(mysql.url, f"UPDATE {CSA} SET _version = 0", f"UPDATE {CHSA} SET _version = 0")
        list(client.write(NEWEST, [state(4, "late")]))
        assert sql(mysql.url, found)[0][:3] == ("five", "five", "five")
        list(client.write(NEWEST, [state(6, "six")]))
        assert sql(mysql.url, found) == [("six", "six", "six", 6, 6, 6)]
        list(client.write(NEWEST, [Deletion("n", "r", "w", 7, 0)]))
        for table in (EV, CSA, CHSA):
            assert sql(mysql.url, f"SELECT COUNT(*) FROM {table}") == [(0,)]


@pytest.mark.short
def test_long_lists_of_keys_are_looked_up(mysql: Handle) -> None:
    """Past its limit of memory for ranges the server scans the whole table instead."""
    form = rows.Form.of(NEWEST, profile())
    columns = "namespace_id CHAR(64), run_id CHAR(64), _version BIGINT, search_attributes JSON"
    tables = [f"CREATE TABLE {table} ({columns}, PRIMARY KEY (namespace_id, run_id))" for table in (EV, CSA, CHSA)]
    digits = " UNION ALL ".join(f"SELECT {n} AS d" for n in range(10))
    joined = " CROSS JOIN ".join(f"({digits}) AS {name}" for name in "abcd")
    filled = f"INSERT INTO {EV} (namespace_id, run_id) SELECT CONCAT('namespace-', a.d), UUID() FROM {joined}"
    sql(mysql.url, *tables, filled, f"ANALYZE TABLE {EV}")
    keys = [(str(a), str(b)) for a, b in sql(mysql.url, f"SELECT namespace_id, run_id FROM {EV} LIMIT 1000")]
    with journeys.opened(mysql.url) as (_, client):
        for statement in (*form.follow, form.delete[0]):
            for text, values in rows.chunks(statement, keys):
                plan = client.ask(BoundSql(f"EXPLAIN FORMAT=TRADITIONAL {text}", tuple(values)))
                assert [(step["type"], step["key"]) for step in plan if step["table"] == EV] == [("range", "PRIMARY")]


def test_reading_sees_one_moment(mysql: Handle) -> None:
    """Records written while a reader is under way are not in what it reads, and none comes twice."""
    writes = list(generate(NEWEST, 300, seed=3))
    with journeys.opened(mysql.url) as (chosen, client), journeys.opened(mysql.url) as (_, other):
        journeys.upgrade(chosen, client, NEWEST)
        sql(mysql.url, f"ALTER TABLE {EV} STATS_AUTO_RECALC = 0")
        list(client.write(NEWEST, writes))
        sql(mysql.url, f"ALTER TABLE {EV} COMMENT = 'altered: the server counts 0 rows until it looks again'")
        assert client.observe().rows == 300
        reader = client.read(NEWEST)
        seen = [next(reader)]
        list(other.write(NEWEST, [Deletion(r.namespace_id, r.run_id, "", 2**62, 0) for r in expected(writes).values()]))
        seen += reader
        assert {(r.namespace_id, r.run_id) for r in seen} == set(expected(writes))
        assert len(seen) == 300
        assert client.count() == 0
