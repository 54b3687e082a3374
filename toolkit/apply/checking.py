"""Drift of a live store: which version it is judged against, and whether somebody works on it just now.

It joins observation, lineage and `toolkit.drift`, and changes nothing. It imports nothing of what a run needs: `schema
status` and `schema drift` are asked every minute, and half of their time is Python that begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from toolkit.apply.ongoing import unfinished, ways_on
from toolkit.apply.recognising import identified, is_beyond, known_schemas, only_we_record, too_new
from toolkit.definition import Definition
from toolkit.drift import Finding, Report, judge
from toolkit.engines import Client, Engine
from toolkit.engines.drifting import Examining, drifting
from toolkit.engines.online import Holder
from toolkit.errors import LockHeld, UsageError
from toolkit.lineage import LIKELY, Identity, Known
from toolkit.lineage_reports import lines
from toolkit.overlay import Overlay
from toolkit.plan import Observed
from toolkit.versions import find

HALF, DEFECT, CUT_OFF = "TV6117", "TV6118", "TV6119"
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Check:
    """What a check needs besides the store; `version` None: the one the store records, or is nearest to."""

    overlay: Overlay
    version: str | None = None
    keep_extra: bool = False
    offline: bool = False
    wait: float = 0.0


def check_store(engine: Engine, client: Client, check: Check) -> tuple[Report, Identity]:
    """Judge the store. LockHeld when a run is in progress, longer than `check.wait` seconds; UsageError when nothing
    tells which version it should have."""
    wait_for_run(client, check.wait)
    observed = look(client)
    # A run that began while we looked would make its half-done work look like drift.
    wait_for_run(client, 0.0)
    return judged(engine, client, observed, check)


def look(client: Client) -> Observed:
    """What the store is, with a closer look where the client has one."""
    observed = client.observe()
    if isinstance(client, Examining):
        return replace(observed, traits={**observed.traits, **client.examine()})
    return observed


def judged(
    engine: Engine, client: Client, observed: Observed, check: Check, identity: Identity | None = None
) -> tuple[Report, Identity]:
    """The report on what was observed; `identity`: what it is, where that is known already."""
    known = known_schemas(engine, check.overlay)
    identity = identity or identified(engine, observed, known)
    if check.version is None and is_beyond(engine, identity.recorded):
        raise too_new(identity.recorded, "; or say with --version what to judge it by")
    wanted = _wanted(identity, check, known)
    catalogs = tuple(one.catalog for one in known)
    report = judge(engine, drifting(engine.NAME), observed, wanted, check.overlay, catalogs, check.keep_extra,
                   check.offline)  # fmt: skip
    if identity.partial is not None and check.version is None:
        extras = tuple(
            f for f in report.findings if f.code == "TV6112" and len(f.path) > 0 and _is_foreign(f, identity)
        )
        half = Finding(HALF, (), next(iter(lines(identity))), (), "`schema upgrade` finishes it.")
        report = replace(report, findings=(half, *extras), plan=replace(report.plan, steps=()))
    best = identity.exact[0] if identity.exact else None
    ahead = _ahead(identity, known)
    if ahead and check.version is None and not only_we_record(engine):
        message = f"the schema is that of {ahead.name}, but the store records {identity.recorded}"
        unrecorded = Finding(HALF, (), message, (), "`schema upgrade` records it.")
        report = replace(report, findings=(unrecorded, *report.findings))
    if best is not None and best.defect:
        report = replace(report, findings=(Finding(DEFECT, (), f"{best.name}: {best.note}"), *report.findings))
    run = unfinished(client)
    if run is not None:
        cut = Finding(CUT_OFF, (), f"run {run.id}, {run.kind} to {run.wanted}, was cut off", (), ways_on(run))
        report = replace(report, findings=(cut, *report.findings))
    return report, identity


def _is_foreign(finding: Finding, identity: Identity) -> bool:
    return finding.path in identity.foreign


def _ahead(identity: Identity, known: Sequence[Known]) -> Known | None:
    """The later version that a store equals although it records an earlier one: Temporal's tool did all of its work
    but the record."""
    plain = [one.name for one in known if not one.route]
    if identity.recorded not in plain:
        return None
    names = plain[plain.index(identity.recorded) + 1 :]
    # The first of the list fits the record best.
    return next((one for one in identity.exact[:1] if one.name in names), None)


def _wanted(identity: Identity, check: Check, known: Sequence[Known]) -> Definition:
    """The definition to judge by: as asked, as recorded, or the schema that the store is nearest to."""
    if check.version is not None:
        return labelled(find(check.version), check.version)
    fitting = [one for one in identity.exact if one.records == identity.recorded]
    if fitting:
        return labelled(find(fitting[0].version), fitting[0].name)
    if (ahead := _ahead(identity, known)) is not None:
        return labelled(find(ahead.version), ahead.name)
    if identity.partial is not None:
        return labelled(find(identity.partial.base.version), identity.partial.base.name)
    if identity.recorded is not None:
        return labelled(find(identity.recorded), identity.recorded)
    best = identity.best
    if best is None or identity.confidence < LIKELY:
        shown = next(iter(lines(identity)), "")
        raise UsageError("TV6102", f"nothing tells which version this store should have: {shown}", "Say it with "
                         "--version.")  # fmt: skip
    return labelled(find(best.version), best.records or best.name)


def labelled(definition: Definition, label: str) -> Definition:
    """On a search engine the part of a definition that belongs to the label."""
    return definition.at_label(label) if label in definition.labels.elasticsearch else definition


def wait_for_run(client: Client, seconds: float, pause: Callable[[float], None] = time.sleep) -> None:
    """Return when nobody holds the lock; LockHeld when somebody still does after `seconds`."""
    until = time.monotonic() + seconds
    while (holder := busy(client)) is not None:
        if time.monotonic() >= until:
            raise LockHeld(
                "TV6103",
                f"a run is in progress: {holder.owner} works on this store since {holder.since[:19]}",
                "That is no drift. Ask again when it is over, or --wait for it.",
            )
        pause(_LOOK_SECONDS)


def busy(client: Client) -> Holder | None:
    """Who is working on the store; a lock that has expired is nobody's."""
    holder = client.holder()
    return None if holder is None or holder.expired else holder
