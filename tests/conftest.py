"""Pytest's entry to the project's own plugins (all in tests/engines), and how hypothesis runs here."""

import gc
import os
import re

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.engines.plugin"]

# What nothing expected is to be seen whole, also of commands in processes of their own.
os.environ["TEMPORAL_VISIBILITY_TRACEBACK"] = "1"

# See pytest_runtestloop.
gc.disable()
gc.set_threshold(50_000, 20, 50)

# Time is measured by benchmarks, never by tests: two cores that also run ten servers would make any deadline a lie.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")


def some(given: str) -> range:
    """`A-B`: the numbers from A up to B, without B."""
    if not (found := re.fullmatch(r"(\d+)-(\d+)", given)):
        raise ValueError
    return range(int(found[1]), int(found[2]))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--filters",
        type=some,
        default=range(10_000),
        metavar="A-B",
        help="of the ten thousand generated filters these only: 6000-10000",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Modules and tests stay until the end: the garbage collector need not look at them again and again. Also in the
    process that collects none, as its workers do."""
    gc.freeze()
    gc.enable()
