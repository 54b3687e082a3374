"""What was released stays as it was, a version has its changelog entry, and `schema new` makes what CI asks for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import Ran
from toolkit.changelog import unexplained, unwritten, with_entry
from toolkit.cli.new import search_label
from toolkit.errors import UsageError
from toolkit.history import changed, past
from toolkit.versions import CHECKSUMS, checksum_lines, recorded_lines

ROOT = Path(__file__).resolve().parent.parent.parent
IDENTITY = ("-c", "user.name=tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout whose files may be changed, with everything committed."""
    for name in ("schema", "toolkit"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "CHANGELOG.md", tmp_path)
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *IDENTITY, *words], check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "As released")


def command(folder: Path, *words: str) -> Ran:
    """The command of that checkout."""
    ran = subprocess.run(
        [sys.executable, "-m", "toolkit", "schema", *words],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def sums_made_anew(folder: Path) -> None:
    """Checksums as if all that is there now had been released."""
    names = [line.partition("  ")[2] for line in recorded_lines(folder)]
    lines = checksum_lines((name, (folder / name).read_bytes()) for name in names)
    (folder / CHECKSUMS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_generator_that_writes_old_files_otherwise_is_seen(clone: Path) -> None:
    """The files are current and their checksums fit; only what was released tells. What is no text is stale."""
    for name in (CHECKSUMS, "lineage.json"):
        (clone / "schema" / name).write_bytes((clone / "schema" / name).read_bytes() + b"\xff")
    replace(clone / "toolkit" / "generate.py", "Generated from schema/versions;", "Made from schema/versions;")
    assert command(clone, "generate").code == 0
    assert command(clone, "generate", "--check").code == 0
    ran = command(clone, "generate", "--check", "--against", "HEAD", "--output", "json")
    versions = sorted(path.name for path in (clone / "schema" / "sql" / "versions").glob("*.py"))
    assert (ran.code, "TV6140" in ran.err) == (3, True)
    assert sorted(ran.json("schema-generate")["changed"]) == [f"sql/versions/{name}" for name in versions]
    said = command(clone, "generate", "--check", "--against", "HEAD", "--output", "github").out
    assert "::error file=schema/sql/versions/1_0.py,title=TV6140::" in said

    why = "- Changed after release: `schema/sql/versions/*`: a word of the first line"
    replace(clone / "CHANGELOG.md", "## Unreleased\n", f"## Unreleased\n\n{why}\n")
    assert command(clone, "generate", "--check", "--against", "HEAD").code == 0
    commit(clone)
    replace(clone / "toolkit" / "generate.py", "Made from schema/versions;", "Written from schema/versions;")
    assert command(clone, "generate").code == 0
    assert command(clone, "generate", "--check", "--against", "HEAD").code == 3, "the old line explains the old change"


def test_a_definition_is_never_changed(clone: Path) -> None:
    replace(clone / "schema" / "versions" / "1.3.yaml", 'servers: "1.21, 1.22"', 'servers: "1.21"')
    assert "TV0002" in command(clone, "generate", "--check").err
    sums_made_anew(clone / "schema")
    assert command(clone, "generate").code == 0
    why = "- Changed after release: `schema/*`: we wanted to"
    replace(clone / "CHANGELOG.md", "## Unreleased\n", f"## Unreleased\n\n{why}\n")
    assert command(clone, "generate", "--check").code == 0
    ran = command(clone, "generate", "--check", "--against", "HEAD")
    assert (ran.code, ran.out) == (3, "not what was released: versions/1.3.yaml\n")
    assert "a change needs a new version" in ran.err


@pytest.mark.parametrize(
    "name", ["sql/mysql/upgrade/1.9-1.10.sql", "elasticsearch/v3/mapping.json", "clickhouse/install/1.9.sql"]
)
def test_each_file_is_judged_for_itself(clone: Path, name: str) -> None:
    folder = clone / "schema"
    (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
    sums_made_anew(folder)
    assert changed(folder, past(folder, "HEAD")) == (name,)
    (folder / name).unlink()
    assert changed(folder, past(folder, "HEAD")) == (name,)


def test_the_list_of_published_schemas_only_grows(clone: Path) -> None:
    folder = clone / "schema"
    replace(folder / "lineage.json", '"note": "the path of BuildIds', '"note": "other words: the path of BuildIds')
    assert changed(folder, past(folder, "HEAD")) == ()
    replace(folder / "lineage.json", '"name": "1.11-combined"', '"name": "1.11-altogether"')
    assert changed(folder, past(folder, "HEAD")) == ("lineage.json",)
    (folder / "lineage.json").write_text("<<<<<<< HEAD\n")
    assert changed(folder, past(folder, "HEAD")) == ("lineage.json",)


def test_a_new_version_from_its_first_line_to_a_green_check(clone: Path) -> None:
    last = sorted((clone / "schema" / "versions").glob("*.yaml"), key=lambda p: int(p.stem.split(".")[1]))[-1].stem
    new = f"1.{int(last.split('.')[1]) + 1}"
    git(clone, "tag", "released")
    replace(clone / "schema" / "visibility.yaml", "    BuildIds:  ", "    Novelty: Keyword\n    BuildIds:  ")
    ran = command(clone, "new", new, "--summary", 'What is "new"\nbecomes \\x-able.', "--output", "json")
    assert ran.code == 0, ran.err
    written = ran.json("schema-new")["written"]
    assert {f"sql/postgresql/upgrade/{last}-{new}.sql", f"clickhouse/install/{new}.sql", "checksums.txt"} <= {*written}
    told = {name: (clone / "schema" / name).read_text() for name in written if name.endswith((".py", ".sql"))}
    assert [name for name, text in told.items() if "\nbecomes" in text] == [], "the end of a line ends a comment"
    compile(told[f"sql/versions/{new.replace('.', '_')}.py"], "revision", "exec")

    ran = command(clone, "generate", "--check", "--against", "released")
    assert (ran.code, ran.out) == (3, f"no entry in CHANGELOG.md: {new}\n")
    assert "TV6141" in ran.err
    begun = f"- Schema {new}: TODO"
    replace(clone / "CHANGELOG.md", begun, f"- Schema {new}: for everybody; instead of TODO")
    ran = command(clone, "generate", "--check", "--against", "released")
    assert (ran.code, ran.out) == (0, "All files are current.\n")
    again = command(clone, "new", new, "--summary", "Again.")
    assert (again.code, "TV2009" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("version", "label"), [("1.15", "v15"), ("1.20", "v20"), ("2.0", "v15"), ("1.14.1", "v15"), ("2.15", "v15")]
)
def test_a_new_version_has_a_label_of_its_own(version: str, label: str) -> None:
    assert search_label(version, [f"v{number}" for number in range(15)]) == label


def test_a_header_that_would_stay_is_not_frozen(clone: Path) -> None:
    working = clone / "schema" / "visibility.yaml"
    replace(working, "    BuildIds:  ", "    Novelty: Keyword\n    BuildIds:  ")
    head, _, rest = working.read_text(encoding="utf-8").partition("labels:")
    labels = 'labels: {sql: "1.14", elasticsearch: [v14], clickhouse: "1.14"}'
    working.write_text(f"{head}{labels}\n\nfields:{rest.partition('fields:')[2]}", encoding="utf-8")
    assert "TV2054" in command(clone, "new", "1.99", "--summary", "New.").err
    assert command(clone, "generate", "--check", "--against", "HEAD").out == "All files are current.\n"


def test_without_a_changelog_nothing_is_frozen(clone: Path) -> None:
    replace(clone / "schema" / "visibility.yaml", "    BuildIds:  ", "    Novelty: Keyword\n    BuildIds:  ")
    replace(clone / "CHANGELOG.md", "## Unreleased", "## Later")
    before = len(list((clone / "schema" / "versions").iterdir()))
    assert "TV2052" in command(clone, "new", "1.99", "--summary", "New.").err
    (clone / "CHANGELOG.md").unlink()
    assert "TV2053" in command(clone, "new", "1.99", "--summary", "New.").err
    assert len(list((clone / "schema" / "versions").iterdir())) == before


def test_what_git_cannot_tell(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    def code(folder: Path, ref: str) -> str:
        with pytest.raises(UsageError) as told:
            past(folder, ref)
        return told.value.code

    assert [code(clone / "schema", ref) for ref in ("nowhere", "--all", "HEAD:schema", "")] == ["TV2051"] * 4
    git(clone, "rm", "-q", "--cached", "schema/checksums.txt")
    git(clone, "commit", "-q", "-m", "Without")
    assert code(clone / "schema", "HEAD") == "TV2051"
    assert code(tmp_path_factory.mktemp("plain"), "HEAD") == "TV2050"
    assert command(clone, "generate", "--against", "HEAD").code == 2


def test_no_git_at_all(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(clone))
    with pytest.raises(UsageError, match="git cannot be asked") as told:
        past(clone / "schema", "HEAD")
    assert told.value.code == "TV2050"


def test_entries() -> None:
    text = "# Changelog\n\n## Unreleased\n\n## 0.1.0\n\n- Schema 1.0: First.\n"
    assert unwritten(text, ["1.0", "1.1"]) == ("1.1",)
    begun = with_entry(text, "1.1")
    assert begun == with_entry(begun, "1.1")
    assert unwritten(begun, ["1.0", "1.1"]) == ("1.1",)
    assert begun.startswith("# Changelog\n\n## Unreleased\n\n- Schema 1.1: TODO")
    assert begun.endswith(".\n\n## 0.1.0\n\n- Schema 1.0: First.\n")
    assert "\n- Schema 1.2: TODO: what it brings, who should upgrade, and what the upgrade costs.\n- Schema 1.1: " in (
        with_entry(begun, "1.2")
    )
    line = "- Changed after release: `schema/sql/mysql/*`: why\n"
    files = ("sql/mysql/install/1.0.sql", "sql/sqlite/install/1.0.sql", "versions/1.0.yaml")
    assert unexplained(files, line, "") == files[1:]
    assert unexplained(files, line, line) == files
    assert unexplained(files, "- Changed after release: `schema/*`:\n", "") == files, "it must say why"


def test_every_version_has_its_entry() -> None:
    names = [path.stem for path in (ROOT / "schema" / "versions").glob("*.yaml")]
    assert unwritten((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), names) == ()
