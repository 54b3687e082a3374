"""What becomes of stored values on MySQL when a search attribute changes its type.

The new column is computed from the same JSON map; adding a virtual one looks at no value, building its index looks
at all of them and stops at one that does not convert. Measured on MySQL 9; every line is tried by a test.
"""

from __future__ import annotations

from toolkit.attributes import AttributeType
from toolkit.compat import (
    BUILD,
    DECIMAL_END,
    MOMENT,
    SAME,
    Changes,
    Holding,
    Holdings,
    Spoil,
    Spoils,
    breaking,
    changes,
    lossy,
    refused,
    too_long,
)
from toolkit.query.values import MAX_INT, MIN_INT

DIALECT = "mysql"

_NO_WHOLE = refused("TV8011", "a text that is no number of 64 bits stops the change, and 9223372036854775808 "
                    "becomes -9223372036854775808", "plain",
                    Spoils(Spoil.NO_WHOLE), Spoils(Spoil.OUTSIDE, low=MIN_INT, high=MAX_INT))  # fmt: skip
_NO_NUMBER = refused("TV8011", "a text that is no number, or one from 10^15 on, stops the change", "plain",
                     Spoils(Spoil.NO_NUMBER), Spoils(Spoil.OUTSIDE, low=-DECIMAL_END, high=DECIMAL_END))  # fmt: skip
_NO_BOOL = refused("TV8018", "a text, 'true' as well, is no truth value and stops the change", "true")
_NO_TIME = refused("TV8017", "a text that is no time with a zone becomes null, and one with a day or hour that there "
                   "is not stops the change", "2026-02-30T00:00:00Z", Spoils(Spoil.NO_TIME))  # fmt: skip
_NUMBER_TIME = lossy("TV8017", "a number is no time and becomes null", 7)
_NO_LIST = lossy("TV8021", "a JSON number is an element of no list of texts: no list filter finds it", 7)
_LARGE = refused(
    "TV8013", "DECIMAL(20,5) ends below 10^15", 10**15, Spoils(Spoil.OUTSIDE, low=-(10**15) + 1, high=10**15 - 1)
)
_SMALL = refused("TV8013", "a BOOLEAN is a number from -128 to 127: what is beyond is refused, and 7 stays 7", 2**31,
                 Spoils(Spoil.OTHER_THAN_BIT))  # fmt: skip
_SPELLING = lossy("TV8024", "numbers are spelled as MySQL does, 1e-9 as 0.000000001", 1e-9)
_ROUNDED = lossy("TV8012", "decimals are rounded: 5.5 becomes 6", 5.5, Spoils(Spoil.BROKEN))
_BOOL_LIST = refused("TV8025", "the index of a list takes no truth value", True)
_TIME = refused("TV8025", "a time is a JSON text, which is no number and no truth value", MOMENT)
_LIST_TEXT = lossy("TV8020", 'a list becomes its JSON text, such as ["a"]', ("a",))
_LONG_LIST = refused(
    "TV8020", 'a list becomes its JSON text, such as ["a"]; one of more than 255 characters is refused', ("x" * 255,)
)
_LIST = refused("TV8025", "a JSON list is no number and no truth value", ("7",))
_LIST_TIME = lossy("TV8017", "a list is no time and becomes null", ("a",))

_T = AttributeType
CHANGES: Changes = changes({
    #                 Text          Keyword       Int          Double      Bool      Datetime     KeywordList
    _T.TEXT:         (SAME, too_long(255), _NO_WHOLE, _NO_NUMBER, _NO_BOOL, _NO_TIME, too_long(255)),
    _T.KEYWORD:      (BUILD, SAME, _NO_WHOLE, _NO_NUMBER, _NO_BOOL, _NO_TIME, BUILD),
    _T.INT:          (BUILD, BUILD, SAME, _LARGE, _SMALL, _NUMBER_TIME, _NO_LIST),
    _T.DOUBLE:       (_SPELLING, _SPELLING, _ROUNDED, SAME, breaking(_SMALL, 1e14), breaking(_NUMBER_TIME, 7.0),
                      breaking(_NO_LIST, 7.0)),
    _T.BOOL:         (BUILD, BUILD, BUILD, BUILD, SAME, breaking(_NUMBER_TIME, True), _BOOL_LIST),
    _T.DATETIME:     (BUILD, BUILD, _TIME, _TIME, _TIME, SAME, BUILD),
    _T.KEYWORD_LIST: (_LIST_TEXT, _LONG_LIST, _LIST, _LIST, _LIST, _LIST_TIME, SAME),
})  # fmt: skip

HOLDS: Holdings = {
    _T.TEXT: Holding(heaviest=65_535),
    _T.KEYWORD: Holding(longest=255),
    _T.INT: Holding(),
    _T.DOUBLE: Holding(low=-DECIMAL_END, high=DECIMAL_END),
    _T.BOOL: Holding(),
    _T.DATETIME: Holding(),
    # What the multi-valued index takes of an element.
    _T.KEYWORD_LIST: Holding(longest=255),
}
