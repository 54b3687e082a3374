"""A Java of at least a given release: one of the machine's, else one from Debian's packages without installing
anything.

It starts no Java program itself.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.engines.packages import install


def java_home(least: int) -> Path:
    """The home of the oldest Java here that is release `least` or newer; Debian's is installed when there is none."""
    candidates = sorted((release, home) for home in _homes() if (release := _release(home)) >= least)
    if candidates:
        return candidates[0][1]
    return _install(least)


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


def _install(least: int) -> Path:
    install("openjdk-17-jre-headless")
    return Path("/usr/lib/jvm/java-17-openjdk-amd64")
