"""The engines and versions that tests can ask for, by name: `postgresql-15`, `elasticsearch-7.17`, `sqlite-newest`, …

A table and the parsing of names. It never looks at the machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.engines.engine import Engine, Version
from tests.engines.errors import NotAllowed
from tests.engines.servers.clickhouse import CLICKHOUSE, CLICKHOUSE_CLUSTER, CLICKHOUSE_KEEPER
from tests.engines.servers.mysql import MYSQL
from tests.engines.servers.postgresql import POSTGRESQL
from tests.engines.servers.search import ELASTICSEARCH, OPENSEARCH
from tests.engines.servers.search_secured import OPENSEARCH_SECURED
from tests.engines.servers.zookeeper import ZOOKEEPER

STORES = (POSTGRESQL, MYSQL, ELASTICSEARCH, OPENSEARCH, CLICKHOUSE)
ENGINES: dict[str, Engine] = {
    engine.name: engine for engine in (*STORES, OPENSEARCH_SECURED, CLICKHOUSE_KEEPER, CLICKHOUSE_CLUSTER, ZOOKEEPER)
}
EMBEDDED: dict[str, tuple[Version, ...]] = {
    "sqlite": (
        Version("python", "this Python's own sqlite3", "", default=True),
        Version("newest", "PyPI pysqlite3-binary", ""),
    ),
    "chdb": (Version("installed", "PyPI chdb, the extra of the toolkit", "", default=True),),
}
SHORT_NAMES = {
    "pg": "postgresql",
    "postgres": "postgresql",
    "es": "elasticsearch",
    "os": "opensearch",
    "ch": "clickhouse",
}


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """One version of one engine."""

    engine: str
    label: str

    @property
    def name(self) -> str:
        return f"{self.engine}-{self.label}"

    @property
    def embedded(self) -> bool:
        """Whether it lives in the test's own process: there is no server."""
        return self.engine in EMBEDDED

    @property
    def definition(self) -> Engine:
        return ENGINES[self.engine]

    @property
    def secured(self) -> Kind | None:
        """The same version with TLS and accounts of its own; None when there is none."""
        kind = Kind(self.definition.secured_by, self.label)
        return kind if kind in kinds() else None

    @property
    def version(self) -> Version:
        return next(version for version in versions(self.engine) if version.label == self.label)


def versions(engine: str) -> tuple[Version, ...]:
    """The versions of an engine."""
    return EMBEDDED[engine] if engine in EMBEDDED else ENGINES[engine].versions


def default(engine: str) -> Kind:
    """The version on which every test of an engine runs."""
    return Kind(engine, next(version.label for version in versions(engine) if version.default))


def kinds() -> list[Kind]:
    """All versions of all engines."""
    return [Kind(engine, version.label) for engine in (*ENGINES, *EMBEDDED) for version in versions(engine)]


def parse(name: str) -> Kind:
    """The version that a name means; the engine alone means its default version. NotAllowed for anything else."""
    engine, _, label = name.partition("-")
    engine = SHORT_NAMES.get(engine, engine)
    if engine in ENGINES or engine in EMBEDDED:
        kind = Kind(engine, label) if label else default(engine)
        if kind in kinds():
            return kind
    raise NotAllowed(f"no engine is called {name!r}; there are {', '.join(k.name for k in kinds())}")
