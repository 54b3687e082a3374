"""Commands that are cut off at any point, and given again: what they say of the way on is true."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.command import Ran, temporal_visibility
from tests.support.online import EVENTS, prepared
from tests.support.sqlite import path_of
from toolkit.apply.actions import Action, Outcome, Verify
from toolkit.apply.runner import Options, perform
from toolkit.apply.ways_back import rollback
from toolkit.catalog import differences
from toolkit.cli.running import RunProgress
from toolkit.engines.postgresql.journal import PostgresJournal
from toolkit.engines.sqlite.books import SqliteJournal
from toolkit.errors import StoreChanged
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import NO_LOCK, Sql, Step, StepClass
from toolkit.sample import generate
from toolkit.versions import chain, find

SQL = pytest.mark.engines("sqlite", "postgresql", "mysql")
NOTHING = Step("by.hand", "", "", StepClass.METADATA, NO_LOCK, (), (), ())


class Killed(BaseException):
    """As a signal that nothing catches; the lock is free at once."""


def until(event: int, *words: str) -> Ran | None:
    """The command, cut off at its `event`-th event (before and after every action); None when it was."""
    events = [0]

    def watch(progress: RunProgress, action: Action, outcome: Outcome | None) -> None:
        events[0] += 1
        if events[0] == event:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunProgress, "watch", watch)
        try:
            return temporal_visibility(*words)
        except Killed:
            return None


def again_and_again(*words: str) -> int:
    """Cut off and given again until it gets to its end; how often it was cut off."""
    for kills in range(200):
        ran = until(EVENTS[kills % len(EVENTS)], *words)
        if ran is not None:
            assert ran.code == 0, ran.err
            return kills
    raise AssertionError("the command never ends")


def runs(url: str) -> list[tuple[str, str]]:
    (store,) = temporal_visibility("schema", "runs", url, "--output", "json").json("schema-runs")["stores"]
    return [(run["kind"], run["status"]) for run in store["runs"]]


def at_version(url: str, version: str) -> None:
    with journeys.opened(url) as (chosen, client):
        assert differences(client.observe().catalog, chosen.catalog(find(version))) == ()


@SQL
@pytest.mark.parametrize("rows", [0, 30])
def test_a_downgrade_goes_on_where_it_was(engine: Handle | EmbeddedHandle, rows: int) -> None:
    """Also where nothing but its last look is left, and where upgrade has been tried meanwhile."""
    url = engine.url
    prepared(url, rows, "1.14")
    down = ("schema", "downgrade", url, "--to", "1.12", "--yes")
    assert until(5, *down) is None
    refused = temporal_visibility("schema", "upgrade", url, "--yes")
    assert "schema downgrade --to 1.12" in refused.err, refused.err
    assert again_and_again(*down) > 2
    assert runs(url)[1:] in ([("downgrade", "done")], [("downgrade", "kept")])
    at_version(url, "1.12")


def test_a_rebuild_that_somebody_has_spoiled_is_given_up(tmp_path: Path) -> None:
    """SQLite: a rebuild makes its indexes and triggers in one transaction, and cannot be done a second time."""
    url = f"sqlite:///{tmp_path / 'visibility.db'}"
    prepared(url, 30, "1.14")
    down = ("schema", "downgrade", url, "--to", "1.12", "--yes")
    assert until(4, *down) is None
    with closing(sqlite3.connect(path_of(url))) as connection:
        connection.executescript("DROP INDEX by_status; DROP TRIGGER executions_visibility_ai")
    assert "`schema rollback` ends a run" in temporal_visibility(*down).err
    assert "TV5002" in temporal_visibility("schema", "rollback", url, "--yes").err
    assert temporal_visibility("schema", "upgrade", url, "--to", "1.12", "--yes").code == 0
    at_version(url, "1.12")


def test_an_open_run_is_told_where_there_is_nothing_else_to_do(tmp_path: Path) -> None:
    """By upgrade, where only the end of a downgrade is left; and by plans, which cannot begin."""
    url = f"sqlite:///{tmp_path / 'visibility.db'}"
    prepared(url, 30, "1.14")
    assert until(8, "schema", "downgrade", url, "--to", "1.12", "--yes") is None
    for other in ("upgrade", "plan"):
        refused = temporal_visibility("schema", other, url, "--to", "1.12")
        assert (refused.code, "TV5106" in refused.err) == (1, True), refused
    (plan,) = temporal_visibility("schema", "plan", url, "--output", "json").json("schema-plan")["plans"]
    assert [problem["code"] for problem in plan["preflight"]] == ["TV5106"]
    script = temporal_visibility("schema", "plan", url, "--format", "sql")
    assert (script.code, script.out, "TV5106" in script.err) == (1, "", True), script
    drift = temporal_visibility("schema", "drift", url, "--repair", "--yes")
    assert (drift.code, "can repair nothing" in drift.err) == (3, True), drift


@SQL
def test_taking_over_goes_on_where_it_was(engine: Handle | EmbeddedHandle) -> None:
    """The store records an older version than it is taken over as."""
    url = engine.url
    prepared(url, 0, "1.9")
    adopt = ("schema", "adopt", url, "--as", "1.8", "--yes")
    assert again_and_again(*adopt) > 1
    assert runs(url)[1:] == [("adopt", "done")]
    assert temporal_visibility("schema", "upgrade", url, "--yes").code == 0


@pytest.mark.engines("sqlite", "mysql")
def test_a_run_is_taken_back_wherever_it_was_cut_off(engine: Handle | EmbeddedHandle) -> None:
    """Before and in its first step, too, where there is nothing to take back; the way back is cut off as well."""
    url = engine.url
    prepared(url, 0, "1.8")
    up = ("schema", "upgrade", url, "--to", "1.9", "--yes")
    for event in range(1, 20):
        assert until(event, *up) is None
        if "TV5110" in temporal_visibility("schema", "rollback", url, "--dry-run").err:
            break
        again_and_again("schema", "rollback", url, "--yes")
        at_version(url, "1.8")
    assert event > 4
    assert temporal_visibility(*up).code == 0
    at_version(url, "1.9")


def test_a_rollback_that_was_looked_at_before_the_run_went_on_does_not_begin(sqlite: EmbeddedHandle) -> None:
    """It would take back the column, and leave the record of the version that somebody else's command has written."""
    url = sqlite.url
    prepared(url, 0, "1.8")
    up = ("schema", "upgrade", url, "--to", "1.9", "--yes")
    with journeys.opened(url) as (chosen, client):
        while differences(client.observe().catalog, chosen.catalog(find("1.9"))):
            assert until(4, *up) is None
        looked_at = rollback(chosen, client, chain(), NO_OVERLAY)
        while client.observe().recorded != "1.9":
            assert until(4, *up) is None
        with pytest.raises(StoreChanged, match="gone on"):
            perform(client, looked_at, lambda *_: None, lambda: 0.0, Options())
    assert temporal_visibility(*up).code == 0


@pytest.mark.engines("sqlite", "postgresql", "mysql", "opensearch")
def test_records_written_since_are_not_taken_back(engine: Handle | EmbeddedHandle) -> None:
    """A first install that was cut off once its table or index was there. Without records it is taken back."""
    url = f"{engine.url}?cluster_settings=skip" if engine.engine == "opensearch" else engine.url
    up, back = (("schema", "upgrade", url, "--to", "1.9", "--yes"), ("schema", "rollback", url))
    # Each time it does one more step.
    while not there(url):
        assert until(4, *up) is None
    (dry,) = temporal_visibility(*back, "--dry-run", "--output", "json").json("schema-rollback")["runs"]
    assert dry["class"] == "breaking"
    with journeys.opened(url) as (_, client):
        for _ in client.write(find("1.9"), generate(find("1.9"), 5, 3)):
            pass
    refused = temporal_visibility(*back, "--yes")
    assert "TV5117" in refused.err, refused
    assert temporal_visibility(*up).code == 0
    with journeys.opened(url) as (_, client):
        assert client.count() == 5


def there(url: str) -> bool:
    """Whether records can be written already."""
    with journeys.opened(url) as (chosen, client):
        goal = chosen.catalog(find("1.9"))
        kind = ("tables",) if "tables" in goal.body else ("properties",)
        return client.observe().catalog.children(kind).keys() == goal.children(kind).keys()


@pytest.mark.engines("postgresql", "mysql")
def test_a_way_back_leaves_no_version_where_none_was_recorded(engine: Handle | EmbeddedHandle) -> None:
    """As in a database that was restored under another name, and in one that Alembic has never seen."""
    url = engine.url
    prepared(url, 5, "1.9")
    with journeys.opened(url) as (_, client):
        client.execute(
            replace(NOTHING, statements=(Sql("DELETE FROM schema_version"), Sql("DROP TABLE alembic_version")))
        )
    assert temporal_visibility("schema", "upgrade", url, "--yes").code == 0
    again_and_again("schema", "rollback", url, "--yes")
    at_version(url, "1.9")
    with journeys.opened(url) as (_, client):
        observed = client.observe()
    assert (observed.recorded, observed.marks) == (None, {})


@pytest.mark.engines("sqlite", "postgresql")
def test_a_run_whose_last_look_failed_ends_as_failed_wherever_it_is_cut_off(
    engine: Handle | EmbeddedHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody drops an index in the middle; the process dies between writing the failure down and ending the run."""
    url = engine.url
    prepared(url, 5, "1.9")
    up = ("schema", "upgrade", url, "--to", "1.14", "--yes")

    def drop_an_index(progress: RunProgress, action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, Verify) and outcome is None:
            with journeys.opened(url) as (_, client):
                client.execute(replace(NOTHING, statements=(Sql("DROP INDEX by_temporal_bool_01"),)))

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(RunProgress, "watch", drop_an_index)
        patch.setattr(SqliteJournal, "close", die)
        patch.setattr(PostgresJournal, "close", die)
        with pytest.raises(Killed):
            temporal_visibility(*up)
    again = temporal_visibility(*up)
    assert (again.code, "TV5002" in again.err) == (1, True), again.err
    assert runs(url)[-1] in (("upgrade", "failed"), ("upgrade", "kept"))


def test_a_run_whose_journal_somebody_has_dropped_goes_on(sqlite: EmbeddedHandle) -> None:
    """Nothing tells how far it was: each step is looked at before it is done."""
    url = sqlite.url
    prepared(url, 20)
    assert until(6, "schema", "upgrade", url, "--to", "1.12", "--yes") is None
    with journeys.opened(url) as (_, client):
        client.execute(replace(NOTHING, statements=(Sql("DROP TABLE temporal_visibility_journal"),)))
    for command, code in (("upgrade", "TV5106"), ("rollback", "TV5110")):
        ran = temporal_visibility("schema", command, url, "--yes")
        assert (ran.code, code in ran.err) == (1, True), ran
    assert temporal_visibility("schema", "upgrade", url, "--to", "1.12", "--yes").code == 0
    assert temporal_visibility("schema", "upgrade", url, "--yes").code == 0


def test_a_trigger_that_was_dropped_while_a_run_was_cut_off_is_told(sqlite: EmbeddedHandle) -> None:
    """The plan was made with the trigger: its rebuild would fill no full-text table anew."""
    url = sqlite.url
    prepared(url, 5)
    assert until(2, "schema", "upgrade", url, "--yes") is None
    with journeys.opened(url) as (_, client):
        client.execute(replace(NOTHING, statements=(Sql("DROP TRIGGER executions_visibility_ai"),)))
    ran = temporal_visibility("schema", "upgrade", url, "--yes")
    assert (ran.code, "TV4409" in ran.err) == (1, True), ran
    # The trigger is still missing, but the run is over.
    assert "TV5002" in temporal_visibility("schema", "rollback", url, "--yes").err
    assert temporal_visibility("schema", "upgrade", url, "--yes").code == 0
