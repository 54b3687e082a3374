"""The SQL scripts shipped for SQLite under `schema/sql/sqlite/`.

Pure; they are the planner's steps written down, so a script and a run cannot differ. Each script is one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.definition import Definition
from toolkit.engines import sql_scripts
from toolkit.engines.sqlite import layout, planner, render, rounding, versions
from toolkit.engines.sqlite.plan_script import BUSY_MILLISECONDS
from toolkit.engines.sqlite.typemap import Profile
from toolkit.plan import Sql

# The `sqlite3` shell goes on after an error, and waits for nobody, unless told otherwise.
_SHELL = f".bail on\n.timeout {BUSY_MILLISECONDS}"
# A savepoint, because it is a transaction of its own in the shell and a part of Alembic's where there is one already.
_OPEN = (
    Sql("PRAGMA foreign_keys = OFF"),
    Sql("PRAGMA legacy_alter_table = ON"),
    Sql("SAVEPOINT temporal_visibility"),
    # A change first takes the write lock, which is waited for; who has read before and finds that somebody has written
    # meanwhile (WAL) is refused at once.
    Sql("CREATE TABLE temporal_visibility_begun (ok INT)"),
    Sql("DROP TABLE temporal_visibility_begun"),
)
_CLOSE = (Sql("RELEASE temporal_visibility"),)


def files(chain: Sequence[Definition], rules: Profile) -> Mapping[str, str]:
    """Path below `schema/` → content."""
    dialect = sql_scripts.Dialect(
        name="sqlite",
        catalog=lambda definition: layout.catalog(definition, rules),
        empty=layout.EMPTY,
        steps=lambda observed, wanted: planner.steps(observed, wanted, rules),
        guard=lambda before, after: (*_OPEN, *versions.guard(before, after, rules.table)),
        fit=lambda steps: rounding.guard(steps, rules.table),
        uninstall=(render.drop_table(rules.table), versions.forget()),
        shell=_SHELL,
        finish=_CLOSE,
    )
    return sql_scripts.files(chain, dialect)
