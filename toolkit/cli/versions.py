"""`schema versions`: list the released versions."""

from __future__ import annotations

import click

from toolkit.cli.output import emit, output_option, table
from toolkit.versions import headers


@click.command("versions")
@output_option
def command(output: str) -> None:
    """List the released versions: what each store calls them, which servers used them, what they changed."""
    versions = headers()

    def text() -> list[str]:
        rows = [
            (d.version, ", ".join(d.labels.elasticsearch), d.labels.clickhouse or "-", d.servers, d.summary)
            for d in versions
        ]
        return table(("SQL", "Elasticsearch", "ClickHouse", "Temporal server", "What it brought"), rows)

    emit(output, {"versions": [header.to_json() for header in versions]}, text)
