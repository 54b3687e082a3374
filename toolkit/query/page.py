"""Where a page of a listing ends: the place as an opaque text for the user, and back, trusting nothing.

Pure. A token is versioned, belongs to one question, and is refused when a single character of it was changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.errors import UsageError
from toolkit.query.values import FIRST_MOMENT, LAST_MOMENT
from toolkit.records import Record

MAX_LIMIT = 1000
_PREFIX = "tv1."
_TOKEN = re.compile(r"tv1\.[A-Za-z0-9_-]{20,600}")
_MAX_RUN_ID = 255


@dataclass(frozen=True, slots=True)
class Place:
    """The last record of a page: close time (None: open) and start time in nanoseconds, and run id."""

    close_time: int | None
    start_time: int
    run_id: str

    @staticmethod
    def of(record: Record) -> Place:
        """The place of `record`."""
        return Place(record.close_time, record.start_time, record.run_id)


@dataclass(frozen=True, slots=True)
class Page:
    """`limit` records, after `after` when given."""

    limit: int
    after: Place | None = None


def question_mark(namespace: str, normal_form: str, names: Sequence[str], meaning: str) -> str:
    """What binds a token to its question: namespace, filter in normal form, what its names stand for, and semantics."""
    parts = json.dumps([namespace, normal_form, names, meaning], ensure_ascii=False)
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def write(place: Place, mark: str) -> str:
    """The token for what follows `place`."""
    body = json.dumps([mark, place.close_time, place.start_time, place.run_id], separators=(",", ":")).encode()
    check = hashlib.sha256(body).digest()[:4]
    return _PREFIX + base64.urlsafe_b64encode(check + body).decode().rstrip("=")


def read(token: str, mark: str) -> Place:
    """The place a token stands for. Raises UsageError when it is not one of ours, or belongs to another question."""
    if not _TOKEN.fullmatch(token):
        raise _refused()
    text = token.removeprefix(_PREFIX)
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = json.loads(raw[4:].decode())
    except (binascii.Error, UnicodeDecodeError, ValueError, RecursionError):
        raise _refused() from None
    place = _place(found)
    if write(place, found[0]) != token:
        raise _refused()
    if found[0] != mark:
        raise UsageError("TV7013", "the page token belongs to another filter, namespace, division, alias or semantics",
                         "Repeat the command that printed it, or start again without a token.")  # fmt: skip
    return place


def _place(found: object) -> Place:
    match found:
        case [str(), None | int() as close, int(start), str(run_id)] if len(run_id) <= _MAX_RUN_ID:
            times = (start, start if close is None else close)
            if all(type(t) is int and FIRST_MOMENT <= t <= LAST_MOMENT for t in times) and run_id.isprintable():
                return Place(close, start, run_id)
    raise _refused()


def _refused() -> UsageError:
    return UsageError("TV7012", "this is no page token of this tool", "Copy it whole, or start again without a token.")
