"""The writer of MySQL: each write is one transaction over the tables there are, as Temporal's server does it."""

from __future__ import annotations

from tests.support.mysql import CSA, EV, Connection, ask, connect, driver, sql
from tests.support.writing import NAMESPACE, Truth, Writer

_INSERT = (
    "{verb} INTO " + EV + " (namespace_id, run_id, start_time, execution_time, workflow_id, workflow_type_name, status,"
    " encoding) VALUES (%s, %s, NOW(6), NOW(6), 'w', %s, %s, '')"
)
_SIDE = (
    "INSERT INTO " + CSA + " (namespace_id, run_id, search_attributes) VALUES (%s, %s, JSON_OBJECT('Keyword01', %s))"
    " AS new ON DUPLICATE KEY UPDATE search_attributes = new.search_attributes"
)


class MysqlWriter(Writer):
    """Writes to MySQL: plain, by INSERT … ON DUPLICATE KEY UPDATE and by REPLACE. `side`: also the table of custom
    search attributes, where there is one; `session`: its number on the server."""

    def __init__(self, url: str, pause: float = 0.002, seed: int = 5, side: bool = True) -> None:
        super().__init__(url, pause, seed)
        self.session = 0
        self._side = side and bool(sql(url, f"SHOW TABLES LIKE '{CSA}'"))

    def open(self) -> Connection:
        """See `Writer.open`."""
        connection = connect(self.url)
        ask(connection, "SET SESSION transaction_isolation = 'READ-COMMITTED'")
        self.session = connection.thread_id()
        return connection

    def insert(self, connection: Connection, run: str, word: str) -> None:
        """See `Writer.insert`; the write that starts an execution changes nothing when it comes twice."""
        connection.begin()
        first = _INSERT.format(verb="INSERT")
        ask(connection, f"{first} AS new ON DUPLICATE KEY UPDATE run_id = new.run_id", (NAMESPACE, run, word, 1))
        self._word(connection, run, word)
        connection.commit()

    def update(self, connection: Connection, run: str, word: str) -> None:
        """See `Writer.update`."""
        connection.begin()
        if self.statements % 2:
            ask(connection, _INSERT.format(verb="REPLACE"), (NAMESPACE, run, word, 2))
        else:
            changed = "SET status = 2, close_time = NOW(6), workflow_type_name = %s"
            ask(connection, f"UPDATE {EV} {changed} WHERE namespace_id = %s AND run_id = %s", (word, NAMESPACE, run))
        self._word(connection, run, word)
        connection.commit()

    def delete(self, connection: Connection, run: str) -> None:
        """See `Writer.delete`."""
        connection.begin()
        for table in (EV, *([CSA] if self._side else ())):
            ask(connection, f"DELETE FROM {table} WHERE namespace_id = %s AND run_id = %s", (NAMESPACE, run))
        connection.commit()

    def _word(self, connection: Connection, run: str, word: str) -> None:
        if self._side:
            ask(connection, _SIDE, (NAMESPACE, run, word))

    def stored(self) -> tuple[Truth, int]:
        """The writer's rows as they are in the tables, and the number of all others."""
        with driver(self.url) as connection:
            rows = ask(
                connection,
                f"SELECT run_id, status, workflow_type_name FROM {EV} WHERE namespace_id = %s",
                (NAMESPACE,),
            )
            if self._side:
                found = ask(connection, f"SELECT run_id, Keyword01 FROM {CSA} WHERE namespace_id = %s", (NAMESPACE,))
                assert dict(found) == {run: word for run, _, word in rows}
            others = ask(connection, f"SELECT COUNT(*) FROM {EV} WHERE namespace_id <> %s", (NAMESPACE,))
        return {run: (status, word) for run, status, word in rows}, others[0][0]


def leftovers(url: str) -> list[str]:
    """Objects of ours besides the books."""
    rows = sql(
        url,
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
        " AND TABLE_NAME LIKE 'temporal\\_visibility\\_%'"
        " UNION ALL SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()"
        " AND TRIGGER_NAME LIKE 'temporal\\_visibility\\_%'",
    )
    books = {"temporal_visibility_journal", "temporal_visibility_lock", "temporal_visibility_run"}
    return sorted(name for (name,) in rows if name not in books)
