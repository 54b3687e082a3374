"""Taking apart what ClickHouse prints of a table's engine: its clauses, arguments and settings, quotes respected.

Pure; it reads the spelling of `system.tables` and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|[()\[\],]"
    r"|\b(?:PARTITION BY|PRIMARY KEY|ORDER BY|SAMPLE BY|TTL|SETTINGS)\b|\w+|.",
    re.S,
)
_CLAUSES = frozenset({"PARTITION BY", "PRIMARY KEY", "ORDER BY", "SAMPLE BY", "TTL", "SETTINGS"})
_PLAIN_QUOTED = re.compile(r"`([A-Za-z_][A-Za-z0-9_]*)`")
_QUOTED = re.compile(r"`((?:[^`\\]|\\.)*)`")
_STRING = re.compile(r"('(?:[^'\\]|\\.)*')")
# A replicated table's first arguments: its path in Keeper and its own name there.
_KEEPER_ARGUMENTS = 2


@dataclass(frozen=True, slots=True)
class EngineClause:
    """The engine as our catalogs spell it. `replicated`: its rows are copied to other servers."""

    text: str
    replicated: bool


def clauses(text: str) -> dict[str, str]:
    """The clauses of `engine_full` by their first words; '' is the engine itself."""
    return parts(text, _CLAUSES)


def parts(text: str, words: Collection[str]) -> dict[str, str]:
    """`text` cut before those of `words` that stand outside of brackets and quotes; '' is what comes before all."""
    found: dict[str, list[str]] = {"": []}
    name, depth = "", 0
    for token in _TOKEN.findall(text):
        depth += (token in "([") - (token in ")]")
        if depth == 0 and token in words:
            name = token
            found[name] = []
        else:
            found[name].append(token)
    return {name: "".join(tokens).strip() for name, tokens in found.items()}


def elements(create: str) -> list[str]:
    """The columns, indexes and the like between the brackets of a CREATE TABLE."""
    found: list[str] = []
    depth = 0
    for token in _TOKEN.findall(create):
        depth -= token in ")]"
        if depth == 0 and found:
            break
        if depth > 0:
            found.append(token)
        depth += token in "(["
    return split("".join(found))


def named(element: str) -> tuple[str, str]:
    """The name of a column, which is always quoted, and what follows it; two empty texts for what is no column."""
    found = _QUOTED.match(element)
    return (_unescaped(found[1]), element[found.end() :].strip()) if found else ("", "")


def name(element: str) -> str:
    """The name of a column, an index, a projection or a constraint: all but the first have a word before it."""
    rest = element.partition(" ")[2]
    return named(element)[0] or named(rest)[0] or rest.split()[0]


def called(create: str, *kinds: str) -> list[str]:
    """The names of those elements of a CREATE TABLE that begin with one of these words."""
    begins = tuple(f"{kind} " for kind in kinds)
    return [name(element) for element in elements(create) if element.startswith(begins)]


def words(text: str) -> set[str]:
    """All words and quoted names in `text`, but for functions and what stands in literals."""
    tokens = _TOKEN.findall(text)
    pairs = zip(tokens, [*tokens[1:], ""], strict=False)
    return {named(token)[0] or token for token, then in pairs if then != "(" and not token.startswith("'")}


def split(text: str) -> list[str]:
    """`text` at its outermost commas; () for nothing."""
    parts, depth = [""], 0
    for token in _TOKEN.findall(text):
        depth += (token in "([") - (token in ")]")
        if token == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return [part.strip() for part in parts if part.strip()]


def settings(text: str) -> Iterator[tuple[str, str]]:
    """Name and value of each setting, values as printed."""
    for part in split(text):
        name, _, value = part.partition(" = ")
        yield name, value


def engine(text: str, database: str) -> EngineClause:
    """The engine without what differs from server to server: its place in Keeper, the name of its own database, and
    the word by which ClickHouse Cloud calls it."""
    name, _, rest = text.partition("(")
    arguments = split(rest.removesuffix(")"))
    replicated = name.startswith("Replicated")
    if replicated or name.startswith("Shared"):
        name = name.removeprefix("Replicated").removeprefix("Shared")
        if arguments[:_KEEPER_ARGUMENTS] and arguments[0].startswith("'"):
            arguments = arguments[_KEEPER_ARGUMENTS:]
    if name == "Distributed" and len(arguments) > 1 and arguments[1] == _quoted(database):
        del arguments[1]
    return EngineClause(f"{name}({', '.join(arguments)})" if arguments else name, replicated)


def _quoted(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"


def unquoted(text: str) -> str:
    """What stands between the quotes of a literal."""
    return _unescaped(text[1:-1]) if text.startswith("'") else text


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.S)


def plain(expression: str) -> str:
    """`expression` with unnecessary quotes around identifiers taken away: versions differ in which words they quote."""
    pieces = _STRING.split(expression)
    return "".join(p if p.startswith("'") else _PLAIN_QUOTED.sub(r"\1", p) for p in pieces)
