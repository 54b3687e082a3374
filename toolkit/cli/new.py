"""`schema new`: freeze the working definition as the next version."""

from __future__ import annotations

import click

from toolkit.cli.output import emit, output_option
from toolkit.definition import version_key
from toolkit.describe import change_json, change_line
from toolkit.diff import diff
from toolkit.errors import VersionError
from toolkit.load import loads
from toolkit.resources import schema_dir
from toolkit.versions import chain, working


@click.command("new")
@click.argument("version")
@click.option("--summary", required=True, help="What the version brings, in a sentence.")
@click.option("--servers", default="not released yet", show_default=True, help="Server releases that use it.")
@output_option
def command(version: str, summary: str, servers: str, output: str) -> None:
    """Freeze schema/visibility.yaml as VERSION; then run `schema generate`."""
    last = chain()[-1]
    if version_key(version) <= version_key(last.version):
        raise VersionError("TV2009", f"{version} does not come after {last.version}", "Versions only go up.")
    changes = diff(last, working())
    if not changes:
        raise VersionError("TV2010", f"schema/visibility.yaml is the same as {last.version}", "Change it first.")
    folder = schema_dir()
    text = freeze((folder / "visibility.yaml").read_text(encoding="utf-8"), version, summary, servers)
    path = folder / "versions" / f"{version}.yaml"
    loads(text, str(path))
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    lines = [f"Frozen as schema/versions/{version}.yaml:", *(change_line(c) for c in changes)]
    lines.append("Next: temporal-visibility schema generate")
    emit(output, {"version": version, "file": str(path), "changes": [change_json(c) for c in changes]}, lambda: lines)


def freeze(text: str, version: str, summary: str, servers: str) -> str:
    """The working file with its header made that of `version`; comments and order stay."""
    import json

    number = version.rpartition(".")[2]
    header = {
        "version:": f'version: "{version}"',
        "summary:": f"summary: {json.dumps(summary, ensure_ascii=False)}",
        "servers:": f"servers: {json.dumps(servers, ensure_ascii=False)}",
        "  sql:": f'  sql: "{version}"',
        "  elasticsearch:": f"  elasticsearch: [v{number}]",
        "  clickhouse:": f'  clickhouse: "{version}"',
    }
    lines = []
    for line in text.replace("$schema=definition", "$schema=../definition").splitlines():
        key = next((k for k in header if line.startswith(k)), None)
        lines.append(header.pop(key) if key else line)
    return "\n".join(lines) + "\n"
