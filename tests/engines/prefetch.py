"""Preparing a whole run's servers in the background, so that downloads go on beside tests that need none.

What is there already costs a look. Tests that come first wait at the same locks; it starts nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.engines.catalog import ENGINES, Kind
from tests.engines.selection import Selection, Way

ROOT = Path(__file__).resolve().parent.parent.parent


def wanted(chosen: Selection) -> list[Kind]:
    """The servers that a whole run starts as processes."""
    if chosen.way is not Way.PROCESSES or chosen.only:
        return []
    kinds = [kind for engine in ENGINES for kind in chosen.kinds(engine, short=True)]
    return [kind for kind in kinds if not kind.embedded and kind not in chosen.urls and kind.version.process]


def begin(config: pytest.Config, chosen: Selection, log: Path) -> subprocess.Popen[bytes] | None:
    """Begin to prepare them when all tests run; None when there is nothing to prepare, or some tests are named."""
    names = [kind.name for kind in wanted(chosen)] if config.args_source is config.ArgsSource.TESTPATHS else []
    return prepare(names, log) if names else None


def prepare(names: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Gives way to the tests. What cannot be had is said by the tests that need it."""
    command = ["nice", sys.executable, "-m", "tests.engines", "prepare", *names]
    with log.open("wb") as file:
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                start_new_session=True)  # fmt: skip


def end(process: subprocess.Popen[bytes] | None) -> None:
    """The run is over: what is not there yet is not needed."""
    if process is not None and process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
