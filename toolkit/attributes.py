"""The search-attribute types, the field types, and the rules for their names.

Names and numbers are Temporal's own (`IndexedValueType`); this module knows nothing of any engine.
"""

from __future__ import annotations

import re
from enum import Enum


class AttributeType(Enum):
    """Temporal's seven search-attribute types; the value is the name used everywhere."""

    TEXT = "Text"
    KEYWORD = "Keyword"
    INT = "Int"
    DOUBLE = "Double"
    BOOL = "Bool"
    DATETIME = "Datetime"
    KEYWORD_LIST = "KeywordList"


class FieldType(Enum):
    """What a field (a column every record has) holds.

    Id: at most 64 characters. Keyword: a name of at most 255 characters. Label: a short word of at most 64 characters.
    Status: an execution status, 1…8. Int: 64 bits. Datetime: a moment in UTC. Bytes: opaque. Attributes: the map of all
    search attributes as it was written.
    """

    ID = "Id"
    KEYWORD = "Keyword"
    LABEL = "Label"
    STATUS = "Status"
    INT = "Int"
    DATETIME = "Datetime"
    BYTES = "Bytes"
    ATTRIBUTES = "Attributes"


class Group(Enum):
    """Who owns a search attribute: Temporal itself, the user (preallocated columns), or a CHASM component."""

    PREDEFINED = "predefined"
    CUSTOM = "custom"
    CHASM = "chasm"


class Family(Enum):
    """A kind of store as far as a definition cares: all SQL engines, all Elasticsearch-like ones, ClickHouse."""

    SQL = "sql"
    ELASTICSEARCH = "elasticsearch"
    CLICKHOUSE = "clickhouse"


# The longest name that every engine can use as a column name (PostgreSQL cuts at 63 bytes).
MAX_NAME = 63
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")

# Temporal refuses these as custom search attributes (its `reserved` list).
RESERVED_NAMES = frozenset({"Memo", "MemoEncoding", "NamespaceId", "VisibilityTaskKey"})

STATUS_NAMES = {
    1: "Running",
    2: "Completed",
    3: "Failed",
    4: "Canceled",
    5: "Terminated",
    6: "ContinuedAsNew",
    7: "TimedOut",
    8: "Paused",
}
# Temporal's name of 0; documents have it in the place of every number without a name.
UNKNOWN_STATUS = "Unspecified"


def name_problem(name: str) -> str | None:
    """What is wrong with `name` as a field, attribute or index name; None when it is good."""
    if not name:
        return "the name is empty"
    if not _NAME.fullmatch(name):
        return "a name starts with an ASCII letter or '_', followed by ASCII letters, digits and '_' only"
    if len(name) > MAX_NAME:
        return f"the name has {len(name)} characters; {MAX_NAME} is the most every engine can hold"
    return None


def status_name(number: int) -> str:
    """What users call a status; a number that Temporal has no name for stands for itself."""
    return UNKNOWN_STATUS if number == 0 else STATUS_NAMES.get(number, str(number))


def snake_case(name: str) -> str:
    """`TemporalKeywordList01` → `temporal_keyword_list_01`: how Temporal derives SQL names from attribute names."""
    return "_".join(_WORDS.findall(name)).lower() or name.lower()
