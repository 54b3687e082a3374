"""Which image a container is made of: the one a variable names, else the official one, else a local stand-in.

Stand-ins are built here out of the same packages as the processes, and called by what is in them: each is built once.
They take the official images' variables, ports and passwords.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from tests.engines.cache import cache_root, locked
from tests.engines.catalog import Kind, kinds
from tests.engines.errors import Unavailable
from tests.engines.packages import debian_tree, python_packages, run
from tests.engines.servers import clickhouse, mysql, postgresql, search_image, zookeeper

WHICH = "TEMPORAL_VISIBILITY_TEST_IMAGES"  # auto (default), official, local
SCRIPTS = Path(__file__).with_name("images")
PREFIX = "temporal-visibility-test"
PULL_SECONDS = 900
SHELL = ("bash", "coreutils", "findutils", "util-linux", "dash", "grep", "sed", "libc-bin", "base-files", "tzdata")
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n{user}",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n{group}",
}
ENTRYPOINT = "usr/local/bin/docker-entrypoint.sh"


@dataclass(frozen=True, slots=True)
class Image:
    """A stand-in: a Debian suite and packages, more files (source, place in the image), its entrypoint and settings."""

    suite: str
    packages: tuple[str, ...]
    contents: tuple[tuple[Path, str], ...]
    entrypoint: str
    command: tuple[str, ...] = ()
    user: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


def variable(kind: Kind) -> str:
    """The variable of compose.yaml that names the image of a version: POSTGRESQL_15_IMAGE."""
    return f"{service(kind.name)}_IMAGE"


def service(name: str) -> str:
    """The name of a service in the form of compose.yaml's variables: POSTGRESQL_15, CLICKHOUSE_CLUSTER_2."""
    return name.upper().replace("-", "_").replace(".", "_")


def choose(kind: Kind, run_directory: Path) -> str:
    """The image for a version, pulled or built when it is not there. Unavailable when there is none."""
    if not kind.version.container:
        raise Unavailable(f"there is no image of {kind.name}, only programs", "--engines=processes")
    if named := os.environ.get(variable(kind)):
        return named
    which, official = os.environ.get(WHICH, "auto"), kind.version.image
    if which != "local" and (_is_here(official) or _pull(official, run_directory)):
        return official
    if which == "official":
        raise Unavailable(f"the image {official} cannot be pulled", f"reach its registry, or unset {WHICH}")
    return build(kind)


def build(kind: Kind) -> str:
    """The name of the stand-in for a version, built when it is not there; Unavailable where there can be none."""
    recipe = RECIPES.get(kind.engine)
    if recipe is None or not kind.version.process:
        raise Unavailable(f"{kind.name} has no stand-in: only the official image {kind.version.image} has it",
                          "reach a container registry")  # fmt: skip
    image = recipe(kind.label)
    name = f"{PREFIX}/{kind.engine}:{kind.label}-{_digest(image)}"
    with locked(cache_root() / "locks" / f"image-{kind.name}.lock"):
        if not _is_here(name):
            _import(image, name)
    return name


def buildable() -> list[Kind]:
    """The versions that have a stand-in."""
    return [kind for kind in kinds() if not kind.embedded and kind.engine in RECIPES and kind.version.process]


def _is_here(image: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode == 0


def _pull(image: str, run_directory: Path) -> bool:
    """Whether the image could be pulled; the first failure of a run is remembered, for no registry answers twice."""
    unreachable = run_directory / "no-registry"
    if unreachable.exists():
        return False
    try:
        done = subprocess.run(["docker", "pull", "--quiet", image], capture_output=True, timeout=PULL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    if done.returncode:
        unreachable.write_bytes(done.stderr)
    return done.returncode == 0


def _digest(image: Image) -> str:
    """What is in the image, as a name: prepared directories are named by their contents."""
    script = (SCRIPTS / image.entrypoint).read_text() if image.entrypoint.endswith(".sh") else image.entrypoint
    return hashlib.sha256(repr((image, script, ACCOUNTS, SHELL)).encode()).hexdigest()[:12]


def _import(image: Image, name: str) -> None:
    tree = debian_tree(image.suite, (*image.packages, *SHELL))
    with tempfile.NamedTemporaryFile(prefix="tv-eng-image-", suffix=".tar", dir=cache_root()) as archive:
        with tarfile.open(archive.name, "w") as tar:
            _add(tar, tree, "")
            for source, place in image.contents:
                _add(tar, source, place)
            for path, text in _files(image, tree).items():
                _write(tar, path, text)
            for link in ("bin", "sbin", "lib", "lib64"):
                if not (tree / link).exists() and not (tree / link).is_symlink():
                    tar.addfile(_symlink(link, f"usr/{link}"))
            if not (tree / "bin/sh").exists() and not (tree / "usr/bin/sh").exists():
                tar.addfile(_symlink("usr/bin/sh", "dash"))
        changes = [f'ENTRYPOINT ["/{ENTRYPOINT}"]', f"CMD {list(image.command)}".replace("'", '"')]
        changes += [f"ENV {key}={value}" for key, value in image.environment.items()]
        options = [part for change in changes for part in ("--change", change)]
        run(["docker", "import", *options, archive.name, name], f"the image {name}", "start Docker")


def _files(image: Image, tree: Path) -> dict[str, str]:
    user = f"{image.user}:x:999:999::/:/bin/bash\n" if image.user else ""
    group = f"{image.user}:x:999:\n" if image.user else ""
    accounts = {path: text.format(user=user, group=group) for path, text in ACCOUNTS.items()}
    script = (SCRIPTS / image.entrypoint).read_text() if image.entrypoint.endswith(".sh") else image.entrypoint
    return {**accounts, ENTRYPOINT: script}


def _add(tar: tarfile.TarFile, source: Path, place: str) -> None:
    """Add a tree, as root's; what a link of the cache names is added itself."""

    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return None if entry.name in ACCOUNTS else entry

    for path in sorted(source.iterdir()) if source.is_dir() else [source]:
        inside = f"{place}/{path.name}".strip("/") if source.is_dir() else place.strip("/")
        tar.add(path.resolve() if path.is_symlink() and path.readlink().is_absolute() and path.exists() else path,
                inside, filter=owned)  # fmt: skip


def _write(tar: tarfile.TarFile, path: str, text: str) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(text.encode()), 0o755 if path == ENTRYPOINT else 0o644
    tar.addfile(entry, BytesIO(text.encode()))


def _symlink(path: str, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    return entry


def _postgresql(label: str) -> Image:
    path = "/usr/local/bin:/opt/postgresql/bin:/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    contents = ((postgresql.npm_home(label), "opt/postgresql"),)
    environment = {"PATH": path, "PGDATA": "/var/lib/postgresql/data", "LANG": "C.UTF-8"}
    packages = ("postgresql-client-15", "libstdc++6")
    return Image("bookworm", packages, contents, "postgresql.sh", ("postgres",), "postgres", environment)


def _mysql(label: str) -> Image:
    if label == "9":
        return Image("sid", ("mysql-server-core", "mysql-client-core"), (), "mysql.sh", ("mysqld",), "mysql")
    contents = ((mysql.maven_home(), "opt/mysql"),)
    packages = ("mariadb-client-core", "libaio1", "libnuma1", "libstdc++6", "zlib1g")
    environment = {"PATH": "/usr/local/bin:/opt/mysql/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    return Image("bookworm", packages, contents, "mysql.sh", ("mysqld",), "mysql", environment)


def _zookeeper(label: str) -> Image:
    contents = ((zookeeper.prepare(label), "opt/zookeeper"),)
    return Image("bookworm", ("openjdk-17-jre-headless",), contents, "zookeeper.sh", (), "zookeeper")


def _clickhouse(label: str) -> Image:
    site = python_packages(f"chdb-{label}-image", (*clickhouse.PACKAGES[label], *clickhouse.CODECS), "3.11")
    contents = ((site / "site", "opt/site"), (clickhouse.FRONT, "opt/clickhouse_front.py"))
    environment = {"PYTHONPATH": "/opt/site", "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"}
    return Image("bookworm", ("python3", "wget"), contents, "clickhouse.sh", (), "", environment)


def _search(product: str) -> Callable[[str], Image]:
    def recipe(label: str) -> Image:
        made = search_image.recipe(product, label)
        return Image(made.suite, (made.java, "curl"), ((made.home, "opt/server"),), made.script)

    return recipe


RECIPES: Mapping[str, Callable[[str], Image]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "elasticsearch": _search("elasticsearch"),
    "opensearch": _search("opensearch"),
    "clickhouse": _clickhouse,
    "clickhouse_keeper": _clickhouse,
    "zookeeper": _zookeeper,
}
