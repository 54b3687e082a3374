"""`schema show`: one version, as defined or as an engine holds it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from toolkit.catalog import fingerprint
from toolkit.cli.options import engine_option
from toolkit.cli.output import emit, output_option
from toolkit.definition import Definition
from toolkit.describe import definition_json, statement_text
from toolkit.engines import engine, refuse_unsupported
from toolkit.plan import Observed, Statement
from toolkit.versions import find


@click.command("show")
@click.argument("version")
@engine_option()
@output_option
def command(version: str, engine_name: str | None, output: str) -> None:
    """Show VERSION (1.14, v14, latest or working): its definition, or with --engine the statements that create it."""
    definition = find(version)
    if engine_name is None:
        emit(output, definition_json(definition), lambda: _definition_lines(definition))
        return
    statements = _install(engine_name, definition)
    chosen = engine(engine_name)
    data = {
        "engine": engine_name,
        "version": definition.version,
        "fingerprint": fingerprint(chosen.catalog(definition)),
        "catalog": dict(chosen.catalog(definition).body),
        "statements": [statement_text(s) for s in statements],
    }
    emit(output, data, lambda: (f"{statement_text(s)}\n" for s in statements))


def _install(engine_name: str, definition: Definition) -> tuple[Statement, ...]:
    chosen = engine(engine_name)
    refuse_unsupported(chosen, definition)
    steps = chosen.steps(Observed(chosen.empty(), None, ""), definition)
    return tuple(statement for step in steps for statement in step.statements)


def _definition_lines(definition: Definition) -> Iterator[str]:
    elasticsearch = ", ".join(definition.labels.elasticsearch)
    yield f"Version {definition.version} (Elasticsearch {elasticsearch}), Temporal server {definition.servers}"
    yield definition.summary
    yield ""
    for field in definition.fields:
        required = "required" if field.required else ""
        yield f"  {field.name:<38} {field.type.value:<12} {'field':<11} {field.index or '-':<44} {required}".rstrip()
    for attribute in definition.attributes:
        group = attribute.group.value
        yield f"  {attribute.name:<38} {attribute.type.value:<12} {group:<11} {attribute.index or '-'}"
    for index in definition.indexes:
        keys = ", ".join(f"{key.field}{' desc' * key.descending}" for key in index.keys)
        yield f"  {index.name:<38} {'index':<12} ({keys})"
