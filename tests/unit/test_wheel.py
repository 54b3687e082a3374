"""The wheel, installed into an empty environment: commands run from there, with the schema files inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.versions import chain

ROOT = Path(__file__).resolve().parent.parent.parent


def run(*words: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(w) for w in words], capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of executables of a fresh environment with the wheel and its locked requirements."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = Path(sys.executable).parent / "uv"
    # The source distribution, and the wheel out of it.
    run(uv, "build", "--quiet", "--out-dir", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    run(uv, "venv", "--quiet", "--python", sys.executable, folder / "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    run(
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        "--constraint",
        ROOT / "requirements.lock",
        wheel,
        cwd=folder,
    )
    return python.parent


def test_commands_run_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    command = installed / "temporal-visibility"
    assert "1.14" in run(command, "schema", "versions", cwd=tmp_path)
    assert run(command, "--version", cwd=tmp_path).strip().endswith("0.1.0")
    run(command, "schema", "upgrade", "sqlite:///file.db", "--to", "1.9", "--yes", cwd=tmp_path)
    run(command, "sample", "sqlite:///file.db", "--rows", "100", cwd=tmp_path)
    run(command, "schema", "upgrade", "sqlite:///file.db", "--yes", cwd=tmp_path)
    status = json.loads(run(command, "schema", "status", "sqlite:///file.db", "--output", "json", cwd=tmp_path))
    (store,) = status["stores"]
    assert (store["equals"], store["pending"], store["rows"]) == ([chain()[-1].version], 0, 100)
    assert "All files are current" in run(command, "schema", "generate", "--check", cwd=tmp_path)


def test_make_works_in_the_source_distribution(installed: Path, tmp_path: Path) -> None:
    (archive,) = installed.parent.parent.glob("*.tar.gz")
    run("tar", "-xzf", archive, cwd=tmp_path)
    (unpacked,) = (folder for folder in tmp_path.iterdir() if folder.is_dir())
    assert "toolkit.demo" in run("make", "--dry-run", "demo", cwd=unpacked)
    for name in (
        "action.yml",
        ".ci/run",
        ".github/workflows/ci.yml",
        ".pre-commit-hooks.yaml",
        "tests/engines/compose.yaml",
    ):
        assert (unpacked / name).is_file(), name


def test_the_base_install_has_no_embedded_engine(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [installed / "temporal-visibility", "schema", "status", "chdb:///x?database=v"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "temporal-visibility-toolkit[chdb]" in done.stderr
    assert "Traceback" not in done.stderr
