"""`schema status` and `schema require`: what a store claims, is and lacks, and which server may start on it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.catalogs import released
from tests.support.command import Ran, temporal_visibility
from tests.support.mysql import sql as mysql_sql
from toolkit.apply.lock import Heartbeat
from toolkit.versions import find


def status(*words: str) -> Any:
    ran = temporal_visibility("schema", "status", *words, "--output", "json")
    assert ran.code == 0, ran.err
    return ran.json("schema-status")["stores"]


def require(release: str, *words: str) -> Ran:
    return temporal_visibility("schema", "require", "--server", release, *words)


def test_the_whole_picture(postgresql: Handle) -> None:
    url = postgresql.url
    (facts,) = status(url)
    assert (facts["empty"], facts["drift"], facts["fits"]) == (True, None, None)
    assert temporal_visibility("schema", "upgrade", url, "--to", "1.13", "--yes").code == 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP INDEX by_int_01")
    (facts,) = status(url)
    assert facts["recorded"] == "1.13"
    assert facts["drift"] == {"version": "1.13", "findings": 1, "codes": ["TV6111"]}
    assert (facts["last_upgrade"]["to"], facts["run"], facts["lock"]) == ("1.13", None, None)
    assert (facts["fits"]["release"], facts["fits"]["warnings"]) == ("1.30.0", ["index by_int_01 is missing"])
    with journeys.opened(url) as (_, client), Heartbeat(client.take_lock("somebody", 30.0), 5.0):
        (facts,) = status(url)
        assert (facts["lock"]["owner"], facts["drift"]) == ("somebody", None)
        assert "in progress  somebody" in temporal_visibility("schema", "status", url).out


def test_a_gate_for_the_server(postgresql: Handle) -> None:
    url = postgresql.url
    assert require("1.31", url).code == 3
    assert temporal_visibility("schema", "upgrade", url, "--yes").code == 0
    assert [require(r, url).code for r in ("1.31", "v1.31.2", "1.24.0", "1.20")] == [0, 0, 0, 0]
    ran = require("1.31", url, "--output", "json")
    assert ran.json("schema-require")["stores"][0]["starts"] is True
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE schema_version SET curr_version = '1.13'")
        assert "records 1.13" in require("1.31", url).out
        connection.execute("UPDATE schema_version SET curr_version = '1.14'")
        connection.execute("DROP INDEX by_int_01")
        ran = require("1.31", url)
        assert (ran.code, "by_int_01 is missing: queries will be slow" in ran.out) == (0, True)
        connection.execute("ALTER TABLE executions_visibility DROP COLUMN int01")
    ran = require("1.31", url)
    assert (ran.code, "TV6106" in ran.err, "column int01 is missing" in ran.out) == (3, True, True)


def test_the_recorded_version_is_not_enough(postgresql: Handle, mysql: Handle) -> None:
    """A store by the combined route records 1.12 without its columns; the defective 1.3 fails every write."""
    assert temporal_visibility("schema", "upgrade", postgresql.url, "--to", "1.9", "--yes").code == 0
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("UPDATE schema_version SET curr_version = '1.14'")
    assert require("1.31", postgresql.url).code == 3
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, find("1.3"))
    assert require("1.22", mysql.url).code == 0
    column = "JSON GENERATED ALWAYS AS (search_attributes->'BuildIds')"
    change = f"DROP INDEX by_build_ids, DROP COLUMN BuildIds, ADD BuildIds {column}"
    mysql_sql(mysql.url, f"ALTER TABLE executions_visibility {change}")

    ran = require("1.22", mysql.url)
    assert (ran.code, "column BuildIds is otherwise" in ran.out) == (3, True)


def test_all_stores_and_wrong_words(tmp_path: Path, sqlite: EmbeddedHandle) -> None:
    config = tmp_path / "stores.yaml"
    more = "overlay: {preallocated: {Int: 5}}"
    config.write_text(f"stores:\n  a: {{url: '{sqlite.url}'}}\n  b: {{url: 'sqlite:///{tmp_path}/b.db', {more}}}\n")

    for name in ("a", "b"):
        assert temporal_visibility("schema", "upgrade", name, "--config", str(config), "--yes").code == 0
    a, b = status("--config", str(config))
    assert (a["overlay"], b["overlay"]) == ([], ["preallocated: 5 Int"])
    assert (a["drift"]["findings"], b["drift"]["findings"], b["equals"]) == (0, 0, [released()[-1].version])
    assert require("1.31", "--config", str(config)).code == 0
    assert [
        require(word, "a", "--config", str(config)).code for word in ("soon", "1.2", "1.14.9", "1.99", "2.0.1")
    ] == [2] * 5


def test_watching_ends_with_ctrl_c(sqlite: EmbeddedHandle) -> None:
    command = [sys.executable, "-m", "toolkit", "schema", "status", sqlite.url, "--watch", "0.1", "--output", "json"]
    # Tests that were started in the background ignore the signal, and so would what they start.
    heeding = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heeding
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        lines = [line for _, line in zip(range(80), running.stdout, strict=False)]
        running.send_signal(2)
        told, err = "".join([*lines, running.stdout.read()]), running.stderr.read()
    documents, decoder = [], json.JSONDecoder()
    while told.strip():
        document, end = decoder.raw_decode(told.lstrip())
        documents.append(document)
        told = told.lstrip()[end:]
    assert len(documents) > 1
    # That it was stopped is no error, and none of the documents.
    assert [[*document] for document in documents] == [["stores"]] * len(documents)
    assert (running.returncode, err) == (130, "")


@pytest.mark.engines("elasticsearch", "opensearch")
def test_an_index_for_a_server(engine: Handle) -> None:
    url = f"{engine.url}gate?cluster_settings=skip"
    assert temporal_visibility("schema", "upgrade", url, "--to", "v10", "--yes").code == 0
    assert [require(r, url).code for r in ("1.29", "1.31")] == [0, 3]
    (facts,) = status(url)
    assert (facts["recorded"], facts["fits"]["release"], facts["fits"]["needs"]) == ("v10", "1.27.0", "v9")
