"""Definitions, changes and plans as plain data for `--output json`, and changes as lines of text.

Pure; `toolkit.explain` puts plans before people.
"""

from __future__ import annotations

from toolkit.attributes import Family
from toolkit.definition import Definition, Field, Index, SearchAttribute
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
)
from toolkit.plan import Estimate, Expect, Plan, Request, Sql, Statement, Step


def definition_json(definition: Definition) -> dict[str, object]:
    """The whole definition."""
    return {
        **definition.header.to_json(),
        "fields": [thing_json(f) for f in definition.fields],
        "attributes": [thing_json(a) for a in definition.attributes],
        "indexes": [thing_json(i) for i in definition.indexes],
    }


def thing_json(thing: Field | SearchAttribute | Index) -> dict[str, object]:
    """One field, attribute or index."""
    match thing:
        case Field():
            stores = [f.value for f in Family if f in thing.stores]
            return {"name": thing.name, "type": thing.type.value, "required": thing.required,
                    "default": thing.default, "index": thing.index, "stores": stores}  # fmt: skip
        case SearchAttribute():
            stores = [f.value for f in Family if f in thing.stores]
            return {"name": thing.name, "type": thing.type.value, "group": thing.group.value,
                    "index": thing.index, "stores": stores}  # fmt: skip
        case Index():
            keys = [f"{key.field}{' desc' * key.descending}" for key in thing.keys]
            return {"name": thing.name, "keys": keys}


def change_json(change: Change) -> dict[str, object]:
    """One change: what happens, to what, and both sides of an alteration."""
    match change:
        case AddField(thing) | DropField(thing):
            return {"change": _verb(change), "kind": "field", **thing_json(thing)}
        case AddAttribute(attribute) | DropAttribute(attribute):
            return {"change": _verb(change), "kind": "attribute", **thing_json(attribute)}
        case AddIndex(index) | DropIndex(index):
            return {"change": _verb(change), "kind": "index", **thing_json(index)}
        case AlterField(before, after):
            return {"change": "alter", "kind": "field", "before": thing_json(before), "after": thing_json(after)}
        case AlterAttribute(old, new):
            return {"change": "alter", "kind": "attribute", "before": thing_json(old), "after": thing_json(new)}
        case AlterIndex(old_index, new_index):
            return {"change": "alter", "kind": "index", "before": thing_json(old_index), "after": thing_json(new_index)}


def _verb(change: Change) -> str:
    return "add" if isinstance(change, AddField | AddAttribute | AddIndex) else "drop"


def change_line(change: Change) -> str:
    """One change as a line: `+ attribute TemporalPauseInfo KeywordList`."""
    facts = change_json(change)
    if facts["change"] != "alter":
        sign = "+" if facts["change"] == "add" else "-"
        what = facts.get("type") or "(" + ", ".join(str(k) for k in _list(facts["keys"])) + ")"
        return f"{sign} {facts['kind']} {facts['name']} {what}"
    before, after = facts["before"], facts["after"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    parts = [f"{key} {_word(before[key])} → {_word(after[key])}" for key in after if before.get(key) != after[key]]
    return f"~ {facts['kind']} {after['name']}: {', '.join(parts)}"


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _word(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list():
            return "[" + ", ".join(map(str, value)) + "]"
        case _:
            return repr(value) if value == "" else str(value)


def statement_text(statement: Statement) -> str:
    """A statement as a person would run it."""
    match statement:
        case Sql(text):
            return f"{text};"
        case Request(method, path, None):
            return f"{method} {path}"
        case Request(method, path, body):
            import json

            return f"{method} {path}\n{json.dumps(body, ensure_ascii=False, indent=2)}"


def step_json(step: Step) -> dict[str, object]:
    """One step; an unknown quantity is null."""
    found = step.estimate or Estimate()
    return {
        "id": step.id,
        "title": step.title,
        "class": step.step_class.value,
        "lock": {"name": step.lock.name, "blocks": step.lock.blocks, "brief": step.lock.brief},
        "reason": step.reason,
        "objects": list(step.objects),
        "estimate": {
            "rows": found.rows,
            "disk_bytes": found.disk,
            "disk_left_bytes": found.left,
            "seconds": None if found.seconds is None else round(found.seconds, 3),
            "basis": found.basis,
        },
        "statements": [statement_text(s) for s in step.statements],
        "reverse": [statement_text(s) for s in step.reverse],
        "done_when": [_expectation(e) for e in step.done],
    }


def _expectation(expect: Expect) -> dict[str, object]:
    from toolkit.catalog import Absent

    path = "/".join(expect.path)
    return (
        {"path": path, "absent": True} if isinstance(expect.wanted, Absent) else {"path": path, "value": expect.wanted}
    )


def plan_json(plan: Plan) -> dict[str, object]:
    """The whole plan."""
    heaviest = plan.step_class
    return {
        "engine": plan.engine,
        "recorded": plan.recorded,
        "equals": list(plan.found),
        "to": plan.wanted,
        "base_fingerprint": plan.base,
        "goal_fingerprint": plan.goal,
        "class": heaviest.value if heaviest else None,
        "foreign": ["/".join(path) for path in plan.foreign],
        "steps": [step_json(step) for step in plan.steps],
    }
