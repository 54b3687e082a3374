"""Runs side by side and runs that were killed: nobody's servers are touched but one's own, and nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.engines.cache import prepared
from tests.engines.catalog import parse
from tests.engines.errors import NotAllowed, Unavailable
from tests.engines.ports import free_port, is_free
from tests.engines.process_server import recorded
from tests.engines.processes import Process
from tests.engines.runs import Run, clean_leftovers
from tests.engines.selection import Way, in_step, selection, usual_way
from tests.live.engine_probe import read, write

ROOT = Path(__file__).parents[2]
STARTER = """
import sys
from tests.engines.catalog import parse
from tests.engines.runs import Run
run = Run.begin()
run.server(parse("postgresql")).up()
print(run.directory, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_run():
    """Another process with a run of its own and a PostgreSQL in it; ended by closing its input."""
    started = subprocess.Popen(
        [sys.executable, "-c", STARTER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with started:
        assert started.stdout is not None
        yield started, Path(started.stdout.readline().strip())
        started.kill()
    clean_leftovers()


@pytest.fixture
def empty_cache(monkeypatch):
    """An empty cache that everyone may enter, unlike pytest's own directories."""
    with tempfile.TemporaryDirectory(prefix="tv-eng-cache-") as directory:
        Path(directory).chmod(0o755)
        monkeypatch.setenv("TEMPORAL_VISIBILITY_CACHE", directory)
        yield Path(directory)


def server_process(directory):
    state = json.loads((directory / "postgresql-15/state.json").read_text())
    return Process(state["pid"], state["started"])


def test_a_killed_run_is_cleaned_by_the_next(other_run):
    process, directory = other_run
    server = server_process(directory)
    assert server.lives()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert server.lives(), "the server went with its run: nothing to clean"
    mapped = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in server.tree())
    assert str(directory) in mapped
    assert "/dev/shm/PostgreSQL." not in mapped, "this would stay behind"
    assert directory.name in clean_leftovers()
    assert not server.lives()
    assert not directory.exists()


def test_a_living_run_is_left_alone(other_run, postgresql):
    _, directory = other_run
    write(postgresql.url, "mine")
    assert directory.name not in clean_leftovers()
    assert server_process(directory).lives()
    other = Run(directory).server(parse("postgresql"))
    assert other.address.port != postgresql.address.port
    other.kill()
    assert read(postgresql.url) == ["mine"]


PREPARER = """
import sys
from tests.engines.leftovers import note, owned
from tests.engines.processes import Command, start
directory = owned("job-")
(directory / "node").mkdir()
note(directory / "node", start(Command(["sleep", "600"]), directory / "node/log"))
print(directory, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_preparation_left_is_removed():
    """A server home is tried out once on its way to the cache: that node must not outlive its starter for ever."""
    with subprocess.Popen(
        [sys.executable, "-c", PREPARER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as preparer:
        assert preparer.stdout is not None
        directory = Path(preparer.stdout.readline().strip())
        node = recorded(directory / "node")
        assert node is not None
        assert directory.name not in clean_leftovers()
        assert node.lives()
        preparer.kill()
    assert directory.name in clean_leftovers()
    assert not node.lives()
    assert not directory.exists()


def test_two_runs_side_by_side_break_only_their_own_servers():
    """Two whole test runs at once, each killing, restarting and freezing the same version's server."""
    tests = ["tests/live/test_engines_servers.py", "--servers=postgresql-15"]
    chosen = ["-k", "kill_and_start or restart_in_order or frozen"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, *chosen]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for one in both:
        said, _ = one.communicate(timeout=300)
        assert one.returncode == 0, said
        assert "3 passed" in said


def test_a_process_is_not_mistaken_for_another_with_its_number():
    started = int(Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19])
    assert Process(os.getpid(), started).lives()
    assert not Process(os.getpid(), started - 1).lives()


def test_two_runs_prepare_a_thing_once(tmp_path, empty_cache):
    script = f"""
import time
from tests.engines.cache import prepared
def build(work, final):
    with open({str(tmp_path / "builds")!r}, "a") as out:
        out.write("built\\n")
    time.sleep(0.5)
    (work / "content").write_text("done")
print((prepared("thing", 1, build) / "content").read_text())
"""
    both = [
        subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [one.communicate(timeout=60)[0] for one in both] == ["done\n", "done\n"]
    assert (tmp_path / "builds").read_text() == "built\n"
    assert prepared("thing", 2, lambda work, final: None) != prepared("thing", 1, lambda work, final: None)


def test_a_failed_preparation_leaves_nothing(empty_cache):

    def build(work, final):
        (work / "half").touch()
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        prepared("thing", 1, build)
    assert [path.name for path in empty_cache.iterdir()] == ["locks"]


def test_a_missing_engine_fails_with_one_line_that_says_how_to_get_it(tmp_path, empty_cache):
    (tmp_path / "apt-get").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "apt-get").chmod(0o755)
    environment = {**os.environ, "PATH": str(tmp_path)}
    test = "tests/live/test_engines_servers.py::test_a_database_of_its_own[opensearch-2.19]"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout
    assert "opensearch-2.19 cannot run here: " in done.stdout
    assert "apt-get install maven" in done.stdout
    assert "Traceback" not in done.stdout


def test_free_ports_are_free():
    assert is_free(free_port())


@pytest.mark.parametrize(
    ("names", "everything", "short", "expected"),
    [
        ((), False, False, ["9"]),
        ((), False, True, ["8.0", "8.4", "9"]),
        ((), True, False, ["8.0", "8.4", "9"]),
        (("mysql-8.0,postgresql",), False, False, ["8.0"]),
        (("postgresql",), True, True, []),
    ],
)
def test_which_versions_a_test_runs_on(names, everything, short, expected):
    assert [kind.label for kind in selection(names, everything, {}).kinds("mysql", short)] == expected


def test_a_test_with_several_engines_runs_with_each_version_once():
    postgresql, mysql = (
        selection([], True, {}).kinds("postgresql", False)[:3],
        selection([], True, {}).kinds("mysql", False),
    )
    assert [kind.label for kind in mysql] == ["8.0", "8.4", "9"]
    rows = in_step([postgresql, mysql], lambda kind: kind.label != "8.4")
    assert [tuple(kind.label for kind in row) for row in rows] == [
        ("12", "8.0"), ("13", "9"), ("14", "8.0"), ("12", "8.4"),
    ]  # fmt: skip
    assert in_step([postgresql, []], lambda _: True) == []


def test_a_url_from_the_environment_wins():
    environment = {
        "TEMPORAL_VISIBILITY_TEST_MYSQL_URL": "mysql://u:p@h:1/d",
        "TEMPORAL_VISIBILITY_TEST_MYSQL_8_0_URL": "mysql://h",
    }
    chosen = selection(["mysql-8.0"], True, environment)
    assert {kind.label: chosen.urls[kind] for kind in chosen.kinds("mysql", False)} == {
        "8.0": "mysql://h",
        "9": "mysql://u:p@h:1/d",
    }


def test_a_version_without_programs_is_left_out_unless_it_is_asked_for():
    image_only, others = parse("mysql-8.4"), parse("mysql")
    assert "--engines=containers --servers=mysql-8.4" in str(selection([], False, {}, "processes").why_not(image_only))
    assert selection([], False, {}, "containers").why_not(image_only) is None
    assert selection([], False, {}, "processes").why_not(others) is None
    asked = selection(["mysql-8.4"], False, {}, "processes")
    assert asked.why_not(image_only) is None
    with pytest.raises(Unavailable, match="to get it: --engines=containers"):
        asked.check(image_only)


def test_a_version_without_an_image_is_left_out_of_containers():
    process_only = parse("opensearch_secured-2.19")
    assert "--engines=processes --servers=opensearch_secured-2.19" in str(
        selection([], False, {}, "containers").why_not(process_only)
    )
    assert selection([], False, {}, "processes").why_not(process_only) is None
    with pytest.raises(Unavailable, match="to get it: --engines=processes"):
        selection(["opensearch_secured"], False, {}, "containers").check(process_only)


def test_with_urls_only_a_server_without_one_is_missing():
    environment = {"TEMPORAL_VISIBILITY_TEST_MYSQL_URL": "mysql://u:p@h:1/d"}
    chosen = selection([], False, environment, "urls")
    chosen.check(parse("mysql"))
    with pytest.raises(Unavailable, match="set TEMPORAL_VISIBILITY_TEST_POSTGRESQL_15_URL"):
        chosen.check(parse("postgresql"))


def test_servers_are_processes_where_there_are_programs():
    assert usual_way("linux", "x86_64") is Way.PROCESSES
    assert usual_way("darwin", "arm64") is usual_way("linux", "aarch64") is Way.CONTAINERS


def test_an_unknown_server_is_named():
    with pytest.raises(NotAllowed, match=r"mysql-7.*mysql-8\.0"):
        selection(["mysql-7"], False, {})
