"""ClickHouse's engine (chDB) behind an HTTP front of our own: a stand-in for a server, one engine version per server.

Queries, DDL, inserts, mutations and passwords are real; replication, Keeper and ON CLUSTER are not there.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from tests.engines import secured
from tests.engines.engine import Address, Engine, Version, needed
from tests.engines.http import base, call
from tests.engines.packages import python_packages
from tests.engines.processes import Command

USER, PASSWORD = "temporal", "temporal-secret"
STAND_IN = "stand-in over chDB: no replication, Keeper, ON CLUSTER or native protocol"
IN_TURN = f"{STAND_IN}, nor two requests at once"
VERSIONS = (
    Version("24.8", "PyPI chdb 3.2.0", "clickhouse/clickhouse-server:24.8", limits=IN_TURN),
    Version("25.8", "PyPI chdb 3.7.2", "clickhouse/clickhouse-server:25.8", limits=IN_TURN),
    Version("26.9", "PyPI chdb-core 26.9.0", "clickhouse/clickhouse-server:latest", default=True, limits=STAND_IN),
)
PACKAGES = {
    "24.8": ("chdb==3.2.0", "pyarrow"),
    "25.8": ("chdb==3.7.2", "pyarrow"),
    "26.9": ("chdb-core==26.9.0",),
}
CODECS = ("lz4", "backports.zstd")
FRONT = Path(__file__).with_name("clickhouse_front.py")


def prepare(label: str) -> Path:
    return python_packages(f"chdb-{label}", (*PACKAGES[label], *CODECS))


def initialise(home: Path, directory: Path) -> None:
    (directory / "data").mkdir()


def command(home: Path, directory: Path, port: int) -> Command:
    environment = {
        "PYTHONPATH": str(home / "site"),
        "PYTHONUNBUFFERED": "1",
        "CLICKHOUSE_PATH": str(directory / "data"),
        "CLICKHOUSE_USER": USER,
        "CLICKHOUSE_PASSWORD": PASSWORD,
        "CLICKHOUSE_HOST": "127.0.0.1",
        "CLICKHOUSE_PORT": str(port),
    }
    interpreter = getattr(sys, "_base_executable", sys.executable)
    return Command([interpreter, str(FRONT)], environment, directory, privileged=True)


def query(address: Address, statement: str) -> str:
    """Run one statement; its answer as text. OSError with the server's words when it fails."""
    account = {"X-ClickHouse-User": address.user, "X-ClickHouse-Key": address.password}
    return call("POST", f"{base(address)}/", statement.encode(), account).decode()


def probe(address: Address) -> None:
    query(address, "SELECT 1")


def told(address: Address) -> str:
    return query(address, "SELECT version()").strip()


def create(address: Address, database: str) -> None:
    query(address, f"CREATE DATABASE `{database}`")


def drop(address: Address, database: str) -> None:
    query(address, f"DROP DATABASE IF EXISTS `{database}`")


def url(address: Address, database: str) -> str:
    """There is no Keeper, and one server only: the lock is a table."""
    return f"{url_with_keeper(address, database)}?lock=table"


def url_with_keeper(address: Address, database: str) -> str:
    return f"clickhouse+http://{address.user}:{address.password}@{address.host}:{address.port}/{database}"


KEEPER = "zookeeper-3.8"
CONFIGURATION = """<clickhouse>
  <zookeeper><node><host>{host}</host><port>{port}</port></node><session_timeout_ms>5000</session_timeout_ms></zookeeper>
  <keeper_map_path_prefix>/keeper_map</keeper_map_path_prefix>
</clickhouse>
"""


def command_with_keeper(home: Path, directory: Path, port: int) -> Command:
    """The front with a real ZooKeeper behind the engine, for KeeperMap tables."""
    host, _, keeper_port = needed(directory)[KEEPER].partition(":")
    (directory / "server.xml").write_text(CONFIGURATION.format(host=host, port=keeper_port))
    plain = command(home, directory, port)
    return replace(plain, environment={**plain.environment, "STAND_IN_CONFIG": str(directory / "server.xml")})


CLICKHOUSE = Engine(
    name="clickhouse",
    versions=VERSIONS,
    prepare=prepare,
    initialise=initialise,
    command=command,
    probe=probe,
    told=told,
    create=create,
    drop=drop,
    url=url,
    secure=secured.clickhouse,
    container_port=8123,
    user=USER,
    password=PASSWORD,
    start_seconds=240,
)
CLICKHOUSE_KEEPER = replace(
    CLICKHOUSE,
    name="clickhouse_keeper",
    versions=tuple(v for v in VERSIONS if v.default),
    command=command_with_keeper,
    url=url_with_keeper,
    needs=(KEEPER,),
)
CLUSTER = "temporal"  # its name in images/clickhouse/cluster.xml
CLICKHOUSE_CLUSTER = replace(
    CLICKHOUSE,
    name="clickhouse_cluster",
    versions=(
        Version("newest", "official image only", "clickhouse/clickhouse-server:latest", default=True, process=False),
    ),
    url=url_with_keeper,
    create=lambda address, database: _on_cluster(address, f"CREATE DATABASE `{database}`"),
    drop=lambda address, database: _on_cluster(address, f"DROP DATABASE IF EXISTS `{database}`"),
    companions=("clickhouse_cluster-2", "clickhouse_cluster-keeper"),
)


def _on_cluster(address: Address, statement: str) -> None:
    query(address, f"{statement} ON CLUSTER {CLUSTER}")
