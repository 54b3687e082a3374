"""Names of the tool's own objects in a ClickHouse database; catalogs ignore whatever begins with the prefix."""

from __future__ import annotations

PREFIX = "temporal_visibility_"
# Beside the live table: its shadow before the swap, and after it what the live table was before.
OTHER = f"{PREFIX}other"
CAPTURE = f"{PREFIX}capture"
MARKS = f"{PREFIX}marks"
LOCK = f"{PREFIX}lock"
CLAIMS = f"{PREFIX}claims"
RUN = f"{PREFIX}run"
JOURNAL = f"{PREFIX}journal"
THROTTLE = f"{PREFIX}throttle"
# All of them.
OWN = (OTHER, CAPTURE, MARKS, LOCK, CLAIMS, RUN, JOURNAL, THROTTLE)
# The row that proves a view: a deletion of a run that never was, in a namespace that cannot be.
MARKER_NAMESPACE = "temporal-visibility"
MARKER_RUN = "proof-of-capture"
