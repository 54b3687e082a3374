"""Findings for other programs: GitHub annotations, SARIF 2.1.0.

Pure. A finding that stands in no file is about the schema as a whole; SARIF then names no place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import quote

from toolkit import __version__
from toolkit.catalog import Json
from toolkit.check.findings import Finding
from toolkit.compat import Severity
from toolkit.reports import annotation, on_one_line

_LEVELS = {
    Severity.SAFE: "none",
    Severity.METADATA: "note",
    Severity.REINDEX: "warning",
    Severity.LOSSY: "error",
    Severity.REFUSED: "error",
}
_ANNOTATIONS: dict[str, Literal["error", "warning", "notice"]] = {
    "none": "notice", "note": "notice", "warning": "warning", "error": "error",
}  # fmt: skip


def sentence(finding: Finding) -> str:
    """What was found, in one line."""
    where = f" on {finding.engine}" if finding.engine else ""
    counted = finding.counted
    told = f"; {counted.values} of {counted.looked_at} records" if counted else ""
    samples = f", such as {', '.join(map(on_one_line, counted.samples))}" if counted and counted.samples else ""
    return f"{on_one_line(finding.about)}{where}: {finding.message}{told}{samples}"


def github(findings: Sequence[Finding]) -> Iterator[str]:
    """One workflow command a finding, which GitHub shows beside the line."""
    for finding in findings:
        place = finding.place
        facts = {"title": f"{finding.code} {finding.severity.value}"}
        if place is not None:
            facts = {"file": place.file, "line": str(place.line), **facts}
        if place is not None and place.column is not None:
            facts["col"] = str(place.column)
        hint = f"\n{finding.hint}" if finding.hint else ""
        yield annotation(_ANNOTATIONS[_LEVELS[finding.severity]], sentence(finding) + hint, **facts)


def sarif(findings: Sequence[Finding]) -> dict[str, Json]:
    """One run with a rule for each code that was found."""
    codes = sorted({finding.code for finding in findings})
    rules: list[Json] = [{"id": code} for code in codes]
    results: list[Json] = [_result(finding, codes.index(finding.code)) for finding in findings]
    driver: Json = {"name": "temporal-visibility", "version": __version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _result(finding: Finding, rule: int) -> Json:
    hint = f" {finding.hint}" if finding.hint else ""
    found: dict[str, Json] = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": sentence(finding) + hint},
        "properties": {"severity": finding.severity.value, "about": finding.about, "engine": finding.engine},
    }
    place = finding.place
    if place is not None:
        region: dict[str, Json] = {"startLine": place.line}
        if place.column is not None:
            region["startColumn"] = place.column
        # A blank, # or % of a name would make it another address, or none.
        uri = quote(os.fsencode(place.file.replace("\\", "/")))
        found["locations"] = [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}]
    return found
