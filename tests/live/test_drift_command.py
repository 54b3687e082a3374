"""`schema drift` as a user and a cron job meet it: exit codes, reports, metrics, and a run in progress."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import click
import psycopg
import pytest

from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle
from tests.support import journeys
from tests.support.catalogs import released
from tests.support.command import Ran, temporal_visibility
from toolkit.apply.lock import Heartbeat
from toolkit.cli import drift as drift_command
from toolkit.errors import Stopped


def drift(*words: str) -> Ran:
    return temporal_visibility("schema", "drift", *words)


def damaged(url: str) -> None:
    with journeys.opened(url) as (chosen, client):
        journeys.upgrade(chosen, client, released()[-1])
    with sqlite3.connect(urlsplit(url).path.removeprefix("/")) as connection:
        connection.execute("DROP INDEX by_int_01")
        connection.execute("CREATE INDEX by_mine ON executions_visibility (run_id)")
        connection.execute("CREATE TABLE reports (id int)")


def test_reports_and_repair(sqlite: EmbeddedHandle, tmp_path: Path) -> None:
    url = sqlite.url
    damaged(url)
    junit, metrics, link, pipe = (tmp_path / name for name in ("drift.xml", "drift.prom", "link.prom", "pipe"))
    metrics.touch()
    link.symlink_to(metrics)
    ran = drift(url, "--junit", str(junit), "--metrics", str(link), "--output", "json")
    assert ran.code == 3
    (store,) = ran.json("schema-drift")["stores"]
    assert [(f["code"], f["object"].rpartition("/")[2]) for f in store["findings"]] == [
        ("TV6111", "by_int_01"), ("TV6112", "by_mine")]  # fmt: skip
    assert any("CREATE INDEX" in text for text in store["findings"][0]["repair"])
    assert store["beside"] == ["tables/reports"]
    suite = ElementTree.fromstring(junit.read_text()).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    text = metrics.read_text()
    assert re.search(r'^temporal_visibility_drift_findings\{.*code="TV6111"\} 1$', text, re.MULTILINE)
    assert re.search(r"^temporal_visibility_drift_check_failed\{.*\} 0$", text, re.MULTILINE)
    assert not list(tmp_path.glob(".drift*"))
    assert link.is_symlink()
    os.mkfifo(pipe)
    with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)) as reader:
        assert drift(url, "--metrics", str(pipe)).code == 3
        assert "temporal_visibility_drift" in reader.read()
    assert pipe.is_fifo()
    lines = drift(url, "--output", "github").out.splitlines()
    assert lines[0].startswith("::error title=TV6111 sqlite%3A///")
    assert drift(url, "--repair").code == 2, "nobody is there to ask"
    assert drift(url, "--repair", "--yes", "--keep-extra").code == 0
    assert drift(url, "--keep-extra").code == 0
    assert drift(url).code == 3
    assert drift(url, "--repair", "--yes").code == 0
    assert "no drift" in drift(url).out
    with sqlite3.connect(urlsplit(url).path.removeprefix("/")) as connection:
        assert connection.execute("SELECT count(*) FROM reports").fetchone() == (0,)


def test_what_cannot_be_checked_is_told(tmp_path: Path) -> None:
    metrics = tmp_path / "drift.prom"
    config = tmp_path / "stores.yaml"
    config.write_text(
        f"stores:\n  a: {{url: 'sqlite:///{tmp_path}/a.db'}}\n  b: {{url: 'postgresql://x@127.0.0.1:1/y'}}\n"
    )
    assert drift(f"sqlite:///{tmp_path}/a.db", "--version", "9.9").code == 2
    ran = drift("--config", str(config), "--metrics", str(metrics))
    assert ran.code == 2
    assert "TV6102" in ran.err
    assert len(re.findall(r"check_failed\{.*\} 1$", metrics.read_text(), re.MULTILINE)) == 2


def test_a_repair_that_is_stopped_or_cannot_be_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in "ab"]
    config, metrics = tmp_path / "stores.yaml", tmp_path / "drift.prom"
    config.write_text(f"stores:\n  a: {{url: '{urls[0]}'}}\n  b: {{url: '{urls[1]}'}}\n")
    for url in urls:
        damaged(url)
    ran = drift("--config", str(config), "--repair", "--yes", "--metrics", "/nowhere/x.prom")
    assert (ran.code, "TV2042" in ran.err, ran.out) == (2, True, ""), "nothing was repaired"
    asked: list[object] = []

    def stopped(client: object, *rest: object) -> None:
        asked.append(client)
        raise ends[len(asked) - 1]

    ends = [Stopped("TV5108", "stopped", ""), KeyboardInterrupt(), click.Abort()]
    monkeypatch.setattr(drift_command, "run_task", stopped)
    for number in range(1, len(ends) + 1):
        ran = drift("--config", str(config), "--repair", "--yes", "--metrics", str(metrics), "--output", "json")
        (store,) = ran.json("schema-drift")["stores"]
        assert (ran.code, store["error"]["code"], len(asked)) == (130, "TV5108", number), "b is not begun"
        assert not metrics.exists()


def test_a_run_in_progress_is_no_drift(postgresql: Handle, tmp_path: Path) -> None:
    metrics = tmp_path / "drift.prom"
    with journeys.opened(postgresql.url) as (chosen, client):
        journeys.upgrade(chosen, client, released()[-1])
        with psycopg.connect(postgresql.url, autocommit=True) as connection:
            connection.execute("DROP INDEX by_int_01")
        with Heartbeat(client.take_lock("somebody", 30.0), 5.0):
            ran = drift(postgresql.url, "--metrics", str(metrics))
            assert (ran.code, "TV6103" in ran.err, "somebody" in ran.err) == (4, True, True)
            assert re.search(r"run_in_progress\{.*\} 1$", metrics.read_text(), re.MULTILINE)
    ran = drift(postgresql.url, "--wait", "20")
    assert (ran.code, "index by_int_01 is missing" in ran.out) == (3, True)
