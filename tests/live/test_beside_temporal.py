"""Temporal's own tools and this one on one store: their records, their upgrades, and two schemas in one database."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.catalogs import published, released
from tests.support.command import temporal_visibility
from tests.support.mysql import sql as mysql_sql
from tests.support.online import go, once_before, prepared
from toolkit.apply.actions import RunStep
from toolkit.apply.recognising import identify_store
from toolkit.apply.runner import Options
from toolkit.catalog import Json
from toolkit.engines.elasticsearch.store import SearchStore
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import NO_LOCK, Request, Sql, Step, StepClass
from toolkit.sample import generate
from toolkit.versions import find

NEWEST = released()[-1]


@pytest.mark.engines("postgresql", "mysql")
def test_our_records_are_those_of_its_tool(engine: Handle) -> None:
    """One row for the database by its name; in the history a line a run, with both versions, as the tool has it."""
    for version in ("1.9", "1.14"):
        assert temporal_visibility("schema", "upgrade", engine.url, "--to", version, "--yes").code == 0
    row = "SELECT version_partition, db_name, curr_version, min_compatible_version FROM schema_version"
    line = (
        "SELECT version_partition, old_version, new_version, description, manifest_md5,"
        " year = extract(year FROM update_time), month = extract(month FROM update_time)"
        " FROM schema_update_history ORDER BY update_time"
    )
    if engine.engine == "postgresql":
        with psycopg.connect(engine.url) as connection:
            rows, lines = connection.execute(row).fetchall(), connection.execute(line).fetchall()  # type: ignore[call-overload]
    else:
        rows, lines = mysql_sql(engine.url, row), mysql_sql(engine.url, line)
    assert [tuple(one) for one in rows] == [(0, engine.database, "1.14", "0.1")]
    assert [one[:3] for one in lines] == [(0, "0", "1.9"), (0, "1.9", "1.14")]
    assert all(description and len(description) <= 255 and md5 == "" for _, _, _, description, md5, _, _ in lines)
    assert all(bool(year) and bool(month) for *_, year, month in lines)


@pytest.mark.engines("sqlite", "postgresql", "mysql")
def test_a_history_that_was_dropped_is_begun_again(engine: Handle | EmbeddedHandle) -> None:
    """Be it before a run or while it is under way, whose last step would fail for ever."""
    prepared(engine.url, 0, "1.8")
    with journeys.opened(engine.url) as (chosen, client):
        dropped = Sql("DROP TABLE schema_update_history")
        by_hand = Step("by.hand", "", "", StepClass.METADATA, NO_LOCK, (dropped,), (), ())
        client.execute(by_hand)
        assert temporal_visibility("schema", "upgrade", engine.url, "--to", "1.9", "--yes").code == 0
        journeys.at(chosen, client, find("1.9"), lambda version: chosen.catalog(version))
        watch, met = once_before(RunStep, lambda: client.execute(by_hand))
        go(engine.url, "1.10", Options(watch=watch))
        assert met
        journeys.at(chosen, client, find("1.10"), lambda version: chosen.catalog(version))


def templated(version: str) -> dict[str, Json]:
    """The body of Temporal's own template."""
    body = dict(published("elasticsearch", version).body)
    return {
        "mappings": {"dynamic": body["dynamic"], "properties": _mapped(body)},
        "settings": {"index": body["settings"]},
    }


def _mapped(body: Any) -> dict[str, Json]:
    return {n: {k: v for k, v in f.items() if (k, v) != ("type", "object")} for n, f in body["properties"].items()}


@pytest.mark.needs("scaled_float")
@pytest.mark.engines("elasticsearch", "opensearch")
def test_after_an_upgrade_by_its_tool_on_a_search_engine(engine: Handle) -> None:
    """It writes template and mapping and records nothing: our own label is then behind, which is no drift."""
    index = f"{engine.url.rpartition('/')[2]}own"
    url = f"{engine.url}own?cluster_settings=skip"
    before = next(d for d in released() if "v13" in d.labels.elasticsearch)
    with journeys.opened(url) as (chosen, client):
        journeys.upgrade(chosen, client, before)
        for _ in client.write(before, generate(before, 10, 3)):
            pass
        after = templated("v14")
        mappings: Any = after["mappings"]
        template: Any = {"order": 0, "index_patterns": [index, f"{index}-*"], **after}
        observed = client.observe()
        assert isinstance(observed, SearchStore)
        requests = (
            Request("PUT", f"/_template/{observed.names.template}", template),
            Request("PUT", f"/{index}/_mapping", {"properties": mappings["properties"]}),
        )
        for request in requests:
            client.execute(Step("test", "", "", StepClass.METADATA, NO_LOCK, (request,), (), ()))
        identity = identify_store(chosen, client.observe(), NO_OVERLAY)
        assert ([one.name for one in identity.exact], identity.recorded) == (["v14"], "v13")
        ran = temporal_visibility("schema", "drift", url)
        assert (ran.code, "no drift at 1.14" in ran.out) == (0, True), ran.out
        assert temporal_visibility("schema", "require", "--server", "1.31", url).code == 0
        assert [step.id for step in chosen.steps(client.observe(), NEWEST)] == ["record.label"]
        assert temporal_visibility("schema", "adopt", url, "--yes").code == 0
        assert client.observe().recorded == "v14"
        assert client.count() == 10


def test_two_schemas_of_one_database(postgresql: Handle) -> None:
    """`search_path` chooses; each has its own version, books, lock and drift, and nothing of the other's."""
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA east")
        connection.execute("CREATE SCHEMA west")
    joint = "&" if "?" in postgresql.url else "?"
    east, west = (f"{postgresql.url}{joint}options={quote(f'-csearch_path={name}')}" for name in ("east", "west"))
    assert temporal_visibility("schema", "upgrade", east, "--to", "1.13", "--yes").code == 0
    assert temporal_visibility("schema", "upgrade", west, "--yes").code == 0
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("DROP INDEX west.by_int_01")
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert found == (0,)
    assert temporal_visibility("schema", "drift", east).code == 0
    assert temporal_visibility("schema", "drift", west).code == 3
    said = temporal_visibility("schema", "identify", east, "--output", "json").json("schema-identify")
    assert [one["name"] for one in said["stores"][0]["exact"]] == ["1.13"]
    assert temporal_visibility("schema", "upgrade", east, "--yes").code == 0
    assert temporal_visibility("schema", "drift", east).code == 0
    ran = temporal_visibility("schema", "drift", west)
    assert re.findall(r"TV\d+", ran.out) == ["TV6111"], ran.out


def test_the_books_of_another_schema_on_the_path_are_not_ours(postgresql: Handle) -> None:
    """A schema alone on the path is the store, also before it has books; a run of another store is not its. Where the
    path finds a table behind an empty schema, nobody can say which of them is meant."""
    prepared(postgresql.url, 20)
    go(postgresql.url)
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA east")
        joint = "&" if "?" in postgresql.url else "?"
        alone, both = (
            f"{postgresql.url}{joint}options={quote(f'-csearch_path={path}')}" for path in ("east", "east,public")
        )
        said = temporal_visibility("schema", "runs", alone, "--output", "json").json("schema-runs")
        assert said["stores"][0]["runs"] == []
        for command in ("rollback", "finish"):
            for url, code in ((alone, "TV5109"), (both, "TV5217")):
                ran = temporal_visibility("schema", command, url, "--yes")
                assert (ran.code, code in ran.err) == (1, True), ran.err
        kept = connection.execute("SELECT count(*) FROM public.temporal_visibility_run WHERE status = 'kept'")
        assert kept.fetchone() == (1,)
