"""What SQLite's errors mean to the user: result code → code, words and what to do next.

A table and one look-up; nothing here asks the file.
"""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.errors import EngineError
from toolkit.targets import Target

# Primary result codes (sqlite.org/rescode.html).
BUSY = frozenset({5, 6})
_KNOWN: Mapping[int, tuple[str, str, str]] = {
    5: ("TV4403", "another process is using the file", "Try again, or wait longer with ?busy_timeout=MILLISECONDS."),
    6: ("TV4403", "another process is using the file", "Try again, or wait longer with ?busy_timeout=MILLISECONDS."),
    8: ("TV4402", "the file takes no writes", "The file and its directory must be writable, and mode=ro not given."),
    10: ("TV4405", "reading or writing the file failed", "Look at the disk and the system's log. The transaction was "
         "taken back; run the same command again."),
    11: ("TV4404", "the file is damaged", "`PRAGMA integrity_check` says more; restore a backup or use `.recover`."),
    13: ("TV4401", "the disk is full", "Nothing has changed. A rebuild needs room for the table and its indexes once "
         "more; make room and run the same command again."),
    14: ("TV4402", "the file cannot be opened", "The file and its directory must be writable."),
    26: ("TV4404", "the file is no database", "Is it the right file?"),
    # Extended: SQLITE_CORRUPT_VTAB.
    267: ("TV4404", "a full-text table does not know its table's rows, or is damaged", "`schema drift` tells which; "
          "with --repair it is filled anew."),
    # Extended: SQLITE_CONSTRAINT_CHECK, by which statements of ours say what is wrong.
    275: ("TV4409", "the file is not what the plan was made on", "Nothing has changed: `schema rollback` ends a run "
          "that was begun, `schema drift` shows what is wrong; then make a new plan."),
    # Extended: SQLITE_CORRUPT_INDEX, for which SQLite has no other word than that the file is malformed.
    779: ("TV4406", "an index is not as its table", "Nothing is lost. Libraries that compute times differently have "
          "written to this file: run REINDEX with one like the server's, and write with such a one from then on."),
}  # fmt: skip
# What to do about a file that cannot even be looked at.
_WAYS_IN: Mapping[int | None, str] = {
    **dict.fromkeys(BUSY, "Another process has it for itself: wait for it, longer with ?busy_timeout=MILLISECONDS, or "
                    "end it (locking_mode=EXCLUSIVE lets nobody else in)."),
    8: "A file in WAL mode, or whose last writer was killed, is read by those who may write to it and its directory.",
    11: _KNOWN[11][2],
}  # fmt: skip


def primary(error: BaseException) -> int | None:
    """SQLite's primary result code, where there is one."""
    number = getattr(error, "sqlite_errorcode", None)
    return number & 0xFF if isinstance(number, int) else None


def is_busy(error: BaseException) -> bool:
    """Whether somebody else holds a lock that this needed."""
    return primary(error) in BUSY


def way_in(error: BaseException) -> str:
    """What to do about a file that cannot be opened."""
    return _WAYS_IN.get(primary(error), "Is it a SQLite file, and may you read it?")


def coded(error: BaseException, target: Target) -> EngineError:
    """The user's error for `error`."""
    text = target.redact(str(error)).strip()
    for number in (getattr(error, "sqlite_errorcode", None), primary(error)):
        if isinstance(number, int) and number in _KNOWN:
            code, what, next_ = _KNOWN[number]
            return EngineError(code, f"{target.shown}: {what}: {text}", next_)
    return EngineError("TV4003", f"{target.shown} refused: {text}")
