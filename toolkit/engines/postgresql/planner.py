"""From what a PostgreSQL database is to what it shall be: Steps, their locks, and how to see that they are done.

Pure; it reads catalogs and layouts and never a connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from toolkit.catalog import ABSENT, Absent, Catalog, Difference, Json, differences
from toolkit.definition import Definition
from toolkit.engines.physical import Column, Index, Layout, Table
from toolkit.engines.postgresql import drift, render
from toolkit.engines.postgresql import layout as layouts
from toolkit.engines.postgresql.locking import EXCLUSIVE, SHARE_UPDATE
from toolkit.engines.postgresql.typemap import Profile
from toolkit.engines.postgresql.versions import record_steps
from toolkit.plan import NO_LOCK, Expect, Observed, Sql, Step, StepClass

# Steps that drop what generated columns and their indexes use.
LEFTOVERS = ("function.convert_ts.drop", "extension.btree_gin.drop")


def steps(observed: Observed, wanted: Definition, rules: Profile) -> tuple[Step, ...]:
    """The steps to `wanted`; foreign objects must have been taken out of `observed` before."""
    goal, plan = layouts.layout(wanted, rules), layouts.catalog(wanted, rules)
    changed = differences(observed.catalog, plan)
    work = [
        *_database_objects(changed),
        *_tables(changed, goal),
        *(
            step
            for table in goal
            for step in (*table_steps(table, observed.catalog), *drift.mend(table, _with_key(observed, table.name)))
        ),
        *_database_leftovers(changed),
    ]
    return (*work, *record_steps(observed, wanted))


def _with_key(observed: Observed, table: str) -> Catalog:
    """The catalog with the table's primary key, though it be called as in no version: it is none of the operator's."""
    details, catalog = observed.traits.get("details"), observed.catalog
    key = details.get("key") if isinstance(details, dict) else None
    for name, definition in key.items() if isinstance(key, dict) else ():
        catalog = catalog.having(("tables", table, "constraints", name), {"type": "primary key", "def": definition})
    return catalog


def _database_objects(changed: Sequence[Difference]) -> Iterator[Step]:
    for difference in changed:
        match difference:
            case Difference(("extensions",), _, list(names)) if names:
                yield _simple("extension.btree_gin", "Create extension btree_gin", render.create_extension(),
                              render.drop_extension(), Expect(("catalog", "extensions"), names))  # fmt: skip
            case Difference(("functions", _), _, wanted) if not isinstance(wanted, Absent):
                yield _simple("function.convert_ts", "Create function convert_ts", render.create_function(),
                              render.drop_function(), Expect(("catalog", *difference.path), wanted))  # fmt: skip
            case _:
                pass
    if altered := [d for d in changed if d.path[0] == "functions" and len(d.path) > 2]:
        yield Step("function.convert_ts.alter", "Write function convert_ts anew",
                   "it is otherwise in the wanted version", StepClass.METADATA, NO_LOCK, (render.create_function(),),
                   (), tuple(Expect(("catalog", *d.path), d.wanted) for d in altered))  # fmt: skip


def _database_leftovers(changed: Sequence[Difference]) -> Iterator[Step]:
    """What a downgrade leaves behind, dropped when nothing uses it any more."""
    for difference in changed:
        match difference:
            case Difference(("functions", _), _, Absent()):
                gone = Expect(("catalog", *difference.path), ABSENT)
                yield _simple("function.convert_ts.drop", "Drop function convert_ts", render.drop_function(),
                              render.create_function(), gone)  # fmt: skip
            case Difference(("extensions",), _, []):
                gone = Expect(("catalog", "extensions"), [])
                yield _simple("extension.btree_gin.drop", "Drop extension btree_gin", render.drop_extension(),
                              render.create_extension(), gone)  # fmt: skip
            case _:
                pass


def _simple(id: str, title: str, statement: Sql, reverse: Sql, done: Expect) -> Step:
    return Step(id, title, "", StepClass.METADATA, NO_LOCK, (statement,), (reverse,), (done,))


def _tables(changed: Sequence[Difference], goal: Layout) -> Iterator[Step]:
    for difference in changed:
        match difference:
            case Difference(("tables", name), Absent(), _) if table := goal.table(name):
                yield Step(
                    f"table.{name}",
                    f"Create table {name}",
                    "",
                    StepClass.METADATA,
                    NO_LOCK,
                    (render.create_table(table, layouts.PRIMARY_KEY),),
                    (render.drop_table(name),),
                    tuple(Expect(("catalog", "tables", name, "columns", c.name), c.catalog) for c in table.columns),
                )
            case _:
                pass


def table_steps(table: Table, observed: Catalog) -> Iterator[Step]:
    """The steps for one table that is there. First what its records may not allow, as texts that are no numbers, while
    nothing is done that has no way back. Then index drops, columns, and index builds, so that few are built to be
    rewritten."""
    have = observed.children(("tables", table.name, "columns"))
    exists = bool(have)
    indexes = observed.children(("tables", table.name, "indexes"))
    want = {c.name: c for c in table.columns}
    remade = {n for n, c in want.items() if n in have and c.generated and have[n] != c.catalog}
    # Generated columns go before the columns they are made from, as the server looks at one clause after the other.
    dropped = sorted(set(have) - set(want), key=lambda name: (not _generated(have[name]), name))
    lost = {
        n for n, facts in indexes.items() if n not in {i.name for i in table.indexes} or facts != table.index(n).catalog
    }
    names = [name for name in sorted(set(have) & set(want) - remade) if have[name] != want[name].catalog]
    altered = [_alter_columns(table, {name: _clauses(want[name], have[name]) for name in names})] if names else []
    # What others are made from is not altered before these are gone.
    late = altered if remade or any(_generated(have[name]) for name in dropped) else []
    yield from altered if not late else ()
    yield from (_drop_index(table.name, name) for name in sorted(lost))
    if remade or dropped:
        yield _drop_columns(table.name, sorted(remade), dropped)
    yield from late
    added = [c for c in table.columns if exists and (c.name not in have or c.name in remade)]
    if added:
        yield _add_columns(table, [c.name for c in added])
    gone = lost | {n for n, f in indexes.items() if _uses(f, {*dropped, *remade})}
    yield from (_create_index(table.name, i, exists) for i in table.indexes if i.name not in indexes or i.name in gone)


def _generated(column: Json) -> bool:
    return isinstance(column, dict) and "generated" in column


def _uses(index: Json, columns: set[str]) -> bool:
    keys = index.get("keys", []) if isinstance(index, dict) else []
    return isinstance(keys, list) and any(str(key).split(" ")[0] in columns for key in keys)


def _drop_columns(table: str, remade: list[str], dropped: list[str]) -> Step:
    names = [*remade, *dropped]
    losing = StepClass.BREAKING if dropped else StepClass.METADATA
    return Step(
        f"columns.{table}.drop",
        f"Drop {len(names)} column{'s' * (len(names) > 1)} of {table}",
        "values of dropped columns are gone from the table; search attributes stay in search_attributes",
        losing,
        EXCLUSIVE,
        (render.drop_columns(table, names),),
        (),
        tuple(Expect(("catalog", "tables", table, "columns", name), ABSENT) for name in dropped),
        tuple(names),
    )


def _add_columns(table: Table, names: list[str]) -> Step:
    columns = [table.column(name) for name in names]
    rewrites = any(c.stored for c in columns)
    return Step(
        f"columns.{table.name}.add",
        f"Add {len(columns)} column{'s' * (len(columns) > 1)} to {table.name}",
        "stored generated columns rewrite the table once, all together" if rewrites else "no row is touched",
        StepClass.REBUILD if rewrites else StepClass.METADATA,
        EXCLUSIVE,
        (render.add_columns(table.name, columns),),
        (render.drop_columns(table.name, names),),
        tuple(Expect(("catalog", "tables", table.name, "columns", c.name), c.catalog) for c in columns),
        tuple(names),
    )


def _alter_columns(table: Table, clauses: Mapping[str, Sequence[str]]) -> Step:
    """All in one statement: what a record does not allow keeps the others from being done, too."""
    told = [f"{name}: {', '.join(said)}" for name, said in clauses.items()]
    words = told[0].replace(":", f" of {table.name}:", 1) if len(told) == 1 else f"of {table.name}: {'; '.join(told)}"
    retyped = any(clause.startswith("TYPE ") for said in clauses.values() for clause in said)
    fills = [
        render.fill_nulls(table.name, name, str(facts["default"]))
        for name, said in clauses.items()
        if "SET NOT NULL" in said and isinstance(facts := table.column(name).catalog, dict) and "default" in facts
    ]
    return Step(
        f"columns.{table.name}.alter",
        f"Alter column{'s' * (len(told) > 1)} {words}",
        "rows without a value get the default first" if fills else "",
        StepClass.REBUILD if fills or retyped else StepClass.METADATA,
        EXCLUSIVE,
        (*fills, render.alter_columns(table.name, clauses)),
        (),
        tuple(Expect(("catalog", "tables", table.name, "columns", n), table.column(n).catalog) for n in clauses),
    )


def _clauses(column: Column, have: Json) -> list[str]:
    """What makes a column that is there what it shall be."""
    old, new = (facts if isinstance(facts, dict) else {} for facts in (have, column.catalog))
    clauses = []
    anew = (old.get("type"), old.get("collation")) != (new.get("type"), new.get("collation"))
    if old.get("identity"):
        clauses.append("DROP IDENTITY")
    if "default" in old and (anew or "default" not in new):
        # It is of the former type, which may be none that the server turns into the new one by itself.
        clauses.append("DROP DEFAULT")
    if anew:
        clauses.append(f"TYPE {render.type_of(column)}{render.using(column)}")
    if "default" in new and (anew or old.get("default") != new["default"]):
        clauses.append(f"SET DEFAULT {new['default']}")
    if old.get("not_null") != new.get("not_null"):
        clauses.append("SET NOT NULL" if "not_null" in new else "DROP NOT NULL")
    return clauses


def _create_index(table: str, index: Index, exists: bool) -> Step:
    return Step(
        f"index.{index.name}",
        f"Build index {index.name}",
        "",
        StepClass.ONLINE if exists else StepClass.METADATA,
        SHARE_UPDATE if exists else NO_LOCK,
        (render.create_index(table, index, concurrently=exists),),
        (render.drop_index(index.name, concurrently=exists),),
        (Expect(("catalog", "tables", table, "indexes", index.name), index.catalog),),
    )


def index_built(step: Step) -> tuple[str, ...]:
    """The index that a step of `_create_index` builds; of any other step nothing."""
    kind, _, name = step.id.partition(".")
    return (name,) if kind == "index" and not name.endswith(".drop") else ()


def retyped(step: Step) -> tuple[str, ...]:
    """The columns to which a step gives another type."""
    texts = (statement.text for statement in step.statements if isinstance(statement, Sql))
    return tuple(name for text in texts for name in render.retyped(text))


def _drop_index(table: str, name: str) -> Step:
    return Step(
        f"index.{name}.drop",
        f"Drop index {name}",
        "it is not part of the wanted version, is defined otherwise there, or was left invalid by a failed build",
        StepClass.ONLINE,
        SHARE_UPDATE,
        (render.drop_index(name, concurrently=True),),
        (),
        (Expect(("catalog", "tables", table, "indexes", name), ABSENT),),
    )
