"""Report files that commands write beside their answer: whole or not at all, and refused early where that is seen."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from toolkit.errors import UsageError


def writable(file: Path) -> None:
    """Raise UsageError for what can be seen not to be, before anything is done whose report it would hold."""
    try:
        place = file if file.exists() and not _replaceable(file) else file.resolve().parent
        reason = None if place.exists() else errno.ENOENT
    except OSError as error:
        raise _unwritten(file, error) from None
    if reason or not os.access(place, os.W_OK):
        raise _unwritten(file, OSError(reason or errno.EACCES, os.strerror(reason or errno.EACCES)))


def write(file: Path, text: str) -> None:
    """Write a whole file or nothing: a collector that reads it at the same moment never sees half of it. What a link
    leads to is written; what is no file (a pipe, /dev/stdout), or lies where no other may be made, is written to.
    Names that are no UTF-8 are shown as on a terminal. Raises UsageError, about an answer that was given before."""
    try:
        if file.exists() and not _replaceable(file):
            file.write_text(text, encoding="utf-8", errors="backslashreplace")
        else:
            _replace(file.resolve(), text)
    except OSError as error:
        refused = _unwritten(file, error)
        refused.told = True
        raise refused from None


def _replaceable(file: Path) -> bool:
    return file.is_file() and os.access(file.resolve().parent, os.W_OK)


def _replace(file: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except OSError as error:
        with suppress(OSError):
            os.unlink(name)
        if error.errno != errno.EBUSY:
            raise
        # A file that is mounted by itself, as into a container, keeps its place.
        file.write_text(text, encoding="utf-8", errors="backslashreplace")


def _unwritten(file: Path, error: OSError) -> UsageError:
    return UsageError("TV2042", f"{file} cannot be written: {error.strerror}", "Choose another place.")
