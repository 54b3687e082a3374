"""The engines and versions that tests can ask for, by name: `postgresql-15`, `mysql-9`, `elasticsearch-7.17`, …

A table and the parsing of names. It never looks at the machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.engines.engine import Engine, Version
from tests.engines.errors import NotAllowed
from tests.engines.servers.clickhouse import CLICKHOUSE, CLICKHOUSE_KEEPER
from tests.engines.servers.mysql import MYSQL
from tests.engines.servers.postgresql import POSTGRESQL
from tests.engines.servers.search import ELASTICSEARCH, OPENSEARCH
from tests.engines.servers.zookeeper import ZOOKEEPER

STORES = (POSTGRESQL, MYSQL, ELASTICSEARCH, OPENSEARCH, CLICKHOUSE)
ENGINES: dict[str, Engine] = {engine.name: engine for engine in (*STORES, CLICKHOUSE_KEEPER, ZOOKEEPER)}
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
    def definition(self) -> Engine:
        return ENGINES[self.engine]

    @property
    def version(self) -> Version:
        return self.definition.version(self.label)


def kinds() -> list[Kind]:
    """All versions of all engines."""
    return [Kind(engine.name, version.label) for engine in ENGINES.values() for version in engine.versions]


def parse(name: str) -> Kind:
    """The version that a name means; the engine alone means its default version. NotAllowed for anything else."""
    engine, _, label = name.partition("-")
    engine = SHORT_NAMES.get(engine, engine)
    if engine in ENGINES:
        kind = Kind(engine, label or ENGINES[engine].default.label)
        if kind in kinds():
            return kind
    raise NotAllowed(f"no engine is called {name!r}; there are {', '.join(k.name for k in kinds())}")
