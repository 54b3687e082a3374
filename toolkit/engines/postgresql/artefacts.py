"""The SQL scripts shipped for PostgreSQL under `schema/sql/postgresql/`.

Pure; they are the planner's steps written down, so a script and a run cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from toolkit.definition import Definition
from toolkit.engines import sql_scripts
from toolkit.engines.postgresql import dropping, layout, planner, render, versions
from toolkit.engines.postgresql.locking import EXCLUSIVE
from toolkit.engines.postgresql.render import literal
from toolkit.engines.postgresql.typemap import Profile
from toolkit.plan import Sql, Step


def files(chain: Sequence[Definition], rules: Profile) -> Mapping[str, str]:
    """Path below `schema/` → content."""
    dialect = sql_scripts.Dialect(
        name="postgresql",
        catalog=lambda definition: layout.catalog(definition, rules),
        empty=layout.EMPTY,
        steps=lambda observed, wanted: tuple(_briefly(step) for step in planner.steps(observed, wanted, rules)),
        guard=lambda before, after: (versions.guard(before, after),),
        fit=lambda steps: (*_rebuilt(steps, rules.table), *dropping.guard(steps, rules.table)),
        uninstall=(render.drop_table(rules.table), versions.forget()),
    )
    return sql_scripts.files(chain, dialect)


def _briefly(step: Step) -> Step:
    """What everybody queues behind is given up soon."""
    if step.lock != EXCLUSIVE:
        return step
    timed = (Sql(f"SET lock_timeout = {literal(render.LOCK_TIMEOUT)}"), *step.statements, Sql("RESET lock_timeout"))
    return replace(step, statements=timed)


def _rebuilt(steps: Sequence[Step], table: str) -> tuple[Sql, ...]:
    """A script that is repeated builds again what a build that was cut off has left."""
    names = [name for step in steps for name in planner.index_built(step)]
    return (render.drop_invalid(table, names),) if names else ()
