"""Looks for the other servers that this one takes writes with, follows, or is followed by. It changes nothing.

What the server does not tell this account is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolkit.engines.mysql.others import Ask
from toolkit.engines.online import Problem
from toolkit.errors import EngineError

_CLUSTER = "SHOW VARIABLES WHERE Variable_name IN ('wsrep_on', 'group_replication_single_primary_mode')"
_MEMBERS = "SELECT COUNT(*) AS v FROM performance_schema.replication_group_members WHERE MEMBER_STATE = 'ONLINE'"
# 8.0.22 has the first form, 8.4 no longer the second.
_SOURCES = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
# Every account may see whose transactions this server has, and by which names it gives its own.
_DONE_HERE = """
SHOW GLOBAL VARIABLES WHERE Variable_name IN
  ('gtid_executed', 'server_uuid', 'group_replication_group_name', 'group_replication_view_change_uuid')
"""
_NAMED = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def cluster(ask: Ask) -> Iterator[Problem]:
    """Locked tables are locked on one server only."""
    known = {row["Variable_name"]: row["Value"] for row in ask(_CLUSTER, ())}
    group = known.get("group_replication_single_primary_mode") == "OFF" and _tells(ask, _MEMBERS)
    if known.get("wsrep_on") == "ON" or (group and int(group[0]["v"]) > 1):
        text = "this cluster takes writes on several servers, and a table cannot be locked on all of them"
        yield Problem("TV4304", text, "Let one server take all writes meanwhile, or use --offline.")


def _tells(ask: Ask, query: str) -> Sequence[Mapping[str, Any]] | None:
    """The rows; None when this account may not see them."""
    try:
        return ask(query, ())
    except EngineError:
        return None


def following(ask: Ask, user: str) -> Iterator[Problem]:
    """No trigger sees the rows that come from a source: what it changes meanwhile would be in the old table only. A
    group's own channels carry nothing to the one server that takes its writes."""
    told = [rows for rows in (_tells(ask, form) for form in _SOURCES) if rows is not None]
    rows = next(filter(None, told), ())
    if any(_runs(row) for row in rows if not str(row["Channel_Name"]).startswith("group_replication_")):
        text = "this server follows another, whose changes go past all triggers: the copy would not have them"
        yield Problem("TV4304", text, "Use the URL of the primary, or --offline.")
    elif not told and _has_others(ask):
        text = f"this server has transactions of another one, and {user} may not see whether it still follows that"
        hint = "If so, use the URL of the primary: the copy would lack what comes from there. REPLICATION CLIENT tells."
        yield Problem("TV4304", text, hint, fatal=False)


def _has_others(ask: Ask) -> bool:
    """Whether transactions came here that another server has named; without GTIDs nothing tells."""
    known = {row["Variable_name"]: str(row["Value"]) for row in ask(_DONE_HERE, ())}
    return bool({*_NAMED.findall(known.pop("gtid_executed", ""))} - {*known.values()})


def _runs(channel: Mapping[str, Any]) -> bool:
    """Whether it receives or applies, or tries to."""
    return any(v != "No" for name, v in channel.items() if name.endswith(("_IO_Running", "_SQL_Running")))


def followed(ask: Ask) -> Iterator[Problem]:
    if number := len(_tells(ask, "SHOW REPLICAS") or ()):
        text = f"{number} replica{'s' * (number > 1)} follow{'s' * (number == 1)} this server: the copy goes there, too"
        yield Problem("TV5162", text, "--max-lag makes the copy wait for them.", fatal=False)
