"""What the recorder writes of a version is what the published catalog of that version says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support.catalogs import FOLDER
from tests.support.record import record
from toolkit.versions import find

NOT_SCHEMA = {"meta"}


# The newest version that every build of the search engines can hold.
@pytest.mark.engines("postgresql", "mysql", "sqlite", "elasticsearch")
@pytest.mark.parametrize("version", ["1.7"])
def test_a_recorded_catalog_is_the_published_one(engine: Handle | EmbeddedHandle, version: str, tmp_path: Path) -> None:
    url = f"{engine.url}?cluster_settings=skip" if engine.engine == "elasticsearch" else engine.url
    written = record(url, find(version), tmp_path, make=True)
    assert written
    for path in written:
        recorded, kept = (json.loads(p.read_text()) for p in (path, FOLDER / path.relative_to(tmp_path)))
        assert recorded.keys() == kept.keys()
        assert {k: v for k, v in recorded.items() if k not in NOT_SCHEMA} == {
            k: v for k, v in kept.items() if k not in NOT_SCHEMA
        }
