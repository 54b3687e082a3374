"""Hypothesis strategies for definitions: small, legal, and with names that are words of SQL."""

from __future__ import annotations

from hypothesis import strategies as st

from toolkit.attributes import RESERVED_NAMES, AttributeType, Family, FieldType, Group
from toolkit.definition import (
    USUAL_STORES,
    Definition,
    Field,
    Index,
    IndexKey,
    Labels,
    SearchAttribute,
    default_index_name,
)

KEYS = (
    Field("NamespaceId", FieldType.ID, required=True),
    Field("RunId", FieldType.ID, required=True),
    Field("StartTime", FieldType.DATETIME, required=True),
    Field("CloseTime", FieldType.DATETIME),
    Field("SearchAttributes", FieldType.ATTRIBUTES, stores=frozenset({Family.SQL})),
)
SQL_WORDS = (
    "Select",
    "Order",
    "Group",
    "Table",
    "Default",
    "Primary",
    "User",
    "Values",
    "Index",
    "Rank",
    "Lateral",
    "Key",
)
_FORBIDDEN = {f.name.lower() for f in KEYS} | {
    "namespace_id",
    "run_id",
    "start_time",
    "close_time",
    "search_attributes",
}

names = st.one_of(
    st.sampled_from(SQL_WORDS),
    st.from_regex(r"[A-Z][A-Za-z0-9]{0,20}", fullmatch=True),
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,62}", fullmatch=True),
).filter(
    lambda name: name.lower() not in _FORBIDDEN and name not in RESERVED_NAMES and not name.lower().startswith("sqlite")
)


@st.composite
def attributes(draw: st.DrawFn) -> tuple[SearchAttribute, ...]:
    chosen = draw(st.lists(names, max_size=6, unique_by=lambda name: name.lower()))
    found: list[SearchAttribute] = []
    taken: set[str] = {"default_idx"}
    for name in chosen:
        group = draw(st.sampled_from(list(Group)))
        index = default_index_name(name) if draw(st.booleans()) else None
        if index is not None and index.lower() in taken:
            index = None
        taken.add((index or "").lower())
        stores = draw(st.sampled_from([USUAL_STORES[group], frozenset({Family.SQL}), frozenset(Family)]))
        found.append(SearchAttribute(name, draw(st.sampled_from(list(AttributeType))), group, index, stores))
    return tuple(found)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    indexes = (Index("default_idx", (IndexKey("NamespaceId"), IndexKey("ListOrder"))),)
    return Definition(
        version=f"9.{draw(st.integers(0, 999))}",
        summary="A made-up version.",
        servers="none",
        labels=Labels("9.0", ("v90",), "9.0"),
        fields=KEYS,
        attributes=draw(attributes()),
        indexes=draw(st.sampled_from([(), indexes])),
    )
