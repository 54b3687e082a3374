"""Saved filters: does each still parse, mean the same, and find an index, in another version or on another engine?

Files are read here and nowhere else in this package; what is judged are values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from toolkit import document
from toolkit.attributes import Family
from toolkit.check.findings import Finding, Place
from toolkit.check.meaning import REASONS, differences
from toolkit.compat import Severity
from toolkit.definition import Definition
from toolkit.document import Value
from toolkit.engines import Engine
from toolkit.engines.asking import with_named
from toolkit.engines.filtering import filters, meaning
from toolkit.errors import FilterError, UsageError
from toolkit.query import check
from toolkit.query.scope import Scope, unknown
from toolkit.query.semantics import Semantics
from toolkit.query.tree import Filter, columns

_MAX_BYTES = 4 * 1024 * 1024
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Saved:
    """A filter somebody kept: `name` is its own, or its line's number; `begins`: the column where its text begins,
    counted from 1, None where it may be written over several lines."""

    name: str
    text: str
    place: Place
    begins: int | None = None


@dataclass(frozen=True, slots=True)
class World:
    """Where filters are asked: a version on an engine, a namespace's own names, a meaning (`engine` or `common`).
    `seen`: the definition is what a live store has, so that it names all attributes of the store's users."""

    engine: Engine
    definition: Definition
    aliases: Mapping[str, str] = field(default_factory=dict)
    wanted_meaning: str = "engine"
    seen: bool = False

    @property
    def semantics(self) -> Semantics:
        """What comparisons mean there."""
        return meaning(self.wanted_meaning, filters(self.engine.NAME))

    def scope(self) -> Scope:
        """The names there. An alias of what is not there is left out: filters that use it are wrong there, unless the
        store has an attribute of that name."""
        found = Scope.of(self._whole(), self.engine.FAMILY)
        return replace(found, aliases={name: meant for name, meant in self.aliases.items() if meant in found.columns})

    def knows(self, name: str) -> bool:
        """Whether an alias can stand for `name`: the version has it here, or at least on another engine."""
        scope = Scope.of(self.definition, self.engine.FAMILY)
        return name in scope.columns or any(a.name == name for a in self.definition.attributes)

    def _whole(self) -> Definition:
        return with_named(self.definition, self.engine.FAMILY, self.aliases, self.seen)

    def indexed(self) -> frozenset[str]:
        """Names of fields and attributes that have an index of their own; a search engine indexes every field."""
        part = self._whole().on(self.engine.FAMILY)
        named = {f.name for f in part.fields if f.index} | {a.name for a in part.attributes if a.index}
        first = {key.field for index in part.indexes for key in index.keys[:1]}
        everything = {f.name for f in part.fields} | {a.name for a in part.attributes}
        return frozenset(everything if self.engine.FAMILY is Family.ELASTICSEARCH else named | first | _ORDERED)

    def serves(self, found: Filter) -> bool:
        """Whether some index narrows the search for `found` down."""
        indexed = self.indexed()
        return any(column.name in indexed for column in columns(found.condition))


# The list order begins with these, and every store has an index in list order, or keys in it.
_ORDERED = frozenset({"CloseTime", "StartTime"})


def read(path: Path) -> tuple[Saved, ...]:
    """The filters in a file: YAML of `name: filter` when it ends in .yaml or .yml, else one a line, without blank lines
    and lines that begin with #. Raises DefinitionError or UsageError."""
    if path.suffix.lower() in (".yaml", ".yml"):
        return document.read(path, lambda root: tuple(_named(root, str(path))))
    try:
        content = document.beginning(path, _MAX_BYTES)
        # Editors on Windows begin a file with a mark that is no part of the first filter.
        text = content.decode("utf-8-sig") if len(content) <= _MAX_BYTES else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("TV8111", f"{path}: {error}", "A text file in UTF-8 with a filter a line, or YAML.") from None
    if len(content) > _MAX_BYTES:
        raise UsageError("TV8111", f"{path} is larger than {_MAX_BYTES} bytes", "Check it in parts.")
    # Lines as editors and CI servers count them: other signs that end one for Unicode may stand in a filter's text.
    lines = ((number, line, line.strip()) for number, line in enumerate(_LINE_END.split(text), 1))
    return tuple(
        Saved(f"line {number}", found, Place(str(path), number), line.index(found) + 1)
        for number, line, found in lines
        if found and not found.startswith("#")
    )


def _named(root: Value, file: str) -> Iterator[Saved]:
    for name, key, value in root.items():
        yield Saved(name, value.text(), Place(file, key.location.line))


def refuse_unknown(worlds: Iterable[World]) -> None:
    """Raises UsageError when an alias stands for what none of `worlds` knows."""
    known = tuple(worlds)
    where = " or ".join(f"version {world.definition.version} on {world.engine.NAME}" for world in known)
    for world in known:
        for alias, meant in world.aliases.items():
            if not any(each.knows(meant) for each in known):
                raise unknown(alias, meant, where)


def judge(saved: Saved, before: World | None, after: World) -> Iterator[Finding]:
    """What happens to one filter on the way to `after`; without `before`, whether it is right there at all."""
    was = _parsed(saved, before) if before is not None else None
    now = _parsed(saved, after)
    if isinstance(now, FilterError):
        yield _broken(saved, now, after, isinstance(was, FilterError))
        return
    if before is not None and isinstance(was, Filter):
        yield from _changed(saved, was, now, before, after)
    named = list(columns(now.condition))
    if named and not after.serves(now):
        yield _unserved(saved, now, after, before is not None and isinstance(was, Filter) and before.serves(was))


def _unserved(saved: Saved, now: Filter, after: World, had_one: bool) -> Finding:
    listed = ", ".join(dict.fromkeys(c.shown for c in columns(now.condition)))
    code, severity, more = ("TV8122", Severity.REINDEX, " any more") if had_one else ("TV8123", Severity.METADATA, "")
    hint = "Add a condition on an indexed attribute, or an index."
    message = f"no index serves it{more} ({listed})"
    return Finding(code, severity, saved.name, message, hint, after.engine.NAME, saved.text, saved.place)


def _parsed(saved: Saved, world: World) -> Filter | FilterError:
    try:
        return check.parse(saved.text, world.scope())
    except FilterError as error:
        return error


def _broken(saved: Saved, error: FilterError, after: World, before_too: bool) -> Finding:
    """The place in a YAML file is that of the name: a filter there may be written over several lines."""
    place = saved.place
    if saved.begins is not None:
        place = Place(place.file, place.line, saved.begins + error.start)
    code, also = ("TV8121", ", and was before, too") if before_too else ("TV8120", "")
    message = f"it is wrong in version {after.definition.version}{also}: {error.message} ({error.code})"
    return Finding(code, Severity.REFUSED, saved.name, message, error.hint, after.engine.NAME, saved.text, place)


def _changed(saved: Saved, was: Filter, now: Filter, before: World, after: World) -> Iterator[Finding]:
    kinds = {c.shown: c.kind for c in columns(was.condition)}
    for column in dict.fromkeys(columns(now.condition)):
        if kinds.get(column.shown, column.kind) is not column.kind:
            message = f"{column.shown} was {kinds[column.shown].value} and is {column.kind.value}"
            yield Finding("TV8124", Severity.LOSSY, saved.name, message, "Look at what the filter asks of it.",
                          after.engine.NAME, saved.text, saved.place)  # fmt: skip
    for code in differences(now, before.semantics, after.semantics):
        yield Finding(code, Severity.LOSSY, saved.name, f"it does not mean the same: {REASONS[code]}",
                      "Ask with `--semantics common`, or write the filter so that both agree.",
                      after.engine.NAME, saved.text, saved.place)  # fmt: skip
