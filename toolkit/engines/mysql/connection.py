"""Connections to MySQL: what a URL's options mean to the driver, and the few ways a statement is sent.

It decides nothing about schemas or runs; errors are the driver's own, except for URLs that mean nothing.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeGuard

import pymysql
from pymysql.constants import CR
from pymysql.cursors import DictCursor

from toolkit.engines.mysql.refusals import number_of
from toolkit.engines.mysql.render import SQL_MODE, literal
from toolkit.errors import TargetError
from toolkit.targets import Target

CONNECT_TIMEOUT = 10
# A network that is gone is noticed within a minute; by itself TCP would wait for hours. And whoever forwards packets
# does not forget a session while an index is built.
_KEEPALIVES = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
# MySQL's own default: a server may end idle sessions within seconds, and some of ours wait for the work of others.
IDLE_SECONDS = 28_800
_OPTIONS = ("ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "socket", "replicas")
# The driver's own switches, strongest first, and the mode each stands for.
_SWITCHES = {
    "ssl-disabled": "DISABLED",
    "ssl-verify-identity": "VERIFY_IDENTITY",
    "ssl-verify-cert": "VERIFY_CA",
}
_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
# Without a limit of memory for ranges, long lists of keys are looked up; over the limit (8 MB, reached with 1000 keys
# on 8.0) the server scans the table. Settings that a server may have for careless clients would refuse, end or shorten
# statements of ours, or leave out the quotes that SHOW CREATE TABLE is read by; with another completion_type a COMMIT
# would begin a transaction, or end the session. Errors are told apart by the server's words where numbers do not do.
_SESSION = (
    f"SET SESSION sql_mode = {literal(SQL_MODE)}, time_zone = '+00:00', "
    "transaction_isolation = 'REPEATABLE-READ', information_schema_stats_expiry = 0, range_optimizer_max_mem_size = 0, "
    "sql_safe_updates = 0, sql_select_limit = 18446744073709551615, sql_big_selects = 1, sql_quote_show_create = 1, "
    "max_execution_time = 0, transaction_read_only = 0, completion_type = 0, default_storage_engine = InnoDB, "
    f"lc_messages = 'en_US', wait_timeout = {IDLE_SECONDS}"
)
# The driver asks for autocommit only where the server's greeting says that it is off, which no greeting does.
_FIRST = "SET autocommit = 1"

Connection: TypeAlias = "pymysql.Connection[DictCursor]"


def opened(target: Target) -> Connection:
    """A connection in autocommit mode. Raises TargetError and the driver's errors."""
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
        "init_command": _FIRST,
        "cursorclass": DictCursor,
        "program_name": "temporal-visibility",
    }
    try:
        return _welcomed(settings | encryption(given))
    except pymysql.OperationalError as error:
        if given["ssl-mode"] != "PREFERRED" or number_of(error) != CR.CR_SSL_CONNECTION_ERROR:
            raise
        # This server has no TLS, which is what PREFERRED allows.
        return _welcomed(settings | {"ssl_disabled": True})


def _welcomed(settings: dict[str, Any]) -> Connection:
    """A connection whose greeting and login came in time: what listens at the port may be no MySQL server, or a
    balancer with none behind it. Statements then take as long as they take."""
    connection: Connection = pymysql.connect(**settings, read_timeout=CONNECT_TIMEOUT)
    # A balancer greets with a number of its own, by which the server knows no session, or somebody else's.
    number = ask(connection, "SELECT CONNECTION_ID() AS v")[0]["v"]
    connection.server_thread_id = (number,)  # type: ignore[attr-defined]
    connection._read_timeout = None  # type: ignore[attr-defined]
    _keep_alive(connection._sock)  # type: ignore[attr-defined]
    return connection


def _keep_alive(line: socket.socket) -> None:
    """Not every system has all of these."""
    if line.family in (socket.AF_INET, socket.AF_INET6):
        for name in _KEEPALIVES.keys() & vars(socket).keys():
            line.setsockopt(socket.IPPROTO_TCP, vars(socket)[name], _KEEPALIVES[name])


def settle(connection: Connection, lock_wait_timeout: int) -> None:
    """What a session of ours takes for granted. Raises the driver's errors."""
    run(connection, f"{_SESSION}, lock_wait_timeout = {lock_wait_timeout}")


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
    """The driver's settings for TLS."""
    mode, certificate = given["ssl-mode"], given.get("ssl-cert")
    if mode == "DISABLED":
        return {"ssl_disabled": True}
    try:
        # Where nobody is checked, the machine's authorities need not be read: 30 ms of each connection.
        checked = "ssl-ca" in given or mode.startswith("VERIFY")
        context = ssl.create_default_context(cafile=given.get("ssl-ca")) if checked else unchecked()
        # The certificates that MySQL makes for itself do not keep to every letter of the standard.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = mode == "VERIFY_IDENTITY"
        context.verify_mode = ssl.CERT_REQUIRED if mode.startswith("VERIFY") else ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(certificate, given.get("ssl-key"))
    except OSError as error:
        raise TargetError(
            "TV3009", f"the URL's TLS files cannot be used: {error}", "See ssl-ca, ssl-cert, ssl-key."
        ) from None
    return {"ssl": context}


def unchecked() -> ssl.SSLContext:
    """Encryption with whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def ask(connection: Connection, query: str, values: object = None) -> list[dict[str, Any]]:
    """All rows of one statement. Raises the driver's errors."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())


def session(connection: Connection) -> int:
    """How the server calls this session."""
    return int(connection.thread_id())  # type: ignore[no-untyped-call]


def answers(connection: Connection | None) -> TypeGuard[Connection]:
    """Whether there is a connection whose server still knows it; it may have ended an idle session without a word."""
    if connection is None or not connection.open:
        return False
    try:
        connection.ping(reconnect=False)
    except pymysql.MySQLError:
        return False
    return True


def run(connection: Connection, statement: str, values: object = None) -> int:
    """How many rows one statement touched. Raises the driver's errors."""
    with connection.cursor() as cursor:
        return cursor.execute(statement, values)


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """One transaction that locks no gaps between rows, and whose statements each see what is committed by then."""
    run(connection, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        if connection.open:
            try:
                connection.rollback()
            except pymysql.MySQLError:
                connection.close()
        raise
