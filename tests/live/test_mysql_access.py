"""MySQL: accounts, encryption, lost connections, and tables that others hold."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pymysql
import pytest
from pymysql.constants import ER

from tests.engines.handles import Handle
from tests.engines.processes import wait_until
from tests.support import journeys
from tests.support.balancer import balanced
from tests.support.catalogs import released
from tests.support.mysql import EV, NEWEST, account, ask, at, driver, script, sessions, sql, temporal
from tests.support.shells import feed
from toolkit.apply.machine import Limits
from toolkit.apply.runner import Options, perform, plan_store, upgrade_task
from toolkit.engines.mysql import connection
from toolkit.engines.mysql.connection import opened, session
from toolkit.engines.mysql.refusals import number_of
from toolkit.engines.mysql.watch import Watcher
from toolkit.errors import ConnectionFailed, EngineError, TargetError
from toolkit.overlay import NO_OVERLAY
from toolkit.sample import generate
from toolkit.targets import parse_url

# A statement that MySQL 9 cannot show in information_schema: its characters are utf8mb3 there.
ROCKET = "SELECT SLEEP(60) /* \N{ROCKET} */"
RIGHTS = "CREATE, ALTER, INDEX, DROP, SELECT, INSERT, UPDATE, DELETE"


def test_an_account_with_rights_on_its_database_only(mysql: Handle, tmp_path: Any) -> None:
    """No right beyond the database is needed, neither by the toolkit nor by the scripts."""
    url = mysql.new_database()
    with account(url, "own", f"GRANT {RIGHTS} ON {urlsplit(url).path[1:]}.* TO {{}}") as own:
        journeys.one_leap(own, temporal)
        feed(own, script("downgrade/1.14-1.13"), tmp_path)
        with journeys.opened(own) as (_, client):
            list(client.write(at("1.13"), generate(at("1.13"), 20, seed=1)))
            assert len(list(client.read(at("1.13")))) == client.count() == 20


def test_an_account_without_rights_gets_a_coded_error(mysql: Handle) -> None:
    with account(mysql.url, "none", f"GRANT SELECT ON {mysql.database}.* TO {{}}") as url:
        with journeys.opened(url) as (chosen, client), pytest.raises(EngineError) as refused:
            journeys.upgrade(chosen, client, NEWEST)
        assert refused.value.code == "TV4301"
        assert RIGHTS in refused.value.hint
        assert "none-secret" not in refused.value.message


def test_an_account_that_may_not_use_the_database(mysql: Handle) -> None:
    with account(mysql.url, "out") as url:
        with pytest.raises(ConnectionFailed) as refused, journeys.opened(url):
            pass
        assert (refused.value.code, RIGHTS in refused.value.hint) == ("TV4001", True)
    with pytest.raises(ConnectionFailed) as absent, journeys.opened(f"{mysql.url}_and_no_more"):
        pass
    assert "CREATE DATABASE" in absent.value.hint


def test_who_says_nothing_is_not_waited_for(mysql: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 1)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"mysql://u:p@127.0.0.1:{silent.getsockname()[1]}/d"
        with pytest.raises(ConnectionFailed) as refused, journeys.opened(url):
            pass
    assert (refused.value.code, "timed out" in refused.value.message) == ("TV4001", True)
    # Whoever has answered may take longer for a statement.
    with closing(opened(parse_url(mysql.url, {}))) as patient:
        assert connection.ask(patient, "SELECT SLEEP(1.2) AS v") == [{"v": 0}]
        # A network that is gone is asked about, long before the two hours that TCP itself waits.
        assert patient._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30  # type: ignore[attr-defined]


def test_wrong_password_and_nobody_there(mysql: Handle) -> None:
    with pytest.raises(ConnectionFailed) as wrong, journeys.opened(mysql.url.replace("secret", "wr0ng-pä")):
        pass
    assert wrong.value.code == "TV4001"
    assert "wr0ng" not in f"{wrong.value.message} {wrong.value.hint}"
    for url in ("mysql://u:p@127.0.0.1:1/d", "mysql://u:p@host.invalid/d", f"{mysql.url}_and_no_more"):
        with pytest.raises(ConnectionFailed), journeys.opened(url):
            pass
    for url in ("mysql://u:p@127.0.0.1:1/d?ssl-mood=x", "mysql://u:p@127.0.0.1:1"):
        with pytest.raises(TargetError), journeys.opened(url):
            pass


@pytest.mark.short
def test_encrypted_connections(mysql: Handle) -> None:
    secured = mysql.secured()
    for url in secured.good.values():
        with journeys.opened(url) as (_, client):
            assert client.observe().recorded is None
    for wrong in ("wrong password", "unknown authority", "no TLS", "no client certificate"):
        with pytest.raises(ConnectionFailed), journeys.opened(secured.bad[wrong]):
            pass


def test_a_lost_connection_is_told(mysql: Handle) -> None:
    with journeys.opened(mysql.url) as (_, client):
        for number in sessions(mysql):
            try:
                sql(mysql.url, f"KILL {number}")
            except pymysql.MySQLError as error:  # gone by then
                assert error.args[0] in (ER.NO_SUCH_THREAD, 2013, 1317)
        with pytest.raises(ConnectionFailed) as lost:
            client.observe()
        assert lost.value.code == "TV4002"


def test_waiting_for_a_table_ends(mysql: Handle) -> None:
    """A forgotten transaction holds the table; the step gives up in time, says so, and others get on meanwhile."""
    few = Options(limits=Limits(lock_seconds=0.02, attempts=3, longest_pause=0.05))
    with journeys.opened(mysql.url) as (chosen, client):
        journeys.upgrade(chosen, client, at("1.0"))
        with driver(mysql.url) as holder:
            holder.begin()
            ask(holder, f"SELECT COUNT(*) FROM {EV}")
            plan = plan_store(chosen, client, at("1.1"), released(), NO_OVERLAY)
            task = upgrade_task(chosen, plan, at("1.1"), NO_OVERLAY)
            with pytest.raises(EngineError) as waited:
                perform(client, task, lambda *_: None, time.monotonic, few)
            assert waited.value.code == "TV5103"
            assert "is in a transaction since" in waited.value.message
            assert "end long transactions" in waited.value.hint
        journeys.upgrade(chosen, client, at("1.1"))
        journeys.at(chosen, client, at("1.1"), temporal)


@pytest.mark.short
def test_what_others_write_hides_nobody(mysql: Handle) -> None:
    """A session whose statement has an emoji in it: it is counted, and a wait of ours is still ended in time. So it is
    behind a balancer, which does not tell how the server calls a session; and after the server has ended the one that
    watches, as it does when a copy takes longer than `wait_timeout`."""
    sql(mysql.url, "CREATE TABLE held (a INT PRIMARY KEY)")
    with (
        ThreadPoolExecutor(1) as others,
        driver(mysql.url) as talker,
        driver(mysql.url) as holder,
        balanced(mysql.url) as url,
    ):
        target = parse_url(url, {})
        talking = others.submit(ask, talker, ROCKET)
        with journeys.opened(url) as (_, client), closing(opened(target)) as waiter:
            wait_until(lambda: client.load() == 1, 30, "the other session is seen")  # type: ignore[attr-defined]
            ask(holder, "LOCK TABLES held WRITE")
            ask(waiter, "SET SESSION lock_wait_timeout = 5")
            with closing(Watcher(lambda: opened(target), waiter)) as watcher:
                for _ in range(2):
                    with watcher.limited(0.05), pytest.raises(pymysql.MySQLError) as ended:
                        ask(waiter, "LOCK TABLES held READ")
                    assert number_of(ended.value) == ER.QUERY_INTERRUPTED
                    sql(mysql.url, f"KILL {session(watcher._watching)}")  # type: ignore[arg-type]
        sql(mysql.url, f"KILL QUERY {session(talker)}")
        assert talking.result() == [(1,)]  # SLEEP tells so that it was interrupted


@pytest.mark.faults
def test_a_server_without_tls(mysql: Handle) -> None:
    """It is taken unless the URL asks for TLS."""
    sql(mysql.url, "SET GLOBAL tls_version = ''", "ALTER INSTANCE RELOAD TLS NO ROLLBACK ON ERROR")
    try:
        with journeys.opened(mysql.url) as (_, client):
            assert client.observe().recorded is None
        with pytest.raises(ConnectionFailed) as refused, journeys.opened(f"{mysql.url}?ssl-mode=REQUIRED"):
            pass
        assert refused.value.code == "TV4001"
    finally:
        mysql.restart()
