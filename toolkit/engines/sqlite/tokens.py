"""SQL text of SQLite as tokens, and as canonical text: two spellings that SQLite takes for the same become one.

Pure; it knows words, quotes and comments, and nothing of what a statement means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

# What SQLite reserves, by its own list (sqlite.org/lang_keywords.html).
_RESERVED = """
    ABORT ACTION ADD AFTER ALL ALTER ALWAYS ANALYZE AND AS ASC ATTACH AUTOINCREMENT BEFORE BEGIN BETWEEN BY CASCADE
    CASE CAST CHECK COLLATE COLUMN COMMIT CONFLICT CONSTRAINT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME
    CURRENT_TIMESTAMP DATABASE DEFAULT DEFERRABLE DEFERRED DELETE DESC DETACH DISTINCT DO DROP EACH ELSE END ESCAPE
    EXCEPT EXCLUDE EXCLUSIVE EXISTS EXPLAIN FAIL FILTER FIRST FOLLOWING FOR FOREIGN FROM FULL GENERATED GLOB GROUP
    GROUPS HAVING IF IGNORE IMMEDIATE IN INDEX INDEXED INITIALLY INNER INSERT INSTEAD INTERSECT INTO IS ISNULL JOIN KEY
    LAST LEFT LIKE LIMIT MATCH MATERIALIZED NATURAL NO NOT NOTHING NOTNULL NULL NULLS OF OFFSET ON OR ORDER OTHERS
    OUTER OVER PARTITION PLAN PRAGMA PRECEDING PRIMARY QUERY RAISE RANGE RECURSIVE REFERENCES REGEXP REINDEX RELEASE
    RENAME REPLACE RESTRICT RETURNING RIGHT ROLLBACK ROW ROWS SAVEPOINT SELECT SET TABLE TEMP TEMPORARY THEN TIES TO
    TRANSACTION TRIGGER UNBOUNDED UNION UNIQUE UPDATE USING VACUUM VALUES VIEW VIRTUAL WHEN WHERE WINDOW WITH
    WITHOUT
"""
KEYWORDS = frozenset(_RESERVED.split())
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A word has letters, digits, _ and $, and whatever is no ASCII; written as what it has not, which compiles at once.
_TOKEN = re.compile(
    r"""
    (?P<blank>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<literal>[xX]?'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
    |(?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<word>[^\x00-@\[-^`{-\x7f][^\x00-#%-/:-@\[-^`{-\x7f]*)
    |(?P<symbol>\|\||->>?|<<|>>|<[=>]|>=|==|!=|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Kind(Enum):
    """What a token is."""

    LITERAL = "literal"
    QUOTED = "quoted"
    NUMBER = "number"
    WORD = "word"
    SYMBOL = "symbol"


_KINDS: Mapping[str | None, Kind] = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Token:
    """One token as it was written."""

    kind: Kind
    text: str

    def is_word(self, *words: str) -> bool:
        """Whether this is one of `words` (in capitals), unquoted."""
        return self.kind is Kind.WORD and self.text.upper() in words

    @property
    def value(self) -> str:
        """The text without quotes."""
        return unquote(self.text) if self.kind in (Kind.QUOTED, Kind.LITERAL) else self.text


def tokens(sql: str) -> list[Token]:
    """The tokens of `sql`; blanks and comments are dropped."""
    return [Token(_KINDS[m.lastgroup], m[0]) for m in _TOKEN.finditer(sql) if m.lastgroup in _KINDS]


def unquote(text: str) -> str:
    """A quoted name or text without its quotes; what is not quoted stays."""
    if len(text) < 2 or text[0] not in "\"'`[":
        return text
    closing = "]" if text[0] == "[" else text[0]
    return text[1:-1].replace(closing * 2, closing)


def groups(found: Sequence[Token], separator: str = ",") -> list[list[Token]]:
    """The tokens between `separator`s that stand outside all parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in found:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == separator and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def enclosed(found: Sequence[Token], start: int) -> tuple[list[Token], int]:
    """The tokens inside the parenthesis that opens at `start`, and the place after its end."""
    depth = 0
    for place in range(start, len(found)):
        depth += {"(": 1, ")": -1}.get(found[place].text, 0)
        if depth == 0:
            return list(found[start + 1 : place]), place + 1
    return list(found[start + 1 :]), len(found)


def bare(found: Sequence[Token]) -> list[Token]:
    """The tokens without parentheses around all of them."""
    inner = list(found)
    while len(inner) > 1 and inner[0].text == "(" and enclosed(inner, 0)[1] == len(inner):
        inner = inner[1:-1]
    return inner


def canonical(found: Sequence[Token]) -> str:
    """One text for all spellings: one blank between tokens, none inside parentheses, before commas or around dots;
    keywords and functions in capitals, names without quotes where they are plain words. A double-quoted token that is
    no plain word is written as the text literal that SQLite takes it for."""
    text = ""
    inner = bare(found)
    for place, token in enumerate(inner):
        after = inner[place + 1].text if place + 1 < len(inner) else ""
        before = inner[place - 1].text if place else ""
        tight = token.text in (")", ",", ".") or before in ("", "(", ".") or (token.text == "(" and before != ",")
        text += ("" if tight else " ") + _spelled(token, after)
    return text


def type_name(text: str) -> str:
    """A declared type in one spelling: `decimal( 20, 5 )` → `DECIMAL(20,5)`."""
    return canonical(tokens(text)).upper().replace(", ", ",")


def _spelled(token: Token, after: str) -> str:
    if token.kind is Kind.WORD:
        upper = token.text.upper()
        return upper if upper in KEYWORDS or after == "(" else token.text
    if token.kind is not Kind.QUOTED:
        return token.text
    if _PLAIN.fullmatch(token.value) and token.value.upper() not in KEYWORDS:
        return token.value
    if token.text.startswith('"') and not _PLAIN.fullmatch(token.value):
        return "'" + token.value.replace("'", "''") + "'"
    return '"' + token.value.replace('"', '""') + '"'
