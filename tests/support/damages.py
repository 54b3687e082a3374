"""Small damages to a store: what a hand, a script or a failed build does to it, and what drift must call it.

Each is tried alone on an undamaged store at the newest version. `code` and `place` say what must be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

EV, CSA, CHSA = "executions_visibility", "custom_search_attributes", "chasm_search_attributes"
MISSING, EXTRA, DIFFERENT, INVALID, RENAMED, BODY = "TV6111", "TV6112", "TV6113", "TV6114", "TV6115", "TV6116"


@dataclass(frozen=True)
class Damage:
    """`does`: statements that do it; `place`: how the path of the finding ends."""

    name: str
    does: Sequence[str]
    code: str
    place: str


def _alter(clauses: str, table: str = EV) -> list[str]:
    return [f"ALTER TABLE {table} {clauses}"]


_TAIL_PG = "(COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id"

POSTGRESQL = [
    Damage("dropped index", ["DROP INDEX by_status"], MISSING, "indexes/by_status"),
    Damage("dropped GIN index", ["DROP INDEX by_text_02"], MISSING, "indexes/by_text_02"),
    Damage("renamed index", ["ALTER INDEX by_status RENAME TO by_state"], RENAMED, "indexes/by_status"),
    Damage("INVALID index",
           ["UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_int_02'::regclass"], INVALID, "by_int_02"),
    Damage("index on another column",
           ["DROP INDEX by_int_01", f"CREATE INDEX by_int_01 ON {EV} (namespace_id, int02, {_TAIL_PG})"],
           DIFFERENT, "by_int_01"),
    Damage("index without its tail",
           ["DROP INDEX by_int_01", f"CREATE INDEX by_int_01 ON {EV} (namespace_id, int01)"], DIFFERENT, "by_int_01"),
    Damage("index in the other direction",
           ["DROP INDEX default_idx", f"CREATE INDEX default_idx ON {EV} (namespace_id, "
            "(COALESCE(close_time, '9999-12-31 23:59:59')), start_time DESC, run_id)"], DIFFERENT, "default_idx"),
    Damage("other operator class",
           ["DROP INDEX by_keyword_01",
            f"CREATE INDEX by_keyword_01 ON {EV} (namespace_id, keyword01 varchar_pattern_ops, {_TAIL_PG})"],
           DIFFERENT, "by_keyword_01"),
    Damage("other GIN operator class",
           ["DROP INDEX by_build_ids", f"CREATE INDEX by_build_ids ON {EV} USING gin (namespace_id, buildids)"],
           DIFFERENT, "by_build_ids"),
    Damage("unique index",
           ["DROP INDEX by_parent_run_id",
            f"CREATE UNIQUE INDEX by_parent_run_id ON {EV} (namespace_id, parent_run_id, {_TAIL_PG})"],
           DIFFERENT, "by_parent_run_id"),
    Damage("partial index",
           ["DROP INDEX by_bool_01",
            f"CREATE INDEX by_bool_01 ON {EV} (namespace_id, bool01, {_TAIL_PG}) WHERE bool01"],
           DIFFERENT, "by_bool_01"),
    Damage("covering index",
           ["DROP INDEX by_bool_01",
            f"CREATE INDEX by_bool_01 ON {EV} (namespace_id, bool01, {_TAIL_PG}) INCLUDE (status)"],
           DIFFERENT, "by_bool_01"),
    Damage("index with another fill factor", ["ALTER INDEX by_task_queue SET (fillfactor = 50)"], DIFFERENT,
           "by_task_queue"),
    Damage("extra index", [f"CREATE INDEX by_mine ON {EV} (workflow_id, run_id)"], EXTRA, "indexes/by_mine"),
    Damage("extra column", _alter("ADD COLUMN note text"), EXTRA, "columns/note"),
    Damage("extra NOT NULL column", _alter("ADD COLUMN note int NOT NULL DEFAULT 1"), EXTRA, "columns/note"),
    Damage("dropped generated column", _alter("DROP COLUMN int03"), MISSING, "columns/int03"),
    Damage("dropped column", _alter("DROP COLUMN history_length"), MISSING, "columns/history_length"),
    Damage("renamed column", _alter("RENAME COLUMN history_length TO history_len"), RENAMED, "columns/history_length"),
    Damage("renamed generated column", _alter("RENAME COLUMN keyword07 TO customer"), RENAMED, "columns/keyword07"),
    Damage("longer column", _alter("ALTER COLUMN workflow_type_name TYPE varchar(300)"), DIFFERENT,
           "columns/workflow_type_name"),
    Damage("column of another type", _alter("ALTER COLUMN status TYPE bigint"), DIFFERENT, "columns/status"),
    Damage("lost NOT NULL", _alter("ALTER COLUMN encoding DROP NOT NULL"), DIFFERENT, "columns/encoding"),
    Damage("gained NOT NULL", [f"UPDATE {EV} SET search_attributes = '{{}}' WHERE search_attributes IS NULL",
           *_alter("ALTER COLUMN search_attributes SET NOT NULL")],
           DIFFERENT, "columns/search_attributes"),
    Damage("lost default", _alter("ALTER COLUMN task_queue DROP DEFAULT"), DIFFERENT, "columns/task_queue"),
    Damage("other default", _alter("ALTER COLUMN _version SET DEFAULT 1"), DIFFERENT, "columns/_version"),
    Damage("gained default", _alter("ALTER COLUMN status SET DEFAULT 1"), DIFFERENT, "columns/status"),
    Damage("other generated expression",
           [*_alter("DROP COLUMN int01"), *_alter("ADD COLUMN int01 bigint GENERATED ALWAYS AS "
            "((search_attributes->'Int02')::bigint) STORED"),
            f"CREATE INDEX by_int_01 ON {EV} (namespace_id, int01, {_TAIL_PG})"], DIFFERENT, "columns/int01"),
    Damage("no longer generated", _alter("ALTER COLUMN keyword02 DROP EXPRESSION"), DIFFERENT, "columns/keyword02"),
    Damage("other scale", [*_alter("DROP COLUMN double01"), *_alter("ADD COLUMN double01 numeric(20,4) GENERATED ALWAYS "
           "AS ((search_attributes->'Double01')::decimal) STORED")], DIFFERENT, "columns/double01"),
    Damage("other collation", _alter('ALTER COLUMN workflow_id TYPE varchar(255) COLLATE "C"'), DIFFERENT,
           "columns/workflow_id"),
    Damage("lost primary key", _alter(f"DROP CONSTRAINT {EV}_pkey"), MISSING, f"{EV}/primary_key"),
    Damage("other primary key", _alter(f"DROP CONSTRAINT {EV}_pkey, ADD CONSTRAINT {EV}_pkey PRIMARY KEY (run_id)"),
           DIFFERENT, f"constraints/{EV}_pkey"),
    Damage("renamed primary key", _alter(f"RENAME CONSTRAINT {EV}_pkey TO mine_pkey"), MISSING, f"constraints/{EV}_pkey"),
    Damage("check constraint", _alter("ADD CONSTRAINT good CHECK (status > 0)"), EXTRA, "constraints/good"),
    Damage("trigger that drops rows",
           ["CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            f"CREATE TRIGGER eats BEFORE INSERT ON {EV} FOR EACH ROW EXECUTE FUNCTION nothing()"],
           EXTRA, "triggers/eats"),
    Damage("row security", _alter("ENABLE ROW LEVEL SECURITY"), EXTRA, f"{EV}/rls"),
    Damage("unlogged table", _alter("SET UNLOGGED"), EXTRA, f"{EV}/persistence"),
    Damage("function that does nothing",
           ["CREATE OR REPLACE FUNCTION convert_ts(s VARCHAR) RETURNS TIMESTAMP AS 'BEGIN RETURN NULL; END' "
            "LANGUAGE plpgsql IMMUTABLE RETURNS NULL ON NULL INPUT"], BODY, "convert_ts(s character varying)/body"),
    Damage("function of another volatility", ["ALTER FUNCTION convert_ts(VARCHAR) VOLATILE SECURITY DEFINER"], DIFFERENT,
           "convert_ts(s character varying)"),
    Damage("recorder of no run",
           ["CREATE FUNCTION temporal_visibility_capture() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            *(f"CREATE TRIGGER temporal_visibility_{name} AFTER {event} ON {EV} EXECUTE FUNCTION "
              "temporal_visibility_capture()" for name, event in (("capture", "INSERT"), ("truncate", "TRUNCATE")))],
           EXTRA, "triggers/temporal_visibility_capture"),
    Damage("function dropped with its columns", ["DROP FUNCTION convert_ts(VARCHAR) CASCADE"], MISSING,
           "convert_ts(s character varying)"),
    Damage("extension dropped with its indexes", ["DROP EXTENSION btree_gin CASCADE"], DIFFERENT, "extensions"),
    Damage("number that became text, of which a column is made", [*_alter("ALTER COLUMN history_length TYPE text, "
           "ALTER COLUMN history_length SET DEFAULT 'none'"), *_alter("ADD COLUMN note int GENERATED ALWAYS AS "
           "(length(history_length)) STORED")], DIFFERENT, "columns/history_length"),
]  # fmt: skip

_TAIL_MY = "(COALESCE(close_time, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, start_time DESC, run_id"


def _other_index(name: str, definition: str, table: str = EV, kind: str = "INDEX") -> list[str]:
    return _alter(f"DROP INDEX {name}, ADD {kind} {name} {definition}", table)


MYSQL = [
    Damage("dropped index", _alter("DROP INDEX by_status"), MISSING, "indexes/by_status"),
    Damage("dropped multi-valued index", _alter("DROP INDEX by_build_ids"), MISSING, "indexes/by_build_ids"),
    Damage("dropped full-text index", _alter("DROP INDEX by_text_01", CSA), MISSING, "indexes/by_text_01"),
    Damage("dropped plain index", _alter("DROP INDEX by_int_01", CSA), MISSING, "indexes/by_int_01"),
    Damage("dropped CHASM index", _alter("DROP INDEX by_temporal_int_01", CHSA), MISSING, "indexes/by_temporal_int_01"),
    Damage("renamed index", _alter("RENAME INDEX by_status TO by_state"), RENAMED, "indexes/by_status"),
    Damage("invisible index", _alter("ALTER INDEX by_status INVISIBLE"), DIFFERENT, "indexes/by_status"),
    Damage("index on another column", _other_index("by_int_01", "(namespace_id, Int02)", CSA), DIFFERENT, "by_int_01"),
    Damage("index without its tail", _other_index("by_status", "(namespace_id, status)"), DIFFERENT, "by_status"),
    Damage("index in the other direction",
           _other_index("default_idx", "(namespace_id, (COALESCE(close_time, CAST('9999-12-31 23:59:59' AS DATETIME))), "
                        "start_time DESC, run_id)"), DIFFERENT, "default_idx"),
    Damage("index of a prefix", _other_index("by_keyword_01", "(namespace_id, Keyword01(20))", CSA), DIFFERENT,
           "by_keyword_01"),
    Damage("unique index", _other_index("by_keyword_02", "(namespace_id, Keyword02, run_id)", CSA, "UNIQUE INDEX"),
           DIFFERENT, "by_keyword_02"),
    Damage("list index that is none", _other_index("by_keyword_list_01", "(namespace_id)", CSA), DIFFERENT,
           "by_keyword_list_01"),
    Damage("index with a comment", _other_index("by_int_02", "(namespace_id, Int02) COMMENT 'mine'", CSA), DIFFERENT,
           "by_int_02"),
    Damage("extra index", _alter("ADD INDEX by_mine (workflow_id, run_id)"), EXTRA, "indexes/by_mine"),
    Damage("extra column", _alter("ADD COLUMN note VARCHAR(10)"), EXTRA, "columns/note"),
    Damage("extra generated column", _alter("ADD COLUMN note INT GENERATED ALWAYS AS (1) VIRTUAL", CHSA), EXTRA,
           "columns/note"),
    Damage("dropped column", _alter("DROP INDEX by_history_length, DROP COLUMN history_length"), MISSING,
           "columns/history_length"),
    Damage("dropped generated column", _alter("DROP INDEX by_int_03, DROP COLUMN Int03", CSA), MISSING, "columns/Int03"),
    Damage("renamed column", _alter("RENAME COLUMN history_length TO history_len"), RENAMED, "columns/history_length"),
    Damage("longer column", _alter("MODIFY workflow_type_name VARCHAR(300) NOT NULL"), DIFFERENT,
           "columns/workflow_type_name"),
    Damage("column of another type", _alter("MODIFY status BIGINT NOT NULL"), DIFFERENT, "columns/status"),
    Damage("less precise time", _alter("MODIFY execution_time DATETIME(3) NOT NULL"), DIFFERENT,
           "columns/execution_time"),
    Damage("lost NOT NULL", _alter("MODIFY encoding VARCHAR(64) NULL"), DIFFERENT, "columns/encoding"),
    Damage("gained NOT NULL", [f"UPDATE {EV} SET memo = '' WHERE memo IS NULL", *_alter("MODIFY memo BLOB NOT NULL")], DIFFERENT, "columns/memo"),
    Damage("lost default", _alter("ALTER COLUMN task_queue DROP DEFAULT"), DIFFERENT, "columns/task_queue"),
    Damage("other default", _alter("ALTER COLUMN _version SET DEFAULT 1"), DIFFERENT, "columns/_version"),
    Damage("gained default", _alter("ALTER COLUMN status SET DEFAULT 1"), DIFFERENT, "columns/status"),
    Damage("default of a copy", _alter("ALTER COLUMN _version SET DEFAULT 5", CSA), DIFFERENT, "columns/_version"),
    Damage("time that updates itself",
           _alter("MODIFY execution_time DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)"),
           DIFFERENT, "columns/execution_time"),
    Damage("other generated expression",
           _alter("DROP INDEX by_int_01, DROP COLUMN Int01, ADD COLUMN Int01 BIGINT GENERATED ALWAYS AS "
                  "(search_attributes->'$.Int02'), ADD INDEX by_int_01 (namespace_id, Int01)", CSA), DIFFERENT,
           "columns/Int01"),
    Damage("no longer generated",
           _alter("DROP INDEX by_int_01, DROP COLUMN Int01, ADD COLUMN Int01 BIGINT, "
                  "ADD INDEX by_int_01 (namespace_id, Int01)", CSA), DIFFERENT, "columns/Int01"),
    Damage("stored, not virtual",
           _alter("DROP INDEX by_bool_01, DROP COLUMN Bool01, ADD COLUMN Bool01 BOOLEAN GENERATED ALWAYS AS "
                  "(search_attributes->'$.Bool01') STORED, ADD INDEX by_bool_01 (namespace_id, Bool01)", CSA),
           DIFFERENT, "columns/Bool01"),
    Damage("invisible column", _alter("ALTER COLUMN parent_run_id SET INVISIBLE"), DIFFERENT, "columns/parent_run_id"),
    Damage("column with a comment", _alter("MODIFY parent_run_id VARCHAR(255) COMMENT 'mine'"), DIFFERENT,
           "columns/parent_run_id"),
    Damage("other collation of a column", _alter("MODIFY parent_run_id VARCHAR(255) COLLATE utf8mb4_bin"), DIFFERENT,
           "columns/parent_run_id"),
    Damage("other collation of a table", _alter("DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", CHSA), DIFFERENT,
           f"{CHSA}/collation"),
    Damage("lost primary key", _alter("DROP PRIMARY KEY", CHSA), MISSING, f"{CHSA}/primary_key"),
    Damage("other primary key", _alter("DROP PRIMARY KEY, ADD PRIMARY KEY (run_id, namespace_id)", CHSA), DIFFERENT,
           f"{CHSA}/primary_key"),
    Damage("check constraint", _alter("ADD CONSTRAINT good CHECK (status > 0)"), EXTRA, "constraints/good"),
    Damage("trigger", [f"CREATE TRIGGER eats BEFORE INSERT ON {EV} FOR EACH ROW SET NEW.memo = NULL"], EXTRA,
           "triggers/eats"),
    Damage("dropped table", [f"DROP TABLE {CHSA}"], MISSING, f"tables/{CHSA}"),
]  # fmt: skip

_TAIL_SL = "COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id"


def _again(name: str, definition: str, kind: str = "INDEX") -> list[str]:
    return [f"DROP INDEX {name}", f"CREATE {kind} {name} ON {EV} {definition}"]


def _written(old: str, new: str) -> list[str]:
    """The table's text changed in SQLite's own catalog, as no ALTER can."""
    return [
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') WHERE name = '{EV}'",
        "PRAGMA writable_schema = RESET",
    ]


_AI = f"{EV}_ai"
SQLITE = [
    Damage("dropped index", ["DROP INDEX by_status"], MISSING, "indexes/by_status"),
    Damage("dropped first index", ["DROP INDEX default_idx"], MISSING, "indexes/default_idx"),
    Damage("renamed index", ["DROP INDEX by_int_01", f'CREATE INDEX by_int_one ON {EV} (namespace_id, "Int01", {_TAIL_SL})'],
           MISSING, "indexes/by_int_01"),
    Damage("index on another column", _again("by_int_01", f"(namespace_id, Int02, {_TAIL_SL})"), DIFFERENT, "by_int_01"),
    Damage("index without its tail", _again("by_status", "(namespace_id, status)"), DIFFERENT, "by_status"),
    Damage("index in the other direction",
           _again("default_idx", "(namespace_id, COALESCE(close_time, '9999-12-31 23:59:59+00:00'), start_time DESC, run_id)"),
           DIFFERENT, "default_idx"),
    Damage("index with another last moment",
           _again("default_idx", "(namespace_id, COALESCE(close_time, '9999-12-31') DESC, start_time DESC, run_id)"),
           DIFFERENT, "default_idx"),
    Damage("unique index", _again("by_keyword_01", f"(namespace_id, Keyword01, {_TAIL_SL})", "UNIQUE INDEX"), DIFFERENT,
           "by_keyword_01"),
    Damage("partial index", _again("by_keyword_01", f"(namespace_id, Keyword01, {_TAIL_SL}) WHERE status = 1"),
           DIFFERENT, "by_keyword_01"),
    Damage("other collation of an index", _again("by_keyword_02", f"(namespace_id, Keyword02 COLLATE NOCASE, {_TAIL_SL})"),
           DIFFERENT, "by_keyword_02"),
    Damage("extra index", [f"CREATE INDEX by_mine ON {EV} (workflow_id, run_id)"], EXTRA, "indexes/by_mine"),
    Damage("extra column", _alter("ADD COLUMN note TEXT"), EXTRA, "columns/note"),
    Damage("extra NOT NULL column", _alter("ADD COLUMN note INT NOT NULL DEFAULT 1"), EXTRA, "columns/note"),
    Damage("extra generated column", _alter("ADD COLUMN note INT GENERATED ALWAYS AS (1) VIRTUAL"), EXTRA, "columns/note"),
    Damage("dropped column", ["DROP INDEX by_history_length", *_alter("DROP COLUMN history_length")], MISSING,
           "columns/history_length"),
    Damage("dropped generated column", ["DROP INDEX by_int_03", *_alter("DROP COLUMN Int03")], MISSING, "columns/Int03"),
    Damage("renamed column", _alter("RENAME COLUMN history_length TO history_len"), RENAMED, "columns/history_length"),
    Damage("other length", _written("\"encoding\"                             VARCHAR(64)", "\"encoding\" VARCHAR(60)"),
           DIFFERENT, "columns/encoding"),
    Damage("other type", _written("\"status\"                               INT ", "\"status\" BIGINT "), DIFFERENT,
           "columns/status"),
    Damage("lost NOT NULL", _written("VARCHAR(64) NOT NULL", "VARCHAR(64)"), DIFFERENT, "columns/encoding"),
    Damage("gained NOT NULL", _written("\"search_attributes\"                    TEXT", "\"search_attributes\" TEXT NOT NULL"),
           DIFFERENT, "columns/search_attributes"),
    Damage("lost default", _written("BIGINT NOT NULL DEFAULT 0", "BIGINT NOT NULL"), DIFFERENT, "columns/_version"),
    Damage("other default", _written("BIGINT NOT NULL DEFAULT 0", "BIGINT NOT NULL DEFAULT 1"), DIFFERENT,
           "columns/_version"),
    Damage("other generated expression", _written("$.Int01", "$.Int02"), DIFFERENT, "columns/Int01"),
    Damage("other expression of a time", _written("%f+00:00'', JSON_EXTRACT(search_attributes, ''$.Datetime01", "%S+00:00'', JSON_EXTRACT(search_attributes, ''$.Datetime01"),
           DIFFERENT, "columns/Datetime01"),
    Damage("collation of a column", _written("\"parent_run_id\"                        VARCHAR(255)", "\"parent_run_id\" VARCHAR(255) COLLATE NOCASE"),
           DIFFERENT, "columns/parent_run_id"),
    Damage("check constraint", _written("PRIMARY KEY (\"namespace_id\", \"run_id\")", "PRIMARY KEY (\"namespace_id\", \"run_id\"), CHECK (status > 0)"),
           EXTRA, f"{EV}/constraints"),
    Damage("missing insert trigger", [f"DROP TRIGGER {EV}_ai"], MISSING, f"triggers/{EV}_ai"),
    Damage("missing delete trigger", [f"DROP TRIGGER {EV}_ad"], MISSING, f"triggers/{EV}_ad"),
    Damage("missing update trigger", [f"DROP TRIGGER {EV}_au"], MISSING, f"triggers/{EV}_au"),
    Damage("trigger that does nothing",
           [f"DROP TRIGGER {_AI}", f"CREATE TRIGGER {_AI} AFTER INSERT ON {EV} BEGIN SELECT 1; END"], BODY, f"{_AI}/text"),
    Damage("trigger with a condition",
           [f"DROP TRIGGER {_AI}", f"CREATE TRIGGER {_AI} AFTER INSERT ON {EV} WHEN NEW.status = 2 BEGIN "
            f"INSERT INTO {EV}_fts_text (rowid, Text01, Text02, Text03) VALUES (NEW.rowid, NEW.Text01, NEW.Text02, "
            "NEW.Text03); END"], BODY, f"{_AI}/text"),
    Damage("trigger at another moment",
           [f"DROP TRIGGER {_AI}", f"CREATE TRIGGER {_AI} BEFORE INSERT ON {EV} BEGIN SELECT 1; END"], DIFFERENT,
           f"triggers/{_AI}"),
    Damage("trigger of somebody", [f"CREATE TRIGGER eats AFTER INSERT ON {EV} BEGIN SELECT 1; END"], EXTRA,
           "triggers/eats"),
    Damage("missing full-text table", [f"DROP TABLE {EV}_fts_text"], MISSING, f"virtual_tables/{EV}_fts_text"),
    Damage("full-text table with fewer columns",
           [f"DROP TABLE {EV}_fts_text", f"CREATE VIRTUAL TABLE {EV}_fts_text USING fts5 (Text01, Text02, content='{EV}', "
            "tokenize='unicode61 remove_diacritics 2')"], DIFFERENT, f"virtual_tables/{EV}_fts_text"),
    Damage("other tokenizer",
           [f"DROP TABLE {EV}_fts_text", f"CREATE VIRTUAL TABLE {EV}_fts_text USING fts5 (Text01, Text02, Text03, "
            f"content='{EV}', tokenize='porter')"], DIFFERENT, f"virtual_tables/{EV}_fts_text"),
]  # fmt: skip

_IDX = "ALTER TABLE executions_visibility"
UNBUILT, STUCK = "TV6125", "TV6124"


def _anew(name: str, definition: str) -> list[str]:
    return [f"{_IDX} DROP INDEX {name}", f"{_IDX} ADD INDEX {name} {definition}"]


CLICKHOUSE = [
    Damage("dropped index", _alter("DROP INDEX by_status"), MISSING, "indexes/by_status"),
    Damage("dropped index of the table's own", _alter("DROP INDEX by_run_id"), MISSING, "indexes/by_run_id"),
    Damage("dropped text index", _alter("DROP INDEX by_text_01"), MISSING, "indexes/by_text_01"),
    Damage("renamed index", [*_alter("DROP INDEX by_int_01"), *_alter("ADD INDEX by_int_one int01 TYPE minmax GRANULARITY 1")],
           MISSING, "indexes/by_int_01"),
    Damage("index on another column", _anew("by_int_01", "int02 TYPE minmax GRANULARITY 1"), DIFFERENT, "by_int_01"),
    Damage("index of another type", _anew("by_keyword_01", "keyword01 TYPE set(100) GRANULARITY 1"), DIFFERENT, "by_keyword_01"),
    Damage("index with another parameter", _anew("by_keyword_02", "keyword02 TYPE bloom_filter(0.1) GRANULARITY 1"), DIFFERENT,
           "by_keyword_02"),
    Damage("coarser index", _anew("by_keyword_03", "keyword03 TYPE bloom_filter(0.01) GRANULARITY 4"), DIFFERENT, "by_keyword_03"),
    Damage("text index with letters' case", _anew("by_text_02", "ifNull(text02, '') TYPE tokenbf_v1(8192, 3, 0) GRANULARITY 1"),
           DIFFERENT, "by_text_02"),
    Damage("smaller text index", _anew("by_text_03", "lower(ifNull(text03, '')) TYPE tokenbf_v1(256, 2, 0) GRANULARITY 1"),
           DIFFERENT, "by_text_03"),
    Damage("extra index", _alter("ADD INDEX by_mine workflow_id TYPE minmax GRANULARITY 1"), EXTRA, "indexes/by_mine"),
    Damage("index that is not built",
           [*_alter("DROP INDEX by_int_02"), *_alter("ADD INDEX by_int_02 int02 TYPE minmax GRANULARITY 1")],
           UNBUILT, "by_int_02/built"),
    Damage("index that was cleared", _alter("CLEAR INDEX by_int_03"), UNBUILT, "by_int_03/built"),
    Damage("extra column", _alter("ADD COLUMN note String"), EXTRA, "columns/note"),
    Damage("extra materialized column", _alter("ADD COLUMN note UInt64 MATERIALIZED cityHash64(run_id)"), EXTRA, "columns/note"),
    Damage("extra alias", _alter("ADD COLUMN note String ALIAS run_id"), EXTRA, "columns/note"),
    Damage("dropped column", [*_alter("DROP INDEX by_int_03"), *_alter("DROP COLUMN int03")], MISSING, "columns/int03"),
    Damage("dropped memo", _alter("DROP COLUMN memo"), MISSING, "columns/memo"),
    Damage("renamed column", _alter("RENAME COLUMN memo TO note"), RENAMED, "columns/memo"),
    Damage("other type", [*_alter("DROP INDEX by_history_length"), *_alter("MODIFY COLUMN history_length Nullable(Int32)"),
           *_alter("ADD INDEX by_history_length history_length TYPE minmax GRANULARITY 1")], DIFFERENT, "columns/history_length"),
    Damage("less precise time", [*_alter("DROP INDEX by_execution_time"), *_alter("MODIFY COLUMN execution_time DateTime64(3, 'UTC')"),
           *_alter("ADD INDEX by_execution_time execution_time TYPE minmax GRANULARITY 1")], DIFFERENT, "columns/execution_time"),
    Damage("nullable where it is not", _alter("MODIFY COLUMN encoding LowCardinality(Nullable(String))"), DIFFERENT, "columns/encoding"),
    Damage("no longer of few values", _alter("MODIFY COLUMN encoding String"), DIFFERENT, "columns/encoding"),
    Damage("other default", _alter("MODIFY COLUMN task_queue DEFAULT 'x'"), DIFFERENT, "columns/task_queue"),
    Damage("gained default", _alter("MODIFY COLUMN encoding DEFAULT 'json'"), DIFFERENT, "columns/encoding"),
    Damage("other codec", _alter("MODIFY COLUMN memo CODEC(LZ4)"), DIFFERENT, "columns/memo"),
    Damage("stronger codec", _alter("MODIFY COLUMN memo CODEC(ZSTD(9))"), DIFFERENT, "columns/memo"),
    Damage("lost codec", _alter("MODIFY COLUMN memo REMOVE CODEC"), DIFFERENT, "columns/memo"),
    Damage("rows that vanish", _alter("MODIFY TTL toDateTime(start_time) + INTERVAL 3000 DAY"), EXTRA, f"{EV}/ttl"),
    Damage("extra projection", [*_alter("MODIFY SETTING deduplicate_merge_projection_mode = 'drop'"), *_alter("ADD PROJECTION mine (SELECT status, count() GROUP BY status)")], EXTRA, "projections"),
    Damage("column that computes itself", _alter("MODIFY COLUMN parent_run_id Nullable(String) MATERIALIZED run_id"), DIFFERENT,
           "columns/parent_run_id"),
    Damage("several indexes gone", [*_alter("DROP INDEX by_bool_01"), *_alter("DROP INDEX by_bool_02")], MISSING, "indexes/by_bool_02"),
]  # fmt: skip
