"""Reports in the forms that CI servers read: JUnit XML, and GitHub's workflow commands, which become annotations.

Pure: texts from values. It knows no command's findings and writes no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a case is bad: a code, one line, and more about it."""

    code: str
    message: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that was looked at. `failure`: it is not as it should be; `error`: it could not be looked at."""

    group: str
    name: str
    failure: Problem | None = None
    error: Problem | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases that belong together."""

    name: str
    cases: Sequence[Case]


def junit(name: str, suites: Sequence[Suite]) -> str:
    """The XML that CI servers know as a JUnit report."""
    root = Element("testsuites", name=name)
    for suite in suites:
        told = SubElement(root, "testsuite", name=suite.name, tests=str(len(suite.cases)))
        told.set("failures", str(sum(case.failure is not None for case in suite.cases)))
        told.set("errors", str(sum(case.error is not None for case in suite.cases)))
        if any(case.seconds is not None for case in suite.cases):
            told.set("time", f"{sum(case.seconds or 0.0 for case in suite.cases):.3f}")
        for case in suite.cases:
            _case(told, case)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _case(suite: Element, case: Case) -> None:
    told = SubElement(suite, "testcase", classname=_printable(case.group), name=_printable(case.name))
    if case.seconds is not None:
        told.set("time", f"{case.seconds:.3f}")
    for word, problem in (("failure", case.failure), ("error", case.error)):
        if problem is not None:
            inner = SubElement(told, word, type=problem.code, message=_printable(problem.message))
            inner.text = _printable(problem.text) or None


def on_one_line(text: str) -> str:
    """A value from a store without anything a terminal would obey."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _printable(text: str) -> str:
    """Without what XML has no way to say."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def annotation(level: Literal["error", "warning", "notice"], message: str, **properties: str) -> str:
    """A workflow command; properties: title, file, line, col. The form is GitHub's own:
    https://docs.github.com/actions/reference/workflow-commands-for-github-actions"""
    facts = ",".join(f"{name}={_data(value).replace(':', '%3A').replace(',', '%2C')}"
                     for name, value in properties.items())  # fmt: skip
    return f"::{level} {facts}::{_data(message)}" if facts else f"::{level}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
