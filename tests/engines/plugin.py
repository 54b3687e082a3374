"""The pytest plugin: options, one fixture per engine, the run that owns the servers, the table at the end.

It delegates everything else: which versions (selection), servers (runs), handles, the table (report).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import report
from tests.engines.cache import locked
from tests.engines.catalog import ENGINES, STORES, Kind, parse
from tests.engines.embedded import EmbeddedHandle, chdb_version, sqlite_version
from tests.engines.errors import NotAllowed, Unavailable
from tests.engines.handles import Handle, alone, shared
from tests.engines.runs import Run, clean_leftovers
from tests.engines.selection import Selection, selection

RUN = pytest.StashKey[Run]()
SELECTION = pytest.StashKey[Selection]()
EMBEDDED = ("sqlite", "chdb")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("engines", "real database servers")
    group.addoption(
        "--servers",
        action="append",
        default=[],
        metavar="NAME,…",
        help="run server tests on these only: postgresql-16,mysql",
    )
    group.addoption("--all-versions", action="store_true", help="every test on every version, not only the short suite")
    group.addoption("--long", action="store_true", help="the long enumerations, too (--all-versions implies it)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "short: part of the short suite, which runs on every version of an engine")
    config.addinivalue_line("markers", "long: an enumeration too long for every run: with --long or --all-versions")
    config.addinivalue_line(
        "markers", "faults: the test may stop, kill, freeze or cut off its server, which it has to itself"
    )
    config.addinivalue_line(
        "markers", "engines(*names): the engines that the fixture `engine` stands for (default: all)"
    )
    try:
        config.stash[SELECTION] = selection(config.getoption("servers"), config.getoption("all_versions"))
    except NotAllowed as e:
        raise pytest.UsageError(str(e)) from e
    if inherited := getattr(config, "workerinput", {}).get("engines_run"):
        config.stash[RUN] = Run(Path(inherited))
    else:
        clean_leftovers()
        config.stash[RUN] = Run.begin()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """xdist: a worker uses the servers of its controller's run."""
    node.workerinput["engines_run"] = str(node.config.stash[RUN].directory)  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and RUN in config.stash:
        config.stash[RUN].end()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave `long` tests out unless they are asked for."""
    if config.getoption("long") or config.getoption("all_versions"):
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = metafunc.config.stash[SELECTION]
    short = any(True for _ in metafunc.definition.iter_markers("short"))
    for name in ENGINES:
        if name in metafunc.fixturenames:
            kinds = chosen.kinds(name, short)
            metafunc.parametrize(name, kinds, indirect=True, ids=[kind.name for kind in kinds])
    if "engine" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("engines")
        names = marker.args if marker and marker.args else (*(store.name for store in STORES), *EMBEDDED)
        wanted = [kind for name in names if name in ENGINES for kind in chosen.kinds(name, short)]
        inside = [name for name in names if name in EMBEDDED and not chosen.only]
        metafunc.parametrize("engine", [*wanted, *inside], indirect=True, ids=[*(k.name for k in wanted), *inside])


def pytest_terminal_summary(terminalreporter: object, config: pytest.Config) -> None:
    if RUN in config.stash:
        report.write(terminalreporter, config.stash[RUN])


def _note(request: pytest.FixtureRequest, name: str) -> None:
    request.node.user_properties.append(("engine", name))


@pytest.fixture
def server_leases(request: pytest.FixtureRequest) -> Iterator[None]:
    """The right to use the test's servers: with others, or alone for `faults`. Taken in one order, so that nobody
    waits in a ring.
    """
    alone = _breaks(request)
    given = getattr(request.node, "callspec", None)
    kinds = {value for value in given.params.values() if isinstance(value, Kind)} if given else set()
    kinds |= {parse(name) for kind in kinds for name in kind.definition.needs}
    with contextlib.ExitStack() as stack:
        for kind in sorted(kinds):
            stack.enter_context(locked(request.config.stash[RUN].directory / f"{kind.name}.lease", shared=not alone))
        yield


def _breaks(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("faults") is not None


def _server(request: pytest.FixtureRequest, kind: Kind) -> Iterator[Handle]:
    _note(request, kind.name)
    server = request.config.stash[RUN].server(kind)
    try:
        with (alone if _breaks(request) else shared)(server) as handle:
            yield handle
    except Unavailable as e:
        pytest.fail(f"{kind.name} cannot run here: {e}", pytrace=False)


def _files(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> Iterator[EmbeddedHandle]:
    try:
        version = {"sqlite": sqlite_version, "chdb": chdb_version}[name]()
    except Unavailable as e:
        _note(request, name)
        pytest.fail(f"{name} cannot run here: {e}", pytrace=False)
    _note(request, f"{name}-{version}")
    handle = EmbeddedHandle(name, version, tmp_path)
    yield handle
    handle.close()


@pytest.fixture
def postgresql(request: pytest.FixtureRequest, server_leases: None) -> Iterator[Handle]:
    """A database of its own on a real PostgreSQL."""
    yield from _server(request, request.param)


@pytest.fixture
def mysql(request: pytest.FixtureRequest, server_leases: None) -> Iterator[Handle]:
    """A database of its own on a real MySQL."""
    yield from _server(request, request.param)


@pytest.fixture
def elasticsearch(request: pytest.FixtureRequest, server_leases: None) -> Iterator[Handle]:
    """A name prefix of its own on a real Elasticsearch."""
    yield from _server(request, request.param)


@pytest.fixture
def opensearch(request: pytest.FixtureRequest, server_leases: None) -> Iterator[Handle]:
    """A name prefix of its own on a real OpenSearch."""
    yield from _server(request, request.param)


@pytest.fixture
def clickhouse(request: pytest.FixtureRequest, server_leases: None) -> Iterator[Handle]:
    """A database of its own over HTTP: ClickHouse's engine behind the stand-in front, or a real server."""
    yield from _server(request, request.param)


@pytest.fixture
def clickhouse_keeper(request: pytest.FixtureRequest, server_leases: None) -> Iterator[Handle]:
    """As `clickhouse`, with a ZooKeeper behind it: KeeperMap tables work (with prefix /keeper_map)."""
    yield from _server(request, request.param)


@pytest.fixture
def zookeeper(request: pytest.FixtureRequest, server_leases: None) -> Iterator[Handle]:
    """A path of its own on a real ZooKeeper."""
    yield from _server(request, request.param)


@pytest.fixture
def chdb(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedHandle]:
    """A chDB directory of its own, with the database `visibility`, in this process."""
    yield from _files(request, "chdb", tmp_path)


@pytest.fixture
def sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedHandle]:
    """The URL of an SQLite file of its own, not yet there."""
    yield from _files(request, "sqlite", tmp_path)


@pytest.fixture
def engine(request: pytest.FixtureRequest, server_leases: None, tmp_path: Path) -> Iterator[Handle | EmbeddedHandle]:
    """Any engine: the test runs once for each that `@pytest.mark.engines` names, or for all."""
    if isinstance(request.param, Kind):
        yield from _server(request, request.param)
    else:
        yield from _files(request, request.param, tmp_path)
