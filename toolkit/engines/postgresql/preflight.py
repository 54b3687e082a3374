"""Looks for what would stop a plan half-way on this server, with this role. It changes nothing.

Each check is a query and a Problem with its code; what the server cannot tell is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.engines.online import Problem, listed
from toolkit.engines.postgresql import drift, dropping, going_back, planner, traits
from toolkit.engines.postgresql.layout import PRIMARY_KEY
from toolkit.engines.postgresql.names import OLD
from toolkit.engines.postgresql.traits import Ask
from toolkit.engines.shared_work import REPLAYERS
from toolkit.plan import Mode, Plan, Sql, Step

OLDEST = 120000
# The run's own session, its heartbeat, and three that share a replay or two that build indexes.
SESSIONS = 2 + REPLAYERS
LONG_SECONDS = 60

_SERVER = """
SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS standby,
       current_setting('default_transaction_read_only')::bool AS read_only, current_user AS me,
       has_schema_privilege(current_schema(), 'CREATE') AS may_create,
       has_database_privilege(current_database(), 'CREATE') AS may_extend,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS super,
       EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'btree_gin') AS has_extension,
       EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'btree_gin') AS extension_available
"""
_TABLE = """
SELECT pg_get_userbyid(c.relowner) AS owner, pg_has_role(c.relowner, 'USAGE') AS mine,
       CASE WHEN current_setting('server_version_num')::int < 160000 THEN true
            ELSE pg_has_role(c.relowner, 'SET') END AS gives,
       has_schema_privilege(c.relowner, c.relnamespace, 'CREATE') AS creates
FROM pg_class c WHERE c.oid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(%s))
"""
_LONG = """
SELECT pid, usename AS who, application_name AS name, state, extract(epoch FROM now() - xact_start)::int AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
  AND xact_start < now() - %s * interval '1 second'
ORDER BY xact_start LIMIT 3
"""
# How many more sessions this role and this database let in. A superuser is let in all the same.
_ROOM = """
SELECT least(CASE WHEN r.rolconnlimit >= 0 THEN r.rolconnlimit - count(*) FILTER (WHERE a.usesysid = r.oid) END,
             CASE WHEN d.datconnlimit >= 0 THEN d.datconnlimit - count(*) FILTER (WHERE a.datid = d.oid) END) AS more
FROM pg_roles r, pg_database d, pg_stat_activity a
WHERE r.rolname = session_user AND NOT r.rolsuper AND d.datname = current_database()
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
GROUP BY r.rolconnlimit, d.datconnlimit
"""
_PREPARED = "SELECT gid, owner FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared LIMIT 3"
_STANDBYS = "SELECT count(*) AS n FROM pg_stat_replication"
_PARTITIONED = """
SELECT relkind = 'p' AS partitioned FROM pg_class
WHERE oid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(%s))
"""
# CREATE … IF NOT EXISTS passes over them, and a swap cannot rename to them.
_TAKEN = """
SELECT concat_ws(' of ', x.relname, t.relname) AS name FROM pg_class x
LEFT JOIN pg_index i ON i.indexrelid = x.oid LEFT JOIN pg_class t ON t.oid = i.indrelid
WHERE x.relnamespace = quote_ident(current_schema())::regnamespace AND x.relname = ANY(%s)
  AND t.relname IS DISTINCT FROM %s
ORDER BY x.relname
"""
_KEY = """
SELECT pg_get_constraintdef(k.oid) AS key FROM pg_constraint k
WHERE k.contype = 'p' AND k.conrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(%s))
"""
# Not those that contain the whole key: two rows cannot meet in them.
_UNIQUE = """
SELECT x.relname AS name FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
WHERE i.indrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(%s)) AND i.indisunique
  AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x'))
  AND NOT %s::text[] <@ ARRAY(SELECT a.attname::text FROM pg_attribute a
          WHERE a.attrelid = i.indrelid AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1]))
ORDER BY x.relname
"""
# What a run does to our books, and its last steps to those of Temporal's tool and of Alembic, where these are there.
_BOOKS = """
SELECT w.name, string_agg(p.privilege, ', ') AS lacking
FROM (VALUES ('', 'temporal_visibility_lock', 'SELECT UPDATE'), ('', 'temporal_visibility_journal', 'SELECT INSERT'),
             ('', 'temporal_visibility_run', 'SELECT INSERT UPDATE'),
             ('record.version', 'schema_version', 'INSERT UPDATE'),
             ('record.version', 'schema_update_history', 'INSERT'),
             ('record.alembic', 'alembic_version', 'INSERT DELETE')) AS w (step, name, needed)
CROSS JOIN regexp_split_to_table(w.needed, ' ') AS p (privilege)
WHERE (w.step = '' OR w.step = ANY(%s)) AND to_regclass(quote_ident(current_schema()) || '.' || w.name) IS NOT NULL
  AND NOT has_table_privilege(to_regclass(quote_ident(current_schema()) || '.' || w.name), p.privilege)
GROUP BY w.name ORDER BY w.name
"""
_SLOTS = (
    "SELECT count(*) AS logical FROM pg_replication_slots WHERE slot_type = 'logical' AND database = current_database()"
)


def check(ask: Ask, plan: Plan, table: str) -> tuple[Problem, ...]:
    """All problems of `plan` here, fatal ones first."""
    if not plan.steps:
        return ()
    server = ask(_SERVER, ())[0]
    found = [*_server(server), *_rights(ask, server, plan, table), *_shape(ask, plan, table)]
    found += [*_names(ask, plan, table), *dropping.problems(ask, plan, table), *dropping.retyping(ask, plan, table)]
    found += _waiting(ask)
    if any(step.mode is Mode.SWAP for step in plan.steps):
        found += _room(ask)
    found += _carried(ask, table) if plan.kept else going_back.problems(ask, plan, table)
    return tuple(sorted(found, key=lambda problem: not problem.fatal))


def again(ask: Ask, plan: Plan, table: str) -> tuple[Problem, ...]:
    """What has come up since a run began that would stop it where nothing leads on, or that it would lose."""
    return (*dropping.leftovers(ask, plan, table), *going_back.problems(ask, plan, table))


def _server(server: Mapping[str, Any]) -> Iterator[Problem]:
    if server["version"] < OLDEST:
        yield Problem(
            "TV5204", f"PostgreSQL {server['version'] // 10000} is too old for generated columns", "12 is the oldest."
        )
    if server["standby"] or server["read_only"]:
        what = "a standby" if server["standby"] else "a database that is read-only for this role"
        yield Problem("TV5207", f"this server takes no writes: it is {what}", "Use the URL of the primary.")


def _rights(ask: Ask, server: Mapping[str, Any], plan: Plan, table: str) -> Iterator[Problem]:
    if not server["may_create"]:
        hint = f"As its owner: GRANT CREATE ON SCHEMA … TO {server['me']}."
        yield Problem("TV5201", f"role {server['me']} may not create tables in the current schema", hint)
    for row in ask(_TABLE, (table,)):
        if not row["mine"]:
            hint = f"Run this as {row['owner']}, or GRANT {row['owner']} TO {server['me']}."
            yield Problem("TV5201", f"{table} belongs to {row['owner']}, and {server['me']} is no member of it", hint)
        elif plan.kept and not row["gives"]:
            text = f"{server['me']} may not make {row['owner']} the owner of the copy of {table}"
            yield Problem("TV5201", text, f"GRANT {row['owner']} TO {server['me']} WITH SET TRUE.")
        elif plan.kept and not row["creates"] and not server["super"]:
            hint = f"As its owner: GRANT CREATE ON SCHEMA … TO {row['owner']}."
            yield Problem("TV5201", f"{row['owner']}, who shall own the copy of {table}, may not create tables", hint)
    for row in ask(_BOOKS, ([step.id for step in plan.steps],)):
        hint = f"As its owner: GRANT {row['lacking']} ON {row['name']} TO {server['me']}."
        yield Problem("TV5201", f"role {server['me']} lacks {row['lacking']} on {row['name']}", hint)
    if any(_extends(step) for step in plan.steps) and not server["has_extension"]:
        if not server["extension_available"]:
            hint = "Install PostgreSQL's contrib package on the server."
            yield Problem("TV5202", "the server has no extension btree_gin to create", hint)
        elif not (server["super"] or (server["may_extend"] and server["version"] >= 130000)):
            hint = "As a superuser: CREATE EXTENSION btree_gin."
            yield Problem("TV5202", f"role {server['me']} may not create the extension btree_gin", hint)


def _shape(ask: Ask, plan: Plan, table: str) -> Iterator[Problem]:
    """Neither way serves a table that Temporal's schema does not have."""
    concurrent = any(isinstance(s, Sql) and s.autocommit for step in plan.steps for s in step.statements)
    if concurrent and any(row["partitioned"] for row in ask(_PARTITIONED, (table,))):
        text = f"{table} is partitioned, and PostgreSQL builds no index concurrently on such a table"
        yield Problem("TV5211", text, "Temporal's table is a plain one: move the records into one first.")


def _names(ask: Ask, plan: Plan, table: str) -> Iterator[Problem]:
    """An old table that was renamed keeps the names of its indexes, which are those of the whole schema."""
    wanted = {name for step in plan.steps for name in _made(step, table)}
    if taken := [row["name"] for row in ask(_TAKEN, (sorted(wanted), table))]:
        text = f"names that {table} and its indexes shall have are taken: {listed(taken, 3)}"
        yield Problem("TV5209", text, "Rename or drop these.")


def _made(step: Step, table: str) -> tuple[str, ...]:
    """Names of tables and indexes that a step makes."""
    if step.id == f"table.{table}":
        return table, f"{table}_pkey"
    if step.mode is Mode.PARALLEL:
        return step.objects
    return drift.keys_made(step) or planner.index_built(step)


def _extends(step: Step) -> bool:
    return step.id == "extension.btree_gin"


def _room(ask: Ask) -> Iterator[Problem]:
    """A note, as sessions of others come and go."""
    for row in ask(_ROOM, ()):
        if row["more"] is not None and row["more"] < SESSIONS - 1:
            text = (
                f"a run needs up to {SESSIONS - 1} more sessions, and CONNECTION LIMIT of the role or database lets in"
            )
            hint = "Raise it, or end some. A run that gets none stops; the same command goes on."
            yield Problem("TV5219", f"{text} {max(0, row['more'])} now", hint, fatal=False)


def _waiting(ask: Ask) -> Iterator[Problem]:
    for row in ask(_LONG, (LONG_SECONDS,)):
        who = row["name"] or row["who"] or "another role"
        yield Problem(
            "TV5205",
            f"session {row['pid']} ({who}, {row['state'] or 'unknown'}) is in a transaction since {row['seconds']} s",
            "Index builds and the swap wait for it. End it if it is forgotten.",
            fatal=False,
        )
    for row in ask(_PREPARED, ()):
        hint = f"COMMIT PREPARED or ROLLBACK PREPARED it, or ask {row['owner']}."
        yield Problem("TV5205", f"the prepared transaction {row['gid'][:60]!r} holds its locks for ever", hint, False)


def _carried(ask: Ask, table: str) -> Iterator[Problem]:
    """What a new table in the place of the old one would silently lose."""
    seen = traits.read(ask, table)
    if not seen:
        return
    live = traits.decode(seen["table"])
    if seen["kept"] is not None:
        hint = f"`schema finish` drops it, `schema rollback` goes back to it. If these find no run: DROP TABLE {OLD}."
        yield Problem("TV5107", f"{OLD}, the old table of an earlier run, is still in the store", hint)
    wanted = f"PRIMARY KEY ({', '.join(PRIMARY_KEY)})"
    if not any(row["key"] == wanted for row in ask(_KEY, (table,))):
        hint = "Give it that key, or use --offline, which changes the table in place."
        yield Problem("TV5214", f"{table} has no {wanted}, by which its rows are copied and followed", hint)
    if unique := [row["name"] for row in ask(_UNIQUE, (table, list(PRIMARY_KEY)))]:
        text = f"{table} has unique indexes that do not contain its key, in which copied rows can meet"
        hint = "Drop them before and create them again after `schema finish`, or use --offline."
        yield Problem("TV5215", f"{text}: {', '.join(unique)}", hint)
    if live.obstacles:
        yield Problem(
            "TV5206",
            f"these belong to {table} and would be lost when it is swapped: {', '.join(live.obstacles)}",
            "Drop them before and create them again afterwards, or use --offline, which changes the table in place.",
        )
    sizes = seen["sizes"]
    size = sizes["all"] if isinstance(sizes, dict) else None
    if isinstance(size, int):
        text = f"about {_size(size)} more disk is needed until `schema finish`, and as much write-ahead log"
        yield Problem("TV5203", text, "The server cannot tell how much is free: please look.", fatal=False)
    if ask(_SLOTS, ())[0]["logical"]:
        text = "this database has logical replication slots: the copy passes through them"
        yield Problem("TV5210", text, "Their subscribers need the same change first.", fatal=False)
    if standbys := ask(_STANDBYS, ())[0]["n"]:
        text = f"{standbys} standby{'s' * (standbys > 1)} or subscribers follow this server: the copy goes to them, too"
        yield Problem("TV5212", text, "--max-lag makes the copy wait for them.", fatal=False)


def _size(size: int) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 10_240:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} TB"
