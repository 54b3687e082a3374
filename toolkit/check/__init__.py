"""Check before a change: what becomes of values and saved filters between versions, stores and engines.

The functions here are what `schema check` and the pre-commit hook call; they return Findings and print nothing. Only
`observe` and `count` ask a store, through the client they are given.

    from toolkit import check, versions
    from toolkit.engines import engine
    found = check.versions(engine("postgresql"), versions.find("1.9"), versions.find("1.14"))
    bad = check.at_least(found, check.Severity.LOSSY)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from toolkit.apply.planning import recognise
from toolkit.check import changes
from toolkit.check.findings import Counted, Finding, Place, Suspect, at_least, worst_first
from toolkit.check.queries import Saved, World, judge, read, refuse_unknown
from toolkit.check.report import github, sarif, sentence
from toolkit.compat import Severity
from toolkit.definition import Definition
from toolkit.engines import Client, Engine, refuse_unsupported
from toolkit.engines.asking import with_own
from toolkit.engines.surveying import GENTLE, Gentle, Probe, survey, surveys
from toolkit.errors import EngineError
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import Observed
from toolkit.versions import chain

__all__ = [
    "Counted",
    "Finding",
    "Gentle",
    "Live",
    "Place",
    "Saved",
    "Severity",
    "Suspect",
    "World",
    "at_least",
    "count",
    "filters",
    "github",
    "goal",
    "observe",
    "read",
    "sarif",
    "sentence",
    "store",
    "stores",
    "versions",
    "worst_first",
]


@dataclass(frozen=True, slots=True)
class Live:
    """A store as it was seen. `definition`: the version that its schema equals, with the overlay, and with the
    attributes that users of a search engine have of their own; None when it equals none. `label`: how to name it."""

    engine: Engine
    observed: Observed
    definition: Definition | None
    overlay: Overlay
    label: str

    def known(self) -> Definition:
        """The definition. Raises EngineError when there is none."""
        if self.definition is None:
            raise EngineError("TV4101", f"{self.label} equals no published version, so its values cannot be judged",
                              "`schema status` and `schema plan` show what it is.")  # fmt: skip
        return self.definition


def observe(engine: Engine, client: Client, overlay: Overlay = NO_OVERLAY, label: str = "the store") -> Live:
    """Look at a store. Raises EngineError."""
    observed = client.observe()
    seen = recognise(engine, observed, chain(), overlay)
    if not seen.versions:
        return Live(engine, observed, None, overlay, label)
    released = next(d for d in chain() if d.version == seen.versions[-1])
    definition, _ = with_own(overlay.apply(released), engine.FAMILY, observed.catalog, {})
    return Live(engine, observed, definition, overlay, label)


def versions(engine: Engine, before: Definition, after: Definition) -> tuple[Finding, ...]:
    """What the changes from one version to another do on an engine."""
    return tuple(changes.between(engine, before, after))


def store(live: Live, wanted: Definition) -> tuple[Finding, ...]:
    """What bringing a live store to `wanted` does; for a store that equals no version, how it differs from it. Raises
    VersionError when the engine has no such version."""
    refuse_unsupported(live.engine, wanted)
    if live.definition is not None:
        return tuple(changes.between(live.engine, live.definition, goal(live, wanted)))
    seen = recognise(live.engine, live.observed, chain(), live.overlay)
    observed = live.observed.catalog.without(seen.foreign)
    return tuple(changes.drift(live.engine, observed, live.engine.catalog(live.overlay.apply(wanted), live.overlay)))


def goal(live: Live, wanted: Definition) -> Definition:
    """What a live store would be at `wanted`: with its overlay, and with the attributes that its users have."""
    return with_own(live.overlay.apply(wanted), live.engine.FAMILY, live.observed.catalog, {})[0]


def stores(before: Live, after: Live) -> tuple[Finding, ...]:
    """What moving the records of one store to another does to values. Raises EngineError when either is unknown."""
    old, new = before.known(), after.known()
    if before.engine.NAME == after.engine.NAME:
        return tuple(changes.between(before.engine, old, new))
    return tuple(changes.across((before.engine, old), (after.engine, new)))


def filters(saved: Iterable[Saved], before: World | None, after: World) -> tuple[Finding, ...]:
    """What becomes of saved filters; without `before`, whether each is right in `after`. Raises UsageError when an
    alias stands for nothing in either."""
    asked = tuple(saved)
    if asked:
        refuse_unknown(world for world in (before, after) if world is not None)
    return tuple(finding for each in asked for finding in judge(each, before, after))


def count(
    live: Live,
    client: Client,
    findings: Sequence[Finding],
    gentle: Gentle = GENTLE,
    seen: Callable[[int], None] = lambda _: None,
) -> tuple[Finding, ...]:
    """The findings, with what the store counted for those that name values that may be counted there: all in one pass.

    Where nothing is hit, a finding is one about time only; where there was nothing to look at, that shows nothing.
    Raises EngineError.
    """
    definition = live.known()
    there = {a.name: a.type for a in definition.on(live.engine.FAMILY).attributes}
    mine = [f for f in findings if f.suspect is not None and f.suspect.engine == live.engine.NAME]
    asked = [f for f in mine if (s := f.suspect) is not None and there.get(s.attribute) is s.type]
    probes = [Probe(s.attribute, s.type, s.spoils) for f in asked if (s := f.suspect) is not None]
    if not probes:
        return tuple(findings)
    parts = surveys(live.engine.NAME).parts(client.ask, definition, probes, gentle.rows)
    found = survey(parts, len(probes), gentle.rest, seen)
    counted = {
        id(finding): Counted(number, found.rows, samples)
        for finding, number, samples in zip(asked, found.counts, found.samples, strict=True)
    }
    return tuple(_with(finding, counted.get(id(finding))) for finding in findings)


def _with(finding: Finding, counted: Counted | None) -> Finding:
    if counted is None:
        return finding
    harmless = counted.values == 0 < counted.looked_at and finding.severity.rank > Severity.REINDEX.rank
    return replace(finding, counted=counted, severity=Severity.REINDEX if harmless else finding.severity)
