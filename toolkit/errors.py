"""Every error a user may meet: a stable code, a message, and what to do next.

This module holds no logic besides putting an error into words, and never prints.

    ToolkitError                     exit 1
    ├── UsageError                   exit 2   the command line or the configuration asks for something impossible
    │   ├── TargetError                       TARGET cannot be understood
    │   ├── VersionError                      no such schema version, or versions in the wrong order
    │   └── FilterError                       a List Filter means nothing here; carries the text and the place in it
    ├── DefinitionError              exit 2   a YAML file is wrong; carries file, line and column
    ├── IntegrityError               exit 1   a released file was changed
    ├── EngineError                  exit 1   the store refused something
    │   ├── ConnectionFailed                  the store cannot be reached, or refuses the login
    │   └── Unsupported                       this engine, or this version of it, cannot do what is needed
    ├── StoreChanged                 exit 1   the store is no longer what the plan was made on
    ├── Unverified                   exit 1   after the run the store is not what was wanted
    ├── Differences                  exit 3   differences or pending work were found
    ├── LockHeld                     exit 4   somebody else is upgrading this store
    └── Stopped                      exit 130 the user stopped a run, which can go on
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class ToolkitError(Exception):
    """Root of all expected errors: `code` is stable, `message` says what is wrong, `hint` what to do next."""

    exit_code = 1
    # True when the answer that was printed before has this error in it.
    told = False
    # Where several stores were asked for: the one it is about, and the answer as far as it was known by then.
    target: str | None = None
    answered: Mapping[str, object] = {}

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def to_json(self) -> dict[str, object]:
        """The error as it is shown by `--output json`."""
        whose = {} if self.target is None else {"target": self.target}
        return {"code": self.code, "message": self.message, "hint": self.hint, **whose}


class UsageError(ToolkitError):
    """The command line or the configuration asks for something impossible."""

    exit_code = 2


class TargetError(UsageError):
    """TARGET cannot be understood."""


class VersionError(UsageError):
    """No such schema version, or versions in the wrong order."""


class FilterError(UsageError):
    """A List Filter means nothing here; `text[start:end]` is the part that is wrong."""

    def __init__(self, code: str, message: str, hint: str = "", text: str = "", start: int = 0, end: int = 0) -> None:
        super().__init__(code, message, hint)
        self.text = text
        self.start = start
        self.end = end

    def pointer(self, width: int = 100) -> str:
        """Two lines: the part of the text around the place, and carets below it; empty when there is no text."""
        if not self.text:
            return ""
        line_start = self.text.rfind("\n", 0, self.start) + 1
        line_end = self.text.find("\n", self.start)
        line = self.text[line_start : len(self.text) if line_end < 0 else line_end]
        at = self.start - line_start
        left = max(0, at - width // 2)
        shown = line[left : left + width]
        carets = min(max(1, self.end - self.start), max(1, len(shown) - (at - left)))
        printable = "".join(c if c.isprintable() else " " for c in shown)
        return f"{printable}\n{' ' * (at - left)}{'^' * carets}"

    def to_json(self) -> dict[str, object]:
        """As for every error, with the filter and the place in it, counted from 0."""
        return {**super().to_json(), "filter": self.text, "start": self.start, "end": self.end}


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


HIDDEN = "…"


def shown(text: str) -> str:
    """`text` as a message may show it, cut short: what looks like an address may have a password in it."""
    return HIDDEN if "@" in text or ":" in text else text[:60]


class DefinitionError(ToolkitError):
    """A YAML file is wrong; `location` says where."""

    exit_code = 2

    def __init__(self, code: str, message: str, hint: str = "", location: Location | None = None) -> None:
        super().__init__(code, message, hint)
        self.location = location

    def to_json(self) -> dict[str, object]:
        """As for every error, with file, line and column."""
        place = self.location
        where = {"file": place.file, "line": place.line, "column": place.column} if place else None
        return {**super().to_json(), "location": where}


class IntegrityError(ToolkitError):
    """A released file was changed."""


class EngineError(ToolkitError):
    """The store refused something."""


class ConnectionFailed(EngineError):
    """The store cannot be reached, or refuses the login."""


class Unsupported(EngineError):
    """This engine, or this version of it, cannot do what is needed."""


class StoreChanged(ToolkitError):
    """The store is no longer what the plan was made on."""


class Unverified(ToolkitError):
    """After the run the store is not what was wanted."""


class Differences(ToolkitError):
    """Differences or pending work were found."""

    exit_code = 3


class LockHeld(ToolkitError):
    """Somebody else is upgrading this store."""

    exit_code = 4


def lost_lock() -> LockHeld:
    """The error of a holder whose lock went to somebody else."""
    return LockHeld(
        "TV5102",
        "this run has lost its lock: somebody else has taken it over",
        "Look at `schema runs` before you go on.",
    )


class Stopped(ToolkitError):
    """The user stopped a run, which can go on."""

    exit_code = 130
