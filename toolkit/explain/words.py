"""Numbers and facts of a plan in words, the same in every form. Pure; what is not known is called unknown, never 0."""

from __future__ import annotations

import re
from collections.abc import Sequence

from toolkit.catalog import Absent, Json
from toolkit.definition import version_key
from toolkit.errors import VersionError
from toolkit.plan import Expect, Lock, Mode, Plan, Step

UNKNOWN = "unknown"
# A command of this tool between backticks: the only markup in our words, which names from a store must not imitate.
COMMAND = re.compile(r"`(schema [a-z]+(?: --to [0-9.]+)?)`")


def count(number: int | None) -> str:
    """1234567 → `1 234 567`."""
    return UNKNOWN if number is None else f"{number:,}".replace(",", " ")


def size(number: int | None) -> str:
    """Bytes, in the unit that leaves two or three digits."""
    if number is None:
        return UNKNOWN
    if number == 0:
        return "none"
    value, unit = float(number), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"


def duration(seconds: float | None) -> str:
    """Seconds as far as such an estimate can be trusted."""
    if seconds is None:
        return UNKNOWN
    for limit, unit, word in ((1, 1, ""), (100, 1, "s"), (6000, 60, "min"), (360_000, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {word}" if word else "< 1 s"
    return f"{seconds / 86_400:.0f} days"


def blocks(lock: Lock) -> str:
    """Whom a step keeps waiting, and by which lock."""
    return f"{lock.blocks} ({lock.name})" if lock.waits else lock.blocks


def seen_by(step: Step) -> str:
    """How to see that a step is done."""
    if not step.done:
        chunked = step.mode not in (Mode.ONCE, Mode.PARALLEL)
        where = "the run's journal says how far it is" if chunked else "the run's journal says so"
        return f"{where} (`schema runs`); done again, it does no harm"
    made = [e for e in step.done if e.path[0] == "catalog" and not isinstance(e.wanted, Absent)]
    gone = [e for e in step.done if e.path[0] == "catalog" and isinstance(e.wanted, Absent)]
    parts = [_things(made, "is as wanted", "are as wanted"), _things(gone, "is gone", "are gone")]
    parts += _facts([e for e in step.done if e.path[0] != "catalog"])
    return "; ".join(part for part in parts if part)


def _things(expected: Sequence[Expect], one: str, many: str) -> str:
    if not expected:
        return ""
    if len(expected) == 1:
        return f"{'/'.join(expected[0].path[1:])} {one} in the catalog"
    return f"{len(expected)} objects {many} in the catalog, such as {'/'.join(expected[0].path[1:])}"


def _facts(expected: Sequence[Expect]) -> list[str]:
    """Other facts than those of the catalog: each for itself while they are few."""
    if len(expected) < 3:
        return [_fact(e) for e in expected]
    return [f"{len(expected)} facts about the store are as wanted, such as: {_fact(expected[0])}"]


def _fact(expect: Expect) -> str:
    match expect.path, expect.wanted:
        case ("recorded",), wanted:
            return f"the store records {_value(wanted)}"
        case ("marks", tool), wanted:
            return f"{tool} records {_value(wanted)}"
        case ("traits", "own", table), wanted:
            return f"{table} is {'there' if wanted is True else 'not there'}"
        case path, wanted:
            return f"{'/'.join(path)} is {_value(wanted)}"


def _value(wanted: Json | Absent) -> str:
    if isinstance(wanted, Absent):
        return "not there"
    if isinstance(wanted, dict):
        return "as wanted"
    return str(wanted).lower() if isinstance(wanted, bool) else str(wanted)


def back(step: Step, plan: Plan) -> str:
    """How a step is taken back."""
    if plan.kept:
        return "`schema rollback`, until `schema finish`"
    if step.reverse:
        number = len(step.reverse)
        return f"{number} statement{'s' * (number > 1)} (--statements shows {'them' if number > 1 else 'it'})"
    return "not by itself"


def way_back(plan: Plan) -> str:
    """How the whole plan is taken back."""
    if plan.kept:
        return "`schema rollback`, with all writes made since; the old data stays until `schema finish`"
    before = plan.found[-1] if plan.found else None
    if before is None:
        return "none: no published version leads back to what there is now"
    if before == plan.wanted:
        return f"none: the schema is that of {before} before and after"
    return f"`schema {'upgrade' if _is_later(before, plan.wanted) else 'downgrade'} --to {before}`"


def _is_later(version: str, other: str) -> bool:
    """A rollback may lead to a store that records no version."""
    try:
        return version_key(version) > version_key(other)
    except VersionError:
        return True
