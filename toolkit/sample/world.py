"""The cluster that the sample comes from: namespaces and workflow types, few of them busy, most of them not.

It makes Runs by chance and holds nothing about them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from toolkit.attributes import AttributeType
from toolkit.definition import Definition, SearchAttribute
from toolkit.records import AttributeValue
from toolkit.sample.runs import Run
from toolkit.sample.values import MAX_KEYWORD, WORDS, Pool, pools

NAMESPACES = 20
TYPES = 48
_TABLE = 4096
# Lists hide what has this attribute unless they are asked for it, so that few executions have it.
_DIVISION = "TemporalNamespaceDivision"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class WorkflowType:
    """A workflow type: its name, its task queue, and the attributes its executions set."""

    name: str
    task_queue: str
    attributes: tuple[tuple[str, Pool], ...]


class World:
    """Namespaces, types and value pools of one seed."""

    def __init__(self, random: Random, definition: Definition, extra: Definition) -> None:
        self._random = random
        known = {a.name: a for a in (*extra.attributes, *definition.attributes)}
        self._pools = _pools(random, tuple(known.values()))
        self._all = tuple(self._pools.items())
        self._namespaces = _skewed([_uuid(random) for _ in range(NAMESPACES)])
        self._types = _skewed(self._workflow_types())
        self._unique = next((a.name for a in known.values() if a.type is AttributeType.KEYWORD), None)
        self._memos = _memos(random)

    def _workflow_types(self) -> list[WorkflowType]:
        """Attributes are dealt out round and round, from two to eleven a type."""
        names = [name for name in self._pools if name != _DIVISION]
        types, dealt = [], 0
        for number in range(TYPES):
            hand = (
                [names[(dealt + i) % len(names)] for i in range(min(2 + number * 7 % 10, len(names)))] if names else []
            )
            dealt += len(hand)
            title = f"{WORDS[number % 24].title()}{WORDS[(number * 5 + 3) % 24].title()}Workflow"
            types.append(WorkflowType(title, f"queue-{number % 9}", tuple((n, self._pools[n]) for n in hand)))
        return types

    def run(self, number: int, now: int) -> Run:
        """A new execution that starts at `now`."""
        random = self._random
        chance = random.random
        kind = self._types[int(chance() * _TABLE)]
        run_id, memo = _uuid(random), self._memos[int(chance() * len(self._memos))]
        workflow_id = _workflow_id(kind, number, run_id)
        start = now + (int(chance() * 1000) if number % 50 == 0 else 0)
        child = number % 6 == 0
        parent = f"{kind.name}-parent-{number // 12}" if child else None
        run = Run(
            number,
            self._namespaces[int(chance() * _TABLE)],
            run_id,
            workflow_id,
            kind.name,
            kind.task_queue if number % 40 else "",
            start,
            start + (int(chance() * 60_000_000) * 1000 if number % 25 == 0 else 0),
            memo,
            _encoding(memo, number),
            parent,
            _uuid(random) if child else None,
            parent or (workflow_id if number % 3 else ""),
            run_id if number % 3 else "",
            int(chance() ** 3 * 5),
            chance() < 0.08,
            chance() < 0.15,
            self._attributes(kind, number),
        )
        run.lasting = run.lasting and not run.doomed
        return run

    def _attributes(self, kind: WorkflowType, number: int) -> dict[str, AttributeValue]:
        chance = self._random.random
        found = {name: pool[int(chance() * len(pool))] for name, pool in kind.attributes if chance() < 0.8}
        if self._all and number % 8 == 0:
            name, pool = self._all[int(chance() * len(self._all))]
            found[name] = pool[int(chance() * len(pool))]
        if self._unique in found and number % 2:
            found[self._unique] = f"order-{number:09d}"
        return found

    def changed(self, run: Run) -> Mapping[str, AttributeValue]:
        """The attributes of `run` with one or two set anew, or, now and then, one taken away."""
        chance = self._random.random
        found = dict(run.attributes)
        if found and chance() < 0.1:
            found.popitem()
        elif self._all:
            for name in (*list(found)[:1], self._all[int(chance() * len(self._all))][0]):
                if name != _DIVISION:
                    pool = self._pools[name]
                    found[name] = pool[int(chance() * len(pool))]
        return found


def _pools(random: Random, attributes: Sequence[SearchAttribute]) -> dict[str, Pool]:
    makers = pools(random)
    return {a.name: makers[a.type](number) for number, a in enumerate(attributes)}


def _skewed(things: Sequence[_T]) -> tuple[_T, ...]:
    """A table to pick from evenly, in which the n-th thing stands in proportion to 1/n (Zipf's law)."""
    weights = [1 / (place + 1) for place in range(len(things))]
    total = sum(weights)
    table: list[_T] = []
    for thing, weight in zip(things, weights, strict=True):
        table += [thing] * max(1, round(_TABLE * weight / total))
    return tuple((table + [things[0]] * _TABLE)[:_TABLE])


def _uuid(random: Random) -> str:
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _workflow_id(kind: WorkflowType, number: int, run_id: str) -> str:
    """Plain ones mostly; some with other scripts, some as long as they may be."""
    match number % 97:
        case 7:
            return f"заказ/注文/🚀-{number}"
        case 13:
            return f"{number}-".ljust(MAX_KEYWORD, "w")
        case 19:
            return f"{kind.name}:{run_id}"
        case _:
            return f"{kind.name}-{number}"


def _encoding(memo: bytes | None, number: int) -> str:
    if memo is None:
        return ""
    return "Proto3" if number % 101 else "e" * 64


def _memos(random: Random) -> tuple[bytes | None, ...]:
    """Nothing, or bytes that are no text, from one to some thousand."""
    sizes = (1, 16, 64, 64, 120, 120, 300, 300, 800, 4000)
    found = [random.getrandbits(8 * size).to_bytes(size, "big") for size in sizes for _ in range(3)]
    return (*found, b"\x00", *([None] * len(found)))
