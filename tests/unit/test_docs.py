"""What the documentation shows is what the program prints; set UPDATE_GOLDEN to write the screens anew."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from toolkit import __version__

ROOT = Path(__file__).resolve().parent.parent.parent
URL = "sqlite:///visibility.db"
# SQLite's shell is not on every machine; what the pages ask of it is one statement.
SQLITE3 = """import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.executescript(sys.argv[2])
"""
CONFIGURATION = re.compile(r"```yaml\n(# temporal-visibility\.yaml\n.*?)```", re.DOTALL)
SCREEN = re.compile(r"```console\n(.*?)```", re.DOTALL)


def shell(command: str, folder: Path) -> str:
    """The standard output of `command`, with what differs between machines taken out. 3: differences were found."""
    tools = folder / "bin"
    if not tools.exists():
        tools.mkdir()
        (tools / "sqlite3").write_text(f"#!{sys.executable}\n{SQLITE3}")
        (tools / "sqlite3").chmod(0o755)
    path = os.pathsep.join([str(Path(sys.executable).parent), str(tools), os.environ["PATH"]])
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, "PATH": path}
    )
    assert done.returncode in (0, 3), done.stderr
    return re.sub(r"SQLite [\d.]+", "SQLite 3", done.stdout)


def settled(text: str) -> str:
    """`text` without what is measured anew each time: durations and the step with the longest, sizes, and the blanks
    that align them."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DATE", text)
    text = re.sub(r"(?:for )?(?:about )?(?:< 1 s|\d+ s|\d+ min|less than a second)\b", "T", text)
    text = re.sub(r"T \(step \d+\)", "T (step N)", text)
    return re.sub(r" {2,}", "  ", re.sub(r"[\d.]+ (?:kB|MB)\b", "N MB", text))


@pytest.mark.parametrize("page", ["README.md", "docs/plans.md", "docs/adopt.md", "docs/drift.md", "docs/overlays.md"])
def test_the_screens_of_a_page(page: str, tmp_path: Path) -> None:
    """All screens of a page, in their order, on one store, with the configuration file that the page shows."""
    file = ROOT / page
    for content in CONFIGURATION.findall(file.read_text(encoding="utf-8")):
        (tmp_path / "temporal-visibility.yaml").write_text(content, encoding="utf-8")
    screens = SCREEN.findall(file.read_text(encoding="utf-8"))
    assert screens
    shell(f"temporal-visibility schema upgrade {URL} --to 1.9 --yes", tmp_path)
    shell(f"temporal-visibility sample {URL} --rows 2000 --seed 7", tmp_path)
    for screen in screens:
        commands = [line.removeprefix("$ ") for line in screen.splitlines() if line.startswith("$ ")]
        assert commands
        printed = "\n".join(f"$ {command}\n{shell(command, tmp_path)}" for command in commands)
        if os.environ.get("UPDATE_GOLDEN") and settled(screen) != settled(printed):
            file.write_text(file.read_text(encoding="utf-8").replace(screen, printed), encoding="utf-8")
            screen = printed
        assert settled(screen) == settled(printed)


def test_the_commands_in_kubernetes_manifests(tmp_path: Path) -> None:
    """What the Job and the gate are given runs, on a store that is called as in the manifests."""
    (tmp_path / "temporal-visibility.yaml").write_text(f"stores:\n  visibility:\n    url: {URL}\n", encoding="utf-8")
    text = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    documents = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    given = [one["args"] for document in documents for one in _containers(document)]
    assert [arguments[:2] for arguments in given] == [["schema", "upgrade"], ["schema", "require"]]
    printed = [shell(shlex.join(["temporal-visibility", *arguments]), tmp_path) for arguments in given]
    assert "Done: visibility is at 1.14" in printed[0]
    assert "visibility: the server 1.31 may start" in printed[1]


def _containers(value: object) -> list[dict[str, list[str]]]:
    """Each mapping in `value` that is a container with arguments."""
    match value:
        case {"image": _, "args": _}:
            return [value]
        case dict():
            return [one for member in value.values() for one in _containers(member)]
        case list():
            return [one for member in value for one in _containers(member)]
        case _:
            return []


def test_the_changelog_names_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", __version__]


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
