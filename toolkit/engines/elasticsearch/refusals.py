"""What a search engine says when its disks are full or its user lacks a right, and the coded errors for it. It asks
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.errors import EngineError

# A node that is nearly full makes its indices read-only, and some take no new ones; at last the disk itself refuses.
_SIGNS: Mapping[str, str] = {
    "read-only-allow-delete": "has no room left",
    "No space left on device": "has no room left",
    "create-index blocked": "takes no new index, as when its disks are full",
}
_HINT = (
    "Make room; below its high watermark the cluster opens its indices again by itself. Then run the same command "
    "again, or take the copy away with `schema rollback`. Nothing is lost."
)
# The code and the hint of errors for want of a right.
NO_RIGHT = "TV4515"
RIGHTS_HINT = "The rights are listed in docs/upgrading.md."
# ... and of those for a login that is none (any more), as when a key has expired.
NO_LOGIN = "TV4001"


def full(reason: str, where: str) -> EngineError | None:
    """The error for a refusal that comes of a full disk; None when `reason` speaks of something else."""
    said = next((words for sign, words in _SIGNS.items() if sign in reason), None)
    return EngineError("TV4521", f"{where} {said}: {reason[:400]}", _HINT) if said else None


def failed(code: str, what: str, where: str, reason: str, hint: str) -> EngineError:
    """The error for a failure that an answer tells of: a full disk and want of a right have codes of their own, for the
    rest there is `code`."""
    if no_room := full(reason, where):
        return no_room
    if reason.startswith("security_exception"):
        return EngineError(NO_RIGHT, f"{what}: {reason[:500]}", RIGHTS_HINT)
    return EngineError(code, f"{what}: {reason[:500]}", hint)


def shut_out(error: EngineError) -> bool:
    """Whether it is the user who was refused, so that the request was surely not done."""
    return error.code in (NO_RIGHT, NO_LOGIN)


def still_closed(error: EngineError, index: str) -> EngineError:
    """`error` of a user who may not even let writers in again."""
    hint = "Give back the rights, or the login: then the same command lets writers in, or `schema rollback` does."
    return EngineError(error.code, f"{error.message}; writes to {index} stay refused until then", hint)
