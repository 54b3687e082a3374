"""`schema generate`: write the files under schema/ from the definitions, or check them as CI wants them checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from toolkit.changelog import unexplained, unwritten
from toolkit.cli.output import ci_output_option, emit
from toolkit.errors import Differences, UsageError
from toolkit.generate import Stale, compare
from toolkit.history import changed, past
from toolkit.reports import annotation
from toolkit.resources import changelog_file, schema_dir
from toolkit.versions import chain, verify_released

CORRECTED = "`- Changed after release: `FILE`: WHY`"


@click.command("generate")
@click.option("--check", is_flag=True, help="Write nothing; leave with 3 when a file is not current, or a version has "
              "no entry in CHANGELOG.md.")  # fmt: skip
@click.option("--against", metavar="COMMIT", help="With --check: no file that was released at this commit, tag or "
              "branch may be otherwise now.")  # fmt: skip
@ci_output_option()
def command(check: bool, against: str | None, output: str) -> None:
    """Write what follows from schema/versions: scripts, Alembic revisions, templates, migrations, checksums."""
    if against is not None and not check:
        raise click.UsageError("--against goes with --check")
    folder = schema_dir()
    altered = _altered(folder, against) if against is not None else ()
    verify_released(folder)
    stale = compare(folder, chain())
    if not check:
        write(folder, stale)
    found = Found(stale.names(), altered, _unwritten() if check else ())
    data = {
        "stale": list(found.stale),
        "written": not check,
        "changed": list(altered),
        "unwritten": list(found.unwritten),
    }
    emit(output, data, lambda: _lines(found, check), lambda: _annotations(found, check))
    if check:
        _leave(found, against)


@dataclass(frozen=True, slots=True)
class Found:
    """Files that are not current, files that are not what was released, versions without an entry."""

    stale: tuple[str, ...]
    altered: tuple[str, ...]
    unwritten: tuple[str, ...]


def write(folder: Path, stale: Stale) -> None:
    """Make `folder` current. Raises UsageError."""
    try:
        for name, text in stale.write.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        for name in stale.remove:
            (folder / name).unlink()
    except OSError as error:
        raise unwritable(error) from None


def unwritable(error: OSError) -> UsageError:
    """The error for a folder that takes no files: rights, a disk that is full or read-only."""
    message = f"cannot write {error.filename}: {error.strerror}"
    return UsageError("TV2008", message, "Run this in a checkout you may write to.")


def _altered(folder: Path, against: str) -> tuple[str, ...]:
    then = past(folder, against)
    return unexplained(changed(folder, then), _changelog() or "", then.changelog)


def _unwritten() -> tuple[str, ...]:
    """An installed package has no changelog, and nothing to say about it."""
    text = _changelog()
    return () if text is None else unwritten(text, [d.version for d in chain()])


def _changelog() -> str | None:
    file = changelog_file()
    return file.read_text(encoding="utf-8", errors="replace") if file else None


def _lines(found: Found, check: bool) -> Iterator[str]:
    yield from (f"not what was released: {name}" for name in found.altered)
    yield from (f"{'stale' if check else 'written'}: {name}" for name in found.stale)
    yield from (f"no entry in CHANGELOG.md: {version}" for version in found.unwritten)
    if not (found.altered or found.stale or found.unwritten):
        yield "All files are current."


def _annotations(found: Found, check: bool) -> Iterator[str]:
    for name in found.altered:
        message = "This file was released and is not what it was."
        yield annotation("error", message, file=f"schema/{name}", title="TV6140")
    if check:
        for name in found.stale:
            yield annotation("error", "This file is not current.", file=f"schema/{name}", title="TV6004")
    for version in found.unwritten:
        yield annotation("error", f"Schema {version} has no finished entry.", file="CHANGELOG.md", title="TV6141")


def _leave(found: Found, against: str | None) -> None:
    """With the gravest thing."""
    if found.altered:
        definitions = [name for name in found.altered if name.startswith("versions/")]
        message = f"{len(found.altered)} released files are not what they were at {against}: {found.altered[0]}"
        hint = f"A file that must change needs a line in CHANGELOG.md: {CORRECTED}."
        raise Differences("TV6140", message, "Restore it; a change needs a new version." if definitions else hint)
    if found.stale:
        hint = "Run `temporal-visibility schema generate`."
        raise Differences("TV6004", f"{len(found.stale)} files are not current", hint)
    if found.unwritten:
        message = f"CHANGELOG.md has no finished entry of schema {', '.join(found.unwritten)}"
        raise Differences("TV6141", message, f"Under `## Unreleased`: `- Schema {found.unwritten[-1]}: …`.")
