"""How long a List Filter takes to be read and typed, and to be compiled for all five engines. No store is needed.

Run: python -m tests.bench.bench_filters [--rounds N]. Prints medians over the corpus; asserts nothing.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence

from tests.query.test_corpus import entries
from tests.support import filter_grammar
from tests.support.filter_store import definition, scope_for
from toolkit.attributes import Family
from toolkit.engines.filtering import FILTERS, Question, filters
from toolkit.errors import FilterError
from toolkit.query import check
from toolkit.query.page import Page, Place
from toolkit.query.scope import Scope
from toolkit.query.tree import Filter

LIMITS = {"parse and type": 1.0, "compile for five engines": 2.0}


def corpus(scope: Scope) -> list[tuple[str, Filter]]:
    """What people write (the corpus) and what programs write (the grammar), as far as it is right."""
    chance = random.Random(7)
    texts = [given for given, wanted in entries() if not wanted.startswith("!!")]
    texts += [filter_grammar.condition(chance) for _ in range(200)]
    found = []
    for given in texts:
        try:
            found.append((given, check.parse(given, scope)))
        except FilterError:
            continue
    return found


def compiled(found: Filter) -> None:
    """A page in the middle of a listing, for every engine."""
    for name in FILTERS:
        engine = filters(name)
        question = Question(definition(), "7a0b2c3d-0000-4000-8000-000000000001", found, engine.SEMANTICS)
        if found.group_by is None:
            engine.listing(question, Page(100, Place(5, 5, "run")))
        else:
            engine.counting(question)


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def show(name: str, times: Sequence[float]) -> None:
    ordered = sorted(times)
    print(f"{name:<28} {statistics.median(ordered):>8.3f} {ordered[int(len(ordered) * 0.95)]:>8.3f} "
          f"{ordered[-1]:>8.3f}   wanted: median below {LIMITS[name]:.0f} ms")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    scope = scope_for(Family.SQL)
    found = corpus(scope)
    print(f"{len(found)} filters, {rounds} rounds, milliseconds")
    print(f"{'':<28} {'median':>8} {'95 %':>8} {'longest':>8}")
    parsing, compiling = [], []
    for _ in range(rounds):
        parsing += [milliseconds(lambda text=text: check.parse(text, scope)) for text, _ in found]
        compiling += [milliseconds(lambda each=each: compiled(each)) for _, each in found]
    show("parse and type", parsing)
    show("compile for five engines", compiling)


if __name__ == "__main__":
    main()
