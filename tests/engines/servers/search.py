"""Elasticsearch and OpenSearch: one node per server, listening on loopback only, heap bounded to 512 MB.

A database is a name prefix here: indices, aliases and templates that begin with it are a test's own. No TLS and no
accounts; `search_secured` adds them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from tests.engines import secured
from tests.engines.cache import prepared
from tests.engines.engine import Address, Engine, Version
from tests.engines.http import HttpError, base, call
from tests.engines.java import java_home
from tests.engines.leftovers import note, scratch
from tests.engines.ports import INNER_RANGE, free_port
from tests.engines.processes import Command, Process, give_away, start, wait_until
from tests.engines.secure_front import basic
from tests.engines.servers.search_homes import HOMES, SECURITY, server_home

NO_SCALED_FLOAT = "no scaled_float, data streams and lifecycle policies in this build"
ELASTICSEARCH_VERSIONS = (
    Version("7.17", "Maven, out of SonarQube 9.9.8 (7.17.15)", "elasticsearch:7.17.28", default=True),
    Version("8.16", "Maven, out of SonarQube 25.12 (8.16.6)", "elasticsearch:8.16.6", limits=NO_SCALED_FLOAT),
    Version("9.4", "Maven, out of SonarQube 26.9 (9.4.3)", "elasticsearch:9.4.3", limits=NO_SCALED_FLOAT),
)
OPENSEARCH_VERSIONS = (
    Version(
        "2.19", "Maven integ-test-zip 2.19.6 with four modules", "opensearchproject/opensearch:2.19.3", default=True
    ),
    Version("3.6", "Maven integ-test-zip 3.6.0", "opensearchproject/opensearch:3.6.0"),
)
START_SECONDS = 300  # 20 when the machine is idle; many times that while everything else starts, too
HEAP = os.environ.get("TEMPORAL_VISIBILITY_TEST_HEAP", "512m")
JVM = ["-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-XX:MaxDirectMemorySize=256m"]
# The quick compiler only: a node is ready in half the time, and tests are too short to earn the other one back.
COMPILER = os.environ.get("TEMPORAL_VISIBILITY_TEST_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1").split()
SMALL = ["-Xms4m", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]  # the launchers of Elasticsearch 8 and 9
CLASSES_RECORDED = (("elasticsearch", 7), ("elasticsearch", 8), ("opensearch", 2))  # the others' agents forbid it
LOGGING = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


def prepare(product: str, label: str) -> Path:
    """A directory with a link `home` to the server and, where it helps, `classes.jsa` (halves the start)."""
    home = server_home(f"{product}-{label}")
    java = java_home(HOMES[f"{product}-{label}"].java)

    def build(work: Path, final: Path) -> None:
        (work / "home").symlink_to(home)
        if _identify(work)[:2] in CLASSES_RECORDED:
            _record_classes(work)

    return prepared(
        f"{product}-{label}-start", (str(home), str(java), _release(java), JVM, COMPILER, CLASSES_RECORDED), build
    )


def _record_classes(home: Path) -> None:
    """Run a node once and keep its loaded classes in the form that the JVM maps into memory at the next start."""
    with scratch("classes") as run:
        directory = run / "node"
        directory.mkdir()
        archive = directory / "tmp/classes.jsa"
        initialise(home, directory)
        port, options = free_port(), [f"-XX:ArchiveClassesAtExit={archive}"]
        plugin = (home / "home/plugins" / SECURITY).exists()
        _write_settings(home, directory, port, options, {"plugins.security.disabled": "true"} if plugin else {})
        give_away(directory)
        node = start(_launch(home, directory, options), directory / "log")
        note(directory, node)
        try:
            wait_until(
                lambda: _answers(Address("127.0.0.1", port)),
                START_SECONDS,
                "a first start",
                unless=lambda: _ended(node),
            )
            node.send(signal.SIGTERM)
            wait_until(lambda: not node.lives(), 60, "the end of the first start")
        finally:
            node.send_tree(signal.SIGKILL)
        if archive.exists():  # a JVM that cannot write it only starts more slowly
            shutil.copy(archive, home)


def _release(java: Path) -> str:
    return (java / "release").read_text() if (java / "release").exists() else str(java)


def _answers(address: Address) -> bool:
    try:
        probe(address)
    except OSError:
        return False
    return True


def _ended(node: Process) -> str | None:
    return None if node.lives() else "the node ended"


def initialise(home: Path, directory: Path) -> None:
    for name in ("config", "data", "logs", "tmp"):
        (directory / name).mkdir()
    (directory / "config/log4j2.properties").write_text(LOGGING)


def command(home: Path, directory: Path, port: int, more: Mapping[str, object] = {}) -> Command:
    """The command for one node; it also writes the node's settings, which hold its port, and `more`."""
    classes = [f"-XX:SharedArchiveFile={home / 'classes.jsa'}"] if (home / "classes.jsa").exists() else []
    _write_settings(home, directory, port, classes, more)
    return _launch(home, directory, classes)


def _write_settings(
    home: Path, directory: Path, port: int, jvm: Sequence[str], more: Mapping[str, object] = {}
) -> None:
    product, major, _ = _identify(home)
    settings = {
        "cluster.name": f"tv-{port}",
        "node.name": f"node-{port}",
        "path.data": directory / "data",
        "path.logs": directory / "logs",
        "http.host": "127.0.0.1",
        "http.port": port,
        "transport.host": "127.0.0.1",
        "transport.port": INNER_RANGE,
        "discovery.type": "single-node",
        "cluster.routing.allocation.disk.threshold_enabled": "false",
        "cluster.max_shards_per_node": 10000,
        # By what is accounted for, not by the heap in use: the serial collector leaves garbage there until it is full,
        # and a node would refuse requests for it.
        "indices.breaker.total.use_real_memory": "false",
        **(
            {"xpack.security.enabled": "false"}
            if (product, major) in (("elasticsearch", 8), ("elasticsearch", 9))
            else {}
        ),
        **more,
    }
    (directory / f"config/{product}.yml").write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
    options = [*JVM, *COMPILER, *jvm, f"-Djava.io.tmpdir={directory / 'tmp'}"]
    (directory / "config/jvm.options").write_text("\n".join(options) + "\n")


def _launch(home: Path, directory: Path, jvm: Sequence[str]) -> Command:
    product, major, java = _identify(home)
    return LAUNCH[product, major](Path(os.readlink(home / "home")), directory, java_home(java), jvm)


def _identify(home: Path) -> tuple[str, int, int]:
    """Product, major version and least Java release of a prepared server."""
    server = Path(os.readlink(home / "home"))
    recipe = next(recipe for name, recipe in HOMES.items() if server.name.startswith(name))
    return recipe.product, int(recipe.version.split(".")[0]), recipe.java


def _options(directory: Path, jvm: Sequence[str]) -> list[str]:
    tmp = directory / "tmp"
    return [
        f"-Xms{HEAP}",
        f"-Xmx{HEAP}",
        *JVM,
        *COMPILER,
        *jvm,
        "-Xss1m",
        f"-Djava.io.tmpdir={tmp}",
        "-Djava.awt.headless=true",
        "-Dfile.encoding=UTF-8",
        "-Djna.nosys=true",
        f"-Djna.tmpdir={tmp}",
        "-XX:-OmitStackTraceInFastThrow",
        "-Dio.netty.noUnsafe=true",
        "-Dio.netty.noKeySetOptimization=true",
        "-Dio.netty.recycler.maxCapacityPerThread=0",
        "-Dio.netty.allocator.numDirectArenas=0",
        "-Dlog4j.shutdownHookEnabled=false",
        "-Dlog4j2.disable.jmx=true",
    ]


def _in_one_process(
    main: str, prefix: str, extra: Sequence[str], home: Path, directory: Path, java: Path, jvm: Sequence[str]
) -> Command:
    paths = [f"-D{prefix}.path.home={home}", f"-D{prefix}.path.conf={directory / 'config'}"]
    kind = [
        f"-D{prefix}.distribution.flavor=default",
        f"-D{prefix}.distribution.type=zip",
        f"-D{prefix}.bundled_jdk=false",
    ]
    own = [option.format(home=home) for option in extra]
    argv = [str(java / "bin/java"), *_options(directory, jvm), *own, *paths, *kind, "-cp", f"{home}/lib/*", main]
    return Command(argv, {"LIBFFI_TMPDIR": str(directory / "tmp")}, home)


def _launcher_environment(directory: Path, java: Path) -> dict[str, str]:
    tmp = str(directory / "tmp")
    return {"ES_JAVA_OPTS": f"-Xms{HEAP} -Xmx{HEAP}", "ES_TMPDIR": tmp, "LIBFFI_TMPDIR": tmp, "JAVA_HOME": str(java)}


def _elasticsearch_8(home: Path, directory: Path, java: Path, jvm: Sequence[str]) -> Command:
    """A small launcher, which starts the server as its child."""
    cli = ["-Dcli.name=server", f"-Dcli.script={home}/bin/elasticsearch", "-Dcli.libs=lib/tools/server-cli"]
    paths = [
        f"-Des.path.home={home}",
        f"-Des.path.conf={directory}/config",
        "-Des.distribution.type=zip",
        "-Des.java.type=JAVA_HOME",
    ]
    main = ["-cp", f"{home}/lib/*:{home}/lib/cli-launcher/*", "org.elasticsearch.launcher.CliToolLauncher"]
    return Command([str(java / "bin/java"), *SMALL, *cli, *paths, *main], _launcher_environment(directory, java), home)


def _elasticsearch_9(home: Path, directory: Path, java: Path, jvm: Sequence[str]) -> Command:
    environment = {
        **_launcher_environment(directory, java),
        "JAVA": str(java / "bin/java"),
        "ES_HOME": str(home),
        "ES_PATH_CONF": str(directory / "config"),
        "ES_DISTRIBUTION_TYPE": "zip",
        "JAVA_TYPE": "JAVA_HOME",
        "CLI_JAVA_OPTS": " ".join(SMALL),
    }
    main = ["-cp", f"{home}/lib/tools/server-launcher/*", "org.elasticsearch.server.launcher.ServerLauncher"]
    return Command([str(java / "bin/java"), *SMALL, *main], environment, home)


MANAGED = ("-Djava.security.manager=allow", "-Djava.locale.providers=SPI,COMPAT")
AGENT = (
    "--add-modules=jdk.incubator.vector",
    "-javaagent:{home}/agent/opensearch-agent.jar",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
)
LAUNCH: dict[tuple[str, int], Callable[[Path, Path, Path, Sequence[str]], Command]] = {
    ("elasticsearch", 7): partial(_in_one_process, "org.elasticsearch.bootstrap.Elasticsearch", "es", MANAGED),
    ("elasticsearch", 8): _elasticsearch_8,
    ("elasticsearch", 9): _elasticsearch_9,
    ("opensearch", 2): partial(
        _in_one_process, "org.opensearch.bootstrap.OpenSearch", "opensearch", (*MANAGED, "-Dclk.tck=100")
    ),
    ("opensearch", 3): partial(_in_one_process, "org.opensearch.bootstrap.OpenSearch", "opensearch", AGENT),
}


def request(address: Address, method: str, path: str, body: object = None, seconds: float = 30) -> object:
    """One HTTP call; the decoded JSON answer. OSError with the server's words when it fails."""
    data = None if body is None else json.dumps(body).encode()
    account = {"Authorization": basic(address.user, address.password)} if address.user else {}
    headers = {"Content-Type": "application/json", **account}
    return json.loads(call(method, base(address) + path, data, headers, seconds) or b"null")


def probe(address: Address) -> None:
    """Yellow is enough: an index with replicas never turns green on one node."""
    health = request(address, "GET", "/_cluster/health?wait_for_status=yellow&timeout=1s", seconds=5)
    if not isinstance(health, dict) or health["timed_out"]:
        raise OSError("the cluster is not yellow yet")


def told(address: Address) -> str:
    root = request(address, "GET", "/")
    return str(root["version"]["number"]) if isinstance(root, dict) else ""


def create(address: Address, database: str) -> None:
    """Nothing: a prefix needs no creation."""


def drop(address: Address, database: str) -> None:
    """Remove the indices and templates whose names begin with the prefix."""
    wildcard = f"/{database}*?ignore_unavailable=true&allow_no_indices=true&expand_wildcards=open,closed,hidden"
    found = request(address, "GET", wildcard)
    for index in found if isinstance(found, dict) else ():
        request(address, "DELETE", f"/{index}")
    for kind in ("_template", "_index_template", "_component_template"):
        try:
            request(address, "DELETE", f"/{kind}/{database}*")
        except HttpError as e:
            if e.status != 404:
                raise


def url(scheme: str, address: Address, database: str) -> str:
    return f"{scheme}+http://{address.host}:{address.port}/{database}"


def _engine(name: str, versions: tuple[Version, ...], secured_by: str = "") -> Engine:
    return Engine(
        name=name,
        versions=versions,
        prepare=partial(prepare, name),
        initialise=initialise,
        command=command,
        probe=probe,
        told=told,
        create=create,
        drop=drop,
        url=partial(url, name),
        secure=partial(secured.search, name),
        container_port=9200,
        start_seconds=START_SECONDS,
        secured_by=secured_by,
    )


ELASTICSEARCH = _engine("elasticsearch", ELASTICSEARCH_VERSIONS)
OPENSEARCH = _engine("opensearch", OPENSEARCH_VERSIONS, secured_by="opensearch_secured")
