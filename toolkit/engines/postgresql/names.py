"""Names of the tool's own objects in a PostgreSQL database; catalogs ignore whatever begins with the prefix."""

from __future__ import annotations

PREFIX = "temporal_visibility_"
SHADOW = f"{PREFIX}shadow"
OLD = f"{PREFIX}old"
LOG = f"{PREFIX}log"
CAPTURE = f"{PREFIX}capture"
TRUNCATE = f"{PREFIX}truncate"
# Waiting for a weak lock blocks nobody; an autovacuum steps aside after `deadlock_timeout`, usually one second.
WEAK_LOCK_SECONDS = 3.0
