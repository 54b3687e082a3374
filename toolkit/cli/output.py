"""How answers and errors leave the program: text for people, one JSON document for programs, an exit code for both.

The only module that prints; it is handed finished values.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TextIO, TypeVar

import click

from toolkit.errors import DefinitionError, Differences, FilterError, Stopped, ToolkitError, UsageError

# For developers, and for who reports a defect.
TRACEBACK = "TEMPORAL_VISIBILITY_TRACEBACK"
_OURS = f"toolkit{os.sep}"
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


class Lasting(io.TextIOWrapper):
    """A stream that outlasts its reader: what can no longer be written goes nowhere, and the work goes on.

    A reader that leaves (`| head -1`) or a full disk must not end an upgrade half-way; `failed` says what happened.
    """

    failed: OSError | None = None

    def write(self, text: str) -> int:
        """As every text stream; never an OSError."""
        try:
            return super().write(text)
        except OSError as error:
            self._lost(error)
            return len(text)

    def flush(self) -> None:
        """As every text stream; never an OSError."""
        try:
            super().flush()
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        self.failed = self.failed or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def settle_streams() -> None:
    """Let there be both streams, also where the caller has closed one; let no character and no reader end a command."""
    sys.stdout, sys.stderr = _settled(sys.stdout), _settled(sys.stderr)


def _settled(stream: TextIO | None) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream or open(os.devnull, "w")
    encoding, by_line = stream.encoding, stream.line_buffering
    return Lasting(stream.detach(), encoding, errors="backslashreplace", line_buffering=by_line)


def unread() -> bool:
    """Whether what is written to stdout goes nowhere by now."""
    return _lost() is not None


def _lost() -> OSError | None:
    """What became of stdout, when it takes nothing any more."""
    return sys.stdout.failed if isinstance(sys.stdout, Lasting) else None


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
    code = _run(command, arguments, wants_json)
    lost = _lost()
    if lost is None or lost.errno == errno.EPIPE:
        return code
    hint = "What a command does with a store it did all the same: see `schema status`."
    _show(UsageError("TV2043", f"the answer cannot be written: {lost.strerror}", hint), False)
    return code or 1


def _run(command: click.Command, arguments: list[str], wants_json: bool) -> int:
    try:
        # The code of an Exit, which click does not let through; commands answer nothing.
        code = command.main(arguments, prog_name="temporal-visibility", standalone_mode=False)
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
        return tell_stopped(arguments)
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        _show(_defect(error), wants_json)
        return 1
    return code if isinstance(code, int) else 0


def _defect(error: Exception) -> ToolkitError:
    """The error that stands for one that nothing expected. Its words are left out: a secret might be among them."""
    place = next((f for f in reversed(traceback.extract_tb(error.__traceback__)) if _OURS in f.filename), None)
    where = f" in {place.filename.rpartition(_OURS)[2]}, line {place.lineno}" if place else ""
    hint = f"Please report it, with what the same command prints when {TRACEBACK}=1 is in its environment."
    return ToolkitError("TV0004", f"a defect of this tool: {type(error).__name__}{where}", hint)


def tell_stopped(arguments: Sequence[str]) -> int:
    """Say that Ctrl-C has ended the command with these arguments; the exit code."""
    stopped = interrupted()
    if "json" in _values_of_output(arguments):
        click.echo(as_json({"error": stopped.to_json()}))
    else:
        click.echo("Stopped. Nothing is lost: run the same command again to go on.", err=True)
    return stopped.exit_code


def _forget_the_signal() -> None:
    """An interrupt that came while a text was executed (dataclasses are made so, at imports) has `python -m` end by the
    signal, whatever our exit code; the next text executed has it forgotten."""
    exec("")


def ended() -> click.exceptions.Exit:
    """The end, to be raised, of a command that goes on until Ctrl-C: nothing is wrong, and nothing is to be said."""
    _forget_the_signal()
    return click.exceptions.Exit(130)


def interrupted() -> Stopped:
    """The error that stands for Ctrl-C, where no run of ours stopped at a safe point."""
    _forget_the_signal()
    return Stopped("TV5108", "stopped", "Nothing is lost: run the same command again to go on.")


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
    # https://no-color.org
    color = False if os.environ.get("NO_COLOR") else None
    click.echo(f"{click.style('Error', fg='red')} {error.code}: {place}{error.message}", err=True, color=color)
    if isinstance(error, FilterError) and (pointer := error.pointer()):
        click.echo("\n".join(f"  {line}" for line in pointer.splitlines()), err=True)
    if error.hint:
        click.echo(f"  {error.hint}", err=True)
