"""A YAML document whose every value knows its place, so that errors can point at file, line and column.

The only module that knows YAML; it checks shapes (mapping, text, one of these words), never meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import TypeVar

import yaml

from toolkit.errors import DefinitionError, Location

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAGS = frozenset({"map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value"})
_E = TypeVar("_E", bound=Enum)
_T = TypeVar("_T")


class Value:
    """One value of a document: ask it for what you expect; it answers or raises DefinitionError with its place."""

    def __init__(self, node: yaml.Node, file: str, path: str = "") -> None:
        self._node = node
        self._file = file
        self.path = path

    @property
    def location(self) -> Location:
        """Where the value begins."""
        mark = self._node.start_mark
        return Location(self._file, mark.line + 1, mark.column + 1)

    def error(self, code: str, message: str, hint: str = "") -> DefinitionError:
        """A DefinitionError at this place, to be raised by the caller."""
        where = f"{self.path}: " if self.path else ""
        return DefinitionError(code, f"{where}{message}", hint, self.location)

    def wrong(self, expected: str) -> DefinitionError:
        """The error for a value of the wrong shape."""
        return self.error("TV1003", f"expected {expected}, found {self._found()}")

    def _found(self) -> str:
        match self._node:
            case yaml.MappingNode():
                return "a mapping"
            case yaml.SequenceNode():
                return "a list"
            case yaml.ScalarNode(tag=tag, value=str(value)):
                kinds = {"null": "nothing", "int": "the number", "float": "the number", "bool": "the word"}
                kind = kinds.get(tag.rpartition(":")[2], "")
                return kind if kind == "nothing" else f"{kind} {value[:60]!r}".strip()
            case _:
                return "something else"

    def is_mapping(self) -> bool:
        """Whether the value is a mapping."""
        return isinstance(self._node, yaml.MappingNode)

    def is_list(self) -> bool:
        """Whether the value is a list."""
        return isinstance(self._node, yaml.SequenceNode)

    def is_null(self) -> bool:
        """Whether the value is YAML's null."""
        return isinstance(self._node, yaml.ScalarNode) and self._node.tag.endswith(":null")

    def items(self) -> Iterator[tuple[str, Value, Value]]:
        """The members of a mapping: (key, the key's own place, value); a key given twice is an error."""
        if not isinstance(self._node, yaml.MappingNode):
            raise self.wrong("a mapping")
        seen: set[str] = set()
        for key_node, value_node in self._node.value:
            key = Value(key_node, self._file, self.path)
            name = key.text()
            if name in seen:
                raise key.error("TV1004", f"{name[:60]!r} is given twice")
            seen.add(name)
            shown = f"{self.path}.{name[:60]}" if self.path else name[:60]
            key.path = shown
            yield name, key, Value(value_node, self._file, shown)

    def members(self, required: Sequence[str] = (), optional: Sequence[str] = ()) -> dict[str, Value]:
        """A mapping with exactly these keys allowed; unknown and missing ones are errors."""
        found: dict[str, Value] = {}
        known = [*required, *optional]
        for name, key, value in self.items():
            if name not in known:
                raise key.error("TV1005", f"unknown key {name[:60]!r}", _did_you_mean(name, known))
            found[name] = value
        missing = [name for name in required if name not in found]
        if missing:
            raise self.error("TV1006", f"missing key {missing[0]!r}")
        return found

    def list(self) -> list[Value]:
        """The elements of a list."""
        if not isinstance(self._node, yaml.SequenceNode):
            raise self.wrong("a list")
        return [Value(n, self._file, f"{self.path}[{i}]") for i, n in enumerate(self._node.value)]

    def text(self) -> str:
        """A text. A number or another plain word must be quoted to count as text."""
        if isinstance(self._node, yaml.ScalarNode) and self._node.tag.endswith(":str"):
            return str(self._node.value)
        raise self.wrong("a text")

    def integer(self, low: int = -(2**63), high: int = 2**63 - 1) -> int:
        """A whole number within [low, high]."""
        if isinstance(self._node, yaml.ScalarNode) and self._node.tag.endswith(":int"):
            digits = self._node.value
            if len(digits) <= 20 and digits.lstrip("-").isdigit() and low <= int(digits) <= high:
                return int(digits)
        raise self.wrong(f"a whole number from {low} to {high}")

    def boolean(self) -> bool:
        """`true` or `false`."""
        if isinstance(self._node, yaml.ScalarNode) and self._node.tag.endswith(":bool"):
            return self._node.value.lower() in ("true", "yes", "on")
        raise self.wrong("true or false")

    def one_of(self, kind: type[_E]) -> _E:
        """A member of `kind`, named by its value."""
        text = self.text()
        for member in kind:
            if member.value == text:
                return member
        words = [str(member.value) for member in kind]
        raise self.error(
            "TV1007", f"expected one of {', '.join(words)}, found {text[:60]!r}", _did_you_mean(text, words)
        )

    def plain(self) -> object:
        """The value as plain Python data (dict, list, str, int, float, bool, None), for settings passed through."""
        return _plain(self)


def _plain(value: Value) -> object:
    if value.is_mapping():
        return {name: _plain(member) for name, _, member in value.items()}
    if value.is_list():
        return [_plain(element) for element in value.list()]
    node = value._node
    return yaml.SafeLoader("").construct_object(node) if isinstance(node, yaml.ScalarNode) else None


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name[:100], known, n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known)}."


def parse(text: str, file: str, decode: Callable[[Value], _T]) -> _T:
    """`decode` applied to the one document in `text`; `file` is only for messages. Raises DefinitionError."""
    if len(text) > MAX_BYTES:
        raise DefinitionError("TV1001", f"the file is larger than {MAX_BYTES} bytes", "", Location(file, 1, 1))
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is None:
            raise DefinitionError("TV1002", "the file is empty", "", Location(file, 1, 1))
        _refuse_sharing(node, file, 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Location(file, mark.line + 1, mark.column + 1) if mark else Location(file, 1, 1)
        raise DefinitionError("TV1002", f"not valid YAML: {error.problem or error.context}", "", place) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DefinitionError("TV1002", f"not valid YAML: {str(error)[:200]}", "", Location(file, 1, 1)) from None
    return decode(Value(node, file))


def _refuse_sharing(node: yaml.Node, file: str, depth: int, seen: set[int] | None = None) -> None:
    """Anchors and aliases (hence cycles and explosions), and nesting without end, are refused."""
    seen = set() if seen is None else seen
    if id(node) in seen:
        raise Value(node, file).error("TV1008", "anchors and aliases are not allowed here", "Write the value out.")
    if depth > MAX_DEPTH:
        raise Value(node, file).error("TV1008", f"nested deeper than {MAX_DEPTH} levels")
    if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
        raise Value(node, file).error("TV1008", f"the tag {node.tag[:60]!r} is not allowed here", "Write plain YAML.")
    seen.add(id(node))
    match node:
        case yaml.MappingNode(value=pairs):
            for key, value in pairs:
                _refuse_sharing(key, file, depth + 1, seen)
                _refuse_sharing(value, file, depth + 1, seen)
        case yaml.SequenceNode(value=elements):
            for element in elements:
                _refuse_sharing(element, file, depth + 1, seen)
        case _:
            pass


def read(path: Path, decode: Callable[[Value], _T], until: str | None = None) -> _T:
    """`decode` applied to the YAML file at `path`, or to what comes before the first line that begins with `until`.

    Raises DefinitionError, also when the file cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        raise DefinitionError("TV1001", f"cannot read {path}: {reason}", "", Location(str(path), 1, 1)) from None
    return parse(text.partition(f"\n{until}")[0] if until else text, str(path), decode)
