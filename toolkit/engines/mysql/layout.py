"""A Definition as MySQL holds it: tables, columns, indexes, and the catalog it then reports.

Pure; the rules are in the profile, the statements in `render`.
"""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.attributes import Family, snake_case
from toolkit.catalog import Catalog, Json
from toolkit.definition import LIST_ORDER, Definition, Field, SearchAttribute
from toolkit.definition import Index as LogicalIndex
from toolkit.engines.mysql import limits
from toolkit.engines.mysql.render import identifier, literal, member
from toolkit.engines.mysql.typemap import IndexKind, Profile, TableRule
from toolkit.engines.physical import Column, Index, Layout, Table, indexed, refuse_shared_names, unordered
from toolkit.errors import DefinitionError

PRIMARY_KEY = ("namespace_id", "run_id")
# The collation MySQL 8 and 9 give to a utf8mb4 database; a table that has its database's own is said to have this one.
COLLATION = "utf8mb4_0900_ai_ci"
# Open executions sort before all closed ones: no close time counts as the last moment.
_MAX = "'9999-12-31 23:59:59'"
_ORDER_DDL = (f"(COALESCE(`close_time`, CAST({_MAX} AS DATETIME))) DESC", "`start_time` DESC", "`run_id`")
_ORDER_CATALOG = (f"coalesce(`close_time`,cast({_MAX} as datetime)) DESC", "`start_time` DESC", "`run_id`")
EMPTY = Catalog("mysql", {"tables": {}})


def catalog(definition: Definition, rules: Profile) -> Catalog:
    """What a database at `definition` reads back as."""
    tables: dict[str, Json] = {t.name: t.to_json() for t in layout(definition, rules)}
    return Catalog("mysql", {"tables": tables})


def layout(definition: Definition, rules: Profile) -> Layout:
    """The physical form of `definition`. Raises DefinitionError when MySQL cannot hold it."""
    part = definition.on(Family.SQL)
    tables = [_table(rule, part, rules) for rule in rules.tables if _exists(rule, part)]
    return Layout(tuple(tables))


def _exists(rule: TableRule, part: Definition) -> bool:
    return rule.fields is None or any(a.group is rule.group for a in part.attributes)


def _table(rule: TableRule, part: Definition, rules: Profile) -> Table:
    fields = [f for f in part.fields if rule.fields is None or f.name in rule.fields]
    attributes = [a for a in part.attributes if a.group is rule.group]
    columns = [_field_column(f, rules) for f in fields] + [_attribute_column(a, rules) for a in attributes]
    indexes = [_attribute_index(a, a.index, rule, rules) for a in attributes if a.index]
    if rule.fields is None:
        composites = [_composite(index, part, rules) for index in part.indexes]
        singles = [_plain(f.index, column_name(f.name, rules), rule, f.name) for f in fields if f.index]
        indexes = [*composites, *singles, *indexes]
    refuse_shared_names(columns)
    facts: dict[str, Json] = {"engine": "InnoDB", "collation": COLLATION, "primary_key": list(PRIMARY_KEY)}
    table = Table(rule.name, tuple(columns), tuple(indexes), facts)
    limits.check(table)
    return table


def column_name(name: str, rules: Profile) -> str:
    """The column of a field; an attribute's column has the attribute's own name."""
    return rules.columns.get(name, snake_case(name))


def _field_column(field: Field, rules: Profile) -> Column:
    rule = rules.fields[field.type]
    ddl = rule.type
    facts: dict[str, Json] = {"type": rule.reads_as}
    if field.required:
        ddl += " NOT NULL"
        facts["not_null"] = True
    if field.default is not None:
        ddl += f" DEFAULT {literal(field.default)}"
        facts["default"] = str(field.default)
    return Column(column_name(field.name, rules), ddl, facts, field.name)


def _attribute_column(attribute: SearchAttribute, rules: Profile) -> Column:
    rule = rules.attributes[attribute.type]
    place = literal(member(attribute.name))
    kind = "stored" if rule.stored else "virtual"
    ddl = f"{rule.type} GENERATED ALWAYS AS ({rule.value.replace('{member}', place)}) {kind.upper()}"
    facts: Json = {"type": rule.reads_as, "generated": kind, "expr": rule.expr.replace("{member}", place)}
    return Column(attribute.name, ddl, facts, attribute.name, generated=True, stored=rule.stored)


def _composite(index: LogicalIndex, part: Definition, rules: Profile) -> Index:
    ddl: list[str] = []
    keys: list[str] = []
    for key in index.keys:
        if key.field == LIST_ORDER:
            ddl += _ORDER_DDL
            keys += _ORDER_CATALOG
            continue
        text = identifier(_keyed(index.name, key.field, part, rules)) + (" DESC" if key.descending else "")
        ddl.append(text)
        keys.append(text)
    return _btree(index.name, ddl, keys, index.name)


def _keyed(index: str, name: str, part: Definition, rules: Profile) -> str:
    """The column of a field or attribute in a composite index, which is one of the main table's."""
    found = indexed(index, name, part)
    if isinstance(found, Field):
        return column_name(found.name, rules)
    main = next(rule for rule in rules.tables if rule.fields is None)
    if found.group is not main.group:
        raise DefinitionError("TV1017", f"index {index!r}: on MySQL {name} is in another table than the fields")
    if rules.attributes[found.type].index is not IndexKind.PLAIN:
        raise unordered(index, name)
    return found.name


def _attribute_index(attribute: SearchAttribute, name: str, rule: TableRule, rules: Profile) -> Index:
    column = identifier(attribute.name)
    match rules.attributes[attribute.type].index:
        case IndexKind.FULLTEXT:
            return Index(name, f"({column})", {"type": "FULLTEXT", "keys": [column]}, "fulltext", attribute.name)
        case IndexKind.LIST:
            ddl, key = f"(CAST({column} AS CHAR(255) ARRAY))", f"cast({column} as char(255) array)"
            return _btree(name, *_with_order(ddl, key, rule), attribute.name, multi_valued=True)
        case IndexKind.PLAIN:
            return _plain(name, attribute.name, rule, attribute.name)


def _plain(name: str, column: str, rule: TableRule, source: str) -> Index:
    key = identifier(column)
    return _btree(name, *_with_order(key, key, rule), source)


def _with_order(ddl: str, key: str, rule: TableRule) -> tuple[list[str], list[str]]:
    """Namespace, column and, where the table's rule says so, the list order: as DDL and as catalog keys."""
    if not rule.ordered:
        return ["`namespace_id`", ddl], ["`namespace_id`", key]
    return ["`namespace_id`", ddl, *_ORDER_DDL], ["`namespace_id`", key, *_ORDER_CATALOG]


def _btree(name: str, ddl: Sequence[str], keys: Sequence[str], source: str, multi_valued: bool = False) -> Index:
    """`kind` is functional when a key is an expression: such an index has a hidden virtual column."""
    facts: dict[str, Json] = {"type": "BTREE", "keys": list(keys)}
    if multi_valued:
        facts["multi_valued"] = True
    kind = "functional" if any(is_expression(key) for key in keys) else "btree"
    return Index(name, f"({', '.join(ddl)})", facts, kind, source)


def is_expression(key: str) -> bool:
    """Whether a key of an index, as the catalog spells it, is an expression and not a column."""
    return not key.startswith("`")
