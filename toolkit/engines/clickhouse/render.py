"""ClickHouse statements as text: the one place that quotes identifiers and literals for this engine.

Pure; it decides nothing, it only writes down what it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.catalog import Json
from toolkit.engines.physical import Column, Index, Table
from toolkit.plan import Sql


def identifier(name: str) -> str:
    """`name` as a quoted identifier. Whatever is inside, it stays inside."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(value: str | int) -> str:
    """`value` as a literal, escaped as ClickHouse's own catalog escapes it."""
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def on_cluster(cluster: str | None) -> str:
    """What makes a statement run on every server of the cluster; '' without one."""
    return f" ON CLUSTER {identifier(cluster)}" if cluster else ""


def kill_mutation(database: str, table: str, id: str, cluster: str | None) -> str:
    """What gives a mutation up: its id alone may be that of another table's, too. `database`: an expression."""
    where = f"database = {database} AND table = {literal(table)} AND mutation_id = {literal(id)}"
    return f"KILL MUTATION{on_cluster(cluster)} WHERE {where}"


def everywhere(cluster: str | None, table: str) -> str:
    """A system table as all servers of the cluster have it; without one, as this server does."""
    return table if cluster is None else f"clusterAllReplicas({literal(cluster)}, {table})"


def storage(
    engine: str, order_by: Sequence[str], partition_by: str, ttl: str | None, settings: Mapping[str, str]
) -> str:
    """The clauses after the columns of a table that stores rows. All texts are ClickHouse's own spelling already."""
    clauses = [f"ENGINE = {engine}"]
    if partition_by != "tuple()":
        clauses.append(f"PARTITION BY {partition_by}")
    clauses.append(f"ORDER BY ({', '.join(order_by)})")
    if ttl:
        clauses.append(f"TTL {ttl}")
    if settings:
        clauses.append(f"SETTINGS {', '.join(f'{name} = {value}' for name, value in settings.items())}")
    return "\n".join(clauses)


def distributed(cluster: str, table: str, sharding: str) -> str:
    """The engine clause of the table that stands for `table` on all shards."""
    return f"ENGINE = Distributed({literal(cluster)}, currentDatabase(), {literal(table)}, {sharding})"


def create_table(table: Table, clauses: str, cluster: str | None) -> Sql:
    """The table with all its columns and indexes; `clauses` are those after the columns."""
    return Sql(f"CREATE TABLE IF NOT EXISTS {_body(table, table.name, clauses, cluster)}")


def create_table_as(table: Table, name: str, clauses: str, cluster: str | None) -> Sql:
    """The same table under another name."""
    return Sql(f"CREATE TABLE IF NOT EXISTS {_body(table, name, clauses, cluster)}")


def replace_table(table: Table, clauses: str, cluster: str | None) -> Sql:
    """The table in the place of whatever has its name."""
    return Sql(f"CREATE OR REPLACE TABLE {_body(table, table.name, clauses, cluster)}")


def _body(table: Table, name: str, clauses: str, cluster: str | None) -> str:
    width = max(len(identifier(c.name)) for c in table.columns)
    lines = [f"  {identifier(c.name):<{width}} {c.ddl}" for c in table.columns]
    lines += [f"  INDEX {identifier(i.name)} {i.ddl}" for i in table.indexes]
    body = ",\n".join(lines)
    return f"{identifier(name)}{on_cluster(cluster)} (\n{body}\n)\n{clauses}"


def drop_table(name: str, cluster: str | None) -> Sql:
    """The opposite of `create_table`."""
    return Sql(f"DROP TABLE IF EXISTS {identifier(name)}{on_cluster(cluster)}")


def alter(table: str, actions: Sequence[str], cluster: str | None) -> Sql:
    """All `actions` in one statement: ClickHouse takes them all or none."""
    lines = ",\n".join(f"  {action}" for action in actions)
    return Sql(f"ALTER TABLE {identifier(table)}{on_cluster(cluster)}\n{lines}")


def add_column(column: Column) -> str:
    """An action of `alter`."""
    return f"ADD COLUMN IF NOT EXISTS {identifier(column.name)} {column.ddl}"


def add_plain_column(name: str, ddl: str) -> str:
    """An action of `alter`; `ddl` is the server's own spelling of a column that is no part of a definition."""
    return f"ADD COLUMN IF NOT EXISTS {identifier(name)} {ddl}"


def add_plain_index(name: str, ddl: str) -> str:
    """An action of `alter`, as `add_plain_column`."""
    return f"ADD INDEX IF NOT EXISTS {identifier(name)} {ddl}"


def restore_column(name: str, facts: Mapping[str, Json]) -> str:
    """An action of `alter`: the column as a catalog says that it was."""
    return f"MODIFY COLUMN {identifier(name)} {column_ddl(facts)}"


def column_ddl(facts: Mapping[str, Json]) -> str:
    """What follows a column's name, from what a catalog says of it."""
    words = {"default": "DEFAULT", "materialized": "MATERIALIZED", "alias": "ALIAS"}
    more = "".join(f" {word} {facts[key]}" for key, word in words.items() if key in facts)
    codec = f" CODEC({facts['codec']})" if "codec" in facts else ""
    return f"{facts.get('type')}{more}{codec}"


def drop_column(name: str) -> str:
    """An action of `alter`."""
    return f"DROP COLUMN IF EXISTS {identifier(name)}"


def modify_column(column: Column) -> str:
    """An action of `alter`: type, default and codec as wanted."""
    return f"MODIFY COLUMN {identifier(column.name)} {column.ddl}"


def remove_from_column(name: str, what: str) -> str:
    """An action of `alter`; `what` is DEFAULT, CODEC or another word that a column may carry."""
    return f"MODIFY COLUMN {identifier(name)} REMOVE {what}"


def modify_column_ttl(name: str, type: str, expression: str) -> str:
    """An action of `alter`: when a column's values go by themselves. 24.8 asks for its type again."""
    return f"MODIFY COLUMN {identifier(name)} {type} TTL {expression}"


def comment_column(name: str, text: str) -> str:
    """An action of `alter`; `text` is a literal already."""
    return f"COMMENT COLUMN {identifier(name)} {text}"


def modify_comment(text: str) -> str:
    """An action of `alter`: the table's own comment."""
    return f"MODIFY COMMENT {literal(text)}"


def add_index(index: Index) -> str:
    """An action of `alter`. New rows are indexed from now on, those that are there by `materialize_index`."""
    return f"ADD INDEX IF NOT EXISTS {identifier(index.name)} {index.ddl}"


def drop_index(name: str) -> str:
    """An action of `alter`."""
    return f"DROP INDEX IF EXISTS {identifier(name)}"


def materialize_index(name: str) -> str:
    """An action of `alter`; several in one statement go over the rows once."""
    return f"MATERIALIZE INDEX {identifier(name)}"


def clear_index(name: str) -> str:
    """An action of `alter`: the opposite of `materialize_index`."""
    return f"CLEAR INDEX IF EXISTS {identifier(name)}"


def modify_ttl(expression: str | None) -> str:
    """An action of `alter`; None takes the time to live away."""
    return f"MODIFY TTL {expression}" if expression else "REMOVE TTL"


def modify_setting(name: str, value: str | None) -> str:
    """An action of `alter`; None gives the setting its usual value back."""
    return f"MODIFY SETTING {name} = {value}" if value is not None else f"RESET SETTING {name}"
