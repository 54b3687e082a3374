"""What becomes of stored values on Elasticsearch and OpenSearch when a search attribute changes its type.

A field's type never changes in place: documents are copied into a new index, where the same JSON is read by the new
mapping, and one document that it refuses stops the copy. Measured on Elasticsearch 7.17; every line is tried by a test.
"""

from __future__ import annotations

from dataclasses import replace

from toolkit.attributes import AttributeType
from toolkit.compat import (
    BUILD,
    CATALOG,
    MOMENT,
    SAME,
    Changes,
    Empty,
    Holding,
    Holdings,
    Severity,
    Spoil,
    Spoils,
    breaking,
    changes,
    lossy,
    refused,
)
from toolkit.query.values import MAX_INT, MIN_INT

DIALECT = None

# The mapping of both is `keyword`.
_MAPPED = replace(CATALOG, reason="a field of keywords takes one value and many: the mapping stays")
_HEAVY = refused("TV8010", "a keyword of more than 32766 bytes is refused", "y" * 40_000,
                 Spoils(Spoil.HEAVIER, limit=32_766))  # fmt: skip
_WHOLE = Spoils(Spoil.OUTSIDE, low=MIN_INT, high=MAX_INT)
_NO_WHOLE = refused("TV8011", "a text that is no number of 64 bits is refused, and decimals are cut off", "plain",
                    Spoils(Spoil.NO_WHOLE), _WHOLE)  # fmt: skip
# scaled_float keeps value × 10 000 in 64 bits.
_LARGEST = 922_337_203_685_477
_SCALED = Spoils(Spoil.OUTSIDE, low=-_LARGEST, high=_LARGEST)
_NO_NUMBER = refused("TV8011", "a text that is no number is refused, and one beyond ±922337203685477.58 becomes that",
                     "plain", Spoils(Spoil.NO_NUMBER), _SCALED)  # fmt: skip
_NO_BOOL = refused("TV8018", "only the texts true and false are truth values", "plain", Spoils(Spoil.NO_BOOL))
# date_nanos counts nanoseconds since 1970 in 63 bits.
_LAST_TIME = 2**63 - 1
_NO_TIME = refused("TV8017", "a text that is no time of 1970 to 2262 is refused, and a number is read as milliseconds",
                   "plain", Spoils(Spoil.NO_TIME), Spoils(Spoil.TIME_OUTSIDE, low=0, high=_LAST_TIME))  # fmt: skip
_CLAMPED = lossy("TV8013", "a scaled_float of four decimals ends at ±922337203685477.58; what is beyond becomes that",
                 2**53 + 1, _SCALED)  # fmt: skip
_NUMBER_BOOL = refused("TV8018", "a number is no truth value", 7)
_MILLISECONDS = refused("TV8019", "a number is read as milliseconds, where filters mean nanoseconds, and refused when "
                        "that is before 1970 or after 2262", -1)  # fmt: skip
_BROKEN = refused("TV8013", "decimals are cut off, and a number beyond 64 bits is refused", 1e300,
                  Spoils(Spoil.BROKEN), _WHOLE)  # fmt: skip
_SPELLING = lossy("TV8024", "numbers are spelled as Java does, 1e-9 as 1.0E-9", 1e-9)
_BOOL = refused("TV8025", "a truth value is no number and no time", True)
_TIME = refused("TV8025", "a time is a JSON text, which is no number and no truth value", MOMENT)
_SEVERAL = lossy("TV8020", "several elements become the words of one Text", ("a", "b"), Spoils(Spoil.NOT_ONE))
_MANY = lossy("TV8020", "several elements stay several: = finds each, and no order is right", ("a", "b"),
              Spoils(Spoil.NOT_ONE))  # fmt: skip
_LIST = refused("TV8011", "a list is read element by element, and one that does not suit is refused", ("a",))

_T = AttributeType
CHANGES: Changes = changes({
    #                 Text       Keyword    Int          Double        Bool       Datetime    KeywordList
    _T.TEXT:         (SAME, _HEAVY, _NO_WHOLE, _NO_NUMBER, _NO_BOOL, _NO_TIME, _HEAVY),
    _T.KEYWORD:      (BUILD, SAME, _NO_WHOLE, _NO_NUMBER, _NO_BOOL, _NO_TIME, _MAPPED),
    _T.INT:          (BUILD, BUILD, SAME, _CLAMPED, _NUMBER_BOOL, _MILLISECONDS, BUILD),
    _T.DOUBLE:       (_SPELLING, BUILD, _BROKEN, SAME, breaking(_NUMBER_BOOL, 5.5), breaking(_MILLISECONDS, -2.5),
                      BUILD),
    _T.BOOL:         (BUILD, BUILD, _BOOL, _BOOL, SAME, _BOOL, BUILD),
    _T.DATETIME:     (BUILD, BUILD, _TIME, _TIME, _TIME, SAME, BUILD),
    _T.KEYWORD_LIST: (_SEVERAL, _MANY, _LIST, _LIST, _LIST, _LIST, SAME),
})  # fmt: skip

HOLDS: Holdings = {
    _T.TEXT: Holding(several=True),
    _T.KEYWORD: Holding(heaviest=32_766, several=True),
    _T.INT: Holding(several=True),
    _T.DOUBLE: Holding(low=-_LARGEST, high=_LARGEST, beyond=Severity.LOSSY, several=True),
    _T.BOOL: Holding(several=True),
    _T.DATETIME: Holding(low=0, high=_LAST_TIME, several=True),
    _T.KEYWORD_LIST: Holding(heaviest=32_766, empty=Empty.MISSING),
}
