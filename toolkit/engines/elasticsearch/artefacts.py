"""The JSON files shipped for Elasticsearch and OpenSearch under `schema/elasticsearch/`, one folder per label.

Pure; they are the bodies of the planner's own requests, so a file and a run cannot differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from toolkit.catalog import Json
from toolkit.definition import Definition
from toolkit.engines.elasticsearch import layout, rebuild, render, versions
from toolkit.engines.elasticsearch.store import Names
from toolkit.engines.elasticsearch.typemap import Profile

FOLDER = "elasticsearch"


def files(chain: Sequence[Definition], rules: Profile) -> Mapping[str, str]:
    """Path below `schema/` → content: both templates and the mapping of each label, and what leads to it."""
    parts = labelled(chain)
    found: dict[str, str] = {}
    for part in parts:
        for name, body in _label(part, rules):
            found[f"{FOLDER}/{layout.label(part)}/{name}"] = _text(body)
    for before, after in pairwise(parts):
        name, body = _way(before, after, rules)
        found[f"{FOLDER}/{layout.label(after)}/{name}"] = _text(body)
    return found


def labelled(chain: Sequence[Definition]) -> list[Definition]:
    """The definitions by label, each label once, as the newest version with it has it."""
    found: dict[str, Definition] = {}
    for definition in chain:
        for label in definition.labels.elasticsearch:
            found[label] = definition.at_label(label)
    return list(found.values())


def _label(part: Definition, rules: Profile) -> Iterator[tuple[str, Json]]:
    label = layout.label(part)
    form = rules.layout(label)
    names = Names(form.prefix, form.prefix, form.template, (form.pattern,))
    properties, note = layout.properties(part, rules), versions.note(label)
    body = render.index_body(properties, rules.dynamic, form.settings, dict(note))
    yield "template.legacy.json", render.legacy_template(names, body, rules)
    yield "template.composable.json", render.composable_template(names, body, rules)
    yield "mapping.json", {"_meta": dict(note), "dynamic": rules.dynamic, "properties": properties}


def _way(before: Definition, after: Definition, rules: Profile) -> tuple[str, Json]:
    """The addition to the mapping of the label before; where the documents change their form, the copy instead."""
    old, new = rules.layout(layout.label(before)), rules.layout(layout.label(after))
    conversion = rules.conversion(old, new)
    if conversion is not None:
        script = rebuild.script_of(conversion, old, new, after, [])
        return "reindex.json", render.reindex(f"{old.prefix}dev", f"{new.prefix}_dev", script).body
    have = layout.properties(before, rules)
    added: dict[str, Json] = {n: f for n, f in layout.properties(after, rules).items() if n not in have}
    return "mapping.update.json", {"_meta": dict(versions.note(layout.label(after))), "properties": added}


def _text(body: Json) -> str:
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"
