"""Writes as columns of ClickHouse's table, and its rows as Records.

Pure. Times are whole ticks of the column's own precision; a deletion is a row that says so, with the deletion's
version, so that late writes of the same run lose against it in whatever order they come.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.attributes import AttributeType, Family, FieldType
from toolkit.definition import Definition, Field, SearchAttribute
from toolkit.engines.clickhouse.layout import attribute_column, column_name
from toolkit.engines.clickhouse.render import identifier
from toolkit.engines.clickhouse.typemap import Profile
from toolkit.errors import EngineError
from toolkit.records import MEMBERS, Deletion, Moment, Record, Write

DELETED = "is_deleted"
# Whether all texts of a row are what the driver makes of them.
VALID = "texts_are_valid"
# What a count is grouped by; the client reads texts of this name as bytes.
GROUPED = "value"
_PRECISION = re.compile(r"DateTime64\((\d)")
_NANOSECOND_DIGITS = 9
_NONE: Mapping[str, Any] = {}

# From what a record has to what a column takes, and back; never called for None.
_Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Part:
    """One column of a definition. `blank`: what a deletion has there; None where it has its own value."""

    source: Field | SearchAttribute
    column: str
    type: str
    blank: object
    encode: _Convert
    decode: _Convert


@dataclass(frozen=True, slots=True)
class Form:
    """The conversions for one definition. `columns` and `types` are those of `data`, in its order."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    select: str
    parts: tuple[_Part, ...]

    @staticmethod
    def of(definition: Definition, rules: Profile) -> Form:
        """The form of `definition`."""
        part = definition.on(Family.CLICKHOUSE)
        parts = [_field_part(f, rules) for f in part.fields if f.type is not FieldType.ATTRIBUTES]
        parts += [_attribute_part(a, rules) for a in part.attributes]
        listed = ", ".join(identifier(p.column) for p in parts)
        # Texts are bytes there: of one that is no UTF-8 the driver makes hexadecimal digits without a word.
        valid = " AND ".join(_valid(identifier(p.column), p.type) for p in parts if _is_text(p, rules))
        return Form(
            columns=(*(p.column for p in parts), DELETED),
            types=(*(p.type for p in parts), rules.own_columns[DELETED].type),
            select=f"SELECT {listed}, {valid} AS {VALID} FROM {identifier(rules.table)} FINAL",
            parts=tuple(parts),
        )

    def data(self, writes: Sequence[Write]) -> list[list[object]]:
        """The columns of `writes`."""
        attributes = [_NONE if isinstance(write, Deletion) else write.attributes for write in writes]
        columns = [_column(part, writes, attributes) for part in self.parts]
        return [*columns, [int(isinstance(write, Deletion)) for write in writes]]

    def record(self, row: Sequence[Any]) -> Record:
        """The record in a row of `select`. An empty list is the same as none: no array can be null here. Raises
        EngineError when a text of it is no UTF-8."""
        members: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        *values, valid = row
        for part, value in zip(self.parts, values, strict=True):
            found = None if value is None else part.decode(value)
            if isinstance(part.source, Field):
                members[MEMBERS[part.source.name]] = found
            elif found is not None and found != ():
                attributes[part.source.name] = found
        if not valid:
            raise _no_text(members)
        return Record(attributes=attributes, **members)


def _column(part: _Part, writes: Sequence[Write], attributes: Sequence[Mapping[str, Any]]) -> list[object]:
    """One column of `writes`. What they share is worked out once: a move writes millions of them."""
    values: Iterator[Any]
    match part.source:
        case Field(name=name):
            member = MEMBERS[name]
            values = (getattr(write, member, None) for write in writes)
        case SearchAttribute(name=name):
            values = (held.get(name) for held in attributes)
    blank, encode = part.blank, part.encode
    return [blank if value is None else encode(value) for value in values]


def _field_part(field: Field, rules: Profile) -> _Part:
    type = rules.field_rule(field).type
    encode, decode = _field_conversions(field.type, type)
    return _Part(field, column_name(field.name, rules), type, _blank(type), encode, decode)


def _attribute_part(attribute: SearchAttribute, rules: Profile) -> _Part:
    type = rules.attribute_rule(attribute).type
    encode, decode = _attribute_conversions(attribute.type, type)
    return _Part(attribute, attribute_column(attribute.name), type, _blank(type), encode, decode)


def _field_conversions(kind: FieldType, type: str) -> tuple[_Convert, _Convert]:
    match kind:
        case FieldType.DATETIME:
            scale = _scale(type)
            return (lambda ns: ns // scale), (lambda ticks: ticks * scale)
        case FieldType.BYTES:
            return bytes, bytes
        case FieldType.STATUS | FieldType.INT:
            return int, int
        case FieldType.ID | FieldType.KEYWORD | FieldType.LABEL | FieldType.ATTRIBUTES:
            return str, str


def _attribute_conversions(kind: AttributeType, type: str) -> tuple[_Convert, _Convert]:
    match kind:
        case AttributeType.DATETIME:
            scale = _scale(type)
            return (lambda moment: moment.nanoseconds // scale), (lambda ticks: Moment(ticks * scale))
        case AttributeType.KEYWORD_LIST:
            return list, tuple
        case AttributeType.DOUBLE:
            return float, float
        case AttributeType.INT:
            return int, int
        case AttributeType.BOOL:
            return bool, bool
        case AttributeType.TEXT | AttributeType.KEYWORD:
            return str, str


def _scale(type: str) -> int:
    """Nanoseconds in one tick of a DateTime64."""
    found = _PRECISION.search(type)
    assert found is not None
    return int(10 ** (_NANOSECOND_DIGITS - int(found[1])))


def _blank(type: str) -> object:
    """What stands for no value in a column of this type."""
    if type.startswith("Array("):
        return []
    if "Nullable(" in type:
        return None
    return "" if "String" in type else 0


def _is_text(part: _Part, rules: Profile) -> bool:
    return "String" in part.type and part.column not in byte_columns(rules)


def _valid(column: str, type: str) -> str:
    if type.startswith("Array("):
        return f"arrayAll(v -> isValidUTF8(v), {column})"
    return f"isValidUTF8(ifNull({column}, ''))" if "Nullable(" in type else f"isValidUTF8({column})"


def _no_text(members: Mapping[str, Any]) -> EngineError:
    run = f"{members['namespace_id']}/{members['run_id']}"
    return EngineError(
        "TV4215",
        f"run {run} has a text that is no UTF-8, as no Temporal server writes it",
        "NOT isValidUTF8(…) finds its column. Write the run anew with a greater version, or delete it.",
    )


def byte_columns(rules: Profile) -> tuple[str, ...]:
    """Columns whose values are no text, though ClickHouse's type for both is String."""
    return (column_name("Memo", rules),)
