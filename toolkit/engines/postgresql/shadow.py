"""The statements of a rebuild: make a shadow table, record changed keys, copy, compare, refresh, swap, drop.

Pure text; what is rebuilt and in which order is `rebuild`'s business. `%(name)s` in a statement is bound when it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.engines.postgresql.names import CAPTURE, LOG, SHADOW, TRUNCATE, WEAK_LOCK_SECONDS
from toolkit.engines.postgresql.render import block, identifier, literal
from toolkit.plan import Sql

# A chunk is a range of keys, which the planner judges by the first column, and a namespace may be half of the table.
# What is read whole all the same, as the log, gets a price at which each chunk would be compiled for a second first.
CHUNK = tuple(Sql(f"SET LOCAL {name} = off", part="set") for name in ("enable_seqscan", "jit"))
# A replay touches few rows: whole-table plans, which missing statistics invite, would be wrong every time.
NARROW = (*CHUNK, *(Sql(f"SET LOCAL enable_{way} = off", part="set") for way in ("hashjoin", "mergejoin")))
# Tables and indexes in tablespaces of their own are obstacles.
PLACE = Sql("SET LOCAL default_tablespace = ''", part="set")

# Letters of pg_class.relreplident; another index than the primary key is an obstacle.
_REPLICA = {"f": "FULL", "n": "NOTHING"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Where rows come from and go to: `values` maps each column to what is copied into it, as SQL over alias `l`;
    `key`: name → type of the key's columns; `foreign`: columns of any type, which may know no equality."""

    source: str
    target: str
    key: Mapping[str, str]
    values: Mapping[str, str]
    foreign: frozenset[str] = frozenset()

    @property
    def names(self) -> str:
        """The columns, quoted."""
        return ", ".join(_id(name) for name in self.values)

    @property
    def keys(self) -> str:
        """The key's columns, quoted."""
        return ", ".join(_id(name) for name in self.key)

    def same(self, left: str, right: str) -> str:
        """The condition that two aliases have the same key."""
        return " AND ".join(f"{left}.{_id(name)} = {right}.{_id(name)}" for name in self.key)


def _id(name: str) -> str:
    """An identifier in a statement with parameters."""
    return identifier(name).replace("%", "%%")


def plain(source: str, target: str, key: Mapping[str, str], columns: Sequence[str]) -> Pair:
    """A pair whose columns are copied as they are."""
    return Pair(source, target, key, {name: f"l.{_id(name)}" for name in columns})


def create(live: str) -> tuple[Sql, ...]:
    """The shadow with the live table's columns, defaults and checks; one that an earlier run left goes first. What a
    database or role prefers for new tables must not move one that is there."""
    what = "INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS"
    return (
        PLACE,
        Sql(f"DROP TABLE IF EXISTS {SHADOW}"),
        Sql(f"CREATE TABLE {SHADOW} (LIKE {identifier(live)} {what}) USING heap"),
    )


def comments(live: str, names: Sequence[str]) -> Sql:
    """To columns of the shadow that were made anew, what the live table's comments say of them."""
    listed = ", ".join(literal(name) for name in names)
    return block(
        "DECLARE\n  one RECORD;\nBEGIN\n"
        "  FOR one IN SELECT a.attname AS name, col_description(a.attrelid, a.attnum) AS said FROM pg_attribute AS a\n"
        f"      WHERE a.attrelid = {literal(identifier(live))}::regclass AND a.attname IN ({listed}) LOOP\n"
        f"    EXECUTE format('COMMENT ON COLUMN {SHADOW}.%I IS %L', one.name, one.said);\n  END LOOP;\nEND"
    )


def private(table: str) -> Sql:
    """Take from everybody but the owner what default privileges have given them on a new table."""
    who = "CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END"
    return Sql(
        f"DO $do$\nDECLARE\n  other TEXT;\nBEGIN\n  FOR other IN SELECT DISTINCT {who}\n"
        f"      FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a\n"
        f"      WHERE c.oid = {literal(table)}::regclass AND a.grantee <> c.relowner LOOP\n"
        f"    EXECUTE 'REVOKE ALL ON {table} FROM ' || other;\n  END LOOP;\nEND\n$do$"
    )


def primary_key(key: Mapping[str, str]) -> Sql:
    """The shadow's primary key."""
    columns = ", ".join(identifier(name) for name in key)
    return Sql(f"ALTER TABLE {SHADOW} ADD CONSTRAINT {SHADOW}_pkey PRIMARY KEY ({columns})")


def dress(
    owner: str,
    options: Sequence[str],
    replica: str,
    comment: str | None,
    grants: Sequence[tuple[str | None, str, str, bool]],
) -> tuple[Sql, ...]:
    """What LIKE does not bring: storage options, what a subscriber is told of a changed row, comment, owner, and last
    the grants: who makes the table owns it until then, and what is granted to an owner goes with the ownership."""
    found = []
    if replica in _REPLICA:
        found.append(f"ALTER TABLE {SHADOW} REPLICA IDENTITY {_REPLICA[replica]}")
    if options:
        pairs = (option.partition("=") for option in options)
        found.append(
            f"ALTER TABLE {SHADOW} SET ({', '.join(f'{name} = {literal(value)}' for name, _, value in pairs)})"
        )
    if comment is not None:
        found.append(f"COMMENT ON TABLE {SHADOW} IS {literal(comment)}")
    found.append(f"ALTER TABLE {SHADOW} OWNER TO {identifier(owner)}")
    for column, grantee, privilege, grantable in grants:
        what = privilege if column is None else f"{privilege} ({identifier(column)})"
        found.append(f"GRANT {what} ON {SHADOW} TO {grantee}{' WITH GRANT OPTION' * grantable}")
    return tuple(Sql(text) for text in found)


def log(schema: str, key: Mapping[str, str], owner: str) -> tuple[Sql, ...]:
    """The table of changed keys and the function that fills it: as its owner, whoever writes to the live table. That is
    the live table's `owner`, as a run may be somebody's who has rights here for a while only."""
    columns = ", ".join(f"{identifier(name)} {kind} NOT NULL" for name, kind in key.items())
    names = ", ".join(identifier(name) for name in key)
    new, old = (", ".join(f"{row}.{identifier(name)}" for name in key) for row in ("NEW", "OLD"))
    here = f"INSERT INTO {identifier(schema)}.{LOG} ({names}) VALUES"
    # A schema that was renamed takes the log along; a table that was moved alone does not.
    moved = f"TG_TABLE_SCHEMA <> {literal(schema)} AND to_regclass(format('%I.{LOG}', TG_TABLE_SCHEMA)) IS NOT NULL"
    there = f"EXECUTE format('INSERT INTO %I.{LOG} ({names}) VALUES ($1, $2)', TG_TABLE_SCHEMA) USING"

    def insert(row: str) -> str:
        return f"    IF {moved} THEN\n      {there} {row};\n    ELSE\n      {here} ({row});\n    END IF;\n"

    return (
        PLACE,
        Sql(f"CREATE TABLE IF NOT EXISTS {LOG} (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {columns})"),
        private(LOG),
        Sql(
            f"CREATE OR REPLACE FUNCTION {CAPTURE}() RETURNS trigger AS $$\nBEGIN\n"
            "  IF TG_OP = 'TRUNCATE' THEN\n"
            "    RAISE EXCEPTION 'this table is being changed by temporal-visibility and cannot be truncated'\n"
            "      USING HINT = 'Use DELETE, or end the change with schema finish or schema rollback.';\n"
            "  END IF;\n"
            f"  IF TG_OP <> 'DELETE' THEN\n{insert(new)}  END IF;\n"
            f"  IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND ({old}) IS DISTINCT FROM ({new})) THEN\n"
            f"{insert(old)}  END IF;\n"
            "  RETURN NULL;\nEND\n"
            "$$ LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
        ),
        _give(schema, owner),
    )


def _give(schema: str, owner: str) -> Sql:
    """Log and function to the `owner`, unless it does not get through to the log: then no write would, either."""
    who = identifier(owner)
    return block(
        f"BEGIN\n  IF has_schema_privilege({literal(owner)}, {literal(schema)}, 'USAGE') THEN\n"
        f"    ALTER TABLE {LOG} OWNER TO {who};\n    ALTER FUNCTION {CAPTURE}() OWNER TO {who};\n  END IF;\nEND"
    )


def capture(live: str) -> tuple[Sql, ...]:
    """The triggers on the live table; ALWAYS, because whoever writes as a replica does not set off others."""
    table = identifier(live)
    return (
        Sql(f"CREATE TRIGGER {CAPTURE} AFTER INSERT OR UPDATE OR DELETE ON {table}\n"
            f"  FOR EACH ROW EXECUTE FUNCTION {CAPTURE}()"),
        Sql(f"CREATE TRIGGER {TRUNCATE} BEFORE TRUNCATE ON {table}\n"
            f"  FOR EACH STATEMENT EXECUTE FUNCTION {CAPTURE}()"),
        Sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {CAPTURE}, ENABLE ALWAYS TRIGGER {TRUNCATE}"),
    )  # fmt: skip


def capture_once(live: str) -> Sql:
    """`capture`, unless it is there already: looking for it takes no lock."""
    return aside(live, f"NOT EXISTS ({_has_trigger(live)})", tuple(one.text for one in capture(live)))


def stop_capture(live: str) -> Sql:
    """The opposite of `capture_once`."""
    drops = tuple(f"DROP TRIGGER {name} ON {identifier(live)}" for name in (CAPTURE, TRUNCATE))
    return aside(live, f"EXISTS ({_has_trigger(live)})", drops)


def aside(live: str, condition: str = "", statements: Sequence[str] = ()) -> Sql:
    """`statements` on the live table (none: those of the same transaction that follow) once an autovacuum has stepped
    aside: it does so only for who waits longer than `deadlock_timeout`, and the weak lock may be waited for, because
    neither reads nor writes queue behind it. With a `condition`: only then."""
    lines = (_PATIENT, _weak(identifier(live)).text, _AS_BEFORE, *statements)
    inner = ";\n    ".join(lines)
    return _timed(f"IF {condition} THEN\n    {inner};\n  END IF" if condition else ";\n  ".join(lines))


def calm(*tables: str) -> Sql:
    """As `aside`, for tables of ours that are to go, if they are there: before a lock that writers queue behind."""
    lock = (f"IF to_regclass({literal(name)}) IS NOT NULL THEN\n    {_weak(name).text};\n  END IF" for name in tables)
    return _timed(";\n  ".join((_PATIENT, *lock, _AS_BEFORE)))


_PATIENT = f"PERFORM set_config('lock_timeout', '{WEAK_LOCK_SECONDS * 1000:.0f}ms', true)"
_AS_BEFORE = "PERFORM set_config('lock_timeout', before, true)"


def _timed(body: str) -> Sql:
    return Sql(f"DO $do$\nDECLARE\n  before TEXT := current_setting('lock_timeout');\nBEGIN\n  {body};\nEND\n$do$")


def _has_trigger(live: str) -> str:
    table = literal(identifier(live))
    return f"SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass({table}) AND tgname = {literal(CAPTURE)}"


def drop(table: str) -> tuple[Sql, ...]:
    """Away with a table that is not live any more, the key log and its function."""
    return (Sql(f"DROP TABLE IF EXISTS {table}"), *drop_log())


def drop_log() -> tuple[Sql, ...]:
    """Away with the key log and its function."""
    return (Sql(f"DROP TABLE IF EXISTS {LOG}"), Sql(f"DROP FUNCTION IF EXISTS {CAPTURE}()"))


def _rows(pair: Pair, table: str, alias: str) -> str:
    """The rows of `table` after `after_1…` up to `upto_1…`; NULL leaves that side open.

    In three parts: of the first namespace, of those between, of the last. (a, b) > (…) would say the same, but is
    judged by its first column alone: taken for half of the table, it is read through any index, or through none.
    """
    first, second = (f"{alias}.{_id(name)}" for name in pair.key)
    (after, beyond), (last, upto) = (
        [f"%({word}_{n})s::{kind}" for n, kind in enumerate(pair.key.values(), 1)] for word in ("after", "upto")
    )
    parts = (
        f"{first} = {after} AND {second} > {beyond} AND ({last} IS NULL OR {last} <> {after} OR {second} <= {upto})",
        f"({after} IS NULL OR {first} > {after}) AND ({last} IS NULL OR {first} < {last})\n"
        f"  AND ({after} IS NULL OR {last} IS NULL OR {last} <> {after})",
        f"{first} = {last} AND {second} <= {upto} AND ({after} IS NULL OR {last} <> {after})",
    )
    selects = (f"SELECT {alias}.* FROM {_id(table)} AS {alias} WHERE {part}" for part in parts)
    return "(\n" + "\nUNION ALL\n".join(selects) + f"\n) AS {alias}"


def bound(pair: Pair) -> Sql:
    """The key at which the next chunk ends."""
    first = f"(%(after_1)s::{next(iter(pair.key.values()))} IS NULL OR ({pair.keys}) > "
    after = ", ".join(f"%(after_{n})s::{kind}" for n, kind in enumerate(pair.key.values(), 1))
    return Sql(
        f"SELECT {pair.keys} FROM {_id(pair.source)} WHERE {first}({after}))\n"
        f"ORDER BY {pair.keys} OFFSET %(rows)s LIMIT 1",
        part="bound",
    )


def copy(pair: Pair) -> Sql:
    """One chunk; rows that a repeated chunk finds there already stay."""
    values = ", ".join(pair.values.values())
    return Sql(
        f"INSERT INTO {_id(pair.target)} ({pair.names})\nSELECT {values} FROM "
        f"{_rows(pair, pair.source, 'l')}\nON CONFLICT DO NOTHING",
        part="copy",
    )


def compare(pair: Pair) -> Sql:
    """Keys of one chunk whose rows differ and that are not recorded as changed: in one snapshot, there is none."""
    ours = ", ".join(f"{value} AS {_id(name)}" for name, value in pair.values.items())
    texts = {name: "::text" if name in pair.foreign else "" for name in pair.values}
    left, right = (", ".join(f"{side}.{_id(name)}{text}" for name, text in texts.items()) for side in ("a", "b"))
    keys = ", ".join(f"coalesce(a.{_id(name)}, b.{_id(name)}) AS {_id(name)}" for name in pair.key)
    return Sql(
        f"SELECT {keys}\nFROM (SELECT {ours} FROM {_rows(pair, pair.source, 'l')}) AS a\n"
        f"FULL JOIN (SELECT {pair.names} FROM {_rows(pair, pair.target, 's')}) AS b\n"
        f"  ON {pair.same('a', 'b')}\nWHERE ({left}) IS DISTINCT FROM ({right})\n"
        f"  AND NOT EXISTS (SELECT 1 FROM {LOG} AS g WHERE "
        + " AND ".join(f"g.{_id(name)} = coalesce(a.{_id(name)}, b.{_id(name)})" for name in pair.key)
        + ")\nLIMIT 10",
        part="compare",
    )


def replay(pair: Pair) -> Sql:
    """Take recorded keys and make the target's rows of these keys what the source's are, in one snapshot: whoever sees
    a recorded key sees the change that recorded it.

    OFFSET 0 keeps each look-up by key to itself. Joined freely, the tables are read whole, for the server takes the
    target for empty, as it was when it was last counted. Several may share the work: a key is always in the same of
    `parts` parts.
    """
    share = f"(hashtext({_id(tuple(pair.key)[-1])}::text) & 1073741823) %% %(parts)s = %(part)s"
    values = ", ".join(pair.values.values())
    updates = ", ".join(f"{_id(name)} = excluded.{_id(name)}" for name in pair.values if name not in pair.key)
    source = f"FROM {_id(pair.source)} AS l WHERE {pair.same('l', 'k')} OFFSET 0"
    target = f"SELECT s.ctid FROM {_id(pair.target)} AS s WHERE {pair.same('s', 'k')} OFFSET 0"
    return Sql(
        f"WITH taken AS (\n  DELETE FROM {LOG} WHERE id IN (\n"
        f"    SELECT id FROM {LOG} WHERE {share} ORDER BY id LIMIT %(keys)s)\n"
        f"  RETURNING {pair.keys}\n), keys AS (\n  SELECT DISTINCT {pair.keys} FROM taken\n), gone AS (\n"
        f"  DELETE FROM {_id(pair.target)} WHERE ctid = ANY (ARRAY(\n"
        f"    SELECT t.ctid FROM keys AS k CROSS JOIN LATERAL ({target}) AS t\n"
        f"    WHERE NOT EXISTS (SELECT 1 {source})))\n), kept AS (\n"
        f"  INSERT INTO {_id(pair.target)} ({pair.names})\n"
        f"  SELECT {values} FROM keys AS k CROSS JOIN LATERAL (SELECT * {source}) AS l\n"
        f"  ON CONFLICT ({pair.keys}) DO UPDATE SET {updates}\n)\n"
        "SELECT count(*) AS taken FROM taken",
        part="replay",
    )


def left() -> Sql:
    """How many keys are recorded, as far as that matters."""
    return Sql(f"SELECT count(*) AS left FROM (SELECT 1 FROM {LOG} ORDER BY id LIMIT 100000) AS g", part="left")


def swap(
    live: str, aside: str, coming: str, live_names: Mapping[str, str], new_names: Mapping[str, str]
) -> tuple[Sql, ...]:
    """Under the exclusive lock: `live` is put aside and `coming` takes its name, with the indexes of both (old name →
    new name), and changes are recorded on the new live table. An index of `live` that somebody has dropped is none."""
    table = identifier(live)
    return (
        _followed(live),
        Sql(f"DROP TRIGGER {CAPTURE} ON {table}", part="swap"),
        Sql(f"DROP TRIGGER {TRUNCATE} ON {table}", part="swap"),
        *(_rename(old, new, " IF EXISTS") for old, new in live_names.items()),
        Sql(f"ALTER TABLE {table} RENAME TO {aside}", part="swap"),
        *(_rename(old, new) for old, new in new_names.items()),
        Sql(f"ALTER TABLE {coming} RENAME TO {table}", part="swap"),
        *(Sql(statement.text, part="swap") for statement in capture(live)),
    )


def _followed(live: str) -> Sql:
    """Whoever disables all triggers of a table, as loads of data do, leaves this one disabled, or ALWAYS no more."""
    said = "changes of this table were not recorded all the time: its trigger was dropped or disabled"
    hint = "The copy lacks them. Before the swap `schema rollback` drops it, afterwards `schema finish` does."
    return Sql(
        f"DO $do$\nBEGIN\n  IF NOT EXISTS ({recording(live)}) THEN\n"
        f"    RAISE EXCEPTION {literal(said)}\n      USING HINT = {literal(hint)};\n  END IF;\nEND\n$do$",
        part="swap",
    )


def recording(live: str) -> str:
    """A query that has a row while the trigger records every change of the live table, as it was made to."""
    return f"{_has_trigger(live)} AND tgenabled = 'A'"


def _rename(old: str, new: str, condition: str = "") -> Sql:
    return Sql(f"ALTER INDEX{condition} {identifier(old)} RENAME TO {identifier(new)}", part="swap")


def locks(live: str, coming: str) -> tuple[Sql, Sql]:
    """First one that blocks neither reads nor writes and makes autovacuums step aside, also that of the table which
    takes the live one's name; then the exclusive one."""
    return (
        _weak(identifier(live), coming),
        Sql(f"LOCK TABLE {identifier(live)} IN ACCESS EXCLUSIVE MODE", part="lock"),
    )


def _weak(*tables: str) -> Sql:
    return Sql(f"LOCK TABLE {', '.join(tables)} IN SHARE UPDATE EXCLUSIVE MODE", part="weak lock")
