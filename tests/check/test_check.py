"""`schema check`: versions, live stores, two stores, saved filters, counted values, and every form of the answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

import toolkit
from tests.compat.test_moves import record
from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.command import temporal_visibility
from tests.support.search_store import ask, name_of
from toolkit import check
from toolkit.attributes import AttributeType, FieldType
from toolkit.catalog import Catalog
from toolkit.check import Severity, World, findings
from toolkit.cli.hook import arguments
from toolkit.definition import Definition, Field
from toolkit.engines import ENGINES, engine
from toolkit.engines.asking import with_own
from toolkit.errors import UsageError, VersionError
from toolkit.versions import chain, find

SARIF = json.loads(Path(__file__).with_name("sarif.json").read_text())
FILTERS = """\
# what the dashboard asks
failed: ExecutionStatus = 'Failed' AND StartTime > '2026-01-01T00:00:00Z'
paused: TemporalPauseInfo = 'Activity:x'
case: Customer = 'Abc'
typo: StartTme > 5
"""


def retyped(kind: AttributeType, version: str = "1.14") -> Definition:
    """A version in which Keyword01 is of another type."""
    known = find(version)
    changed = tuple(replace(a, type=kind) if a.name == "Keyword01" else a for a in known.attributes)
    return replace(known, attributes=changed)


def test_published_versions_lose_nothing_on_the_way_up() -> None:
    for name in ENGINES:
        for before, after in zip(chain(), chain()[1:], strict=False):
            worst = check.at_least(check.versions(engine(name), before, after), Severity.LOSSY)
            assert worst == (), (name, after.version)


def test_a_change_of_type_is_judged_by_the_engines_table() -> None:
    found = {
        name: [
            f for f in check.versions(engine(name), find("1.14"), retyped(AttributeType.INT)) if "Keyword01" in f.about
        ]
        for name in ("postgresql", "mysql", "sqlite", "clickhouse")
    }
    assert {name: [(f.code, f.severity) for f in each] for name, each in found.items()} == {
        "postgresql": [("TV8025", Severity.REFUSED)],
        "mysql": [("TV8011", Severity.REFUSED)],
        "sqlite": [("TV8026", Severity.LOSSY)],
        "clickhouse": [("TV8011", Severity.LOSSY)],
    }


def test_every_kind_of_change_is_found() -> None:
    known, sql = find("1.14"), engine("postgresql")

    def codes(after: Definition) -> list[tuple[str, str]]:
        return [(f.code, f.about) for f in check.versions(sql, known, after)]

    without = tuple(a for a in known.attributes if a.name != "Int01")
    assert codes(replace(known, attributes=without)) == [("TV8101", "Int01")]
    plain = tuple(replace(a, index=None) if a.name == "Int01" else a for a in known.attributes)
    assert codes(replace(known, attributes=plain)) == [("TV8102", "by_int_01")]
    moved = tuple(replace(a, name="Number", renamed_from="Int01") if a.name == "Int01" else a for a in known.attributes)
    assert ("TV8103", "Number") in codes(replace(known, attributes=moved))
    required = tuple(replace(f, required=True) if f.name == "HistoryLength" else f for f in known.fields)
    assert codes(replace(known, fields=required)) == [("TV8104", "HistoryLength")]
    new = Field("Extra", FieldType.INT, required=True)
    assert codes(replace(known, fields=(*known.fields, new))) == [("TV8104", "Extra")]
    assert codes(replace(known, fields=(*known.fields, replace(new, default=0)))) == []
    assert check.versions(sql, known, known) == ()


def test_a_store_that_equals_no_version_is_compared_part_by_part(sqlite: EmbeddedHandle) -> None:
    import sqlite3

    with journeys.opened(sqlite.url) as (chosen, client):
        journeys.upgrade(chosen, client, find("1.14"))
        with sqlite3.connect(sqlite.url.removeprefix("sqlite:///")) as connection:
            connection.execute("DROP INDEX by_int_01")
        connection.close()
    with journeys.opened(sqlite.url) as (chosen, client):
        live = check.observe(chosen, client)
        assert live.definition is None
        [found] = check.store(live, find("1.14"))
        assert (found.code, found.severity) == ("TV8106", Severity.METADATA)
        assert "by_int_01" in found.about


def test_saved_filters_by_line_and_by_name(tmp_path: Path) -> None:
    lines = tmp_path / "filters.txt"
    lines.write_text("# comment\n\nWorkflowId = 'a'\n  StartTme > 5\n")
    assert [(s.name, s.text, s.place.line) for s in check.read(lines)] == [
        ("line 3", "WorkflowId = 'a'", 3), ("line 4", "StartTme > 5", 4),
    ]  # fmt: skip
    named = tmp_path / "filters.yaml"
    named.write_text(FILTERS)
    saved = check.read(named)
    assert [(s.name, s.place.line) for s in saved] == [("failed", 2), ("paused", 3), ("case", 4), ("typo", 5)]
    aliases = {"Customer": "Keyword01"}
    sql, my, es = (engine(n) for n in ("postgresql", "mysql", "elasticsearch"))
    new, old = find("1.14"), find("1.6")

    def codes(before: World | None, after: World) -> list[tuple[str, str]]:
        return [(f.about, f.code) for f in check.filters(saved, before, after)]

    assert codes(None, World(sql, new, aliases)) == [("typo", "TV8120")]
    assert codes(World(sql, new, aliases), World(sql, old, aliases)) == [("paused", "TV8120"), ("typo", "TV8121")]
    assert codes(World(sql, new, aliases), World(my, new, aliases)) == [("case", "TV8030"), ("typo", "TV8121")]
    common = [World(each, new, aliases, "common") for each in (sql, my)]
    assert codes(*common) == [("typo", "TV8121")]
    assert ("failed", "TV8120") not in codes(World(sql, new), World(es, new))
    unindexed = replace(new, attributes=tuple(replace(a, index=None) for a in new.attributes))
    assert codes(World(sql, new, aliases), World(sql, unindexed, aliases)) == [
        ("paused", "TV8122"), ("case", "TV8122"), ("typo", "TV8121"),
    ]  # fmt: skip
    retyped_world = World(sql, retyped(AttributeType.KEYWORD_LIST), aliases)
    assert ("case", "TV8124") in codes(World(sql, new, aliases), retyped_world)
    with pytest.raises(UsageError):
        check.read(tmp_path / "nothing.txt")


def test_aliases_where_attributes_have_the_names_themselves() -> None:
    """On a search engine no alias is needed, and what it stands for elsewhere need not be there."""
    aliases = {"Customer": "Keyword01", "Tags": "KeywordList01"}
    place = check.Place("f.txt", 1)
    saved = [check.Saved(text, text, place) for text in ("Customer = '7'", "Tags = '7'", "Tags STARTS_WITH '7'")]
    new, old = find("1.14"), find("1.1")
    sql, es = engine("postgresql"), engine("elasticsearch")
    mapping = Catalog("elasticsearch", {"properties": {name: {"type": "keyword"} for name in aliases}})
    own = with_own(new, es.FAMILY, mapping, {})[0]

    def codes(before: World | None, after: World) -> list[tuple[str, str]]:
        return [(f.about, f.code) for f in check.filters(saved, before, after)]

    wrong = ("Tags STARTS_WITH '7'", "TV8120")
    there = (World(es, new, aliases), World(es, own, aliases, seen=True))
    for world in (World(sql, new, aliases), *there):
        assert codes(None, world) == [wrong]
        assert codes(World(sql, new, aliases), world) == [(wrong[0], "TV8121")]
        assert codes(world, World(sql, new, aliases)) == [(wrong[0], "TV8121")]
    assert codes(World(sql, old, aliases), World(sql, new, aliases)) == [(wrong[0], "TV8121")]
    lacking = World(es, new, aliases, seen=True)
    assert codes(World(sql, new, aliases), lacking)[:2] == [("Customer = '7'", "TV8120"), ("Tags = '7'", "TV8120")]
    with pytest.raises(UsageError) as refused:
        codes(World(sql, new), World(es, new, {"Customer": "Nothing"}))
    assert refused.value.code == "TV7014"
    assert "version 1.14 on postgresql or version 1.14 on elasticsearch" in refused.value.message


@pytest.mark.needs("scaled_float")  # the newest version
def test_saved_filters_of_a_search_engine(elasticsearch: Handle, sqlite: EmbeddedHandle, tmp_path: Path) -> None:
    """`Customer` is an attribute of its own there, and a field with an alias in the other store."""
    for url in (elasticsearch.url, sqlite.url):
        with journeys.opened(url) as (chosen, client):
            journeys.upgrade(chosen, client, find("1.14"))
    ask(elasticsearch, "PUT", f"/{name_of(elasticsearch)}/_mapping", {"properties": {"Customer": {"type": "keyword"}}})
    path = tmp_path / "list-filters.txt"
    path.write_text("Customer = '7'\nClient = '7'\n")
    aliases = ("--alias", "Customer=Keyword01", "--alias", "Client=Keyword02")

    def found(*words: str) -> list[tuple[int, str]]:
        ran = temporal_visibility("schema", "check", *words, "--queries", str(path), *aliases, "--output", "json")
        return [(f["place"]["line"], f["code"]) for f in ran.json("schema-check")["findings"] if f["place"]]

    assert found("--to", "1.14") == []
    assert found("--from", "1.1", "--to", "1.14", "--engine", "postgresql") == []
    assert found(elasticsearch.url, "--to", "1.14") == [(2, "TV8121")]
    assert found(sqlite.url, elasticsearch.url) == [(2, "TV8120")]
    assert found(elasticsearch.url, sqlite.url) == []


def test_the_place_in_a_filter_is_its_column(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    path.write_text("WorkflowId = 'a' AND StartTme > 5\n \t StartTme > 5 \n")
    found = check.filters(check.read(path), None, World(engine("sqlite"), find("1.14")))
    assert [each.place for each in found] == [check.Place(str(path), 1, 22), check.Place(str(path), 2, 4)]
    path.write_bytes("\ufeffWorkflowId = 'a\u2028\x0cb'\r\nStartTme > 5\n".encode())
    found = check.filters(check.read(path), None, World(engine("sqlite"), find("1.14")))
    assert [each.place for each in found] == [check.Place(str(path), 2, 1)]


def test_a_store_counts_what_a_change_would_spoil(sqlite: EmbeddedHandle) -> None:
    with journeys.opened(sqlite.url) as (chosen, client):
        journeys.upgrade(chosen, client, find("1.14"))
        empty = check.observe(chosen, client)
        found = check.versions(chosen, find("1.14"), retyped(AttributeType.KEYWORD_LIST))
        assert [f for f in check.count(empty, client, found) if f.severity is not Severity.LOSSY] == []
        values = ["7", "8", "plain\n\x1b[31m", "x" * 100, "9"]
        written = [record(AttributeType.KEYWORD, str(n), value) for n, value in enumerate(values)]
        for _ in client.write(find("1.14"), written):
            pass
        live = check.observe(chosen, client)
        found = check.versions(chosen, find("1.14"), retyped(AttributeType.INT))
        [counted] = [f for f in check.count(live, client, found, check.Gentle(2, 0.0)) if f.suspect]
        assert counted.counted == check.Counted(2, 5, ("plain\n\x1b[31m", "x" * 60))
        assert f"such as plain\ufffd\ufffd[31m, {'x' * 60}" in check.sentence(counted)
        assert counted.severity is Severity.LOSSY
        harmless = check.versions(chosen, find("1.14"), retyped(AttributeType.KEYWORD_LIST))
        [none] = [f for f in check.count(live, client, harmless, check.Gentle(2, 0.0)) if f.suspect]
        assert none.counted == check.Counted(0, 5, ())
        assert none.severity is Severity.REINDEX


def test_from_store_to_store(sqlite: EmbeddedHandle, chdb: EmbeddedHandle) -> None:
    with journeys.opened(sqlite.url) as (one, client), journeys.opened(chdb.url) as (other, target):
        journeys.upgrade(one, client, find("1.14"))
        journeys.upgrade(other, target, find("1.13"))
        found = check.stores(check.observe(one, client), check.observe(other, target))
        codes = {f.code for f in found}
        assert {"TV8109", "TV8030", "TV8031", "TV8032"} <= codes
        assert {f.about for f in found if f.code == "TV8109"} == {
            "TemporalExternalPayloadSizeBytes", "TemporalExternalPayloadCount",
        }  # fmt: skip
        with pytest.raises(VersionError):
            check.store(check.observe(other, target), find("1.5"))


def test_the_command(sqlite: EmbeddedHandle, tmp_path: Path) -> None:
    with journeys.opened(sqlite.url) as (chosen, client):
        journeys.upgrade(chosen, client, find("1.14"))
    path = tmp_path / "list-filters.yaml"
    path.write_text(FILTERS)
    asked = ("schema", "check", sqlite.url, "--queries", str(path), "--alias", "Customer=Keyword01")
    ran = temporal_visibility(*asked, "--output", "json")
    data = ran.json("schema-check")
    assert (ran.code, data["filters"], data["failed"]) == (3, 4, 1)
    assert [(f["about"], f["code"], f["place"]["line"]) for f in data["findings"]] == [("typo", "TV8121", 5)]
    assert "TV8113" in ran.err

    text = temporal_visibility(*asked)
    assert text.code == 3
    assert "Did you mean StartTime?" in text.out
    assert "4 filters checked; 1 finding." in text.out

    github = temporal_visibility(*asked, "--output", "github")
    assert github.out.startswith(f"::error file={path},line=5,title=TV8121 refused::typo on sqlite: ")
    assert len(github.out.splitlines()) == 1

    sarif = temporal_visibility(*asked, "--output", "sarif")
    answer = json.loads(sarif.out)
    jsonschema.validate(answer, SARIF)
    [result] = answer["runs"][0]["results"]
    assert answer["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "TV8121"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 5}

    down = temporal_visibility("schema", "check", sqlite.url, "--to", "1.13", "--data", sqlite.url, "--output", "json")
    assert {f["code"] for f in down.json("schema-check")["findings"]} == {"TV8101"}
    assert down.code == 3
    assert temporal_visibility("schema", "check", sqlite.url, "--to", "1.14").code == 0
    up = temporal_visibility("schema", "check", "--from", "1.9", "--to", "1.14", "--fail-on", "metadata")
    assert (up.code, up.out) == (0, "nothing is lost.\n")
    assert temporal_visibility("schema", "check", sqlite.url, "--from", "1.9").code == 2
    assert "TV8112" in temporal_visibility("schema", "check", sqlite.url, sqlite.url, "--to", "1.9").err
    assert temporal_visibility("schema", "check", "--from", "9.9").code == 2
    assert "TV8114" in temporal_visibility("schema", "check", "--to", "1.14", "--data", sqlite.url).err
    # As `--config <(…)` of a shell: what can be read once.
    read, written = os.pipe()
    with open(written, "w") as stream:
        stream.write(f"stores: {{a: {{url: '{sqlite.url}'}}, b: {{url: '{sqlite.url}'}}}}")
    assert temporal_visibility("schema", "check", "a", "b", "--data", "b", "--config", f"/dev/fd/{read}").code == 0
    os.close(read)


def test_the_hook_passes_its_files_on(tmp_path: Path) -> None:
    assert arguments(["--to", "1.14", "a.yaml", "b.txt"]) == [
        "schema", "check", "--to", "1.14", "--queries", "a.yaml", "--queries", "b.txt",
    ]  # fmt: skip
    assert arguments(["a.yaml"]) == ["schema", "check", "--queries", "a.yaml"]
    assert arguments(["--fail-on=metadata", "a.yaml"]) == [
        "schema",
        "check",
        "--fail-on=metadata",
        "--queries",
        "a.yaml",
    ]
    hooks = (Path(__file__).resolve().parent.parent.parent / ".pre-commit-hooks.yaml").read_text()
    assert "python -m toolkit.cli.hook" in hooks
    (tmp_path / "q.txt").write_text("WorkflowId = 'a'\n")
    full = f"{sys.executable} -m toolkit.cli.hook --engine sqlite {tmp_path}/q.txt > /dev/full"
    done = subprocess.run(["sh", "-c", full], cwd=Path(toolkit.__file__).parent.parent, capture_output=True, text=True)
    assert (done.returncode, done.stderr.startswith("Error TV2043")) == (1, True), done


def test_an_overlay_lies_over_both_versions(tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text("Keyword20 = 'x'\n")
    (tmp_path / "overlay.yaml").write_text("preallocated: {Keyword: 20}\n")
    asked = ("schema", "check", "--engine", "postgresql", "--queries", f"{tmp_path}/q.txt", "--output", "json")
    overlay = ("--overlay", f"{tmp_path}/overlay.yaml")
    assert [f["code"] for f in temporal_visibility(*asked, "--from", "1.9").json("schema-check")["findings"]] == [
        "TV8121"
    ]
    for words in ((), ("--from", "1.9")):
        ran = temporal_visibility(*asked, *words, *overlay)
        assert (ran.code, ran.json("schema-check")["findings"]) == (0, []), ran
    ran = temporal_visibility("schema", "check", "sqlite:///none.db", *overlay)
    assert (ran.code, "TV8112" in ran.err) == (2, True)


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    """File names and filters of strangers end in logs that act on what they read."""
    place = check.Place("a,b:c%\n::error::x.yaml", 1)
    found = findings.Finding("TV8120", Severity.REFUSED, "x\n::set-output name=a::b", "m", place=place)
    [line] = check.github([found])
    assert "\n" not in line
    assert line.count("::error") == 1
    assert "\n" not in check.sentence(found)
    jsonschema.validate(check.sarif([found]), SARIF)
    named = replace(found, place=check.Place("my filters/#1 100% \udcff.txt", 1))
    answer = check.sarif([named])
    jsonschema.validate(answer, SARIF)
    assert '"uri": "my%20filters/%231%20100%25%20%FF.txt"' in json.dumps(answer)
