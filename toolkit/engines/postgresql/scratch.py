"""A throwaway database on a target's PostgreSQL server; see `toolkit.engines.scratches`. It needs CREATEDB, and never
touches another database.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from psycopg.conninfo import make_conninfo

from toolkit.engines import scratches, script
from toolkit.engines.bound import BoundSql
from toolkit.engines.postgresql.client import PostgresClient, connect
from toolkit.engines.postgresql.connection import options
from toolkit.engines.postgresql.render import identifier, literal
from toolkit.engines.postgresql.typemap import profile
from toolkit.errors import EngineError, ToolkitError
from toolkit.targets import SECRET_OPTIONS, Target

_SIZE = "SELECT pg_database_size(%s) AS v"
# What would be done in another database, or to one.
_ELSEWHERE = re.compile(r"^\s*(\\c(onnect)?\b|(CREATE|DROP|ALTER)\s+DATABASE\b).*", re.IGNORECASE | re.MULTILINE)
_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"


@dataclass(frozen=True, slots=True)
class PostgresScratch:
    """See `toolkit.engines.scratches.Scratch`. `beside`: a session in the target's own database."""

    target: Target
    beside: PostgresClient

    def place(self) -> None:
        """Make the schema in which the target has its store: the search_path of URL or role asks for it here, too."""
        schema = self.beside.ask(BoundSql("SELECT current_schema() AS v", ()))[0]["v"]
        anyhow = f"{self.target.options.get('options', '')} -csearch_path=public".strip()
        client = connect(replace(self.target, options={**self.target.options, "options": anyhow}), profile())
        try:
            client.execute(scratches.statement(f"CREATE SCHEMA IF NOT EXISTS {identifier(schema)}"))
        finally:
            client.close()

    def size(self) -> int | None:
        """See `Scratch.size`."""
        with suppress(EngineError):
            return int(self.beside.ask(BoundSql(_SIZE, (self.target.path,)))[0]["v"])
        return None

    def claim(self, label: str | None) -> None:
        """See `Scratch.claim`."""
        client = connect(self.target, profile())
        try:
            client.execute(scratches.statement(scratches.claim_statement(literal, label)))
        finally:
            client.close()

    def load(self, dump: Path) -> None:
        """See `Scratch.load`: a plain dump (`pg_dump --schema-only`), read by psql."""
        text = script.read(dump)
        if found := _ELSEWHERE.search(text):
            raise script.elsewhere(found[0], "--create")
        known = {name: value for name, value in options(self.target).items() if name not in SECRET_OPTIONS}
        password = self.target.options.get("password", self.target.password)
        secrets = {"PGPASSWORD": password} if password else {}
        # Owners and grants of roles that are not here are no reason to stop.
        words = ["--no-psqlrc", "--quiet", make_conninfo(**cast(dict[str, Any], known))]
        script.run("psql", words, secrets, text)

    def drop(self) -> None:
        """See `Scratch.drop`."""
        with suppress(EngineError):
            self.beside.ask(BoundSql(_SESSIONS, (self.target.path,)))
            self.beside.execute(scratches.statement(f"DROP DATABASE IF EXISTS {identifier(self.target.path)}"))
        self.beside.close()


def make(target: Target, name: str) -> PostgresScratch:
    """The database `name`. Raises ConnectionFailed, TargetError or EngineError (the role has no CREATEDB)."""
    beside = connect(target, profile())
    try:
        beside.execute(scratches.statement(f"CREATE DATABASE {identifier(name)} TEMPLATE template0"))
    except EngineError as error:
        beside.close()
        raise scratches.refused(error, "The role needs CREATEDB.") from None
    made = PostgresScratch(replace(target, path=name, shown=f"{target.shown} ({name})"), beside)
    try:
        made.place()
    except ToolkitError:
        made.drop()
        raise
    return made
