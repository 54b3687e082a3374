"""A throwaway database on a target's MySQL server; see `toolkit.engines.scratches`. It needs CREATE and DROP on it, and
never touches another database.
"""

from __future__ import annotations

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
        client = connect(self.target, profile())
        try:
            for statement in script.statements(script.read(dump)):
                client.execute(scratches.statement(statement))
        finally:
            client.close()

    def drop(self) -> None:
        """See `Scratch.drop`."""
        with suppress(EngineError):
            self.beside.execute(scratches.statement(f"DROP DATABASE IF EXISTS {identifier(self.target.path)}"))
        self.beside.close()


def make(target: Target, name: str) -> MysqlScratch:
    """The database `name`. Raises ConnectionFailed, TargetError or EngineError (the account may not create it)."""
    beside = connect(target, profile())
    try:
        beside.execute(scratches.statement(f"CREATE DATABASE {identifier(name)}"))
    except EngineError as error:
        beside.close()
        raise scratches.refused(error, "The account needs CREATE and DROP.") from None
    return MysqlScratch(replace(target, path=name, shown=f"{target.shown} ({name})"), beside)
