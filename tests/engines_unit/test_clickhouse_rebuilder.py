"""What a rebuild on ClickHouse makes of answers that no embedded server gives when asked to."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from toolkit.engines.clickhouse import rebuilder, shadow
from toolkit.engines.clickhouse.rebuilder import ClickHouseRebuilder
from toolkit.engines.rebuilding import Busy, Compared
from toolkit.errors import EngineError
from toolkit.plan import NO_LOCK, Mode, Sql, Step, StepClass

PARTS = tuple(Sql(f"SELECT key_1 AS {part}", part=part) for part in ("bound", "copy", "size", "compare"))


class _Alone:
    """The lock of a test."""

    def check(self) -> None:
        """Always held."""


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.COMPARE])
@pytest.mark.parametrize(("word", "less"), [("TIMEOUT_EXCEEDED", True), ("TOO_MANY_PARTS", True), ("SYNTAX", False)])
def test_a_server_that_asks_for_less_at_a_time(mode: Mode, word: str, less: bool) -> None:
    def refuse(*_: object) -> Any:
        raise EngineError("TV4003", f"refused: Code: 1. DB::Exception: no. ({word})")

    lease: Any = _Alone()
    rebuilder = ClickHouseRebuilder(refuse, refuse, lease)
    step = Step("a", "A", "", StepClass.REBUILD, NO_LOCK, PARTS, (), (), mode=mode)
    act = rebuilder.copy if mode is Mode.COPY else rebuilder.compare
    if less:
        assert isinstance(act(step, None, 1000), Busy)
    else:
        with pytest.raises(EngineError):
            act(step, None, 1000)


@pytest.mark.parametrize(("rows", "differs"), [(shadow.SHOWN, True), (5, False)])
def test_more_differs_than_one_look_shows(monkeypatch: pytest.MonkeyPatch, rows: int, differs: bool) -> None:
    """A server with several threads shows others each time: none is in all looks, and yet nothing is equal. A few rows
    that are others each time are just being written."""
    monkeypatch.setattr(rebuilder, "_ROUND_SECONDS", 0.0)
    looks = count()

    def ask(query: str, _: object) -> list[dict[str, Any]]:
        look = next(looks) if "AS compare" in query else 0
        return [{"namespace_id": "n", "run_id": f"{look}-{n}", "n": 0} for n in range(rows)]

    lease: Any = _Alone()
    statements = tuple(Sql(f"SELECT 1 AS {part}", part=part) for part in ("bound", "size", "compare"))
    step = Step("a", "A", "", StepClass.REBUILD, NO_LOCK, statements, (), (), mode=Mode.COMPARE)
    compared = ClickHouseRebuilder(ask, lambda *_: None, lease).compare(step, None, 1000)
    assert isinstance(compared, Compared)
    assert bool(compared.different) == differs


@pytest.mark.parametrize(("cluster", "named"), [(None, False), ("main", True)])
def test_blocks_are_known_again_after_a_move_to_another_host(cluster: str | None, named: bool) -> None:
    """The disk of one server in its next container, whose name differs."""
    side = shadow.side("t", cluster, "rand()", final=True)
    pair = shadow.Pair("t", cluster, side, side, {}, frozenset(), {}, (), {})
    for statement in (*shadow.blocks(pair, "t", "captured"), *shadow.dropped(pair, "captured", "dropped")):
        assert ("hostName()" in statement.text) == named
