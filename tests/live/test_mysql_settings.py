"""Upgrades on MySQL servers whose settings are not the usual ones; what the server does to writers is what it is."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from tests.engines.handles import Handle
from tests.engines.servers import mysql as server
from tests.support import journeys
from tests.support.catalogs import LAST, released
from tests.support.command import temporal_visibility
from tests.support.mysql import CSA, EV, account, ask, driver, sql
from tests.support.mysql_servers import another
from tests.support.online import prepared
from toolkit.apply.runner import Options, perform, plan_store, upgrade_task
from toolkit.attributes import AttributeType
from toolkit.engines.mysql import others
from toolkit.engines.mysql.connection import IDLE_SECONDS, session
from toolkit.engines.mysql.refusals import MORE_RIGHTS, PLAIN_RIGHTS
from toolkit.errors import EngineError
from toolkit.overlay import NO_OVERLAY
from toolkit.versions import find


def ran(url: str, *words: str) -> None:
    done = temporal_visibility("schema", *words, url, "--yes")
    assert done.code == 0, done.err


def test_a_server_of_another_place_and_spelling(mysql: Handle) -> None:
    """Its machine is not in UTC, and it makes names lower case: rights on the database are seen, and how long others
    are in a transaction. How many sessions the account may have is told."""
    with another(mysql, made=["--lower-case-table-names=1"], environment={"TZ": "JST-9"}) as address:
        server.create(address, "visibility")
        url = server.url(address, "Visibility")
        prepared(url, 20)
        rights = ", ".join((*PLAIN_RIGHTS, *MORE_RIGHTS))
        with (
            account(url, "own", f"GRANT {rights} ON visibility.* TO {{}}") as own,
            driver(url) as other,
            journeys.opened(url) as (_, client),
        ):
            other.begin()
            ask(other, f"UPDATE {EV} SET task_queue = '' LIMIT 1")
            found = others.transactions(client._ask, 0)  # type: ignore[attr-defined]
            assert len(found) == 1
            assert re.fullmatch(rf"session {session(other)} \(temporal\) is in a transaction since \d\d? s", found[0])
            other.rollback()
            name = urlsplit(own).username
            sql(url, f"ALTER USER {name} WITH MAX_USER_CONNECTIONS 4")
            with journeys.opened(own) as (chosen, few):
                plan = plan_store(chosen, few, find(LAST), released(), NO_OVERLAY)
                (note,) = [p for p in few.preflight(plan) if p.code == "TV4314"]  # type: ignore[attr-defined]
                assert (note.fatal, note.message.endswith(f" lets {name} have 3 now")) == (False, True), note
                sql(url, f"ALTER USER {name} WITH MAX_USER_CONNECTIONS 1")
                full = temporal_visibility("schema", "status", own)
                assert "are taken: end some" in full.err
            sql(url, f"ALTER USER {name} WITH MAX_USER_CONNECTIONS 0")
            ran(own, "upgrade")


def test_a_server_that_is_careful_with_its_clients(mysql: Handle) -> None:
    """What it refuses or shortens for others is no hindrance."""
    with another(mysql) as address:
        server.create(address, "visibility")
        url = server.url(address, "visibility")
        sql(url, "SET GLOBAL default_storage_engine = MyISAM")
        prepared(url, 20)
        careful = {"sql_safe_updates": 1, "sql_quote_show_create": 0, "sql_select_limit": 5, "max_execution_time": 1,
                   "max_join_size": 30, "transaction_read_only": 1, "completion_type": 1, "autocommit": 0,
                   "wait_timeout": 2}  # fmt: skip
        wide = f"UPDATE {EV} SET search_attributes = JSON_OBJECT('BatcherUser', REPEAT('x', 300)) LIMIT 1"
        language = () if "English" in mysql.limits else ("SET GLOBAL lc_messages = 'de_DE'",)
        sql(url, "SET sql_mode = ''", wide, *language)
        sql(url, *(f"SET GLOBAL {name} = {value}" for name, value in careful.items()))
        stopped = temporal_visibility("schema", "upgrade", url, "--yes")
        # What it says in German is not understood.
        assert (stopped.code, "->> '$.BatcherUser'" in stopped.err) == (1, True), stopped.err
        undone = f"UPDATE {EV} SET search_attributes = NULL"
        sql(url, "SET sql_mode = '', sql_safe_updates = 0, transaction_read_only = 0", undone, "COMMIT")
        ran(url, "upgrade")
        ran(url, "rollback")
        with journeys.opened(url) as (_, client):
            # A run is silent for some seconds between two attempts at a lock.
            assert client._ask("SELECT @@wait_timeout AS v") == [{"v": IDLE_SECONDS}]  # type: ignore[attr-defined]
        assert sql(url, "SET max_execution_time = 0", f"SELECT COUNT(*) FROM {EV}") == [(20,)]


def test_a_server_that_is_not_strict(mysql: Handle) -> None:
    """Writers store what is too long for a generated column, or no number, which is cut or 0: so it is in the copies,
    on every way, and such rows can be deleted."""
    with another(mysql, ("--sql-mode=NO_ENGINE_SUBSTITUTION",)) as address:
        server.create(address, "visibility")
        url = server.url(address, "visibility")
        prepared(url, 20)

        def stored(number: int) -> None:
            sql(
                url,
                f"UPDATE {EV} SET search_attributes = JSON_OBJECT('BatcherUser', REPEAT('x', 300), "
                f"'TemporalSchedulePaused', 'no') LIMIT {number}",
                f"UPDATE {CSA} SET search_attributes = JSON_OBJECT('Keyword01', REPEAT('x', 300)) LIMIT {number}",
            )
            full = "SUM(LENGTH(search_attributes ->> '$.BatcherUser') = 300)"
            assert sql(url, f"SELECT SUM(BatcherUser = REPEAT('x', 255)), {full} FROM {EV}") == [(number, number)]

        for number, words in enumerate((("upgrade",), ("rollback",), ("upgrade", "--offline")), 1):
            stored(number)
            if words == ("rollback",):
                sql(url, f"DELETE FROM {EV} WHERE BatcherUser = REPEAT('x', 255) LIMIT 1")
            ran(url, *words)
        assert sql(url, f"SELECT COUNT(*) FROM {EV}") == [(19,)]
        stored(4)
        # The type of a column is changed strictly even so: 0 would be found for every text.
        newest = find(LAST)
        attributes = (replace(a, type=AttributeType.INT) if a.name == "Keyword01" else a for a in newest.attributes)
        changed = replace(newest, attributes=tuple(attributes))
        with journeys.opened(url) as (chosen, client):
            plan = plan_store(chosen, client, changed, released(), NO_OVERLAY)
            task = upgrade_task(chosen, plan, changed, NO_OVERLAY)
            with pytest.raises(EngineError, match="does not fit its column"):
                perform(client, task, lambda *_: None, time.monotonic, Options())
