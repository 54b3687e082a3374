"""A throwaway SQLite file beside a target's; see `toolkit.engines.scratches`. It never touches the target's file."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from toolkit.engines import scratches, script
from toolkit.engines.sqlite.client import connect
from toolkit.engines.sqlite.render import literal
from toolkit.engines.sqlite.typemap import profile
from toolkit.errors import EngineError, UsageError
from toolkit.targets import Target

_MAGIC = b"SQLite format 3\0"
# The shell prints these too, and SQLite makes them itself and lets nobody else do it.
_OWN = re.compile(r"^CREATE TABLE sqlite_\w+\s*\(.*\);$", re.MULTILINE)
# The file, and what SQLite keeps beside it while it writes.
_PARTS = ("", "-journal", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class SqliteScratch:
    """See `toolkit.engines.scratches.Scratch`."""

    target: Target
    path: Path

    def size(self) -> int | None:
        """See `Scratch.size`."""
        total = 0
        for part in _PARTS:
            with suppress(OSError):
                total += Path(f"{self.path}{part}").stat().st_size
        return total

    def claim(self, label: str | None) -> None:
        """See `Scratch.claim`."""
        client = connect(self.target, profile())
        try:
            client.execute(scratches.statement(scratches.claim_statement(literal, label)))
        finally:
            client.close()

    def load(self, dump: Path) -> None:
        """See `Scratch.load`: a database file, or what `.dump` or `.schema` of the shell print."""
        try:
            with dump.open("rb") as file:
                binary = file.read(len(_MAGIC)) == _MAGIC
        except OSError as error:
            raise UsageError("TV2083", f"cannot read {dump}: {error.strerror}", "Check the path.") from None
        with closing(sqlite3.connect(self.path)) as copy:
            try:
                if binary:
                    with closing(sqlite3.connect(f"file:{quote(os.fsencode(dump))}?mode=ro", uri=True)) as original:
                        original.backup(copy)
                else:
                    copy.executescript(_OWN.sub("", script.read(dump)))
            except sqlite3.Error as error:
                raise EngineError("TV8210", f"SQLite refuses the dump: {error}", "Is it whole?") from None

    def drop(self) -> None:
        """See `Scratch.drop`."""
        for part in _PARTS:
            with suppress(OSError):
                Path(f"{self.path}{part}").unlink()


def make(target: Target, name: str) -> SqliteScratch:
    """The file `name`.db in the directory of the target's file; SQLite makes it when it is first written to."""
    path = Path(target.path).parent / f"{name}.db"
    return SqliteScratch(replace(target, path=str(path), shown=f"sqlite:///{path}"), path)
