"""What a test gets: the URL of its own empty database on a real server, and, for tests that break things, the handles
to do so.

A handle cleans up what it made. Breaking a server that other tests share is refused.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from tests.engines.authority import Authority
from tests.engines.catalog import Kind
from tests.engines.engine import Address
from tests.engines.errors import NotAllowed
from tests.engines.network import Proxy
from tests.engines.secured import Secured


class Host(Protocol):
    """A server as handles need it, however it was started."""

    @property
    def kind(self) -> Kind: ...
    @property
    def address(self) -> Address: ...
    @property
    def authority(self) -> Authority: ...
    def url(self, database: str, address: Address) -> str: ...
    def neighbours(self) -> list[Address]: ...
    def secured(self) -> Host | None: ...
    @property
    def limits(self) -> str: ...
    def up(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Handle:
    """One test's view of one server.

    `url` is a database of its own (search engines: a name prefix). With `@pytest.mark.faults` the server is the test's
    alone, `url` leads through a proxy, and the methods that break things are allowed.
    """

    def __init__(self, host: Host, proxy: Proxy | None = None) -> None:
        self._host = host
        self._proxy = proxy
        self._made: list[str] = []
        self._secured: Secured | None = None
        self._twin: Host | None = None
        self.database = self._fresh()
        self.url = self._url(self.database)

    @property
    def engine(self) -> str:
        """`postgresql`, `mysql`, …"""
        return self._host.kind.engine

    @property
    def version(self) -> str:
        """The version's label: `15`, `7.17`, …"""
        return self._host.kind.label

    @property
    def name(self) -> str:
        return self._host.kind.name

    @property
    def limits(self) -> str:
        """What this build of the server cannot do that the official one can; empty when there is nothing."""
        return self._host.limits

    def told(self) -> str:
        """The version that the server itself tells: `15.18`, `9.7.4-2`, …"""
        return self._host.kind.definition.told(self._host.address)

    @property
    def address(self) -> Address:
        """Host, port and account, as tests reach the server (through the proxy for `faults` tests)."""
        address = self._host.address
        return replace(address, host="127.0.0.1", port=self._proxy.port) if self._proxy else address

    @property
    def direct_url(self) -> str:
        """The same database without the proxy."""
        return self._host.url(self.database, self._host.address)

    @property
    def neighbour_urls(self) -> list[str]:
        """The same database on the other members of a cluster."""
        return [self._host.url(self.database, address) for address in self._host.neighbours()]

    def new_database(self) -> str:
        """The URL of another fresh database (search engines: prefix), removed after the test."""
        return self._url(self._fresh())

    def url_of(self, database: str) -> str:
        """The URL of a database of this server by its name."""
        return self._url(database)

    def secured(self) -> Secured:
        """URLs of a database of that name through TLS, passwords, certificates and API keys: good ones and bad ones.

        What a server with security of its own enforces leads there, and not to a front of ours.
        """
        if self._secured is None:
            self._secured = self._secure(self._host)
            if twin := self._host.secured():
                self._twin = twin
                self._secured = self._secured.replaced(self._secure(twin))
        return self._secured

    def _secure(self, host: Host) -> Secured:
        secure = host.kind.definition.secure
        if secure is None:
            raise NotAllowed(f"{host.kind.name} has no TLS here")
        return secure(host.address, self.database, host.authority)

    def stop(self) -> None:
        """Stop the server in order; `start` brings it back with its data."""
        self._mine().stop()

    def start(self) -> None:
        """Start the server again and wait until it answers."""
        self._mine().up()

    def kill(self) -> None:
        """End the server at once, as a crash does."""
        self._mine().kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the server: connections stay open, nothing is answered."""
        self._mine().pause()

    def resume(self) -> None:
        self._mine().resume()

    def cut(self) -> None:
        """Break all connections and refuse new ones until `heal`."""
        self._way().cut()

    def slow(self, milliseconds: float) -> None:
        """Delay all traffic, each way."""
        self._way().slow(milliseconds)

    def heal(self) -> None:
        """Undo `cut` and `slow`."""
        self._way().heal()

    def close(self) -> None:
        """Remove the databases this handle made; bring back what the test left broken."""
        if self._secured:
            self._secured.close()
        if self._twin:
            self._twin.kind.definition.drop(self._twin.address, self.database)
        if self._proxy:
            self._host.resume()
            self._host.up()
        for database in self._made:
            self._host.kind.definition.drop(self._host.address, database)

    def _fresh(self) -> str:
        database = f"tv_{secrets.token_hex(5)}"
        self._host.kind.definition.create(self._host.address, database)
        self._made.append(database)
        return database

    def _url(self, database: str) -> str:
        return self._host.url(database, self.address)

    def _mine(self) -> Host:
        if self._proxy is None:
            raise NotAllowed("other tests use this server too: mark the test with @pytest.mark.faults")
        return self._host

    def _way(self) -> Proxy:
        if self._proxy is None:
            raise NotAllowed("this URL leads straight to the server: mark the test with @pytest.mark.faults")
        return self._proxy


@contextlib.contextmanager
def shared(host: Host) -> Iterator[Handle]:
    """A handle on a server that other tests use at the same time."""
    host.up()
    handle = Handle(host)
    try:
        yield handle
    finally:
        handle.close()


@contextlib.contextmanager
def alone(host: Host) -> Iterator[Handle]:
    """A handle on a server that nobody else uses meanwhile, reached through a proxy."""
    host.up()
    proxy = Proxy(lambda: (host.address.host, host.address.port))
    try:
        handle = Handle(host, proxy)
        try:
            yield handle
        finally:
            handle.close()
    finally:
        proxy.close()
