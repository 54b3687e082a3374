"""The pytest plugin: options, one fixture per engine, the run that owns the servers, the table at the end.

It delegates everything else: which versions (selection), servers (runs), handles, the table (report).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.engines import embedded, memory, prefetch, report
from tests.engines.cache import locked
from tests.engines.catalog import EMBEDDED, ENGINES, STORES, Kind, default, parse
from tests.engines.embedded import EmbeddedHandle
from tests.engines.errors import NotAllowed, NotOurs, Unavailable
from tests.engines.given import Given
from tests.engines.handles import Handle, Host, alone, shared
from tests.engines.runs import Run, clean_leftovers
from tests.engines.selection import Selection, Way, in_step, selection

RUN = pytest.StashKey[Run]()
SELECTION = pytest.StashKey[Selection]()
PREFETCH = pytest.StashKey[subprocess.Popen[bytes] | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("engines", "real database servers")
    group.addoption(
        "--servers",
        action="append",
        default=[],
        metavar="NAME,…",
        help="run server tests on these only: postgresql-16,mysql",
    )
    group.addoption(
        "--engines",
        choices=[way.value for way in Way],
        help="how servers are started that no URL names (default: processes on Linux x86-64, else containers)",
    )
    group.addoption("--all-versions", action="store_true", help="every test on every version, not only the short suite")
    group.addoption("--long", action="store_true", help="the long enumerations, too (--all-versions implies it)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "short: part of the short suite, which runs on every version of an engine")
    config.addinivalue_line(
        "markers", "containers: about containers themselves; left out unless servers are containers"
    )
    config.addinivalue_line("markers", "long: an enumeration too long for every run: with --long or --all-versions")
    config.addinivalue_line(
        "markers", "faults: the test may stop, kill, freeze or cut off its server, which it has to itself"
    )
    config.addinivalue_line(
        "markers", "engines(*names): the engines that the fixture `engine` stands for (default: all)"
    )
    config.addinivalue_line(
        "markers", "needs(what): skipped, with the reason, on a build whose limits (Version.limits) name it"
    )
    try:
        names, everything = config.getoption("servers"), config.getoption("all_versions")
        config.stash[SELECTION] = selection(names, everything, way=config.getoption("engines"))
    except NotAllowed as e:
        raise pytest.UsageError(str(e)) from e
    if inherited := getattr(config, "workerinput", {}).get("engines_run"):
        config.stash[RUN] = Run(Path(inherited))
    else:
        memory.settle(os.environ)
        clean_leftovers()
        config.stash[RUN] = Run.begin()
        config.stash[PREFETCH] = prefetch.begin(
            config, config.stash[SELECTION], config.stash[RUN].directory / "prefetch"
        )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """xdist: a worker uses the servers of its controller's run."""
    node.workerinput["engines_run"] = str(node.config.stash[RUN].directory)  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and RUN in config.stash:
        prefetch.end(config.stash.get(PREFETCH, None))
        config.stash[RUN].end()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out `long` tests unless they are asked for, and versions that cannot be had the chosen way; say so in the
    table. Tests without a server come first: the others' servers are prepared meanwhile.
    """
    everything = config.getoption("long") or config.getoption("all_versions")
    reasons = {item: reason for item in items if (reason := _why_not(item, everything))}
    if reasons:
        report.note_left_out(config.stash[RUN], reasons.values())
        config.hook.pytest_deselected(items=list(reasons))
        items[:] = [item for item in items if item not in reasons]
    items.sort(key=lambda item: any(not kind.embedded for kind in _kinds(item)))


def _why_not(item: pytest.Item, everything: bool) -> tuple[str, str] | None:
    """What a test is left out with, and why; None when it runs."""
    chosen = item.config.stash[SELECTION]
    for kind in _kinds(item):
        if reason := chosen.why_not(kind):
            return kind.name, reason
    if item.get_closest_marker("containers") and chosen.way is not Way.CONTAINERS:
        return (
            "containers",
            "tests of containers themselves: --engines=containers tests/live/test_engines_containers.py",
        )
    if item.get_closest_marker("long") and not everything:
        return "long", "long tests: make test-all, or --long"
    return None


def _kinds(item: pytest.Item) -> set[Kind]:
    given = getattr(item, "callspec", None)
    return {value for value in given.params.values() if isinstance(value, Kind)} if given else set()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = metafunc.config.stash[SELECTION]
    short = any(True for _ in metafunc.definition.iter_markers("short"))
    named = {name: chosen.kinds(name, short) for name in ENGINES if name in metafunc.fixturenames}
    named |= {name: _inside(chosen, name, short) for name in EMBEDDED if name in metafunc.fixturenames}
    named = {name: kinds for name, kinds in named.items() if name in ENGINES or kinds != [default(name)]}
    if named:
        rows = in_step(list(named.values()), lambda kind: _usable(chosen, kind, metafunc.definition))
        metafunc.parametrize(list(named), rows, indirect=True, ids=["-".join(map(_id, row)) for row in rows])
    if "engine" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("engines")
        names = marker.args if marker and marker.args else (*(store.name for store in STORES), *EMBEDDED)
        kinds = [kind for name in names if name in ENGINES for kind in chosen.kinds(name, short)]
        kinds += [kind for name in names if name in EMBEDDED for kind in chosen.kinds(name, short)]
        metafunc.parametrize("engine", kinds, indirect=True, ids=[_id(kind) for kind in kinds])


def _usable(chosen: Selection, kind: Kind, test: pytest.Item) -> bool:
    return chosen.why_not(kind) is None and not _lacks(test, kind.version.limits)


def _inside(chosen: Selection, name: str, short: bool) -> list[Kind]:
    """The versions of an embedded engine for its own fixture: `--servers` with other names does not forbid it."""
    return (
        chosen.kinds(name, short) if any(kind.embedded for kind in chosen.only) or not chosen.only else [default(name)]
    )


def _id(kind: Kind) -> str:
    return kind.engine if kind.embedded and kind.version.default else kind.name


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A test that would break a server of the user's own is skipped there, with the reason."""
    try:
        return (yield)
    except NotOurs as e:
        pytest.skip(str(e))


def pytest_terminal_summary(terminalreporter: object, config: pytest.Config) -> None:
    if RUN in config.stash:
        report.write(terminalreporter, config.stash[RUN], config.stash[SELECTION].way)


def _note(request: pytest.FixtureRequest, name: str) -> None:
    request.node.user_properties.append(("engine", name))


@pytest.fixture
def server_leases(request: pytest.FixtureRequest) -> Iterator[None]:
    """The right to use the test's servers: with others, or alone for `faults`. Taken in one order, so that nobody
    waits in a ring.
    """
    alone = _breaks(request)
    kinds = {kind for kind in _kinds(request.node) if not kind.embedded}
    kinds |= {parse(name) for kind in kinds for name in kind.definition.needs}
    with contextlib.ExitStack() as stack:
        for kind in sorted(kinds):
            stack.enter_context(locked(request.config.stash[RUN].directory / f"{kind.name}.lease", shared=not alone))
        yield


def _breaks(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("faults") is not None


def _lacks(test: pytest.Item, limits: str) -> str:
    """`limits` when they name something that the test needs, else nothing."""
    needed = [what for marker in test.iter_markers("needs") for what in marker.args]
    return limits if any(what in limits for what in needed) else ""


def _host(config: pytest.Config, kind: Kind) -> Host:
    """The server of a version: the user's own, or one of this run's in the chosen way. Unavailable when neither is."""
    run, chosen = config.stash[RUN], config.stash[SELECTION]
    chosen.check(kind)
    if kind in chosen.urls:
        return Given(kind, run.directory / kind.name, chosen.urls[kind])
    return run.container(kind) if chosen.way is Way.CONTAINERS else run.server(kind)


def _server(request: pytest.FixtureRequest, kind: Kind) -> Iterator[Handle]:
    _note(request, kind.name)
    try:
        with (alone if _breaks(request) else shared)(_host(request.config, kind)) as handle:
            if lacking := _lacks(request.node, handle.limits):
                pytest.skip(f"{kind.name}: {lacking}")
            yield handle
            return
    except Unavailable as e:
        said = f"{kind.name} cannot run here: {e}"
    pytest.fail(said, pytrace=False)


def _files(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> Iterator[EmbeddedHandle]:
    kind: Kind = getattr(request, "param", default(name))
    _note(request, kind.name)
    version, said = "", ""
    try:
        version = embedded.version(kind)
    except Unavailable as e:
        said = f"{kind.name} cannot run here: {e}"
    if said:
        pytest.fail(said, pytrace=False)
    report.note_embedded(request.config.stash[RUN], kind, version)
    with embedded.library(kind), contextlib.closing(EmbeddedHandle(kind, tmp_path)) as handle:
        yield handle


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
def opensearch_secured(request: pytest.FixtureRequest, server_leases: None) -> Iterator[Handle]:
    """As `opensearch`, with the security plugin: HTTPS only, and the account may give others rights."""
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
def clickhouse_cluster(request: pytest.FixtureRequest, server_leases: None) -> Iterator[Handle]:
    """A database of its own on two ClickHouse replicas with a Keeper; official images only."""
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
    if request.param.embedded:
        yield from _files(request, request.param.engine, tmp_path)
    else:
        yield from _server(request, request.param)
