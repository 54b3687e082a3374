"""ClickHouse upgrades 1.9 → newest under steady inserts, and a rebuild for another key beside the bare copy.

Run: python -m tests.bench.bench_upgrade_clickhouse --rows 20000 --rate 50. No insert may fail: the table says how many
were refused, the longest one, and rows lost or wrong afterwards. It asserts nothing.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.bench import load
from tests.bench.bench_upgrade import databases, fill
from tests.bench.load import NAMESPACE
from tests.support.clickhouse import TABLE, laid_out_otherwise, plain, rows

OLD_KEY = "key"
# Greater than any version the sample writes: every write of the load wins.
_VERSIONS = itertools.count(2**40)


class _Session:
    """One writer: each write is an insert of the whole record with a greater version, as a ClickHouse writer does."""

    def __init__(self, url: str) -> None:
        self._manager = plain(url)
        self._connection = self._manager.__enter__()

    def insert(self, run: str, word: str) -> None:
        self._put(run, 1, word, 0)

    def update(self, run: str, word: str) -> None:
        self._put(run, 2, word, 0)

    def delete(self, run: str) -> None:
        self._put(run, 2, "", 1)

    def close(self) -> None:
        self._manager.__exit__(None, None, None)

    def _put(self, run: str, status: int, word: str, deleted: int) -> None:
        start = 1_700_000_000 + int(run[:6], 16) % 100_000
        self._connection.command(
            f"INSERT INTO {TABLE} (namespace_id, run_id, start_time, execution_time, workflow_id, workflow_type_name,"
            f" status, keyword01, _version, is_deleted) SELECT '{NAMESPACE}', '{run}', toDateTime64({start}, 6, 'UTC'),"
            f" toDateTime64({start}, 6, 'UTC'), 'load', 'load', {status}, '{word}', {next(_VERSIONS)}, {deleted}"
        )


def stored(url: str) -> Mapping[str, str]:
    """Run → word of the load's rows, as a reader sees them."""
    newest = f"(SELECT * FROM {TABLE} ORDER BY _version DESC LIMIT 1 BY namespace_id, run_id)"
    return dict(
        rows(url, f"SELECT run_id, keyword01 FROM {newest} WHERE NOT is_deleted AND namespace_id = '{NAMESPACE}'")
    )


def bare(url: str, log: Path) -> Mapping[str, float | str]:
    """What any rebuild costs at least: one statement that reads all rows and writes them under the other key."""
    with plain(url) as connection:
        ((text,),) = rows(url, f"SHOW CREATE TABLE {TABLE}")
        wanted = text.replace("(namespace_id, run_id, start_time)", "(namespace_id, start_time, run_id)")
        connection.command(wanted.replace(f".{TABLE}", ".bare_copy", 1))
        connection.command(f"INSERT INTO bare_copy SELECT * FROM {TABLE}")
    return {}


def ours(url: str, log: Path) -> Mapping[str, float | str]:
    """See `load.command`."""
    return load.command(["schema", "upgrade", url, "--yes"], log)


Fill = Callable[[str, int], None]
WAYS: Mapping[str, tuple[Fill, Callable[[str, Path], Mapping[str, float | str]]]] = {
    "bare INSERT SELECT": (lambda url, number: laid_out_otherwise(url, number, OLD_KEY), bare),
    "another key, rebuilt": (lambda url, number: laid_out_otherwise(url, number, OLD_KEY), ours),
    "columns and indexes in place": (fill, ours),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="clickhouse-26.9", help="clickhouse-26.9, clickhouse-25.8, …")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=50, help="inserts a second")
    parser.add_argument("--way", action="append", choices=list(WAYS), help="only this way (repeatable)")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    arguments = parser.parse_args()
    sides = []
    with databases(arguments.engine) as fresh, tempfile.TemporaryDirectory() as folder:
        for name in arguments.way or WAYS:
            print(f"{name} …", file=sys.stderr, flush=True)
            sides.append(measure(fresh(), name, arguments, Path(folder) / "log"))
    title = f"{arguments.engine}, {arguments.rows} rows, {arguments.rate:g} inserts/s"
    print("\n".join(load.table(title, sides)))
    if arguments.json:
        facts = {"engine": arguments.engine, "rows": arguments.rows, "rate": arguments.rate}
        arguments.json.write_text(load.as_json("upgrade", facts, sides))


def measure(url: str, name: str, arguments: argparse.Namespace, log: Path) -> load.Side:
    """One way on a store of its own."""
    prepare, work = WAYS[name]
    prepare(url, arguments.rows)
    return load.measured(name, lambda: _Session(url), arguments.rate, lambda: work(url, log), lambda: stored(url))


if __name__ == "__main__":
    main()
