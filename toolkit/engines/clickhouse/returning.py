"""What a swap back of two tables on ClickHouse would lose of what was made, renamed or chosen since the swap.

It asks for both tables' own statements and compares them; `preflight` says when.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from toolkit.engines.clickhouse import clauses, dropping, shadow
from toolkit.engines.clickhouse.names import CAPTURE, OTHER
from toolkit.engines.clickhouse.render import literal
from toolkit.engines.online import Problem
from toolkit.plan import Step

Ask = Callable[[str], Sequence[Mapping[str, Any]]]

_CREATED = """
SELECT name, create_table_query, engine_full FROM system.tables WHERE database = currentDatabase() AND name IN ({})
"""
# Settings that an upgrade may choose itself.
_PLANNED = {"storage_policy", "disk", "index_granularity"}
ANEW = "drop them before, and make them again without these columns"


def losses(ask: Ask, back: Step) -> Iterator[Problem]:
    """What a swap back would lose. `back` names what the version has; a run of an earlier release did not note it."""
    table = back.id.removeprefix("rebuild.").removesuffix(".back")
    rows = {row["name"]: row for row in ask(_CREATED.format(", ".join(map(literal, (table, OTHER, CAPTURE)))))}
    if not back.objects or not {table, OTHER} <= rows.keys():
        return
    live, kept = rows[table], rows[OTHER]
    if CAPTURE in rows:
        passed_on = clauses.words(rows[CAPTURE]["create_table_query"])
        yield from _renamed(table, (_columns(kept) - _columns(live)) & passed_on)
    yield from _aged(table, live, kept, back)
    if new := sorted(_names(live) - _names(kept) - set(back.objects)):
        text = f"these were made on {table} since the upgrade, and would go with all that is in them: {', '.join(new)}"
        yield Problem("TV5213", text, "Drop them. Or: `schema finish` keeps the table as it is.")
    if views := dropping.views(ask, table, _columns(live) - _columns(kept)):
        yield unreadable(views)


def _renamed(table: str, columns: Collection[str]) -> Iterator[Problem]:
    """The view names them: no comparison can be made, and to drop what they are called now would mend nothing."""
    if columns:
        what = ", ".join(sorted(columns))
        text = f"{table} has no column {what} any more, which {CAPTURE} passes on: inserts fail since it was renamed"
        yield Problem(
            "TV5213", text, "Rename it back. Or: `schema finish` keeps the table as it is; inserts go on then."
        )


def _aged(table: str, live: Mapping[str, Any], kept: Mapping[str, Any], back: Step) -> Iterator[Problem]:
    """Rows or values may have gone by a time to live that was chosen anew since. Settings lose none."""
    if live["engine_full"].startswith("Distributed"):
        return
    now, then = _ttls(live), _ttls(kept)
    changed = {name for name in now.keys() & then.keys() if now[name] != then[name]}
    if set(shadow.named(now[""])) & set(back.objects):
        changed.discard("")
    if changed:
        what = ", ".join(sorted(name or table for name in changed))
        text = f"the TTL of {what} was changed since the upgrade: {OTHER} may lack what {table} has kept"
        hint = f"Choose the TTL again that it has in {OTHER}. Or: `schema finish` keeps the table as it is."
        yield Problem("TV5213", text, hint)
    if other := sorted({name for name, _ in _settings(live) ^ _settings(kept)} - _PLANNED):
        text = f"settings of {table} would be those of before the upgrade: {', '.join(other)}"
        yield Problem("TV5213", text, "Set them again after the rollback.", fatal=False)


def _ttls(row: Mapping[str, Any]) -> dict[str, str]:
    """By column; that of the table itself by ""."""
    columns = dict(clauses.named(element) for element in clauses.elements(row["create_table_query"]))
    found = {name: clauses.parts(ddl, ("TTL", "SETTINGS")).get("TTL", "") for name, ddl in columns.items()}
    return {**found, "": clauses.clauses(row["engine_full"]).get("TTL", "")}


def _settings(row: Mapping[str, Any]) -> set[tuple[str, str]]:
    return set(clauses.settings(clauses.clauses(row["engine_full"]).get("SETTINGS", "")))


def _columns(row: Mapping[str, Any]) -> set[str]:
    return {clauses.named(part)[0] for part in clauses.elements(row["create_table_query"])}


def _names(row: Mapping[str, Any]) -> set[str]:
    return {clauses.name(part) for part in clauses.elements(row["create_table_query"])}


def unreadable(views: Sequence[str]) -> Problem:
    """The server lets tables change places, and refuses each insert from then on."""
    text = f"columns go on this way that materialized views name, and inserts would fail: {', '.join(sorted(views))}"
    return Problem("TV4219", text, f"{ANEW.capitalize()}.")
