"""What a search engine says when its disks are full, and the coded error for it. It asks nothing."""

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


def full(reason: str, where: str) -> EngineError | None:
    """The error for a refusal that comes of a full disk; None when `reason` speaks of something else."""
    said = next((words for sign, words in _SIGNS.items() if sign in reason), None)
    return EngineError("TV4521", f"{where} {said}: {reason[:400]}", _HINT) if said else None
