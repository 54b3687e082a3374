"""Every published schema is recognised on a live engine: columns in another order, other names, strangers beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.catalogs import FOLDER, FRESH, released
from tests.support.command import temporal_visibility
from toolkit.apply.recognising import identify_store
from toolkit.definition import Definition
from toolkit.engines import Client, Engine
from toolkit.engines.version_tables import TABLES
from toolkit.lineage import Identity
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import NO_LOCK, Request, Sql, Step, StepClass
from toolkit.routes import published as published_routes

EV = "executions_visibility"
STRANGERS = {
    "postgresql": ["CREATE TABLE reports (id int PRIMARY KEY, note text)", f"CREATE INDEX mine ON {EV} (workflow_id)",
                   f"CREATE VIEW open_runs AS SELECT run_id FROM {EV}"],
    "mysql": ["CREATE TABLE reports (id INT PRIMARY KEY, note TEXT)", f"CREATE INDEX mine ON {EV} (workflow_id)",
              f"CREATE VIEW open_runs AS SELECT run_id FROM {EV}"],
    "sqlite": ["CREATE TABLE reports (id int PRIMARY KEY, note text)", f"CREATE INDEX mine ON {EV} (workflow_id)",
               f"CREATE VIEW open_runs AS SELECT run_id FROM {EV}"],
    "clickhouse": ["CREATE TABLE reports (id Int32) ENGINE = MergeTree ORDER BY id",
                   f"CREATE VIEW open_runs AS SELECT run_id FROM {EV}"],
}  # fmt: skip


# Those that differ from their version's definition, and two that do not; the others are long.
SOME = ["1.0", "1.3-v1.21.0", "1.12-combined", "fresh", "v1.15.0", "v1.31.0", "v0", "v9", "v9-upgraded"]
every = pytest.mark.parametrize("some", [True, pytest.param(False, marks=pytest.mark.long)], ids=["some", "all"])


def names(engine: str, some: bool) -> list[str]:
    found = sorted(path.stem for path in (FOLDER / engine).glob("*.json"))
    return [name for name in found if not some or name in SOME]


def raw(client: Client, *statements: Sql | Request) -> None:
    for statement in statements:
        client.execute(Step("test", "", "", StepClass.METADATA, NO_LOCK, (statement,), (), ()))


def shuffled(step: Step, chance: Random) -> Step:
    """The same tables with their columns in another order."""
    return replace(step, statements=tuple(_shuffled(s, chance) if isinstance(s, Sql) else s for s in step.statements))


def _shuffled(statement: Sql, chance: Random) -> Sql:
    if not statement.text.startswith("CREATE TABLE") or f"{EV}" not in statement.text.split("(")[0]:
        return statement
    head, *lines = statement.text.split("\n")
    columns = [line for line in lines if re.match(r'  ["`]', line)]
    others = lines[lines.index(columns[-1]) + 1 :]
    assert len(columns) > 8
    chance.shuffle(columns)
    body = [line.removesuffix(",") + "," for line in columns]
    if others[0].startswith(")"):
        body[-1] = body[-1].removesuffix(",")
    return replace(statement, text="\n".join([head, *body, *others]))


def like(engine: str, name: str) -> tuple[Definition, str | None]:
    """The version to make, and what the store then records."""
    known = {route.name: route for route in published_routes().routes if route.engine == engine}
    route = known.get(name)
    version = route.like if route else FRESH if name == "fresh" else name
    return next(d for d in released() if d.version == version), route.records if route else version


def make(chosen: Engine, client: Client, wanted: Definition) -> None:
    for step in chosen.steps(client.observe(), wanted):
        client.execute(shuffled(step, Random(wanted.version)))


def seen(chosen: Engine, client: Client) -> Identity:
    return identify_store(chosen, client.observe(), NO_OVERLAY)


def is_exactly(identity: Identity, name: str) -> None:
    assert name in {one.name for one in identity.exact}, (name, identity.differences[:3], identity.partial)
    assert identity.confidence == 1.0


def with_strangers(chosen: Engine, client: Client) -> set[str]:
    before = set(seen(chosen, client).foreign)
    raw(client, *map(Sql, STRANGERS[chosen.NAME]))
    return {path[-1] for path in set(seen(chosen, client).foreign) - before}


def defect(client: Client) -> None:
    """What 1.21.0's script did to BuildIds: the path without its `$.`."""
    (route,) = [route for route in published_routes().routes if route.defect]
    assert route.change is not None
    raw(client, *map(Sql, route.change.statements))


def sql_catalogs(urls: Iterator[str], engine: str, only: list[str]) -> None:
    for name in only:
        wanted, records = like(engine, name)
        with journeys.opened(next(urls)) as (chosen, client):
            make(chosen, client, wanted)
            if name == "1.3-v1.21.0":
                defect(client)
            if records and engine != "sqlite":
                raw(client, Sql(f"UPDATE schema_version SET curr_version = '{records}'"))
            name = FRESH if name == "fresh" else name
            is_exactly(seen(chosen, client), name)
            best = seen(chosen, client).best
            assert best
            assert best.name == name or best.records == records or engine == "sqlite"
            assert with_strangers(chosen, client) >= {"reports"}
            is_exactly(seen(chosen, client), name)


def databases(handle: Handle | EmbeddedHandle) -> Iterator[str]:
    while True:
        yield handle.new_database()


@every
def test_postgresql(postgresql: Handle, some: bool) -> None:
    sql_catalogs(databases(postgresql), "postgresql", names("postgresql", some))


@every
def test_mysql(mysql: Handle, some: bool) -> None:
    sql_catalogs(databases(mysql), "mysql", names("mysql", some))


@every
def test_sqlite(sqlite: EmbeddedHandle, some: bool) -> None:
    sql_catalogs(databases(sqlite), "sqlite", names("sqlite", some))


@pytest.mark.engines("clickhouse", "chdb")
@every
def test_clickhouse(engine: Handle | EmbeddedHandle, some: bool) -> None:
    for wanted in [d for d in released() if d.labels.clickhouse][-1 if some else 0 :]:
        with journeys.opened(engine.new_database()) as (chosen, client):
            make(chosen, client, wanted)
            is_exactly(seen(chosen, client), wanted.version)
            assert with_strangers(chosen, client) >= {"reports"}
            is_exactly(seen(chosen, client), wanted.version)


@pytest.mark.engines("elasticsearch", "opensearch")
@every
def test_search_engines(engine: Handle, some: bool) -> None:
    """The index as the published template makes it, under a name of no template, with users' own fields."""
    known = {"v9-upgraded": "v9", "v9": "v9-template"}
    for name in names("elasticsearch", some):
        body: dict[str, Any] = json.loads((FOLDER / "elasticsearch" / f"{name}.json").read_text())
        if "scaled_float" in engine.limits and "scaled_float" in json.dumps(body):
            continue
        properties = list(body["properties"].items())
        Random(name).shuffle(properties)
        index = {
            "settings": {"index": body["settings"]},
            "mappings": {"dynamic": body["dynamic"], "properties": _typed(dict(properties))},
        }
        own = {"properties": {"CustomTextField": {"type": "text"}, "OrderId": {"type": "keyword"}}}
        with journeys.opened(f"{engine.url}{name}?cluster_settings=skip") as (chosen, client):
            path = f"/{engine.url.rpartition('/')[2]}{name}"
            raw(client, Request("PUT", path, index))
            try:
                is_exactly(seen(chosen, client), known.get(name, name))
                raw(client, Request("PUT", f"{path}/_mapping", own))
                identity = seen(chosen, client)
                is_exactly(identity, known.get(name, name))
                assert {field[-1] for field in identity.foreign} == {"CustomTextField", "OrderId"}
            finally:
                raw(client, Request("DELETE", path))


def _typed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {k: v for k, v in facts.items() if k != "type" or v != "object"} for name, facts in properties.items()
    }


def test_the_command(sqlite: EmbeddedHandle) -> None:
    with journeys.opened(sqlite.url) as (chosen, client):
        make(chosen, client, next(d for d in released() if d.version == "1.13"))
        said = temporal_visibility("schema", "identify", sqlite.url, "--output", "json").json("schema-identify")
        assert [one["name"] for one in said["stores"][0]["exact"]] == ["1.13", "v1.30.0"]
        raw(client, Sql("DROP INDEX by_int_01"))
    ran = temporal_visibility("schema", "identify", sqlite.url, "--exit-code")
    assert (ran.code, "TV6101" in ran.err) == (3, True)
    assert "no published schema; 1.13 is nearest" in ran.out
    assert "by_int_01" in ran.out


@pytest.mark.parametrize(
    "damage",
    [
        ["DROP INDEX by_status", *(f"DROP TABLE {name}" for name in TABLES)],
        ["UPDATE schema_version SET curr_version = '1.9'", "DROP INDEX by_status"],
        [
            f"ALTER TABLE {EV} DROP COLUMN TemporalExternalPayloadCount",
            "UPDATE schema_version SET curr_version = '1.13'",
        ],
    ],
    ids=["nothing recorded", "an older one recorded", "half of a version"],
)
def test_an_upgrade_never_goes_down(sqlite: EmbeddedHandle, damage: list[str]) -> None:
    """What a store has drifted from counts, where it equals no version."""
    with journeys.opened(sqlite.url) as (chosen, client):
        make(chosen, client, next(d for d in released() if d.version == "1.14"))
        raw(client, *map(Sql, damage))
    goes_down_by_downgrade(sqlite.url, "1.13")


def test_what_newer_tools_have_upgraded_is_left_alone(sqlite: EmbeddedHandle) -> None:
    """What a later version brought looks like somebody else's here; its record must not become an earlier one."""
    newest = released()[-1]
    later = f"1.{int(newest.version.rpartition('.')[2]) + 1}"
    with journeys.opened(sqlite.url) as (chosen, client):
        make(chosen, client, newest)
        raw(client, Sql(f"ALTER TABLE {EV} ADD COLUMN Novelty TEXT"),
            Sql(f"UPDATE schema_version SET curr_version = '{later}'"))  # fmt: skip
        for words in (("upgrade", "--yes"), ("adopt", "--yes"), ("drift",)):
            ran = temporal_visibility("schema", words[0], sqlite.url, *words[1:])
            assert (ran.code, "TV2006" in ran.err, "Install a newer" in ran.err) == (2, True, True), ran
        assert "TV2006" in temporal_visibility("schema", "plan", sqlite.url).out
        assert client.observe().recorded == later
        assert "later than all" in temporal_visibility("schema", "status", sqlite.url).out
        assert temporal_visibility("schema", "downgrade", sqlite.url, "--to", newest.version, "--yes").code == 0
        assert client.observe().recorded == newest.version


@pytest.mark.engines("opensearch")
def test_an_upgrade_of_an_index_never_goes_down(engine: Handle) -> None:
    """Its label is no number."""
    url = f"{engine.url}?cluster_settings=skip"
    with journeys.opened(url) as (chosen, client):
        make(chosen, client, next(d for d in released() if d.version == "1.14"))
        raw(client, Request("PUT", f"/{engine.url.rpartition('/')[2]}/_mapping", {"dynamic": "strict"}))
    goes_down_by_downgrade(url, "1.9")


def goes_down_by_downgrade(url: str, version: str) -> None:
    refused = temporal_visibility("schema", "upgrade", url, "--to", version, "--yes")
    assert "TV2006" in refused.err, refused
    assert temporal_visibility("schema", "downgrade", url, "--to", version, "--dry-run").code == 0
    assert temporal_visibility("schema", "upgrade", url, "--to", "1.14", "--dry-run").code == 0
