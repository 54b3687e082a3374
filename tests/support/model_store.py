"""A small model of a store with a table, a shadow, a key log, a lock and a journal: what a rebuild does, and no more.

It is as strict as a database: a step that may not be run twice fails when it is, and a swap asserts what it replaces.
What happens around every action (writes, refusals, the end of the process) is told by a `Fate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from toolkit.catalog import Catalog, Json
from toolkit.engines.online import Entry, Holder, Run
from toolkit.engines.rebuilding import Busy, Compared, Copied, Key, Ran, Replayed, Swapped, Tick
from toolkit.errors import ConnectionFailed, LockHeld
from toolkit.plan import NO_LOCK, Expect, Mode, Observed, Plan, Step, StepClass


class Killed(BaseException):
    """The process is gone: nothing after this line runs, and nothing catches it."""


@dataclass(frozen=True, slots=True)
class Fate:
    """One thing that happens. `what`: ok, busy, lost (the connection, before the deed), before, after (killed then: the
    deed is done, and its answer reaches nobody). `writes`: keys and values written before it, where 0 deletes."""

    what: str = "ok"
    writes: tuple[tuple[int, int], ...] = ()


def _step(id: str, mode: Mode = Mode.ONCE, done: Sequence[Expect] = (), needs: Sequence[Expect] = ()) -> Step:
    return Step(id, id, "", StepClass.ONLINE, NO_LOCK, (), (), tuple(done), mode=mode, needs=tuple(needs))


def _is(name: str, value: Json) -> Expect:
    return Expect(("traits", name), value)


STEPS = (
    _step("shadow", needs=[_is("live", "old"), _is("kept", None)]),
    _step("capture"),
    _step("copy", Mode.COPY),
    _step("follow", Mode.REPLAY),
    _step("indexes", Mode.PARALLEL),
    _step("catchup", Mode.REPLAY),
    _step("compare", Mode.COMPARE),
    _step("swap", Mode.SWAP, done=[_is("kept", "old")], needs=[_is("live", "old")]),
    _step("record.new", done=[Expect(("recorded",), "new")]),
)
ROLLBACK = (
    _step("back", Mode.SWAP, done=[_is("live", "old")], needs=[_is("kept", "old")]),
    _step("drop"),
    _step("record.old", done=[Expect(("recorded",), "old")]),
)
PLAN = Plan(
    engine="model", found=("old",), recorded="old", wanted="new", base="", goal="", steps=STEPS, rollback=ROLLBACK,
    abandon=(_step("drop"),), finish=(_step("drop"),),
)  # fmt: skip


@dataclass
class Store:
    """What outlives a process. `live`, `shadow`, `kept`: run → version of its row; `truth`: what writers wrote."""

    fates: Iterator[Fate]
    live: dict[int, int] = field(default_factory=dict)
    truth: dict[int, int] = field(default_factory=dict)
    shape: str = "old"
    shadow: dict[int, int] | None = None
    indexed: bool = False
    kept: tuple[str, dict[int, int]] | None = None
    capturing: bool = False
    log: list[int] = field(default_factory=list)
    recorded: str = "old"
    fencing: int = 0
    owner: str | None = None
    runs: list[Run] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def write(self, key: int, value: int) -> None:
        """Somebody's write; 0 deletes."""
        for table in (self.live, self.truth):
            table.pop(key, None)
            if value:
                table[key] = value
        if self.capturing:
            self.log.append(key)

    def leftovers(self) -> list[str]:
        """What must not be there in the end."""
        found = {"shadow": self.shadow, "kept": self.kept, "log": self.log, "capture": self.capturing}
        return [name for name, thing in found.items() if thing]


class ModelClient:
    """One process's connection to the store; see `toolkit.engines.Client` and `Coordinated`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.fence = 0

    def observe(self) -> Observed:
        """The store's view."""
        store = self.store
        traits: dict[str, Json] = {"live": store.shape, "kept": store.kept[0] if store.kept else None}
        return Observed(Catalog("model", {}), store.recorded, "", traits=traits)

    def take_lock(self, owner: str, seconds: float) -> ModelClient:
        """Whoever comes gets it: the former holder is dead."""
        self.store.fencing += 1
        self.store.owner, self.fence = owner, self.store.fencing
        return self

    @property
    def fencing(self) -> int:
        """Ours."""
        return self.fence

    def check(self) -> None:
        """Whether it is still the newest."""
        if self.fence != self.store.fencing:
            raise LockHeld("TV5102", "lost", "")

    def beat(self) -> None:
        """Nothing expires here."""

    def release(self) -> None:
        """Give it back."""
        self.store.owner = None

    def holder(self) -> Holder | None:
        """Nobody asks."""
        return None

    def break_lock(self, owner: str) -> None:
        """Nobody does."""

    def journal(self) -> ModelJournal:
        """The journal."""
        return ModelJournal(self)

    def rebuilding(self) -> ModelRebuilding:
        """The deeds."""
        return ModelRebuilding(self)


class ModelJournal:
    """See `toolkit.engines.online.Journal`: a line is written or not, nothing between."""

    def __init__(self, client: ModelClient) -> None:
        self.client, self.store = client, client.store

    def runs(self) -> Sequence[Run]:
        """All runs."""
        return tuple(self.store.runs)

    def lines(self, run: int) -> Sequence[Mapping[str, Json]]:
        """Nobody asks."""
        return ()

    def begin(self, kind: str, wanted: str, plan: Json, state: Json, of: int | None) -> Run:
        """A new run."""
        self.client.check()
        run = Run(len(self.store.runs) + 1, kind, "running", wanted, "", "", None, plan, state, of)
        self.store.runs.append(run)
        return run

    def append(self, run: int, entry: Entry) -> None:
        """The state the machine is in since."""
        self.client.check()
        self.store.runs[run - 1] = replace(self.store.runs[run - 1], state=entry.state)
        self.store.lines.append(entry.action)

    def close(self, run: int, status: str, of: int | None = None, of_status: str = "") -> None:
        """Its end."""
        self.client.check()
        self.store.runs[run - 1] = replace(self.store.runs[run - 1], status=status)
        if of is not None:
            self.store.runs[of - 1] = replace(self.store.runs[of - 1], status=of_status)


class ModelRebuilding:
    """See `toolkit.engines.rebuilding.Rebuilding`: every call is one transaction, with its fate around it."""

    def __init__(self, client: ModelClient) -> None:
        self.client, self.store = client, client.store

    def _fated(self, deed: Callable[[], Any]) -> Any:
        fate = next(self.store.fates, Fate())
        for key, value in fate.writes:
            self.store.write(key, value)
        if fate.what == "before":
            raise Killed
        if fate.what == "lost":
            raise ConnectionFailed("TV4002", "lost the connection", "")
        if fate.what == "busy":
            return Busy("somebody else is at it")
        self.client.check()
        done = deed()
        if fate.what == "after":
            raise Killed
        return done

    def attempt(self, step: Step, wait: float, tick: Tick) -> Ran | Busy:
        """See the protocol."""
        return self._fated(lambda: self._once(step.id) or Ran())

    def _once(self, id: str) -> None:
        store = self.store
        match id:
            case "shadow":
                store.shadow, store.indexed = {}, False
            case "capture":
                store.capturing = True
            case "indexes":
                assert store.shadow is not None
                store.indexed = True
            case "drop":
                store.shadow, store.kept, store.log, store.capturing = None, None, [], False
            case "record.new" | "record.old":
                store.recorded = id.removeprefix("record.")

    def copy(self, step: Step, after: Key | None, rows: int) -> Copied | Busy:
        """See the protocol: what is there already stays."""

        def deed() -> Copied:
            assert self.store.shadow is not None
            chunk, last = self._chunk(self.store.live, after)
            for key in chunk:
                self.store.shadow.setdefault(key, self.store.live[key])
            return Copied(last, len(chunk), 0.1)

        return self._fated(deed)

    def compare(self, step: Step, after: Key | None, rows: int) -> Compared | Busy:
        """See the protocol: recorded keys are left out."""

        def deed() -> Compared:
            assert self.store.shadow is not None
            chunk, last = self._chunk({**self.store.live, **self.store.shadow}, after)
            unlike = [k for k in chunk if self.store.live.get(k) != self.store.shadow.get(k)]
            return Compared(last, len(chunk), 0.1, tuple((str(k),) for k in unlike if k not in self.store.log))

        return self._fated(deed)

    def _chunk(self, table: Mapping[int, int], after: Key | None) -> tuple[list[int], Key | None]:
        keys = sorted(key for key in table if after is None or key > int(after[0]))
        return keys[:3], (str(keys[2]),) if len(keys) > 3 else None

    def replay(self, step: Step, keys: int) -> Replayed | Busy:
        """See the protocol: three keys at a time."""

        def deed() -> Replayed:
            taken = self._refresh(step, 3)
            return Replayed(taken, len(self.store.log), 0.1)

        return self._fated(deed)

    def _refresh(self, step: Step, most: int) -> int:
        kept = self.store.kept[1] if self.store.kept else None
        target = kept if step.id == "back" else self.store.shadow
        assert target is not None, "nothing to keep current"
        taken, self.store.log[:most] = self.store.log[:most], []
        for key in taken:
            target.pop(key, None)
            if key in self.store.live:
                target[key] = self.store.live[key]
        return len(taken)

    def swap(self, step: Step, wait: float, most: int) -> Swapped | Busy:
        """See the protocol: it asserts what it replaces."""

        def deed() -> Swapped | Busy:
            store = self.store
            if len(store.log) > most:
                return Busy("too many keys")
            self._refresh(step, most)
            if step.id == "swap":
                assert store.shape == "old"
                assert store.indexed
                assert store.shadow is not None
                store.kept, store.live, store.shadow, store.shape = ("old", store.live), store.shadow, None, "new"
            else:
                assert store.shape == "new"
                assert store.kept is not None
                store.shadow, store.live, store.kept, store.shape = store.live, store.kept[1], None, "old"
            return Swapped(0.01)

        return self._fated(deed)
