"""Pools of attribute values of each type: ordinary ones, and those at the edges of what every engine can hold.

Pure. Where the engines differ, the narrowest decides:
- Text has no colon, apostrophe or backslash: PostgreSQL's column takes the raw text for a list of lexemes, and these
  three have a meaning there (a URL fails the whole write).
- Double stays within ±2^63/10^4, what Elasticsearch's scaled_float can count; a DECIMAL(20,5) could hold a bit more.
- Keyword and the elements of a KeywordList have at most 255 characters, as the SQL columns have.
- A KeywordList has one to eight elements, none empty and none with U+2661, which is SQLite's separator. Temporal takes
  an empty list for 'not set' and never stores one.
- Datetime lies in 1970…2262, what fits in 64 bits of nanoseconds. No text has U+0000, which PostgreSQL refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from toolkit.attributes import AttributeType
from toolkit.records import AttributeValue, Moment

Pool = Sequence[AttributeValue]
SIZE = 256
MAX_INT = 2**63 - 1
MAX_DOUBLE = 922337203685477.0
MAX_KEYWORD = 255

_SENTENCE = """
    order payment invoice refund shipment customer basket delivery region north south priority retry batch nightly
    import export report ledger account transfer settled pending approved rejected fraud review manual automatic
    größe façade naïve jalapeño Ελλάδα Москва заказ 注文 支払い 주문 طلب הזמנה ऑर्डर 🚀 👩‍💻 𝒳𝒴
"""
WORDS = tuple(_SENTENCE.split())
_COUNTRIES = ("de", "fr", "us", "jp", "br", "in", "ng", "se", "pl", "vn")
# Astral plane, combining marks, right to left, marks of direction, blanks, quotes and wildcards.
_STRANGE = (
    "",
    " ",
    "🚀🛰️𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "e\u0301te\u0301 vs été",
    "\u202bעברית עם English\u202c",
    "مرحبا بالعالم",
    "tab\tand\nnew line",
    "\"quoted\" and 'apostrophes'",
    "back\\slash",
    "100%_of?*",
    "https://example.test/a:b?c=d&e=f",
    "'; DROP TABLE executions_visibility; --",
    "NULL",
    "ß" * 64,
    "k" * MAX_KEYWORD,
    "漢" * MAX_KEYWORD,
    "𝕜" * MAX_KEYWORD,
    "trailing blank ",
)
# What PostgreSQL reads in a raw text for a tsvector.
TEXT_FORBIDDEN = frozenset(":'\\")
_DAY = 86_400_000_000_000
_NOW = 1_735_689_600_000_000_000


def pools(random: Random) -> Mapping[AttributeType, Callable[[int], Pool]]:
    """For each type a function that makes a pool; its argument varies the pools of one type."""
    return {
        AttributeType.TEXT: lambda n: _pool(random, lambda: _sentence(random), _texts(random)),
        AttributeType.KEYWORD: lambda n: _pool(random, lambda: _keyword(random, n), _STRANGE),
        AttributeType.INT: lambda n: _pool(
            random, lambda: int(random.random() ** 3 * (100, 10_000, 10**9)[n % 3]), _INTS
        ),
        AttributeType.DOUBLE: lambda n: _pool(random, lambda: _double(random, n), _DOUBLES),
        AttributeType.BOOL: lambda n: (True, False) if n % 2 else (True, True, True, False),
        AttributeType.DATETIME: lambda n: _pool(random, lambda: _datetime(random), _DATETIMES),
        AttributeType.KEYWORD_LIST: lambda n: _pool(random, lambda: _list(random, n), _lists()),
    }


def _pool(random: Random, ordinary: Callable[[], AttributeValue], edges: Sequence[AttributeValue]) -> Pool:
    """Ordinary values and a few of the edges; across the pools of a type all edges come up."""
    return tuple(edges[int(random.random() * len(edges))] if place % 12 == 0 else ordinary() for place in range(SIZE))


_INTS: tuple[int, ...] = (0, -1, 1, MAX_INT, -MAX_INT, 2**31, -(2**31) - 1, 2**53 + 1)
_DOUBLES: tuple[float, ...] = (
    0.0, -1.5, 0.1, 0.123456789, -0.000004, 1e-7, 1234567.891011, MAX_DOUBLE, -MAX_DOUBLE, 99999999999.99999, 2.0,
)  # fmt: skip
_DATETIMES = (
    Moment(0),
    Moment(1),
    Moment(999),
    Moment(_NOW + 123_456_789),
    Moment(_NOW + 500_000),
    Moment(MAX_INT),
    Moment(951_782_400_000_000_000),
)


def _lists() -> tuple[tuple[str, ...], ...]:
    elements = tuple(text for text in _STRANGE if text.strip())
    singles = tuple((text,) for text in elements)
    return (*singles, elements[:8], ("same", "same"), ("B", "a", "b", "A"))


def _texts(random: Random) -> tuple[str, ...]:
    plain = tuple(text for text in _STRANGE if not TEXT_FORBIDDEN.intersection(text))
    return (*plain, " ".join(_sentence(random) for _ in range(20))[:1500])


def _word(random: Random) -> str:
    return WORDS[int(random.random() ** 2 * len(WORDS))]


def _sentence(random: Random) -> str:
    return " ".join(_word(random) for _ in range(2 + int(random.random() * 9)))


def _keyword(random: Random, n: int) -> str:
    match n % 3:
        case 0:
            return _COUNTRIES[int(random.random() ** 2 * len(_COUNTRIES))]
        case 1:
            return f"{_word(random)}-{_word(random)}"
        case _:
            return f"customer-{int(random.random() ** 2 * 100_000):06d}"


def _double(random: Random, n: int) -> float:
    return round(float(random.random() ** 3 * (10, 100, 10_000, 1_000_000)[n % 4]), 5 if n % 2 else 2)


def _datetime(random: Random) -> Moment:
    return Moment(_NOW + int(random.random() * 400) * _DAY + int(random.random() * 86_400_000_000) * 1000)


def _list(random: Random, n: int) -> tuple[str, ...]:
    return tuple(f"{_word(random)}-{n}" for _ in range(1 + int(random.random() ** 2 * 5)))
