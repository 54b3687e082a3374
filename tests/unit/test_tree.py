"""The trees of the project's own YAML files: the same as the files say, and never used for another text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit import document, tree
from toolkit.document import Value
from toolkit.errors import DefinitionError
from toolkit.load import load, loads
from toolkit.resources import schema_dir

FILES = sorted(p for p in schema_dir().rglob("*.yaml") if p.name != "visibility.yaml")


def plain(root: Value) -> object:
    return root.plain()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_tree_says_what_its_file_says(path: Path) -> None:
    content = path.read_bytes()
    known, made = tree.shipped(path, content), tree.compose(content.decode(), str(path))
    assert known is not None
    assert json.loads(json.dumps(made)) == known
    assert document.read(path, plain) == document.parse(content.decode(), str(path), plain)


def test_a_file_that_was_changed_is_read_itself() -> None:
    path = schema_dir() / "versions" / "1.14.yaml"
    assert tree.shipped(path, path.read_bytes() + b"\n# changed\n") is None
    assert tree.shipped(Path("/elsewhere/1.14.yaml"), path.read_bytes()) is None


def test_an_error_in_a_tree_points_at_the_line_of_the_file() -> None:
    path = schema_dir() / "versions" / "1.14.yaml"
    line = next(
        n for n, text in enumerate(path.read_text().splitlines(), 1) if text.strip().startswith("WorkflowType:")
    )

    def wrong(root: Value) -> None:
        fields = root.members(("fields",), ("version", "summary", "servers", "labels", "attributes", "indexes"))
        fields["fields"].members(("WorkflowType",), [n for n, _, _ in fields["fields"].items()])["WorkflowType"].text()

    with pytest.raises(DefinitionError) as caught:
        document.read(path, wrong)
    place = caught.value.location
    assert place is not None
    assert (place.file, place.line) == (str(path), line)
    assert "fields.WorkflowType: expected a text, found a mapping" in caught.value.message


def test_what_is_loaded_is_the_same_with_and_without_trees() -> None:
    for path in FILES:
        if path.parent.name == "versions":
            assert load(path) == loads(path.read_text(), str(path))


def test_released_definitions_need_no_yaml() -> None:
    code = "import sys; from toolkit.versions import chain; chain(); sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
