"""Records as documents of a search engine, both ways, in the form Temporal's own server writes.

Pure; a document's version is the record's version, and its id is made of workflow id and run id.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.attributes import STATUS_NAMES, UNKNOWN_STATUS, AttributeType, Family, FieldType
from toolkit.catalog import Json
from toolkit.definition import Definition, Field
from toolkit.engines.attribute_json import from_json, parse_rfc3339, to_json
from toolkit.engines.elasticsearch.layout import label
from toolkit.engines.elasticsearch.typemap import Layout, Profile, Statuses, Times
from toolkit.errors import EngineError
from toolkit.records import MEMBERS, Deletion, Record, rfc3339

# The server refuses longer ids.
MAX_ID_BYTES = 512
_DELIMITER = "~"
_STATUS_NUMBERS = {name: number for number, name in STATUS_NAMES.items()}
# Temporal's server notes here which task of which shard wrote the document; a record does not know its shard.
_TASK_KEY, _NO_SHARD = "VisibilityTaskKey", 0


_LISTS = (
    "Temporal writes them unless its system.visibilityAllowList is off. Find such documents: `schema check --data`."
)


class _SeveralValues(ValueError):
    """Several values where one is meant."""


def document_id(workflow_id: str, run_id: str) -> str:
    """`workflowId~runId`. When that is too long, the workflow id is cut between two characters, and the run id kept."""
    room = MAX_ID_BYTES - len(run_id.encode()) - len(_DELIMITER)
    if room <= 0:
        return run_id.encode()[: MAX_ID_BYTES - len(_DELIMITER)].decode(errors="ignore")
    return f"{workflow_id.encode()[:room].decode(errors='ignore')}{_DELIMITER}{run_id}"


@dataclass(frozen=True, slots=True)
class Form:
    """The conversions for one definition. `several`: whether a record may have a list where one value is meant."""

    layout: Layout
    fields: tuple[Field, ...]
    types: Mapping[str, AttributeType]
    logical: Mapping[str, str]
    several: bool

    @staticmethod
    def of(definition: Definition, rules: Profile, several: bool = False) -> Form:
        """The form of `definition`. Users' own attributes are read when the definition names them. With `several`, for
        records that are only shown, a list in an attribute of any type is a tuple; no other store would take it."""
        layout = rules.layout(label(definition))
        return Form(
            layout=layout,
            fields=definition.on(Family.ELASTICSEARCH).fields,
            types={a.name: a.type for a in definition.attributes},
            logical={member: name for name, member in layout.names.items()},
            several=several,
        )

    def action(self, record: Record, index: str) -> dict[str, Any]:
        """The bulk action that stores `record`, unless a newer version is there."""
        return {"_op_type": "index", **_target(record, index), "_source": self.document(record)}

    def document(self, record: Record) -> dict[str, Json]:
        """The document of `record`: what is not known, and an empty memo, is left out."""
        attributes = {self.layout.member(name): value for name, value in to_json(record.attributes).items()}
        found: dict[str, Json] = {self.layout.inside: dict(attributes)} if self.layout.inside else dict(attributes)
        if self.layout.inside and not attributes:
            found = {}
        found[_TASK_KEY] = f"{_NO_SHARD}{_DELIMITER}{record.version}"
        for field in self.fields:
            value = self._written(field, getattr(record, MEMBERS[field.name]))
            if value is not None:
                found[self.layout.member(field.name)] = value
        return found

    def _written(self, field: Field, value: Any) -> Json:
        if value is None:
            return None
        match field.type:
            case FieldType.DATETIME:
                return rfc3339(value) if self.layout.times is Times.RFC3339 else int(value)
            case FieldType.STATUS:
                named = self.layout.statuses is Statuses.NAME
                return STATUS_NAMES.get(value, UNKNOWN_STATUS) if named else int(value)
            case FieldType.BYTES:
                return base64.b64encode(value).decode() or None
            case FieldType.LABEL:
                return str(value) or None
            case FieldType.ID | FieldType.KEYWORD | FieldType.INT | FieldType.ATTRIBUTES:
                return value  # type: ignore[no-any-return]

    def record(self, hit: Mapping[str, Any]) -> Record:
        """The record in one hit of a search. Raises EngineError when a document holds what a record cannot."""
        source: dict[str, Any] = hit["_source"]
        members: dict[str, Any] = {"version": int(hit.get("_version", 0))}
        try:
            for field in self.fields:
                value = self._read(field, source.get(self.layout.member(field.name)))
                if value is not None:
                    members[MEMBERS[field.name]] = value
            inner = source.get(self.layout.inside) or {} if self.layout.inside else source
            named = {self.logical.get(name, name): value for name, value in inner.items()}
            members["attributes"] = from_json({k: self._single(k, v) for k, v in named.items()}, self.types)
            return Record(**members)
        except (ValueError, TypeError, KeyError, binascii.Error) as error:
            raise EngineError(
                "TV4504",
                f"document {str(hit.get('_id'))[:120]!r} is not a visibility record: {str(error)[:200]}",
                _LISTS if isinstance(error, _SeveralValues) else "Was it written by something other than Temporal?",
            ) from None

    def _single(self, name: str, value: Any) -> Any:
        """Search engines take lists for every type; a list of one is that one."""
        if not isinstance(value, list) or self.types.get(name) in (None, AttributeType.KEYWORD_LIST):
            return value
        found = tuple(each for each in value if each is not None)
        if len(found) > 1 and not self.several:
            raise _SeveralValues(f"{name} holds {len(found)} values, and is no list")
        return found if len(found) > 1 else found[0] if found else None

    def _read(self, field: Field, value: Any) -> Any:
        if value is None:
            return None
        match field.type:
            case FieldType.DATETIME:
                return parse_rfc3339(value) if isinstance(value, str) else int(value)
            case FieldType.STATUS:
                return status_number(value)
            case FieldType.BYTES:
                return base64.b64decode(value)
            case FieldType.INT:
                return int(value)
            case FieldType.ID | FieldType.KEYWORD | FieldType.LABEL | FieldType.ATTRIBUTES:
                return str(value)


def status_number(value: str | int) -> int:
    """The number of a status as a document holds it: a number or a name. A name that is unknown is 0."""
    return _STATUS_NUMBERS.get(value, 0) if isinstance(value, str) else int(value)


def deletion(write: Deletion, index: str) -> dict[str, Any]:
    """The bulk action that ends a record, unless a newer version is there."""
    return {"_op_type": "delete", **_target(write, index)}


def _target(write: Record | Deletion, index: str) -> dict[str, Any]:
    identity = document_id(write.workflow_id, write.run_id)
    return {"_index": index, "_id": identity, "version": write.version, "version_type": "external"}
