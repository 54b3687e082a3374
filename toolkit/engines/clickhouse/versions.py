"""Which version a ClickHouse database says it has: our own table, and the book of `clickhouse-migrations` beside it.

Rows of `schema_versions` are what clickhouse-migrations 0.16 writes itself (number, md5 of the file's bytes, its text);
this module reads the shipped files and writes statements, and never runs them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from toolkit.catalog import ABSENT
from toolkit.definition import Definition
from toolkit.engines.clickhouse.layout import Placement
from toolkit.engines.clickhouse.names import PREFIX
from toolkit.engines.clickhouse.render import identifier, literal, on_cluster
from toolkit.engines.version_tables import FOREIGN
from toolkit.plan import NO_LOCK, Expect, Observed, Sql, Step, StepClass
from toolkit.resources import schema_dir

VERSION_TABLE = "temporal_visibility_schema_version"
MIGRATIONS_TABLE = "schema_versions"
MARK = "clickhouse-migrations"
MARK_STEP = "record.clickhouse-migrations"
# Our own state and other tools' books are no part of the schema.
IGNORED_TABLES = (MIGRATIONS_TABLE, f"{MIGRATIONS_TABLE}_lock")
IGNORED_PREFIX = PREFIX

RECORDED = f"SELECT argMax(version, sequence) AS v FROM {VERSION_TABLE}"
# How every shipped migration begins, and one that somebody has edited, too.
TITLE = "-- Visibility schema"
APPLIED = (
    f"SELECT DISTINCT version, md5, startsWith(script, {literal(TITLE)}) AS titled FROM {MIGRATIONS_TABLE}"
    " ORDER BY version"
)

_FILE = re.compile(r"([0-9]+)_version_([0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One shipped `NNN_version_1_10.sql`."""

    number: int
    version: str
    script: str

    @property
    def md5(self) -> str:
        """As clickhouse-migrations takes it; it tells edited files from others and protects nothing."""
        return hashlib.md5(self.script.encode(), usedforsecurity=False).hexdigest()


def file_name(number: int, version: str) -> str:
    """`002_version_1_10.sql`."""
    return f"{number:03d}_version_{version.replace('.', '_')}.sql"


@cache
def shipped(clustered: bool) -> tuple[Migration, ...]:
    """The migrations of this installation, in order: those of one server, or those of a cluster."""
    folder = schema_dir() / "clickhouse" / ("cluster" if clustered else ".")
    found = []
    for path in folder.glob("*.sql"):
        if match := _FILE.fullmatch(path.name):
            script = path.read_bytes().decode("utf-8")
            found.append(Migration(int(match[1]), match[2].replace("_", "."), script))
    return tuple(sorted(found, key=lambda migration: migration.number))


def is_book(columns: Iterable[Mapping[str, object]]) -> bool:
    """Whether a table with these columns, as system.columns tells them, is one of clickhouse-migrations."""
    types = {row["name"]: str(row["type"]) for row in columns}
    return types.keys() >= {"md5", "script"} and types.get("version", "").startswith("UInt")


def mark(rows: Sequence[Mapping[str, object]], migrations: Sequence[Migration]) -> str | None:
    """What `schema_versions` says, as one word: the last number when all shipped migrations up to it are there as
    shipped, else which are missing or other; FOREIGN when another project has the table for its own migrations. None
    when it holds nothing. Migrations that somebody runs besides ours, with numbers of their own, are not counted."""
    if not rows:
        return None
    known = {m.number: m.md5 for m in migrations}
    found = [(int(str(row["version"])), row["md5"], bool(row["titled"])) for row in rows]
    applied = {number: md5 for number, md5, titled in found if titled or known.get(number) == md5}
    if not applied or known.keys() & {number for number, *_ in found} - applied.keys():
        return FOREIGN
    last = max(applied)
    missing = [n for n in known if n < last and n not in applied]
    other = [n for n, md5 in applied.items() if known.get(n) != md5]
    words = [f"without {_listed(missing)}"] if missing else []
    words += [f"other text in {_listed(other)}"] if other else []
    return f"{last} ({', '.join(words)})" if words else str(last)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in sorted(numbers))


def record_steps(
    observed: Observed, wanted: Definition, migrations: Sequence[Migration], placement: Placement
) -> tuple[Step, ...]:
    """The last steps of every plan: say which version the database now has, in our own table and to
    clickhouse-migrations, as far as there is a shipped migration for it and the book is no other project's."""
    label = wanted.labels.clickhouse or wanted.version
    found = []
    if observed.recorded != label:
        found.append(_record(observed.recorded, label, wanted.summary, placement))
    number = next((m.number for m in migrations if m.version == wanted.version), None)
    if number is not None and observed.marks.get(MARK) not in (str(number), FOREIGN):
        found.append(_mark(number, migrations, placement, is_first=MARK not in observed.marks))
    return tuple(found)


def restore_steps(
    observed: Observed, wanted: Definition, migrations: Sequence[Migration], placement: Placement
) -> tuple[Step, ...]:
    """The opposite of `record_steps`: what the database said in `observed`, as far as a shipped migration tells it."""
    done = {step.id for step in record_steps(observed, wanted, migrations, placement)}
    found = []
    if "record.version" in done:
        old = observed.recorded or ""
        words = f"Record version {old} again in {VERSION_TABLE}" if old else "Record that no version is claimed"
        statement = _insert_version(old, "taken back")
        found.append(Step("restore.version", words, "", StepClass.METADATA, NO_LOCK, (statement,), (), ()))
    before = observed.marks.get(MARK, "0")
    if MARK_STEP in done and before.isdigit():
        found.append(_mark(int(before), migrations, placement, is_first=False))
    return tuple(found)


def _record(old: str | None, new: str, summary: str, placement: Placement) -> Step:
    return Step(
        "record.version",
        f"Record version {new} in {VERSION_TABLE}",
        "the version this toolkit reports; one line for each change",
        StepClass.METADATA,
        NO_LOCK,
        (*((create_version_table(placement),) if old is None else ()), _insert_version(new, summary)),
        (),
        (Expect(("recorded",), new),),
    )


def create_version_table(placement: Placement) -> Sql:
    """Our table: one line for each recorded version, the last one counts."""
    return Sql(
        f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE}{on_cluster(placement.cluster)} (\n"
        "  sequence    UInt64,\n"
        "  version     String,\n"
        "  previous    String,\n"
        "  summary     String,\n"
        "  recorded_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')\n"
        f")\n{everywhere(placement)}\nORDER BY sequence"
    )


def everywhere(placement: Placement) -> str:
    """A small table that every server of a cluster has whole, whatever its shard."""
    if placement.cluster is None:
        return "ENGINE = MergeTree"
    return "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')"


def _insert_version(new: str, summary: str) -> Sql:
    """Adds a line unless the last one says so already."""
    return Sql(
        f"INSERT INTO {VERSION_TABLE} (sequence, version, previous, summary)\n"
        f"SELECT max(sequence) + 1, {literal(new)}, argMax(version, sequence), {literal(summary)}\n"
        f"FROM {VERSION_TABLE}\n"
        f"HAVING argMax(version, sequence) != {literal(new)}"
    )


def _mark(number: int, migrations: Sequence[Migration], placement: Placement, is_first: bool) -> Step:
    wanted = [m for m in migrations if m.number <= number]
    right = ", ".join(f"({m.number}, {literal(m.md5)})" for m in wanted) or "(0, '')"
    # What is no shipped migration is somebody else's and stays.
    known = ", ".join(str(m.number) for m in migrations)
    delete = f"DELETE WHERE version IN ({known}) AND (version, md5) NOT IN ({right})"
    clean = Sql(f"ALTER TABLE {identifier(MIGRATIONS_TABLE)}{on_cluster(placement.cluster)}\n  {delete}")
    return Step(
        MARK_STEP,
        f"Record migrations up to {number} in {MIGRATIONS_TABLE}",
        "so that plain clickhouse-migrations agrees",
        StepClass.METADATA,
        NO_LOCK,
        (
            _create_migrations_table(placement),
            *(() if is_first else (clean,)),
            *(_insert_migration(m) for m in wanted),
        ),
        (),
        (Expect(("marks", MARK), str(number) if number else ABSENT),),
    )


def _create_migrations_table(placement: Placement) -> Sql:
    """The table as clickhouse-migrations makes it, with its own path in Keeper on a cluster."""
    engine = "MergeTree"
    if placement.cluster is not None:
        engine = "ReplicatedMergeTree('/clickhouse/tables/{database}/{table}', '{replica}')"
    return Sql(
        f"CREATE TABLE IF NOT EXISTS {MIGRATIONS_TABLE}{on_cluster(placement.cluster)} (\n"
        "  version    UInt32,\n"
        "  md5        String,\n"
        "  script     String,\n"
        "  created_at DateTime DEFAULT now()\n"
        f")\nENGINE = {engine}\nORDER BY tuple(created_at)"
    )


def _insert_migration(migration: Migration) -> Sql:
    there = f"version = {migration.number} AND md5 = {literal(migration.md5)}"
    return Sql(
        f"INSERT INTO {MIGRATIONS_TABLE} (version, md5, script)\n"
        f"SELECT {migration.number}, {literal(migration.md5)}, {literal(migration.script)}\n"
        f"WHERE (SELECT count() FROM {MIGRATIONS_TABLE} WHERE {there}) = 0"
    )


def forget(placement: Placement) -> Sql:
    """Take away what we recorded."""
    return Sql(f"DROP TABLE IF EXISTS {VERSION_TABLE}{on_cluster(placement.cluster)}")


def guard(before: str | None, after: str) -> Sql:
    """A statement that stops a script unless the database records `before` (None: nothing yet), or already `after`
    (the script was run before and may be repeated)."""
    asked = "no schema yet" if before is None else f"version {before}"
    allowed = f"{literal(before or '')}, {literal(after)}"
    message = literal(f"this script needs {asked}; see {VERSION_TABLE} for what is there")
    return Sql(f"SELECT throwIf(({RECORDED}) NOT IN ({allowed}), {message})")
