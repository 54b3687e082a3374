"""Names that are the toolkit's own in a cluster; no logic."""

from __future__ import annotations

# Lock, journal and positions of all stores of a cluster. No leading dot: those names are the products' own.
BOOKS = "temporal_visibility_books"
# An index that is being filled is written to through an alias that only the lock's holder knows.
WRITER = "-writer-"
