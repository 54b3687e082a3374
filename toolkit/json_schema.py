"""The JSON Schema of a definition file, for editors and other tools; made from the same tables that `load` uses.

Pure; what it cannot say (names that clash, labels that exist) is checked by `load` only.
"""

from __future__ import annotations

import json

from toolkit.attributes import MAX_NAME, AttributeType, Family, FieldType, Group
from toolkit.catalog import Json
from toolkit.overlay import ALL_INDEXES, MAX_PREALLOCATED, MAX_TTL_DAYS, RELEASED, TemplateKind

_NAME = f"^(?=.{{1,{MAX_NAME}}}$)[A-Za-z_][A-Za-z0-9_]*$"
_NAME_REF: Json = {"type": "string", "pattern": _NAME}


def overlay_schema() -> str:
    """The schema of an overlay, by itself or as `overlay` of a store, as JSON text."""
    counts: dict[str, Json] = {
        kind.value: {"type": "integer", "minimum": least, "maximum": MAX_PREALLOCATED}
        for kind, least in RELEASED.items()
    }
    name_list: Json = {"type": "array", "items": _NAME_REF, "uniqueItems": True}
    text: Json = {"type": "string"}
    search: dict[str, Json] = {
        "shards": {"type": "integer", "minimum": 1, "maximum": 1024},
        "replicas": {"type": "integer", "minimum": 0, "maximum": 100},
        "auto_expand_replicas": {"anyOf": [text, {"const": False}], "description": "Such as 0-2, 0-all, or `false`."},
        "template": {"enum": [kind.value for kind in TemplateKind]},
        "refresh_interval": {"type": ["string", "integer"], "description": "Such as 5s, -1, or `default`."},
        "lifecycle": {"type": "string", "description": "An ILM policy of Elasticsearch."},
        "analyzer": {"type": "string", "description": "The default analyzer of Text attributes; a rebuild."},
    }
    clickhouse: dict[str, Json] = {
        "cluster": _NAME_REF,
        "ttl_days": {"type": "integer", "minimum": 1, "maximum": MAX_TTL_DAYS},
        "storage_policy": _NAME_REF,
        "keeper_path": text,
        "replica": text,
    }
    indexes: Json = {"type": "object", "propertyNames": _NAME_REF,
                     "additionalProperties": {"type": "array", "minItems": 1, "items": text}}  # fmt: skip
    parts: dict[str, Json] = {
        "preallocated": _closed(counts),
        "without_indexes": name_list,
        "indexes": indexes,
        "partial_indexes": {"anyOf": [name_list, {"const": ALL_INDEXES}]},
        "elasticsearch": _closed(search),
        "clickhouse": _closed(clickhouse),
    }
    head: dict[str, Json] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Overlay of a store"}
    schema: dict[str, Json] = {**head, "type": "object", "additionalProperties": False, "properties": parts}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _closed(properties: dict[str, Json]) -> Json:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def definition_schema() -> str:
    """The schema as JSON text."""
    return json.dumps(_schema(), indent=2, ensure_ascii=False) + "\n"


def _schema() -> Json:
    label: Json = {"type": "string", "pattern": "^v?[0-9A-Za-z.]{1,19}$"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Temporal visibility schema, one version",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "summary", "servers", "labels", "fields"],
        "properties": {
            "version": {"type": "string", "pattern": "^[0-9]{1,8}(\\.[0-9]{1,8})*$", "description": 'Quoted: "1.14".'},
            "summary": {"type": "string", "description": "What this version brought, in a sentence."},
            "servers": {"type": "string", "description": "Server releases that use it."},
            "labels": {
                "type": "object",
                "additionalProperties": False,
                "required": ["sql", "elasticsearch", "clickhouse"],
                "properties": {
                    "sql": {"anyOf": [label, {"type": "null"}]},
                    "elasticsearch": {"type": "array", "items": label, "uniqueItems": True},
                    "clickhouse": {"anyOf": [label, {"type": "null"}]},
                },
            },
            "fields": _named(
                _entry(
                    "FieldType",
                    [k.value for k in FieldType],
                    {"required": {"type": "boolean"}, "default": {"type": ["string", "integer"]}},
                )
            ),
            "attributes": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    g.value: _named(_entry("AttributeType", [k.value for k in AttributeType], {})) for g in Group
                },
            },
            "indexes": _named({"type": "array", "minItems": 1, "items": {"type": "string"}}),
        },
    }


def _named(values: Json) -> Json:
    return {"type": "object", "propertyNames": _NAME_REF, "additionalProperties": values}


def _entry(title: str, types: list[str], more: dict[str, Json]) -> Json:
    kind: Json = {"enum": list(types), "title": title}
    families: Json = [f.value for f in Family]
    long: Json = {
        "type": "object",
        "additionalProperties": False,
        "required": ["type"],
        "properties": {
            "type": kind,
            "index": {"anyOf": [{"type": "boolean"}, _NAME_REF]},
            "stores": {"type": "array", "items": {"enum": families}},
            "since": {"type": "string"},
            "renamed_from": _NAME_REF,
            **more,
        },
    }
    return {"anyOf": [kind, long]}
