"""The repair of a store that has drifted, as a Task for the runner, which knows when it has succeeded.

What is wrong is found by `checking`; nothing is done here.
"""

from __future__ import annotations

from toolkit.apply.planning import meant, unlike
from toolkit.apply.task import Task
from toolkit.definition import Definition
from toolkit.engines import Engine
from toolkit.overlay import Overlay
from toolkit.plan import Observed, Plan


def repair_task(engine: Engine, plan: Plan, wanted: Definition, overlay: Overlay) -> Task:
    """The repair as a task that has succeeded when its steps are seen to be done. Renames come alone and first: what
    else there is to repair is judged again after them. UsageError when `plan` does not lead to `wanted`."""
    goal = meant(engine, plan, wanted, overlay)
    renames = [step for step in plan.steps if step.id.startswith("rename.")]

    def check(after: Observed) -> tuple[str, ...]:
        if renames:
            view = after.view()
            return tuple(step.title for step in renames if not step.is_done(view))
        return unlike(after.catalog, goal, plan.foreign)

    return Task("repair", plan, check)
