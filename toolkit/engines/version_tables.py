"""Temporal's `schema_version` and `schema_update_history`, and Alembic's mark: what is the same on every SQL engine.

Table shapes and values are those of Temporal's SQL tool (partition 0, one history row per change) and of Alembic; the
engines say how their time type is called and how they write the rows. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from toolkit.catalog import ABSENT, Catalog, Json
from toolkit.definition import Definition
from toolkit.plan import NO_LOCK, Expect, Observed, Sql, Step, StepClass

MIN_COMPATIBLE = "0.1"
TABLES = ("schema_version", "schema_update_history", "alembic_version")
# Tables of Temporal's main store. When they stand beside ours, the one row of schema_version is about both stores, and
# the main store's number is the higher one: writing ours would keep the server from starting (helm-charts#655).
MAIN_STORE = frozenset({"executions", "current_executions", "history_node", "history_tree", "namespaces", "shards",
                        "cluster_metadata_info", "task_queues", "tasks"})  # fmt: skip
SHARED = "shared"
# In `Observed.traits` of a live store: whether the history is not there. Where that is said, be it or not, a run makes
# the tables again: somebody may drop them while it is under way or cut off.
NO_HISTORY = "no history"
# In `Observed.marks`: the book of a migration tool is kept by another project, in the same database, and left alone.
FOREIGN = "another project's"
_SURE = 3
# The history's column is no longer; Temporal's own descriptions are short.
MAX_DESCRIPTION = 255

_MARKS = Sql(
    "CREATE TABLE IF NOT EXISTS alembic_version (\n"
    "  version_num VARCHAR(32) NOT NULL,\n"
    "  CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n)"
)
_NO_MARK = Sql("DELETE FROM alembic_version")

# Ours are versions. Another project's Alembic may have the table of this name for itself.
_OURS = re.compile(r"\d+(\.\d+)+")

# (old version or None, new version, description) → statements that write the rows.
Record = Callable[[str | None, str, str], Sequence[Sql]]


def create_tables(time_type: str) -> tuple[Sql, Sql]:
    """Both of Temporal's tables, when they are not there."""
    return (
        Sql(
            "CREATE TABLE IF NOT EXISTS schema_version (\n"
            "  version_partition      INT          NOT NULL,\n"
            "  db_name                VARCHAR(255) NOT NULL,\n"
            f"  creation_time          {time_type},\n"
            "  curr_version           VARCHAR(64),\n"
            "  min_compatible_version VARCHAR(64),\n"
            "  PRIMARY KEY (version_partition, db_name)\n)"
        ),
        Sql(
            "CREATE TABLE IF NOT EXISTS schema_update_history (\n"
            "  version_partition INT       NOT NULL,\n"
            "  year              INT       NOT NULL,\n"
            "  month             INT       NOT NULL,\n"
            f"  update_time       {time_type} NOT NULL,\n"
            "  description       VARCHAR(255),\n"
            "  manifest_md5      VARCHAR(64),\n"
            "  new_version       VARCHAR(64),\n"
            "  old_version       VARCHAR(64),\n"
            "  PRIMARY KEY (version_partition, year, month, update_time)\n)"
        ),
    )


def record_steps(observed: Observed, wanted: Definition, time_type: str, record: Record) -> tuple[Step, ...]:
    """The last steps of every plan: say which version the database now has, to Temporal and to Alembic."""
    label = wanted.labels.sql or wanted.version
    found = []
    if observed.recorded != label and not observed.traits.get(SHARED):
        create = _missing_tables(observed, time_type)
        statements = (*create, *record(observed.recorded, label, wanted.summary[:MAX_DESCRIPTION]))
        found.append(_record(label, statements))
    if observed.marks.get("alembic") != wanted.version and not foreign_mark(observed):
        found.append(_mark(wanted.version))
    return tuple(found)


def _missing_tables(observed: Observed, time_type: str) -> tuple[Sql, ...]:
    return create_tables(time_type) if observed.recorded is None or NO_HISTORY in observed.traits else ()


def foreign_mark(observed: Observed) -> str | None:
    """The revision in alembic_version, where it is none of ours: the table is another project's, and left alone."""
    mark = observed.marks.get("alembic")
    return None if mark is None or _OURS.fullmatch(mark) else mark


def restore_steps(
    before: Observed, undone: Definition, time_type: str, record: Record, forget: Sql
) -> tuple[Step, ...]:
    """Record again what the database said `before` the run to `undone`, be it nothing: `forget` takes its version out.
    The tables may not be there."""
    label = undone.labels.sql or undone.version
    found = []
    if before.recorded is None and not before.traits.get(SHARED):
        found.append(_unrecord((*create_tables(time_type), forget)))
    elif before.recorded is not None and before.recorded != label:
        statements = record(label, before.recorded, f"Back from {undone.version}.")
        found.append(_record(before.recorded, (*_missing_tables(before, time_type), *statements)))
    mark = before.marks.get("alembic")
    if mark is None:
        found.append(_unmark())
    elif mark != undone.version and not foreign_mark(before):
        found.append(_mark(mark))
    return tuple(found)


def _unrecord(statements: tuple[Sql, ...]) -> Step:
    title = "Record no version in schema_version, as before"
    done = (Expect(("recorded",), None),)
    return Step("record.version", title, "", StepClass.METADATA, NO_LOCK, statements, (), done)


def _unmark() -> Step:
    """Say nothing to Alembic, as before a run that told it a revision for the first time."""
    title = "Record no revision in alembic_version, as before"
    done = (Expect(("marks", "alembic"), ABSENT),)
    return Step("record.alembic", title, "", StepClass.METADATA, NO_LOCK, (_MARKS, _NO_MARK), (), done)


def _record(new: str, statements: tuple[Sql, ...]) -> Step:
    return Step(
        "record.version",
        f"Record version {new} in schema_version",
        "Temporal's server reads it when it starts",
        StepClass.METADATA,
        NO_LOCK,
        statements,
        (),
        (Expect(("recorded",), new),),
    )


def _mark(version: str) -> Step:
    return Step(
        "record.alembic",
        f"Record revision {version} in alembic_version",
        "so that plain Alembic agrees",
        StepClass.METADATA,
        NO_LOCK,
        (
            _MARKS,
            _NO_MARK,
            # A version is digits and dots (`version_key`), so it needs no escaping.
            Sql(f"INSERT INTO alembic_version (version_num) VALUES ('{version}')"),
        ),
        (),
        (Expect(("marks", "alembic"), version),),
    )


def shared_with(catalog: Catalog) -> list[Json]:
    """The tables of Temporal's main store that stand in the same database; none when that is not so."""
    found = sorted(name for name in catalog.children(("tables",)) if name.lower() in MAIN_STORE)
    return [*found] if len(found) >= _SURE else []
