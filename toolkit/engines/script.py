"""Running an operator's dump on a throwaway store with the client that made it, or statement by statement.

Only for stores of our own making (`toolkit.engines.scratches`); secrets go through the environment, never the command.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from toolkit.errors import EngineError, UsageError

# A dump of a schema; records belong in samples.
MOST_BYTES = 64 * 2**20


def read(path: Path) -> str:
    """The text of a dump. Raises UsageError when it cannot be read, is too large, or is no text."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError("TV2083", f"{path} is larger than {MOST_BYTES >> 20} MiB", "Dump the schema only.")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError("TV2083", f"cannot read {path}: {error.strerror}", "Check the path and the rights.") from None
    except UnicodeDecodeError:
        raise UsageError("TV2083", f"{path} is no text", "A plain SQL dump is needed, not a binary one.") from None


def elsewhere(said: str, option: str) -> UsageError:
    """The error of a dump in which it is `said` which database to work in: that may be somebody's own. Without `option`
    its client writes none."""
    return UsageError(
        "TV2083",
        f"the dump says itself which database to change: {' '.join(said.split())[:60]!r}",
        f"Dump the database without {option}: what is in the dump goes to where it is read then.",
    )


def run(program: str, words: Sequence[str], secrets: Mapping[str, str], text: str) -> None:
    """Give `text` to a database's own client. Raises EngineError when it refuses, or there is none."""
    found = shutil.which(program)
    if found is None:
        raise EngineError("TV8210", f"there is no `{program}` here to read the dump", "Install the database's client.")
    done = subprocess.run([found, *words], input=text, capture_output=True, text=True, check=False,
                          env={**os.environ, **secrets})  # fmt: skip
    if done.returncode:
        reason = " ".join(done.stderr.split())[:500]
        raise EngineError("TV8210", f"{program} refuses the dump: {reason}", "Is it a dump of this kind of server?")


def statements(text: str) -> list[str]:
    """Statements of a dump that has none with semicolons inside: one ends where a line ends with a semicolon."""
    found = [part.strip() for part in text.replace("\r\n", "\n").split(";\n")]
    return [part.removesuffix(";").strip() for part in found if part.removesuffix(";").strip()]
