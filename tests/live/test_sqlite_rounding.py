"""Stores that another SQLite library wrote: it computes some times otherwise, and so it must go on to find its entries.

The judge is the library that wrote the store: `PRAGMA integrity_check` compares each index with the table.
"""

from __future__ import annotations

import _sqlite3
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.embedded import EmbeddedHandle, newest_sqlite
from tests.support import journeys
from tests.support.command import temporal_visibility
from tests.support.filter_records import records
from toolkit.engines import Client, Engine
from toolkit.engines.sqlite import rounding
from toolkit.engines.sqlite.render import TIME_FORM
from toolkit.engines.sqlite.rounding import Way
from toolkit.errors import EngineError
from toolkit.records import Deletion, Moment, Record
from toolkit.resources import schema_dir
from toolkit.versions import find

pytestmark = pytest.mark.short

START = 1_709_251_200_000_000_000
# Halves of a millisecond, and what is nearer to the next second than to .999; in the last second of a minute, too.
FRACTIONS = (500_000, 1_500_000, 123_500_000, 999_500_000, 999_600_000, 999_999_999, 998_400_001)
FINE = [START + second * 10**9 + fraction for second in (0, 1, 7, 58, 59) for fraction in FRACTIONS]
ONE = find("1.13")


def library(in_use: bool) -> Any:
    """Of Python's own library and the newest, the one in use, or the other."""
    both = (_sqlite3, newest_sqlite())
    return next(module for module in both if (module.sqlite_version == sqlite3.sqlite_version) is in_use)


def written(moments: list[int]) -> list[Record]:
    return [
        replace(record, attributes={"Datetime01": Moment(moment), "TemporalDatetime01": Moment(moment + 10**9)})
        for record, moment in zip(records(len(moments)), moments, strict=True)
    ]


def store(handle: EmbeddedHandle, module: Any, wanted: list[Record] | None = None) -> str:
    """A store whose rows that library wrote; its file."""
    wanted = wanted or written(FINE)
    file = handle.url.removeprefix("sqlite:///")
    with journeys.opened(handle.url) as (engine, client):
        journeys.upgrade(engine, client, ONE)
    again(file, module, wanted)
    return file


def again(file: str, module: Any, wanted: list[Record]) -> None:
    from toolkit.engines.sqlite import rows
    from toolkit.engines.sqlite.typemap import profile

    form = rows.Form.of(ONE, profile())
    with closing(module.connect(file, isolation_level=None)) as writer:
        writer.executemany(form.merge, [form.values(replace(r, version=r.version + 1)) for r in wanted])


def sound(file: str, module: Any) -> list[str]:
    """What that library says of the file, other than that it is sound."""
    with closing(module.connect(file)) as reader:
        return [text for (text,) in reader.execute("PRAGMA integrity_check").fetchall() if text != "ok"]


def ended(engine: Engine, client: Client) -> None:
    gone = [Deletion(r.namespace_id, r.run_id, r.workflow_id, r.version + 9, r.start_time) for r in records(20)]
    for _ in client.write(ONE, gone):
        pass
    assert client.count() == len(FINE) - 20


def changed(engine: Engine, client: Client) -> None:
    for _ in client.write(ONE, [replace(r, version=r.version + 9) for r in written([*FINE[1:], FINE[0]])]):
        pass


def upgraded(engine: Engine, client: Client) -> None:
    journeys.upgrade(engine, client, find("1.14"))


@pytest.mark.parametrize("done", [ended, changed, upgraded])
@pytest.mark.parametrize("foreign", [True, False], ids=["other", "same"])
def test_a_store_stays_sound_for_the_library_that_wrote_it(
    sqlite: EmbeddedHandle, foreign: bool, done: Callable[[Engine, Client], None]
) -> None:
    writer = library(in_use=not foreign)
    file = store(sqlite, writer)
    assert sound(file, writer) == []
    assert bool(sound(file, library(in_use=False))) is not foreign
    with journeys.opened(sqlite.url) as (engine, client):
        done(engine, client)
    assert sound(file, writer) == []


def test_where_nothing_tells_times_are_kept_as_a_new_library_does(sqlite: EmbeddedHandle) -> None:
    file = store(sqlite, library(in_use=False), written([START]))
    with journeys.opened(sqlite.url) as (engine, client):
        changed(engine, client)
    assert sound(file, newest_sqlite()) == []


def test_where_two_libraries_have_written_the_newer_one_goes_on(sqlite: EmbeddedHandle) -> None:
    """A server was upgraded. What the older library wrote cannot be deleted; an upgrade makes the indexes anew."""
    file = store(sqlite, _sqlite3, written(FINE)[:20])
    again(file, newest_sqlite(), [replace(r, run_id=f"new-{r.run_id}") for r in written(FINE)[:20]])
    with journeys.opened(sqlite.url) as (_, client):
        gone = [Deletion(r.namespace_id, r.run_id, r.workflow_id, r.version + 9, r.start_time) for r in records(20)]
        with pytest.raises(EngineError) as caught:
            list(client.write(ONE, gone))
    # The newest library comes with a module that does not tell the extended code.
    assert caught.value.code == ("TV4406" if sqlite3.__name__ == "sqlite3" else "TV4404")
    with journeys.opened(sqlite.url) as (engine, client):
        upgraded(engine, client)
    assert sound(file, newest_sqlite()) == []


def printed(url: str) -> str:
    return temporal_visibility("schema", "plan", url, "--to", "1.14", "--format", "sql").out


def shipped(_: str) -> str:
    return (schema_dir() / "sql/sqlite/upgrade/1.13-1.14.sql").read_text()


@pytest.mark.parametrize("script", [printed, shipped])
@pytest.mark.parametrize("wrote", [True, False], ids=["same", "other"])
def test_a_script_stops_where_another_library_has_written(
    sqlite: EmbeddedHandle, wrote: bool, script: Callable[[str], str]
) -> None:
    file = store(sqlite, library(in_use=True))
    # A line that begins with a dot is for the shell.
    statements = re.sub(r"^\.[a-z].*$", "", script(sqlite.url), flags=re.MULTILINE)
    with closing(library(in_use=wrote).connect(file, isolation_level=None)) as runner:
        if wrote:
            runner.executescript(statements)
        else:
            with pytest.raises(Exception, match="does not find all rows in the indexes"):
                runner.executescript(statements)
    with journeys.opened(sqlite.url) as (_, client):
        assert client.observe().recorded == ("1.14" if wrote else "1.13")
    assert sound(file, library(in_use=True)) == []


@pytest.fixture
def native() -> Iterator[Callable[..., Any]]:
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as plain:
        yield lambda *given: plain.execute("SELECT strftime(?, ?)", given).fetchone()[0]


def test_the_library_in_use_rounds_as_its_way_says(sqlite: EmbeddedHandle, native: Callable[..., Any]) -> None:
    way = rounding.way_of(sqlite3.sqlite_version_info)

    digits_ = st.text("0123456789", min_size=1, max_size=9) | st.sampled_from(["9995", "0005", "1235", "99951"])

    @given(st.integers(0, 59), digits_, st.sampled_from(["Z", "", "+02:00", "-11:30"]))
    def agrees(second: int, digits: str, zone: str) -> None:
        time = f"2024-03-01T02:00:{second:02}.{digits}{zone}"
        assert native(TIME_FORM, time) == native(TIME_FORM, rounding.rounded(time, way))

    agrees()


@pytest.mark.parametrize(
    ("given_", "decimal", "binary", "cut"),
    [
        ("2024-03-01T02:00:01.0005Z", "01.001", "01.000", "01.000"),
        ("2024-03-01T02:00:01.999600Z", "02.000", "02.000", "01.999"),
        ("2024-03-01T02:00:59.999600Z", "59.999", "59.999", "59.999"),
        ("2024-03-01T02:00:07.1235+02:00", "07.124", "07.124", "07.124"),
        ("2024-03-01T02:00:01.5Z", "01.5", "01.5", "01.5"),
    ],
)
def test_the_three_ways(given_: str, decimal: str, binary: str, cut: str) -> None:
    for way, kept in ((Way.DECIMAL, decimal), (Way.BINARY, binary), (Way.CUT, cut)):
        assert rounding.rounded(given_, way) == given_[:17] + kept + given_[given_.index(".") :].lstrip(".0123456789")
