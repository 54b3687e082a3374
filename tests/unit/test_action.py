"""action.yml: its scripts run as a runner runs them, with stand-ins for Python and the command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
# `python3 -m venv DIR`: a folder with what such an environment has, whose command repeats its words.
VENV = """#!/bin/sh
mkdir -p "$3/bin"
for name in python pip; do printf '#!/bin/sh\n' > "$3/bin/$name"; done
printf '#!/bin/sh\necho "$@"\n' > "$3/bin/temporal-visibility"
chmod +x "$3"/bin/*
"""


def run(name: str, folder: Path, path: str, **inputs: str) -> str:
    """What a step prints, with `inputs` besides the defaults."""
    step = next(step for step in ACTION["runs"]["steps"] if step["name"] == name)
    known = {name: str(each["default"]) for name, each in ACTION["inputs"].items()} | inputs
    given = {key: known[word[len("${{ inputs.") : -len(" }}")]] for key, word in step["env"].items()}
    runner = {"RUNNER_TEMP": str(folder), "GITHUB_PATH": str(folder / "path"), "GITHUB_WORKSPACE": str(ROOT)}
    done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", step["run"]], env={"PATH": path, **runner, **given},
                          capture_output=True, text=True, check=True)  # fmt: skip
    return done.stdout


def test_the_job_keeps_its_python_and_the_check_has_every_input(tmp_path: Path) -> None:
    stand_in = tmp_path / "stand-in" / "python3"
    stand_in.parent.mkdir()
    stand_in.write_text(VENV)
    stand_in.chmod(0o755)
    run("Install", tmp_path, f"{stand_in.parent}:{os.environ['PATH']}")
    (added,) = (tmp_path / "path").read_text().split()
    assert os.listdir(added) == ["temporal-visibility"]
    inputs = {
        "from": "1.9",
        "overlay": "o.yaml",
        "queries": "q.txt",
        "aliases": "a.yaml",
        "check-engines": "sqlite mysql",
    }
    said = run("What the upgrade means for queries and values", tmp_path, f"{added}:{os.environ['PATH']}", **inputs)
    assert said.strip() == (
        "schema check --to latest --fail-on lossy --output github --from 1.9 --engine sqlite --engine mysql "
        "--queries q.txt --overlay o.yaml --aliases a.yaml"
    )
    # Saved filters alone are checked, too.
    (check,) = (step for step in ACTION["runs"]["steps"] if step["name"].startswith("What the upgrade means"))
    assert check["if"] == "inputs.from != '' || inputs.queries != ''"
    said = run(check["name"], tmp_path, f"{added}:{os.environ['PATH']}", queries="q.txt")
    assert said.strip() == "schema check --to latest --fail-on lossy --output github --queries q.txt"
