"""Tables, columns and indexes as a SQL engine holds them: the DDL that makes each, and what the catalog then says.

Each SQL engine turns a Definition into this model; the model itself knows no engine and renders nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from toolkit.attributes import FieldType
from toolkit.catalog import Json
from toolkit.definition import Definition, Field, SearchAttribute
from toolkit.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Column:
    """`ddl`: what follows the name in CREATE TABLE; `stored`: a generated column whose values are on disk;
    `source`: the field or attribute it comes from."""

    name: str
    ddl: str
    catalog: Json
    source: str
    generated: bool = False
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """`ddl`: what follows the table's name in CREATE INDEX; `kind`: a word of the engine's own (btree, fulltext, …)."""

    name: str
    ddl: str
    catalog: Json
    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class Table:
    """`catalog` holds what the catalog says besides columns and indexes."""

    name: str
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...]
    catalog: dict[str, Json] = field(default_factory=dict)

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError when there is none."""
        return {c.name: c for c in self.columns}[name]

    def index(self, name: str) -> Index:
        """The index called `name`; KeyError when there is none."""
        return {i.name: i for i in self.indexes}[name]

    def to_json(self) -> Json:
        """The table's part of a catalog."""
        columns: dict[str, Json] = {c.name: c.catalog for c in self.columns}
        indexes: dict[str, Json] = {i.name: i.catalog for i in self.indexes}
        return {**self.catalog, "columns": columns, **({"indexes": indexes} if indexes else {})}


@dataclass(frozen=True, slots=True)
class Layout:
    """All tables of one definition on one engine."""

    tables: tuple[Table, ...]

    def table(self, name: str) -> Table | None:
        """The table called `name`, or None."""
        return next((t for t in self.tables if t.name == name), None)

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables)


def refuse_shared_names(columns: Iterable[Column]) -> None:
    """Raise DefinitionError when two columns of a table have one name; case does not tell them apart."""
    seen: dict[str, str] = {}
    for column in columns:
        name = column.name.lower()
        if name in seen:
            raise DefinitionError("TV1017", f"{column.source!r} and {seen[name]!r} would both be the column {name!r}",
                                  "Rename one of them.")  # fmt: skip
        seen[name] = column.source


def indexed(index: str, name: str, part: Definition) -> Field | SearchAttribute:
    """What `name` among the keys of a composite index is. DefinitionError when `part` has no such thing, or one without
    an end: MySQL makes no index of it, and PostgreSQL then refuses each record that has a long one."""
    found = part.field(name) or part.attribute(name)
    if found is None:
        raise DefinitionError("TV1017", f"index {index!r}: SQL stores have no field {name!r}")
    if found.type in (FieldType.BYTES, FieldType.ATTRIBUTES):
        raise unordered(index, name)
    return found


def unordered(index: str, name: str) -> DefinitionError:
    """That lists, words, and what has no greatest length cannot be a key of a composite index."""
    return DefinitionError("TV1017", f"index {index!r}: {name} has no order to be indexed by")
