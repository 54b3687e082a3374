"""The only module that talks to MySQL: connect, observe, run statements, write and read records.

It decides nothing; what to run comes as Steps, what to store as Records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pymysql
from pymysql.constants import ER

from toolkit.catalog import Absent, Json
from toolkit.definition import Definition
from toolkit.engines import batches, measuring
from toolkit.engines.bound import BoundSql
from toolkit.engines.mysql import books, inspect, measure, preflight, refusals, replicas, rows, traits
from toolkit.engines.mysql.connection import Connection, ask, opened, session, settle
from toolkit.engines.mysql.rebuilder import MysqlRebuilder
from toolkit.engines.mysql.render import identifier
from toolkit.engines.mysql.typemap import Profile
from toolkit.engines.mysql.versions import RECORDED
from toolkit.engines.mysql.watch import Watcher
from toolkit.engines.online import Holder, Problem
from toolkit.engines.version_tables import SHARED, shared_with
from toolkit.errors import ConnectionFailed, EngineError, TargetError, Unsupported
from toolkit.plan import Estimate, Observed, Plan, Request, Sql, Step
from toolkit.records import Record, Write
from toolkit.targets import Target

# How long a statement may wait for a table. Everybody behind a waiting ALTER waits too; the default is a year.
LOCK_WAIT_TIMEOUT = 30
# Multi-valued indexes came with 8.0.17, the names for inserted rows with 8.0.19.
OLDEST = (8, 0, 19)
_ALEMBIC = "SELECT version_num FROM alembic_version"
_ROWS = "SELECT TABLE_ROWS AS v FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"
_ATTEMPTS = 5


def connect(target: Target, rules: Profile) -> MysqlClient:
    """An open connection. Raises ConnectionFailed (unreachable, refused, wrong password), TargetError, or Unsupported
    when the server is not MySQL, or too old."""
    if not target.path:
        raise TargetError("TV3008", "the URL names no database", "Example: mysql://user@host:3306/temporal_visibility")
    try:
        connection = opened(target)
    except (pymysql.MySQLError, OSError, UnicodeError) as error:
        said = target.redact(refusals.text_of(error))
        raise ConnectionFailed("TV4001", f"cannot connect to {target.shown}: {said}", refusals.way_in(error)) from None
    client = MysqlClient(connection, target, rules)
    try:
        client.prepare()
    except EngineError:
        client.close()
        raise
    return client


def unfit(version: str) -> str | None:
    """What the server is, when it cannot be used."""
    if "mariadb" in version.lower():
        return f"MariaDB ({version}), which has no indexes on lists or expressions"
    numbers = tuple(int(part) for part in version.partition("-")[0].split(".") if part.isdigit())
    return f"MySQL {version}" if numbers < OLDEST else None


class MysqlClient:
    """One connection in autocommit mode; see `toolkit.engines.Client`."""

    def __init__(self, connection: Connection, target: Target, rules: Profile) -> None:
        self._connection = connection
        self._target = target
        self._rules = rules
        self._version = ""
        self._lease: books.MysqlLease | None = None
        self._watcher: Watcher | None = None
        self._rebuilder: MysqlRebuilder | None = None
        self._replicas: replicas.Watch | None = None
        self._sessions = [session(connection)]

    def prepare(self) -> None:
        """Settle what the session takes for granted. Raises Unsupported on another product or a version too old."""
        self._version = str(self._ask("SELECT VERSION() AS v")[0]["v"])
        if problem := unfit(self._version):
            raise Unsupported("TV4004", f"{self._target.shown} is {problem}", "MySQL 8.0.19 or newer is needed.")
        try:
            settle(self._connection, LOCK_WAIT_TIMEOUT)
        except pymysql.MySQLError as error:
            raise self._failed(error) from None

    def _ask(self, query: str, parameters: Sequence[object] | None = None) -> list[dict[str, Any]]:
        try:
            return ask(self._connection, query, parameters)
        except pymysql.MySQLError as error:
            raise self._failed(error) from None

    def _failed(self, error: pymysql.MySQLError) -> EngineError:
        return refusals.coded(error, self._target)

    def observe(self) -> Observed:
        """See `toolkit.engines.Client.observe`."""
        catalog = inspect.read(self._ask)
        mark = self._one(_ALEMBIC)
        shared = shared_with(catalog)
        return Observed(
            catalog,
            recorded=None if shared else self._one(RECORDED),
            server=f"MySQL {self._version}",
            # 0 until the server has looked at a table that is new, or was altered.
            rows=int(self._ask(_ROWS, (self._rules.table,))[0]["v"] or 0) or self.count()
            if catalog.children(("tables", self._rules.table))
            else None,
            marks={"alembic": mark} if mark else {},
            traits=traits.read(self._ask, [t.name for t in self._rules.tables]) | ({SHARED: shared} if shared else {}),
        )

    def _one(self, query: str) -> str | None:
        """The one value that `query` finds; None when there is no row, or no such table."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(query)
                row = cursor.fetchone()
        except pymysql.MySQLError as error:
            if error.args and error.args[0] == ER.NO_SUCH_TABLE:
                return None
            raise self._failed(error) from None
        return str(next(iter(row.values()))) if row else None

    def execute(self, step: Step) -> None:
        """See `toolkit.engines.Client.execute`. MySQL commits with every change of schema; what follows the last one
        is one transaction."""
        assert not any(isinstance(s, Request) for s in step.statements)
        try:
            with self._connection.cursor() as cursor:
                self._connection.autocommit(False)
                for statement in step.statements:
                    if isinstance(statement, Sql):
                        cursor.execute(statement.text)
                self._connection.commit()
                self._connection.autocommit(True)
        except pymysql.MySQLError as error:
            self._give_up()
            raise self._failed(error) from None

    def _give_up(self) -> None:
        if self._connection.open:
            try:
                self._connection.rollback()
                self._connection.autocommit(True)
            except pymysql.MySQLError:
                self._connection.close()

    def write(self, definition: Definition, writes: Iterable[Write]) -> Iterator[int]:
        """See `toolkit.engines.Client.write`: many rows an INSERT, and one transaction a batch for all tables."""
        form = rows.Form.of(definition, self._rules)
        for batch in batches.batched(writes):
            final = batches.collapse(batch)
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    self._write(form, final)
                    break
                except pymysql.MySQLError as error:
                    self._give_up()
                    if attempt == _ATTEMPTS or error.args[0] not in (ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT):
                        raise self._failed(error) from None
            yield len(batch)

    def _write(self, form: rows.Form, final: batches.Final) -> None:
        """One batch. READ COMMITTED, as Temporal's server has it, locks no gaps between rows."""
        kept = [(r.namespace_id, r.run_id) for r in final.records]
        ended = [(d.namespace_id, d.run_id) for d in final.deletions]
        with self._connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            self._connection.begin()
            if kept:
                cursor.executemany(form.insert, [form.values(record) for record in final.records])
            for statement in form.follow:
                for text, values in rows.chunks(statement, kept):
                    cursor.execute(text, values)
            for statement in form.delete:
                for text, values in rows.chunks(statement, ended):
                    cursor.execute(text, values)
            self._connection.commit()

    def read(self, definition: Definition) -> Iterator[Record]:
        """See `toolkit.engines.Client.read`: page by page in key order, all pages as of one moment."""
        form = rows.Form.of(definition, self._rules)
        self._ask("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        try:
            page = self._ask(form.first_page, (batches.SIZE,))
            while page:
                yield from (form.record(row) for row in page)
                namespace, run = page[-1]["namespace_id"], page[-1]["run_id"]
                page = self._ask(form.next_page, (namespace, namespace, run, batches.SIZE))
        finally:
            self._give_up()

    def count(self) -> int:
        """See `toolkit.engines.Client.count`."""
        return int(self._ask(f"SELECT COUNT(*) AS v FROM {identifier(self._rules.table)}")[0]["v"])

    def ask(self, statement: BoundSql) -> list[dict[str, Any]]:
        """See `toolkit.engines.filtering.Asking`."""
        return self._ask(statement.text, tuple(statement.parameters))

    def measure(self, plan: Plan) -> dict[str, Estimate]:
        """See `toolkit.engines.measuring.Measuring`."""
        main = self._rules.table
        measures = measure.read(self._ask, main)
        return measuring.estimates(plan, measures, lambda step: measure.work(step, measures, main))

    def take_lock(self, owner: str, seconds: float) -> books.MysqlLease:
        """See `toolkit.engines.online.Coordinated.take_lock`."""
        return self._take(owner, seconds, None)

    def break_lock(self, owner: str) -> None:
        """See `toolkit.engines.online.Coordinated.break_lock`."""
        self._take("temporal-visibility schema unlock", 0.0, owner).release()

    def _take(self, owner: str, seconds: float, forced: str | None) -> books.MysqlLease:
        try:
            fencing = books.take(self._connection, owner, seconds, forced)
        except pymysql.MySQLError as error:
            raise self._failed(error) from None
        self._lease = books.MysqlLease(self._connection, self._session, self._failed, fencing, seconds)
        self._end_rebuilding()
        return self._lease

    def _end_rebuilding(self) -> None:
        if self._rebuilder is not None:
            self._rebuilder.close()
            self._rebuilder = None

    def _session(self) -> Connection:
        """Another session of this account."""
        try:
            connection = opened(self._target)
            settle(connection, LOCK_WAIT_TIMEOUT)
        except (pymysql.MySQLError, OSError) as error:
            text = f"no further session of {self._target.shown}: {self._target.redact(refusals.text_of(error))}"
            raise ConnectionFailed("TV4002", text, refusals.way_on(error)) from None
        self._sessions.append(session(connection))
        return connection

    def holder(self) -> Holder | None:
        """See `toolkit.engines.online.Coordinated.holder`."""
        try:
            return books.holder(self._connection)
        except pymysql.MySQLError as error:
            raise self._failed(error) from None

    def journal(self) -> books.MysqlJournal:
        """See `toolkit.engines.online.Coordinated.journal`."""
        return books.MysqlJournal(self._connection, self._failed, self._lease.fencing if self._lease else 0)

    def rebuilding(self) -> MysqlRebuilder:
        """See `toolkit.engines.online.Coordinated.rebuilding`; only for the holder of the lock."""
        assert self._lease is not None
        if self._watcher is None:
            self._watcher = Watcher(self._session, self._connection)
        if self._rebuilder is None:
            self._rebuilder = MysqlRebuilder(
                self._connection, self._lease, self._failed, self._session, self._watcher, LOCK_WAIT_TIMEOUT
            )
        return self._rebuilder

    def throttle(self, run: int) -> Json:
        """See `toolkit.engines.online.Throttling.throttle`."""
        return self.journal().asked(run)

    def set_throttle(self, run: int, asked: Json) -> None:
        """See `toolkit.engines.online.Throttling.set_throttle`."""
        self.journal().ask(run, asked)

    def lag(self) -> float | None:
        """See `toolkit.engines.online.Sensing.lag`."""
        try:
            if self._replicas is None:
                books.create(self._connection)
                self._replicas = replicas.Watch(self._connection, self._target)
            return self._replicas.lag()
        except pymysql.MySQLError as error:
            raise self._failed(error) from None

    def load(self) -> float:
        """See `toolkit.engines.online.Sensing.load`."""
        try:
            return replicas.load(self._connection, self._sessions)
        except pymysql.MySQLError as error:
            raise self._failed(error) from None

    def undivided(self) -> bool:
        """See `toolkit.engines.online.Undivided`: a swap is one RENAME TABLE."""
        return True

    def preflight(self, plan: Plan) -> tuple[Problem, ...]:
        """See `toolkit.engines.online.Checking.preflight`."""
        return preflight.check(self._ask, plan, [t.name for t in self._rules.tables])

    def recheck(self, plan: Plan) -> tuple[Problem, ...]:
        """See `toolkit.engines.online.Rechecking`."""
        return preflight.again(self._ask, plan, self.observe, [t.name for t in self._rules.tables])

    def losses(self, plan: Plan) -> Mapping[str, int]:
        """See `toolkit.engines.online.Counting.losses`: generated columns come back with the next upgrade."""
        gone = {e.path[2:] for s in plan.steps for e in s.done if isinstance(e.wanted, Absent)}
        found = {}
        for table, column in traits.plain_columns(self._ask, [t.name for t in self._rules.tables]):
            if (table, "columns", column) in gone:
                query = f"SELECT COUNT({identifier(column)}) AS v FROM {identifier(table)}"
                found[f"{table}.{column}"] = int(self._ask(query)[0]["v"])
        return {name: count for name, count in found.items() if count}

    def close(self) -> None:
        """See `toolkit.engines.Client.close`."""
        self._end_rebuilding()
        for helper in (self._watcher, self._replicas):
            if helper is not None:
                helper.close()
        if self._connection.open:
            self._connection.close()
