"""What becomes of stored values on ClickHouse when a search attribute changes its type.

There is no JSON map: values stand in their column and are cast by ALTER … MODIFY COLUMN, a rewrite in the background
that fails as a whole when a value cannot be cast. Measured on ClickHouse 26.9; every line is tried by a test.
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

DIALECT = "clickhouse"

# A Keyword and a Text are columns of one type, with different indexes.
_INDEX = replace(CATALOG, reason="the column is the same; only its skip index is another")
_NO_WHOLE = lossy("TV8011", "a text that is no whole number of 64 bits becomes null", "plain", Spoils(Spoil.NO_WHOLE),
                  Spoils(Spoil.OUTSIDE, low=MIN_INT, high=MAX_INT))  # fmt: skip
_NO_NUMBER = lossy("TV8011", "a text that is no number becomes null", "plain", Spoils(Spoil.NO_NUMBER))
_NO_BOOL = refused("TV8018", "a text that is no truth value stops the change", "plain", Spoils(Spoil.NO_BOOL))
_NO_TIME = lossy("TV8017", "a text that is no time becomes null", "plain", Spoils(Spoil.NO_TIME))
_NO_LIST = refused("TV8025", "a column that may be null does not become an array", "plain")
_INEXACT = lossy("TV8014", "a Float64 holds whole numbers exactly up to 2^53", 2**53 + 1, Spoils(Spoil.INEXACT))
_BIT = lossy("TV8018", "every number but 0 becomes true", 7, Spoils(Spoil.OTHER_THAN_BIT))
_SECONDS = lossy("TV8019", "a number is read as seconds, where filters mean nanoseconds", 7)
_SPELLING = lossy("TV8024", "numbers are spelled as ClickHouse does, 7.0 as 7", 7.0)
# The last Float64 below 2^63 is 1024 less.
_BROKEN = lossy("TV8012", "decimals are cut off: 5.5 becomes 5; what is beyond 64 bits becomes -9223372036854775808",
                5.5, Spoils(Spoil.BROKEN), Spoils(Spoil.OUTSIDE, low=MIN_INT, high=2**63 - 1024))  # fmt: skip
_TIME_TEXT = lossy("TV8024", "times are spelled with a blank and without zone", MOMENT)
_TIME_NUMBER = lossy("TV8019", "a time becomes seconds, where filters mean nanoseconds", MOMENT)
_TIME_BIT = lossy("TV8018", "every time but 1970-01-01 becomes true", MOMENT)
_LIST_TEXT = lossy("TV8020", "a list becomes its own spelling, such as ['a']", ("a",))
_LIST = refused("TV8025", "an array does not become a single value", ("a",))

_T = AttributeType
CHANGES: Changes = changes({
    #                 Text         Keyword     Int          Double        Bool       Datetime    KeywordList
    _T.TEXT:         (SAME, _INDEX, _NO_WHOLE, _NO_NUMBER, _NO_BOOL, _NO_TIME, _NO_LIST),
    _T.KEYWORD:      (_INDEX, SAME, _NO_WHOLE, _NO_NUMBER, _NO_BOOL, _NO_TIME, _NO_LIST),
    _T.INT:          (BUILD, BUILD, SAME, _INEXACT, _BIT, _SECONDS, breaking(_NO_LIST, 7)),
    _T.DOUBLE:       (_SPELLING, _SPELLING, _BROKEN, SAME, breaking(_BIT, 5.5), breaking(_SECONDS, 7.0),
                      breaking(_NO_LIST, 7.0)),
    _T.BOOL:         (BUILD, BUILD, BUILD, BUILD, SAME, breaking(_SECONDS, True), breaking(_NO_LIST, True)),
    _T.DATETIME:     (_TIME_TEXT, _TIME_TEXT, _TIME_NUMBER, _TIME_NUMBER, _TIME_BIT, SAME, breaking(_NO_LIST, MOMENT)),
    _T.KEYWORD_LIST: (_LIST_TEXT, _LIST_TEXT, _LIST, _LIST, _LIST, _LIST, SAME),
})  # fmt: skip

# DateTime64 goes from 1900 to 2299; its last microsecond stands for "open" in lists.
_FIRST_TIME, _LAST_TIME = -2_208_988_800 * 10**9, 10_413_791_999_999_998_000
HOLDS: Holdings = {
    **{kind: Holding() for kind in AttributeType},
    # The ticks of other times are kept and read, but no function of the server sees them as what they are.
    _T.DATETIME: Holding(step=1_000, low=_FIRST_TIME, high=_LAST_TIME, beyond=Severity.LOSSY),
    _T.KEYWORD_LIST: Holding(empty=Empty.MISSING),
}
