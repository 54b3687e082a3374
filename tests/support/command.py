"""The command line, run in a process of its own, with its answers checked against the published schemas."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from toolkit.cli import root
from toolkit.cli.output import run_command

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
    """As `temporal_visibility`, in this process: quicker, for tests that are about something else."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run_command(root, list(arguments))
    return Ran(code, out.getvalue(), err.getvalue())


def temporal_visibility(*arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> Ran:
    """Run `temporal-visibility` as a user would; nobody is there to answer questions."""
    done = subprocess.run(
        [sys.executable, "-m", "toolkit", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(SCHEMAS.parent.parent), "COLUMNS": "100", **(env or {})},
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Traceback" not in done.stdout, done.stdout
    return Ran(done.returncode, done.stdout, done.stderr)
