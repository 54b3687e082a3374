"""Quoted text of a filter: where it ends, what it means, and how a message shows it.

Pure functions over text; what a quoted text stands for in a filter is none of its business.
"""

from __future__ import annotations

import re

_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_ESCAPED = re.compile(r"""\\(.)|(''|"")""", re.DOTALL)


def unescape(raw: str, quote: str) -> str:
    r"""The value of what stands between quotes, by MySQL's rules: `\n` and its like, doubled quotes, `\x` is `x`.

    >>> unescape("it''s", "'"), unescape("a\\%", "'")
    ("it's", 'a%')
    """
    if "\\" not in raw and quote not in raw:
        return raw

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return _ESCAPES.get(match[1], match[1])
        return quote if match[2][0] == quote else match[2]

    return _ESCAPED.sub(value, raw)


def shorten(text: str) -> str:
    """`text` for a message: on one line, quoted, not too long."""
    return repr(text if len(text) <= 40 else text[:39] + "…")


def open_quote(text: str) -> int:
    """Where the quote starts that the tokenizer found no end of."""
    position = 0
    while position < len(text):
        quote = text[position]
        if quote not in "'\"`":
            position += 1
            continue
        end = position + 1
        while end < len(text) and text[end] != quote:
            end += 2 if text[end] == "\\" and quote != "`" else 1
        if end >= len(text):
            return position
        position = end + 1
    return max(0, len(text) - 1)
