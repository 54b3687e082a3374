"""A side table that is made where there may be records: what they hold of its attributes is brought into it.

Pure. The main table has every record's whole map. A side table gets a record's row when that is written the next time;
without this, filters would not find until then what a downgrade, or somebody's DROP TABLE, took away with its table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.engines.mysql import shadow
from toolkit.engines.mysql.alter import NOBODY, SHARED
from toolkit.engines.mysql.layout import PRIMARY_KEY
from toolkit.engines.mysql.render import drop_table, identifier, literal, member
from toolkit.engines.mysql.traits import is_strict
from toolkit.engines.mysql.typemap import Profile
from toolkit.engines.physical import Table
from toolkit.plan import Mode, Observed, Sql, Step, StepClass
from toolkit.versions import chain

_MAP = "search_attributes"
_VERSION = "_version"
# How the ids of these steps begin.
FILL = "fill"


def steps(table: Table, observed: Observed, rules: Profile, beside: bool) -> Iterator[Step]:
    """The step after the one that makes `table`; none where no record can have anything for it. `beside`: chunk by
    chunk, which keeps no writer waiting; else it is one statement."""
    main = rules.table
    have = observed.catalog.children(("tables", main, "columns"))
    if table.name == main or not observed.rows or _MAP not in have:
        return
    names = [c.name for c in table.columns if not c.generated and c.name in have]
    values = {name: shadow.column(main, name) for name in names}
    pair = shadow.Pair(main, table.name, "", PRIMARY_KEY, values, relaxed=not is_strict(observed))
    wanted = _having(main, _attributes(table, observed, rules))
    copy = shadow.copy(pair, wanted)
    yield Step(
        f"{FILL}.{table.name}",
        f"Bring what records hold of its attributes into {table.name}",
        "filters would find it only when a record is written the next time",
        StepClass.ONLINE,
        NOBODY if beside else SHARED,
        (shadow.bound(pair), copy) if beside else (Sql(shadow.whole(pair, wanted).text.replace("%%", "%")),),
        # With the table goes what is in it.
        (drop_table(table.name),),
        (),
        mode=Mode.COPY if beside else Mode.ONCE,
    )


def after_return(name: str) -> str:
    """The id of the step of `again`."""
    return f"{FILL}.{name}.again"


def again(name: str, observed: Observed, rules: Profile) -> Iterator[Step]:
    """The step after the one by which side table `name` comes back, to which nobody wrote while it was away: what its
    records hold now. Who writes to it by then has the greater version."""
    main, tables = rules.table, observed.catalog
    have, columns = (tables.children(("tables", table, "columns")) for table in (main, name))
    if not {_MAP, _VERSION} <= have.keys() & columns.keys():
        return
    values = {field: shadow.column(main, field) for field in (*PRIMARY_KEY, _MAP, _VERSION)}
    pair = shadow.Pair(main, name, "", PRIMARY_KEY, values, relaxed=not is_strict(observed))
    generated = [column for column, facts in columns.items() if isinstance(facts, dict) and "generated" in facts]
    old, new = (shadow.column(table, _VERSION) for table in (name, main))
    former, latter = (shadow.column(table, _MAP) for table in (name, main))
    same = " AND ".join(f"g.{identifier(key)} = {shadow.column(main, key)}" for key in PRIMARY_KEY)
    wanted = f"({_having(main, generated)} OR EXISTS (SELECT 1 FROM {identifier(name)} AS g WHERE {same}))"
    there = f"{former} = IF({new} >= {old}, {latter}, {former}), {old} = GREATEST({old}, {new})"
    yield Step(
        after_return(name),
        f"Bring what has changed since then into {name}",
        "nobody wrote to it while it was away",
        StepClass.ONLINE,
        NOBODY,
        (shadow.bound(pair), shadow.copy(pair, wanted, there)),
        (),
        (),
        mode=Mode.COPY,
    )


def _having(main: str, attributes: Sequence[str]) -> str:
    """Whether a record of `main` has a value for one of `attributes`."""
    paths = ", ".join(literal(member(name)).replace("%", "%%") for name in attributes)
    return f"JSON_CONTAINS_PATH({shadow.column(main, _MAP)}, 'one', {paths})"


def _attributes(table: Table, observed: Observed, rules: Profile) -> list[str]:
    """Those of `table`; in a live store also what the table gets later, as a column that is added brings no row. A
    script that is shipped knows of no later version."""
    group = next(rule.group for rule in rules.tables if rule.name == table.name)
    later = [a.name for a in chain()[-1].attributes if a.group is group] if observed.server else []
    return [*dict.fromkeys([*(c.name for c in table.columns if c.generated), *later])]
