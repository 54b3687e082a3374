"""`query` on every engine: pages by the tokens it prints, counts, groups, the engine's own plan, other names."""

from __future__ import annotations

import json
import operator
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.command import SCHEMAS
from tests.support.filter_records import NAMESPACES, records
from tests.support.filter_store import definition, prepare, scope_for
from toolkit.attributes import STATUS_NAMES, Family
from toolkit.cli import root
from toolkit.cli.output import run_command
from toolkit.engines import Client, Engine
from toolkit.engines.filtering import filters
from toolkit.query import check, evaluate
from toolkit.query.semantics import COMMON, SECOND
from toolkit.records import rfc3339

ALL = pytest.mark.engines("postgresql", "mysql", "elasticsearch", "opensearch", "sqlite", "chdb")
SAMPLE = [r for r in records(150) if r.namespace_id == NAMESPACES[0]]
# The type of these, on a search engine, is in no mapping.
TYPES = ("--attribute", "KeywordList01=KeywordList", "--attribute", "Keyword01=Keyword")
SCHEMA = json.loads((SCHEMAS / "query.json").read_text())


@ALL
@pytest.mark.needs("scaled_float")  # attributes of every type
def test_query(engine: Handle | EmbeddedHandle, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with journeys.opened(engine.url) as (chosen, client):
        prepare(chosen, client, list(records(150)), engine.url)
    family, semantics = chosen.FAMILY, filters(chosen.NAME).SEMANTICS

    def run(*words: str, code: int = 0) -> str:
        assert run_command(root, ["query", engine.url, "--namespace", NAMESPACES[0], *TYPES, *words]) == code
        said = capsys.readouterr()
        return said.out if code == 0 else said.err

    def answer(*words: str) -> Any:
        data = json.loads(run(*words, "--output", "json"))
        jsonschema.validate(data, SCHEMA)
        return data

    def wanted(given: str) -> list[str]:
        return [r.run_id for r in evaluate.listing(check.parse(given, scope_for(family)), SAMPLE, semantics)]

    _pages(answer, run, wanted)
    _counts(answer, run, wanted, tmp_path)
    if family is Family.ELASTICSEARCH:
        _whole_seconds(answer)
    _explains(answer, run)
    with journeys.opened(engine.url) as (chosen, client):
        _strange_statuses(chosen, client, answer, run)
    _mistakes(run)


def _pages(answer: Callable[..., Any], run: Callable[..., str], wanted: Callable[[str], list[str]]) -> None:
    """Every record once, whatever is printed: as JSON, and as a table that names the next token."""
    got: list[str] = []
    token: list[str] = []
    while True:
        page = answer("ExecutionStatus != 'Failed'", "--limit", "30", *token)
        got += [each["run_id"] for each in page["executions"]]
        if page["next_page_token"] is None:
            break
        token = ["--page-token", page["next_page_token"]]
    assert got == wanted("ExecutionStatus != 'Failed'")
    assert len(got) > 60
    text = run("ExecutionStatus != 'Failed'", "--limit", "30")
    assert text.splitlines()[0].split()[:3] == ["STATUS", "START", "CLOSE"]
    assert len(text.split("\n\nMore: ")[0].splitlines()) == 31
    again = text.rstrip().rpartition("--page-token ")[2]
    following = answer("ExecutionStatus != 'Failed'", "--limit", "30", "--page-token", again)
    assert [each["run_id"] for each in following["executions"]] == got[30:60]
    assert run("WorkflowId = 'nobody'") == "No executions.\n"


def _counts(
    answer: Callable[..., Any], run: Callable[..., str], wanted: Callable[[str], list[str]], tmp_path: Path
) -> None:
    every = len(wanted(""))
    assert answer("--count") == {"count": every}
    assert run("--count").strip() == str(every)
    grouped = answer("GROUP BY ExecutionStatus", "--count")
    assert grouped["count"] == every
    assert {g["value"]: g["count"] for g in grouped["groups"]} == {
        name: number for name in STATUS_NAMES.values() if (number := len(wanted(f"ExecutionStatus = '{name}'")))
    }
    assert run("GROUP BY ExecutionStatus", "--count").split()[:2] == ["COUNT", "ExecutionStatus"]
    named = len(wanted("Keyword01 = 'a'"))
    file = tmp_path / "aliases.yaml"
    file.write_text("Customer: Keyword01\nother: Int01\n")
    assert answer("Customer = 'a'", "--count", "--alias", "Customer=Keyword01") == {"count": named}
    assert answer("Customer = 'a'", "--count", "--aliases", str(file)) == {"count": named}
    exact = sum(r.attributes.get("Keyword01") == "a" for r in SAMPLE if "TemporalNamespaceDivision" not in r.attributes)
    assert answer("Keyword01 = 'a'", "--count", "--semantics", COMMON.name) == {"count": exact}


def _whole_seconds(answer: Callable[..., Any]) -> None:
    """Temporal's server asks without a fraction where there is none, and a search engine takes that for the second."""
    starts = [r.start_time for r in SAMPLE if "TemporalNamespaceDivision" not in r.attributes]
    second = next(start // SECOND for start in starts if start % SECOND)
    inside, later = (sum(op(s // SECOND, second) for s in starts) for op in (operator.eq, operator.gt))
    for compared, number in (("=", inside), (">", later), ("<=", len(starts) - later)):
        given = f"StartTime {compared} '{rfc3339(second * SECOND)}'"
        assert answer(given, "--count") == {"count": number}
        assert answer(given, "--count", "--semantics", COMMON.name) != {"count": number}


def _strange_statuses(engine: Engine, client: Client, answer: Callable[..., Any], run: Callable[..., str]) -> None:
    """0 is what conversions write for a status they do not know; Temporal calls it so."""
    known = len(answer("GROUP BY ExecutionStatus", "--count")["groups"])
    for _ in client.write(definition(), [replace(SAMPLE[0], run_id="strange", status=0, version=10**6)]):
        pass
    groups = answer("GROUP BY ExecutionStatus", "--count")["groups"]
    assert ({"value": "Unspecified", "count": 1} in groups, len(groups)) == (True, known + 1)
    assert "Unspecified" in run("GROUP BY ExecutionStatus", "--count")
    assert answer("RunId = 'strange'")["executions"][0]["status"] == "Unspecified"
    assert run("RunId = 'strange'").splitlines()[1].split()[0] == "Unspecified"


def _explains(answer: Callable[..., Any], run: Callable[..., str]) -> None:
    for words in ((), ("--count",)):
        shown = answer("Int01 = 987654", "--explain", *words)
        assert shown["plan"]
        assert (
            "987654" not in shown["statement"] if isinstance(shown["statement"], str) else "body" in shown["statement"]
        )
    assert run("Int01 = 987654", "--explain").count("\n") >= 3


def _mistakes(run: Callable[..., str]) -> None:
    wrong = run("StartTme > 5", code=2)
    assert "TV7004" in wrong
    assert "^^^^^^^^" in wrong
    assert "Did you mean StartTime?" in wrong
    assert "TV7005" in run("Int01 = 1 ORDER BY Int01", code=2)
    assert "TV7009" in run("GROUP BY ExecutionStatus", code=2)
    assert "TV7012" in run("Int01 = 1", "--page-token", "nonsense", code=2)
    assert "TV7014" in run("a = 1", "--alias", "a=Nothing", code=2)
    assert "TV7015" in run("--count", "--page-token", "x", code=2)
    for option in ("--namespace", "--division"):
        assert "no UTF-8 text" in run(option, "\udcff", code=2)


def test_a_note_when_no_index_serves_the_filter(sqlite: EmbeddedHandle, capsys: pytest.CaptureFixture[str]) -> None:
    with journeys.opened(sqlite.url) as (chosen, client):
        prepare(chosen, client, list(records(150)), sqlite.url)

    def explained(given: str) -> str:
        words = ["query", sqlite.url, "--namespace", NAMESPACES[0], given, "--explain"]
        assert run_command(root, words) == 0
        return capsys.readouterr().out

    assert "Note: No index serves this filter (ExternalPayloadCount)" in explained("ExternalPayloadCount = 2")
    assert "Note" not in explained("WorkflowId = 'order-1'")
    # An index that somebody has dropped makes a store slow, and keeps nobody from asking it; a column does.
    with sqlite3.connect(urlsplit(sqlite.url).path.removeprefix("/")) as connection:
        connection.execute("DROP INDEX by_int_01")
        assert "Note: No index serves this filter (Int01)" in explained("Int01 = 2")
        connection.execute("ALTER TABLE executions_visibility RENAME COLUMN Int01 TO int_one")
    assert run_command(root, ["query", sqlite.url, "--namespace", NAMESPACES[0]]) == 1
    assert "TV4101" in capsys.readouterr().err
