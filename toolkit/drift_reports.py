"""Drift in the forms that other programs read: JUnit, GitHub annotations, a Prometheus textfile.

Pure: texts from values. Writing them is the command's part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolkit import reports
from toolkit.drift import Finding
from toolkit.reports import Case, Problem, annotation


@dataclass(frozen=True, slots=True)
class Checked:
    """One store's check. `error`: it could not be checked, as code and message; `busy`: a run was in progress."""

    store: str
    engine: str
    version: str | None
    findings: tuple[Finding, ...]
    error: tuple[str, str] | None = None
    busy: bool = False


def junit(stores: Sequence[Checked]) -> str:
    """One suite a store, one failed case a finding; a store without findings is one case that passed."""
    return reports.junit("schema drift", [reports.Suite(store.store, tuple(_cases(store))) for store in stores])


def _cases(store: Checked) -> Iterator[Case]:
    if not store.findings:
        error = Problem(*store.error) if store.error else None
        yield Case(store.store, f"version {store.version}", error=error)
    for finding in store.findings:
        problem = Problem(finding.code, finding.message, finding.hint)
        yield Case(store.store, finding.name or finding.code, failure=problem)


def github(stores: Sequence[Checked]) -> Iterator[str]:
    """One annotation a finding."""
    for store in stores:
        if store.error:
            yield annotation("error", store.error[1], title=f"{store.error[0]} {store.store}")
        for finding in store.findings:
            yield annotation("error", finding.message, title=f"{finding.code} {store.store}")


_PREFIX = "temporal_visibility_drift"


def metrics(stores: Sequence[Checked], now: float) -> str:
    """Gauges for the node exporter's textfile collector; `now` is the time of the check in seconds since 1970."""
    found = [
        *_gauge("findings", "Findings of the last check, by code; 0 without a code when there are none.",
                [(labels, count) for store in stores if not store.error for labels, count in _counts(store)]),
        *_gauge("check_failed", "1 when the store could not be checked.",
                [(_labels(store), int(store.error is not None and not store.busy)) for store in stores]),
        *_gauge("run_in_progress", "1 when the check was left out because a run was working on the store.",
                [(_labels(store), int(store.busy)) for store in stores]),
        *_gauge("checked_timestamp_seconds", "When the store was checked.",
                [(_labels(store), int(now)) for store in stores]),
    ]  # fmt: skip
    return "\n".join(found) + "\n"


def _counts(store: Checked) -> Iterator[tuple[str, int]]:
    codes = Counter(finding.code for finding in store.findings)
    if not codes:
        yield _labels(store, ("version", store.version or ""), ("code", "")), 0
    for code, count in sorted(codes.items()):
        yield _labels(store, ("version", store.version or ""), ("code", code)), count


def _labels(store: Checked, *more: tuple[str, str]) -> str:
    pairs = [("store", store.store), ("engine", store.engine), *more]
    return ",".join(f'{name}="{_label(value)}"' for name, value in pairs)


def _label(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _gauge(name: str, text: str, values: Sequence[tuple[str, int]]) -> Iterator[str]:
    yield f"# HELP {_PREFIX}_{name} {text}"
    yield f"# TYPE {_PREFIX}_{name} gauge"
    yield from (f"{_PREFIX}_{name}{{{labels}}} {value}" for labels, value in values)
