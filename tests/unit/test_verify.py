"""Reports of upgrade paths, and `schema verify-paths` as a user meets it, on embedded engines."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.engines.processes import wait_until
from tests.support.command import here, temporal_visibility
from toolkit.catalog import Catalog
from toolkit.cli import verify_paths
from toolkit.engines import ENGINES, engine
from toolkit.plan import StepClass
from toolkit.routes import published
from toolkit.verify import containers, report
from toolkit.verify.evidence import Check, Disk, Evidence, Felt, Finding, StepTaken, UpgradePath, passed
from toolkit.verify.paths import chosen, paths, retyped
from toolkit.versions import chain, find

FULL_TEXT_PARTS = ("_data", "_idx", "_docsize", "_config", "_content")
PATH = UpgradePath("postgresql", "1.9", find("1.9"), "1.9", find("1.14"))
GOOD = Evidence(
    PATH, "PostgreSQL 15.18", 100, 12.5, (StepTaken("Swap | now", StepClass.REBUILD, "ACCESS EXCLUSIVE", "all", 0.02),),
    Felt(400, 1, 0.061, 0.002, 0), Disk(1024, 5 * 2**20, 2**21), 0.02, tuple(Check), (), "rollback",
)  # fmt: skip
BAD = replace(GOOD, findings=(Finding(Check.RECORDS, "TV8203", "3 records lost,\n50% of <all> \x07"),))


def test_a_page_for_a_stranger() -> None:
    page = "\n".join(report.markdown([GOOD, BAD]))
    assert "**1 failed.**" in page
    for words in ("longest lock", "at most", "61 ms", "20 ms", "5.0 MiB", "Way back: rollback", "TV8203", "1 findings"):
        assert words in page, words
    assert "Swap \\| now" in page
    assert "None could be walked" in "\n".join(report.markdown([]))
    assert not passed([])


def test_junit() -> None:
    root = ElementTree.fromstring(report.junit([GOOD, BAD]).encode())
    (suite,) = root
    assert suite.attrib["tests"] == str(2 * len(Check))
    assert suite.attrib["failures"] == "1"
    (failure,) = root.iter("failure")
    assert failure.attrib["type"] == "TV8203"


def test_annotations_are_one_line_each() -> None:
    (notice,), (error,) = list(report.github([GOOD])), list(report.github([BAD]))
    assert notice.startswith("::notice title=postgresql 1.9 -> 1.14::")
    assert "\n" not in error
    assert "%0A50%25 of" in error


@pytest.mark.parametrize("name", list(ENGINES))
def test_paths_begin_at_every_published_schema(name: str) -> None:
    known = engine(name)
    found = paths(known, chain(), published().routes, chain()[-1])
    labels = {known.label(d) for d in chain()[:-1] if known.supports(d)}
    assert labels <= {path.start for path in found}
    assert all(path.definition.version != chain()[-1].version for path in found)
    assert paths(known, chain(), published().routes, chain()[0]) == ()


def test_paths_begin_at_every_route() -> None:
    """The two ways PostgreSQL had to 1.10 to 1.12, MySQL's defect, SQLite's files by server, the template of v9."""
    newest = chain()[-1]
    starts = {(name, path.start) for name in ENGINES
              for path in paths(engine(name), chain(), published().routes, newest)}  # fmt: skip
    routes = {(route.engine, route.name) for route in published().routes if route.like != newest.version}
    assert routes <= starts
    assert {("postgresql", "1.11-combined"), ("mysql", "1.3-v1.21.0"), ("sqlite", "v1.15.0"), ("elasticsearch", "v9"),
            ("elasticsearch", "v9-template")} <= starts  # fmt: skip
    bare = [p.start for p in paths(engine("mysql"), chain(), published().routes, newest) if p.bare and p.deviation]
    assert bare == ["1.3-v1.21.0"]


def test_what_has_another_type_is_seen() -> None:
    old = Catalog("elasticsearch", {"properties": {"a": {"type": "long"}, "b": {"type": "keyword"}}})
    new = Catalog(
        "elasticsearch", {"properties": {"a": {"type": "date"}, "b": {"type": "keyword"}, "c": {"type": "x"}}}
    )
    assert retyped(old, new) == ("a",)


def test_the_command(tmp_path: Path) -> None:
    page, junit = tmp_path / "paths.md", tmp_path / "paths.xml"
    ran = temporal_visibility(
        "schema", "verify-paths", "--engine", "sqlite", "--from", "1.13", "--rows", "50", "--output", "json",
        "--markdown", str(page), "--junit", str(junit),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (path,) = ran.json("schema-verify-paths")["paths"]
    assert (path["from"], path["passed"], path["rows"]) == ("1.13", True, 50)
    assert f"sqlite 1.13 -> {chain()[-1].version}" in page.read_text()
    ElementTree.fromstring(junit.read_text().encode())
    ran = temporal_visibility(
        "schema", "verify-paths", "--engine", "sqlite", "--from", "1.13", "--rows", "0", "--output", "github"
    )
    assert ran.out.startswith(f"::notice title=sqlite 1.13 -> {chain()[-1].version}::")


def test_a_stopped_job_leaves_nothing(tmp_path: Path) -> None:
    """CI servers send SIGTERM; on a server of the user's, a throwaway database would stay."""
    words = (sys.executable, "-m", "toolkit", "schema", "verify-paths", "--engine", "sqlite", "--from", "1.13")
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment) as walking:
        assert walking.stderr is not None
        assert "1.13" in walking.stderr.readline()
        assert list(tmp_path.iterdir())
        walking.terminate()
        walking.communicate()
    assert (walking.returncode, list(tmp_path.iterdir())) == (130, [])


def test_a_stopped_job_leaves_no_container(tmp_path: Path) -> None:
    """Docker may have made it before it says its name: it is removed by one of our own."""
    docker, said = tmp_path / "docker", tmp_path / "said"
    docker.write_text(f'#!/bin/sh\necho "$@" >> {said}\n[ "$1" != run ] || exec sleep 60\n')
    docker.chmod(0o755)
    words = (sys.executable, "-m", "toolkit", "schema", "verify-paths", "--engine", "postgresql", "--containers")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment) as walking:
        wait_until(lambda: said.exists() and said.read_text().endswith("\n"), 60, "docker run")
        walking.terminate()
        walking.communicate()
    run, removed = said.read_text().splitlines()
    name = run.partition("--name ")[2].split()[0]
    assert (walking.returncode, removed) == (130, f"rm --force --volumes {name}")


def test_what_was_walked_is_told_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there is no store for the paths that come after it, and the files cannot be written."""
    page = tmp_path / "paths.md"
    walk = ("schema", "verify-paths", "--engine", "sqlite", "--from", "1.13", "--rows", "5", "--output", "json")
    ran = here(*walk, "--on", "mysql://u:s3cret@127.0.0.1:1/x", "--markdown", str(tmp_path / "none" / "paths.md"))
    assert (ran.code, "TV2042" in ran.out, "[1/" in ran.err) == (2, True, False)
    made = verify_paths._places
    monkeypatch.setattr(verify_paths, "_places", lambda *given: made(*given)[::-1])
    ran = here(*walk, "--on", "mysql://u:s3cret@127.0.0.1:1/x", "--markdown", str(page))
    sqlite, mysql = ran.json("schema-verify-paths")["paths"]
    assert (ran.code, sqlite["passed"], [f["code"] for f in mysql["findings"]]) == (3, True, ["TV4001"])
    assert ("TV4001" in page.read_text(), "s3cret" in page.read_text() + ran.out + ran.err) == (True, False)


def test_a_stopped_walk_tells_what_it_has_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, walked = tmp_path / "paths.md", iter([GOOD])

    def walk_on(*_: object) -> Evidence:
        try:
            return next(walked)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(verify_paths, "walk_on", walk_on)
    ran = here("schema", "verify-paths", "--engine", "sqlite", "--output", "json", "--markdown", str(page))
    done, left = ran.json("schema-verify-paths")["paths"]
    assert (ran.code, done["passed"], [f["code"] for f in left["findings"]]) == (130, True, ["TV5108"])
    assert "**1 failed.**" in page.read_text()


def test_from_a_dump(tmp_path: Path) -> None:
    store, dump = tmp_path / "mine.db", tmp_path / "dump.sql"
    url = f"sqlite:///{store}"
    assert temporal_visibility("schema", "upgrade", url, "--to", "1.8", "--yes").code == 0
    assert temporal_visibility("sample", url, "--rows", "30").code == 0
    with sqlite3.connect(store) as connection:
        made = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    # As `.schema` prints it: SQLite makes the tables behind a full-text table itself.
    dump.write_text("".join(f"{sql};\n" for name, sql in made if not name.endswith(FULL_TEXT_PARTS)))
    for source in (store, dump):
        before = store.read_bytes()
        ran = temporal_visibility("schema", "verify-paths", "--engine", "sqlite", "--dump", str(source), "--rows", "20",
                                  "--output", "json")  # fmt: skip
        (found,) = ran.json("schema-verify-paths")["paths"]
        assert store.read_bytes() == before
        assert (ran.code, found["findings"], found["from"]) == (0, [], f"1.8 ({source.name})")


@pytest.mark.parametrize(
    ("store", "start", "names"),
    [("elasticsearch", "1.9", ["v9"]), ("elasticsearch", "1.1", ["v1", "v2", "v3", "v4"]),
     ("elasticsearch", "v9-template", ["v9-template"]), ("postgresql", "1.12-combined", ["1.12-combined"]),
     ("mysql", "v9", ["1.8", "1.9"])],
)  # fmt: skip
def test_a_version_and_its_labels_are_one_start(store: str, start: str, names: list[str]) -> None:
    found = paths(engine(store), chain(), published().routes, chain()[-1])
    assert [path.start for path in chosen(store, found, (start,), chain())] == names


def refused(words: tuple[str, ...], code: str, exit_code: int, **env: str) -> None:
    ran = temporal_visibility("schema", "verify-paths", *words, env=env)
    assert (ran.code, code in ran.err) == (exit_code, True), ran


def test_wrong_words(tmp_path: Path) -> None:
    refused(("--engine", "mysql"), "TV2081", 2)
    refused(("--from", "9.9"), "TV2080", 2)
    # Said before the first engine's paths are walked.
    ran = temporal_visibility("schema", "verify-paths", "--from", "1.8")
    assert (ran.code, "no path on clickhouse begins at '1.8'" in ran.err, "[1/1]" in ran.err) == (2, True, False)
    refused(("--image", "oracle=x"), "TV2082", 2)
    refused(("--engine", "sqlite", "--containers"), "TV2082", 2)
    refused(("--dump", str(tmp_path / "none.db")), "TV2084", 2)
    refused(("--engine", "sqlite", "--dump", str(tmp_path / "none.db")), "TV2083", 2)
    refused(("--on", "postgresql://u:secret@127.0.0.1:1/x"), "TV4001", 1)
    refused(("--engine", "mysql", "--containers"), "TV8209", 1, PATH=str(tmp_path))


def test_images() -> None:
    assert containers.images(("postgresql=reg.example.com/postgres:16",)) == {
        "postgresql": "reg.example.com/postgres:16"
    }
    assert set(containers.IMAGES) < set(ENGINES)
