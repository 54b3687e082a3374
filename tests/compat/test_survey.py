"""What a store counts is what there is: every kind of spoiled value, on every engine, beside plain Python."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.compat.test_moves import ATTRIBUTES, Store
from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.filter_store import definition, prepare
from tests.support.spoiled import spoiled
from toolkit.attributes import AttributeType
from toolkit.compat import Spoil, Spoils
from toolkit.engines import ENGINES
from toolkit.engines.compatibility import changes, move
from toolkit.engines.filtering import filters
from toolkit.engines.surveying import SAMPLES, Probe, survey, surveys
from toolkit.records import AttributeValue, Moment

Type = AttributeType
TEXTS = frozenset({Spoil.EVERY, Spoil.LONGER, Spoil.HEAVIER, Spoil.NO_NUMBER, Spoil.NO_WHOLE, Spoil.NO_BOOL,
                   Spoil.NO_TIME, Spoil.HOLDS, Spoil.OUTSIDE, Spoil.TIME_OUTSIDE})  # fmt: skip
NUMBERS = frozenset({Spoil.EVERY, Spoil.BROKEN, Spoil.OUTSIDE, Spoil.FINER, Spoil.INEXACT, Spoil.OTHER_THAN_BIT})
SUITS = {
    Type.TEXT: TEXTS,
    Type.KEYWORD: TEXTS,
    Type.INT: NUMBERS,
    Type.DOUBLE: NUMBERS,
    Type.BOOL: frozenset({Spoil.EVERY}),
    Type.DATETIME: frozenset({Spoil.EVERY, Spoil.FINER_TIME, Spoil.TIME_OUTSIDE}),
    Type.KEYWORD_LIST: TEXTS | {Spoil.NOT_ONE},
}


def probes(store: str = "elasticsearch") -> list[Probe]:
    """All that the tables ask of each type, and what they may ask one day; of times in texts only search engines."""
    asked: dict[Probe, None] = {}
    for name in ENGINES:
        for (before, after), verdict in changes(name).items():
            if before is not after and verdict.spoils:
                asked[Probe(ATTRIBUTES[before], before, verdict.spoils)] = None
        for other in ENGINES:
            for kind in Type:
                for verdict in move(name, other, kind) if name != other else ():
                    if verdict.spoils and verdict.code != "TV8034":
                        asked[Probe(ATTRIBUTES[kind], kind, verdict.spoils)] = None
    more = [(Type.DOUBLE, Spoils(Spoil.FINER, limit=4)), (Type.DATETIME, Spoils(Spoil.FINER_TIME, limit=1_000_000)),
            (Type.DATETIME, Spoils(Spoil.FINER_TIME, limit=1_000)), (Type.KEYWORD, Spoils(Spoil.LONGER, limit=5)),
            (Type.KEYWORD, Spoils(Spoil.HOLDS, sign="😀")),
            (Type.KEYWORD_LIST, Spoils(Spoil.HEAVIER, limit=4))]  # fmt: skip
    asked |= {Probe(ATTRIBUTES[kind], kind, (spoils,)): None for kind, spoils in more}
    timed = {p for p in asked if p.type is not Type.DATETIME and Spoil.TIME_OUTSIDE in {s.kind for s in p.spoils}}
    return [probe for probe in asked if store == "elasticsearch" or probe not in timed]


def test_what_is_counted_suits_the_type() -> None:
    assert [probe for probe in probes() if not {s.kind for s in probe.spoils} <= SUITS[probe.type]] == []


def test_a_move_counts_what_a_change_of_type_counts() -> None:
    """PostgreSQL reads a Text as a raw tsvector, wherever it comes from. Where it is longer than a Keyword, it may have
    a word that is none of one there."""
    [moved] = [verdict for verdict in move("sqlite", "postgresql", Type.TEXT) if verdict.code == "TV8023"]
    *signs, word = moved.spoils
    assert tuple(signs) == changes("postgresql")[Type.KEYWORD, Type.TEXT].spoils
    assert [spoils.sign for spoils in signs] == [":", "'", "\\"]
    assert word == Spoils(Spoil.HEAVIER, limit=2046)


@pytest.fixture
def store(engine: Handle | EmbeddedHandle) -> Iterator[Store]:
    with journeys.opened(engine.url) as (chosen, client):
        prepare(chosen, client, [], engine.url)
        found = Store(chosen, client, filters(chosen.NAME), engine.url)
        found.fill()
        yield found


@pytest.mark.needs("scaled_float")  # attributes of every type
@pytest.mark.engines("postgresql", "mysql", "elasticsearch", "opensearch", "sqlite", "chdb")
def test_a_store_counts_what_would_not_survive(store: Store) -> None:
    asked = probes(store.engine.NAME)
    assert len({spoils.kind for probe in asked for spoils in probe.spoils}) == len(Spoil)
    parts = surveys(store.engine.NAME).parts(store.client.ask, definition(), asked, 17)
    seen: list[int] = []
    found = survey(parts, len(asked), 0.0, seen.append)
    assert found.rows == len(store.taken)
    assert len(seen) > 1 or store.engine.NAME == "clickhouse"
    wrong = []
    for probe, count, samples in zip(asked, found.counts, found.samples, strict=True):
        values = [v for r in store.taken.values() if (v := held(store, r.attributes.get(probe.attribute))) is not None]
        wanted = [v for v in values if any(spoiled(v, spoils) for spoils in probe.spoils)]
        if count != len(wanted):
            wrong.append(f"{probe}: {count}, not {len(wanted)}: {[str(v)[:40] for v in wanted]}")
        assert bool(samples) == bool(count)
        assert len(samples) <= SAMPLES
        assert all(len(sample) <= 60 for sample in samples)
        "".join(samples).encode()
    assert not wrong, "\n".join(wrong)


def held(store: Store, value: AttributeValue | None) -> AttributeValue | None:
    """What the store still knows of a value: ClickHouse keeps microseconds and no empty lists, SQLite joins lists."""
    match store.engine.NAME, value:
        case "clickhouse", Moment(when):
            return Moment(when // 1000 * 1000)
        case "clickhouse", ():
            return None
        case "sqlite", tuple(elements):
            return tuple("♡".join(elements).split("♡"))
        case _:
            return value
