"""The harness itself: each server does what its handle promises, and a killed one keeps its data."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.engines import embedded
from tests.engines.catalog import parse
from tests.engines.embedded import EmbeddedHandle
from tests.engines.errors import NotAllowed
from tests.live.engine_probe import REFUSALS, read, write

ROOT = Path(__file__).parents[2]
SERVERS = ("postgresql", "mysql", "elasticsearch", "opensearch", "clickhouse")


@pytest.mark.short
def test_a_database_of_its_own(engine):
    write(engine.url, "a")
    other = engine.new_database()
    assert other != engine.url
    write(other, "b")
    assert read(engine.url) == ["a"]
    assert read(other) == ["b"]


@pytest.mark.short
@pytest.mark.faults
@pytest.mark.engines(*SERVERS)
def test_kill_and_start_keeps_the_data(engine):
    write(engine.url, "before")
    engine.kill()
    with pytest.raises(REFUSALS):
        read(engine.url)
    engine.start()
    assert read(engine.url) == ["before"]


WRITE_AND_DIE = """
import os, signal, sys
from tests.live.engine_probe import write
write(sys.argv[1], "before")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.short
@pytest.mark.engines("sqlite", "chdb")
def test_a_killed_process_keeps_what_it_wrote(engine):
    """The embedded engines' servers are the processes that use them."""
    done = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, engine.url], cwd=ROOT, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert read(engine.url) == ["before"]


@pytest.mark.short
def test_the_version_is_the_one_asked_for(engine):
    """What a label promises is what the server tells; `newest` and the like promise nothing but more than nothing."""
    told = embedded.version(parse(engine.name)) if isinstance(engine, EmbeddedHandle) else engine.told()
    label = parse(engine.name).label
    assert told.startswith(label) if label[0].isdigit() else int(told.split(".")[0]) >= 3


@pytest.mark.faults
@pytest.mark.engines(*SERVERS)
def test_restart_in_order_keeps_the_data(engine):
    write(engine.url, "before")
    engine.restart()
    assert read(engine.url) == ["before"]


@pytest.mark.faults
@pytest.mark.engines(*SERVERS)
def test_a_frozen_server_answers_when_it_is_let_go(engine):
    write(engine.url, "a")
    answers: list[list[str]] = []
    reader = threading.Thread(target=lambda: answers.append(read(engine.url)))
    engine.pause()
    reader.start()
    reader.join(1.0)
    assert reader.is_alive(), "a frozen server answered"
    engine.resume()
    reader.join(30)
    assert answers == [["a"]]


@pytest.mark.faults
@pytest.mark.engines(*SERVERS)
def test_a_cut_network_refuses_and_heals(engine):
    write(engine.url, "a")
    engine.cut()
    with pytest.raises(REFUSALS):
        read(engine.url)
    assert read(engine.direct_url) == ["a"]
    engine.heal()
    assert read(engine.url) == ["a"]


@pytest.mark.faults
@pytest.mark.engines(*SERVERS)
def test_a_slow_network_takes_longer(engine):
    write(engine.url, "a")
    engine.slow(150)
    began = time.monotonic()
    assert read(engine.url) == ["a"]
    assert time.monotonic() - began > 0.3


@pytest.mark.faults
@pytest.mark.engines("postgresql", "mysql")
def test_what_a_test_left_broken_is_mended_for_the_next(engine, request):
    """The clean-up after this test has to resume, start and drop; the next test on this server shows that it did."""
    write(engine.url, "a")
    engine.pause()
    engine.kill()


@pytest.mark.engines("postgresql")
def test_a_shared_server_cannot_be_broken(engine):
    for act in (engine.stop, engine.kill, engine.pause, engine.cut):
        with pytest.raises(NotAllowed, match="faults"):
            act()
