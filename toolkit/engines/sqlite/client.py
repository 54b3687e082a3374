"""The only module that talks to SQLite: open, observe, run statements, write and read records.

It decides nothing; what to run comes as Steps, what to store as Records.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from toolkit.definition import Definition
from toolkit.engines import batches, measuring
from toolkit.engines.bound import BoundSql
from toolkit.engines.sqlite import inspect, measure, rows, versions
from toolkit.engines.sqlite.layout import EMPTY
from toolkit.engines.sqlite.render import identifier
from toolkit.engines.sqlite.typemap import Profile
from toolkit.errors import ConnectionFailed, EngineError, TargetError, Unsupported
from toolkit.plan import Estimate, Observed, Plan, Request, Sql, Step
from toolkit.records import Record, Write
from toolkit.targets import Target

# Generated columns came with 3.31, the last thing the schema needs.
OLDEST = (3, 31, 0)
BUSY_MILLISECONDS = 10_000
# A row stands in some sixty indexes: more of them in memory, and fewer rewrites of a run reaching them, pay off.
_CACHE_KIBIBYTES = 262_144
_BATCH = 20_000
_OPTIONS = {"mode": ("ro", "rw", "rwc"), "busy_timeout": ()}
_EXAMPLE = "Examples: sqlite:///file.db, sqlite:////var/lib/temporal/file.db"
_ALEMBIC = "SELECT version_num FROM alembic_version"
_TEXTS = "SELECT name, sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL"
_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"


def connect(target: Target, rules: Profile) -> SqliteClient:
    """A client for one file, which need not be there yet. Raises ConnectionFailed, Unsupported or TargetError."""
    if target.host or not target.path:
        raise TargetError("TV3008", "the URL names no file", f"A path has three slashes before it. {_EXAMPLE}")
    for name, value in target.options.items():
        allowed = _OPTIONS.get(name)
        if allowed is None or (allowed and value not in allowed) or (not allowed and not value.isdecimal()):
            known = "Known: mode=ro|rw|rwc, busy_timeout=MILLISECONDS."
            raise TargetError("TV3009", f"the URL's option {name[:60]!r} cannot be understood", known)
    if sqlite3.sqlite_version_info < OLDEST:
        raise Unsupported("TV4004", f"this is SQLite {sqlite3.sqlite_version}; generated columns need 3.31 or newer",
                          "Use a Python with a newer SQLite.")  # fmt: skip
    path = Path(target.path)
    if not path.parent.is_dir():
        raise ConnectionFailed("TV4001", f"cannot open {target.shown}: there is no directory {path.parent}", _EXAMPLE)
    client = SqliteClient(path, target, rules)
    if path.exists():
        client.check()
    return client


class SqliteClient:
    """One connection in autocommit mode, opened when it is first needed; see `toolkit.engines.Client`."""

    def __init__(self, path: Path, target: Target, rules: Profile) -> None:
        self._path = path
        self._target = target
        self._rules = rules
        self._open: sqlite3.Connection | None = None

    @property
    def _connection(self) -> sqlite3.Connection:
        """Opening makes an empty file, so it waits until there is something to do with it."""
        if self._open is None:
            options = self._target.options
            milliseconds = int(options.get("busy_timeout", BUSY_MILLISECONDS))
            uri = f"file:{quote(str(self._path))}?mode={options.get('mode', 'rwc')}"
            self._open = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=milliseconds / 1000)
            self._open.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
            # Each row's sixty index pages go through the statement journal, because of the triggers: in memory that is
            # 1.6 times as fast.
            self._open.execute("PRAGMA temp_store = MEMORY")
            # A rebuild drops and renames; neither may reach into an operator's own tables and views meanwhile.
            self._open.execute("PRAGMA foreign_keys = OFF")
            self._open.execute("PRAGMA legacy_alter_table = ON")
        return self._open

    def check(self) -> None:
        """Raise ConnectionFailed or Unsupported when the file is no database, or SQLite cannot serve it."""
        try:
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            modules = {row[0] for row in self._connection.execute("SELECT name FROM pragma_module_list")}
        except sqlite3.Error as error:
            raise ConnectionFailed("TV4001", f"cannot open {self._target.shown}: {error}", "Is it a SQLite file, and "
                                   "may you read it?") from None  # fmt: skip
        if "fts5" not in modules:
            raise Unsupported("TV4004", f"SQLite {sqlite3.sqlite_version} was built without FTS5",
                              "Use a Python whose SQLite has it.")  # fmt: skip

    def _ask(self, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        with self._errors():
            cursor = self._connection.execute(query, parameters)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
            raise EngineError("TV4003", f"{self._target.shown} refused: {error}", _hint(str(error))) from None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """The write lock is taken at once, so that nobody can write between what is read and what is done."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def observe(self) -> Observed:
        """See `toolkit.engines.Client.observe`. A file that is not there is empty, and stays away."""
        server = f"SQLite {sqlite3.sqlite_version}"
        if self._open is None and not self._path.exists():
            return Observed(EMPTY, recorded=None, server=server)
        catalog = inspect.read(self._ask)
        mark = self._one(_ALEMBIC, "alembic_version")
        return Observed(
            catalog,
            recorded=self._one(versions.RECORDED, "schema_version"),
            server=server,
            rows=self.count() if catalog.children(("tables", self._rules.table)) else None,
            marks={"alembic": mark} if mark else {},
            # An operator's own indexes and triggers, which a rebuild must make again as they were written.
            traits={"texts": {row["name"]: row["sql"] for row in self._ask(_TEXTS, (self._rules.table,))}},
        )

    def _one(self, query: str, table: str) -> str | None:
        if not self._ask(_TABLE, (table,)):
            return None
        found = self._ask(query)
        return str(next(iter(found[0].values()))) if found else None

    def execute(self, step: Step) -> None:
        """See `toolkit.engines.Client.execute`: all statements in one transaction."""
        assert not any(isinstance(statement, Request) for statement in step.statements)
        with self._errors(), self._transaction() as connection:
            for statement in step.statements:
                if isinstance(statement, Sql):
                    connection.execute(statement.text)

    def write(self, definition: Definition, writes: Iterable[Write]) -> Iterator[int]:
        """See `toolkit.engines.Client.write`: a transaction and two prepared statements a batch."""
        form = rows.Form.of(definition, self._rules)
        for batch in batches.batched(writes, _BATCH):
            final = batches.collapse(batch)
            with self._errors(), self._transaction() as connection:
                connection.executemany(form.merge, map(form.values, final.records))
                connection.executemany(form.delete, map(form.key, final.deletions))
            yield len(batch)

    def read(self, definition: Definition) -> Iterator[Record]:
        """See `toolkit.engines.Client.read`: one statement, hence one state of the file, read as it is asked for."""
        form = rows.Form.of(definition, self._rules)
        with self._errors():
            cursor = self._connection.execute(form.select)
            while found := cursor.fetchmany(batches.SIZE):
                yield from map(form.record, found)

    def count(self) -> int:
        """See `toolkit.engines.Client.count`."""
        return int(self._ask(f"SELECT count(*) AS v FROM {identifier(self._rules.table)}")[0]["v"])

    def ask(self, statement: BoundSql) -> list[dict[str, Any]]:
        """See `toolkit.engines.filtering.Asking`."""
        return self._ask(statement.text, tuple(statement.parameters))

    def measure(self, plan: Plan) -> dict[str, Estimate]:
        """See `toolkit.engines.measuring.Measuring`. A file that is not there stays away."""
        table = self._rules.table
        there = self._open is not None or self._path.exists()
        measures = measure.read(self._ask, table) if there else measuring.Measures({}, None, 0.0, "")
        return measuring.estimates(plan, measures, lambda step: measure.work(step, table))

    def close(self) -> None:
        """See `toolkit.engines.Client.close`."""
        if self._open is not None:
            self._open.close()


def _hint(message: str) -> str:
    """What to do about the errors that have a remedy."""
    if "locked" in message:
        return "Another process is writing. Try again, or wait longer with ?busy_timeout=MILLISECONDS."
    if "readonly" in message or "unable to open" in message:
        return "The file and its directory must be writable."
    return ""
