"""Every filter of the corpus parses to its normal form, or fails at its place with its code."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.attributes import Family
from toolkit.errors import FilterError
from toolkit.query import check, text
from toolkit.query.scope import Scope
from toolkit.versions import find

CORPUS = Path(__file__).with_name("corpus.txt")
ALIASES = {
    "Customer": "Keyword01",
    "my key": "Keyword02",
    "select": "Keyword03",
    "a`b": "Keyword04",
    "team.owner": "Keyword05",
    "a.b.select": "Keyword06",
}
SCOPE = Scope.of(find("1.14"), Family.SQL, ALIASES)


def entries() -> list[tuple[str, str]]:
    lines = [line for line in CORPUS.read_text().splitlines() if line and not line.startswith("#")]
    pairs = list(zip(lines[::2], lines[1::2], strict=True))
    assert all(given.startswith("> ") and wanted.startswith("  ") for given, wanted in pairs)
    return [(given[2:], wanted[2:]) for given, wanted in pairs]


def outcome(given: str) -> str:
    try:
        return text.write(check.parse(given, SCOPE))
    except FilterError as error:
        return f"!! {error.code} {error.start}-{error.end} {error.message}"


@pytest.mark.parametrize(("given", "wanted"), entries())
def test_what_becomes_of_a_filter(given: str, wanted: str) -> None:
    assert outcome(given) == wanted


def test_the_corpus_is_large_and_names_every_code() -> None:
    found = entries()
    assert len(found) >= 400
    assert len({given for given, _ in found}) == len(found)
    codes = {wanted.split()[1] for _, wanted in found if wanted.startswith("!!")}
    assert codes == {"TV7001", "TV7002", "TV7004", "TV7005", "TV7006", "TV7007", "TV7008", "TV7009"}


@pytest.mark.parametrize("normal", [wanted for _, wanted in entries() if not wanted.startswith("!!")])
def test_a_normal_form_is_its_own_normal_form(normal: str) -> None:
    assert outcome(normal) == normal


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("StartTme > 5", "Did you mean StartTime?"),
        ("starttime > 5", "Did you mean StartTime?"),
        ("WorkflowID = 'x'", "Did you mean WorkflowId?"),
        ("customer = 'x'", "Did you mean Customer?"),
        ("ScheduleID = 'x'", "Did you mean ScheduleId?"),
        ("SchedulPaused = TRUE", "Did you mean TemporalSchedulePaused?"),
        ("WorkflowId = order", "Did you forget the quotes? 'order'"),
    ],
)
def test_what_is_suggested(given: str, hint: str) -> None:
    with pytest.raises(FilterError) as caught:
        check.parse(given, SCOPE)
    assert caught.value.hint == hint


def test_the_place_is_pointed_at() -> None:
    with pytest.raises(FilterError) as caught:
        check.parse("WorkflowId = 'a'\n  AND StartTme > 5", SCOPE)
    assert caught.value.pointer() == "  AND StartTme > 5\n      ^^^^^^^^"
    assert caught.value.exit_code == 2
    place = {"filter": "WorkflowId = 'a'\n  AND StartTme > 5", "start": 23, "end": 31}
    assert {k: v for k, v in caught.value.to_json().items() if k in place} == place


def test_a_long_line_is_shown_around_the_place() -> None:
    given = " OR ".join(["WorkflowId = 'a'"] * 30) + " OR Nothing = 1"
    with pytest.raises(FilterError) as caught:
        check.parse(given, SCOPE)
    line, carets = caught.value.pointer(60).splitlines()
    assert len(line) <= 60
    assert line[carets.index("^") :].startswith("Nothing")


def test_the_implicit_division() -> None:
    assert check.parse("WorkflowId = 'a'", SCOPE).division is not None
    assert check.parse("TemporalNamespaceDivision = 'a'", SCOPE).division is None
    assert check.parse("NamespaceDivision IS NULL OR WorkflowId = 'a'", SCOPE).division is None
    assert check.parse("GROUP BY TemporalNamespaceDivision", SCOPE).division is None
    older = Scope.of(find("1.1"), Family.SQL)
    assert check.parse("WorkflowId = 'a'", older).division is None


def test_names_follow_the_version_and_the_store() -> None:
    with pytest.raises(FilterError, match="no search attribute 'BuildIds'"):
        check.parse("BuildIds = 'a'", Scope.of(find("1.2"), Family.SQL))
    # No namespace can have an attribute with a name of Temporal's own.
    taken = Scope.of(find("1.14"), Family.SQL, {"WorkflowType": "Int01", "BuildIds": "Int02", "PauseInfo": "Int03"})
    assert [taken.resolve(name).name for name in taken.aliases] == ["WorkflowType", "BuildIds", "Int03"]
    elsewhere = Scope.of(find("1.14"), Family.ELASTICSEARCH)
    assert check.parse("BatcherNamespace = 'a'", elsewhere)
    with pytest.raises(FilterError, match="no search attribute 'Text01'"):
        check.parse("Text01 = 'a'", elsewhere)
