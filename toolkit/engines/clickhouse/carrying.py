"""What a rebuilt table keeps of the live one besides what versions say: its time to live and storage policy.

Pure. No published version has them, so plans leave them alone; what the copy cannot have is refused before anything is
done.
"""

from __future__ import annotations

from dataclasses import replace

from toolkit.engines.clickhouse import planner, shadow, ttl
from toolkit.engines.clickhouse.layout import Placement
from toolkit.engines.clickhouse.traits import TableTraits
from toolkit.errors import Unsupported


def kept(known: TableTraits, placement: Placement) -> Placement:
    """`placement`, with what the live table has where the operator wishes nothing else."""
    return replace(placement, own_ttl=known.ttl or None, storage_policy=placement.storage_policy or known.policy)


def refuse(known: TableTraits, live: str, why: str, moved: bool, placement: Placement) -> None:
    """Raise Unsupported where `live` lacks what tells versions of a run apart, or has what its copy cannot have.
    `moved`: the copy is another table, on a cluster; `why`: what asks for the rebuild, in words."""
    for text, hint in _reasons(known, live, moved, placement):
        raise Unsupported("TV4201", f"table {live} has {why}, and {text}", hint)


def _reasons(known: TableTraits, live: str, moved: bool, placement: Placement) -> list[tuple[str, str]]:
    """Each reason and what to do about it."""
    found = []
    if missing := [name for name in shadow.NEEDED if name not in known.columns]:
        text = f"no column {', '.join(missing)} that tells versions of a run apart"
        found.append((text, planner.NO_WAY))
    if known.replicated and placement.cluster is None:
        found.append(("is replicated: its copy would be on this server only", "Name its cluster in an overlay."))
    away = f"Take it away (ALTER TABLE {live} REMOVE TTL) and give it back after `schema finish`"
    if ttl.groups(known.ttl):
        text = "a TTL … GROUP BY: which rows there are depends on when they were merged"
        found.append((text, f"{away}."))
    if moved and known.ttl and placement.ttl_days is None:
        found.append(("a TTL that is not its version's", f"Name it in an overlay (`ttl_days`). Or: {away}."))
    if moved and known.policy and placement.storage_policy is None:
        found.append((f"storage policy {known.policy}", "Name one in an overlay (`storage_policy`)."))
    return found
