"""ZooKeeper from Maven Central, for the locks that ClickHouse keeps in Keeper.

A database is a node's path here. One server, no quorum.
"""

from __future__ import annotations

import socket
from pathlib import Path

from tests.engines.cache import prepared
from tests.engines.engine import Address, Engine, Version
from tests.engines.java import java_home
from tests.engines.maven import fetch_maven_with_dependencies
from tests.engines.processes import Command

ARTIFACTS = {  # the server also wants two jars that its library does not declare for everybody
    "3.8": (
        "org.apache.zookeeper:zookeeper:3.8.4",
        "io.dropwizard.metrics:metrics-core:4.1.12.1",
        "org.xerial.snappy:snappy-java:1.1.10.5",
    ),
}
VERSIONS = (Version("3.8", "Maven org.apache.zookeeper 3.8.4", "zookeeper:3.8", default=True),)
LOGGING = """<configuration><appender name="console" class="ch.qos.logback.core.ConsoleAppender">
<encoder><pattern>%d %-5level %logger - %msg%n</pattern></encoder></appender>
<root level="WARN"><appender-ref ref="console"/></root></configuration>
"""


def prepare(label: str) -> Path:
    return prepared(
        f"zookeeper-{label}",
        ARTIFACTS[label],
        lambda work, final: fetch_maven_with_dependencies(ARTIFACTS[label], work),
    )


def initialise(home: Path, directory: Path) -> None:
    (directory / "data").mkdir()
    (directory / "logback.xml").write_text(LOGGING)


def command(home: Path, directory: Path, port: int) -> Command:
    """The command for one server; it also writes the settings, which hold its port."""
    settings = {
        "tickTime": 500,
        "dataDir": directory / "data",
        "clientPort": port,
        "clientPortAddress": "127.0.0.1",
        "admin.enableServer": "false",
        "4lw.commands.whitelist": "ruok,srvr",
        "maxClientCnxns": 0,
    }
    (directory / "zoo.cfg").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    options = [
        "-Xmx128m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        f"-Dlogback.configurationFile={directory / 'logback.xml'}",
    ]
    main = ["-cp", f"{home}/*", "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(directory / "zoo.cfg")]
    return Command([str(java_home(11) / "bin/java"), *options, *main], directory=directory)


def probe(address: Address) -> None:
    """OSError unless the server serves clients; it says that it is well before that."""
    if "Mode: " not in _ask(address, b"srvr"):
        raise OSError("ZooKeeper is not ready")


def told(address: Address) -> str:
    """Of `Zookeeper version: 3.8.4-9316c2a…, built on …`, the number."""
    return _ask(address, b"srvr").partition(": ")[2].partition("-")[0]


def _ask(address: Address, word: bytes) -> str:
    with socket.create_connection((address.host, address.port), timeout=5) as connection:
        connection.sendall(word)
        return b"".join(iter(lambda: connection.recv(4096), b"")).decode()


def create(address: Address, database: str) -> None:
    """Nothing: whoever uses the path creates it."""


def drop(address: Address, database: str) -> None:
    """Nothing: the path ends with the run."""


def url(address: Address, database: str) -> str:
    return f"zookeeper://{address.host}:{address.port}/{database}"


ZOOKEEPER = Engine(
    name="zookeeper", versions=VERSIONS, prepare=prepare, initialise=initialise, command=command, probe=probe,
    told=told, create=create, drop=drop, url=url, container_port=2181, start_seconds=60,
)  # fmt: skip
