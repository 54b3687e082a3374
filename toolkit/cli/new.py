"""`schema new`: freeze the working definition as the next version, with all that CI asks of one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from toolkit.changelog import with_entry
from toolkit.cli.generate import unwritable, write
from toolkit.cli.output import emit, output_option
from toolkit.definition import Header, Labels, version_key
from toolkit.describe import change_json, change_line
from toolkit.diff import Change, diff
from toolkit.errors import UsageError, VersionError
from toolkit.generate import compare
from toolkit.load import loads, one_line
from toolkit.resources import changelog_file, schema_dir
from toolkit.versions import chain, read_chain, verify_released, working


@click.command("new")
@click.argument("version")
@click.option("--summary", required=True, help="What the version brings, in a sentence.")
@click.option("--servers", default="not released yet", show_default=True, help="Server releases that use it.")
@output_option
def command(version: str, summary: str, servers: str, output: str) -> None:
    """Freeze schema/visibility.yaml as VERSION, write all files that follow from it, and begin its entry in
    CHANGELOG.md; then say what is left for a person to do."""
    last = chain()[-1]
    if version_key(version) <= version_key(last.version):
        raise VersionError("TV2009", f"{version} does not come after {last.version}", "Versions only go up.")
    changes = diff(last, working())
    if not changes:
        raise VersionError("TV2010", f"schema/visibility.yaml is the same as {last.version}", "Change it first.")
    folder = schema_dir()
    verify_released(folder)
    path = _frozen(folder, version, summary, servers)
    stale = compare(folder, read_chain(folder / "versions"))
    write(folder, stale)
    data = {
        "version": version,
        "file": str(path),
        "changes": [change_json(c) for c in changes],
        "written": list(stale.names()),
    }
    emit(output, data, lambda: _lines(version, changes, stale.names()))


def _frozen(folder: Path, version: str, summary: str, servers: str) -> Path:
    """The new file. The changelog comes first: whoever is interrupted here runs the same command again, and afterwards
    `schema generate` does what is left."""
    label = search_label(version, [label for one in chain() for label in one.labels.elasticsearch])
    header = Header(version, one_line(summary), servers, Labels(version, (label,), version))
    text = freeze((folder / "visibility.yaml").read_text(encoding="utf-8"), header)
    path = folder / "versions" / f"{version}.yaml"
    if loads(text, str(path)).header != header:
        raise UsageError("TV2054", "the header of schema/visibility.yaml cannot be made that of another version",
                         "Write it as in the released files: a line each for version, summary and servers, and below "
                         "labels for sql, elasticsearch and clickhouse.")  # fmt: skip
    log = changelog_file()
    if log is None:
        raise UsageError("TV2053", "there is no CHANGELOG.md beside schema/", "Run this in a checkout of the project.")
    entry = with_entry(log.read_text(encoding="utf-8"), version)
    try:
        log.write_text(entry, encoding="utf-8")
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise unwritable(error) from None
    return path


def _lines(version: str, changes: Sequence[Change], written: Sequence[str]) -> Iterator[str]:
    yield f"Frozen as schema/versions/{version}.yaml:"
    yield from map(change_line, changes)
    yield f"{len(written)} files of schema/ were written, and an entry was begun in CHANGELOG.md. Left for you:"
    yield f"1. Finish `- Schema {version}: …` in CHANGELOG.md."
    yield "2. If a release of Temporal's server brings it: add the release to schema/lineage.yaml (`servers`, and"
    yield "   `sqlite`), and run `temporal-visibility schema generate`."
    yield f"3. python -m tests.support.record {version}    what the engines report of it, into tests/catalogs"
    yield "4. UPDATE_GOLDEN=1 python -m pytest tests/unit/test_docs.py    the screens of the documentation"
    yield "5. make test, and `temporal-visibility schema generate --check --against main`."


def search_label(version: str, taken: Sequence[str]) -> str:
    """The Elasticsearch label of a new version: `v15` of 1.15; where a released version has that one, as with 2.0, the
    next after all of theirs. What is made of a label stands in its own folder, which nobody else may write to."""
    usual = f"v{version.rpartition('.')[2]}"
    numbers = [int(label[1:]) for label in taken if label[1:].isdigit()]
    return f"v{max(numbers) + 1}" if usual in taken else usual


def freeze(text: str, header: Header) -> str:
    """The working file with `header` for its own, as far as that has a line for each part; comments and order stay."""
    labels = header.labels
    lines_of = {
        "version:": f'version: "{header.version}"',
        "summary:": f"summary: {json.dumps(header.summary, ensure_ascii=False)}",
        "servers:": f"servers: {json.dumps(header.servers, ensure_ascii=False)}",
        "  sql:": f'  sql: "{labels.sql}"',
        "  elasticsearch:": f"  elasticsearch: [{', '.join(labels.elasticsearch)}]",
        "  clickhouse:": f'  clickhouse: "{labels.clickhouse}"',
    }
    lines = []
    for line in text.replace("$schema=definition", "$schema=../definition").splitlines():
        key = next((k for k in lines_of if line.startswith(k)), None)
        lines.append(lines_of.pop(key) if key else line)
    return "\n".join(lines) + "\n"
