"""A throwaway SQLite file beside a target's; see `toolkit.engines.scratches`. It never touches the target's file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.engines import scratches
from toolkit.engines.sqlite.client import connect
from toolkit.engines.sqlite.render import literal
from toolkit.engines.sqlite.typemap import profile
from toolkit.targets import Target

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

    def drop(self) -> None:
        """See `Scratch.drop`."""
        for part in _PARTS:
            with suppress(OSError):
                Path(f"{self.path}{part}").unlink()


def make(target: Target, name: str) -> SqliteScratch:
    """The file `name`.db in the directory of the target's file; SQLite makes it when it is first written to."""
    path = Path(target.path).parent / f"{name}.db"
    return SqliteScratch(replace(target, path=str(path), shown=f"sqlite:///{path}"), path)
