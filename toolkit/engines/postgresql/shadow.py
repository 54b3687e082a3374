"""The statements of a rebuild: make a shadow table, copy, compare, refresh, swap, drop.

Pure text; what is rebuilt and in which order is `rebuild`'s business. `%(name)s` in a statement is bound when it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.engines.postgresql import recording
from toolkit.engines.postgresql.dressing import PLACE
from toolkit.engines.postgresql.names import CAPTURE, LOG, SHADOW, TRUNCATE
from toolkit.engines.postgresql.render import identifier
from toolkit.plan import Sql

# A chunk is a range of keys, which the planner judges by the first column, and a namespace may be half of the table.
# What is read whole all the same, as the log, gets a price at which each chunk would be compiled for a second first.
CHUNK = tuple(Sql(f"SET LOCAL {name} = off", part="set") for name in ("enable_seqscan", "jit"))
# A replay touches few rows: whole-table plans, which missing statistics invite, would be wrong every time.
NARROW = (*CHUNK, *(Sql(f"SET LOCAL enable_{way} = off", part="set") for way in ("hashjoin", "mergejoin")))


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


def primary_key(key: Mapping[str, str]) -> Sql:
    """The shadow's primary key."""
    columns = ", ".join(identifier(name) for name in key)
    return Sql(f"ALTER TABLE {SHADOW} ADD CONSTRAINT {SHADOW}_pkey PRIMARY KEY ({columns})")


def drop(table: str) -> tuple[Sql, ...]:
    """Away with a table that is not live any more, the key log and its function."""
    return (Sql(f"DROP TABLE IF EXISTS {table}"), *recording.drop())


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


def swap(
    live: str, aside: str, coming: str, live_names: Mapping[str, str], new_names: Mapping[str, str]
) -> tuple[Sql, ...]:
    """Under the exclusive lock: `live` is put aside and `coming` takes its name, with the indexes of both (old name →
    new name), and changes are recorded on the new live table. An index of `live` that somebody has dropped is none."""
    table = identifier(live)
    return (
        recording.followed(live),
        Sql(f"DROP TRIGGER {CAPTURE} ON {table}", part="swap"),
        Sql(f"DROP TRIGGER {TRUNCATE} ON {table}", part="swap"),
        *(_rename(old, new, " IF EXISTS") for old, new in live_names.items()),
        Sql(f"ALTER TABLE {table} RENAME TO {aside}", part="swap"),
        *(_rename(old, new) for old, new in new_names.items()),
        Sql(f"ALTER TABLE {coming} RENAME TO {table}", part="swap"),
        *(Sql(statement.text, part="swap") for statement in recording.start(live)),
    )


def _rename(old: str, new: str, condition: str = "") -> Sql:
    return Sql(f"ALTER INDEX{condition} {identifier(old)} RENAME TO {identifier(new)}", part="swap")
