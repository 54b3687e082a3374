"""Every command that works on a store, as a user types it; its JSON answer fits the published schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.command import temporal_visibility
from toolkit.plan import NO_LOCK, Sql, Step, StepClass


def answer(schema: str, *words: str) -> dict[str, object]:
    ran = temporal_visibility(*words, "--output", "json")
    assert ran.code == 0, ran.err
    found = ran.json(schema)
    assert isinstance(found, dict)
    return found


def steps_of(facts: dict[str, object]) -> list[dict[str, object]]:
    """The steps of an answer, less what is measured anew each time."""
    steps = facts["steps"]
    assert isinstance(steps, list)
    return [{name: value for name, value in step.items() if name != "estimate"} for step in steps]


def test_the_life_of_a_postgresql_store(postgresql: Handle, tmp_path: Path) -> None:
    url, plan = postgresql.url, str(tmp_path / "plan.json")
    answer("schema-upgrade", "schema", "upgrade", url, "--to", "1.9", "--yes")
    answer("sample", "sample", url, "--rows", "300")
    assert answer("schema-status", "schema", "status", url)
    assert temporal_visibility("schema", "status", url, "--exit-code").code == 3
    assert answer("schema-plan", "schema", "plan", url)
    assert temporal_visibility("schema", "plan", url, "--out", plan).code == 0
    answer("schema-upgrade", "schema", "upgrade", url, "--plan", plan, "--yes")
    answer("schema-runs", "schema", "runs", url)
    assert "TV5116" in temporal_visibility("schema", "throttle", url, "--pause").err
    answer("schema-rollback", "schema", "rollback", url, "--yes")
    answer("schema-downgrade", "schema", "downgrade", url, "--to", "1.8", "--yes")
    answer("schema-upgrade", "schema", "upgrade", url, "--yes")
    answer("schema-finish", "schema", "finish", url, "--yes")
    answer("schema-unlock", "schema", "unlock", url)
    answer("query", "query", url, "--namespace", "n", "WorkflowId = 'x'")
    assert temporal_visibility("schema", "status", url, "--exit-code").code == 0


def test_the_life_of_a_sqlite_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/v.db"
    answer("schema-upgrade", "schema", "upgrade", url, "--to", "1.9", "--yes")
    answer("sample", "sample", url, "--rows", "300")
    answer("schema-plan", "schema", "plan", url)
    (dry,) = answer("schema-upgrade", "schema", "upgrade", url, "--dry-run")["runs"]
    (plan,) = answer("schema-plan", "schema", "plan", url)["plans"]
    assert steps_of(dry) == steps_of(plan)
    answer("schema-upgrade", "schema", "upgrade", url, "--yes")
    answer("schema-downgrade", "schema", "downgrade", url, "--to", "1.12", "--yes")
    answer("schema-status", "schema", "status", url)
    assert temporal_visibility("schema", "upgrade", url).code == 2
    runs = answer("schema-runs", "schema", "runs", url)["stores"][0]["runs"]  # type: ignore[index]
    assert [(run["kind"], run["status"]) for run in runs] == [
        ("upgrade", "done"),
        ("upgrade", "done"),
        ("downgrade", "done"),
    ]
    for words in ("rollback", "finish"):
        ran = temporal_visibility("schema", words, url, "--yes")
        assert (ran.code, "TV5109" in ran.err) == (1, True)
    answer("schema-unlock", "schema", "unlock", url)
    assert "TV5115" in temporal_visibility("schema", "throttle", url, "--pause").err


@pytest.mark.engines("sqlite", "postgresql")
@pytest.mark.parametrize(
    "damage", ["DELETE FROM {}lock", "DROP TABLE {}lock", "DROP TABLE {}run", "DROP TABLE {}journal"]
)
def test_a_store_whose_books_somebody_has_torn(engine: Handle | EmbeddedHandle, damage: str) -> None:
    """As to be rid of a lock. What is lost is begun again; no number that a holder had comes back."""
    url = engine.url
    assert temporal_visibility("schema", "upgrade", url, "--to", "1.8", "--yes").code == 0
    with journeys.opened(url) as (_, client):
        client.execute(
            Step("by.hand", "", "", StepClass.METADATA, NO_LOCK, (Sql(damage.format("temporal_visibility_")),), (), ())
        )
    for words in (("status",), ("drift",), ("runs",), ("unlock",), ("upgrade", "--to", "1.9", "--yes"), ("runs",)):
        ran = temporal_visibility("schema", words[0], url, *words[1:])
        assert ran.code == 0, (words, ran.err)
    with journeys.opened(url) as (_, client):
        assert client.take_lock("somebody@desk:1", 1).fencing == 3
