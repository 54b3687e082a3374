"""The SQL files shipped for ClickHouse under `schema/clickhouse/`.

Pure; they are the planner's steps written down, so a file and a run cannot differ. `NNN_version_1_10.sql` and its
`.down.sql` are what plain clickhouse-migrations runs; every statement in them may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from toolkit.catalog import Catalog
from toolkit.definition import Definition
from toolkit.engines.clickhouse import layout, planner, render, versions
from toolkit.engines.clickhouse.layout import ALONE, Placement
from toolkit.engines.clickhouse.typemap import Profile
from toolkit.plan import NO_LOCK, Observed, Sql, Step, StepClass

# Filled in by `clickhouse-migrations migrate --var NAME=VALUE`.
CLUSTER_EXAMPLE = Placement(cluster="${CLUSTER}", ttl_days="${TTL_DAYS}", storage_policy="${STORAGE_POLICY}")


def files(chain: Sequence[Definition], rules: Profile) -> Mapping[str, str]:
    """Path below `schema/` → content."""
    supported = [d for d in chain if d.labels.clickhouse is not None]
    return {
        **_migrations("clickhouse", supported, _Writer(rules, ALONE)),
        **_migrations("clickhouse/cluster", supported, _Writer(rules, CLUSTER_EXAMPLE)),
        **{f"clickhouse/install/{d.version}.sql": _Writer(rules, ALONE).install(d) for d in supported},
    }


def _migrations(folder: str, chain: Sequence[Definition], writer: _Writer) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, definition in enumerate(chain, start=1):
        name = f"{folder}/{versions.file_name(number, definition.version)}"
        before = chain[number - 2] if number > 1 else None
        found[name] = writer.up(before, definition)
        found[name.removesuffix(".sql") + ".down.sql"] = writer.down(before, definition)
    return found


@dataclass(frozen=True, slots=True)
class _Writer:
    """The scripts of one placement."""

    rules: Profile
    placement: Placement

    def install(self, definition: Definition) -> str:
        """A fresh install of any version."""
        title = f"Visibility schema {definition.version} on {self._where}: fresh install."
        return _script(title, self._guards(None, definition), self._steps(None, definition))

    def up(self, before: Definition | None, after: Definition) -> str:
        """The step from the version before; for the first one, its install."""
        if before is None:
            return self.install(after)
        title = f"Visibility schema on {self._where}: {before.version} to {after.version}. {after.summary}"
        return _script(title, self._guards(before, after), self._steps(before, after))

    def down(self, before: Definition | None, after: Definition) -> str:
        """The opposite of `up`."""
        if before is None:
            title = f"Visibility schema {after.version} on {self._where}: away with it, and with every record in it."
            return _script(title, (), (self._uninstall(after),))
        title = f"Visibility schema on {self._where}: {after.version} back to {before.version}."
        return _script(title, self._guards(after, before), self._steps(after, before))

    @property
    def _where(self) -> str:
        return "a ClickHouse cluster" if self.placement.cluster else "ClickHouse"

    def _guards(self, before: Definition | None, after: Definition) -> tuple[Sql, ...]:
        guard = versions.guard(_label(before) if before else None, _label(after))
        return (guard,) if before else (versions.create_version_table(self.placement), guard)

    def _steps(self, before: Definition | None, after: Definition) -> tuple[Step, ...]:
        catalog = self._catalog(before) if before else layout.EMPTY
        # clickhouse-migrations keeps its own book when it runs a file.
        observed = Observed(catalog, _label(before) if before else None, "")
        return planner.steps(observed, after, self.rules, self.placement)

    def _catalog(self, definition: Definition) -> Catalog:
        return layout.catalog(definition, self.rules, self.placement)

    def _uninstall(self, first: Definition) -> Step:
        tables = [placed.table.name for placed in layout.layout(first, self.rules, self.placement)]
        drops = tuple(render.drop_table(name, self.placement.cluster) for name in reversed(tables))
        title = "Drop the tables and forget the version"
        statements = (*drops, versions.forget(self.placement))
        return Step("uninstall", title, "", StepClass.BREAKING, NO_LOCK, statements, (), ())


def _script(title: str, guards: Iterable[Sql], steps: Iterable[Step]) -> str:
    """One file: the title, the guards, then each step under its own headline, without what a guard has done already."""
    parts = [f"-- {title}\n-- Generated from schema/versions; change the definition, not this file."]
    done = [statement.text for statement in guards]
    parts += [f"{text};" for text in done]
    for step in steps:
        texts = [s.text for s in step.statements if isinstance(s, Sql) and s.text not in done]
        parts.append(f"-- {step.title}\n" + "\n\n".join(f"{text};" for text in texts))
    return "\n\n".join(parts) + "\n"


def _label(definition: Definition) -> str:
    return definition.labels.clickhouse or definition.version
