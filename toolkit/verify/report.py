"""Evidence as a page for people (Markdown), as a test report (JUnit XML), and as data (JSON).

It is handed finished evidence; it measures nothing and writes no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit import reports
from toolkit.plan import StepClass
from toolkit.reports import Case, Problem, Suite, annotation
from toolkit.verify.evidence import SLOW, Check, Evidence, StepTaken, passed

_LEGEND = (
    "- **upgrade took**: from its first statement to its last; the way back and the comparison come on top.",
    "- **longest write**: what the slowest write beside the upgrade took, as Temporal's server would have felt it. "
    f"**held up**: writes that took longer than {SLOW * 1000:.0f} ms.",
    "- **longest lock**: the longest time for which a step had a lock that keeps writers waiting. A step that does not "
    "get its lock gives up after moments, lets writers pass and tries again: that is in the step's time, not in here.",
    "- **disk**: what the store took before the upgrade, at most during it and the way back, and at the end.",
)
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def markdown(found: Sequence[Evidence]) -> Iterator[str]:
    """A page that needs no other page: what was done, the verdict, a table, and a section for each path."""
    bad = sum(not one.passed for one in found)
    yield "# Upgrade paths"
    yield ""
    many = "1 path was" if len(found) == 1 else f"{len(found)} paths were"
    yield (
        f"{many} walked on throwaway stores: made at the old version, filled with records, upgraded "
        "while a writer started, closed and deleted executions, compared record by record, taken back, and upgraded "
        "again."
    )
    yield ""
    yield f"**{'All passed.' if passed(found) else f'{bad} failed.' if found else 'None could be walked.'}**"
    yield ""
    yield "| path | verdict | upgrade took | longest write | held up | longest lock | disk before | at most | after |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    for one in found:
        cells = (
            one.path.name,
            "passed" if one.passed else f"**{len(one.findings)} findings**",
            f"{one.seconds:.1f} s",
            _milliseconds(one.felt.longest) if one.felt.writes else "-",
            f"{one.felt.slow} of {one.felt.writes}" if one.felt.writes else "-",
            _milliseconds(one.lock) if one.lock is not None else "never",
            *(_size(b) for b in (one.disk.before, one.disk.peak, one.disk.after)),
        )
        yield f"| {' | '.join(cells)} |"
    if found:
        yield ""
        yield from _LEGEND
    for one in found:
        yield ""
        yield from _section(one)


def _section(one: Evidence) -> Iterator[str]:
    felt = one.felt
    yield f"## {one.path.name}"
    yield ""
    yield f"{one.server or 'The store could not be opened'}; {one.rows} records."
    if felt.writes:
        yield (
            f"Meanwhile {felt.writes} writes were made: half of them took under {_milliseconds(felt.median)}, the "
            f"longest {_milliseconds(felt.longest)}; {felt.slow} took longer than {SLOW * 1000:.0f} ms; "
            f"{felt.refused} were refused and sent again."
        )
    if not one.path.steady:
        yield "No writer ran beside it: records are written in another form after this upgrade."
    if one.back:
        yield f"Way back: {one.back}."
    yield ""
    for check in Check:
        if check in one.checks:
            mine = [f for f in one.findings if f.check is check]
            yield f"- [{' ' if mine else 'x'}] {check.value}"
            yield from (f"    - {finding.code}: {finding.message}" for finding in mine)
    if one.steps:
        yield ""
        yield "| step | class | lock | blocks | took |"
        yield "|---|---|---|---|---:|"
        yield from (_step(step) for step in one.steps)


def _step(step: StepTaken) -> str:
    title = step.title.replace("|", "\\|")
    return f"| {title} | {step.step_class.value} | {step.lock} | {step.blocks} | {step.seconds:.2f} s |"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


def _size(count: int | None) -> str:
    if count is None:
        return "not told"
    value = float(count)
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError


def junit(found: Sequence[Evidence]) -> str:
    """One test suite an engine, one test case a path and check, as CI servers read them."""
    engines = dict.fromkeys(one.path.engine for one in found)
    return reports.junit(
        "verify-paths",
        [Suite(name, [c for one in found if one.path.engine == name for c in _cases(one)]) for name in engines],
    )


def _cases(one: Evidence) -> Iterator[Case]:
    for check in one.checks:
        seconds = one.seconds if check is Check.UPGRADE else 0.0
        mine = [f for f in one.findings if f.check is check]
        text = "\n".join(f"{f.code}: {f.message}" for f in mine)
        failure = Problem(mine[0].code, mine[0].message, text) if mine else None
        yield Case(one.path.name, check.value, failure, seconds=seconds)


def github(found: Sequence[Evidence]) -> Iterator[str]:
    """Annotations: an error for each finding, a notice for each path that holds."""
    for one in found:
        if one.passed:
            lock = "never" if one.lock is None else f"at most {_milliseconds(one.lock)}"
            said = f"upgraded in {one.seconds:.1f} s; a step held writers up {lock}"
            yield annotation("notice", said, title=one.path.name)
        for finding in one.findings:
            message = f"{finding.check.value}: {finding.message}"
            yield annotation("error", message, title=f"{one.path.name}: {finding.code}")


def to_json(found: Sequence[Evidence]) -> dict[str, object]:
    """All of it as data; times in seconds, sizes in bytes."""
    return {"passed": passed(found), "paths": [_json(one) for one in found]}


def _json(one: Evidence) -> dict[str, object]:
    felt, disk = one.felt, one.disk
    heaviest = max((s.step_class for s in one.steps), key=list(StepClass).index, default=None)
    return {
        "engine": one.path.engine,
        "from": one.path.start,
        "to": one.path.goal.version,
        "server": one.server,
        "rows": one.rows,
        "passed": one.passed,
        "seconds": round(one.seconds, 3),
        "class": heaviest.value if heaviest else None,
        "writes": {
            "answered": felt.writes,
            "refused": felt.refused,
            "longest": round(felt.longest, 4),
            "median": round(felt.median, 4),
            "slow": felt.slow,
        },
        "lock": None if one.lock is None else round(one.lock, 4),
        "disk": {"before": disk.before, "peak": disk.peak, "after": disk.after},
        "back": one.back,
        "steps": [
            {"title": s.title, "class": s.step_class.value, "lock": s.lock, "blocks": s.blocks,
             "seconds": round(s.seconds, 3)} for s in one.steps
        ],
        "checks": [check.name.lower() for check in one.checks],
        "findings": [{"check": f.check.name.lower(), "code": f.code, "message": f.message} for f in one.findings],
    }  # fmt: skip
