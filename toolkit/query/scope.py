"""The names a filter may use: fields and attributes of a Definition, a namespace's own names, Temporal's short forms.

It resolves names and suggests the nearest one; it never looks at values or operators.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from toolkit.attributes import Family, FieldType, Group
from toolkit.definition import Definition
from toolkit.errors import UsageError
from toolkit.query.tree import Column, Kind

PREFIX = "Temporal"
DIVISION = "TemporalNamespaceDivision"
# Schedules are workflows whose ids begin like this; filters name them by ScheduleId (reference: Temporal's resolver).
SCHEDULE_ID = "ScheduleId"
SCHEDULE_PREFIX = "temporal-sys-scheduler:"
# A count may be grouped by these, and by fields whose name starts with the prefix.
GROUPABLE = frozenset({"ExecutionStatus", DIVISION})
GROUPABLE_PREFIX = "TemporalLowCardinalityKeyword"

_SPECIAL = {"ExecutionStatus": Kind.STATUS, "ExecutionDuration": Kind.DURATION, "CloseTime": Kind.CLOSE_TIME}
# Columns that no filter may name, though every record has them.
_HIDDEN = frozenset({"NamespaceId", "Memo", "MemoEncoding", "SearchAttributes", "Version"})


@dataclass(frozen=True, slots=True)
class Scope:
    """All names of one namespace in one store, ready to be looked up. `prefixed`: with Temporal's prefix → without, for
    fields and predefined attributes that have none; `aliases`: the user's name → field; `division`: the namespace
    division that is meant when none is mentioned, None for workflows."""

    columns: Mapping[str, Column]
    prefixed: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    division: str | None = None

    @staticmethod
    def of(
        definition: Definition,
        family: Family,
        aliases: Mapping[str, str] | None = None,
        division: str | None = None,
    ) -> Scope:
        """The names in a store of `family`. Raises UsageError when an alias stands for nothing."""
        part = definition.on(family)
        columns = _columns(part)
        predefined = (a.name for a in part.attributes if a.group is Group.PREDEFINED)
        own = (*(f.name for f in part.fields if f.name in columns), *predefined)
        for alias, name in (aliases or {}).items():
            if name not in columns:
                elsewhere = any(a.name == name for a in definition.attributes)
                raise unknown(alias, name, f"version {definition.version} on {family.value}", elsewhere)
        prefixed = {PREFIX + name: name for name in own if not name.startswith(PREFIX)}
        return Scope(columns, prefixed, dict(aliases or {}), division)

    def resolve(self, name: str) -> Column | None:
        """The column that `name` means; None when there is none. An alias wins, except over Temporal's own names."""
        if name in self.aliases and not name.startswith(PREFIX) and PREFIX + name not in self.prefixed:
            return self._named(self.aliases[name], name)
        if name in self.columns:
            return self.columns[name]
        if name == SCHEDULE_ID:
            return self._named("WorkflowId", name)
        if PREFIX + name in self.columns:
            return self._named(PREFIX + name, name)
        if name in self.prefixed:
            return self._named(self.prefixed[name], name)
        return self._named(self.aliases[name], name) if name in self.aliases else None

    def _named(self, name: str, shown: str) -> Column | None:
        column = self.columns.get(name)
        return column and Column(column.name, shown, column.kind, column.is_field)

    def nearest(self, name: str) -> str | None:
        """The known name most like `name`, to suggest it; None when nothing is near."""
        known = {n.lower(): n for n in (*self.columns, SCHEDULE_ID, *self.aliases)}
        short = {n.lower().removeprefix(PREFIX.lower()): n for n in self.columns if n.startswith(PREFIX)}
        found = difflib.get_close_matches(name.lower()[:80], [*known, *short], 1, 0.6)
        return known.get(found[0], short.get(found[0])) if found else None


def unknown(alias: str, name: str, where: str, elsewhere: bool = False) -> UsageError:
    """The error that an alias stands for what `where` has not; `elsewhere`: other stores of the version have it."""
    hint = (
        "Other engines have it. On a search engine attributes have the namespace's own names: leave the alias out."
        if elsewhere
        else ""
    )
    return UsageError("TV7014", f"the alias {alias!r} stands for {name!r}, which {where} has not", hint)


def _columns(definition: Definition) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for each in definition.fields:
        if each.name not in _HIDDEN:
            columns[each.name] = Column(each.name, each.name, _SPECIAL.get(each.name, _field_kind(each.type)), True)
    for attribute in definition.attributes:
        columns[attribute.name] = Column(attribute.name, attribute.name, Kind(attribute.type.value), False)
    return columns


def _field_kind(kind: FieldType) -> Kind:
    match kind:
        case FieldType.ID | FieldType.KEYWORD | FieldType.LABEL | FieldType.BYTES | FieldType.ATTRIBUTES:
            return Kind.KEYWORD
        case FieldType.STATUS:
            return Kind.STATUS
        case FieldType.INT:
            return Kind.INT
        case FieldType.DATETIME:
            return Kind.DATETIME


def groupable(column: Column) -> bool:
    """Whether a count may be grouped by `column`."""
    return column.name in GROUPABLE or column.name.startswith(GROUPABLE_PREFIX)
