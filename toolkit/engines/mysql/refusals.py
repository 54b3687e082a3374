"""What MySQL's errors mean to the user: error number → code, words and what to do next.

A table and one look-up; nothing here asks the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pymysql
from pymysql.constants import ER

from toolkit.errors import ConnectionFailed, EngineError
from toolkit.targets import Target

PLAIN_RIGHTS = ("CREATE", "ALTER", "INDEX", "DROP", "SELECT", "INSERT", "UPDATE", "DELETE")
# What a rebuild beside live writes needs besides.
MORE_RIGHTS = ("LOCK TABLES", "TRIGGER")
# What triggers do in the account's name; roles are not active there.
DEFINER_RIGHTS = ("SELECT", "INSERT", "TRIGGER")
RIGHTS = (
    f"The account needs {', '.join(PLAIN_RIGHTS)} on the database; {' and '.join(MORE_RIGHTS)} for a rebuild beside "
    "live writes."
)
LOST = frozenset({2006, 2013, 2014, 2055, ER.SERVER_SHUTDOWN, 1927, 4031})
# A wait that ended without the lock: it ran out, it was ended by the watcher, or another had to go first.
BUSY = frozenset({ER.LOCK_WAIT_TIMEOUT, ER.QUERY_INTERRUPTED, ER.LOCK_DEADLOCK})

_DISK = (
    "TV4307",
    "the server's disk is full",
    "The live tables are untouched. Make room and run the same command again, or take the copy away with "
    "`schema rollback`.",
)
_DENIED = ("TV4301", "this account lacks a right", RIGHTS)
_READ_ONLY = ("TV4303", "this server takes no writes: a replica, or read-only", "Use the URL of the primary.")
_KNOWN: Mapping[int, tuple[str, str, str]] = {
    ER.DBACCESS_DENIED_ERROR: _DENIED,
    ER.TABLEACCESS_DENIED_ERROR: _DENIED,
    ER.COLUMNACCESS_DENIED_ERROR: _DENIED,
    ER.SPECIFIC_ACCESS_DENIED_ERROR: _DENIED,
    1665: (
        "TV4304",
        "with binlog_format = STATEMENT this server takes no writes of transactions as Temporal's and ours are",
        "Set binlog_format to ROW.",
    ),
    ER.OPTION_PREVENTS_STATEMENT: _READ_ONLY,
    1836: _READ_ONLY,  # ER_READ_ONLY_MODE
    ER.DISK_FULL: _DISK,
    ER.RECORD_FILE_FULL: _DISK,
    1878: (  # ER_TEMP_FILE_WRITE_FAILURE
        "TV4307",
        "the server has no room for its temporary files",
        "Make room in its tmpdir, or SET GLOBAL innodb_tmpdir to a directory that has, and run the same command again.",
    ),
    3108: (  # ER_DEPENDENT_BY_GENERATED_COLUMN
        "TV4312",
        "a column of your own is computed from one that has to be made anew",
        "Drop yours and run the same command again; it can be added afterwards.",
    ),
    1419: (
        "TV4302",
        "triggers are not allowed while the server writes a binary log",
        "As an administrator: SET GLOBAL log_bin_trust_function_creators = 1. Or use --offline, which needs none.",
    ),
}
_FULL = "All sessions that the server or this account may have are taken: end some, or allow more."
# A server that lets the account in, but not to the database, or not now.
_OUTSIDE: Mapping[int, str] = {
    ER.CON_COUNT_ERROR: _FULL,
    ER.TOO_MANY_USER_CONNECTIONS: _FULL,
    ER.USER_LIMIT_REACHED: _FULL,
    ER.BAD_DB_ERROR: "Create the database first: CREATE DATABASE …",
    ER.DBACCESS_DENIED_ERROR: f"{RIGHTS} In some releases of MySQL 8.0 a pattern (`a\\_b`.*) that comes by a role does "
    "not count here: grant it to the account itself, or by the plain name.",
}
# What no strict session stores, and what none may change either where it is stored.
_UNFIT = frozenset({ER.DATA_TOO_LONG, ER.WARN_DATA_OUT_OF_RANGE, 3156})
_TOO_LONG = re.compile(r"Data too long for column '(\w+)'")
_AGAIN = "Run the same command again: it goes on where this one stopped."
# What to do about words of the server that need no code of their own.
_HINTS: Mapping[int, str] = {
    ER.LOCK_WAIT_TIMEOUT: "A transaction holds the table; end it, or run the same command again later.",
    ER.NET_PACKET_TOO_LARGE: f"Raise the server's max_allowed_packet: 64 MB is MySQL's own default. {_AGAIN}",
    # ER_INDEX_COLUMN_TOO_LONG, for a text of 255 signs.
    1709: f"The server makes tables in a former row format: SET GLOBAL innodb_default_row_format = DYNAMIC. {_AGAIN}",
}
_NO_SPACE = ("errno: 28", "error 28", "No space left")


def text_of(error: BaseException) -> str:
    """The server's words, without its number."""
    return str(error.args[1] if len(error.args) > 1 else error).strip() or "no answer"


def number_of(error: BaseException) -> int:
    """The server's number; 0 when there is none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def way_in(error: BaseException) -> str:
    """What to do about a connection that was not to be had."""
    return _OUTSIDE.get(number_of(error), "Is the server up, and are host, port, user and password right?")


def way_on(error: BaseException) -> str:
    """What to do when a run gets no further session."""
    return f"{_OUTSIDE[number_of(error)]} {_AGAIN}" if number_of(error) in _OUTSIDE else _AGAIN


def coded(error: pymysql.MySQLError, target: Target) -> EngineError:
    """The user's error for `error`, without secrets."""
    text, number = target.redact(text_of(error)), number_of(error)
    if number in LOST or isinstance(error, pymysql.InterfaceError):
        return ConnectionFailed("TV4002", f"lost the connection to {target.shown}: {text}", _AGAIN)
    known = _DISK if any(sign in text for sign in _NO_SPACE) else _KNOWN.get(number)
    if known:
        code, what, hint = known
        return EngineError(code, f"{target.shown}: {what}: {text}", hint)
    if number in _UNFIT:
        return EngineError("TV4311", f"{target.shown}: a value does not fit its column: {text}", _which(text))
    return EngineError("TV4003", f"{target.shown} refused: {text}", _HINTS.get(number, ""))


def _which(text: str) -> str:
    """What to do about a value that does not fit, by the server's words."""
    found = _TOO_LONG.search(text)
    longer = f"CHAR_LENGTH(search_attributes ->> '$.{found[1]}') > 255" if found else ""
    which = (
        f"Its rows: SELECT namespace_id, run_id FROM executions_visibility WHERE {longer}."
        if found
        else "A search attribute has a value that is not of its column's type."
    )
    return (
        f"{which} A session that is not strict has stored it, and only such a one can change or delete it: SET SESSION "
        "sql_mode = ''. The same command goes on then."
    )
