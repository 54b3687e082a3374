"""What a store gives back of a record: the fields and attributes of its version, times to the microsecond."""

from __future__ import annotations

from dataclasses import fields

from toolkit.attributes import Family
from toolkit.definition import Definition
from toolkit.records import MEMBERS, Record


def kept(record: Record, definition: Definition) -> Record:
    """`record` as a SQL store at `definition` returns it: attributes without a column are in the JSON all the same."""
    names = {f.name for f in definition.on(Family.SQL).fields}
    known = {MEMBERS[name] for name in names if name in MEMBERS}
    members: dict[str, object] = {}
    for member in fields(Record):
        value = getattr(record, member.name)
        if member.name == "attributes":
            searchable = "SearchAttributes" in names
            value = {n: v for n, v in record.attributes.items() if searchable and definition.attribute(n)}
        elif member.name not in known:
            value = member.default
        elif member.name.endswith("_time") and value is not None:
            value = value // 1000 * 1000
        members[member.name] = value
    return Record(**members)  # type: ignore[arg-type]
