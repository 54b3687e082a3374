"""Operating-system processes: start one apart from this one, look whether it lives, stop, kill, freeze it with its
children.

A process is named by its id and its start time, so that a reused id is never mistaken for it. Linux only (/proc).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is run: its arguments, additions to the environment, and the signal that asks it to stop."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = Path("/")
    stop_signal: signal.Signals = signal.SIGTERM
    privileged: bool = False  # runs as this user even when that is root


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine: its id and its start time in clock ticks since boot."""

    pid: int
    started: int

    def lives(self) -> bool:
        """Whether it still runs; a zombie does not."""
        state = _stat(self.pid)
        return state is not None and state[0] not in "ZX" and int(state[19]) == self.started

    def tree(self) -> list[int]:
        """The ids of the process and all its descendants, parents first."""
        if not self.lives():
            return []
        children: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (state := _stat(int(entry))):
                children.setdefault(int(state[1]), []).append(int(entry))
        found = [self.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.lives():
                os.kill(self.pid, number)

    def send_tree(self, number: signal.Signals) -> None:
        for pid in self.tree():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def memory(self) -> int:
        """Resident memory of the process and its descendants, in bytes (shared pages counted once per process)."""
        total = 0
        for pid in self.tree():
            with contextlib.suppress(OSError, ValueError, IndexError):
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return total


def process(pid: int) -> Process:
    """The living process with this id; ProcessLookupError when there is none."""
    state = _stat(pid)
    if state is None:
        raise ProcessLookupError(pid)
    return Process(pid, int(state[19]))


def current() -> Process:
    return process(os.getpid())


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name: state, parent, …; the start time is number 19."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def owner() -> tuple[int, int] | None:
    """User and group that servers run as when this process is root's (databases refuse root), else nothing."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED)
    return entry.pw_uid, entry.pw_gid


def give_away(directory: Path) -> None:
    """Let the user that servers run as own `directory` and what is in it."""
    if ids := owner():
        for folder, _, files in os.walk(directory):
            os.chown(folder, *ids)
            for name in files:
                os.chown(os.path.join(folder, name), *ids, follow_symlinks=False)


def _identity(command: Command) -> dict[str, object]:
    ids = None if command.privileged else owner()
    return {"user": ids[0], "group": ids[1], "extra_groups": []} if ids else {}


KEEPER = '"$@" >&2 & echo $!; exec >&2; wait $!'  # standard output gives the id, standard error is the log


def start(command: Command, log: Path) -> Process:
    """Start a server that outlives this process; what it says goes to the end of `log`.

    A shell stays as its parent, so that a killed server is gone at once and does not linger as a zombie, which
    servers take for
    a living predecessor.
    """
    with log.open("ab") as out:
        keeper = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "keeper", *command.argv],
            cwd=command.directory,
            env={**_environment(), **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
            start_new_session=True,
            **_identity(command),  # type: ignore[call-overload]
        )
        assert keeper.stdout is not None
        with keeper.stdout as answer:
            pid = answer.readline()
    keeper.returncode = 0  # nobody waits for it here: no warning about a child left behind
    return process(int(pid))


def call(command: Command, text: str = "") -> None:
    """Run a command of a server's set-up to its end, as the server's user, with `text` as its input.

    RuntimeError with its last lines on failure.
    """
    done = subprocess.run(
        list(command.argv),
        cwd=command.directory,
        env={**_environment(), **command.environment},
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **_identity(command),  # type: ignore[call-overload]
    )
    if done.returncode:
        raise RuntimeError(
            f"{command.argv[0]} ended with {done.returncode}: {' | '.join(done.stdout.splitlines()[-5:])}"
        )


def _environment() -> dict[str, str]:
    kept = ("PATH", "TZ")
    return {
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",
        **{name: os.environ[name] for name in kept if name in os.environ},
    }


def wait_until(
    condition: Callable[[], bool], seconds: float, what: str, *, unless: Callable[[], str | None] = lambda: None
) -> None:
    """Ask `condition` until it holds; TimeoutError after `seconds`, RuntimeError as soon as `unless` gives a reason."""
    end = time.monotonic() + seconds
    pause = 0.02
    while not condition():
        if reason := unless():
            raise RuntimeError(f"{what}: {reason}")
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)
