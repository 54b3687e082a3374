"""The statements that record the keys of changed rows beside a rebuild: the log, its function, the triggers.

Pure text; what becomes of the keys is `shadow`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.engines.postgresql import locking
from toolkit.engines.postgresql.dressing import PLACE, private
from toolkit.engines.postgresql.names import CAPTURE, LOG, TRUNCATE
from toolkit.engines.postgresql.render import block, identifier, literal
from toolkit.plan import Sql


def log(schema: str, key: Mapping[str, str], owner: str) -> tuple[Sql, ...]:
    """The table of changed keys and the function that fills it: as its owner, whoever writes to the live table. That is
    the live table's `owner`, as a run may be somebody's who has rights here for a while only."""
    columns = ", ".join(f"{identifier(name)} {kind} NOT NULL" for name, kind in key.items())
    names = ", ".join(identifier(name) for name in key)
    new, old = (", ".join(f"{row}.{identifier(name)}" for name in key) for row in ("NEW", "OLD"))
    here = f"INSERT INTO {identifier(schema)}.{LOG} ({names}) VALUES"
    # A schema that was renamed takes the log along; a table that was moved alone does not.
    moved = f"TG_TABLE_SCHEMA <> {literal(schema)} AND to_regclass(format('%I.{LOG}', TG_TABLE_SCHEMA)) IS NOT NULL"
    there = f"EXECUTE format('INSERT INTO %I.{LOG} ({names}) VALUES ($1, $2)', TG_TABLE_SCHEMA) USING"

    def insert(row: str) -> str:
        return f"    IF {moved} THEN\n      {there} {row};\n    ELSE\n      {here} ({row});\n    END IF;\n"

    return (
        PLACE,
        Sql(f"CREATE TABLE IF NOT EXISTS {LOG} (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {columns})"),
        private(LOG),
        Sql(
            f"CREATE OR REPLACE FUNCTION {CAPTURE}() RETURNS trigger AS $$\nBEGIN\n"
            "  IF TG_OP = 'TRUNCATE' THEN\n"
            "    RAISE EXCEPTION 'this table is being changed by temporal-visibility and cannot be truncated'\n"
            "      USING HINT = 'Use DELETE, or end the change with schema finish or schema rollback.';\n"
            "  END IF;\n"
            f"  IF TG_OP <> 'DELETE' THEN\n{insert(new)}  END IF;\n"
            f"  IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND ({old}) IS DISTINCT FROM ({new})) THEN\n"
            f"{insert(old)}  END IF;\n"
            "  RETURN NULL;\nEND\n"
            "$$ LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
        ),
        _give(schema, owner),
    )


def _give(schema: str, owner: str) -> Sql:
    """Log and function to the `owner`, unless it does not get through to the log: then no write would, either."""
    who = identifier(owner)
    return block(
        f"BEGIN\n  IF has_schema_privilege({literal(owner)}, {literal(schema)}, 'USAGE') THEN\n"
        f"    ALTER TABLE {LOG} OWNER TO {who};\n    ALTER FUNCTION {CAPTURE}() OWNER TO {who};\n  END IF;\nEND"
    )


def start(live: str) -> tuple[Sql, ...]:
    """The triggers on the live table; ALWAYS, because whoever writes as a replica does not set off others."""
    table = identifier(live)
    return (
        Sql(f"CREATE TRIGGER {CAPTURE} AFTER INSERT OR UPDATE OR DELETE ON {table}\n"
            f"  FOR EACH ROW EXECUTE FUNCTION {CAPTURE}()"),
        Sql(f"CREATE TRIGGER {TRUNCATE} BEFORE TRUNCATE ON {table}\n"
            f"  FOR EACH STATEMENT EXECUTE FUNCTION {CAPTURE}()"),
        Sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {CAPTURE}, ENABLE ALWAYS TRIGGER {TRUNCATE}"),
    )  # fmt: skip


def start_once(live: str) -> Sql:
    """`start`, unless it is there already: looking for it takes no lock."""
    return locking.aside(live, f"NOT EXISTS ({_has_trigger(live)})", tuple(one.text for one in start(live)))


def stop(live: str) -> Sql:
    """The opposite of `start_once`."""
    drops = tuple(f"DROP TRIGGER {name} ON {identifier(live)}" for name in (CAPTURE, TRUNCATE))
    return locking.aside(live, f"EXISTS ({_has_trigger(live)})", drops)


def _has_trigger(live: str) -> str:
    table = literal(identifier(live))
    return f"SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass({table}) AND tgname = {literal(CAPTURE)}"


def whole(live: str) -> str:
    """A query that has a row while the trigger records every change of the live table, as it was made to."""
    return f"{_has_trigger(live)} AND tgenabled = 'A'"


def followed(live: str) -> Sql:
    """Refuse a swap unless all changes were recorded: whoever disables all triggers of a table, as loads of data do,
    leaves this one disabled, or ALWAYS no more."""
    said = "changes of this table were not recorded all the time: its trigger was dropped or disabled"
    hint = "The copy lacks them. Before the swap `schema rollback` drops it, afterwards `schema finish` does."
    return Sql(
        f"DO $do$\nBEGIN\n  IF NOT EXISTS ({whole(live)}) THEN\n"
        f"    RAISE EXCEPTION {literal(said)}\n      USING HINT = {literal(hint)};\n  END IF;\nEND\n$do$",
        part="swap",
    )


def left() -> Sql:
    """How many keys are recorded, as far as that matters."""
    return Sql(f"SELECT count(*) AS left FROM (SELECT 1 FROM {LOG} ORDER BY id LIMIT 100000) AS g", part="left")


def drop() -> tuple[Sql, ...]:
    """Away with the key log and its function."""
    return (Sql(f"DROP TABLE IF EXISTS {LOG}"), Sql(f"DROP FUNCTION IF EXISTS {CAPTURE}()"))
