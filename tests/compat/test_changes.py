"""The table of type changes has no empty place, and tells the truth: every change is made on the real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

import pytest

from tests.compat.tables import BEGIN, END, PAGE, tables
from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support.spoiled import spoiled
from tests.support.type_changes.base import Bench, Refusal
from tests.support.type_changes.clickhouse import Chdb
from tests.support.type_changes.mysql import MySql
from tests.support.type_changes.postgresql import Postgres
from tests.support.type_changes.search import Search
from tests.support.type_changes.sqlite import Sqlite
from tests.support.type_values import VALUES, Holds, natural
from toolkit.attributes import AttributeType
from toolkit.compat import Changes, Severity, Verdict
from toolkit.engines import ENGINES
from toolkit.engines.compatibility import changes
from toolkit.records import AttributeValue

Type = AttributeType
BENCHES: Mapping[str, Callable[[str], Bench]] = {
    "postgresql": Postgres,
    "mysql": MySql,
    "sqlite": Sqlite,
    "clickhouse": Chdb,
    "chdb": Chdb,
    "elasticsearch": Search,
    "opensearch": Search,
}


@pytest.mark.parametrize("name", ENGINES)
def test_no_place_is_empty(name: str) -> None:
    table = changes(name)
    assert set(table) == {(before, after) for before in Type for after in Type}
    for (before, after), verdict in table.items():
        assert (verdict.severity is Severity.SAFE) == (before is after)
        assert verdict.keeps == (verdict.example is None) == (verdict.spoils == ())
        assert verdict.reason
        assert verdict.keeps or verdict.hint


@pytest.fixture
def bench(engine: Handle | EmbeddedHandle) -> Iterator[Bench]:
    made = BENCHES[engine.engine](engine.url)
    yield made
    made.close()


@pytest.mark.needs("scaled_float")  # attributes of every type
@pytest.mark.engines("postgresql", "mysql", "elasticsearch", "opensearch", "sqlite", "chdb")
def test_every_verdict_is_true(bench: Bench) -> None:
    table = changes(bench.name)
    found = []
    for before in Type:
        values = bench.storable(before, VALUES[before])
        assert len(values) >= min(2, len(VALUES[before]))
        for after in Type:
            if wrong := lies(bench, before, after, values, table):
                found.append(f"{before.value} -> {after.value}: {wrong}")
    assert found == []


def lies(bench: Bench, before: Type, after: Type, values: Sequence[AttributeValue], table: Changes) -> str:
    """What is untrue about the verdict; nothing when it is true."""
    verdict = table[before, after]
    match verdict.severity:
        case Severity.SAFE | Severity.METADATA | Severity.REINDEX:
            return _differing(bench, before, after, values)
        case Severity.LOSSY:
            # Whatever else is there, the change goes through; and the example is another value afterwards.
            assert verdict.example is not None
            try:
                bench.change(before, after, values)
            except Refusal as refusal:
                return f"worse: {refusal}"
            if not _differing(bench, before, after, [verdict.example]):
                return f"{verdict.example!r} survives"
            return uncounted(bench, before, after, values, verdict)
        case Severity.REFUSED:
            return _taken(bench, before, after, verdict) or uncounted(bench, before, after, values, verdict)


def uncounted(bench: Bench, before: Type, after: Type, values: Sequence[AttributeValue], verdict: Verdict) -> str:
    """What becomes of values that the verdict's Spoils do not name, and `--data` does not count: each must survive, as
    the new type keeps it."""
    rest = [v for v in values if not any(spoiled(v, spoils) for spoils in verdict.spoils)]
    wrong = _differing(bench, before, after, rest, exact=False) if rest else ""
    return f"not counted: {wrong}" if wrong else ""


def _taken(bench: Bench, before: Type, after: Type, verdict: Verdict) -> str:
    assert verdict.example is not None
    try:
        held = bench.change(before, after, [verdict.example])
    except Refusal as refusal:
        # The old type must have been able to hold it: it is the change that is refused.
        return str(refusal) if str(refusal).startswith("write:") else ""
    return f"{verdict.example!r} is taken, as {held}"


def _differing(bench: Bench, before: Type, after: Type, values: Sequence[AttributeValue], exact: bool = True) -> str:
    try:
        held = bench.change(before, after, values)
    except Refusal as refusal:
        return str(refusal)
    wanted = bench.write(before, values) if before is after else expected(bench, after, values)
    if not exact and after in (Type.DOUBLE, Type.DATETIME) and None not in wanted:
        # A type keeps so many decimals, whatever the values were before.
        wanted = bench.write(after, [float(v) if isinstance(v, Decimal) else v for v in wanted])  # type: ignore[misc]
        held = [Decimal(float(v)) if isinstance(v, Decimal) else v for v in held]
        wanted = [Decimal(float(v)) if isinstance(v, Decimal) else v for v in wanted]
    for value, got, want in zip(values, held, wanted, strict=True):
        if before is not after and natural(value, after) is None:
            return f"{value!r} becomes {got!r}, where nothing could be expected"
        if _plain(got) != _plain(want) or type(got) is not type(want):
            return f"{value!r} becomes {got!r}, not {want!r}"
    return ""


def expected(bench: Bench, after: Type, values: Sequence[AttributeValue]) -> list[Holds]:
    """What a person expects, in the words that the engine makes of it where it keeps words only."""
    found = [natural(value, after) for value in values]
    if after is Type.TEXT and bench.name in ("postgresql", "elasticsearch") and None not in found:
        try:
            return bench.write(after, [str(text) for text in found])
        except Refusal:
            return found
    return found


def _plain(held: Holds) -> Holds:
    """Filters ask for the elements of a list, not for their order."""
    return frozenset(held) if isinstance(held, tuple) else held


@pytest.mark.engines("postgresql")
def test_what_a_raw_tsvector_refuses_is_counted(bench: Bench) -> None:
    verdict = changes("postgresql")[Type.KEYWORD, Type.TEXT]
    for text in ("'tis", "to 'quote", "end\\"):
        assert any(spoiled(text, spoils) for spoils in verdict.spoils)
        with pytest.raises(Refusal):
            bench.change(Type.KEYWORD, Type.TEXT, [text])


def test_a_lie_is_noticed(sqlite: EmbeddedHandle) -> None:
    bench = Sqlite(sqlite.url)
    table = dict(changes("sqlite"))
    pairs = [(Type.TEXT, Type.INT), (Type.INT, Type.TEXT)]
    table.update({pair: table[tuple(reversed(pair))] for pair in pairs})  # type: ignore[index]
    assert "becomes" in lies(bench, *pairs[0], ["plain"], table)
    assert lies(bench, *pairs[1], [7], {**table, pairs[1]: changes("sqlite")[Type.INT, Type.BOOL]}) == "7 survives"
    refused = changes("postgresql")[Type.INT, Type.BOOL]
    assert "is taken" in lies(bench, *pairs[1], [7], {**table, pairs[1]: refused})
    bench.close()


def test_the_page_shows_the_tables() -> None:
    page = PAGE.read_text()
    assert f"{BEGIN}{page.partition(BEGIN)[2].partition(END)[0]}{END}" == tables(), "python -m tests.compat.tables"
