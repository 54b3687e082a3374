"""The published catalogs and the released definitions, as tests want them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from toolkit.catalog import Catalog
from toolkit.definition import Definition
from toolkit.versions import chain

FOLDER = Path(__file__).resolve().parent.parent / "catalogs"
# The version of the fresh installs among the catalogs, which are of one release.
FRESH = "1.14"
_NOT_SCHEMA = {"format", "engine", "meta"}


@cache
def published(engine: str, name: str) -> Catalog:
    """The catalog of `tests/catalogs/<engine>/<name>.json`."""
    content = json.loads((FOLDER / engine / f"{name}.json").read_text())
    return Catalog(engine, {key: value for key, value in content.items() if key not in _NOT_SCHEMA})


@cache
def released() -> tuple[Definition, ...]:
    """All released definitions, oldest first."""
    return chain()


# What an upgrade goes to when nobody says where.
LAST = released()[-1].version
