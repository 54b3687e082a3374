"""An engine whose upgrades do one wrong thing, to see whether proofs notice.

It stands before a real engine and lets everything through but the steps, which get one more statement or lose one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from toolkit.definition import Definition
from toolkit.engines import Engine
from toolkit.engines.elasticsearch.store import SearchStore
from toolkit.engines.online import Route
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import NO_LOCK, Observed, Request, Statement, Step, StepClass


@dataclass(frozen=True)
class Sabotaged:
    """`engine`, but a plan to `version` ends with `statements`, made when the plan is made. It claims that its last
    step shows no effect, so that nothing but a proof can notice."""

    engine: Engine
    version: str
    statements: Callable[[Observed], tuple[Statement, ...]]

    def __getattr__(self, name: str) -> Any:
        if name == "online" and not hasattr(self.engine, "online"):
            raise AttributeError(name)
        return getattr(self.engine, name)

    def steps(self, observed: Observed, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> tuple[Step, ...]:
        return self._with_more(self.engine.steps(observed, wanted, overlay), observed, wanted)

    def _online(self, observed: Observed, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> Route:
        route = self.engine.online(observed, wanted, overlay)  # type: ignore[attr-defined]
        return replace(route, steps=self._with_more(route.steps, observed, wanted))

    def _with_more(self, steps: tuple[Step, ...], observed: Observed, wanted: Definition) -> tuple[Step, ...]:
        label = self.engine.label(wanted)
        if wanted.version != self.version or observed.recorded in (None, label) or not steps:
            return steps
        wrong = Step("sabotage", "A wrong step", "", StepClass.METADATA, NO_LOCK, self.statements(observed), (), ())
        return (*steps, wrong)


def _addressed(statement: Statement, observed: Observed) -> Statement:
    if not isinstance(statement, Request):
        return statement
    assert isinstance(observed, SearchStore)
    return replace(statement, path=statement.path.replace("{index}", observed.names.index))


def sabotaged(engine: Engine, version: str, *statements: Statement) -> Engine:
    """See `Sabotaged`. `{index}` in the path of a request stands for the store's index."""
    made = Sabotaged(engine, version, lambda observed: tuple(_addressed(one, observed) for one in statements))
    if hasattr(engine, "online"):
        object.__setattr__(made, "online", made._online)
    return made  # type: ignore[return-value]
