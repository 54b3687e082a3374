"""A Definition as ClickHouse holds it: tables, columns, skip indexes, and the catalog it then reports.

Pure; the rules are in the profile, the statements in `render`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from toolkit.attributes import Family, FieldType, snake_case
from toolkit.catalog import Catalog, Json
from toolkit.definition import Definition, Field
from toolkit.engines.clickhouse import render
from toolkit.engines.clickhouse.render import identifier, literal
from toolkit.engines.clickhouse.typemap import ColumnRule, Profile
from toolkit.engines.physical import Column, Index, Table
from toolkit.errors import DefinitionError
from toolkit.overlay import ClickHouseSettings

EMPTY = Catalog("clickhouse", {"tables": {}})
# Parts of a table's catalog that no statement can change once there are rows.
FIXED = ("engine", "replicated", "order_by", "primary_key", "partition_by", "sample_by")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how the tables stand: on which cluster, with which time to live in days, on which storage policy.
    `own_ttl`: a time to live of the operator's own, as the server spells it, where `ttl_days` is None; `own_settings`:
    a table's own, spelled likewise, where no version has one of that name."""

    cluster: str | None = None
    ttl_days: str | None = None
    storage_policy: str | None = None
    replication: tuple[str, str] | None = None
    own_ttl: str | None = None
    own_settings: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(settings: ClickHouseSettings) -> Placement:
        """The operator's wishes."""
        days = None if settings.ttl_days is None else str(settings.ttl_days)
        named = settings.keeper_path is not None and settings.replica is not None
        replication = (settings.keeper_path or "", settings.replica or "") if named else None
        return Placement(settings.cluster, days, settings.storage_policy, replication)


ALONE = Placement()


@dataclass(frozen=True, slots=True)
class Placed:
    """A table and the clauses that follow its columns in CREATE TABLE; `stores` is false when it only passes on."""

    table: Table
    clauses: str
    stores: bool


def catalog(definition: Definition, rules: Profile, placement: Placement = ALONE) -> Catalog:
    """What a database at `definition` reads back as."""
    tables: dict[str, Json] = {p.table.name: p.table.to_json() for p in layout(definition, rules, placement)}
    return Catalog("clickhouse", {"tables": tables})


def layout(definition: Definition, rules: Profile, placement: Placement = ALONE) -> tuple[Placed, ...]:
    """The tables of `definition`, in the order in which they are made. Raises DefinitionError when two things would
    share a column or an index."""
    part = definition.on(Family.CLICKHOUSE)
    columns = tuple(_columns(part, rules))
    indexes = tuple(_indexes(part, rules))
    _refuse_shared_names("column", [(c.name, c.source) for c in columns])
    _refuse_shared_names("index", [(i.name, i.source) for i in indexes])
    if placement.cluster is None:
        return (_stored(rules.table, columns, indexes, rules, placement),)
    local = rules.table + rules.cluster.suffix
    return (
        _stored(local, columns, indexes, rules, placement),
        _distributed(local, part, rules, placement.cluster),
    )


def column_name(name: str, rules: Profile) -> str:
    """The column of a field: snake_case of its name, or what the profile says."""
    return rules.columns.get(name, snake_case(name))


def attribute_column(name: str) -> str:
    """The column of a search attribute: as on the SQL stores, its name in lower case."""
    return name.lower()


def stored_table(rules: Profile, placement: Placement) -> str:
    """The table that has the rows: the local one on a cluster."""
    return rules.table + rules.cluster.suffix if placement.cluster else rules.table


def _columns(part: Definition, rules: Profile, codecs: bool = True) -> Iterator[Column]:
    for field in _stored_fields(part):
        yield _column(column_name(field.name, rules), rules.field_rule(field), field.default, field.name, codecs)
    for attribute in part.attributes:
        rule = rules.attribute_rule(attribute)
        yield _column(attribute_column(attribute.name), rule, None, attribute.name, codecs)
    for name, own in rules.own_columns.items():
        yield _column(name, own, None, name, codecs)


def _stored_fields(part: Definition) -> Iterator[Field]:
    return (field for field in part.fields if field.type is not FieldType.ATTRIBUTES)


def _column(name: str, rule: ColumnRule, default: str | int | None, source: str, codecs: bool) -> Column:
    ddl = rule.type
    facts: dict[str, Json] = {"type": rule.type}
    text = literal(default) if default is not None else rule.default
    if text is not None:
        ddl += f" DEFAULT {text}"
        facts["default"] = text
    if rule.codec and codecs:
        ddl += f" CODEC({rule.codec})"
        facts["codec"] = rule.codec
    return Column(name, ddl, facts, source)


def _indexes(part: Definition, rules: Profile) -> Iterator[Index]:
    for own in rules.own_indexes:
        yield from _index(own.name, own.index, own.column, own.name, rules)
    for field in _stored_fields(part):
        if field.index:
            rule = rules.field_rule(field)
            yield from _index(field.index, rule.index, column_name(field.name, rules), field.name, rules)
    for attribute in part.attributes:
        if attribute.index:
            rule = rules.attribute_rule(attribute)
            yield from _index(attribute.index, rule.index, attribute_column(attribute.name), attribute.name, rules)


def _index(name: str, kind: str, column: str, source: str, rules: Profile) -> Iterator[Index]:
    """The index, or nothing where the profile says that none pays."""
    if not kind:
        return
    rule = rules.indexes[kind]
    ddl = f"{rule.expr.replace('{column}', identifier(column))} TYPE {rule.type} GRANULARITY {rule.granularity}"
    facts: Json = {"expr": rule.expr.replace("{column}", column), "type": rule.type, "granularity": rule.granularity}
    yield Index(name, ddl, facts, kind, source)


def _stored(
    name: str, columns: tuple[Column, ...], indexes: tuple[Index, ...], rules: Profile, placement: Placement
) -> Placed:
    settings = {**dict(placement.own_settings), **rules.settings}
    if placement.storage_policy is not None:
        settings["storage_policy"] = literal(placement.storage_policy)
    ttl = placement.own_ttl if placement.ttl_days is None else rules.ttl.replace("{days}", placement.ttl_days)
    facts: dict[str, Json] = {
        "engine": rules.engine,
        "order_by": list(rules.order_by),
        "partition_by": rules.partition_by,
    }
    if placement.cluster is not None:
        facts["replicated"] = True
    if ttl is not None:
        facts["ttl"] = ttl
    if settings:
        facts["settings"] = dict(settings)
    engine = _replicated(rules.engine, placement.replication) if placement.cluster else rules.engine
    clauses = render.storage(engine, rules.order_by, rules.partition_by, ttl, settings)
    return Placed(Table(name, columns, indexes, facts), clauses, stores=True)


def _replicated(engine: str, replication: tuple[str, str] | None) -> str:
    """The engine's replicated form: with the server's own path and name in Keeper, or with those of an overlay."""
    name, _, arguments = engine.partition("(")
    if replication is None:
        return f"Replicated{engine}"
    return f"Replicated{name}({literal(replication[0])}, {literal(replication[1])}, {arguments}"


def _distributed(local: str, part: Definition, rules: Profile, cluster: str) -> Placed:
    """The same columns without codecs: a distributed table keeps nothing on disk for long."""
    engine = f"Distributed({literal(cluster)}, {literal(local)}, {rules.cluster.sharding})"
    clauses = render.distributed(cluster, local, rules.cluster.sharding)
    columns = tuple(_columns(part, rules, codecs=False))
    return Placed(Table(rules.table, columns, (), {"engine": engine}), clauses, stores=False)


def _refuse_shared_names(what: str, names: list[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for name, source in names:
        if name in seen:
            message = f"{source!r} and {seen[name]!r} would both be the {what} {name!r}"
            raise DefinitionError("TV1017", message, "Rename one of them.")
        seen[name] = source
