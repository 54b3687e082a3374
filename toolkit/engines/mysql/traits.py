"""What a rebuild must know about live tables besides their schema: rows, columns to copy, own indexes, what a swap
would lose or no shadow can follow, and which of the tool's own objects there are. The queries, and the reading of their
rows.

It asks nothing itself. Views, routines and grants name a table and so follow the name; what does not is an obstacle.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.catalog import Json
from toolkit.engines.mysql.layout import PRIMARY_KEY
from toolkit.engines.mysql.names import PREFIX, back, log
from toolkit.engines.mysql.render import identifier
from toolkit.engines.version_tables import NO_HISTORY
from toolkit.plan import Observed

Ask = Callable[[str, Sequence[object]], Sequence[Mapping[str, Any]]]

_TABLES = """
SELECT TABLE_NAME AS name, ENGINE AS engine, TABLE_COLLATION AS collation, CREATE_TIME AS made,
       @@collation_database AS usual, @@GLOBAL.sql_mode AS mode,
       COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0) AS bytes
FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'
"""
_COLUMNS = """
SELECT TABLE_NAME AS tab, COLUMN_NAME AS name, COLUMN_TYPE AS type, COLLATION_NAME AS collation
FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN %s AND GENERATION_EXPRESSION = '' ORDER BY ORDINAL_POSITION
"""
_TRIGGERS = """
SELECT TRIGGER_NAME AS name, EVENT_OBJECT_TABLE AS tab FROM information_schema.TRIGGERS
WHERE TRIGGER_SCHEMA = DATABASE()
"""
_KEYS = """
SELECT CONSTRAINT_NAME AS name, TABLE_NAME AS tab, REFERENCED_TABLE_NAME AS other,
       TABLE_SCHEMA = DATABASE() AS here, REFERENCED_TABLE_SCHEMA = DATABASE() AS there
FROM information_schema.KEY_COLUMN_USAGE
WHERE REFERENCED_TABLE_NAME IS NOT NULL AND (TABLE_SCHEMA = DATABASE() OR REFERENCED_TABLE_SCHEMA = DATABASE())
"""
_CHECKS = """
SELECT CONSTRAINT_NAME AS name, TABLE_NAME AS tab FROM information_schema.TABLE_CONSTRAINTS
WHERE TABLE_SCHEMA = DATABASE() AND CONSTRAINT_TYPE = 'CHECK'
"""
_KEY = f"  PRIMARY KEY ({','.join(identifier(name) for name in PRIMARY_KEY)})"
_COUNTED = re.compile(r"^  `((?:[^`]|``)+)` .* AUTO_INCREMENT,?$", re.MULTILINE)
_INDEX = re.compile(r"^  ((?:UNIQUE |FULLTEXT |SPATIAL )?KEY `((?:[^`]|``)+)` .*?),?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TableTraits:
    """One live table. `definition`: changes with every change of the schema; `plain`: the columns that are no
    expressions, and whether they are text; `types`: the key's and others' types; `indexes`: name → DDL in CREATE TABLE;
    `obstacles`: what a swap would lose and cannot carry over, in words; `unfit`: what keeps a shadow from being made or
    followed at all, in words."""

    has_rows: bool
    definition: str
    collation: str
    plain: Mapping[str, bool]
    types: Mapping[str, str]
    indexes: Mapping[str, str]
    obstacles: tuple[str, ...]
    unfit: tuple[str, ...]


def read(ask: Ask, tables: Sequence[str]) -> dict[str, Json]:
    """`Observed.traits`: `tables`, `own` (the tool's tables), `triggers` (the tool's triggers → their table), `intact`
    (log → whether its live table has not been altered since it was made), `sizes`, whether there is no history, and
    `strict`: whether sessions are that do not say otherwise."""
    known = {row["name"]: row for row in ask(_TABLES, ())}
    live = [name for name in tables if name in known]
    triggers = ask(_TRIGGERS, ())
    obstacles = _obstacles(ask, triggers)
    columns = list(ask(_COLUMNS, (live,))) if live else []
    facts: dict[str, Json] = {n: _facts(ask, known[n], columns, obstacles.get(n, [])) for n in live}
    own: dict[str, Json] = {name: True for name in known if name.startswith(PREFIX)}
    mine: dict[str, Json] = {t["name"]: t["tab"] for t in triggers if t["name"].startswith(PREFIX)}
    sizes: dict[str, Json] = {name: int(known[name]["bytes"]) for name in live}
    logs = [(name, of(name)) for name in live for of in (log, back)]
    intact: dict[str, Json] = {kept: known[n]["made"] <= known[kept]["made"] for n, kept in logs if kept in known}
    return {"tables": facts, "own": own, "triggers": mine, "intact": intact, "sizes": sizes,
            NO_HISTORY: "schema_update_history" not in known,
            "strict": all("STRICT_" in row["mode"] for row in known.values())}  # fmt: skip


def _facts(ask: Ask, row: Mapping[str, Any], columns: Sequence[Mapping[str, Any]], obstacles: list[str]) -> Json:
    name = row["name"]
    text = str(ask(f"SHOW CREATE TABLE {identifier(name)}", ())[0]["Create Table"])
    plain = [c for c in columns if c["tab"] == name]
    found = [*obstacles]
    if "DATA DIRECTORY=" in text:
        found.append("data directory")
    indexes = {match[1].replace("``", "`"): match[0] for match in _INDEX.findall(text)}
    return {
        "rows": bool(ask(f"SELECT EXISTS (SELECT 1 FROM {identifier(name)}) AS v", ())[0]["v"]),
        "definition": hashlib.sha256(text.encode()).hexdigest()[:16],
        "collation": row["collation"],
        "columns": {c["name"]: {"type": c["type"], "text": c["collation"] is not None} for c in plain},
        "indexes": dict(indexes),
        "obstacles": sorted(found),
        "unfit": list(_unfit(row, text, plain, indexes)),
    }


def _unfit(
    row: Mapping[str, Any], text: str, plain: Sequence[Mapping[str, Any]], indexes: Mapping[str, str]
) -> Iterator[str]:
    """A shadow has the key and the collation of its table, and rows of both are found by the key alone: where these are
    not the wanted ones, they would be no others after the swap. A row that is refreshed could meet another one in a
    unique index, and overwrite it. What MySQL counts needs its index from the first row on, and changes the table's
    definition with each."""
    if row["engine"] != "InnoDB":
        yield f"storage engine {row['engine']}"
    if _KEY not in text:
        yield f"no primary key ({', '.join(PRIMARY_KEY)})"
    if row["collation"] != row["usual"]:
        yield f"collation {row['collation']}, where its database has {row['usual']}"
    for column in plain:
        if column["name"] in PRIMARY_KEY and column["collation"] != row["collation"]:
            yield f"collation {column['collation']} of {column['name']}"
    for name in _COUNTED.findall(text):
        yield f"AUTO_INCREMENT of {name}"
    for name, line in indexes.items():
        if line.startswith("UNIQUE "):
            yield f"unique index {name}"


def _obstacles(ask: Ask, triggers: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in triggers:
        if not row["name"].startswith(PREFIX):
            found.setdefault(row["tab"], []).append(f"trigger {row['name']}")
    for row in ask(_KEYS, ()):
        ends = {row["tab"]} if row["here"] else set()
        ends |= {row["other"]} if row["there"] else set()
        for table in ends:
            found.setdefault(table, []).append(f"foreign key {row['name']}")
    for row in ask(_CHECKS, ()):
        found.setdefault(row["tab"], []).append(f"check constraint {row['name']}")
    return {table: sorted(set(names)) for table, names in found.items()}


def plain_columns(ask: Ask, tables: Sequence[str]) -> list[tuple[str, str]]:
    """Table and column of everything that is no expression."""
    return [(row["tab"], row["name"]) for row in ask(_COLUMNS, (list(tables),))]


def has_fulltext(observed: Observed, table: str) -> bool:
    """Whether a live table has a full-text index, be it ours or an operator's."""
    seen = observed.traits.get("tables")
    facts = seen.get(table) if isinstance(seen, dict) else None
    return facts is not None and any(line.startswith("FULLTEXT ") for line in decode(facts).indexes.values())


def is_strict(observed: Observed) -> bool:
    """Whether writers' sessions are, as far as the server tells: such as are not store what is too long for a generated
    column, which is cut."""
    return observed.traits.get("strict") is not False


def decode(value: Json) -> TableTraits:
    """The traits of one table in `Observed.traits["tables"]`."""
    assert isinstance(value, dict)
    facts: dict[str, Any] = dict(value)
    return TableTraits(
        has_rows=facts["rows"],
        definition=facts["definition"],
        collation=facts["collation"],
        plain={name: column["text"] for name, column in facts["columns"].items()},
        types={name: column["type"] for name, column in facts["columns"].items()},
        indexes=facts["indexes"],
        obstacles=tuple(facts["obstacles"]),
        unfit=tuple(facts["unfit"]),
    )
