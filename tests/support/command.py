"""The command line as a user has it, with its answers checked against the published schemas."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from toolkit.cli import root
from toolkit.cli.output import run_command

WIDTH = "100"
SCHEMAS = Path(__file__).resolve().parent.parent.parent / "docs" / "schemas"


@dataclass(frozen=True)
class Ran:
    """What a command said."""

    code: int
    out: str
    err: str

    def json(self, schema: str) -> Any:
        """The answer as data, after checking it against docs/schemas/<schema>.json."""
        data = json.loads(self.out)
        jsonschema.validate(data, json.loads((SCHEMAS / f"{schema}.json").read_text()))
        return data


def here(*arguments: str) -> Ran:
    """Run a command in this process, by the function that `temporal-visibility` itself calls."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", WIDTH)
        patch.setattr(sys, "stdin", io.StringIO())
        code = run_command(root, list(arguments))
    return Ran(code, out.getvalue(), err.getvalue())


def temporal_visibility(*arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> Ran:
    """Run `temporal-visibility` as a user would; nobody is there to answer questions.

    In this process where that makes no difference to the test: most of a short command's time is Python that begins.
    """
    embedded = any(argument.startswith("chdb:") for argument in arguments)
    if cwd or env or embedded or threading.current_thread() is not threading.main_thread():
        return process(*arguments, cwd=cwd, env=env)
    return here(*arguments)


def process(*arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> Ran:
    """As `temporal_visibility`, always in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "toolkit", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(SCHEMAS.parent.parent), "COLUMNS": WIDTH, **(env or {})},
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Traceback" not in done.stdout, done.stdout
    return Ran(done.returncode, done.stdout, done.stderr)
