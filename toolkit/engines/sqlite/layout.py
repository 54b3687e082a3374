"""A Definition as SQLite holds it: table, columns, indexes, full-text tables, triggers, and the catalog of all that.

Pure; the rules are in the profile, the statements in `render`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from toolkit.attributes import Family, snake_case
from toolkit.catalog import Catalog, Json
from toolkit.definition import LIST_ORDER, Definition, Field, SearchAttribute
from toolkit.definition import Index as LogicalIndex
from toolkit.engines.physical import Column, Index, Layout, Table, indexed, unordered
from toolkit.engines.sqlite.render import identifier, literal, path
from toolkit.engines.sqlite.search import SearchTable
from toolkit.engines.sqlite.typemap import IndexKind, Profile
from toolkit.errors import DefinitionError

PRIMARY_KEY = ("namespace_id", "run_id")
# Open executions sort before all closed ones: no close time counts as the last moment.
_OPEN = "COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC"
_ORDER = (_OPEN, "start_time DESC", "run_id")
# SQLite uses these names for itself, FTS5 one more.
_TAKEN = frozenset({"rowid", "oid", "_rowid_"})
_TAKEN_IN_SEARCHES = "rank"
EMPTY = Catalog("sqlite", {"tables": {}, "triggers": {}, "virtual_tables": {}})


@dataclass(frozen=True, slots=True)
class SqliteLayout:
    """The tables, and what stands beside them."""

    tables: Layout
    searches: tuple[SearchTable, ...]
    triggers: tuple[str, ...]


def catalog(definition: Definition, rules: Profile) -> Catalog:
    """What a file at `definition` reads back as."""
    form = layout(definition, rules)
    tables: dict[str, Json] = {t.name: t.to_json() for t in form.tables}
    searches: dict[str, Json] = {s.name: s.to_json() for s in form.searches}
    events = zip(form.triggers, ("INSERT", "UPDATE", "DELETE"), strict=False)
    triggers: dict[str, Json] = {n: {"table": rules.table, "timing": "AFTER", "event": event} for n, event in events}
    return Catalog("sqlite", {"tables": tables, "virtual_tables": searches, "triggers": triggers})


def layout(definition: Definition, rules: Profile) -> SqliteLayout:
    """The physical form of `definition`. Raises DefinitionError when SQLite cannot hold it."""
    part = definition.on(Family.SQL)
    columns = tuple(
        [_field_column(f, rules) for f in part.fields] + [_attribute_column(a, rules) for a in part.attributes]
    )
    searches = _searches(part, rules)
    _refuse_bad_names(columns, {column for search in searches for column in search.columns})
    indexes = [_composite(index, part, rules) for index in part.indexes]
    indexes += [_ordered(f.index, column_name(f.name, rules), f.name) for f in part.fields if f.index]
    indexes += [
        _ordered(a.index, a.name, a.name)
        for a in part.attributes
        if a.index and rules.rule(a).index is IndexKind.ORDERED
    ]
    columns_of = {c.source: c.name for c in columns}
    indexes = [_partial(i, columns_of[i.source]) if i.name in part.partial else i for i in indexes]
    table = Table(rules.table, columns, tuple(indexes), {"primary_key": list(PRIMARY_KEY)})
    names = (rules.triggers.insert, rules.triggers.update, rules.triggers.delete) if searches else ()
    return SqliteLayout(Layout((table,)), searches, names)


def column_name(name: str, rules: Profile) -> str:
    """The column of a field; an attribute's column has the attribute's own name."""
    return rules.columns.get(name, snake_case(name))


def _field_column(field: Field, rules: Profile) -> Column:
    ddl = rules.fields[field.type]
    facts: dict[str, Json] = {"type": ddl}
    if field.required:
        ddl += " NOT NULL"
        facts["not_null"] = True
    if field.default is not None:
        ddl += f" DEFAULT {literal(field.default)}"
        facts["default"] = literal(field.default)
    return Column(column_name(field.name, rules), ddl, facts, field.name)


def _attribute_column(attribute: SearchAttribute, rules: Profile) -> Column:
    rule = rules.rule(attribute)
    expr = rule.value.replace("{path}", path(attribute.name))
    kind = "stored" if rule.stored else "virtual"
    facts: Json = {"type": rule.type, "generated": kind, "expr": expr}
    ddl = f"{rule.type} GENERATED ALWAYS AS ({expr}) {kind.upper()}"
    return Column(attribute.name, ddl, facts, attribute.name, generated=True, stored=rule.stored)


def _composite(index: LogicalIndex, part: Definition, rules: Profile) -> Index:
    ddl: list[str] = []
    keys: list[Json] = []
    for key in index.keys:
        if key.field == LIST_ORDER:
            ddl += _ORDER
            keys += _ORDER
            continue
        column, down = _keyed(index.name, key.field, part, rules), " DESC" if key.descending else ""
        ddl.append(f"{identifier(column)}{down}")
        keys.append(f"{column}{down}")
    return Index(index.name, f"({', '.join(ddl)})", {"keys": keys}, "btree", index.name)


def _keyed(index: str, name: str, part: Definition, rules: Profile) -> str:
    """The column of a field or attribute in a composite index."""
    found = indexed(index, name, part)
    if isinstance(found, Field):
        return column_name(found.name, rules)
    if rules.rule(found).index is not IndexKind.ORDERED:
        raise unordered(index, name)
    return found.name


def _partial(index: Index, column: str) -> Index:
    """The index over the records that have a value only; comparisons imply that, so queries use it all the same."""
    facts = index.catalog if isinstance(index.catalog, dict) else {}
    ddl = f"{index.ddl} WHERE {identifier(column)} IS NOT NULL"
    return replace(index, ddl=ddl, catalog={**facts, "predicate": f"{column} IS NOT NULL"})


def _ordered(name: str, column: str, source: str) -> Index:
    keys: list[Json] = ["namespace_id", column, *_ORDER]
    return Index(name, f"({', '.join(('namespace_id', identifier(column), *_ORDER))})", {"keys": keys}, "btree", source)


def _searches(part: Definition, rules: Profile) -> tuple[SearchTable, ...]:
    found = []
    for rule in rules.search:
        columns = tuple(a.name for a in part.attributes if a.type is rule.type)
        if columns:
            found.append(SearchTable(rule.name, columns, rules.table, rule.tokenizer))
    return tuple(found)


def _refuse_bad_names(columns: tuple[Column, ...], searched: set[str]) -> None:
    """SQLite does not tell upper from lower case in names."""
    seen: dict[str, str] = {}
    for column in columns:
        name = column.name.lower()
        if name in _TAKEN or (name == _TAKEN_IN_SEARCHES and column.name in searched):
            raise DefinitionError("TV1020", f"{column.source!r}: SQLite keeps this name for itself", "Rename it.")
        if name in seen:
            raise DefinitionError(
                "TV1017",
                f"{column.source!r} and {seen[name]!r} would both be the column {column.name!r}",
                "Rename one of them.",
            )
        seen[name] = column.source
