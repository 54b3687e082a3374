"""Where the project's own data files are: inside an installed wheel, or `schema/` of a checkout.

It finds folders and reads texts; what is in them is other modules' business.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from toolkit.errors import ToolkitError


@cache
def schema_dir() -> Path:
    """The folder that holds `versions/`, `sql/`, `elasticsearch/` and `clickhouse/`. Raises ToolkitError when lost."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_schema", package.parent / "schema"):
        if (folder / "versions").is_dir():
            return folder
    raise ToolkitError("TV0001", "the schema files of this installation are missing", "Install the package again.")


def changelog_file() -> Path | None:
    """CHANGELOG.md of a checkout; None in an installed package."""
    file = schema_dir().parent / "CHANGELOG.md"
    return file if file.is_file() else None
