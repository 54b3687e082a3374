"""Which columns and indexes a logical change touches on a SQL engine.

Pure; how an engine calls the column of a field or of an attribute is handed in.
"""

from __future__ import annotations

from collections.abc import Callable

from toolkit.diff import (
    AddAttribute,
    AddField,
    AddIndex,
    AlterAttribute,
    AlterField,
    AlterIndex,
    Change,
    DropAttribute,
    DropField,
    DropIndex,
)

Name = Callable[[str], str]


def objects(change: Change, field: Name, attribute: Name) -> tuple[str, ...]:
    """Names of the objects, old and new; `field` and `attribute` give the column of each."""
    match change:
        case AddField(thing) | DropField(thing):
            return (field(thing.name), *_single(thing.index))
        case AlterField(before, after):
            return (field(before.name), field(after.name), *_single(before.index), *_single(after.index))
        case AddAttribute(one) | DropAttribute(one):
            return (attribute(one.name), *_single(one.index))
        case AlterAttribute(old, new):
            return (attribute(old.name), attribute(new.name), *_single(old.index), *_single(new.index))
        case AddIndex(index) | DropIndex(index):
            return (index.name,)
        case AlterIndex(old_index, new_index):
            return (old_index.name, new_index.name)


def _single(index: str | None) -> tuple[str, ...]:
    return (index,) if index else ()
