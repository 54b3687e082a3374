"""How answers and errors leave the program: text for people, one JSON document for programs, an exit code for both.

The only module that prints; it is handed finished values.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

import click

from toolkit.errors import DefinitionError, Differences, FilterError, ToolkitError

_F = TypeVar("_F", bound=Callable[..., object])


def output_option(function: _F) -> _F:
    """The option every command has."""
    return _forms("text", "json")(function)


def ci_output_option(*more: str) -> Callable[[_F], _F]:
    """The same, for commands that CI runs: annotations for GitHub, and what else the command has."""
    return _forms("text", "json", "github", *more)


def _forms(*forms: str) -> Callable[[_F], _F]:
    choice = click.Choice(forms)
    return click.option("--output", type=choice, default="text", show_default=True, help="Form of the answer.")


def emit(
    output: str, data: object, text: Callable[[], Iterable[str]], github: Callable[[], Iterable[str]] | None = None
) -> None:
    """Print `data` as one JSON document, or the lines of `text()`, or the annotations of `github()`."""
    if output == "json":
        click.echo(as_json(data))
        return
    for line in github() if github is not None and output == "github" else text():
        click.echo(line)


def as_json(data: object) -> str:
    """`data` as a document that stdout can carry: what an encoding other than UTF-8 may lack is escaped."""
    unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    return json.dumps(data, indent=2, ensure_ascii=not unicode)


def settle_streams() -> None:
    """Let there be both streams, also where the caller has closed one, and let no character be too much for them."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side, each as wide as its longest cell; the last one as it is."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def number(count: int) -> str:
    """1234567 → `1 234 567`."""
    return f"{count:,}".replace(",", " ")


def run_command(command: click.Command, arguments: list[str]) -> int:
    """Run `command`; every expected failure becomes one message on stderr (JSON: on stdout) and an exit code."""
    wants_json = "json" in _values_of_output(arguments)
    try:
        command.main(arguments, prog_name="temporal-visibility", standalone_mode=False)
    except ToolkitError as error:
        _show(error, wants_json)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.message, err=True)
        return 2
    except click.ClickException as error:
        if wants_json:
            click.echo(json.dumps({"error": {"code": "TV2000", "message": error.format_message(), "hint": ""}}))
        else:
            error.show()
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped. Nothing is lost: run the same command again to go on.", err=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _values_of_output(arguments: Sequence[str]) -> list[str]:
    following = [b for a, b in pairwise(arguments) if a == "--output"]
    return following + [a.partition("=")[2] for a in arguments if a.startswith("--output=")]


def _show(error: ToolkitError, wants_json: bool) -> None:
    # These come after an answer that shows them: one document on stdout is enough.
    if wants_json and not (error.told or isinstance(error, Differences)):
        click.echo(as_json({"error": error.to_json(), **error.answered}))
        return
    place = "" if error.target is None else f"{error.target}: "
    if isinstance(error, DefinitionError) and error.location:
        place += f"{error.location}: "
    click.echo(f"{click.style('Error', fg='red')} {error.code}: {place}{error.message}", err=True)
    if isinstance(error, FilterError) and (pointer := error.pointer()):
        click.echo("\n".join(f"  {line}" for line in pointer.splitlines()), err=True)
    if error.hint:
        click.echo(f"  {error.hint}", err=True)
