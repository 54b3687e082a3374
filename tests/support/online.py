"""What tests of runs beside live writes share: a store with records, and runs killed at their n-th event.

The judge is the test: nothing here asserts what a store must hold.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import journeys
from tests.support.catalogs import LAST
from tests.support.sqlite import path_of
from toolkit.apply import plan_json
from toolkit.apply.actions import Action, Outcome
from toolkit.apply.ongoing import unfinished
from toolkit.apply.runner import Options, perform, plan_store, upgrade_task
from toolkit.apply.task import Watch
from toolkit.apply.ways_back import finish, rollback
from toolkit.overlay import NO_OVERLAY
from toolkit.sample import generate
from toolkit.versions import chain, find

ROOT = Path(__file__).resolve().parent.parent.parent
# Before and after the second and each further action. A resumed swap looks, replays and looks again (six events)
# before its attempt: a run that never gets beyond its seventh would never end.
EVENTS = (2, 3, 4, 5, 7, 8)


# Rows and version → the SQLite file that has them.
_MADE: dict[tuple[int, str], bytes] = {}


def prepared(url: str, rows: int, version: str = "1.9") -> None:
    """A store at `version` with `rows` records. A new SQLite file is made once, and is a copy from then on."""
    file = path_of(url) if url.startswith("sqlite:") else None
    if file is None or file.exists():
        _prepare(url, rows, version)
        return
    if (rows, version) not in _MADE:
        _prepare(url, rows, version)
        _MADE[rows, version] = file.read_bytes()
    file.write_bytes(_MADE[rows, version])


def _prepare(url: str, rows: int, version: str) -> None:
    definition = find(version)
    with journeys.opened(url) as (chosen, client):
        journeys.upgrade(chosen, client, definition)
        for _ in client.write(definition, generate(definition, rows, 3)):
            pass


def go(
    url: str,
    version: str = LAST,
    options: Options | None = None,
    kind: str = "upgrade",
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Upgrade (or `rollback`, or `finish`), or go on with what was cut off, in this process; errors as the runner
    raises them."""
    wanted = find(version)
    with journeys.opened(url) as (chosen, client):
        if kind != "upgrade":
            back = rollback(chosen, client, chain(), NO_OVERLAY) if kind == "rollback" else finish(client)
            perform(client, back, lambda *_: None, clock, options or Options())
            return
        known = unfinished(client)
        plan = plan_json.load(known.plan) if known else plan_store(chosen, client, wanted, chain(), NO_OVERLAY)
        task = upgrade_task(chosen, plan, wanted, NO_OVERLAY)
        perform(client, task, lambda *_: None, clock, options or Options())


def doomed(
    url: str, event: int, version: str = LAST, seconds: float = 60.0, statements: bool = False, kind: str = "upgrade"
) -> bool:
    """Run the upgrade in a process that dies (SIGKILL) at its `event`-th event: events are counted before and after
    every action (`statements`: and after each statement of a step). Whether it got to the end before. A lock left by
    the process killed before is waited for."""
    deadline = time.monotonic() + seconds
    words = ["--kind", kind, *(["--statements"] if statements else [])]
    while True:
        command = [sys.executable, "-m", "tests.support.doomed", url, version, str(event), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if "LockHeld" not in done.stderr:
            assert done.returncode in (0, -9), done.stderr
            return done.returncode == 0
        assert time.monotonic() < deadline, "the lock of a killed run never expired"


def once_before(kind: type[Action], act: Callable[[], None]) -> tuple[Watch, list[Action]]:
    """A watch that does something before the first action of that kind, and the list that has the action then."""
    met: list[Action] = []

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, kind) and outcome is None and not met:
            met.append(action)
            act()

    return watch, met


class Late:
    """A paused run. `said`: what it wrote once it had woken up and ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""

    def wakes(self) -> int:
        """Let it go on; its exit code."""
        self.process.send_signal(signal.SIGCONT)
        out, err = self.process.communicate(timeout=120)
        self.said = out + err
        return self.process.returncode


@contextmanager
def paused(url: str, event: int, version: str = LAST, seconds: float = 60.0) -> Iterator[Late]:
    """An upgrade in a process of its own that is stopped (SIGSTOP) at its `event`-th event."""
    command = [sys.executable, "-m", "tests.support.doomed", url, version, str(event), "--signal", "STOP"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        deadline = time.monotonic() + seconds
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert process.poll() is None, "the run ended before it could be paused"
            assert time.monotonic() < deadline, "the run never came to the event"
            time.sleep(0.01)
        yield Late(process)
    finally:
        process.kill()
        process.wait()


def killed_again_and_again(
    url: str,
    everywhere: bool,
    version: str = LAST,
    statements: bool = False,
    every: int = 3,
    kind: str = "upgrade",
) -> int:
    """Kill and repeat until the upgrade gets to its end; how often it was killed. `everywhere`: after each action
    before it is written down, and before the next one; otherwise ever later ones."""
    kills = 0
    while True:
        event = EVENTS[kills % len(EVENTS)] if everywhere else 1 + every * kills
        if doomed(url, event, version, statements=statements, kind=kind):
            break
        kills += 1
        assert kills < 600, "the run never ends"
    return kills
