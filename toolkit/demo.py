"""`make demo`: the main job on two embedded stores, with the commands a user would type.

It runs the real command line on a SQLite file and a chDB directory under ./demo, and checks that no record changed; it
needs no server and touches nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shlex
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import click

from toolkit.cli import root
from toolkit.cli.output import number, run_command, settle_streams
from toolkit.engines import engine
from toolkit.records import Record
from toolkit.targets import parse_url
from toolkit.versions import chain, find

BEFORE = "1.9"
ATTRIBUTE = "TemporalExternalPayloadCount"
FOLDER = Path("demo")
STORES = {
    "SQLite": "sqlite:///demo/visibility.db",
    # Unlike SQLite's, chDB's own URLs have absolute paths only.
    "ClickHouse (chDB)": f"chdb://{FOLDER.resolve()}/clickhouse?database=visibility",
}


def main() -> None:
    """Create at 1.9, fill, plan, upgrade, verify, query, show the status; leave with 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="make demo", description=main.__doc__)
    parser.add_argument("--rows", type=int, default=50_000, help="live records per store")
    rows = parser.parse_args().rows
    settle_streams()
    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for title, url in STORES.items():
        journey(title, url, rows)
    newest = chain()[-1].version
    click.echo(
        f"\nBoth stores are at {newest}; no record changed. {time.monotonic() - began:.0f} s. Files: ./{FOLDER}/"
    )


def journey(title: str, url: str, rows: int) -> None:
    """One store, from nothing to the newest version."""
    heading(f"{title}: a store at version {BEFORE} with {number(rows)} records")
    command("schema", "upgrade", url, "--to", BEFORE, "--yes", show=False)
    command("sample", url, "--rows", str(rows), "--seed", "7")
    before = digest(url)
    heading(f"{title}: what would an upgrade do?")
    command("schema", "plan", url)
    heading(f"{title}: do it")
    command("schema", "upgrade", url, "--yes")
    after = digest(url)
    if before != after:
        sys.exit(f"Records of {title} changed during the upgrade: {before} before, {after} after.")
    click.echo(f"Verified: the live catalog equals the definition, and the {number(rows)} records are what they were.")
    heading(f"{title}: records that know the new attributes arrive, and are found by one of them")
    command("sample", url, "--rows", "500", "--seed", "8")
    namespace = namespace_with(url, ATTRIBUTE)
    command(
        "query", url, "--namespace", namespace, f"{ATTRIBUTE} > 0 AND ExecutionStatus = 'Completed'", "--limit", "5"
    )
    command("schema", "status", url)


def heading(text: str) -> None:
    """A line that can be found in a log."""
    click.echo("\n" + click.style(f"== {text}", bold=True))


def command(*words: str, show: bool = True) -> None:
    """Run one command line in this process, as typed; what it prints is shown, or only kept out of the way."""
    shown = shlex.join(words)
    click.echo(click.style(f"$ temporal-visibility {shown}", fg="cyan"))
    if show:
        code = run_command(root, list(words))
    else:
        kept = io.StringIO()
        with redirect_stdout(kept), redirect_stderr(kept):
            code = run_command(root, list(words))
        if code != 0:
            click.echo(kept.getvalue(), err=True)
    if code != 0:
        sys.exit(f"The command above left with {code}.")


def records(url: str, version: str) -> Iterator[Record]:
    """All records of a store, as `version` sees them."""
    target = parse_url(url, os.environ)
    client = engine(target.engine).connect(target)
    try:
        yield from client.read(find(version))
    finally:
        client.close()


def digest(url: str) -> str:
    """A hash over all records as version 1.9 sees them, whatever their order."""
    total, count = 0, 0
    for record in records(url, BEFORE):
        total, count = (total + fingerprint(record)) % 2**128, count + 1
    return f"{count} records, {total:032x}"


def namespace_with(url: str, attribute: str) -> str:
    """The namespace with most records that have `attribute`."""
    found = Counter(r.namespace_id for r in records(url, "latest") if r.attributes.get(attribute))
    return found.most_common(1)[0][0]


def fingerprint(record: Record) -> int:
    """A number that only equal records share; sums of them do not depend on order."""
    parts = [repr(getattr(record, name)) for name in record.__slots__ if name != "attributes"]
    parts += [f"{name}={value!r}" for name, value in sorted(record.attributes.items())]
    return int.from_bytes(hashlib.blake2b("\0".join(parts).encode(), digest_size=16).digest(), "big")


if __name__ == "__main__":
    main()
