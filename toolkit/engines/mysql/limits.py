"""What MySQL allows a table in InnoDB: indexes, the parts and bytes of an index, the bytes of a row.

Pure. Bytes are those of utf8mb4, the server's own character set. Released versions are far from all that; an overlay
may ask for more, and is to hear of it before anything is done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from toolkit.engines.physical import Column, Index, Table
from toolkit.errors import DefinitionError

# InnoDB's limit, without the primary key.
MAX_INDEXES = 64
_MAX_PARTS = 16
_MAX_KEY_BYTES = 3072
_MAX_ROW_BYTES = 65_535
_CHARACTER_BYTES = 4
_TYPE = re.compile(r"(\w+)(?:\((\d+))?")
# What a row holds of a value, for a long one the pointer to it.
_BYTES: Mapping[str, int] = {
    "INT": 4,
    "BIGINT": 8,
    "BOOLEAN": 1,
    "DATETIME": 8,
    "DECIMAL": 10,
    "TEXT": 10,
    "BLOB": 10,
    "JSON": 12,
}
# An expression in an index is a hidden column: the moment that lists are ordered by, or the elements of a list.
_MOMENT, _ELEMENTS = "DATETIME", "JSON"


def check(table: Table) -> None:
    """Raise DefinitionError when MySQL would refuse the table, or one of its indexes."""
    if len(table.indexes) > MAX_INDEXES:
        raise DefinitionError("TV1019", f"{table.name} would have {len(table.indexes)} indexes; MySQL allows "
                              f"{MAX_INDEXES}", "Preallocate fewer attributes, or leave indexes out.")  # fmt: skip
    types = {f"`{column.name}`": column.ddl for column in table.columns}
    for index in table.indexes:
        if index.kind != "fulltext":
            _check_index(index, types)
    size = row_bytes(table)
    if size > _MAX_ROW_BYTES:
        raise DefinitionError("TV1021", f"a row of {table.name} would have {size} bytes without its long values; MySQL "
                              f"allows {_MAX_ROW_BYTES}", "Preallocate fewer: a Keyword takes 1022.")  # fmt: skip


def _check_index(index: Index, types: Mapping[str, str]) -> None:
    keys = _keys(index)
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        hint = "ListOrder stands for close time, start time and run."
        raise DefinitionError(
            "TV1015", f"index {index.name!r}: {twice[0]} stands in it twice, which MySQL refuses", hint
        )
    if len(keys) > _MAX_PARTS:
        raise DefinitionError("TV1021", f"index {index.name!r} would have {len(keys)} parts; MySQL allows {_MAX_PARTS}",
                              "ListOrder counts for three.")  # fmt: skip
    size = sum(_key_bytes(key, types) for key in keys)
    if size > _MAX_KEY_BYTES:
        raise DefinitionError("TV1021", f"index {index.name!r} would have {size} bytes an entry; MySQL allows "
                              f"{_MAX_KEY_BYTES}", "A Keyword takes 1020.")  # fmt: skip


def _keys(index: Index) -> Sequence[str]:
    facts = index.catalog if isinstance(index.catalog, dict) else {}
    keys = facts.get("keys")
    return [str(key).removesuffix(" DESC") for key in keys] if isinstance(keys, list) else []


def _key_bytes(key: str, types: Mapping[str, str]) -> int:
    name, length = _type(types.get(key, _MOMENT))
    return length * _CHARACTER_BYTES if length and name in ("CHAR", "VARCHAR") else _BYTES[name]


def row_bytes(table: Table) -> int:
    """The bytes of a row as MySQL counts them, hidden columns among them; values of the long types stand elsewhere."""
    hidden = [key for index in table.indexes for key in _keys(index) if not key.startswith("`")]
    nullable = sum("NOT NULL" not in column.ddl for column in table.columns) + len(hidden)
    bits = (nullable + 7) // 8
    expressions = sum(_BYTES[_ELEMENTS if " array" in key else _MOMENT] for key in hidden)
    return sum(map(_column_bytes, table.columns)) + expressions + bits


def _column_bytes(column: Column) -> int:
    name, length = _type(column.ddl)
    if name not in ("CHAR", "VARCHAR"):
        return _BYTES[name]
    size = length * _CHARACTER_BYTES
    return size if name == "CHAR" else size + (1 if size < 256 else 2)


def _type(ddl: str) -> tuple[str, int]:
    found = _TYPE.match(ddl)
    assert found is not None
    return found[1].upper(), int(found[2] or 0)
