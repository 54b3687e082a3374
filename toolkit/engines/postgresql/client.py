"""The only module that talks to PostgreSQL: connect, observe, run statements, write and read records.

It decides nothing; what to run comes as Steps, what to store as Records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from toolkit.definition import Definition
from toolkit.engines import batches
from toolkit.engines.filtering import BoundSql
from toolkit.engines.postgresql import inspect, rows
from toolkit.engines.postgresql.typemap import Profile
from toolkit.errors import ConnectionFailed, EngineError, TargetError
from toolkit.plan import Observed, Request, Sql, Step
from toolkit.records import Record, Write
from toolkit.targets import Target

CONNECT_TIMEOUT = "10"
_VERSION = "SELECT curr_version AS v FROM schema_version WHERE version_partition = 0 AND db_name = current_database()"
_ALEMBIC = "SELECT version_num AS v FROM alembic_version"
_ROWS = "SELECT greatest(reltuples, 0)::bigint AS v FROM pg_class WHERE oid = to_regclass(%s)"


def connect(target: Target, rules: Profile) -> PostgresClient:
    """An open connection. Raises ConnectionFailed (unreachable, refused, wrong password) or TargetError."""
    options: dict[str, str] = {"connect_timeout": CONNECT_TIMEOUT, "application_name": "temporal-visibility"}
    if not target.path:
        raise TargetError(
            "TV3008", "the URL names no database", "Example: postgresql://user@host:5432/temporal_visibility"
        )
    named = {"host": target.host, "user": target.user, "password": target.password, "dbname": target.path}
    options |= {k: v for k, v in named.items() if v is not None} | dict(target.options)
    if target.port is not None:
        options["port"] = str(target.port)
    try:
        conninfo = make_conninfo(**cast(dict[str, Any], options))
        connection = psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)
    except psycopg.ProgrammingError as error:
        raise TargetError("TV3009", f"the URL's options: {target.redact(str(error)).strip()}") from None
    except psycopg.OperationalError as error:
        reason = target.redact(str(error)).strip().splitlines()
        raise ConnectionFailed("TV4001", f"cannot connect to {target.shown}: {reason[-1] if reason else 'no answer'}",
                               "Is the server up, and are host, port, user and password right?") from None  # fmt: skip
    return PostgresClient(connection, target, rules)


class PostgresClient:
    """One connection in autocommit mode; see `toolkit.engines.Client`."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]], target: Target, rules: Profile) -> None:
        self._connection = connection
        self._target = target
        self._rules = rules

    def _ask(self, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        try:
            return self._connection.execute(query, parameters or None).fetchall()
        except psycopg.Error as error:
            raise self._failed(error) from None

    def _failed(self, error: psycopg.Error) -> EngineError:
        text = self._target.redact(error.diag.message_primary or str(error)).strip()
        hint = self._target.redact(error.diag.message_hint or "")
        if isinstance(error, psycopg.OperationalError) and self._connection.broken:
            return ConnectionFailed(
                "TV4002", f"lost the connection to {self._target.shown}: {text}", "Run the same command again."
            )
        return EngineError("TV4003", f"{self._target.shown} refused: {text}", hint)

    def observe(self) -> Observed:
        """See `toolkit.engines.Client.observe`. Names are read unqualified, in the connection's current schema."""
        # With only this schema on the path, the server prints the names in expressions unqualified.
        self._ask("SELECT set_config('search_path', quote_ident(current_schema()), false)")
        catalog = inspect.read(self._ask)
        return Observed(
            catalog,
            recorded=self._one(_VERSION, "schema_version"),
            server=f"PostgreSQL {self._connection.info.parameter_status('server_version')}",
            rows=int(self._ask(_ROWS, (self._rules.table,))[0]["v"] or 0)
            if catalog.children(("tables", self._rules.table))
            else None,
            marks={"alembic": mark} if (mark := self._one(_ALEMBIC, "alembic_version")) else {},
        )

    def _one(self, query: str, table: str) -> str | None:
        if self._ask("SELECT to_regclass(%s) AS v", (table,))[0]["v"] is None:
            return None
        found = self._ask(query)
        return str(found[0]["v"]) if found else None

    def execute(self, step: Step) -> None:
        """See `toolkit.engines.Client.execute`: all statements in one transaction, unless one cannot be in any."""
        statements = [s for s in step.statements if isinstance(s, Sql)]
        assert not any(isinstance(s, Request) for s in step.statements)
        try:
            if any(s.autocommit for s in statements):
                for statement in statements:
                    self._connection.execute(statement.text)
                return
            with self._connection.transaction():
                for statement in statements:
                    self._connection.execute(statement.text)
        except psycopg.Error as error:
            raise self._failed(error) from None

    def write(self, definition: Definition, writes: Iterable[Write]) -> Iterator[int]:
        """See `toolkit.engines.Client.write`: COPY into a temporary table, then one guarded upsert a batch."""
        form = rows.Form.of(definition, self._rules)
        try:
            self._connection.execute(form.staging)
            for batch in batches.batched(writes):
                final = batches.collapse(batch)
                with self._connection.transaction(), self._connection.cursor() as cursor:
                    cursor.execute(form.clear)
                    with cursor.copy(form.copy) as copy:
                        for record in final.records:
                            copy.write_row(form.values(record))
                    cursor.execute(form.merge)
                    cursor.executemany(form.delete, [(d.namespace_id, d.run_id) for d in final.deletions])
                yield len(batch)
        except psycopg.Error as error:
            raise self._failed(error) from None

    def read(self, definition: Definition) -> Iterator[Record]:
        """See `toolkit.engines.Client.read`: a server-side cursor, a few thousand rows at a time."""
        form = rows.Form.of(definition, self._rules)
        try:
            with self._connection.transaction(), self._connection.cursor("temporal_visibility_read") as cursor:
                cursor.itersize = batches.SIZE
                for row in cursor.execute(form.select):
                    yield form.record(row)
        except psycopg.Error as error:
            raise self._failed(error) from None

    def count(self) -> int:
        """See `toolkit.engines.Client.count`."""
        from toolkit.engines.postgresql.render import identifier

        return int(self._ask(f"SELECT count(*) AS v FROM {identifier(self._rules.table)}")[0]["v"])

    def ask(self, statement: BoundSql) -> list[dict[str, Any]]:
        """See `toolkit.engines.filtering.Asking`."""
        return self._ask(statement.text, tuple(statement.parameters))

    def close(self) -> None:
        """See `toolkit.engines.Client.close`."""
        self._connection.close()
