"""One upgrade under misfortune that a seed decides: what goes wrong, when, how often. The same seed does the same.

`python -m tests.containers.chaos --servers postgresql-15,mysql-9 --seeds 1-50 --record chaos.jsonl` runs many and
writes a line for each; a run that is recorded already is not repeated. `--faults disk` puts each store on a small disk
of its own, which fills up: at first, and whenever the dice say so, besides everything else.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from tests.containers import disk as disks
from tests.containers.disk import Disk
from tests.engines.catalog import parse
from tests.engines.embedded import EmbeddedHandle
from tests.engines.handles import Handle, alone
from tests.engines.leftovers import abandoned
from tests.engines.process_server import Server
from tests.engines.runs import Run, clean_leftovers
from tests.support import journeys
from tests.support.catalogs import released
from toolkit.catalog import differences
from toolkit.engines import Client
from toolkit.engines import engine as engine_named
from toolkit.plan import foreign_objects
from toolkit.sample import generate
from toolkit.targets import parse_url
from toolkit.verify.load import NAMESPACE, Writer
from toolkit.verify.records import content, different

ROOT = Path(__file__).resolve().parent.parent.parent
LEASE = 2.0
# A run whose misfortunes are over must end within this.
PATIENCE = 240.0
EMBEDDED = ("sqlite", "chdb")
TOOL = ("kill tool", "pause tool", "skewed clock")
SERVER = ("kill server", "pause server", "cut network", "slow network")
FULL = "fill disk"
USUAL, DISK = "usual", "disk"


@dataclass
class Outcome:
    """What a seed led to. `wrong`: what must not be, in words; () is a good end. `codes`: with which the attempts
    ended; `refused`: writes that the store did not take at first."""

    server: str
    seed: int
    start: str = ""
    rows: int = 0
    faults: list[str] = field(default_factory=list)
    attempts: int = 0
    seconds: float = 0.0
    writes: int = 0
    wrong: list[str] = field(default_factory=list)
    kind: str = USUAL
    codes: list[int] = field(default_factory=list)
    refused: int = 0


class Tool:
    """The upgrade's process."""

    def __init__(self, url: str, skew: float) -> None:
        words = [sys.executable, "-m", "tests.support.unsteady", url, released()[-1].version, str(LEASE), str(skew)]
        self._process = subprocess.Popen(
            words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )

    def ended(self, seconds: float) -> int | None:
        """Its exit code, if it ends within so long."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def send(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)

    def said(self) -> str:
        """The end of what it printed; it has ended."""
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            return stream.read()[-600:]


def run(handle: Handle | EmbeddedHandle, seed: int, name: str, disk: Disk | None = None) -> Outcome:
    """An upgrade from some version, some faults, then none; afterwards everything is compared. `disk`: where the store
    is, to be filled."""
    dice = Random(f"{name} {seed}" if disk is None else f"{name} {seed} {DISK}")
    found = Outcome(name, seed, kind=USUAL if disk is None else DISK)
    began = time.monotonic()
    target = parse_url(handle.url, {})
    known = engine_named(target.engine)
    chain = [d for d in released() if known.supports(d)]
    start = dice.choice([d for d in chain[:-1] if d.version in ("1.2", "1.6", "1.9", "1.11", "1.13")])
    found.start, found.rows = start.version, dice.choice([50, 300, 900])
    with journeys.opened(handle.url) as (_, client):
        journeys.upgrade(known, client, start)
        _finish(client)
        for _ in client.write(start, generate(start, found.rows, seed)):
            pass
        before = content(client, start, NAMESPACE)
    # chDB belongs to one process at a time: nobody can write beside the upgrade.
    beside = target.scheme != "chdb"
    writer = Writer(lambda: known.connect(target), start, 0.01, seed)
    if beside:
        with writer:
            _misfortune(handle, dice, found, disk)
            writer.wait_for(5)
    else:
        _misfortune(handle, dice, found, disk)
    found.writes, found.refused = writer.writes, writer.felt().refused
    with journeys.opened(handle.url) as (_, client):
        goal = known.catalog(released()[-1])
        seen = client.observe().catalog
        ours = seen.without(foreign_objects(seen, (goal, known.empty())))
        found.wrong += [str(d) for d in differences(ours, goal)][:5]
        after = content(client, start, NAMESPACE)
        found.wrong += different(before.others, after.others)
        if after.mine != writer.truth:
            lost = sorted(writer.truth.keys() - after.mine.keys())
            back = sorted(after.mine.keys() - writer.truth.keys())
            stale = [run for run in writer.truth.keys() & after.mine.keys() if writer.truth[run] != after.mine[run]]
            found.wrong.append(f"writer's records: lost {lost[:3]}, back {back[:3]}, stale {stale[:3]}")
    found.seconds = round(time.monotonic() - began, 1)
    return found


def _finish(client: Client) -> None:
    from toolkit.apply import ways_back
    from toolkit.apply.ongoing import kept
    from toolkit.apply.runner import Options, perform

    if kept(client):
        perform(client, ways_back.finish(client), lambda *_: None, time.monotonic, Options())


def _misfortune(handle: Handle | EmbeddedHandle, dice: Random, found: Outcome, disk: Disk | None) -> None:
    """Faults, as many as the dice say; then the tool is given again and again until it leaves with 0."""
    kinds = TOOL if isinstance(handle, EmbeddedHandle) else TOOL + SERVER
    if disk is not None:
        kinds += (FULL,)
    plan = [
        (dice.choice(kinds), 10 ** dice.uniform(-0.7, 0.6), dice.uniform(0.2, 3.0)) for _ in range(dice.randint(1, 4))
    ]
    if disk is not None:
        plan[0] = (FULL, *plan[0][1:])
    deadline = time.monotonic() + PATIENCE
    while True:
        fault, after, lasting = plan.pop(0) if plan else ("", 0.0, 0.0)
        skew = dice.choice([-86_400.0, 3_600.0, 86_400.0 * 365]) if fault == "skewed clock" else 0.0
        tool = Tool(handle.url, skew)
        found.attempts += 1
        if fault:
            found.faults.append(f"{fault} after {after:.2f} s for {lasting:.1f} s")
            if tool.ended(after) is None:
                _fault(handle, tool, fault, lasting, disk)
        code = tool.ended(max(1.0, deadline - time.monotonic()))
        if code is None:
            tool.send(signal.SIGKILL)
        said = tool.said()
        if code is None:
            raise AssertionError(f"{found.server} seed {found.seed}: the upgrade does not end; {found.faults}")
        found.codes.append(code)
        if code == 0 and not plan:
            return
        if code not in (0, 1, 4, -9):
            raise AssertionError(f"{found.server} seed {found.seed}: exit code {code}; {said}")
        if time.monotonic() > deadline:
            raise AssertionError(f"{found.server} seed {found.seed}: exit code {code} to the end; {said}")
        if code:
            time.sleep(0.2)


def _fault(handle: Handle | EmbeddedHandle, tool: Tool, fault: str, lasting: float, disk: Disk | None) -> None:
    def on_server(begin: Callable[[Handle], None], end: Callable[[Handle], None]) -> None:
        assert isinstance(handle, Handle)
        begin(handle)
        tool.ended(lasting)
        end(handle)

    match fault:
        case "kill tool":
            tool.send(signal.SIGKILL)
        case "pause tool":
            tool.send(signal.SIGSTOP)
            # Sometimes longer than its lock lasts, so that another could have taken over.
            time.sleep(lasting * 1.5)
            tool.send(signal.SIGCONT)
        case "kill server":
            on_server(lambda h: h.kill(), lambda h: h.start())
        case "pause server":
            on_server(lambda h: h.pause(), lambda h: h.resume())
        case "cut network":
            on_server(lambda h: h.cut(), lambda h: h.heal())
        case "slow network":
            on_server(lambda h: h.slow(30), lambda h: h.heal())
        case "fill disk":
            assert disk is not None
            disk.fill()
            tool.ended(lasting)
            disk.free()
            if isinstance(handle, Handle):
                # Some servers end when they cannot write.
                handle.start()
        case _:
            pass


def many(servers: list[str], seeds: range, record: Path, kind: str = USUAL) -> int:
    """Each seed on each server that is not recorded yet; how many ended badly."""
    lines = record.read_text().splitlines() if record.exists() else []
    done = {(fact["server"], fact["seed"]) for fact in map(json.loads, lines) if fact.get("kind", USUAL) == kind}
    disks.release(abandoned())
    clean_leftovers()
    own, bad = Run.begin(), 0
    try:
        for seed in seeds:
            for name in servers:
                if (name, seed) in done:
                    continue
                found = _one(own, name, seed, kind)
                bad += bool(found.wrong)
                with record.open("a") as file:
                    file.write(json.dumps(asdict(found)) + "\n")
                print(
                    f"{name} seed {seed}: {'; '.join(found.wrong) or 'good'} ({found.seconds} s; {found.faults})",
                    flush=True,
                )
    finally:
        own.end()
    return bad


def _one(own: Run, name: str, seed: int, kind: str) -> Outcome:
    try:
        with _place(own, name, kind) as (handle, disk):
            return run(handle, seed, name, disk)
    except Exception as error:
        return Outcome(name, seed, wrong=[f"{type(error).__name__}: {error}"[:600]], kind=kind)


@contextmanager
def _place(own: Run, name: str, kind: str) -> Iterator[tuple[Handle | EmbeddedHandle, Disk | None]]:
    """A store: a file of its own, or a database of a server of the run; with a disk a server of its own, too."""
    with ExitStack() as stack:
        if name in EMBEDDED:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=own.directory)))
            disk = stack.enter_context(disks.small(folder / DISK)) if kind == DISK else None
            yield EmbeddedHandle(parse(name), disk.place if disk else folder), disk
        elif kind == DISK:
            server = Server(parse(name), own.directory / f"{name}-{DISK}")
            disk = stack.enter_context(disks.small(server.directory))
            stack.callback(server.kill)
            yield stack.enter_context(alone(server)), disk
        else:
            yield stack.enter_context(alone(own.server(parse(name)))), None


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.containers.chaos", description=__doc__)
    parser.add_argument(
        "--servers", default="postgresql-15,mysql-9,elasticsearch-7.17,opensearch-2.19,clickhouse-26.9,sqlite,chdb"
    )
    parser.add_argument("--seeds", default="1-10", help="FIRST-LAST")
    parser.add_argument("--faults", choices=[USUAL, DISK], default=USUAL, help="disk: needs root")
    parser.add_argument("--record", type=Path, default=Path("chaos.jsonl"))
    arguments = parser.parse_args()
    first, _, last = arguments.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    if arguments.faults == DISK and not disks.possible():
        parser.error("no disk can be mounted here: run it as root, where mounting is allowed")
    raise SystemExit(3 if many(arguments.servers.split(","), seeds, arguments.record, arguments.faults) else 0)


if __name__ == "__main__":
    main()
