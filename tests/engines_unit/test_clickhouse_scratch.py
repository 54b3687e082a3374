"""Which statements of a dump are read into a throwaway ClickHouse database."""

from __future__ import annotations

import pytest

from toolkit.engines.clickhouse import scratch
from toolkit.errors import UsageError

GOOD = (
    "CREATE TABLE executions_visibility (a String COMMENT 'from x.y', b String DEFAULT toString(a))\nENGINE = "
    "ReplacingMergeTree(a) ORDER BY a TTL toDateTime(a) TO DISK 'cold'",
    "-- it's from 1.9 to 1.10, or to a.b\nCREATE MATERIALIZED VIEW v TO w AS SELECT t.a FROM executions AS t",
)


def test_statements_of_this_database_are_read() -> None:
    assert list(scratch.statements("".join(f"{statement};\n" for statement in GOOD))) == list(GOOD)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE temporal.executions_visibility (a String) ENGINE = MergeTree ORDER BY a",
        "DROP TABLE IF EXISTS `temporal` . `executions_visibility`",
        "CREATE MATERIALIZED VIEW v TO temporal.w AS SELECT a FROM t",
        "-- it's from 1.9 to 1.10, or to a.b\nCREATE MATERIALIZED VIEW v TO w AS SELECT a FROM temporal.t",
        'INSERT INTO "temporal".t VALUES (1)',
        "CREATE TABLE t (a String) ENGINE = Distributed('main', 'temporal', 't')",
        "CREATE TABLE t (a String)\nENGINE=Buffer(temporal, t, 1, 1, 1, 1, 1, 1, 1)",
        "USE temporal",
        "DROP DATABASE temporal",
    ],
)
def test_what_is_of_another_database_is_refused(statement: str) -> None:
    with pytest.raises(UsageError, match="which database"):
        list(scratch.statements(f"{statement};\n"))
