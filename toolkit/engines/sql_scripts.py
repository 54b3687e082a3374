"""Steps as readable SQL scripts, one statement a paragraph, and the set of scripts that every SQL engine ships.

Pure. The format is what `schema/sql/env.py` and the command-line clients of the engines read: a statement ends with a
semicolon and an empty line; the comment OUTSIDE says that the next one cannot run inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from toolkit.catalog import Catalog
from toolkit.definition import Definition
from toolkit.plan import NO_LOCK, Observed, Sql, Step, StepClass

OUTSIDE = "-- outside a transaction"
# Alembic keeps its own mark when it runs a script; the toolkit's runs set it by this step.
ALEMBIC_STEP = "record.alembic"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the scripts need from an engine. `guard(before, after)`: statements that stop a wrong run; `fit(steps)`:
    what else these steps need before them where a store is there already; `uninstall`: what removes the first version,
    its books included; `shell`: a line for the engine's own command-line client, beginning with a dot, which is no SQL
    and which other runners leave out; `finish`: the last statements."""

    name: str
    catalog: Callable[[Definition], Catalog]
    empty: Catalog
    steps: Callable[[Observed, Definition], tuple[Step, ...]]
    guard: Callable[[str | None, str], tuple[Sql, ...]]
    uninstall: tuple[Sql, ...]
    fit: Callable[[Sequence[Step]], tuple[Sql, ...]] = lambda steps: ()
    shell: str = ""
    finish: tuple[Sql, ...] = ()


def files(chain: Sequence[Definition], dialect: Dialect) -> Mapping[str, str]:
    """Path below `schema/` → script: install and uninstall for each version, a step up and down between neighbours."""
    found: dict[str, str] = {}
    folder = f"sql/{dialect.name}"
    for definition in chain:
        number, label = definition.version, definition.labels.sql or definition.version
        install = _steps(dialect, dialect.empty, None, definition)
        title = f"Visibility schema {number} on {dialect.name}: fresh install."
        found[f"{folder}/install/{number}.sql"] = _script(dialect, title, dialect.guard(None, label), install)
    first = chain[0]
    label = first.labels.sql or first.version
    title = f"Visibility schema {first.version} on {dialect.name}: away with it, and with every record in it."
    found[f"{folder}/uninstall/{first.version}.sql"] = _script(
        dialect, title, dialect.guard(label, label), [_uninstall(dialect)]
    )
    for before, after in pairwise(chain):
        old, new = before.labels.sql or before.version, after.labels.sql or after.version
        up = _steps(dialect, dialect.catalog(before), old, after)
        down = _steps(dialect, dialect.catalog(after), new, before)
        name = f"{before.version}-{after.version}"
        title = f"Visibility schema on {dialect.name}: {before.version} to {after.version}. {after.summary}"
        found[f"{folder}/upgrade/{name}.sql"] = _script(
            dialect, title, (*dialect.guard(old, new), *dialect.fit(up)), up
        )
        title = f"Visibility schema on {dialect.name}: {after.version} back to {before.version}."
        guards = (*dialect.guard(new, old), *dialect.fit(down))
        found[f"{folder}/downgrade/{after.version}-{before.version}.sql"] = _script(dialect, title, guards, down)
    return found


def _uninstall(dialect: Dialect) -> Step:
    title = "Drop the tables and forget the version"
    return Step("uninstall", title, "", StepClass.BREAKING, NO_LOCK, dialect.uninstall, (), ())


def _steps(dialect: Dialect, catalog: Catalog, recorded: str | None, wanted: Definition) -> list[Step]:
    steps = dialect.steps(Observed(catalog, recorded, ""), wanted)
    return [step for step in steps if step.id != ALEMBIC_STEP]


def _script(dialect: Dialect, title: str, guards: Iterable[Sql], steps: Iterable[Step]) -> str:
    """One file: the title, the guards, each step under its own headline, and what closes the script."""
    parts = [f"-- {title}\n-- Generated from schema/versions; change the definition, not this file.\n"]
    parts += [f"{dialect.shell}\n"] if dialect.shell else []
    parts += [paragraph(guard) for guard in guards]
    for step in steps:
        parts.append(f"-- {step.title}\n" + "\n".join(paragraph(s) for s in step.statements if isinstance(s, Sql)))
    parts += [paragraph(statement) for statement in dialect.finish]
    return "\n".join(parts)


def paragraph(statement: Sql) -> str:
    """A statement with its semicolon, and the mark when it must run outside a transaction."""
    assert ";\n\n" not in statement.text
    return f"{OUTSIDE}\n{statement.text};\n" if statement.autocommit else f"{statement.text};\n"
