"""YAML text → a tree of nodes that know their place, and the trees of the project's own files, made when it is built.

The only module that knows YAML, and it imports it only for a text that no such tree is of; it judges no meaning.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from toolkit.errors import DefinitionError, Location, ToolkitError
from toolkit.resources import schema_dir

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
# A file below `schema/` that holds the trees of the YAML files there, each beside the hash of its text.
TREES = "trees.json"
MAP, SEQ = "map", "seq"
_PREFIX = "tag:yaml.org,2002:"
_TAGS = frozenset({MAP, SEQ, "str", "int", "float", "bool", "null", "timestamp", "merge", "value"})


# Tag, line, column, value: a text; of a `seq` its nodes, of a `map` pairs of nodes. As JSON has it, so that trees which
# were read need no copy.
Node: TypeAlias = Sequence[Any]
TAG, LINE, COLUMN, VALUE = range(4)


def too_large(file: str) -> DefinitionError:
    """The error of a document of more than `MAX_BYTES`."""
    return DefinitionError("TV1001", f"the file is larger than {MAX_BYTES} bytes", "", Location(file, 1, 1))


def compose(text: str, file: str) -> Node:
    """The one document in `text`; `file` is only for messages. Raises DefinitionError."""
    if len(text) > MAX_BYTES:
        raise too_large(file)
    import yaml

    try:
        root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if root is None:
            raise DefinitionError("TV1002", "the file is empty", "", Location(file, 1, 1))
        return _node(root, file, 0, set())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Location(file, mark.line + 1, mark.column + 1) if mark else Location(file, 1, 1)
        raise DefinitionError("TV1002", f"not valid YAML: {error.problem or error.context}", "", place) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DefinitionError("TV1002", f"not valid YAML: {str(error)[:200]}", "", Location(file, 1, 1)) from None


def _node(node: yaml.Node, file: str, depth: int, seen: set[int]) -> Node:
    """Anchors and aliases (hence cycles and explosions), and nesting without end, are refused."""
    import yaml

    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    place, tag = Location(file, line, column), node.tag.removeprefix(_PREFIX)
    if id(node) in seen:
        raise DefinitionError("TV1008", "anchors and aliases are not allowed here", "Write the value out.", place)
    if depth > MAX_DEPTH:
        raise DefinitionError("TV1008", f"nested deeper than {MAX_DEPTH} levels", "", place)
    if tag not in _TAGS or (tag in (MAP, SEQ) and isinstance(node, yaml.ScalarNode)):
        raise DefinitionError("TV1008", f"the tag {node.tag[:60]!r} is not allowed here", "Write plain YAML.", place)
    seen.add(id(node))
    # What tags say of a mapping or a list that is none would only confuse who reads it.
    match node:
        case yaml.MappingNode():
            pairs = [(_node(k, file, depth + 1, seen), _node(v, file, depth + 1, seen)) for k, v in node.value]
            return (MAP, line, column, pairs)
        case yaml.SequenceNode():
            return (SEQ, line, column, [_node(element, file, depth + 1, seen) for element in node.value])
        case _:
            return (tag, line, column, node.value)


def scalar(node: Node) -> object:
    """What a value that is neither mapping nor list means to YAML: text, number, truth value, time or None."""
    tag, value = node[TAG], str(node[VALUE])
    match tag:
        case "str":
            return value
        case "null":
            return None
        case "bool":
            return truth(node)
        case "int" if value.isdecimal() and not value.startswith("0"):
            return int(value)
        case _:
            pass
    import yaml

    return yaml.SafeLoader("").construct_object(yaml.ScalarNode(_PREFIX + tag, value))


def truth(node: Node) -> bool:
    """What a `bool` says."""
    return str(node[VALUE]).lower() in ("true", "yes", "on")


def shipped(path: Path, content: bytes) -> Node | None:
    """The tree of a file below `schema/`; None where none is known, or the file is not what the tree was made of."""
    try:
        name = path.relative_to(schema_dir()).as_posix()
    except (ValueError, ToolkitError):
        return None
    known = _trees().get(name)
    return known["root"] if known and known["sha256"] == _hash(content) else None


@cache
def _trees() -> Mapping[str, Any]:
    try:
        found = json.loads((schema_dir() / TREES).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def trees(files: Mapping[str, bytes]) -> str:
    """The text of `schema/trees.json`: path below `schema/` → hash of the file, and its tree."""
    found = {
        name: {"sha256": _hash(content), "root": compose(content.decode("utf-8"), name)}
        for name, content in sorted(files.items())
    }
    lines = (
        f"{json.dumps(name)}: {json.dumps(one, ensure_ascii=False, separators=(',', ':'))}"
        for name, one in found.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
