"""The statements of a rebuild: make a shadow table, record changed keys, copy, compare, refresh, swap, drop.

Pure text; what is rebuilt and in which order is `rebuild`'s business. `%(name)s` in a statement is bound when it runs.
A statement of part "unless" is a question: when its answer is true, the next statement has been run before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.engines.mysql import names
from toolkit.engines.mysql.render import RELAXED_HINT, identifier, literal
from toolkit.plan import Sql

# Parts of a step that the rebuilder runs by name; those of a replay have the number of the pair after them.
UNLESS = "unless"
# More than the default of 1 MB for all index builds together; the variable came with 8.0.27.
BUFFER = Sql("SET /*!80027 SESSION innodb_ddl_buffer_size = 67108864, */ @temporal_visibility = NULL")


@dataclass(frozen=True, slots=True)
class Pair:
    """Where rows come from and go to, and the table of recorded keys: `values` maps each column to what is copied into
    it, as SQL over the source's columns; `text`: columns that are compared byte by byte; `relaxed`: what does not
    fit a generated column is cut or changed, as in writers' sessions, and does not keep its row from being deleted."""

    source: str
    target: str
    log: str
    key: tuple[str, str]
    values: Mapping[str, str]
    text: frozenset[str] = frozenset()
    relaxed: bool = False

    @property
    def insert(self) -> str:
        """How an INSERT into the target begins."""
        return f"INSERT {self.mode}INTO {_id(self.target)} ({self.names})"

    @property
    def mode(self) -> str:
        """What is said after the verb of a statement that changes the target."""
        return RELAXED_HINT if self.relaxed else ""

    @property
    def names(self) -> str:
        """The columns, quoted."""
        return ", ".join(_id(name) for name in self.values)

    @property
    def keys(self) -> str:
        """The key's columns, quoted."""
        return ", ".join(_id(name) for name in self.key)


def _id(name: str) -> str:
    """An identifier in a statement with parameters."""
    return identifier(name).replace("%", "%%")


def column(table: str, name: str, default: str | None = None) -> str:
    """What is copied from a column of `table`: its value, or `default` where there is none."""
    value = f"{_id(table)}.{_id(name)}"
    return value if default is None else f"COALESCE({value}, {literal(default).replace('%', '%%')})"


def create(live: str, indexes: Sequence[str]) -> tuple[Sql, ...]:
    """The shadow with the live table's columns and no index but the key; what an earlier run left goes first."""
    table = identifier(names.shadow(live))
    drops = ",\n  ".join(f"DROP INDEX {identifier(name)}" for name in indexes)
    return (
        Sql(f"DROP TABLE IF EXISTS {table}"),
        Sql(f"CREATE TABLE {table} LIKE {identifier(live)}"),
        *((Sql(f"ALTER TABLE {table}\n  {drops}"),) if drops else ()),
    )


def capture(live: str, on: str, log: str, key: Mapping[str, str], collation: str) -> Iterator[Sql]:
    """The log and the triggers on table `on` that fill it with changed keys, as their definer, whoever writes. `key`:
    name → type of the key's columns."""
    columns = ", ".join(f"{identifier(name)} {kind} NOT NULL" for name, kind in key.items())
    yield Sql(
        f"CREATE TABLE IF NOT EXISTS {identifier(log)} (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, "
        f"{columns}) ENGINE=InnoDB COLLATE {collation}"
    )
    names_ = ", ".join(identifier(name) for name in key)
    new, old = (", ".join(f"{row}.{identifier(name)}" for name in key) for row in ("NEW", "OLD"))
    same = " AND ".join(f"OLD.{identifier(name)} <=> NEW.{identifier(name)}" for name in key)
    insert = f"INSERT INTO {identifier(log)} ({names_}) VALUES"
    bodies = {
        "insert": f"{insert} ({new})",
        "update": f"BEGIN\n  {insert} ({new});\n  IF NOT ({same}) THEN\n    {insert} ({old});\n  END IF;\nEND",
        "delete": f"{insert} ({old})",
    }
    for event in names.EVENTS:
        name = names.trigger(log, event)
        yield Sql(
            "SELECT COUNT(*) AS v FROM information_schema.TRIGGERS\n"
            f"WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME = {literal(name)}",
            part=UNLESS,
        )
        yield Sql(
            f"CREATE TRIGGER {identifier(name)} AFTER {event.upper()} ON {identifier(on)} FOR EACH ROW\n{bodies[event]}"
        )


def build(table: str, index: str, clauses: Sequence[str]) -> tuple[Sql, Sql]:
    """Indexes of a shadow, all of `clauses` at once; `index` is one of them, which tells whether that was done. How, is
    left to the server: what it can do in place it does, and in a partitioned table it can do less."""
    return (
        Sql(
            "SELECT COUNT(*) > 0 AS v FROM information_schema.STATISTICS\n"
            f"WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {literal(table)} AND INDEX_NAME = {literal(index)}",
            part=UNLESS,
        ),
        Sql(f"ALTER TABLE {identifier(table)}\n  " + ",\n  ".join([*clauses, "LOCK=SHARED"])),
    )


def drop(live: str, table: str) -> tuple[Sql, ...]:
    """Away with a table that is not live any more, and with what records changes: the triggers first, which write
    into the logs."""
    logs = (names.log(live), names.back(live))
    return (
        *(Sql(f"DROP TRIGGER IF EXISTS {identifier(names.trigger(log, e))}") for log in logs for e in names.EVENTS),
        *(Sql(f"DROP TABLE IF EXISTS {identifier(name)}") for name in (table, *logs)),
    )


def _range(pair: Pair, table: str) -> str:
    """Rows after `after_1…` up to `upto_1…`; NULL leaves that side open. MySQL finds the ends of a range only where it
    is spelled out."""
    first, second = (f"{_id(table)}.{_id(name)}" for name in pair.key)
    sides = []
    for word, less, last in (("after", ">", ">"), ("upto", "<", "<=")):
        one, two = f"%({word}_1)s", f"%({word}_2)s"
        sides.append(f"({one} IS NULL OR {first} {less} {one} OR ({first} = {one} AND {second} {last} {two}))")
    return " AND ".join(sides)


def bound(pair: Pair) -> Sql:
    """The key at which the next chunk ends."""
    after = _range(pair, pair.source).partition(" AND (%(upto")[0]
    return Sql(
        f"SELECT {pair.keys} FROM {_id(pair.source)} WHERE {after}\nORDER BY {pair.keys} LIMIT 1 OFFSET %(rows)s",
        part="bound",
    )


def copy(pair: Pair, only: str | None = None, there: str = "") -> Sql:
    """One chunk, of which those rows for which `only` holds; rows that a repeated chunk finds there already stay, or
    are updated as `there` says."""
    within = _range(pair, pair.source)
    return replace(whole(pair, within if only is None else f"{within} AND {only}", there), part="copy")


def whole(pair: Pair, only: str, there: str = "") -> Sql:
    """All rows for which `only` holds; those that are there already stay, or are updated as `there` says."""
    return Sql(
        f"{pair.insert}\nSELECT {', '.join(pair.values.values())} "
        f"FROM {_id(pair.source)}\nWHERE {only}\nON DUPLICATE KEY UPDATE {there or _nothing(pair)}"
    )


def _nothing(pair: Pair) -> str:
    """What a row is updated with that stays as it is."""
    first = f"{_id(pair.target)}.{_id(pair.key[0])}"
    return f"{first} = {first}"


def compare(pair: Pair) -> Sql:
    """Keys of one chunk whose rows differ and that are not recorded as changed: in one snapshot, there is none."""
    keys = ", ".join(f"a.{_id(name)}" for name in pair.key)
    recorded = " AND ".join(f"g.{_id(name)} = a.{_id(name)}" for name in pair.key)
    joined = " AND ".join(f"b.{_id(name)} = a.{_id(name)}" for name in pair.key)
    left, right = (
        ", ".join(f"CAST({side}.{_id(n)} AS BINARY)" if n in pair.text else f"{side}.{_id(n)}" for n in pair.values)
        for side in "ab"
    )
    ours = ", ".join(f"{value} AS {_id(name)}" for name, value in pair.values.items())
    unrecorded = f"NOT EXISTS (SELECT 1 FROM {_id(pair.log)} AS g WHERE {recorded})"
    missing = f"b.{_id(pair.key[0])} IS NULL"
    return Sql(
        f"(SELECT {keys}\nFROM (SELECT {ours} FROM {_id(pair.source)} WHERE {_range(pair, pair.source)}) AS a\n"
        f"LEFT JOIN {_id(pair.target)} AS b ON {joined}\n"
        f"WHERE ({missing} OR NOT (({left}) <=> ({right}))) AND {unrecorded} LIMIT 10)\nUNION ALL\n"
        f"(SELECT {keys}\nFROM (SELECT {pair.keys} FROM {_id(pair.target)} WHERE {_range(pair, pair.target)}) AS a\n"
        f"LEFT JOIN {_id(pair.source)} AS b ON {joined}\nWHERE {missing} AND {unrecorded} LIMIT 10)",
        part="compare",
    )


def replay(pair: Pair, number: int) -> tuple[Sql, ...]:
    """Take recorded keys and make the target's rows of these keys what the source's are. Rows are read after the keys
    were seen, so what is read has the change that recorded them; a later change records its key again. Which keys are
    gone is asked for first, as a DELETE that looks at the source would wait for its writers. Rows are updated where
    they are: not every index has something new. No aliases: LOCK TABLES would ask for each. Several sessions may share
    the work: all that is recorded of one key belongs to one of them."""
    values, where = ", ".join(pair.values.values()), f"WHERE ({pair.keys}) IN %(keys)s"
    updates = ", ".join(f"{_id(pair.target)}.{_id(n)} = {v}" for n, v in pair.values.items() if n not in pair.key)
    source, target, log = _id(pair.source), _id(pair.target), _id(pair.log)
    return (
        Sql(
            f"SELECT id, {pair.keys} FROM {log} WHERE MOD(CRC32(LOWER({_id(pair.key[-1])})), %(parts)s) = %(part)s "
            f"ORDER BY id LIMIT %(keys)s",
            part=f"take {number}",
        ),
        Sql(f"SELECT {pair.keys} FROM {source} {where}", part=f"there {number}"),
        Sql(f"DELETE {pair.mode}FROM {target} {where}", part=f"gone {number}"),
        Sql(
            f"{pair.insert}\nSELECT {values} FROM {source} {where}\n"
            f"ON DUPLICATE KEY UPDATE {updates or _nothing(pair)}",
            part=f"refresh {number}",
        ),
        Sql(f"DELETE FROM {log} WHERE id IN %(ids)s", part=f"taken {number}"),
        Sql(
            f"SELECT COUNT(*) AS `left` FROM (SELECT 1 FROM {log} ORDER BY id LIMIT 100000) AS waiting",
            part=f"left {number}",
        ),
    )


def _absent(pair: Pair, way: str, number: int) -> Sql:
    """How many of the first or last few rows of the target the source has lost unrecorded, as when it was emptied by
    TRUNCATE, which no trigger and no catalog tells. After the last replay there is none."""
    target, source = _id(pair.target), _id(pair.source)
    same = " AND ".join(f"{source}.{_id(name)} = some_keys.{_id(name)}" for name in pair.key)
    order = ", ".join(f"{_id(name)} {way}" for name in pair.key)
    return Sql(
        f"SELECT COUNT(*) AS v FROM (SELECT {pair.keys} FROM {target} ORDER BY {order} LIMIT 50) AS some_keys\n"
        f"LEFT JOIN {source} ON {same} WHERE {source}.{_id(pair.key[0])} IS NULL",
        part=f"absent {number}",
    )


def swap(pairs: Sequence[Pair], renames: Sequence[tuple[str, str]], also: Sequence[str] = ()) -> tuple[Sql, ...]:
    """The exclusive part: all tables locked, and renamed in one statement, which keeps the locks of the renamed.
    `also`: tables that only change their names. With more than one live table, the first is locked alone before:
    writers who hold it then get on with the others, and no two wait for each other."""
    held = [t for pair in pairs for t in (pair.source, pair.target, pair.log)] + list(also)
    locks = [f"{identifier(t)} WRITE" for t in held] + ["temporal_visibility_lock READ"]
    pair_logs = ", ".join(f"({literal(pair.source)}, {literal(pair.log)})" for pair in pairs)
    drain = (Sql(f"LOCK TABLES {identifier(pairs[0].source)} WRITE", part="drain"),) if len(pairs) > 1 else ()
    return (
        *drain,
        *(_absent(pair, way, number) for number, pair in enumerate(pairs, 1) for way in ("ASC", "DESC")),
        Sql("LOCK TABLES " + ", ".join(locks), part="lock"),
        Sql(
            "SELECT COUNT(*) AS v FROM information_schema.TABLES t JOIN information_schema.TABLES g\n"
            "  ON g.TABLE_SCHEMA = t.TABLE_SCHEMA AND t.CREATE_TIME > g.CREATE_TIME\n"
            f"WHERE t.TABLE_SCHEMA = DATABASE() AND (t.TABLE_NAME, g.TABLE_NAME) IN ({pair_logs})",
            part="remade",
        ),
        Sql(
            "RENAME TABLE " + ", ".join(f"{identifier(a)} TO {identifier(b)}" for a, b in renames),
            part="swap",
        ),
        Sql("UNLOCK TABLES", part="unlock"),
    )
