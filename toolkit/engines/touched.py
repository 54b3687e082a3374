"""Which columns and indexes a logical change touches in a store, to say why a step is there.

Pure; how an engine calls the column of a field or of an attribute is handed in.
"""

from __future__ import annotations

from collections.abc import Callable

from toolkit.attributes import Group
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


def objects(
    change: Change,
    field: Name,
    attribute: Name,
    tables: Callable[[Group], tuple[str, ...]] = lambda _: (),
    indexes: bool = True,
) -> tuple[str, ...]:
    """Names of the objects, old and new. `field` and `attribute` give the column of each; `tables` those that come and
    go with the attributes of a group; `indexes`: whether there are indexes with names."""

    def single(index: str | None) -> tuple[str, ...]:
        return (index,) if index and indexes else ()

    match change:
        case AddField(thing) | DropField(thing):
            return (field(thing.name), *single(thing.index))
        case AlterField(before, after):
            return (field(before.name), field(after.name), *single(before.index), *single(after.index))
        case AddAttribute(one) | DropAttribute(one):
            return (*tables(one.group), attribute(one.name), *single(one.index))
        case AlterAttribute(old, new):
            return (attribute(old.name), attribute(new.name), *single(old.index), *single(new.index))
        case AddIndex(index) | DropIndex(index):
            return single(index.name)
        case AlterIndex(old_index, new_index):
            return (*single(old_index.name), *single(new_index.name))
