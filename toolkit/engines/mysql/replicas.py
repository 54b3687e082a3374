"""Watches how far replicas of a MySQL server are behind: a pulse is written here, and looked for there.

It writes nothing but the pulse, a row beside the lock in this store. Replicas are named in the URL (`replicas=`), or
are those that the server can name; a server tells nobody how far its replicas are behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pymysql
from pymysql.constants import ER

from toolkit.engines.mysql.connection import Connection, ask, opened, run, session
from toolkit.engines.mysql.others import SHOWN
from toolkit.engines.mysql.refusals import number_of, text_of
from toolkit.errors import EngineError, TargetError
from toolkit.targets import Target

PORT = 3306
# The first pulse is waited for so long: a replica that is behind already is known to be from the first chunk on.
FIRST_SECONDS = 1.0
_BETWEEN = 0.02
_NAMED = "Name them in the URL: ?replicas=HOST:PORT,HOST:PORT. Or do without --max-lag."
# 8.0.22 has the first form, 8.4 no longer the second.
_REGISTERED = ("SHOW REPLICAS", "SHOW SLAVE HOSTS")
_MEMBERS = """
SELECT MEMBER_HOST AS host, MEMBER_PORT AS port FROM performance_schema.replication_group_members
WHERE MEMBER_ID NOT IN ('', @@server_uuid) AND MEMBER_STATE <> 'OFFLINE'
"""
_WHO = "SELECT @@server_uuid AS uuid"
_NOW = "SELECT UTC_TIMESTAMP(6) AS now"
_PULSE = """
INSERT INTO temporal_visibility_lock (name, fencing, taken_at) VALUES ('pulse', 0, %(at)s)
ON DUPLICATE KEY UPDATE taken_at = %(at)s
"""
_SEEN = "SELECT taken_at AS at FROM temporal_visibility_lock WHERE name = 'pulse'"
_IDLE = ("Sleep", "Daemon")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a replica answers."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(slots=True)
class Replica:
    """One replica: the connection to it, and the latest pulse that was seen there."""

    place: Place
    connection: Connection | None = None
    seen: datetime | None = None


@dataclass(slots=True)
class Watch:
    """The replicas of one server. `connection`: to the server itself, in autocommit mode, its tables made."""

    connection: Connection
    target: Target
    replicas: list[Replica] | None = None
    pulses: list[datetime] = field(default_factory=list)

    def lag(self) -> float | None:
        """Seconds since the oldest pulse that a replica has not got yet; None when there is no replica. EngineError
        when one cannot be reached at the first look; later it counts as standing still. Raises the driver's errors,
        too."""
        first = self.replicas is None
        if self.replicas is None:
            self.replicas = [self._found(place) for place in self._places()]
        if not self.replicas:
            return None
        now: datetime = ask(self.connection, _NOW)[0]["now"]
        run(self.connection, _PULSE, {"at": now})
        self.pulses.append(now)
        until = time.monotonic() + (FIRST_SECONDS if first else 0.0)
        while not all([self._has(one, now) for one in self.replicas]) and time.monotonic() < until:
            time.sleep(_BETWEEN)
        got = [one.seen for one in self.replicas]
        slowest = None if None in got else min(at for at in got if at is not None)
        self.pulses = [at for at in self.pulses if slowest is None or at > slowest]
        return (now - self.pulses[0]).total_seconds() if self.pulses else 0.0

    def _places(self) -> tuple[Place, ...]:
        return named(self.target) or known(lambda query: ask(self.connection, query))

    def _found(self, place: Place) -> Replica:
        try:
            connection = opened(_beside(self.target, place))
            same = ask(connection, _WHO) == ask(self.connection, _WHO)
        except (pymysql.MySQLError, OSError) as error:
            text = self.target.redact(text_of(error))
            raise EngineError("TV5160", f"the replica {place} cannot be asked how far it is behind: {text}",
                              "It is asked with the account of the URL, which needs SELECT on the database there, too. "
                              "Or do without --max-lag.") from None  # fmt: skip
        if same:
            connection.close()
            raise EngineError("TV5161", f"{place} is no replica but this server itself", _NAMED)
        return Replica(place, connection)

    def _has(self, one: Replica, pulse: datetime) -> bool:
        self._look(one)
        return one.seen is not None and one.seen >= pulse

    def _look(self, one: Replica) -> None:
        """What the replica has got; whatever keeps it from answering, it has got nothing new."""
        try:
            if one.connection is None or not one.connection.open:
                one.connection = opened(_beside(self.target, one.place))
            rows = ask(one.connection, _SEEN)
        except (pymysql.MySQLError, OSError) as error:
            # The tables may be on their way to it.
            if number_of(error) != ER.NO_SUCH_TABLE and one.connection is not None and one.connection.open:
                one.connection.close()
            return
        one.seen = rows[0]["at"] if rows else None

    def close(self) -> None:
        """Give the connections back; never fails."""
        for one in self.replicas or ():
            if one.connection is not None and one.connection.open:
                one.connection.close()


def named(target: Target) -> tuple[Place, ...]:
    """The replicas that the URL names: `replicas=HOST:PORT,HOST`. TargetError when one means nothing."""
    text = target.options.get("replicas", "")
    return tuple(_place(part.strip()) for part in text.split(",")) if text else ()


def _place(text: str) -> Place:
    try:
        parts = urlsplit(f"//{text}")
        if parts.hostname and not (parts.path or parts.query or parts.username):
            return Place(parts.hostname, parts.port or PORT)
    except ValueError:
        pass
    raise TargetError("TV3009", f"replicas={text[:60]!r} cannot be understood", "Example: replicas=10.0.0.2:3306,db3")


def known(ask_: Callable[[str], Sequence[Mapping[str, Any]]]) -> tuple[Place, ...]:
    """The replicas that the server can name. EngineError when it may not tell this account, or cannot name one."""
    try:
        rows = [*_registered(ask_)]
    except pymysql.MySQLError:
        hint = f"GRANT REPLICATION SLAVE ON *.* TO it. {_NAMED}"
        raise EngineError("TV5113", "this account may not see which replicas follow the server", hint) from None
    places = [Place(str(row["Host"]), int(row["Port"])) for row in rows if row["Host"]]
    if len(places) < len(rows):
        text = f"{len(rows) - len(places)} of {len(rows)} replicas do not say where they are (report_host is not set)"
        raise EngineError("TV5160", text, _NAMED)
    # Without the table, or the right to read it, there is no group that could be seen.
    with suppress(pymysql.MySQLError):
        places += [Place(str(row["host"]), int(row["port"])) for row in ask_(_MEMBERS)]
    return tuple(dict.fromkeys(places))


def _registered(ask_: Callable[[str], Sequence[Mapping[str, Any]]]) -> Sequence[Mapping[str, Any]]:
    newer, older = _REGISTERED
    try:
        return ask_(newer)
    except pymysql.MySQLError as error:
        if number_of(error) != ER.PARSE_ERROR:
            raise
    return ask_(older)


def _beside(target: Target, place: Place) -> Target:
    """The same account and database on another server."""
    options = {name: value for name, value in target.options.items() if name not in ("socket", "replicas")}
    return replace(target, host=place.host, port=place.port, options=options)


def load(connection: Connection, ours: Sequence[int]) -> float:
    """How many sessions besides `ours` do something in this database. EngineError when this account sees only its own.
    Raises the driver's errors, too."""
    grants = [str(next(iter(row.values()))) for row in ask(connection, "SHOW GRANTS")]
    if not any(" ON *.* TO " in line and ("PROCESS" in line or "ALL PRIVILEGES" in line) for line in grants):
        hint = "GRANT PROCESS ON *.* TO it, or do without --max-load."
        raise EngineError("TV5163", "this account may not see what other sessions do", hint)
    shown = ask(connection, SHOWN)
    here = next(s["db"] for s in shown if s["Id"] == session(connection))
    return float(sum(s["db"] == here and s["Command"] not in _IDLE and s["Id"] not in ours for s in shown))
