"""A side table that is made where there may be records: what they hold of its attributes is brought into it.

Pure. The main table has every record's whole map. A side table gets a record's row when that is written the next time;
without this, filters would not find until then what a downgrade, or somebody's DROP TABLE, took away with its table.
"""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.engines.mysql import shadow
from toolkit.engines.mysql.alter import NOBODY, SHARED
from toolkit.engines.mysql.layout import PRIMARY_KEY
from toolkit.engines.mysql.render import drop_table, literal, member
from toolkit.engines.mysql.traits import is_strict
from toolkit.engines.mysql.typemap import Profile
from toolkit.engines.physical import Table
from toolkit.plan import Mode, Observed, Sql, Step, StepClass
from toolkit.versions import chain

_MAP = "search_attributes"
# How the ids of these steps begin.
FILL = "fill"


def steps(table: Table, observed: Observed, rules: Profile, beside: bool) -> Iterator[Step]:
    """The step after the one that makes `table`; none where no record can have anything for it. `beside`: chunk by
    chunk, which keeps no writer waiting; else it is one statement."""
    main = rules.table
    have = observed.catalog.children(("tables", main, "columns"))
    if table.name == main or observed.rows == 0 or _MAP not in have:
        return
    names = [c.name for c in table.columns if not c.generated and c.name in have]
    values = {name: shadow.column(main, name) for name in names}
    pair = shadow.Pair(main, table.name, "", PRIMARY_KEY, values, relaxed=not is_strict(observed))
    paths = ", ".join(literal(member(name)).replace("%", "%%") for name in _attributes(table, observed, rules))
    wanted = f"JSON_CONTAINS_PATH({shadow.column(main, _MAP)}, 'one', {paths})"
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


def _attributes(table: Table, observed: Observed, rules: Profile) -> list[str]:
    """Those of `table`; in a live store also what the table gets later, as a column that is added brings no row. A
    script that is shipped knows of no later version."""
    group = next(rule.group for rule in rules.tables if rule.name == table.name)
    later = [a.name for a in chain()[-1].attributes if a.group is group] if observed.rows else []
    return [*dict.fromkeys([*(c.name for c in table.columns if c.generated), *later])]
