"""`schema generate`: write the files under schema/ from the definitions, or check that they are current."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.cli.output import emit, output_option
from toolkit.errors import Differences, UsageError
from toolkit.generate import Stale, compare
from toolkit.resources import schema_dir
from toolkit.versions import chain, verify_released


@click.command("generate")
@click.option("--check", is_flag=True, help="Write nothing; leave with 3 when a file is not current.")
@output_option
def command(check: bool, output: str) -> None:
    """Write what follows from schema/versions: scripts, Alembic revisions, templates, migrations, checksums."""
    folder = schema_dir()
    verify_released(folder)
    stale = compare(folder, chain())
    if not check:
        _write(folder, stale)
    word = "stale" if check else "written"
    lines = [f"{word}: {name}" for name in stale.names()] or ["All files are current."]
    emit(output, {"stale": list(stale.names()), "written": not check}, lambda: lines)
    if check and stale.names():
        raise Differences(
            "TV6004", f"{len(stale.names())} files are not current", "Run `temporal-visibility schema generate`."
        )


def _write(folder: Path, stale: Stale) -> None:
    try:
        for name, text in stale.write.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        for name in stale.remove:
            (folder / name).unlink()
    except PermissionError as error:
        raise UsageError(
            "TV2008", f"cannot write {error.filename}", "Run this in a checkout you may write to."
        ) from None
