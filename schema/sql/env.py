"""Alembic environment of Temporal's visibility schema: runs the scripts beside it on the database it is pointed at.

Works with plain Alembic, online and offline (`--sql`); it never looks at a model and never autogenerates.
"""

import os
from pathlib import Path

from alembic import context
from sqlalchemy import create_engine, pool
from sqlalchemy.engine import make_url

HERE = Path(__file__).resolve().parent
OUTSIDE = "-- outside a transaction"
# The shells of these go on after an error unless told otherwise: past the guard that stops a script.
SHELLS = {"postgresql": "\\set ON_ERROR_STOP on", "sqlite": ".bail on\n.timeout 10000"}
# Held until the session ends; runs of temporal-visibility take the same one.
LOCK = "SELECT GET_LOCK(CONCAT('temporal-visibility ', LEFT(SHA2(DATABASE(), 256), 32)), 0)"
# SQLAlchemy's plain schemes, with the drivers this project installs.
DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "sqlite": "sqlite"}


def database_url():
    """The URL from -x url=…, the environment or alembic.ini, in this order."""
    given = context.get_x_argument(as_dictionary=True).get("url") or os.environ.get("TEMPORAL_VISIBILITY_URL")
    text = given or context.config.get_main_option("sqlalchemy.url")
    if not text:
        raise SystemExit("No database: give -x url=postgresql://user@host/database, or set TEMPORAL_VISIBILITY_URL.")
    url = make_url(text)
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def statements(path):
    """(outside a transaction?, statement) of a script: a statement ends with a semicolon and an empty line."""
    for paragraph in path.read_text(encoding="utf-8").split(";\n\n"):
        lines = paragraph.strip().splitlines()
        # A line that begins with a dot speaks to the sqlite3 shell.
        while lines and lines[0] != OUTSIDE and (not lines[0] or lines[0].startswith(("--", "."))):
            lines.pop(0)
        outside = bool(lines) and lines[0] == OUTSIDE
        text = "\n".join(line for line in lines if line != OUTSIDE).strip().removesuffix(";")
        if text:
            yield outside, text


def run_script(name):
    """Run the script `name` (such as upgrade/1.13-1.14) of the database at hand."""
    migration = context.get_context()
    path = HERE / migration.dialect.name / f"{name}.sql"
    if migration.dialect.name == "mysql" and not migration.as_sql:
        lock(migration.connection)
    for outside, text in statements(path):
        if text.startswith("SAVEPOINT") and not migration.as_sql:
            # SQLite: Alembic's own mark comes with the script or not at all, and no writer comes in between.
            execute(migration, "BEGIN IMMEDIATE")
        if outside:
            with migration.autocommit_block():
                execute(migration, text)
        else:
            execute(migration, text)


def lock(connection):
    """MySQL commits with every change of schema: two who run the same script would undo each other's work."""
    if not connection.exec_driver_sql(LOCK).scalar():
        raise SystemExit("Somebody else is changing the schema of this database: wait for them, and run it again.")


def execute(migration, text):
    """One statement, as it stands: no colon or percent sign in it is a parameter."""
    if migration.as_sql:
        migration.impl.static_output(text + ";\n")
    else:
        migration.connection.exec_driver_sql(text, execution_options={"no_parameters": True})


context.config.attributes["run_script"] = run_script

if context.is_offline_mode():
    url = database_url()
    context.configure(url=url, literal_binds=True, transaction_per_migration=True)
    if url.get_backend_name() in SHELLS:
        context.get_context().impl.static_output(SHELLS[url.get_backend_name()] + "\n")
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(database_url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
