"""Waits for what ClickHouse does by itself: mutations, and the work of other servers of a cluster.

It looks at the state of each server and never believes a queue; what it cannot wait for it raises, with the reason.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.engines.clickhouse import replicas
from toolkit.engines.clickhouse.render import everywhere, kill_mutation, literal
from toolkit.errors import EngineError

Ask = Callable[[str], Sequence[Mapping[str, Any]]]
Command = Callable[[str], object]
Which = tuple[str, str]  # a mutation: its table and its id

_POLL_SECONDS = 0.1
# How long a server of the cluster may take to do its part before the run stops and says which.
AGREE_SECONDS = 180.0
# One that was killed is no longer listed at all.
_MUTATIONS = """
SELECT table, mutation_id, command, is_done, latest_fail_reason
FROM {source}
WHERE database = {database} AND table IN ({tables})
"""
# Of all that our statements do, this makes a mutation whatever the table holds.
_BEGINS = "MATERIALIZE INDEX "
_QUOTES = str.maketrans("", "", '()`"')


@dataclass(frozen=True, slots=True)
class Background:
    """What goes on behind the statements. `shown`: the store's address, `redact` takes secrets out of a text; `kills`:
    a mutation that fails may be killed; `alike`: tables that a statement for the whole `cluster` leaves alike on every
    server of it."""

    ask: Ask
    command: Command
    shown: str
    redact: Callable[[str], str]
    kills: bool
    cluster: str | None
    database: str
    tables: Collection[str]
    alike: Collection[str]

    def before(self, statement: str) -> Collection[Which] | None:
        """What `after` must know of the time before `statement`: the mutations there are, where it begins one for sure.
        Raises EngineError."""
        tables = self._altered(statement)
        return {_which(mutation) for mutation in self._mutations(tables)} if _BEGINS in statement else None

    def after(self, statement: str, earlier: Collection[Which] | None) -> None:
        """Return when all that `statement` has started is done; `earlier`: what `before` said. Raises EngineError."""
        if statement.startswith("ALTER") and (tables := self._altered(statement)):
            self._settle(statement, tables, earlier)
        if self.cluster is not None and " ON CLUSTER " in statement:
            self._agree(self.cluster, _named(self.alike, statement))

    def _altered(self, statement: str) -> list[str]:
        """Those of our tables that `statement` names: mutations of the others are no business of its."""
        return _named(self.tables, statement)

    def _settle(self, statement: str, tables: Sequence[str], earlier: Collection[Which] | None) -> None:
        seen: dict[Which, str] = {}
        listed = self._mutations(tables)
        while pending := [mutation for mutation in listed if not mutation["is_done"]]:
            for mutation in pending:
                if mutation["latest_fail_reason"]:
                    self._fails(mutation)
                seen[_which(mutation)] = mutation["command"]
            time.sleep(_POLL_SECONDS)
            listed = self._mutations(tables)
        started = statement.translate(_QUOTES)
        own = {which for which, command in seen.items() if command.translate(_QUOTES) in started}
        ended = {_which(mutation) for mutation in listed if mutation["command"].translate(_QUOTES) in started}
        for which in sorted(own - ended):
            self._killed(f"{seen[which]} of table {which[0]}")
        if earlier is not None and ended <= {*earlier}:
            self._killed(statement)

    def _mutations(self, tables: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        source = everywhere(self.cluster, "system.mutations")
        listed = ", ".join(literal(name) for name in tables)
        return self.ask(_MUTATIONS.format(source=source, database=literal(self.database), tables=listed))

    def _killed(self, what: str) -> None:
        raise EngineError(
            "TV4213",
            f"{self.shown}: {what} was killed by somebody before it was done",
            "The same command does it again and goes on from here.",
        )

    def _fails(self, mutation: Mapping[str, Any]) -> None:
        """Tell it; where that is allowed, kill it first, so that nothing waits for it any longer."""
        kill = kill_mutation(literal(self.database), *_which(mutation), self.cluster)
        hint = f"Mend the cause, or give it up: {kill}. Until then later mutations wait."
        if self.kills:
            self.command(kill)
            hint = "It was killed, as mutations=kill in the URL asks. `schema rollback` takes the change back."
        raise EngineError(
            "TV4205",
            f"{self.shown}: {mutation['command']} of table {mutation['table']} fails: "
            f"{self.redact(mutation['latest_fail_reason'])[:500]}",
            hint,
        )

    def _agree(self, cluster: str, names: Collection[str]) -> None:
        """Until every server shows the same tables, whatever the queue of DDL says."""
        deadline = time.monotonic() + AGREE_SECONDS
        while left := replicas.disagreements(self.ask, cluster, self.database, names):
            if time.monotonic() > deadline:
                raise EngineError(
                    "TV4211",
                    f"the servers of cluster {cluster} differ: {'; '.join(left[:3])}",
                    "The work is in the DDL queue of those that are behind. The same command goes on from here.",
                )
            time.sleep(_POLL_SECONDS)


def _which(mutation: Mapping[str, Any]) -> Which:
    return mutation["table"], mutation["mutation_id"]


def _named(names: Collection[str], statement: str) -> list[str]:
    return [name for name in names if re.search(rf"\b{name}\b", statement)]
