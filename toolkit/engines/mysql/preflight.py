"""Looks for what would stop a plan half-way on this server, with this account. It changes nothing.

Each check is a query and a Problem with its code; what the server does not tell this account is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

from toolkit.catalog import Absent, Json, Path
from toolkit.engines.mysql import others, topology, traits
from toolkit.engines.mysql.fill import after_return
from toolkit.engines.mysql.layout import PRIMARY_KEY
from toolkit.engines.mysql.names import STEP_BACK, back, old
from toolkit.engines.mysql.others import Ask
from toolkit.engines.mysql.refusals import DEFINER_RIGHTS, MORE_RIGHTS, PLAIN_RIGHTS
from toolkit.engines.mysql.render import identifier
from toolkit.engines.online import Problem, listed
from toolkit.engines.shared_work import REPLAYERS
from toolkit.errors import EngineError
from toolkit.plan import Observed, Plan

LONG_SECONDS = 60
# The run's own, its heart's, the one that watches its waits, one for a swap of two tables, and those of a replay.
SESSIONS = 4 + REPLAYERS
# Those that let an account write to a server that is read-only, and make triggers on one with a binary log.
_SUPER = "SUPER"
_STRONG = frozenset({_SUPER, "CONNECTION_ADMIN"})

_SERVER = """
SELECT @@read_only AS read_only, @@super_read_only AS super_read_only, @@innodb_read_only AS engine_read_only,
       @@log_bin AS log_bin, @@log_bin_trust_function_creators AS trusts, @@binlog_format AS format,
       @@max_user_connections AS most,
       CURRENT_USER() AS me, DATABASE() AS here
"""
_INDEXES = """
SELECT TABLE_NAME AS tab, INDEX_NAME AS name, COLUMN_NAME AS col, EXPRESSION AS expr
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
"""
_GENERATED = """
SELECT TABLE_NAME AS tab, COLUMN_NAME AS name, NULL AS col, GENERATION_EXPRESSION AS expr
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND GENERATION_EXPRESSION <> ''
"""
_VIEWS = """
SELECT u.TABLE_NAME AS tab, CONCAT(v.TABLE_SCHEMA, '.', v.TABLE_NAME) AS name, v.VIEW_DEFINITION AS text
FROM information_schema.VIEW_TABLE_USAGE u JOIN information_schema.VIEWS v
  ON v.TABLE_SCHEMA = u.VIEW_SCHEMA AND v.TABLE_NAME = u.VIEW_NAME WHERE u.TABLE_SCHEMA = DATABASE()
"""
# CREATE TABLE IF NOT EXISTS passes over them.
_NO_TABLES = """
SELECT TABLE_NAME AS name, LOWER(TABLE_TYPE) AS kind FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'BASE TABLE'
"""
_DIVIDED = """
SELECT DISTINCT TABLE_NAME AS name FROM information_schema.PARTITIONS
WHERE TABLE_SCHEMA = DATABASE() AND PARTITION_NAME IS NOT NULL
"""
_GRANT = re.compile(r"^GRANT (.+) ON (.+?) TO ")
_ROLE = re.compile(r"^GRANT `(?!.* ON )")
_LISTED = re.compile(r"[A-Z][A-Z_ ]*[A-Z]")


def check(ask: Ask, plan: Plan, tables: Sequence[str]) -> tuple[Problem, ...]:
    """All problems of `plan` here, fatal ones first."""
    if not plan.steps:
        return ()
    server = ask(_SERVER, ())[0]
    # As the server spells it, which may make all names lower case.
    database = str(server["here"])
    have = rights(_lines(ask, "SHOW GRANTS"), database)
    user, _, host = str(server["me"]).rpartition("@")
    named = _lines(ask, "SHOW GRANTS FOR %s@%s", (user, host))
    own = rights(named, database, exact=any(_ROLE.match(line) for line in named))
    found = [*_writes(server, have), *_rights(server, have, plan), *_waiting(ask), *_users(ask, plan)]
    if any(step.id == STEP_BACK for step in plan.steps):
        seen = traits.read(ask, tables)
        found += [*_altered(seen), *_outdated(seen, tables, plan)]
    found += [*_undone(ask, plan), *_taken(ask, plan, tables)]
    if plan.kept:
        found += [
            *_definer(server, own, database),
            *_triggers(server, have),
            *topology.cluster(ask),
            *_carried(ask, tables),
        ]
        found += [*topology.following(ask, user), *topology.followed(ask), *_room(ask, int(server["most"]), user)]
    return tuple(sorted(found, key=lambda problem: not problem.fatal))


def again(ask: Ask, plan: Plan, look: Callable[[], Observed], tables: Sequence[str]) -> tuple[Problem, ...]:
    """What the rest of a way back would lose, may it have begun long ago. `look`: the store as it is now."""
    back = next((step for step in plan.steps if step.id == STEP_BACK), None)
    ahead = back is not None and not back.is_done(look().view())
    return (*(_altered(traits.read(ask, tables)) if ahead else ()), *_undone(ask, plan))


def _taken(ask: Ask, plan: Plan, tables: Sequence[str]) -> Iterator[Problem]:
    """The run would record a version whose table is not there."""
    made = {name for name in tables if any(step.id == f"table.{name}" for step in plan.steps)}
    for row in ask(_NO_TABLES, ()) if made else ():
        if row["name"].lower() in made:
            text = f"{row['name']} is a {row['kind']}, where a table of the schema has to be made"
            yield Problem("TV5209", text, "Rename or drop it.")


def _lines(ask: Ask, query: str, values: Sequence[object] = ()) -> list[str]:
    """Without a name the server counts in what active roles give; with one, even one's own, it does not."""
    return [str(next(iter(row.values()))) for row in ask(query, values)]


def rights(grants: Sequence[str], database: str, exact: bool = False) -> frozenset[str]:
    """What the account may do on all of `database`, by the lines of SHOW GRANTS; ALL PRIVILEGES means everything.
    `exact`: a database's name in a grant is no pattern."""
    found: set[str] = set()
    for line in grants:
        match = _GRANT.match(line)
        if match is None:
            continue
        words, place = match.groups()
        scope, _, table = place.rpartition(".")
        if table == "*" and (scope == "*" or _fits(scope, database, exact)):
            found |= set(_LISTED.findall(words))
    if "ALL PRIVILEGES" in found:
        found |= {*PLAIN_RIGHTS, *MORE_RIGHTS}
    return frozenset(found)


def _fits(scope: str, database: str, exact: bool) -> bool:
    """Whether a quoted name in a grant, in which `_` and `%` stand for others unless escaped, means `database`."""
    name = scope.removeprefix("`").removesuffix("`").replace("``", "`")
    if name == database or exact:
        return name == database
    parts = re.split(r"(\\[_%]|[_%])", name)
    wild = {"_": ".", "%": ".*"}
    pattern = "".join(wild.get(part) or re.escape(part[1:] if part in (r"\_", r"\%") else part) for part in parts)
    return re.fullmatch(pattern, database, re.DOTALL) is not None


def _rights(server: Mapping[str, Any], have: frozenset[str], plan: Plan) -> Iterator[Problem]:
    needed = (*PLAIN_RIGHTS, *(MORE_RIGHTS if plan.kept else ()))
    missing = [right for right in needed if right not in have]
    if missing:
        offline = set(missing) <= set(MORE_RIGHTS)
        hint = f"As an administrator: GRANT {', '.join(missing)} ON the database TO {server['me']}."
        other = " Or use --offline, which needs less and keeps writers waiting." if offline else ""
        yield Problem("TV4301", f"account {server['me']} lacks {', '.join(missing)} on the database", hint + other)


def _definer(server: Mapping[str, Any], own: frozenset[str], database: str) -> Iterator[Problem]:
    """`own`: what surely counts in a trigger, which runs as its definer. For an account with roles MySQL (8.0 and 9)
    takes patterns in grants literally there, and every write to the live table would be refused."""
    missing = [right for right in DEFINER_RIGHTS if right not in own]
    if missing:
        listed = ", ".join(missing)
        yield Problem(
            "TV4301",
            f"{server['me']} has {listed} only by a role or a pattern, which may not count in triggers",
            f"As an administrator: GRANT {listed} ON `{database}`.* TO {server['me']}, with the name just so. "
            "Or use --offline.",
        )


def _writes(server: Mapping[str, Any], have: frozenset[str]) -> Iterator[Problem]:
    if server["super_read_only"] or server["engine_read_only"] or (server["read_only"] and not have & _STRONG):
        yield Problem("TV4303", "this server takes no writes: a replica, or read-only", "Use the URL of the primary.")


def _triggers(server: Mapping[str, Any], have: frozenset[str]) -> Iterator[Problem]:
    if not server["log_bin"]:
        return
    if not server["trusts"] and _SUPER not in have:
        hint = "As an administrator: SET GLOBAL log_bin_trust_function_creators = 1. Or use --offline."
        yield Problem("TV4302", "triggers are not allowed while the server writes a binary log", hint)
    if server["format"] == "STATEMENT":
        text = "with binlog_format = STATEMENT replicas would record other keys than the primary"
        yield Problem("TV4304", text, "Set binlog_format to ROW: Temporal needs it, too.")


def _room(ask: Ask, most: int, user: str) -> Iterator[Problem]:
    """`most`: sessions that this account may have, 0: any number. An account sees its own ones in any case."""
    more = most - sum(row["User"] == user for row in ask(others.SHOWN, ())) if most else SESSIONS
    if more < SESSIONS - 1:
        text = f"a run needs up to {SESSIONS - 1} more sessions, and MAX_USER_CONNECTIONS lets {user} have"
        hint = "Raise it, or end some. A run that gets none stops; the same command goes on."
        yield Problem("TV4314", f"{text} {max(0, more)} now", hint, fatal=False)


def _waiting(ask: Ask) -> Iterator[Problem]:
    try:
        found = others.transactions(ask, LONG_SECONDS)
    except EngineError:
        return
    for text in found:
        yield Problem(
            "TV4305",
            text,
            "Changes of tables that it has touched wait for it. End it if it is forgotten.",
            fatal=False,
        )


def _users(ask: Ask, plan: Plan) -> Iterator[Problem]:
    """What is not ours and uses a column that goes, or that is made anew. MySQL takes such a column out of an index and
    leaves the rest of it standing, without a word; a shadow's index cannot be built."""
    here = ("catalog", "tables")
    told = [(step.id, e.path[2:], e.wanted) for step in plan.steps for e in step.done if e.path[:2] == here]
    touched = {path for _, path, _ in told}
    columns = [(id, path, wanted) for id, path, wanted in told if path[1:2] == ("columns",)]
    gone = [path for _, path, wanted in columns if isinstance(wanted, Absent)]
    # A table that goes as a whole takes all with it.
    whole = {table for table, _, column in gone if column in PRIMARY_KEY}
    yield from _views(ask, gone, whole) if gone else ()
    gone = [path for path in gone if path[0] not in whole]
    anew = [(id, path) for id, path, wanted in columns if isinstance(wanted, dict) and "generated" in wanted]
    # A shadow has no index yet when its columns are made.
    computed = {"column": [path for _, path in anew], "index": [p for id, p in anew if not id.endswith(".shadow")]}
    for kind, where, query in (("index", "indexes", _INDEXES), ("column", "columns", _GENERATED)):
        for row in ask(query, ()) if gone or anew else ():
            uses = row["expr"] or identifier(row["col"] or "")
            paths = [*gone, *(computed[kind] if row["expr"] else ())]
            used = [column for table, _, column in paths if table == row["tab"] and identifier(column) in uses]
            if used and (row["tab"], where, row["name"]) not in touched:
                yield _user(f"{kind} {row['name']} of {row['tab']}", used, [c for _, _, c in gone])


def _user(what: str, used: Sequence[str], gone: Sequence[str]) -> Problem:
    """MySQL makes no column anew that another one is computed from."""
    if lost := [column for column in used if column in gone]:
        text = f"{what} uses {', '.join(lost)}, which the wanted version has not"
        return Problem("TV4312", text, "Drop it before: nothing could be there of it afterwards.")
    text = f"{what} is computed from {', '.join(used)}, which has to be made anew"
    return Problem("TV4312", text, "Drop it before; it can be added again afterwards.")


def _views(ask: Ask, gone: Sequence[Path], whole: Set[str]) -> Iterator[Problem]:
    """MySQL lets a view stand that reads what is gone; as far as this account may see its text."""
    for row in ask(_VIEWS, ()):
        columns = [c for table, _, c in gone if table == row["tab"] and identifier(c) in (row["text"] or "")]
        lost = [row["tab"]] if row["tab"] in whole else columns
        if lost:
            text = f"view {row['name']} reads {', '.join(lost)}, which the wanted version has not, and will fail"
            yield Problem("TV4312", text, "Drop it, or make it without that.", fatal=False)


def _altered(seen: Mapping[str, Json]) -> Iterator[Problem]:
    """What the table that a rollback would bring back does not have. `seen`: see `traits.read`."""
    keep = "`schema finish` keeps the table as it is; `schema downgrade` leads down from there."
    facts, intact = seen["tables"], seen["intact"]
    assert isinstance(facts, dict)
    assert isinstance(intact, dict)
    for name, value in facts.items():
        obstacles = traits.decode(value).obstacles
        if obstacles:
            text = f"these were made on {name} since the upgrade and would be lost: {', '.join(obstacles)}"
            yield Problem("TV4306", text, f"Drop them. Or: {keep}")
        if intact.get(back(name)) is False:
            text = f"{name} was altered or made anew since the upgrade, and the old table would come back without that"
            again = f"After a mere OPTIMIZE TABLE {name} one of {back(name)} opens the way again."
            yield Problem("TV4313", text, f"There is no way back any more: {keep} {again}")


def _outdated(seen: Mapping[str, Json], tables: Sequence[str], plan: Plan) -> Iterator[Problem]:
    """Side tables that a way down has taken away come back as they were then; runs of 0.1.0 bring nothing into them."""
    own, brought = seen["own"], {step.id for step in plan.steps}
    assert isinstance(own, dict)
    away = [name for name in tables if old(name) in own and back(name) not in own]
    if again := [name for name in away if after_return(name) not in brought]:
        text = f"{listed(again, 3)} will be as before the downgrade: filters on its attributes may miss later changes"
        hint = "To have them right: `schema finish`, then `schema upgrade`, which makes it anew from the records."
        yield Problem("TV4315", text, hint, fatal=False)


def _undone(ask: Ask, plan: Plan) -> Iterator[Problem]:
    """A table that an upgrade made goes with its rollback."""
    undone = (e.path[2:] for step in plan.steps if step.id.endswith(".undo") for e in step.done)
    made = {path for path in undone if path[1:2] == ("columns",)}
    whole = {table for table, _, column in made if column in PRIMARY_KEY}
    for table, column in traits.plain_columns(ask, sorted(whole)) if whole else ():
        if (table, "columns", column) not in made:
            text = f"column {column} was made on {table}, which goes with the upgrade that made it"
            yield Problem("TV4306", text, "Drop it. Or: `schema finish` keeps the table as it is.")


def _carried(ask: Ask, tables: Sequence[str]) -> Iterator[Problem]:
    """What a new table in the place of the old one would silently lose or could not be, and how much room it takes."""
    seen = traits.read(ask, tables)
    facts, sizes = seen["tables"], seen["sizes"]
    assert isinstance(facts, dict)
    assert isinstance(sizes, dict)
    for name, value in facts.items():
        table = traits.decode(value)
        if table.unfit:
            yield Problem(
                "TV4310",
                f"{name} cannot be rebuilt beside live writes, for what it has: {', '.join(table.unfit)}",
                "Use --offline, which changes the table itself while writes wait.",
            )
        if table.obstacles:
            yield Problem(
                "TV4306",
                f"these belong to {name} and would be lost when it is swapped: {', '.join(table.obstacles)}",
                "Drop them before and create them again afterwards, or use --offline, which changes the table itself.",
            )
    for name in {row["name"] for row in ask(_DIVIDED, ())} & facts.keys():
        text = f"{name} has partitions: nothing tells of one that is emptied or exchanged, and a swap takes that back"
        yield Problem("TV4316", text, "Leave them alone until `schema finish`.", fatal=False)
    size = sum(int(str(value)) for value in sizes.values()) // 1_000_000
    text = f"up to {size} MB more disk is needed until `schema finish`, and as much for the binary log if there is one"
    yield Problem("TV4307", text, "The server cannot tell how much is free: please look.", fatal=False)
