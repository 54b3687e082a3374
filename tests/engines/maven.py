"""Artefacts of Maven Central, fetched by Maven: the machine's own, else Debian's package unpacked into the cache.

It fetches files and builds nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.engines.errors import Unavailable
from tests.engines.java import java_home
from tests.engines.leftovers import scratch
from tests.engines.packages import debian_tree, run

SYSTEM_SETTINGS = Path("/etc/maven/settings.xml")


def _mvn() -> list[str | Path]:
    if shutil.which("mvn"):
        return ["mvn"]
    try:
        tree = debian_tree("bookworm", ["maven"])
    except Unavailable as e:
        raise Unavailable(f"Maven is missing ({e})", "apt-get install maven") from e
    home = tree / "usr/share/maven"
    properties = {"classworlds.conf": tree / "etc/maven/m2.conf", "maven.home": home, "maven.conf": tree / "etc/maven"}
    options = [f"-D{name}={value}" for name, value in properties.items()]
    settings = ["-gs", SYSTEM_SETTINGS] if SYSTEM_SETTINGS.exists() else []
    directory = f"-Dmaven.multiModuleProjectDirectory={tempfile.gettempdir()}"
    launcher = [f"{home}/boot/*", "org.codehaus.plexus.classworlds.launcher.Launcher"]
    return [java_home(11) / "bin/java", "-Xmx512m", *options, directory, "-cp", *launcher, *settings]


def fetch_maven(coordinates: Sequence[str], into: Path, sums: Mapping[str, str] | None = None) -> None:
    """Put artefacts of Maven Central (group:name:version[:packaging]) into the directory `into`.

    `sums` gives the SHA-256 that a file must have.
    """
    items = "".join(f"<artifactItem>{_maven_tags(item)}</artifactItem>" for item in coordinates)
    _maven_plugin("copy", f"<artifactItems>{items}</artifactItems>", "", into, coordinates)
    for name, expected in (sums or {}).items():
        if hashlib.sha256((into / name).read_bytes()).hexdigest() != expected:
            raise Unavailable(
                f"{name} of Maven Central is not the expected file (SHA-256 differs)", "compare it with its source"
            )


def fetch_maven_with_dependencies(coordinates: Sequence[str], into: Path) -> None:
    """Put artefacts and everything they depend on at run time into the directory `into`."""
    wanted = "".join(f"<dependency>{_maven_tags(item)}</dependency>" for item in coordinates)
    scope = "<includeScope>runtime</includeScope>"
    _maven_plugin("copy-dependencies", scope, f"<dependencies>{wanted}</dependencies>", into, coordinates)


def _maven_tags(coordinates: str) -> str:
    parts = zip(("groupId", "artifactId", "version", "type"), coordinates.split(":"))
    return "".join(f"<{tag}>{value}</{tag}>" for tag, value in parts)


def _maven_plugin(goal: str, configuration: str, dependencies: str, into: Path, coordinates: Sequence[str]) -> None:
    what = f"Maven artefacts {', '.join(coordinates[:2])}{' …' if len(coordinates) > 2 else ''}"
    how = "reach Maven Central, or name a mirror of it in ~/.m2/settings.xml"
    with scratch("mvn") as temporary:
        pom = temporary / "pom.xml"
        pom.write_text(POM.format(goal=goal, configuration=configuration, dependencies=dependencies, into=into))
        command = [*_mvn(), "-B", "-ntp", "-q", "-f", pom, f"dependency:{goal}@fetch"]
        run(command, what, how, env={**os.environ, "MAVEN_OPTS": os.environ.get("MAVEN_OPTS", "-Xmx512m")})


POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>test</groupId><artifactId>engines</artifactId><version>1</version><packaging>pom</packaging>{dependencies}
<build><plugins><plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId>
<version>3.6.1</version><executions><execution><id>fetch</id><goals><goal>{goal}</goal></goals>
<configuration><outputDirectory>{into}</outputDirectory>{configuration}</configuration></execution></executions>
</plugin></plugins></build></project>
"""
