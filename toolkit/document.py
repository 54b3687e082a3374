"""A YAML document whose every value knows its place, so that errors can point at file, line and column.

It checks shapes (mapping, text, one of these words), never meaning; where the tree of values comes from is not known
here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import TypeVar

from toolkit import tree
from toolkit.errors import HIDDEN, DefinitionError, Location, shown
from toolkit.tree import COLUMN, LINE, MAP, SEQ, TAG, VALUE, Node

_E = TypeVar("_E", bound=Enum)
_T = TypeVar("_T")


class Value:
    """One value of a document: ask it for what you expect; it answers or raises DefinitionError with its place."""

    __slots__ = ("_file", "_name", "_node", "_within")

    def __init__(self, node: Node, file: str, within: Value | None = None, name: str | None = None) -> None:
        self._node = node
        self._file = file
        self._within = within
        self._name = name

    @property
    def path(self) -> str:
        """The names that lead here: `labels.elasticsearch[1]`."""
        before, name = self._within.path if self._within else "", self._name
        if name is None:
            return before
        return f"{before}.{name}" if before and name[:1] != "[" else before + name

    @property
    def location(self) -> Location:
        """Where the value begins."""
        return Location(self._file, self._node[LINE], self._node[COLUMN])

    def error(self, code: str, message: str, hint: str = "") -> DefinitionError:
        """A DefinitionError at this place, to be raised by the caller."""
        where = f"{self.path}: " if self.path else ""
        return DefinitionError(code, f"{where}{message}", hint, self.location)

    def wrong(self, expected: str) -> DefinitionError:
        """The error for a value of the wrong shape."""
        return self.error("TV1003", f"expected {expected}, found {self._found()}")

    def _found(self) -> str:
        match self._node[TAG]:
            case "map":
                return "a mapping"
            case "seq":
                return "a list"
            case "null":
                return "nothing"
            case tag:
                kinds = {"int": "the number", "float": "the number", "bool": "the word"}
                text = shown(self._node[VALUE])
                return "a text" if text == HIDDEN else f"{kinds.get(tag, '')} {text!r}".strip()

    def is_mapping(self) -> bool:
        """Whether the value is a mapping."""
        return bool(self._node[TAG] == MAP)

    def is_list(self) -> bool:
        """Whether the value is a list."""
        return bool(self._node[TAG] == SEQ)

    def is_null(self) -> bool:
        """Whether the value is YAML's null."""
        return bool(self._node[TAG] == "null")

    def items(self) -> Iterator[tuple[str, Value, Value]]:
        """The members of a mapping: (key, the key's own place, value); a key given twice is an error."""
        if self._node[TAG] != MAP:
            raise self.wrong("a mapping")
        seen: set[str] = set()
        for key_node, value_node in self._node[VALUE]:
            name = Value(key_node, self._file, self).text()
            if name in seen:
                raise Value(key_node, self._file, self).error("TV1004", f"{shown(name)!r} is given twice")
            seen.add(name)
            yield name, Value(key_node, self._file, self, shown(name)), Value(value_node, self._file, self, shown(name))

    def members(self, required: Sequence[str] = (), optional: Sequence[str] = ()) -> dict[str, Value]:
        """A mapping with exactly these keys allowed; unknown and missing ones are errors."""
        found: dict[str, Value] = {}
        known = [*required, *optional]
        for name, key, value in self.items():
            if name not in known:
                raise key.error("TV1005", f"unknown key {shown(name)!r}", _did_you_mean(name, known))
            found[name] = value
        missing = [name for name in required if name not in found]
        if missing:
            raise self.error("TV1006", f"missing key {missing[0]!r}")
        return found

    def list(self) -> list[Value]:
        """The elements of a list."""
        if self._node[TAG] != SEQ:
            raise self.wrong("a list")
        return [Value(n, self._file, self, f"[{i}]") for i, n in enumerate(self._node[VALUE])]

    def text(self) -> str:
        """A text. A number or another plain word must be quoted to count as text."""
        if self._node[TAG] == "str":
            return str(self._node[VALUE])
        raise self.wrong("a text")

    def word(self) -> str:
        """A text, or what YAML takes for a number or a truth value, as it was written: `-1` and `false` where a word is
        meant."""
        return str(self._node[VALUE]) if self._node[TAG] in ("int", "float", "bool") else self.text()

    def integer(self, low: int = -(2**63), high: int = 2**63 - 1) -> int:
        """A whole number within [low, high]."""
        if self._node[TAG] == "int":
            digits = self._node[VALUE]
            if len(digits) <= 20 and digits.lstrip("-").isdigit() and low <= int(digits) <= high:
                return int(digits)
        raise self.wrong(f"a whole number from {low} to {high}")

    def boolean(self) -> bool:
        """`true` or `false`."""
        if self._node[TAG] == "bool":
            return tree.truth(self._node)
        raise self.wrong("true or false")

    def one_of(self, kind: type[_E]) -> _E:
        """A member of `kind`, named by its value."""
        text = self.text()
        try:
            return kind(text)
        except ValueError:
            words = [str(member.value) for member in kind]
        raise self.error(
            "TV1007", f"expected one of {', '.join(words)}, found {shown(text)!r}", _did_you_mean(text, words)
        )

    def plain(self) -> object:
        """The value as plain Python data (dict, list, str, int, float, bool, None), for settings passed through."""
        return _plain(self)


def _plain(value: Value) -> object:
    if value.is_mapping():
        return {name: _plain(member) for name, _, member in value.items()}
    if value.is_list():
        return [_plain(element) for element in value.list()]
    return tree.scalar(value._node)


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name[:100], known, n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known)}."


def parse(text: str, file: str, decode: Callable[[Value], _T]) -> _T:
    """`decode` applied to the one document in `text`; `file` is only for messages. Raises DefinitionError."""
    return decode(Value(tree.compose(text, file), file))


def beginning(path: Path, most: int) -> bytes:
    """What is in a file; of one that is larger than `most` bytes, or has no end, one byte more than that."""
    with path.open("rb") as file:
        return file.read(most + 1)


def read(path: Path, decode: Callable[[Value], _T], until: str | None = None) -> _T:
    """`decode` applied to the YAML file at `path`, or to its members before the one called `until`.

    Raises DefinitionError, also when the file cannot be read.
    """
    try:
        content = beginning(path, tree.MAX_BYTES)
        if len(content) > tree.MAX_BYTES:
            raise tree.too_large(str(path))
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        raise DefinitionError("TV1001", f"cannot read {path}: {reason}", "", Location(str(path), 1, 1)) from None
    root = tree.shipped(path, content)
    if root is None:
        return parse(text.partition(f"\n{until}:")[0] if until else text, str(path), decode)
    return decode(Value(_before(root, until) if until else root, str(path)))


def _before(root: Node, name: str) -> Node:
    names = [key[VALUE] for key, _ in root[VALUE]]
    return (*root[:VALUE], root[VALUE][: names.index(name)]) if name in names else root
