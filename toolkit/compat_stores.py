"""What becomes of values, and of filters on them, when records move from one engine to another: Verdicts for one type.

Pure: what the two engines keep and mean comes as values. Whether a meaning differs is asked of the evaluator, with
values that were chosen to show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from toolkit.attributes import AttributeType
from toolkit.compat import MOMENT, SAME, Empty, Holding, Severity, Spoil, Spoils, Verdict
from toolkit.query import check, evaluate
from toolkit.query.scope import Scope
from toolkit.query.semantics import Semantics
from toolkit.query.tree import Column, Filter, Kind
from toolkit.records import AttributeValue, Moment, Record, rfc3339

Type = AttributeType
NAME = "Value"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two engines, as far as one type goes."""

    holding: Holding
    semantics: Semantics


@dataclass(frozen=True, slots=True)
class _Shows:
    """A value (None: a record without one) and a filter that tell two meanings apart."""

    code: str
    kinds: frozenset[Type]
    value: AttributeValue | None
    question: str


_ALL = frozenset(Type)
_TEXTS = frozenset({Type.KEYWORD, Type.KEYWORD_LIST})
_REASONS = {
    "TV8014": "Doubles keep another number of decimals",
    "TV8015": "times keep other fractions of a second",
    "TV8030": "one of the stores compares without regard to case",
    "TV8031": "a Text is cut into other words",
    "TV8032": "!= and NOT find records without a value in one of the stores only",
}
_HINTS = {
    "TV8014": "Compare Doubles with a margin, or in whole units.",
    "TV8015": "Compare times by < and >= with whole milliseconds.",
    "TV8030": "Write values in one case; `query --semantics common` compares exactly everywhere.",
    "TV8031": "Ask for whole words, or use a Keyword.",
    "TV8032": "Say what is meant: add AND … IS NOT NULL, or OR … IS NULL.",
}


def _words(value: str, word: str) -> _Shows:
    return _Shows("TV8031", frozenset({Type.TEXT}), value, f"{{}} = '{word}'")


SHOWS = (
    _Shows("TV8032", _ALL - {Type.INT, Type.DOUBLE, Type.BOOL, Type.DATETIME}, None, "{} != 'other'"),
    _Shows("TV8032", frozenset({Type.INT, Type.DOUBLE}), None, "{} != 1"),
    _Shows("TV8032", frozenset({Type.BOOL}), None, "{} != TRUE"),
    _Shows("TV8032", frozenset({Type.DATETIME}), None, "{} != '2026-01-01T00:00:00Z'"),
    _Shows("TV8030", frozenset({Type.KEYWORD}), "Order", "{} = 'order'"),
    _Shows("TV8030", frozenset({Type.KEYWORD}), "Order", "{} STARTS_WITH 'ord'"),
    _Shows("TV8030", frozenset({Type.KEYWORD_LIST}), ("Red",), "{} = 'red'"),
    _words("Order", "order"),
    _words("half-open", "half"),
    _words("order_1", "order"),
    _words("naïve", "naive"),
    _words("v1.2", "v1"),
    _words("it is the end", "the"),
    _words("up to x", "x"),
    _Shows("TV8014", frozenset({Type.DOUBLE}), 0.12345, "{} = 0.12345"),
    _Shows("TV8014", frozenset({Type.DOUBLE}), 0.123456789, "{} = 0.123456789"),
    _Shows("TV8014", frozenset({Type.DOUBLE}), 0.123456789, "{} < 0.123459"),
    _Shows("TV8015", frozenset({Type.DATETIME}), MOMENT, f"{{}} = '{rfc3339(MOMENT.nanoseconds)}'"),
    _Shows("TV8015", frozenset({Type.DATETIME}), MOMENT, "{} = '2026-01-31T12:00:00.123456Z'"),
    _Shows("TV8015", frozenset({Type.DATETIME}), MOMENT, "{} > '2026-01-31T12:00:00.123456Z'"),
    _Shows("TV8015", frozenset({Type.DATETIME}), MOMENT, "{} < '2026-01-31T12:00:00.123457Z'"),
)  # fmt: skip


def move(kind: Type, before: Side, after: Side) -> tuple[Verdict, ...]:
    """What may happen to values of type `kind` on the way, the worst first; SAME alone when nothing can."""
    found = [
        *_limits(kind, before.holding, after.holding),
        *_meanings(kind, before.holding.step, before.semantics, after.semantics),
    ]
    return tuple(sorted(found, key=lambda verdict: -verdict.severity.rank)) or (SAME,)


def _meanings(kind: Type, step: int, before: Semantics, after: Semantics) -> Iterator[Verdict]:
    """One verdict a code, with the first value and filter that show it. `step`: what of a time can be read at all."""
    told: set[str] = set()
    for shows in SHOWS:
        if kind not in shows.kinds or shows.code in told:
            continue
        if _answer(kind, shows.value, shows, before) != _answer(kind, _read(shows.value, step), shows, after):
            told.add(shows.code)
            yield Verdict(
                shows.code, Severity.LOSSY, _REASONS[shows.code], _HINTS[shows.code], shows.value,
                question=shows.question,
            )  # fmt: skip


def _read(value: AttributeValue | None, step: int) -> AttributeValue | None:
    return Moment(value.nanoseconds // step * step) if isinstance(value, Moment) else value


def _answer(kind: Type, value: AttributeValue | None, shows: _Shows, semantics: Semantics) -> bool:
    attributes = {} if value is None else {NAME: value}
    record = Record("", "", "", "", 0, 0, 1, attributes=attributes)
    return evaluate.judge(asked(kind, shows.question), semantics)(record)


@cache
def asked(kind: Type, question: str) -> Filter:
    """The filter that `question` is on an attribute of type `kind`."""
    return check.parse(question.format(NAME), Scope({NAME: Column(NAME, NAME, Kind(kind.value), False)}))


def _limits(kind: Type, before: Holding, after: Holding) -> Iterator[Verdict]:
    yield from _sizes(kind, before, after)
    yield from _range(kind, before, after)
    if after.signs and after.signs != before.signs:
        text = f"a{after.signs[0]}b c"
        reason = f"a text with {' or '.join(after.signs)} in it is not kept as it is"
        code = "TV8022" if kind is Type.KEYWORD_LIST else "TV8023"
        spoils = [Spoils(Spoil.HOLDS, sign=sign) for sign in after.signs]
        if after.word is not None:
            reason += f", and one with a word of more than {after.word} bytes is refused"
            # No store counts words: a text that is heavier may be one.
            spoils.append(Spoils(Spoil.HEAVIER, limit=after.word))
        yield Verdict(code, after.signed, reason, _COUNT, _listed(kind, text), tuple(spoils), "{} = 'b c'")
    if kind is Type.KEYWORD_LIST:
        yield from _empties(before.empty, after.empty)
    if before.several and not after.several:
        reason = "a document may hold several values where one is meant; such a record is refused"
        yield Verdict("TV8034", Severity.REFUSED, reason, "Find them before moving: `schema check --data`.",
                      spoils=(Spoils(Spoil.NOT_ONE),))  # fmt: skip


_COUNT = "Count them with `schema check --data`; change them before moving."


def _sizes(kind: Type, before: Holding, after: Holding) -> Iterator[Verdict]:
    """A length in characters says more than one in bytes: texts of that many characters are never lighter."""
    if after.longest is not None and (before.longest is None or before.longest > after.longest):
        yield Verdict(
            "TV8010", Severity.REFUSED, f"a text of more than {after.longest} characters does not fit", _COUNT,
            _listed(kind, "x" * (after.longest + 1)), (Spoils(Spoil.LONGER, limit=after.longest),),
        )  # fmt: skip
    most = before.heaviest if before.longest is None else min(4 * before.longest, before.heaviest or 4 * before.longest)
    if after.heaviest is not None and (most is None or most > after.heaviest):
        yield Verdict(
            "TV8010", Severity.REFUSED, f"a text of more than {after.heaviest} bytes does not fit", _COUNT,
            _listed(kind, _heavy(after.heaviest, kind)), (Spoils(Spoil.HEAVIER, limit=after.heaviest),),
        )  # fmt: skip


def _heavy(limit: int, kind: Type) -> str:
    # PostgreSQL keeps a Text of any size, but no word of more than 2 KiB.
    return "word " * (limit // 5 + 1) if kind is Type.TEXT else "x" * (limit + 1)


def _empties(before: Empty, after: Empty) -> Iterator[Verdict]:
    hint = "Ask for both: = '' or IS NULL."
    if before is Empty.KEPT and after is Empty.MISSING:
        yield Verdict("TV8033", Severity.LOSSY, "an empty list becomes no value", hint, (), question="{} IS NULL")
    if before is Empty.KEPT and after is Empty.TEXT:
        yield Verdict("TV8033", Severity.LOSSY, "an empty list becomes a list of one empty text", hint, ())


def _listed(kind: Type, text: str) -> AttributeValue:
    return (text,) if kind is Type.KEYWORD_LIST else text


def _range(kind: Type, before: Holding, after: Holding) -> Iterator[Verdict]:
    """Bounds: what the other store refuses or takes for something else, and what this one takes for something else."""
    code = "TV8016" if kind is Type.DATETIME else "TV8013"
    clamps = before.beyond is Severity.LOSSY
    # What is clamped for searching only can still be read, and written elsewhere.
    free = Holding() if clamps else before
    if after.low is not None and after.high is not None and not _inside(free, after):
        value, question = _beyond(kind, after, free)
        spoil = Spoil.TIME_OUTSIDE if kind is Type.DATETIME else Spoil.OUTSIDE
        spoils = Spoils(spoil, low=after.low, high=after.high)
        yield Verdict(code, after.beyond, _bounds(kind, after), _COUNT, value, (spoils,), question)
    if clamps and before.high is not None and not _inside(after, before):
        value, question = _beyond(kind, before, after)
        reason = f"{_bounds(kind, before)} in the store they come from; what is beyond compares otherwise"
        yield Verdict(code, Severity.LOSSY, reason, _COUNT, value, question=question)


def _inside(inner: Holding, outer: Holding) -> bool:
    """Whether all that `inner` takes lies within the bounds of `outer`."""
    if inner.low is None or inner.high is None or outer.low is None or outer.high is None:
        return outer.low is None and outer.high is None
    return outer.low <= inner.low and inner.high <= outer.high


def _bounds(kind: Type, holding: Holding) -> str:
    if kind is Type.DATETIME:
        return f"times begin at {rfc3339(int(holding.low or 0))} and end at {rfc3339(int(holding.high or 0))}"
    return f"numbers end at ±{holding.high}"


def _beyond(kind: Type, holding: Holding, other: Holding) -> tuple[AttributeValue, str]:
    """A value outside of `holding`, and inside of `other`, with a filter that finds it in one of them only."""
    assert holding.high is not None
    assert holding.low is not None
    if kind is Type.DATETIME:
        late = other.high is None or other.high > holding.high
        # A whole second, which every store keeps.
        second = int(holding.high) // 10**9 + 2 if late else int(holding.low) // 10**9 - 1
        moment = Moment(second * 10**9)
        return moment, f"{{}} = '{rfc3339(moment.nanoseconds)}'"
    # All numbers beyond are one to a store that clamps them. Whole, so that nothing but their size matters.
    number, another = float(holding.high) + 10, float(holding.high) + 5
    if other.high is None:
        number, another = 2.0 * holding.high, 1.5 * holding.high
    return number, f"{{}} = {another!r}"
