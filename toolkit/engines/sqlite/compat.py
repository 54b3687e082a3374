"""What becomes of stored values on SQLite when a search attribute changes its type.

SQLite refuses nothing: a column of a declared type keeps what cannot be converted as it is.
Every line is tried by a test.
"""

from __future__ import annotations

from toolkit.attributes import AttributeType
from toolkit.compat import (
    BUILD,
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
)
from toolkit.query.values import MAX_INT, MIN_INT

DIALECT = "sqlite"

_STAYS = "stays a text in a column of numbers: no comparison with a number finds it"
_OUTSIDE = Spoils(Spoil.OUTSIDE, low=MIN_INT, high=MAX_INT)
_NO_WHOLE = lossy("TV8026", f"a text that is no whole number {_STAYS}; one beyond 64 bits becomes inexact", "plain",
                  Spoils(Spoil.NO_WHOLE), _OUTSIDE)  # fmt: skip
_NO_NUMBER = lossy("TV8026", f"a text that is no number {_STAYS}", "plain", Spoils(Spoil.NO_NUMBER))
_NO_BOOL = lossy("TV8026", "a text, 'true' as well, stays a text in a column of truth values", "true")
_NO_TIME = lossy("TV8017", "a text that is no time becomes null", "plain", Spoils(Spoil.NO_TIME))
_HEARTS = lossy(
    "TV8022", "a list is kept as one text with ♡ between: a text that has one becomes several", "a♡b",
    Spoils(Spoil.HOLDS, sign="♡"),
)  # fmt: skip
_JULIAN = lossy("TV8019", "a number is read as a Julian day: 7 is in the year 4714 BC", 7)
_BIT = lossy("TV8018", "numbers besides 0 and 1 stay as they are", 7, Spoils(Spoil.OTHER_THAN_BIT))
_SPELLING = lossy("TV8024", "numbers are spelled as SQLite does, 1e-9 as 1.0e-09", 1e-9)
_BIT_TEXT = lossy("TV8024", "truth values become the texts 1 and 0", True)
_BROKEN = lossy("TV8012", "a number with decimals, or beyond 64 bits, stays as it is in a column of whole numbers", 5.5,
                Spoils(Spoil.BROKEN), _OUTSIDE)  # fmt: skip
_TIME_TEXT = lossy("TV8026", f"a time {_STAYS}", MOMENT)
_SEVERAL = lossy(
    "TV8020", "a list of several elements becomes one text with ♡ between", ("a", "b"), Spoils(Spoil.NOT_ONE)
)
_LIST = lossy("TV8026", "a list stays a text in a column of another type", ("a",))
_LIST_TIME = lossy("TV8017", "a list is no time and becomes null", ("a",))

_T = AttributeType
CHANGES: Changes = changes({
    #                 Text     Keyword   Int         Double      Bool      Datetime    KeywordList
    _T.TEXT:         (SAME, BUILD, _NO_WHOLE, _NO_NUMBER, _NO_BOOL, _NO_TIME, _HEARTS),
    _T.KEYWORD:      (BUILD, SAME, _NO_WHOLE, _NO_NUMBER, _NO_BOOL, _NO_TIME, _HEARTS),
    _T.INT:          (BUILD, BUILD, SAME, BUILD, _BIT, _JULIAN, BUILD),
    _T.DOUBLE:       (_SPELLING, _SPELLING, _BROKEN, SAME, breaking(_BIT, 5.5), breaking(_JULIAN, 7.0), _SPELLING),
    _T.BOOL:         (_BIT_TEXT, _BIT_TEXT, BUILD, BUILD, SAME, breaking(_JULIAN, True), _BIT_TEXT),
    _T.DATETIME:     (BUILD, BUILD, _TIME_TEXT, _TIME_TEXT, _TIME_TEXT, SAME, BUILD),
    _T.KEYWORD_LIST: (_SEVERAL, _SEVERAL, _LIST, _LIST, _LIST, _LIST_TIME, SAME),
})  # fmt: skip

HOLDS: Holdings = {
    **{kind: Holding() for kind in AttributeType},
    _T.KEYWORD_LIST: Holding(signs="♡", signed=Severity.LOSSY, empty=Empty.TEXT),
}
