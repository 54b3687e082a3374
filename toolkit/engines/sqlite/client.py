"""The only module that talks to SQLite: open, observe, run statements, write and read records.

It decides nothing; what to run comes as Steps, what to store as Records.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from toolkit.catalog import ABSENT
from toolkit.definition import Definition
from toolkit.engines.online import Holder, Problem
from toolkit.engines.sqlite import books, inspect, refusals, traits, versions
from toolkit.engines.sqlite.layout import EMPTY
from toolkit.engines.sqlite.render import identifier
from toolkit.engines.sqlite.typemap import Profile
from toolkit.errors import ConnectionFailed, EngineError, TargetError, Unsupported
from toolkit.plan import Estimate, Observed, Plan, Request, Sql, Step
from toolkit.targets import Target

if TYPE_CHECKING:
    # What only some methods need they import themselves: `schema status` is asked every minute and needs none of it.
    from toolkit.engines.bound import BoundSql
    from toolkit.engines.sqlite import rounding
    from toolkit.engines.sqlite.rebuilder import SqliteRebuilder
    from toolkit.records import Record, Write

# Generated columns came with 3.31, the last thing the schema needs.
OLDEST = (3, 31, 0)
BUSY_MILLISECONDS = 10_000
BEAT_SECONDS = 1.0
# A row stands in some sixty indexes: more of them in memory, and fewer rewrites of a run reaching them, pay off.
_CACHE_KIBIBYTES = 262_144
_BATCH = 20_000
_OPTIONS = {"mode": ("ro", "rw", "rwc"), "busy_timeout": ()}
# After so many of its own small steps SQLite lets us look at the clock.
_LOOK_EVERY = 10_000
_EXAMPLE = "Examples: sqlite:///file.db, sqlite:////var/lib/temporal/file.db"
_ALEMBIC = "SELECT version_num FROM alembic_version"
# Columns with a value of their own, neither generated nor hidden.
_PLAIN = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0"


def connect(target: Target, rules: Profile) -> SqliteClient:
    """A client for one file, which need not be there yet. Raises ConnectionFailed, Unsupported or TargetError."""
    if target.host or not target.path or target.path == ":memory:" or "\0" in target.path:
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
    try:
        folder, file = path.parent.is_dir(), path.exists()
    except OSError as error:
        reason = f"cannot open {target.shown}: {error.strerror}"
        raise ConnectionFailed("TV4001", reason, "Is it a SQLite file, and may you read it?") from None
    if not folder:
        raise ConnectionFailed("TV4001", f"cannot open {target.shown}: there is no directory {path.parent}", _EXAMPLE)
    client = SqliteClient(path, target, rules)
    if file:
        client.check()
    return client


class SqliteClient:
    """One connection in autocommit mode, opened when it is first needed; see `toolkit.engines.Client`."""

    def __init__(self, path: Path, target: Target, rules: Profile) -> None:
        self._path = path
        self._target = target
        self._rules = rules
        self._open: sqlite3.Connection | None = None
        self._agreement: rounding.Agreement | None = None
        self._lease: books.SqliteLease | None = None

    @property
    def _connection(self) -> sqlite3.Connection:
        """Opening makes an empty file, so it waits until there is something to do with it."""
        if self._open is None:
            self._open = self._session(self._milliseconds / 1000)
            self._open.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
            # Each row's sixty index pages go through the statement journal, because of the triggers: in memory that is
            # 1.6 times as fast.
            self._open.execute("PRAGMA temp_store = MEMORY")
            # A rebuild drops and renames; neither may reach into an operator's own tables and views meanwhile.
            self._open.execute("PRAGMA foreign_keys = OFF")
            self._open.execute("PRAGMA legacy_alter_table = ON")
        return self._open

    @property
    def _milliseconds(self) -> int:
        return int(self._target.options.get("busy_timeout", BUSY_MILLISECONDS))

    def _session(self, wait: float) -> sqlite3.Connection:
        uri = f"file:{quote(os.fsencode(self._path))}?mode={self._target.options.get('mode', 'rwc')}"
        return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=wait)

    def check(self) -> None:
        """Raise ConnectionFailed or Unsupported when the file is no database, or SQLite cannot serve it."""
        try:
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            modules = {row[0] for row in self._connection.execute("SELECT name FROM pragma_module_list")}
        except sqlite3.Error as error:
            raise ConnectionFailed(
                "TV4001", f"cannot open {self._target.shown}: {error}", refusals.way_in(error)
            ) from None
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
            raise self._failed(error) from None

    def _failed(self, error: BaseException) -> EngineError:
        return refusals.coded(error, self._target)

    @contextmanager
    def _transaction(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        """The write lock is taken at once, so that nobody can write between what is read and what is done; it is waited
        for `wait` seconds, or as long as the URL says."""
        connection = self._connection
        if wait is not None:
            connection.execute(f"PRAGMA busy_timeout = {round(wait * 1000)}")
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            # A commit waits for readers, and what was done before it should not be lost to one of them.
            connection.execute(f"PRAGMA busy_timeout = {self._milliseconds}")
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
        if not self._there():
            return Observed(EMPTY, recorded=None, server=server)
        catalog = inspect.read(self._ask)
        mark = self._one(_ALEMBIC, "alembic_version")
        rows, found = traits.read(self._ask, catalog, self._rules.table)
        return Observed(
            catalog,
            recorded=self._one(versions.RECORDED, "schema_version"),
            server=server,
            rows=rows,
            marks={"alembic": mark} if mark else {},
            traits=found,
        )

    def _one(self, query: str, table: str) -> str | None:
        if not self._ask(books.EXISTS, (table,)):
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
        from toolkit.engines import batches
        from toolkit.engines.sqlite import rows

        form = rows.Form.of(definition, self._rules)
        for batch in batches.batched(writes, _BATCH):
            final = batches.collapse(batch)
            self._agree(fine=any(map(rows.is_fine, final.records)))
            with self._errors(), self._transaction() as connection:
                connection.executemany(form.merge, map(form.values, final.records))
                connection.executemany(form.delete, map(form.key, final.deletions))
            yield len(batch)

    def read(self, definition: Definition) -> Iterator[Record]:
        """See `toolkit.engines.Client.read`: one statement, hence one state of the file, read as it is asked for."""
        from toolkit.engines import batches
        from toolkit.engines.sqlite import rows

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

    def take_lock(self, owner: str, seconds: float) -> books.SqliteLease:
        """See `toolkit.engines.online.Coordinated.take_lock`."""
        return self._take(owner, seconds, None)

    def break_lock(self, owner: str) -> None:
        """See `toolkit.engines.online.Coordinated.break_lock`. The process cannot be ended; it can change nothing."""
        self._take("temporal-visibility schema unlock", 0.0, owner).release()

    def _agree(self, fine: bool = False) -> None:
        """See `rounding.Agreement.reach`."""
        from toolkit.engines.sqlite import rounding

        with self._errors():
            if self._agreement is None:
                self._agreement = rounding.Agreement(self._connection, self._rules.table)
            self._agreement.reach(fine)

    def _take(self, owner: str, seconds: float, forced: str | None) -> books.SqliteLease:
        self._agree()
        with self._errors(), self._transaction() as connection:
            fencing = books.take(connection, owner, seconds, forced)
        self._lease = books.SqliteLease(
            self._connection, lambda: self._session(BEAT_SECONDS), self._failed, fencing, seconds
        )
        return self._lease

    def holder(self) -> Holder | None:
        """See `toolkit.engines.online.Coordinated.holder`."""
        return books.holder(self._ask) if self._there() else None

    def journal(self) -> books.SqliteJournal:
        """See `toolkit.engines.online.Coordinated.journal`."""
        ask = self._ask if self._there() else lambda *_: []
        return books.SqliteJournal(ask, self._transaction, self._failed, self._lease.fencing if self._lease else 0)

    def rebuilding(self) -> SqliteRebuilder:
        """See `toolkit.engines.online.Coordinated.rebuilding`; only for the holder of the lock."""
        from toolkit.engines.sqlite.rebuilder import SqliteRebuilder

        assert self._lease is not None
        return SqliteRebuilder(self._lease, self._transaction, self._failed)

    def preflight(self, plan: Plan) -> tuple[Problem, ...]:
        """See `toolkit.engines.online.Checking.preflight`."""
        from toolkit.engines.sqlite import preflight

        return preflight.check(self._ask, plan, self._rules.table) if self._there() else ()

    def losses(self, plan: Plan) -> dict[str, int]:
        """See `toolkit.engines.online.Counting.losses`: generated columns come back with the next upgrade."""
        table = self._rules.table
        dropped = {e.path[-1] for step in plan.steps for e in step.done
                   if e.wanted is ABSENT and e.path[:-1] == ("catalog", "tables", table, "columns")}  # fmt: skip
        names = [row["name"] for row in self._ask(_PLAIN, (table,)) if row["name"] in dropped]
        if not names:
            return {}
        counts = ", ".join(f"count({identifier(name)}) AS {identifier(name)}" for name in names)
        row = self._ask(f"SELECT {counts} FROM {identifier(table)}")[0]
        return {name: int(row[name]) for name in names if row[name]}

    def _there(self) -> bool:
        """Whether there is a file; asking must not make one."""
        return self._open is not None or self._path.exists()

    def measure(self, plan: Plan) -> dict[str, Estimate]:
        """See `toolkit.engines.measuring.Measuring`. A file that is not there stays away."""
        from toolkit.engines import measuring
        from toolkit.engines.sqlite import measure

        table = self._rules.table
        if not self._there():
            return measuring.estimates(plan, measuring.Measures({}, None, 0.0, ""), lambda step: None)
        with self._limited(measuring.SAMPLE_SECONDS):
            measures = measure.read(self._ask, table)
        return measuring.estimates(plan, measures, lambda step: measure.work(step, table))

    @contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        """In this block all statements together may take about `seconds`: then the one under way is interrupted, as is
        every one after it."""
        until = time.monotonic() + seconds
        self._connection.execute(f"PRAGMA busy_timeout = {min(self._milliseconds, round(seconds * 1000))}")
        self._connection.set_progress_handler(lambda: time.monotonic() > until, _LOOK_EVERY)
        try:
            yield
        finally:
            self._connection.set_progress_handler(None, 0)
            self._connection.execute(f"PRAGMA busy_timeout = {self._milliseconds}")

    def close(self) -> None:
        """See `toolkit.engines.Client.close`."""
        if self._open is not None:
            self._open.close()
        if self._agreement is not None:
            self._agreement.close()
