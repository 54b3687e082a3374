"""Looks for what a swap would lose: that of a rollback, or any that somebody was faster than. It changes nothing.

What the two tables' traits tell is `returning`'s part; here are the questions that only the server answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolkit.catalog import Json
from toolkit.engines.online import Problem
from toolkit.engines.postgresql import inspect, recording, returning, traits
from toolkit.engines.postgresql.names import CAPTURE, OLD
from toolkit.engines.postgresql.traits import Ask
from toolkit.plan import Mode, Plan, Step

# Not those that went with a column.
_CHECKS = """
SELECT k.conname AS name FROM pg_constraint k WHERE k.contype = 'c' AND k.conrelid = to_regclass(quote_ident(%s))
AND NOT EXISTS (SELECT 1 FROM pg_constraint o WHERE o.conrelid = to_regclass(quote_ident(%s)) AND o.conname = k.conname
                AND pg_get_constraintdef(o.oid) = pg_get_constraintdef(k.oid))
AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY(k.conkey)
                AND a.attname <> ALL(%s))
ORDER BY k.conname
"""
# Columns of two tables. An upgrade changes no comment, and nothing of columns that no version has.
_COLUMNS = """
SELECT a.attname AS name,
       a.attname <> ALL(%s) AND (format_type(a.atttypid, a.atttypmod), a.attcollation, a.attnotnull, a.attgenerated,
                                 pg_get_expr(d.adbin, d.adrelid))
         IS DISTINCT FROM (format_type(b.atttypid, b.atttypmod), b.attcollation, b.attnotnull, b.attgenerated,
                           pg_get_expr(e.adbin, e.adrelid)) AS altered,
       col_description(a.attrelid, a.attnum) IS DISTINCT FROM col_description(b.attrelid, b.attnum) AS commented
FROM pg_attribute a JOIN pg_attribute b ON b.attname = a.attname AND NOT b.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_attrdef e ON e.adrelid = b.attrelid AND e.adnum = b.attnum
WHERE a.attrelid = to_regclass(quote_ident(%s)) AND b.attrelid = to_regclass(quote_ident(%s)) AND a.attnum > 0
  AND NOT a.attisdropped
ORDER BY a.attname
"""


@dataclass(frozen=True, slots=True)
class LiveTable:
    """What a swap asks of the live table."""

    ask: Ask
    table: str

    def is_as_seen(self, swap: Step) -> bool:
        """Whether it is still what `swap` may put aside."""
        view: Json = {"traits": dict(traits.read(self.ask, self.table))}
        return all(need.holds(view) for need in swap.needs) and not any(returned(self.ask, swap, self.table))

    def loose(self) -> str:
        """What of it may change although a lock is held that leaves reads and writes alone."""
        return traits.loose(self.ask, self.table)


def problems(ask: Ask, plan: Plan, table: str) -> tuple[Problem, ...]:
    """What a swap back would lose that has not been done yet, may it have begun long ago."""
    back = None if plan.kept else next((step for step in plan.steps if step.mode is Mode.SWAP), None)
    seen = traits.read(ask, table) if back else {}
    if back is None or seen.get("kept") is None:
        return ()
    if not all(need.holds({"traits": {**seen}}) for need in back.needs if need.path == traits.KEPT):
        text = f"{OLD} is not the table that was kept: the store was restored from a dump"
        return (Problem("TV5109", text, "Go on with a run that was cut off; then `schema finish` drops that table."),)
    return tuple(returned(ask, back, table))


def returned(ask: Ask, back: Step, table: str) -> Iterator[Problem]:
    """What the swap of a rollback would lose; nothing where no old table is kept."""
    old = traits.read(ask, OLD)
    seen = traits.read(ask, table) if old else {}
    if not seen:
        return
    live, kept = traits.decode(seen["table"]), traits.decode(old["table"])
    keep = "`schema finish` keeps the table as it is instead."
    if live.obstacles:
        text = f"these belong to {table} and would be lost when the old table is swapped back"
        hint = f"Drop them before and create them again afterwards. {keep}"
        yield Problem("TV5206", f"{text}: {', '.join(live.obstacles)}", hint)
    if not ask(recording.whole(table), ()):
        text = f"changes of {table} were not recorded all the time: its trigger {CAPTURE} was dropped or disabled"
        yield Problem("TV5213", text, f"The old table lacks them. {keep}")
    made = back.objects or returning.unlisted(back, live, kept)
    if lacking := returning.gone(live, kept, made):
        text = f"columns that the old table has are gone from {table}: {', '.join(lacking)}"
        yield Problem("TV5213", text, f"Add them again. {keep}")
    if since := [*returning.changed(live, kept, made), *_altered(ask, table, live, made)]:
        text = f"what was changed on {table} since would be taken back with it: {'; '.join(since)}"
        hint = f"Drop what is new; grant, revoke and set on {OLD} what was changed. {keep}"
        yield Problem("TV5213", text, hint)


def _altered(ask: Ask, table: str, live: traits.TableTraits, known: Sequence[str]) -> Iterator[str]:
    """What was changed on the columns and checks of `table`, in words; `known`: what the run itself has done, too."""
    names = list(live.columns)
    yield from (f"check constraint {row['name']} is new" for row in ask(_CHECKS, (table, OLD, names)))
    dropped = (row["name"] for row in ask(_CHECKS, (OLD, table, names)) if row["name"] not in known)
    yield from (f"check constraint {name} was dropped" for name in dropped)
    yield from returning.altered(inspect.read(lambda query: ask(query, ())), table)
    for row in ask(_COLUMNS, (list(returning.published()), table, OLD)):
        if row["altered"]:
            yield f"column {row['name']} was altered"
        if row["commented"]:
            yield f"the comment on column {row['name']} was changed"
