"""Physical types are compared inside their own dialect."""

from __future__ import annotations

import pytest

from toolkit.attributes import AttributeType
from toolkit.compat import Severity
from toolkit.compat_types import physical
from toolkit.engines.clickhouse.typemap import profile as clickhouse
from toolkit.engines.mysql.typemap import profile as mysql
from toolkit.engines.postgresql.typemap import profile as postgresql
from toolkit.engines.sqlite.typemap import profile as sqlite

SAFE, REINDEX, LOSSY, REFUSED = Severity.SAFE, Severity.REINDEX, Severity.LOSSY, Severity.REFUSED


@pytest.mark.parametrize(
    ("dialect", "before", "after", "severity"),
    [
        ("postgres", "character varying(255)", "VARCHAR(255)", SAFE),
        ("postgres", "character varying(64)", "character varying(255)", REINDEX),
        ("postgres", "character varying(255)", "character varying(64)", LOSSY),
        ("postgres", "character varying(255)", "text", REINDEX),
        ("postgres", "text", "character varying(255)", LOSSY),
        ("postgres", "numeric(20,5)", "numeric(20,4)", LOSSY),
        ("postgres", "numeric(20,5)", "numeric(22,6)", REINDEX),
        ("postgres", "numeric(20,5)", "numeric(20,6)", LOSSY),
        ("postgres", "integer", "bigint", REINDEX),
        ("postgres", "bigint", "integer", LOSSY),
        ("postgres", "tsvector", "tsvector", SAFE),
        ("postgres", "tsvector", "text", LOSSY),
        ("postgres", "jsonb", "bytea", LOSSY),
        ("mysql", "datetime(6)", "datetime(3)", LOSSY),
        ("mysql", "datetime(3)", "datetime(6)", REINDEX),
        ("mysql", "varchar(255)", "text", REINDEX),
        ("mysql", "tinyint(1)", "bigint", REINDEX),
        ("sqlite", "DECIMAL(20,5)", "DECIMAL(20,4)", LOSSY),
        ("clickhouse", "Nullable(String)", "LowCardinality(Nullable(String))", REINDEX),
        ("clickhouse", "Nullable(String)", "String", REFUSED),
        ("clickhouse", "String", "Nullable(String)", REINDEX),
        ("clickhouse", "Nullable(DateTime64(3, 'UTC'))", "Nullable(DateTime64(6, 'UTC'))", REINDEX),
        ("clickhouse", "Nullable(DateTime64(6, 'UTC'))", "Nullable(DateTime64(3, 'UTC'))", LOSSY),
        ("clickhouse", "Array(String)", "Array(Int64)", LOSSY),
        ("clickhouse", "Array(String)", "Array(LowCardinality(String))", REINDEX),
        ("clickhouse", "Int8", "Int64", REINDEX),
        (None, "keyword", "keyword", SAFE),
        (None, "keyword", "text", LOSSY),
    ],
)
def test_what_a_type_becomes(dialect: str | None, before: str, after: str, severity: Severity) -> None:
    assert physical(before, after, dialect).severity is severity


@pytest.mark.parametrize("kind", AttributeType)
def test_every_type_of_the_profiles_is_equal_to_itself_only(kind: AttributeType) -> None:
    found = {
        "postgres": postgresql().attributes[kind].reads_as,
        "mysql": mysql().attributes[kind].reads_as,
        "sqlite": sqlite().attributes[kind].type,
        "clickhouse": clickhouse().attributes[kind].type,
    }
    for dialect, text in found.items():
        assert physical(text, text, dialect).severity is SAFE
        assert physical(text, "uuid", dialect).severity in (LOSSY, REFUSED)
