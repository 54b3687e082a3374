"""What MySQL's drift is besides its columns and indexes: keys, constraints, triggers, options of the table.

Pure; the steps for columns and indexes are `alter`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.catalog import ABSENT, Catalog, Json, Path
from toolkit.definition import Definition
from toolkit.engines.drifting import Fault
from toolkit.engines.mysql.render import identifier
from toolkit.engines.physical import Table
from toolkit.overlay import Overlay
from toolkit.plan import Expect, Lock, Observed, Sql, Step, StepClass

EXCLUSIVE = Lock("exclusive metadata", "writes, while the table is copied")
MOMENT = Lock("exclusive metadata", "everybody for a moment", brief=True)
# What an operator may say about a table without changing what it holds.
_TUNING = frozenset({"options", "comment"})
# MySQL shows a unique constraint as the index that it is.
_INDEX = "unique"


def is_extra(path: Path, observed: Observed) -> bool:
    """See `Drifting.is_extra`."""
    return len(path) > 2 and not (len(path) == 3 and path[-1] in _TUNING)


def rename(path: Path, facts: Json, name: str, overlay: Overlay) -> Step | None:
    """See `Drifting.rename`. Generated columns are made anew: MySQL renames none that a functional index uses."""
    match path:
        case ("tables", table, "columns", old) if isinstance(facts, dict) and "generated" not in facts:
            clause = f"RENAME COLUMN {identifier(old)} TO {identifier(name)}"
        case ("tables", table, "indexes", old):
            clause = f"RENAME INDEX {identifier(old)} TO {identifier(name)}"
        case _:
            return None
    statement = Sql(f"ALTER TABLE {identifier(table)} {clause}")
    return Step(f"rename.{old}", f"Rename {old} to {name}", "what is in it stays", StepClass.METADATA, MOMENT,
                (statement,), (), (), (old,))  # fmt: skip


def faults(observed: Observed, wanted: Definition, overlay: Overlay) -> tuple[Fault, ...]:
    """See `Drifting.faults`: its catalog tells all."""
    return ()


def mend(table: Table, observed: Catalog) -> Iterator[Step]:
    """The steps for what no upgrade changes."""
    have = observed.children(("tables", table.name))
    yield from _primary_key(table, have.get("primary_key"))
    for name, facts in observed.children(("tables", table.name, "constraints")).items():
        kind = str(facts.get("type")) if isinstance(facts, dict) else ""
        if kind != _INDEX:
            what = "FOREIGN KEY" if kind == "foreign key" else "CHECK"
            yield _alter(table.name, f"constraint.{name}.drop", f"Drop constraint {name}",
                         [f"DROP {what} {identifier(name)}"],
                         Expect(("catalog", "tables", table.name, "constraints", name), ABSENT))  # fmt: skip
    for name in observed.children(("tables", table.name, "triggers")):
        here = ("catalog", "tables", table.name, "triggers", name)
        drop = Sql(f"DROP TRIGGER IF EXISTS {identifier(name)}")
        yield Step(f"trigger.{name}.drop", f"Drop trigger {name}", "it is not part of the version", StepClass.METADATA,
                   MOMENT, (drop,), (), (Expect(here, ABSENT),))  # fmt: skip
    yield from _storage(table, have)


def _primary_key(table: Table, have: Json) -> Iterator[Step]:
    wanted = table.catalog["primary_key"]
    if have == wanted or not isinstance(wanted, list):
        return
    columns = ", ".join(identifier(str(name)) for name in wanted)
    clauses = [*(["DROP PRIMARY KEY"] if have else []), f"ADD PRIMARY KEY ({columns})"]
    id, title = f"table.{table.name}.primary_key", f"Make the primary key of {table.name} anew"
    yield _alter(table.name, id, title, clauses, Expect(("catalog", "tables", table.name, "primary_key"), wanted))


def _storage(table: Table, have: dict[str, Json]) -> Iterator[Step]:
    """Engine and collation. DEFAULT means the database's own: what the catalog shows for it is but a name for that, and
    tables that are joined must have the same."""
    engine, collation = table.catalog["engine"], str(table.catalog["collation"])
    here = ("catalog", "tables", table.name)
    if have.get("engine") != engine:
        yield _alter(table.name, f"table.{table.name}.engine", f"Store {table.name} in {engine}",
                     [f"ENGINE = {engine}"], Expect((*here, "engine"), engine))  # fmt: skip
    if have.get("collation") != collation:
        yield _alter(table.name, f"table.{table.name}.collation", f"Give {table.name} the collation of its database",
                     ["CONVERT TO CHARACTER SET DEFAULT"], Expect((*here, "collation"), collation))  # fmt: skip


def _alter(table: str, id: str, title: str, clauses: Sequence[str], done: Expect) -> Step:
    statement = Sql(f"ALTER TABLE {identifier(table)}\n  " + ",\n  ".join(clauses))
    return Step(id, title, "it is otherwise in the wanted version", StepClass.REBUILD, EXCLUSIVE, (statement,), (),
                (done,), (table,))  # fmt: skip
