"""Connections to PostgreSQL: what a URL's options mean to libpq, and how a session of ours begins.

It decides nothing about schemas or runs; errors are the driver's own, except for URLs that mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, cast

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from toolkit.engines.postgresql import session
from toolkit.engines.postgresql.render import identifier, literal
from toolkit.engines.postgresql.typemap import Profile
from toolkit.errors import EngineError, TargetError
from toolkit.targets import Target

Connection: TypeAlias = psycopg.Connection[dict[str, Any]]
Failed = Callable[[psycopg.Error], EngineError]

CONNECT_TIMEOUT = "10"
# A network that is gone is noticed within a minute; by itself TCP would wait for hours.
_KEEPALIVES = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}


@contextmanager
def coded(failed: Failed) -> Iterator[None]:
    """Turns the driver's errors into ours."""
    try:
        yield
    except psycopg.Error as error:
        raise failed(error) from None


def options(target: Target) -> dict[str, str]:
    """libpq's options for `target`, the password among them. Raises TargetError."""
    found: dict[str, str] = {"connect_timeout": CONNECT_TIMEOUT, "application_name": "temporal-visibility",
                             **_KEEPALIVES}  # fmt: skip
    if not target.path or target.options.get("dbname", target.path) != target.path:
        number = "two databases" if target.path else "no database"
        raise TargetError(
            "TV3008", f"the URL names {number}", "Example: postgresql://user@host:5432/temporal_visibility"
        )
    named = {"host": target.host, "user": target.user, "password": target.password, "dbname": target.path}
    found |= {k: v for k, v in named.items() if v is not None} | dict(target.options)
    if target.port is not None:
        found["port"] = str(target.port)
    return found


def conninfo_of(target: Target) -> str:
    """libpq's connection string for `target`. Raises TargetError."""
    return make_conninfo(**cast(dict[str, Any], options(target)))


def opened(conninfo: str, target: Target, rules: Profile) -> Connection:
    """A session of ours in autocommit mode. Raises psycopg.Error, or EngineError where the search path leads
    elsewhere."""
    connection = psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)
    try:
        # As statements: poolers refuse most settings at the start of a session.
        asked = (session.PLACED.format(table=literal(identifier(rules.table))), f"SELECT {session.ALONE}")
        said = connection.execute(";\n".join((*session.pinned(), *asked, session.NUMBER)))
        placed, _, number = _rows(said)
        if number["pid"] != connection.info.backend_pid:
            # Behind a pooler: what one statement prepares may be in another session than the next.
            connection.prepare_threshold = None
        if wrong := session.misplaced(placed):
            raise EngineError("TV5217", f"{target.shown}: {wrong[0]}", wrong[1])
    except (psycopg.Error, EngineError):
        connection.close()
        raise
    return connection


def _rows(said: psycopg.Cursor[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of all statements that have some."""
    found = said.fetchall() if said.description else []
    while said.nextset():
        found += said.fetchall() if said.description else []
    return found
