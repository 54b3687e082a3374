"""From what a MySQL database is to what it shall be: Steps, their locks, and how to see that they are done.

Pure; it reads catalogs and layouts and never a connection. How an existing table is altered is told in `alter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from toolkit.attributes import Group
from toolkit.catalog import ABSENT, Catalog
from toolkit.definition import Definition
from toolkit.engines.mysql import alter, drift, fill, render
from toolkit.engines.mysql import layout as layouts
from toolkit.engines.mysql.traits import has_fulltext, is_strict
from toolkit.engines.mysql.typemap import Profile
from toolkit.engines.mysql.versions import record_steps
from toolkit.engines.physical import Layout, Table
from toolkit.plan import NO_LOCK, Expect, Observed, Step, StepClass


def steps(observed: Observed, wanted: Definition, rules: Profile, beside: bool = False) -> tuple[Step, ...]:
    """The steps to `wanted`; foreign objects must have been taken out of `observed` before. `beside`: what can be done
    in pieces beside writers, is."""
    goal = layouts.layout(wanted, rules)
    have = observed.catalog.children(("tables",))
    work: list[Step] = []
    for table in goal:
        if table.name in have:
            change = alter.alteration(table, observed.catalog, has_fulltext(observed, table.name))
            work += [*drift.mend(table, observed.catalog), *alter.steps(change, is_strict(observed))]
        else:
            work += [_create(table), *fill.steps(table, observed, rules, beside)]
    return (*work, *_leftovers(goal, observed.catalog), *record_steps(observed, wanted))


def _create(table: Table) -> Step:
    """All columns and indexes at once: there are no rows yet."""
    here = ("catalog", "tables", table.name)
    return Step(
        f"table.{table.name}",
        f"Create table {table.name}",
        "",
        StepClass.METADATA,
        NO_LOCK,
        (render.create_table(table, layouts.PRIMARY_KEY),),
        (render.drop_table(table.name),),
        (
            *(Expect((*here, "columns", c.name), c.catalog) for c in table.columns),
            *(Expect((*here, "indexes", i.name), i.catalog) for i in table.indexes),
        ),
    )


def _leftovers(goal: Layout, observed: Catalog) -> Iterator[Step]:
    """Tables that a downgrade leaves behind; all they hold is a copy of search_attributes."""
    for name in observed.children(("tables",)):
        if goal.table(name) is None:
            yield Step(
                f"table.{name}.drop",
                f"Drop table {name}",
                "the wanted version has no such table; its rows are copies of search_attributes in the main one",
                StepClass.BREAKING,
                alter.MOMENT,
                (render.drop_table(name),),
                (),
                (Expect(("catalog", "tables", name), ABSENT),),
            )


def side_tables(rules: Profile) -> Callable[[Group], tuple[str, ...]]:
    """Group → the tables besides the main one that come and go with its attributes."""
    return lambda group: tuple(rule.name for rule in rules.tables if rule.group is group and rule.fields is not None)
