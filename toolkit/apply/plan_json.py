"""A Plan as JSON that can be read back exactly: for the journal and for `plan --out`.

Unlike the description for people it loses nothing, and a file that was changed by hand is noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from toolkit.catalog import ABSENT, Absent, Json
from toolkit.errors import UsageError
from toolkit.plan import Estimate, Expect, Lock, Mode, Plan, Request, Sql, Statement, Step, StepClass

FORMAT = "temporal-visibility-plan/1"
_WRITE = "Write one with `schema plan --out FILE`."


def dump(plan: Plan) -> dict[str, Json]:
    """The whole plan, sealed with a checksum."""
    body: dict[str, Json] = {
        "format": FORMAT,
        "engine": plan.engine,
        "found": list(plan.found),
        "recorded": plan.recorded,
        "wanted": plan.wanted,
        "base": plan.base,
        "goal": plan.goal,
        "foreign": [list(path) for path in plan.foreign],
        "steps": _steps(plan.steps),
        "rollback": _steps(plan.rollback),
        "abandon": _steps(plan.abandon),
        "finish": _steps(plan.finish),
    }
    return body | {"checksum": _checksum(body)}


def load(value: Json) -> Plan:
    """The plan that `dump` wrote. UsageError when it is none, or was changed."""
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise UsageError("TV2011", "this is no plan of this tool", _WRITE)
    body: dict[str, Any] = {key: member for key, member in value.items() if key != "checksum"}
    if value.get("checksum") != _checksum(body):
        raise UsageError("TV2012", "the plan was changed after it was written", "Make a new one with `schema plan`.")
    try:
        return _load(body)
    except (KeyError, IndexError, TypeError, ValueError):
        # Whole, but with words that this version of the tool does not know.
        raise UsageError("TV2011", "this is a plan of another version of this tool", _WRITE) from None


def _load(body: dict[str, Any]) -> Plan:
    return Plan(
        engine=body["engine"],
        found=tuple(body["found"]),
        recorded=body["recorded"],
        wanted=body["wanted"],
        base=body["base"],
        goal=body["goal"],
        steps=_load_steps(body["steps"]),
        foreign=tuple(tuple(path) for path in body["foreign"]),
        rollback=_load_steps(body["rollback"]),
        abandon=_load_steps(body["abandon"]),
        finish=_load_steps(body["finish"]),
    )


def write(plan: Plan, file: Path) -> None:
    """The plan as a file. UsageError when it cannot be written."""
    try:
        file.write_text(json.dumps(dump(plan), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError("TV2042", f"{file} cannot be written: {error.strerror}", "Choose another place.") from None


def read(file: Path) -> Plan:
    """The plan in a file. UsageError when there is none in it."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    return load(content)


def _checksum(body: Json) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _steps(steps: Sequence[Step]) -> list[Json]:
    return [_step(step) for step in steps]


def _step(step: Step) -> Json:
    estimate = step.estimate
    return {
        "id": step.id,
        "title": step.title,
        "reason": step.reason,
        "class": step.step_class.value,
        "lock": [step.lock.name, step.lock.blocks, step.lock.brief],
        "statements": [_statement(s) for s in step.statements],
        "reverse": [_statement(s) for s in step.reverse],
        "done": [_expect(e) for e in step.done],
        "objects": list(step.objects),
        "mode": step.mode.value,
        "needs": [_expect(e) for e in step.needs],
        "estimate": None if estimate is None else list(astuple(estimate)),
    }


def _load_steps(values: Sequence[Any]) -> tuple[Step, ...]:
    return tuple(
        Step(
            id=v["id"],
            title=v["title"],
            reason=v["reason"],
            step_class=StepClass(v["class"]),
            lock=Lock(*v["lock"]),
            statements=tuple(_load_statement(s) for s in v["statements"]),
            reverse=tuple(_load_statement(s) for s in v["reverse"]),
            done=tuple(_load_expect(e) for e in v["done"]),
            objects=tuple(v["objects"]),
            mode=Mode(v["mode"]),
            needs=tuple(_load_expect(e) for e in v["needs"]),
            estimate=None if v["estimate"] is None else Estimate(*v["estimate"]),
        )
        for v in values
    )


def _statement(statement: Statement) -> Json:
    match statement:
        case Sql(text, autocommit, part):
            return {"sql": text, "autocommit": autocommit, "part": part}
        case Request(method, path, body, part):
            return {"method": method, "path": path, "body": body, "part": part}


def _load_statement(value: Any) -> Statement:
    if "sql" in value:
        return Sql(value["sql"], value["autocommit"], value["part"])
    return Request(value["method"], value["path"], value["body"], value.get("part", ""))


def _expect(expect: Expect) -> Json:
    if isinstance(expect.wanted, Absent):
        return {"path": list(expect.path), "absent": True}
    return {"path": list(expect.path), "value": expect.wanted}


def _load_expect(value: Any) -> Expect:
    return Expect(tuple(value["path"]), ABSENT if value.get("absent") else value["value"])
