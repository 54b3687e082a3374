"""KeeperMap tables on the stand-in: two engines' locks through one real ZooKeeper, and what it keeps over a crash."""

from __future__ import annotations

import clickhouse_connect
import pytest


def client(handle):
    address = handle.address
    return clickhouse_connect.get_client(
        host=address.host, port=address.port, username=address.user, password=address.password, database=handle.database
    )


def create_locks(connection, handle):
    path = f"/{handle.database}"
    connection.command(f"CREATE TABLE locks (name String, owner String) ENGINE = KeeperMap('{path}') PRIMARY KEY name")


@pytest.mark.faults
def test_a_keeper_map_row_survives_the_engine(clickhouse_keeper, zookeeper):
    with client(clickhouse_keeper) as first:
        create_locks(first, clickhouse_keeper)
        first.command("INSERT INTO locks SETTINGS keeper_map_strict_mode = 1 VALUES ('schema', 'me')")
        with pytest.raises(Exception, match=r"KEEPER_EXCEPTION|Code: 999|Transaction failed"):
            first.command("INSERT INTO locks SETTINGS keeper_map_strict_mode = 1 VALUES ('schema', 'you')")
    clickhouse_keeper.kill()
    clickhouse_keeper.start()
    with client(clickhouse_keeper) as second:
        assert second.query("SELECT owner FROM locks").result_rows == [("me",)]


@pytest.mark.faults
def test_a_killed_zookeeper_keeps_its_nodes(clickhouse_keeper, zookeeper):
    with client(clickhouse_keeper) as first:
        create_locks(first, clickhouse_keeper)
        first.command("INSERT INTO locks VALUES ('schema', 'me')")
        zookeeper.kill()
        zookeeper.start()
        assert first.query("SELECT owner FROM locks").result_rows == [("me",)]
