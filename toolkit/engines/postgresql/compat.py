"""What becomes of stored values on PostgreSQL when a search attribute changes its type.

The column of the new type is computed from the same JSON map by the profile's expressions, in one rewrite of the table;
a value that its cast refuses stops the whole change. Measured on PostgreSQL 15; every line is tried by a test.
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

DIALECT = "postgres"

_NO_TEXT = "a JSON text casts to no number and no truth value, whatever it says"
_NO_CAST = refused("TV8025", _NO_TEXT, "7")
# What means something in a raw tsvector.
_RAW = ":'\\"
_WORDS = refused(
    "TV8023",
    "a Text is read as a raw tsvector: what follows a ':' is a position, and anything else there is a syntax error, as "
    "is an odd ' at the beginning of a word; a \\ goes",
    "a:b c",
    *(Spoils(Spoil.HOLDS, sign=sign) for sign in _RAW),
)
_NO_TIME = refused("TV8017", "a text that is no time stops the change", "plain", Spoils(Spoil.NO_TIME))
_NUMBER_TIME = refused("TV8019", "a number is no time", 7)
_NO_LIST = lossy("TV8021", "a single value is stored where a list is searched: no list filter finds it", "plain")
_SPELLING = lossy("TV8024", "numbers are spelled as PostgreSQL does, 1e-9 as 0.000000001", 1e-9)
_LONG_LIST = refused(
    "TV8020", 'a list becomes its JSON text, such as ["a"]; one of more than 255 characters is refused', ("x" * 255,)
)
_BIG_LIST = refused("TV8020", "a list becomes the words of its JSON text; a word of 2 KiB is refused", ("y" * 40_000,))
_NO_BOOL = refused("TV8025", "a JSON number casts to no truth value", 1)
_BOOL_CAST = refused("TV8025", "a JSON truth value casts to no number", True)
_LIST_CAST = refused("TV8025", "a JSON list casts to no single value", ("7",))
_LARGE = refused(
    "TV8013", "DECIMAL(20,5) ends below 10^15", 10**15, Spoils(Spoil.OUTSIDE, low=-(10**15) + 1, high=10**15 - 1)
)
_ROUNDED = lossy("TV8012", "decimals are rounded: 5.5 becomes 6", 5.5, Spoils(Spoil.BROKEN))
_TIME_CAST = breaking(_NO_CAST, MOMENT)
_COLONS = refused("TV8023", "a Text is read as a raw tsvector, and every time has a ':' in it", MOMENT)


_T = AttributeType
CHANGES: Changes = changes({
    #                 Text       Keyword        Int          Double       Bool       Datetime     KeywordList
    _T.TEXT:         (SAME, too_long(255), _NO_CAST, _NO_CAST, _NO_CAST, _NO_TIME, _NO_LIST),
    _T.KEYWORD:      (_WORDS, SAME, _NO_CAST, _NO_CAST, _NO_CAST, _NO_TIME, _NO_LIST),
    _T.INT:          (BUILD, BUILD, SAME, _LARGE, _NO_BOOL, _NUMBER_TIME, breaking(_NO_LIST, 7)),
    _T.DOUBLE:       (_SPELLING, _SPELLING, _ROUNDED, SAME, breaking(_NO_BOOL, 1.0),
                      breaking(_NUMBER_TIME, 7.0), breaking(_NO_LIST, 7.0)),
    _T.BOOL:         (BUILD, BUILD, _BOOL_CAST, _BOOL_CAST, SAME, breaking(_NUMBER_TIME, True),
                      breaking(_NO_LIST, True)),
    _T.DATETIME:     (_COLONS, BUILD, _TIME_CAST, _TIME_CAST, _TIME_CAST, SAME, breaking(_NO_LIST, MOMENT)),
    _T.KEYWORD_LIST: (_BIG_LIST, _LONG_LIST, _LIST_CAST, _LIST_CAST, _LIST_CAST, _LIST_CAST, SAME),
})  # fmt: skip

HOLDS: Holdings = {
    _T.TEXT: Holding(signs=_RAW, word=2046),
    _T.KEYWORD: Holding(longest=255),
    _T.INT: Holding(),
    _T.DOUBLE: Holding(low=-DECIMAL_END, high=DECIMAL_END),
    _T.BOOL: Holding(),
    _T.DATETIME: Holding(),
    _T.KEYWORD_LIST: Holding(),
}
