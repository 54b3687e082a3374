"""The only module that talks to MySQL: connect, observe, run statements, write and read records.

It decides nothing; what to run comes as Steps, what to store as Records.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pymysql
from pymysql.constants import ER
from pymysql.cursors import DictCursor

from toolkit.definition import Definition
from toolkit.engines import batches, measuring
from toolkit.engines.bound import BoundSql
from toolkit.engines.mysql import inspect, measure, rows
from toolkit.engines.mysql.render import SQL_MODE, identifier, literal
from toolkit.engines.mysql.typemap import Profile
from toolkit.engines.mysql.versions import RECORDED
from toolkit.errors import ConnectionFailed, EngineError, TargetError, Unsupported
from toolkit.plan import Estimate, Observed, Plan, Request, Sql, Step
from toolkit.records import Record, Write
from toolkit.targets import Target

CONNECT_TIMEOUT = 10
# How long a statement may wait for a table. Everybody behind a waiting ALTER waits too; the default is a year.
LOCK_WAIT_TIMEOUT = 30
# Multi-valued indexes came with 8.0.17, the names for inserted rows with 8.0.19.
OLDEST = (8, 0, 19)
# Without a limit of memory for ranges, long lists of keys are looked up; over the limit (8 MB, reached with 1000 keys
# on 8.0) the server scans the table.
_SESSION = (
    f"SET SESSION sql_mode = {literal(SQL_MODE)}, time_zone = '+00:00', "
    "transaction_isolation = 'REPEATABLE-READ', information_schema_stats_expiry = 0, range_optimizer_max_mem_size = 0"
)
_ALEMBIC = "SELECT version_num FROM alembic_version"
_ROWS = "SELECT TABLE_ROWS AS v FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"
_OPTIONS = ("ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "socket")
# The driver's own switches, strongest first, and the mode each stands for.
_SWITCHES = {
    "ssl-disabled": "DISABLED",
    "ssl-verify-identity": "VERIFY_IDENTITY",
    "ssl-verify-cert": "VERIFY_CA",
}
_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
_LOST = frozenset({2006, 2013, 2014, 2055, ER.SERVER_SHUTDOWN})
_ATTEMPTS = 5
_RIGHTS = "The account needs CREATE, ALTER, INDEX, DROP, SELECT, INSERT, UPDATE, DELETE on the database."
_HINTS = {
    ER.LOCK_WAIT_TIMEOUT: "A transaction holds the table; end it, or run the same command again later.",
    ER.DBACCESS_DENIED_ERROR: _RIGHTS,
    ER.TABLEACCESS_DENIED_ERROR: _RIGHTS,
}


def connect(target: Target, rules: Profile) -> MysqlClient:
    """An open connection. Raises ConnectionFailed (unreachable, refused, wrong password), TargetError, or Unsupported
    when the server is not MySQL, or too old."""
    if not target.path:
        raise TargetError("TV3008", "the URL names no database", "Example: mysql://user@host:3306/temporal_visibility")
    given = options(target)
    settings: dict[str, Any] = {
        "host": target.host or "localhost",
        "port": target.port or 3306,
        "user": target.user,
        "password": (target.password or "").encode(),
        "database": target.path,
        "unix_socket": given.get("socket"),
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_TIMEOUT,
        "autocommit": True,
        "cursorclass": DictCursor,
        "program_name": "temporal-visibility",
    }
    try:
        connection = pymysql.connect(**settings | encryption(given))
    except (pymysql.MySQLError, OSError, UnicodeError) as error:
        raise ConnectionFailed("TV4001", f"cannot connect to {target.shown}: {target.redact(_text(error))}",
                               "Is the server up, and are host, port, user and password right?") from None  # fmt: skip
    client = MysqlClient(connection, target, rules)
    try:
        client.prepare()
    except EngineError:
        client.close()
        raise
    return client


def options(target: Target) -> dict[str, str]:
    """The URL's options under the names that MySQL's own client has for them; the driver's switches become a mode."""
    found = {name.replace("_", "-").lower(): value for name, value in target.options.items()}
    for name in found:
        if name not in _OPTIONS and name not in _SWITCHES:
            raise TargetError("TV3009", f"the URL's option {name[:60]!r} cannot be understood",
                              f"Known: {', '.join((*_OPTIONS, *_SWITCHES))}.")  # fmt: skip
    asked = [mode for switch, mode in _SWITCHES.items() if found.pop(switch, "false").lower() in ("true", "1")]
    usual = "VERIFY_CA" if "ssl-ca" in found else "REQUIRED" if "ssl-cert" in found else "PREFERRED"
    mode = found.get("ssl-mode", asked[0] if asked else usual).upper()
    if mode not in _MODES:
        raise TargetError("TV3009", f"ssl-mode={mode[:60]!r} cannot be understood", f"Known: {', '.join(_MODES)}.")
    return found | {"ssl-mode": mode}


def encryption(given: dict[str, str]) -> dict[str, Any]:
    """The driver's settings for TLS. PREFERRED is what the driver does by itself."""
    mode, certificate = given["ssl-mode"], given.get("ssl-cert")
    if mode == "DISABLED":
        return {"ssl_disabled": True}
    if mode == "PREFERRED":
        return {}
    try:
        context = ssl.create_default_context(cafile=given.get("ssl-ca"))
        # The certificates that MySQL makes for itself do not keep to every letter of the standard.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = mode == "VERIFY_IDENTITY"
        context.verify_mode = ssl.CERT_NONE if mode == "REQUIRED" else ssl.CERT_REQUIRED
        if certificate:
            context.load_cert_chain(certificate, given.get("ssl-key"))
    except OSError as error:
        raise TargetError(
            "TV3009", f"the URL's TLS files cannot be used: {error}", "See ssl-ca, ssl-cert, ssl-key."
        ) from None
    return {"ssl": context}


def unfit(version: str) -> str | None:
    """What the server is, when it cannot be used."""
    if "mariadb" in version.lower():
        return f"MariaDB ({version}), which has no indexes on lists or expressions"
    numbers = tuple(int(part) for part in version.partition("-")[0].split(".") if part.isdigit())
    return f"MySQL {version}" if numbers < OLDEST else None


def _text(error: BaseException) -> str:
    return str(error.args[1] if len(error.args) > 1 else error).strip() or "no answer"


class MysqlClient:
    """One connection in autocommit mode; see `toolkit.engines.Client`."""

    def __init__(self, connection: pymysql.Connection[DictCursor], target: Target, rules: Profile) -> None:
        self._connection = connection
        self._target = target
        self._rules = rules
        self._version = ""

    def prepare(self) -> None:
        """Settle what the session takes for granted. Raises Unsupported on another product or a version too old."""
        self._version = str(self._ask("SELECT VERSION() AS v")[0]["v"])
        if problem := unfit(self._version):
            raise Unsupported("TV4004", f"{self._target.shown} is {problem}", "MySQL 8.0.19 or newer is needed.")
        self._ask(f"{_SESSION}, lock_wait_timeout = {LOCK_WAIT_TIMEOUT}")

    def _ask(self, query: str, parameters: Sequence[object] | None = None) -> list[dict[str, Any]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(query, parameters)
                return list(cursor.fetchall())
        except pymysql.MySQLError as error:
            raise self._failed(error) from None

    def _failed(self, error: pymysql.MySQLError) -> EngineError:
        text = self._target.redact(_text(error))
        code = error.args[0] if error.args else 0
        if code in _LOST or isinstance(error, pymysql.InterfaceError):
            return ConnectionFailed(
                "TV4002", f"lost the connection to {self._target.shown}: {text}", "Run the same command again."
            )
        return EngineError("TV4003", f"{self._target.shown} refused: {text}", _HINTS.get(code, ""))

    def observe(self) -> Observed:
        """See `toolkit.engines.Client.observe`."""
        catalog = inspect.read(self._ask)
        mark = self._one(_ALEMBIC)
        return Observed(
            catalog,
            recorded=self._one(RECORDED),
            server=f"MySQL {self._version}",
            rows=int(self._ask(_ROWS, (self._rules.table,))[0]["v"] or 0)
            if catalog.children(("tables", self._rules.table))
            else None,
            marks={"alembic": mark} if mark else {},
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

    def close(self) -> None:
        """See `toolkit.engines.Client.close`."""
        if self._connection.open:
            self._connection.close()
