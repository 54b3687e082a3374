"""How many documents are read at once.

Pure. A server has all of them in its memory, several times over, until the last has been sent: where they are large,
as with long memos, thousands can be more than it has, and its node ends.
"""

from __future__ import annotations

# Of usual documents, so many are read at once, and of large ones so many bytes.
DOCUMENTS, BYTES = 2000, 32 << 20
LEAST = 20
# On disk documents are pressed together, to about such a part.
PRESSED = 4


def at_once(rows: int | None, size: int | None) -> int:
    """How many of the `rows` documents of an index, which take `size` bytes on disk (None: not known)."""
    whole = (size or 0) * PRESSED
    if not rows or whole <= BYTES:
        return DOCUMENTS
    return max(LEAST, min(DOCUMENTS, BYTES * rows // whole))
