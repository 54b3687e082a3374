"""How fast the command line starts, plans and checks, beside Alembic's, in one run on the same machine.

Run: python -m tests.bench.bench_cli [--rounds N]. Prints medians and ratios; asserts nothing.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from toolkit.apply.planning import make_plan
from toolkit.engines import ENGINES
from toolkit.plan import Observed
from toolkit.versions import chain

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parent.parent.parent


def seconds(words: list[str], cwd: str) -> float:
    began = time.perf_counter()
    subprocess.run(words, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def plans() -> float:
    """An offline plan 1.9 → newest for every engine."""
    began = time.perf_counter()
    for make in ENGINES.values():
        engine = make()
        known = [d for d in chain() if engine.supports(d)]
        start = next(d for d in known if d.version == "1.9")
        make_plan(engine, Observed(engine.catalog(start), engine.label(start), ""), known[-1], chain())
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    ours = str(BIN / "temporal-visibility")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        alembic = [str(BIN / "alembic"), "-c", str(ROOT / "schema/sql/alembic.ini"), "-x", f"url={url}"]
        subprocess.run([ours, "schema", "upgrade", url, "--yes"], check=True, capture_output=True)
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "alembic --help": [alembic[0], "--help"],
            "temporal-visibility --help": [ours, "--help"],
            "alembic history": [*alembic, "history"],
            "temporal-visibility schema versions": [ours, "schema", "versions"],
            "alembic current (SQLite)": [*alembic, "current"],
            "temporal-visibility schema status (SQLite)": [ours, "schema", "status", url],
            "alembic upgrade head, nothing to do": [*alembic, "upgrade", "head"],
            "temporal-visibility schema upgrade, nothing to do": [ours, "schema", "upgrade", url, "--yes"],
            "temporal-visibility schema generate --check": [ours, "schema", "generate", "--check"],
        }
        medians = {
            name: statistics.median(seconds(words, folder) for _ in range(rounds)) for name, words in commands.items()
        }
    base = medians["alembic --help"]
    print(f"{'command':<52} {'median':>8}  of `alembic --help`")
    for name, value in medians.items():
        print(f"{name:<52} {value * 1000:>5.0f} ms  {value / base:.2f}")
    in_process = statistics.median(plans() for _ in range(rounds))
    print(f"{f'offline plan 1.9 to newest, {len(ENGINES)} engines, in process':<52} {in_process * 1000:>5.0f} ms")


if __name__ == "__main__":
    main()
