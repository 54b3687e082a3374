"""How a Text is cut into words: the ways stores do it, as functions from text to its words.

Pure; used to judge filters in Python and to prepare what a store is asked for. No store is told how to cut here.
"""

from __future__ import annotations

import re
import unicodedata

from toolkit.query.semantics import Words

# InnoDB's built-in stop words (INFORMATION_SCHEMA.INNODB_FT_DEFAULT_STOPWORD) and its default shortest word.
INNODB_STOP_WORDS = frozenset({
    "a", "about", "an", "are", "as", "at", "be", "by", "com", "de", "en", "for", "from", "how", "i", "in", "is",
    "it", "la", "of", "on", "or", "that", "the", "this", "to", "was", "what", "when", "where", "who", "will", "with",
    "und", "www"
})  # fmt: skip
INNODB_SHORTEST = 3
INNODB_LONGEST = 84

_TOKENS = re.compile(r"[A-Za-z0-9\x80-\U0010ffff]+")
_LETTERS = re.compile(r"[^\W_]+")
_INNODB = re.compile(r"[\w']+")
# Unicode word boundaries as far as letters, digits and the marks between them go (UAX #29, rules WB5 to WB13).
_STANDARD = re.compile(r"\w+(?:(?:[.:'’](?=[^\W\d_])(?<=[^\W\d_].)|[.,;'](?=\d)(?<=\d.))\w+)*")


def words(text: str, how: Words) -> list[str]:
    """The words of `text`, in order."""
    match how:
        case Words.TOKENS:
            return [ascii_lower(token) for token in _TOKENS.findall(text)]
        case Words.SPACES:
            return text.split()
        case Words.LETTERS:
            return [_bare(word) for word in _LETTERS.findall(text)]
        case Words.STANDARD:
            return [word.lower() for word in _STANDARD.findall(text) if word.strip("_")]
        case Words.INNODB:
            found = [_bare(word.strip("'")) for word in _INNODB.findall(text)]
            return [w for w in found if INNODB_SHORTEST <= len(w) <= INNODB_LONGEST and w not in INNODB_STOP_WORDS]


def has_word(text: str, wanted: str, how: Words) -> bool:
    """Whether `text` has a word of `wanted`. Cut at LETTERS, what stands between blanks in `wanted` must stand side by
    side in `text`: `half-open` is found in "a half open range"."""
    found = words(text, how)
    if how is not Words.LETTERS:
        return not set(found).isdisjoint(words(wanted, how))
    phrases = (words(piece, how) for piece in wanted.split(" "))
    return any(phrase and _holds(found, phrase) for phrase in phrases)


def _holds(found: list[str], phrase: list[str]) -> bool:
    length = len(phrase)
    return any(found[start : start + length] == phrase for start in range(len(found) - length + 1))


def _bare(word: str) -> str:
    """Without case and accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", word).casefold() if not unicodedata.combining(c))


def ascii_lower(text: str) -> str:
    """`text` with its ASCII letters in lower case."""
    return "".join(c.lower() if c.isascii() else c for c in text)
