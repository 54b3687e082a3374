"""Everything under `schema/` that follows from the definitions: which files there must be, and which differ.

It reads files to compare; writing is left to the command. Engines say what their own files are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from toolkit.definition import Definition, version_key
from toolkit.engines import ENGINES
from toolkit.json_schema import definition_schema, overlay_schema
from toolkit.lineage import content, members
from toolkit.routes import published
from toolkit.tree import TREES, trees
from toolkit.versions import CHECKSUMS, checksum_lines

# Folders whose generated files are all ours: what is there and not wanted is left over and goes.
_OWNED = ("sql/postgresql", "sql/mysql", "sql/sqlite", "sql/versions", "elasticsearch", "clickhouse")
_KEPT = frozenset({"profile.yaml"})
LINEAGE = "lineage.json"
# Read as it is, since it changes all the time.
WORKED_ON = "visibility.yaml"


@dataclass(frozen=True, slots=True)
class Stale:
    """How the folder differs from what the definitions say: files to write, and files to remove."""

    write: Mapping[str, str]
    remove: tuple[str, ...]

    def names(self) -> tuple[str, ...]:
        """All of them, sorted."""
        return tuple(sorted([*self.write, *self.remove]))


def wanted(chain: Sequence[Definition], sources: Mapping[str, bytes]) -> dict[str, str]:
    """Path below `schema/` → content of every generated file; `sources` are the YAML files as they are."""
    files: dict[str, str] = {"definition.schema.json": definition_schema(), "overlay.schema.json": overlay_schema()}
    for make in ENGINES.values():
        files |= make().artefacts(chain)
    files |= revisions(chain)
    engines = [make() for make in ENGINES.values()]
    files[LINEAGE] = content([(engine, members(engine, chain, published().routes)) for engine in engines])
    files[TREES] = trees(sources)
    definitions = {name: content for name, content in sources.items() if name.startswith("versions/")}
    files[CHECKSUMS] = "\n".join(checksum_lines(_released(files, definitions))) + "\n"
    return files


def _released(files: Mapping[str, str], definitions: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    """What the checksums cover: definitions by version, then the generated files by path."""
    ordered = sorted(definitions, key=lambda name: version_key(Path(name).stem))
    artefacts = [*sorted(name for name in files if "/" in name), LINEAGE, TREES]
    return [*((name, definitions[name]) for name in ordered), *((name, files[name].encode()) for name in artefacts)]


def compare(folder: Path, chain: Sequence[Definition]) -> Stale:
    """What must be written and removed to make `folder` current."""
    paths = (p for p in folder.rglob("*.yaml") if p != folder / WORKED_ON)
    files = wanted(chain, {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths})
    write = {name: text for name, text in files.items() if _read(folder / name) != text}
    present = (p.relative_to(folder).as_posix() for owned in _OWNED for p in (folder / owned).rglob("*") if p.is_file())
    remove = tuple(n for n in present if n not in files and Path(n).name not in _KEPT and "__pycache__" not in n)
    return Stale(write, remove)


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def revisions(chain: Sequence[Definition]) -> dict[str, str]:
    """One Alembic revision per version; each runs the scripts of the database it meets."""
    before: dict[str, str | None] = {chain[0].version: None}
    before |= {new.version: old.version for old, new in pairwise(chain)}
    return {f"sql/versions/{v.replace('.', '_')}.py": _revision(d, before[v]) for d in chain for v in [d.version]}


def _revision(definition: Definition, before: str | None) -> str:
    version = definition.version
    up = f"install/{version}" if before is None else f"upgrade/{before}-{version}"
    down = f"uninstall/{version}" if before is None else f"downgrade/{version}-{before}"
    summary = definition.summary.replace("\\", "\\\\").replace('"', '\\"')
    return f'''"""{summary}

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = {version!r}
down_revision = {before!r}
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]({up!r})


def downgrade():
    context.config.attributes["run_script"]({down!r})
'''
