"""From the plain steps of a plan to the way that keeps no writer waiting: shadow tables instead of copies under a lock.

Pure; `planner` says what has to change, `shadow` has the statements, this module gives their order and the ways back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.catalog import ABSENT, Catalog, Json
from toolkit.definition import Definition
from toolkit.engines.mysql import alter, fill, layout, names, render, shadow, traits, versions
from toolkit.engines.mysql.alter import Alteration
from toolkit.engines.mysql.typemap import Profile
from toolkit.engines.online import Route
from toolkit.engines.physical import Table
from toolkit.plan import NO_LOCK, Expect, Lock, Mode, Observed, Sql, Step, StepClass

SHORT = Lock("METADATA", "reads and writes, for milliseconds", brief=True)
READ = Lock("none", "nobody")


@dataclass(frozen=True, slots=True)
class _Work:
    """Everything about the rebuild of one table. `fulltext`, `others`: clauses that build indexes, by name."""

    table: Table
    live: traits.TableTraits
    change: Alteration
    done: tuple[Expect, ...]
    forward: shadow.Pair
    back: shadow.Pair
    fulltext: Mapping[str, str]
    others: Mapping[str, str]

    @property
    def name(self) -> str:
        """The live table."""
        return self.table.name

    @property
    def key(self) -> dict[str, str]:
        """Name → type of the key's columns."""
        return {name: self.live.types[name] for name in layout.PRIMARY_KEY}


def route(plain: Sequence[Step], observed: Observed, wanted: Definition, rules: Profile) -> Route:
    """The way beside live writes. Tables without a row are changed in place: nobody can be waiting for long."""
    goal = layout.layout(wanted, rules)
    seen = observed.traits.get("tables")
    facts = seen if isinstance(seen, dict) else {}
    live = {name: traits.decode(value) for name, value in facts.items()}
    steps = {name: [s for s in plain if _table_of(s) == name] for name in live}
    heavy = {name for name in live if live[name].has_rows and any(_is_heavy(s) for s in steps[name])}
    if not heavy:
        return Route(tuple(plain))
    # Whatever else changes and has no reverse of its own is given one by a shadow, or stays aside until the end.
    moved = {t.name for t in goal if t.name in heavy or (live.get(t.name) and _is_final(steps[t.name]))}
    aside = [name for name in live if goal.table(name) is None and steps[name]]
    works = [_work(table, live[table.name], steps[table.name], observed) for table in goal if table.name in moved]
    rest = [step for step in plain if _table_of(step) not in {*moved, *aside}]
    before = [step for step in rest if not step.id.startswith("record.")]
    after = [step for step in rest if step.id.startswith("record.")]
    return Route(
        steps=(*before, *_steps(works, aside), *after),
        rollback=(
            _swap(works, aside, back=True),
            *(step for name in aside for step in fill.again(name, observed, rules)),
            *(_drop(w.name, names.shadow(w.name), "Drop the newer") for w in works),
            *_reverses(before, works),
            *versions.restore_steps(observed, wanted),
        ),
        abandon=(
            *(_drop(w.name, names.shadow(w.name), "Drop the shadow of") for w in works),
            *_reverses(before, works),
        ),
        finish=tuple(_drop(name, names.old(name), "Drop the old") for name in [*(w.name for w in works), *aside]),
    )


def _table_of(step: Step) -> str:
    """The table that a planner's step is about; empty for the version tables."""
    kind, _, rest = step.id.partition(".")
    return rest.partition(".")[0] if kind in ("columns", "indexes", "table") else ""


def _is_heavy(step: Step) -> bool:
    """Whether writers would wait: for a copy, a build under a lock, or one long update."""
    updates = any(isinstance(s, Sql) and s.text.startswith("UPDATE ") for s in step.statements)
    return step.step_class is StepClass.REBUILD or step.lock.name == "SHARED" or updates


def _is_final(steps: Sequence[Step]) -> bool:
    return any(not step.reverse for step in steps)


def _work(table: Table, live: traits.TableTraits, ours: Sequence[Step], observed: Observed) -> _Work:
    change = alter.alteration(table, observed.catalog, traits.has_fulltext(observed, table.name))
    relaxed = not (traits.is_strict(observed) or change.converts)
    remade = {c.name for c in change.remade}
    copied = [name for name in live.plain if name not in {*change.dropped_columns, *remade}]
    defaults = {c.name: alter.preset(c.catalog) for c in change.filled}
    former = {
        c.name: alter.preset(had) for c in change.altered if (had := _column(observed.catalog, table.name, c.name))
    }
    wanted = {index.name for index in table.indexes}
    # No catalog tells which parser a full-text index has, and Chinese or Japanese texts are searched by another.
    kept = {
        name: f"ADD {line}"
        for name, line in live.indexes.items()
        if name not in change.dropped_indexes and (name not in wanted or line.startswith("FULLTEXT "))
    }
    built = {i.name: render.add_index(i) for i in table.indexes} | kept
    fulltext = {name for name, clause in built.items() if clause.startswith("ADD FULLTEXT ")}
    text = frozenset(name for name in copied if live.plain[name])
    names_ = (table.name, names.shadow(table.name), names.log(table.name))
    values = {name: shadow.column(table.name, name, defaults.get(name)) for name in copied}
    first, second = layout.PRIMARY_KEY
    return _Work(
        table=table,
        live=live,
        change=change,
        done=tuple(expectation for step in ours for expectation in step.done),
        forward=shadow.Pair(*names_, (first, second), values, text, relaxed),
        back=shadow.Pair(
            table.name, names.old(table.name), names.back(table.name), (first, second),
            {name: shadow.column(table.name, name, former.get(name)) for name in copied}, text, relaxed,
        ),
        fulltext={n: clause for n, clause in built.items() if n in fulltext},
        others={n: clause for n, clause in built.items() if n not in fulltext},
    )  # fmt: skip


def _column(observed: Catalog, table: str, name: str) -> Json:
    """The facts of a live column that takes no NULL; None for others."""
    facts = observed.children(("tables", table, "columns")).get(name)
    return facts if isinstance(facts, dict) and facts.get("not_null") else None


def _steps(works: Sequence[_Work], aside: Sequence[str]) -> Iterator[Step]:
    """Create, record, copy, follow, index, follow, compare, record on the other side, swap."""
    for work in works:
        yield _shadow(work)
        yield _capture(work, "capture", f"Record the keys of changed rows of {work.name}", work.name, work.forward.log)
    for work in works:
        yield Step(
            f"rebuild.{work.name}.copy", f"Copy {work.name} into the shadow, chunk by chunk along the primary key", "",
            StepClass.REBUILD, READ, (shadow.bound(work.forward), shadow.copy(work.forward)), (), (), mode=Mode.COPY,
        )  # fmt: skip
    yield _replay(works, "follow", "Refresh what changed meanwhile")
    for work in works:
        if work.fulltext or work.others:
            yield _indexes(work)
    yield _replay(works, "catchup", "Refresh what changed meanwhile, again")
    for work in works:
        yield Step(
            f"rebuild.{work.name}.compare", f"Compare every row of the shadow with {work.name}",
            "rows whose change is recorded and not yet followed are left out",
            StepClass.ONLINE, READ, (shadow.bound(work.forward), shadow.compare(work.forward)), (), (),
            mode=Mode.COMPARE,
        )  # fmt: skip
    for work in works:
        title = f"Get ready to record changes of the new {work.name} after the swap"
        yield _capture(work, "arm", title, names.shadow(work.name), work.back.log)
    yield _swap(works, aside, back=False)


def _shadow(work: _Work) -> Step:
    table = names.shadow(work.name)
    clauses = alter.column_clauses(work.change)
    return Step(
        f"rebuild.{work.name}.shadow",
        f"Create a shadow of {work.name} with the wanted columns",
        "the live table would be copied with writes blocked",
        StepClass.METADATA,
        READ,
        (
            *shadow.create(work.name, sorted(work.live.indexes)),
            *((render.alter_table(table, clauses, render.Algorithm.COPY),) if clauses else ()),
        ),
        (render.drop_table(table),),
        work.done,
        tuple(c.name for c in (*work.change.added, *work.change.remade, *work.change.altered)),
        needs=(
            _defined(work),
            _is_free(work),
            _is_fit(work),
            Expect(("traits", "own", names.old(work.name)), ABSENT),
        ),
    )


def _defined(work: _Work) -> Expect:
    return Expect(("traits", "tables", work.name, "definition"), work.live.definition)


def _is_free(work: _Work) -> Expect:
    """Nothing has come to the table that a swap would lose."""
    return Expect(("traits", "tables", work.name, "obstacles"), [])


def _is_fit(work: _Work) -> Expect:
    """The shadow has the right key and collation, which are its table's."""
    return Expect(("traits", "tables", work.name, "unfit"), [])


def _capture(work: _Work, id: str, title: str, on: str, log: str) -> Step:
    live = on == work.name
    return Step(
        f"rebuild.{work.name}.{id}",
        title,
        "triggers write them into a log; values are read later from the live row" if live else "",
        StepClass.METADATA,
        SHORT if live else READ,
        tuple(shadow.capture(work.name, on, log, work.key, work.live.collation)),
        (),
        tuple(Expect(("traits", "triggers", names.trigger(log, event)), on) for event in names.EVENTS),
    )


def _replay(works: Sequence[_Work], id: str, title: str) -> Step:
    parts = (s for number, work in enumerate(works, 1) for s in shadow.replay(work.forward, number))
    return Step(f"rebuild.{id}", title, "", StepClass.ONLINE, READ, tuple(parts), (), (), mode=Mode.REPLAY)


def _indexes(work: _Work) -> Step:
    """Full text first, one at a time: the first one makes the table anew, and MySQL takes no two at once."""
    table = names.shadow(work.name)
    built = [s for name, clause in work.fulltext.items() for s in shadow.build(table, name, [clause])]
    if work.others:
        built += shadow.build(table, next(iter(work.others)), list(work.others.values()))
    if work.forward.relaxed:
        built = list(render.relaxed(built))
    count = len(work.fulltext) + len(work.others)
    return Step(
        f"rebuild.{work.name}.indexes", f"Build {count} indexes on the shadow of {work.name}",
        "all but full text in one sorted pass; nobody waits for the shadow",
        StepClass.REBUILD, NO_LOCK, (shadow.BUFFER, *built, Sql(f"ANALYZE TABLE {render.identifier(table)}")), (), (),
        tuple(name for name in (*work.fulltext, *work.others) if name not in work.live.indexes),
    )  # fmt: skip


def _swap(works: Sequence[_Work], aside: Sequence[str], back: bool) -> Step:
    """All tables at once, forth or back."""
    here, there = ((names.old, names.shadow), (names.shadow, names.old))[back]
    pairs = [work.back if back else work.forward for work in works]
    renames = [r for w in works for r in ((w.name, here(w.name)), (there(w.name), w.name))]
    renames += [(names.old(n), n) if back else (n, names.old(n)) for n in aside]
    listed = " and ".join(w.name for w in works)
    replayed = (s for number, pair in enumerate(pairs, 1) for s in shadow.replay(pair, number))
    own = [*(here(w.name) for w in works), *(names.old(n) for n in aside if not back)]
    gone = [*(there(w.name) for w in works), *(names.old(n) for n in aside if back)]
    return Step(
        names.STEP_BACK if back else "rebuild.swap",
        f"Swap back: the old {listed} again" if back else f"Swap: the new {listed} for the old, which is kept",
        "it was kept current by the recorded keys" if back else "one rename of all tables; given up and tried again "
        "when the tables are not free at once",
        StepClass.REBUILD,
        SHORT,
        (*replayed, *shadow.swap(pairs, renames, [a for a, _ in renames[2 * len(works) :]])),
        (),
        (*(Expect(("traits", "own", n), True) for n in own), *(Expect(("traits", "own", n), ABSENT) for n in gone)),
        mode=Mode.SWAP,
        needs=tuple(_needed(works, back)),
    )  # fmt: skip


def _needed(works: Sequence[_Work], back: bool) -> Iterator[Expect]:
    """Nobody has changed the tables or taken the triggers away."""
    for work in works:
        log = work.back.log if back else work.forward.log
        yield from (Expect(("traits", "triggers", names.trigger(log, e)), work.name) for e in names.EVENTS)
        yield Expect(("traits", "intact", log), True)
        yield _is_free(work)
        if not back:
            yield _defined(work)
            yield _is_fit(work)


def _drop(live: str, table: str, title: str) -> Step:
    return Step(
        f"rebuild.{live}.drop.{table}", f"{title} {live} and stop recording changes", "",
        StepClass.METADATA, SHORT, shadow.drop(live, table), (), (),
    )  # fmt: skip


def _reverses(steps: Sequence[Step], works: Sequence[_Work]) -> Iterator[Step]:
    """The steps beside the rebuild taken back; each is looked at first, as some may never have been done. What was
    brought into a table goes with it."""
    for step in reversed(steps):
        if step.reverse and step.mode is Mode.ONCE:
            yield replace(
                step,
                id=f"{step.id}.undo",
                title=f"Take back: {step.title}",
                reason="",
                step_class=StepClass.METADATA,
                statements=step.reverse,
                reverse=(),
                done=tuple(Expect(e.path, ABSENT) for e in step.done),
                needs=tuple(Expect(("traits", "own", names.shadow(work.name)), ABSENT) for work in works),
            )
