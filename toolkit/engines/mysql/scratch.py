"""A throwaway database on a target's MySQL server; see `toolkit.engines.scratches`. It needs CREATE and DROP on it, and
never touches another database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.engines import scratches, script
from toolkit.engines.bound import BoundSql
from toolkit.engines.mysql.client import MysqlClient, connect
from toolkit.engines.mysql.render import identifier, literal
from toolkit.engines.mysql.typemap import profile
from toolkit.errors import EngineError
from toolkit.targets import Target

# FILE_SIZE is what the files take now; table statistics are minutes old.
_SIZE = "SELECT CAST(SUM(FILE_SIZE) AS SIGNED) AS v FROM information_schema.INNODB_TABLESPACES WHERE NAME LIKE %s"
# What would be done in another database: USE, a database's own statements, an object that is named with its database.
_NAME = r"(?:`[^`]+`|[\w$]+)"
_ELSEWHERE = re.compile(
    r"(/\*!\d*\s*)?(USE\b|(CREATE|DROP|ALTER)\s+(DATABASE|SCHEMA)\b|"
    r"[^'\"(]*?\b(TABLES?|VIEW|TRIGGER|INTO|ON|PROCEDURE|FUNCTION|EVENT)\s+(IF\s+(NOT\s+)?EXISTS\s+)?"
    rf"({_NAME}\s*,\s*)*{_NAME}\s*\.)",
    re.IGNORECASE,
)
# mysqldump writes them where transactions have names, for a replica (--source-data), or with --system; they are about a
# whole server, or its log.
_SERVERS_OWN = re.compile(
    r"(/\*!\d*\s*)?(SET\s+(GLOBAL|PERSIST|@@GLOBAL|@@PERSIST|@@SESSION\.SQL_LOG_BIN|@MYSQLDUMP_TEMP_LOG_BIN"
    r"|DEFAULT\s+ROLE)|(CHANGE|START|STOP|RESET)\s+(MASTER|REPLICATION|REPLICA|SLAVE|BINARY|PERSIST|GROUP_REPLICATION)"
    r"|(CREATE|ALTER|DROP)\s+(USER|ROLE|SERVER|RESOURCE\s+GROUP|TABLESPACE|UNDO\s+TABLESPACE|LOGFILE\s+GROUP)"
    r"|GRANT|REVOKE|FLUSH|PURGE|INSTALL|UNINSTALL)\b",
    re.IGNORECASE,
)
# Who made a view or trigger may not be here, and only an administrator may make one for somebody else.
_DEFINER = re.compile(r"\bDEFINER\s*=\s*`(?:[^`]|``)*`@`(?:[^`]|``)*`")


@dataclass(frozen=True, slots=True)
class MysqlScratch:
    """See `toolkit.engines.scratches.Scratch`. `beside`: a session in the target's own database."""

    target: Target
    beside: MysqlClient

    def size(self) -> int | None:
        """See `Scratch.size`. None without the right PROCESS."""
        with suppress(EngineError):
            row = self.beside.ask(BoundSql(_SIZE, (f"{self.target.path}/%",)))[0]
            return int(row["v"]) if row["v"] is not None else 0
        return None

    def claim(self, label: str | None) -> None:
        """See `Scratch.claim`."""
        client = connect(self.target, profile())
        try:
            client.execute(scratches.statement(scratches.claim_statement(literal, label)))
        finally:
            client.close()

    def load(self, dump: Path) -> None:
        """See `Scratch.load`: a plain dump (`mysqldump --no-data`), a statement at a time."""
        found = tuple(statements(script.read(dump)))
        client = connect(self.target, profile())
        try:
            for statement in found:
                client.execute(scratches.statement(statement))
        finally:
            client.close()

    def drop(self) -> None:
        """See `Scratch.drop`."""
        with suppress(EngineError):
            self.beside.execute(scratches.statement(f"DROP DATABASE IF EXISTS {identifier(self.target.path)}"))
        self.beside.close()


def statements(text: str) -> Iterator[str]:
    """The statements of a dump, cut as MySQL's own client does: one ends with its line. Raises UsageError when one is
    about another database than that of the session."""
    end = ";"
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line.startswith("DELIMITER "):
            end = line.split()[1]
        elif lines or (line.strip() and not line.startswith("--")):
            lines.append(line)
        if lines and line.rstrip().endswith(end):
            yield from _own("\n".join(lines).rstrip().removesuffix(end).strip())
            lines = []
    yield from _own("\n".join(lines).strip())


def _own(statement: str) -> Iterator[str]:
    if _SERVERS_OWN.match(statement):
        return
    if found := _ELSEWHERE.match(statement):
        raise script.elsewhere(found[0], "--databases")
    if statement:
        yield _DEFINER.sub("", statement)


def make(target: Target, name: str) -> MysqlScratch:
    """The database `name`. Raises ConnectionFailed, TargetError or EngineError (the account may not create it)."""
    beside = connect(target, profile())
    try:
        beside.execute(scratches.statement(f"CREATE DATABASE {identifier(name)}"))
    except EngineError as error:
        beside.close()
        raise scratches.refused(error, "The account needs CREATE and DROP.") from None
    return MysqlScratch(replace(target, path=name, shown=f"{target.shown} ({name})"), beside)
