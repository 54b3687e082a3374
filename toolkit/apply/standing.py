"""How a store stands: what it claims, what it is, what is wrong with it, who works on it, which server may start on it.

It joins what other modules know, changes nothing, and waits for nobody.
"""

from __future__ import annotations

from toolkit.apply.checking import Check, busy, judged, look
from toolkit.apply.planning import make_plan
from toolkit.apply.recognising import identified, known_schemas, remarks
from toolkit.engines import Client, Engine
from toolkit.engines.online import Holder, Run
from toolkit.errors import ToolkitError
from toolkit.lineage import Identity
from toolkit.lineage_reports import lines
from toolkit.overlay import Overlay, describe
from toolkit.plan import Observed
from toolkit.requiring import Fitness, fitness, newest
from toolkit.routes import needs, published
from toolkit.versions import chain

# Engines on which Temporal's server reads the recorded version when it starts.
CHECKED = frozenset({"postgresql", "mysql"})


def require(engine: Engine, observed: Observed, overlay: Overlay, release: str) -> Fitness:
    """Whether the server `release` may start on the store. UsageError when it is no known release."""
    line = needs(published().servers, release)
    known = known_schemas(engine, overlay)
    return fitness(engine.FAMILY, engine.NAME in CHECKED, observed, known, release, line)


def standing(engine: Engine, client: Client, overlay: Overlay, release: str | None) -> dict[str, object]:
    """Everything that `schema status` shows of one store."""
    holder = busy(client)
    observed = look(client)
    known = known_schemas(engine, overlay)
    identity = identified(engine, observed, known)
    latest = [d for d in chain() if engine.supports(d)][-1]
    plan = make_plan(engine, observed, latest, chain(), overlay)
    runs = client.journal().runs()
    if release is not None:
        fits: Fitness | None = require(engine, observed, overlay, release)
    else:
        fits = newest(engine.FAMILY, engine.NAME in CHECKED, observed, known, published().servers, engine.empty())
    return {
        "engine": engine.NAME,
        "server": observed.server,
        "recorded": observed.recorded,
        "marks": dict(observed.marks),
        "equals": list(dict.fromkeys(one.version for one in identity.exact)),
        "identity": list(lines(identity)),
        "empty": identity.is_empty,
        "fingerprint": identity.fingerprint,
        "rows": observed.rows,
        "newest": latest.version,
        "pending": len(plan.steps),
        "foreign": ["/".join(path) for path in identity.foreign],
        "remarks": list(remarks(engine, observed)),
        "overlay": describe(overlay),
        "drift": None if holder is not None else _drift(engine, client, observed, overlay, identity),
        "lock": None if holder is None else _holder(holder),
        "run": next((_run(run) for run in reversed(runs) if run.status == "running"), None),
        "last_upgrade": next((_run(r) for r in reversed(runs) if r.kind == "upgrade" and r.status != "running"), None),
        "fits": None if fits is None else _fitness(fits),
    }


def _drift(
    engine: Engine, client: Client, observed: Observed, overlay: Overlay, identity: Identity
) -> dict[str, object] | None:
    """Number of findings and what was judged against; None when nothing tells what the store should be."""
    if identity.is_empty:
        return None
    try:
        report, _ = judged(engine, client, observed, Check(overlay), identity)
    except ToolkitError:
        return None
    return {"version": report.version, "findings": len(report.findings),
            "codes": sorted({finding.code for finding in report.findings})}  # fmt: skip


def _holder(holder: Holder) -> dict[str, object]:
    return {"owner": holder.owner, "since": holder.since, "expires": holder.expires}


def _run(run: Run) -> dict[str, object]:
    return {"run": run.id, "kind": run.kind, "to": run.wanted, "status": run.status, "began": run.started,
            "ended": run.ended, "by": run.owner}  # fmt: skip


def _fitness(fits: Fitness) -> dict[str, object]:
    return {"release": fits.release, "needs": fits.needs, "starts": fits.starts, "reasons": list(fits.reasons),
            "warnings": list(fits.warnings)}  # fmt: skip
