"""What other sessions of a MySQL server do: which there are, and which are in a transaction.

It asks SHOW PROCESSLIST, not information_schema.PROCESSLIST: MySQL 9 refuses that one (error 3854) as long as the
statement of any session has a character beyond utf8mb3 in it, as an emoji in a memo. It ends nobody's work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pymysql

from toolkit.errors import EngineError

# The rows of one statement, with its values; raises the driver's errors or EngineError.
Ask = Callable[[str, Sequence[object]], Sequence[Mapping[str, Any]]]

# Columns Id, User, Host, db, Command, Time, State, Info; an account without PROCESS sees its own sessions only.
SHOWN = "SHOW PROCESSLIST"
# trx_started is in the machine's time zone, whatever the session's is; SYSTEM is known without time zone tables.
_TRANSACTIONS = """
SELECT id, seconds FROM (
  SELECT trx_mysql_thread_id AS id,
         TIMESTAMPDIFF(SECOND, CONVERT_TZ(trx_started, 'SYSTEM', '+00:00'), UTC_TIMESTAMP()) AS seconds
  FROM information_schema.INNODB_TRX
) AS begun
WHERE id NOT IN (0, CONNECTION_ID()) AND seconds >= %s ORDER BY seconds DESC LIMIT 3
"""
# MySQL 9 refuses INNODB_TRX for the same reason, in these words, and there is nothing else to ask: until that statement
# is over.
_REFUSED = "from utf8mb4 to utf8mb3"
_TRIES = 5
_PAUSE = 0.02


def transactions(ask: Ask, seconds: int) -> list[str]:
    """The three oldest transactions of others, begun `seconds` ago or earlier, each in words. Raises the driver's
    errors and EngineError as `ask` does, when the account may not see them."""
    rows = _tried(ask, _TRANSACTIONS, (seconds,))
    who = {row["Id"]: row["User"] for row in ask(SHOWN, ())} if rows else {}
    return [
        f"session {row['id']} ({who.get(row['id'], 'unknown')}) is in a transaction since {row['seconds']} s"
        for row in rows
    ]


def _tried(ask: Ask, query: str, values: Sequence[object]) -> Sequence[Mapping[str, Any]]:
    for _ in range(_TRIES - 1):
        try:
            return ask(query, values)
        except (pymysql.MySQLError, EngineError) as error:
            if _REFUSED not in str(error):
                raise
            time.sleep(_PAUSE)
    return ask(query, values)
