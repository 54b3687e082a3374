"""PostgreSQL statements as text: the one place that quotes identifiers and literals for this engine.

Pure; it decides nothing, it only writes down what it is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from toolkit.engines.physical import Column, Index, Table
from toolkit.plan import Sql

FUNCTION = "convert_ts"
# Everybody queues behind a waiting ALTER TABLE: in a script it is given up soon, and the script may be run again.
LOCK_TIMEOUT = "5s"

# convert_ts must be IMMUTABLE to be usable in a generated column. It is so for the texts Temporal writes, which always
# carry an offset (RFC 3339); a text without one would depend on the session's time zone.
_BODY = """
BEGIN
  RETURN s::timestamptz at time zone 'UTC';
END
"""
_FUNCTION = f"""CREATE OR REPLACE FUNCTION {FUNCTION}(s VARCHAR) RETURNS TIMESTAMP AS $${_BODY}$$ """ + (
    "LANGUAGE plpgsql IMMUTABLE RETURNS NULL ON NULL INPUT"
)

_RETYPED = re.compile(r'^  ALTER COLUMN "((?:[^"]|"")+)" TYPE ', re.MULTILINE)


def identifier(name: str) -> str:
    """`name` as a quoted identifier. Whatever is inside, it stays inside."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | int) -> str:
    """`value` as a literal, independent of `standard_conforming_strings`."""
    if isinstance(value, int):
        return str(value)
    quoted = value.replace("'", "''")
    return "E'" + quoted.replace("\\", "\\\\") + "'" if "\\" in value else f"'{quoted}'"


def block(body: str) -> Sql:
    """`body` as an anonymous block, in quotes that it does not contain."""
    tag = "do"
    while f"${tag}$" in body:
        tag += "x"
    return Sql(f"DO ${tag}$\n{body}\n${tag}$")


def create_extension() -> Sql:
    """btree_gin, only when it is not there: creating it needs rights that using it does not."""
    return Sql(
        "DO $$\nBEGIN\n"
        "  IF NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'btree_gin') THEN\n"
        "    CREATE EXTENSION btree_gin;\n  END IF;\nEND\n$$"
    )


def drop_extension() -> Sql:
    """The opposite of `create_extension`; refused by the server while anything else uses it."""
    return Sql("DROP EXTENSION IF EXISTS btree_gin")


def create_function() -> Sql:
    """The function behind Datetime attributes."""
    return Sql(_FUNCTION)


def function_body() -> str:
    """What stands between the quotes of `create_function`."""
    return _BODY


def drop_function() -> Sql:
    """The opposite of `create_function`."""
    return Sql(f"DROP FUNCTION IF EXISTS {FUNCTION}(VARCHAR)")


def create_table(table: Table, primary_key: Sequence[str]) -> Sql:
    """The table with all its columns and its primary key, without other indexes."""
    width = max(len(identifier(c.name)) for c in table.columns)
    lines = [f"  {identifier(c.name):<{width}} {c.ddl}" for c in table.columns]
    lines.append(f"  PRIMARY KEY ({', '.join(identifier(name) for name in primary_key)})")
    return Sql(f"CREATE TABLE IF NOT EXISTS {identifier(table.name)} (\n" + ",\n".join(lines) + "\n)")


def drop_table(name: str) -> Sql:
    """The opposite of `create_table`."""
    return Sql(f"DROP TABLE IF EXISTS {identifier(name)}")


def add_columns(table: str, columns: Sequence[Column]) -> Sql:
    """All columns in one statement, because each statement with a stored column rewrites the whole table."""
    lines = [f"  ADD COLUMN IF NOT EXISTS {identifier(c.name)} {c.ddl}" for c in columns]
    return Sql(f"ALTER TABLE {identifier(table)}\n" + ",\n".join(lines))


def drop_columns(table: str, names: Sequence[str]) -> Sql:
    """Columns and, with them, their indexes."""
    lines = [f"  DROP COLUMN IF EXISTS {identifier(name)}" for name in names]
    return Sql(f"ALTER TABLE {identifier(table)}\n" + ",\n".join(lines))


def alter_columns(table: str, clauses: Mapping[str, Sequence[str]]) -> Sql:
    """Column → clauses such as SET NOT NULL, in one statement."""
    lines = [f"  ALTER COLUMN {identifier(name)} {clause}" for name, said in clauses.items() for clause in said]
    return Sql(f"ALTER TABLE {identifier(table)}\n" + ",\n".join(lines))


def retyped(text: str) -> list[str]:
    """The columns to which a statement of `alter_columns` gives another type."""
    return [name.replace('""', '"') for name in _RETYPED.findall(text)]


def type_of(column: Column) -> str:
    """The type of a column that is not generated."""
    return column.ddl.split(" NOT NULL")[0].split(" DEFAULT")[0]


def converted(column: Column, value: str) -> str:
    """`value`, be it of another type, as one for `column`. No text is cut: a cast to VARCHAR(n) does that unasked. What
    is said of no zone is UTC, and of a time in another zone it is what it was there."""
    match type_of(column):
        case kind if "CHAR(" in kind:
            return f"{value}::TEXT"
        case "TIMESTAMP":
            return f"({value}::TIMESTAMPTZ AT TIME ZONE 'UTC')"
        case kind:
            return f"{value}::{kind}"


def using(column: Column) -> str:
    """What the server needs to be told to give `column` its type. To text it turns everything by itself."""
    return "" if "CHAR(" in type_of(column) else f" USING {converted(column, identifier(column.name))}"


def fill_nulls(table: str, name: str, value: str) -> Sql:
    """Give rows without a value the default, before NOT NULL is asked for; `value` is a literal already."""
    return Sql(f"UPDATE {identifier(table)} SET {identifier(name)} = {value} WHERE {identifier(name)} IS NULL")


def rename_column(table: str, old: str, new: str) -> Sql:
    """Another name for a column; indexes and constraints follow."""
    return Sql(f"ALTER TABLE {identifier(table)} RENAME COLUMN {identifier(old)} TO {identifier(new)}")


def rename_index(old: str, new: str) -> Sql:
    """Another name for an index."""
    return Sql(f"ALTER INDEX {identifier(old)} RENAME TO {identifier(new)}")


def rename_constraint(table: str, old: str, new: str) -> Sql:
    """Another name for a constraint, and for its index."""
    return Sql(f"ALTER TABLE {identifier(table)} RENAME CONSTRAINT {identifier(old)} TO {identifier(new)}")


def create_index(table: str, index: Index, concurrently: bool) -> Sql:
    """An index; `concurrently` lets reads and writes go on, and cannot run inside a transaction."""
    how = "CONCURRENTLY " if concurrently else ""
    text = f"CREATE INDEX {how}IF NOT EXISTS {identifier(index.name)} ON {identifier(table)} {index.ddl}"
    return Sql(text, autocommit=concurrently)


def drop_index(name: str, concurrently: bool) -> Sql:
    """The opposite of `create_index`."""
    how = "CONCURRENTLY " if concurrently else ""
    return Sql(f"DROP INDEX {how}IF EXISTS {identifier(name)}", autocommit=concurrently)


def drop_invalid(table: str, names: Sequence[str]) -> Sql:
    """Away with those indexes that a concurrent build which failed has left: IF NOT EXISTS takes them for good ones.

    One that is being built looks the same. Its builder holds a lock that is waited for first, as neither reads nor
    writes queue behind it: what is invalid then is a leftover."""
    listed = ",\n        ".join(literal(name) for name in names)
    return Sql(
        "DO $$\nDECLARE\n  invalid CURSOR FOR\n"
        "      SELECT x.oid::regclass::text AS name FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid\n"
        f"      WHERE i.indrelid = to_regclass({literal(identifier(table))}) AND NOT i.indisvalid AND x.relname IN (\n"
        f"        {listed});\nBEGIN\n"
        "  FOR one IN invalid LOOP\n"
        f"    PERFORM set_config('lock_timeout', '{LOCK_TIMEOUT}', true);\n"
        f"    LOCK TABLE {identifier(table)} IN SHARE UPDATE EXCLUSIVE MODE;\n"
        "    EXIT;\n  END LOOP;\n"
        "  FOR one IN invalid LOOP\n    EXECUTE 'DROP INDEX ' || one.name;\n  END LOOP;\nEND\n$$"
    )
