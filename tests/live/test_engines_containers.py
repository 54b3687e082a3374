"""Containers themselves: names, cleaning up, images built once. Most of it runs with --engines=containers only."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.engines import images
from tests.engines.catalog import kinds, parse
from tests.engines.containers import COMPOSE
from tests.engines.runs import clean_leftovers
from tests.live.engine_probe import read, write

ROOT = Path(__file__).parents[2]
SERVED = [kind for kind in kinds() if not kind.embedded and kind.version.container]
STARTER = """
import sys
from tests.engines.catalog import parse
from tests.engines.runs import Run
run = Run.begin()
run.container(parse("postgresql")).up()
print(run.directory, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("name", [kind.name for kind in SERVED])
def test_compose_has_every_version_with_the_official_image(name):
    kind = parse(name)
    service = yaml.safe_load(COMPOSE.read_text())["services"][kind.name]
    assert service["image"] == f"${{{images.variable(kind)}:-{kind.version.image}}}"
    assert service["mem_limit"], "memory is bounded"


def test_compose_has_nothing_else():
    services = set(yaml.safe_load(COMPOSE.read_text())["services"])
    assert services == {name for kind in SERVED for name in (kind.name, *kind.definition.companions)}


def containers_of(run):
    label = f"label=com.docker.compose.project={run.name}"
    return subprocess.check_output(["docker", "ps", "--all", "--quiet", "--filter", label], text=True).split()


@pytest.mark.containers
def test_containers_of_a_killed_run_are_removed_and_those_of_a_living_one_are_not(postgresql):
    write(postgresql.url, "mine")
    with subprocess.Popen(
        [sys.executable, "-c", STARTER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        run = Path(other.stdout.readline().strip())
        assert len(containers_of(run)) == 1
        assert run.name not in clean_leftovers()
        other.send_signal(signal.SIGKILL)
    assert run.name in clean_leftovers()
    assert containers_of(run) == []
    assert not run.exists()
    assert read(postgresql.url) == ["mine"]


@pytest.mark.containers
def test_an_image_is_built_once():
    name = images.build(parse("zookeeper"))
    made = ["docker", "image", "inspect", "--format", "{{.Created}}", name]
    before = subprocess.check_output(made)
    assert images.build(parse("zookeeper")) == name
    assert subprocess.check_output(made) == before


@pytest.mark.containers
def test_a_version_with_no_stand_in_says_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv(images.WHICH, "local")
    with pytest.raises(images.Unavailable, match=r"mysql:8\.4 has it; to get it: reach a container registry"):
        images.choose(parse("mysql-8.4"), tmp_path)
