"""A Definition as PostgreSQL holds it: table, columns, indexes, and the catalog it then reports.

Pure; the rules are in the profile, the statements in `render`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from toolkit.attributes import Family, snake_case
from toolkit.catalog import Catalog, Json
from toolkit.definition import LIST_ORDER, Definition, Field, SearchAttribute
from toolkit.definition import Index as LogicalIndex
from toolkit.engines.physical import Column, Index, Layout, Table, indexed, refuse_shared_names, unordered
from toolkit.engines.postgresql.render import identifier, literal
from toolkit.engines.postgresql.typemap import IndexKind, Profile

PRIMARY_KEY = ("namespace_id", "run_id")
# Open executions sort before all closed ones: no close time counts as the last moment.
_MAX = "'9999-12-31 23:59:59'"
_ORDER_DDL = (f"(COALESCE(close_time, {_MAX})) DESC", "start_time DESC", "run_id")
_ORDER_CATALOG = (
    f"COALESCE(close_time, {_MAX}::timestamp without time zone) timestamp_ops DESC",
    "start_time timestamp_ops DESC",
    "run_id bpchar_ops",
)
_FUNCTION: Mapping[str, Json] = {
    "language": "plpgsql",
    "returns": "timestamp without time zone",
    "strict": True,
    "volatility": "immutable",
}
EMPTY = Catalog("postgresql", {"extensions": [], "functions": {}, "tables": {}})


def catalog(definition: Definition, rules: Profile) -> Catalog:
    """What a database at `definition` reads back as."""
    tables: dict[str, Json] = {t.name: t.to_json() for t in layout(definition, rules)}
    # The function and the extension came with the first search attributes and serve their columns and indexes.
    searchable = bool(definition.on(Family.SQL).attributes)
    functions: Json = {"convert_ts(s character varying)": dict(_FUNCTION)} if searchable else {}
    extensions: Json = ["btree_gin"] if searchable else []
    return Catalog("postgresql", {"tables": tables, "functions": functions, "extensions": extensions})


def layout(definition: Definition, rules: Profile) -> Layout:
    """The physical form of `definition`. Raises DefinitionError when two things would share a column."""
    part = definition.on(Family.SQL)
    columns = tuple(
        [_field_column(f, rules) for f in part.fields] + [_attribute_column(a, rules) for a in part.attributes]
    )
    refuse_shared_names(columns)
    indexes = [_composite(index, part, rules) for index in part.indexes]
    singles = [(f.name, _field_index(f, f.index, rules)) for f in part.fields if f.index]
    singles += [(a.name, _attribute_index(a, a.index, rules)) for a in part.attributes if a.index]
    columns_of = {c.source: c.name for c in columns}
    indexes += [_partial(i, columns_of[name]) if i.name in part.partial else i for name, i in singles]
    constraint: Json = {
        f"{rules.table}_pkey": {"def": f"PRIMARY KEY ({', '.join(PRIMARY_KEY)})", "type": "primary key"}
    }
    extra: dict[str, Json] = {"primary_key": list(PRIMARY_KEY), "constraints": constraint}
    return Layout((Table(rules.table, columns, tuple(indexes), extra),))


def column_name(name: str, rules: Profile) -> str:
    """The column of a field or attribute: fields are snake_case, attributes keep their word in lower case."""
    return rules.columns.get(name, snake_case(name))


def _field_column(field: Field, rules: Profile) -> Column:
    rule = rules.fields[field.type]
    ddl, seen = rule.type, {"type": rule.reads_as}
    facts: dict[str, Json] = dict(seen)
    if field.required:
        ddl += " NOT NULL"
        facts["not_null"] = True
    if field.default is not None:
        ddl += f" DEFAULT {literal(field.default)}"
        text = literal(field.default)
        facts["default"] = text if isinstance(field.default, int) else f"{text}::{rule.reads_as.partition('(')[0]}"
    return Column(column_name(field.name, rules), ddl, facts, field.name)


def _attribute_column(attribute: SearchAttribute, rules: Profile) -> Column:
    rule = rules.attributes[attribute.type]
    member = literal(attribute.name)
    ddl = f"{rule.type} GENERATED ALWAYS AS ({rule.value.replace('{member}', member)}) STORED"
    facts: Json = {"type": rule.reads_as, "generated": "stored", "expr": rule.expr.replace("{member}", member)}
    return Column(attribute.name.lower(), ddl, facts, attribute.name, generated=True, stored=True)


def _composite(index: LogicalIndex, part: Definition, rules: Profile) -> Index:
    ddl: list[str] = []
    keys: list[Json] = []
    for key in index.keys:
        if key.field == LIST_ORDER:
            ddl += _ORDER_DDL
            keys += _ORDER_CATALOG
            continue
        column, operators = _keyed(index.name, key.field, part, rules)
        down = " DESC" if key.descending else ""
        ddl.append(f"{identifier(column)}{down}")
        keys.append(f"{column} {operators}{down}")
    return Index(index.name, f"({', '.join(ddl)})", _btree(keys), "btree", index.name)


def _keyed(index: str, name: str, part: Definition, rules: Profile) -> tuple[str, str]:
    """Column and operator class of a field or attribute in a composite index."""
    found = indexed(index, name, part)
    if isinstance(found, Field):
        return column_name(found.name, rules), rules.fields[found.type].operators
    rule = rules.attributes[found.type]
    if rule.index is not IndexKind.ORDERED:
        raise unordered(index, name)
    return found.name.lower(), rule.operators


def _field_index(field: Field, name: str, rules: Profile) -> Index:
    return _ordered(name, column_name(field.name, rules), rules.fields[field.type].operators, field.name)


def _attribute_index(attribute: SearchAttribute, name: str, rules: Profile) -> Index:
    rule, column = rules.attributes[attribute.type], attribute.name.lower()
    match rule.index:
        case IndexKind.ORDERED:
            return _ordered(name, column, rule.operators, attribute.name)
        case IndexKind.GIN:
            operators = f" {rule.operators}" if rule.operators == "jsonb_path_ops" else ""
            keys: list[Json] = ["namespace_id bpchar_ops", f"{column} {rule.operators}"]
            facts: Json = {"method": "gin", "keys": keys, "valid": True}
            return Index(
                name, f"USING GIN (namespace_id, {identifier(column)}{operators})", facts, "gin", attribute.name
            )


def _partial(index: Index, column: str) -> Index:
    """The index over the records that have a value only; comparisons imply that, so queries use it all the same."""
    facts = index.catalog if isinstance(index.catalog, dict) else {}
    ddl = f"{index.ddl} WHERE {identifier(column)} IS NOT NULL"
    return replace(index, ddl=ddl, catalog={**facts, "predicate": f"({column} IS NOT NULL)"})


def _ordered(name: str, column: str, operators: str, source: str) -> Index:
    ddl = f"({', '.join(('namespace_id', identifier(column), *_ORDER_DDL))})"
    keys: list[Json] = ["namespace_id bpchar_ops", f"{column} {operators}", *_ORDER_CATALOG]
    return Index(name, ddl, _btree(keys), "btree", source)


def _btree(keys: list[Json]) -> Json:
    return {"method": "btree", "keys": keys, "valid": True}
