"""What changes of a definition, of a live schema, or of the engine do to stored values: Findings.

Pure; what is asked of an engine are its tables and its catalog of a definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from toolkit.attributes import AttributeType, Family
from toolkit.catalog import Absent, Catalog, Difference, Json, differences
from toolkit.check.findings import Finding, Suspect, of_verdict
from toolkit.compat import Severity
from toolkit.compat_types import physical
from toolkit.definition import Definition, Field, SearchAttribute
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
    diff,
)
from toolkit.engines import Engine
from toolkit.engines.compatibility import compatibility, move


def between(engine: Engine, before: Definition, after: Definition) -> Iterator[Finding]:
    """What the changes from one version to another do on one engine."""
    if not (engine.supports(before) and engine.supports(after)):
        return
    for change in diff(before.on(engine.FAMILY), after.on(engine.FAMILY)):
        yield from _changed(engine, change)


def _changed(engine: Engine, change: Change) -> Iterator[Finding]:
    match change:
        case AddField(field):
            if field.required and field.default is None and engine.FAMILY is Family.SQL:
                yield _demanded(engine, field)
        case AddAttribute() | AddIndex():
            return
        case DropField(field):
            yield _gone("field", field.name, engine)
        case DropAttribute(attribute):
            yield _gone("attribute", attribute.name, engine)
        case DropIndex(index) | AlterIndex(index, _):
            yield _unindexed(index.name, engine)
        case AlterField(old_field, new_field):
            yield from _field(engine, old_field, new_field)
        case AlterAttribute(old, new):
            yield from _attribute(engine, old, new)
        case _:
            assert_never(change)


def _gone(kind: str, name: str, engine: Engine) -> Finding:
    return Finding("TV8101", Severity.LOSSY, name, f"the {kind} goes: filters that name it fail",
                   "Look for such filters with --queries; export what is needed first.", engine.NAME)  # fmt: skip


def _unindexed(name: str, engine: Engine) -> Finding:
    return Finding("TV8102", Severity.REINDEX, name, "the index goes, or becomes another one",
                   "Filters that it serves look at every record until there is another.", engine.NAME)  # fmt: skip


def _renamed(before: str, after: str, engine: Engine) -> Finding:
    return Finding("TV8103", Severity.LOSSY, after, f"it was {before}: values and filters of that name are not found",
                   "Rename in workers and saved filters at the same time.", engine.NAME)  # fmt: skip


def _attribute(engine: Engine, before: SearchAttribute, after: SearchAttribute) -> Iterator[Finding]:
    if before.name != after.name:
        yield _renamed(before.name, after.name, engine)
    if before.type is not after.type:
        verdict = compatibility(engine.NAME).CHANGES[before.type, after.type]
        suspect = Suspect(engine.NAME, before.name, before.type, verdict.spoils) if verdict.spoils else None
        about = f"{after.name}: {before.type.value} to {after.type.value}"
        yield of_verdict(verdict, about, engine.NAME, suspect)
    if before.index and before.index != after.index:
        yield _unindexed(before.index, engine)


def _field(engine: Engine, before: Field, after: Field) -> Iterator[Finding]:
    if before.name != after.name:
        yield _renamed(before.name, after.name, engine)
    if after.required and not before.required:
        yield _demanded(engine, after)
    if before.type is not after.type:
        message = f"{before.type.value} becomes {after.type.value}"
        yield Finding("TV8105", Severity.LOSSY, after.name, message, "Fields are Temporal's own: is this meant?",
                      engine.NAME)  # fmt: skip
    if before.index and before.index != after.index:
        yield _unindexed(before.index, engine)


def _demanded(engine: Engine, field: Field) -> Finding:
    message = "the field must have a value from now on"
    if field.default is not None:
        return Finding("TV8104", Severity.REINDEX, field.name, message, "Records without one get the default.",
                       engine.NAME)  # fmt: skip
    return Finding("TV8104", Severity.REFUSED, field.name, message, "Give the field a default.", engine.NAME)


def drift(engine: Engine, observed: Catalog, wanted: Catalog) -> Iterator[Finding]:
    """Where a live schema is not what a definition makes; foreign objects must have been taken out before."""
    for difference in differences(observed, wanted):
        yield _drifted(engine, difference)


def _drifted(engine: Engine, found: Difference) -> Finding:
    about = "/".join(found.path)
    match found.observed, found.wanted:
        case str(old), str(new) if found.path[-1] == "type":
            verdict = physical(old, new, compatibility(engine.NAME).DIALECT)
            return of_verdict(verdict, about, engine.NAME)
        case Absent(), _:
            return Finding("TV8106", Severity.METADATA, about, "the store does not have it yet",
                           "`schema upgrade` adds it.", engine.NAME)  # fmt: skip
        case old_value, Absent():
            return Finding("TV8107", Severity.LOSSY, about, f"the store has it, the version not: {_word(old_value)}",
                           "`schema plan` shows what would happen to it.", engine.NAME)  # fmt: skip
        case old_value, new_value:
            return Finding("TV8108", Severity.REINDEX, about, f"it is {_word(old_value)}, not {_word(new_value)}",
                           "`schema plan` shows the steps.", engine.NAME)  # fmt: skip


def _word(value: Json | Absent) -> str:
    text = str(value)
    return text if len(text) < 80 else f"{text[:77]}…"


def across(before: tuple[Engine, Definition], after: tuple[Engine, Definition]) -> Iterator[Finding]:
    """What becomes of values, and of filters, on the way from one store to another."""
    (old, has), (new, takes) = before, after
    there = {a.name: a for a in takes.on(new.FAMILY).attributes}
    types: dict[AttributeType, list[str]] = {}
    for attribute in has.on(old.FAMILY).attributes:
        other = there.get(attribute.name)
        if other is None:
            yield Finding("TV8109", Severity.LOSSY, attribute.name, f"{new.NAME} has no such attribute",
                          "Map it to another name, or add it there first.", new.NAME)  # fmt: skip
        elif other.type is not attribute.type:
            yield Finding("TV8110", Severity.REFUSED, attribute.name,
                          f"it is {attribute.type.value} here, and {other.type.value} there",
                          "Map it to an attribute of the same type.", new.NAME)  # fmt: skip
        else:
            types.setdefault(attribute.type, []).append(attribute.name)
    for kind, names in types.items():
        yield from _moved(kind, names, old.NAME, new.NAME)


def _moved(kind: AttributeType, names: Sequence[str], old: str, new: str) -> Iterator[Finding]:
    """A verdict about meaning is told once for a type; one about values for each attribute, to be counted there."""
    for verdict in move(old, new, kind):
        if verdict.severity is Severity.SAFE:
            continue
        if verdict.spoils:
            for name in names:
                yield of_verdict(verdict, f"{name} ({kind.value})", new, Suspect(old, name, kind, verdict.spoils))
        else:
            listed = ", ".join(names) if len(names) < 4 else f"{', '.join(names[:2])} and {len(names) - 2} more"
            yield of_verdict(verdict, f"{kind.value} ({listed})", new)
