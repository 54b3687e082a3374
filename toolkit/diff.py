"""What differs between two definitions, as a tuple of Change values, and how to apply them again.

Pure: the laws `diff(a, a) == ()` and `apply(a, diff(a, b)) == b` hold up to order of entries and labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, assert_never

from toolkit.definition import Definition, Field, Index, SearchAttribute


@dataclass(frozen=True, slots=True)
class AddField:
    field: Field


@dataclass(frozen=True, slots=True)
class DropField:
    field: Field


@dataclass(frozen=True, slots=True)
class AlterField:
    """Also a rename, when the names differ (said by `renamed_from`)."""

    before: Field
    after: Field


@dataclass(frozen=True, slots=True)
class AddAttribute:
    attribute: SearchAttribute


@dataclass(frozen=True, slots=True)
class DropAttribute:
    attribute: SearchAttribute


@dataclass(frozen=True, slots=True)
class AlterAttribute:
    """Also a rename, when the names differ (said by `renamed_from`)."""

    before: SearchAttribute
    after: SearchAttribute


@dataclass(frozen=True, slots=True)
class AddIndex:
    index: Index


@dataclass(frozen=True, slots=True)
class DropIndex:
    index: Index


@dataclass(frozen=True, slots=True)
class AlterIndex:
    before: Index
    after: Index


Change = (
    AddField
    | DropField
    | AlterField
    | AddAttribute
    | DropAttribute
    | AlterAttribute
    | AddIndex
    | DropIndex
    | AlterIndex
)
_Named = TypeVar("_Named", Field, SearchAttribute, Index)


def diff(before: Definition, after: Definition) -> tuple[Change, ...]:
    """The changes that make `before` into `after`: drops, then alterations, then additions, each in file order."""
    fields = _pairs(before.fields, after.fields)
    attributes = _pairs(before.attributes, after.attributes)
    indexes = _pairs(before.indexes, after.indexes)
    return (
        *(DropIndex(i) for i in indexes.dropped),
        *(DropAttribute(a) for a in attributes.dropped),
        *(DropField(f) for f in fields.dropped),
        *(AlterField(a, b) for a, b in fields.altered),
        *(AlterAttribute(a, b) for a, b in attributes.altered),
        *(AlterIndex(a, b) for a, b in indexes.altered),
        *(AddField(f) for f in fields.added),
        *(AddAttribute(a) for a in attributes.added),
        *(AddIndex(i) for i in indexes.added),
    )


def apply(definition: Definition, changes: Sequence[Change]) -> Definition:
    """`definition` with `changes` made; entries keep their place, new ones come last."""
    fields = {f.name: f for f in definition.fields}
    attributes = {a.name: a for a in definition.attributes}
    indexes = {i.name: i for i in definition.indexes}
    for change in changes:
        match change:
            case AddField(field):
                fields[field.name] = field
            case DropField(field):
                fields.pop(field.name)
            case AlterField(old_field, new_field):
                fields = _replaced(fields, old_field.name, new_field)
            case AddAttribute(attribute):
                attributes[attribute.name] = attribute
            case DropAttribute(attribute):
                attributes.pop(attribute.name)
            case AlterAttribute(old, new):
                attributes = _replaced(attributes, old.name, new)
            case AddIndex(index):
                indexes[index.name] = index
            case DropIndex(index):
                indexes.pop(index.name)
            case AlterIndex(old_index, new_index):
                indexes = _replaced(indexes, old_index.name, new_index)
            case _:
                assert_never(change)
    return replace(
        definition,
        fields=tuple(fields.values()),
        attributes=tuple(attributes.values()),
        indexes=tuple(indexes.values()),
    )


def subject(change: Change) -> str:
    """The name of what changes, as it is afterwards (or was, for a drop)."""
    match change:
        case AddField(thing) | DropField(thing):
            return thing.name
        case AddAttribute(attribute) | DropAttribute(attribute):
            return attribute.name
        case AddIndex(index) | DropIndex(index):
            return index.name
        case AlterField(_, after):
            return after.name
        case AlterAttribute(_, after_attribute):
            return after_attribute.name
        case AlterIndex(_, after_index):
            return after_index.name


@dataclass(frozen=True)
class _Pairs(Generic[_Named]):
    dropped: tuple[_Named, ...]
    altered: tuple[tuple[_Named, _Named], ...]
    added: tuple[_Named, ...]


def _pairs(before: Sequence[_Named], after: Sequence[_Named]) -> _Pairs[_Named]:
    old = {thing.name: thing for thing in before}
    wanted = {thing.name for thing in after}
    matched: list[tuple[_Named, _Named]] = []
    added: list[_Named] = []
    for thing in after:
        source = _source(thing, old, wanted)
        if source is None:
            added.append(thing)
        elif _settled(source) != _settled(thing):
            matched.append((old[source.name], thing))
        old.pop(source.name if source else thing.name, None)
    return _Pairs(tuple(old.values()), tuple(matched), tuple(added))


def _source(thing: _Named, old: Mapping[str, _Named], wanted: Set[str]) -> _Named | None:
    """What `thing` was before: the entry of its name, or the one it says it was renamed from."""
    if thing.name in old:
        return old[thing.name]
    former = None if isinstance(thing, Index) else thing.renamed_from
    return old.get(former) if former is not None and former not in wanted else None


def _settled(thing: _Named) -> _Named:
    """`thing` without the members that tell its history only."""
    return thing if isinstance(thing, Index) else replace(thing, since=None, renamed_from=None)


def _replaced(things: Mapping[str, _Named], name: str, new: _Named) -> dict[str, _Named]:
    return {new.name if key == name else key: new if key == name else thing for key, thing in things.items()}
