"""A server that the user gave by a URL: tests make and drop their own databases there, and never touch the server.

What only the owner of a server may do, such as killing it, is refused with a reason, which the report shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from tests.engines.authority import Authority
from tests.engines.catalog import Kind
from tests.engines.engine import Address
from tests.engines.errors import NotOurs, Unavailable
from tests.engines.starting import Start, bring_up, finished, was_ready


@dataclass(frozen=True, slots=True)
class Given:
    """A server that runs already, somewhere."""

    kind: Kind
    directory: Path
    text: str

    @property
    def address(self) -> Address:
        parts = urlsplit(self.text)
        port = parts.port or self.kind.definition.container_port
        account = unquote(parts.username or ""), unquote(parts.password or "")
        return Address(parts.hostname or "127.0.0.1", port, *account, secure=parts.scheme.endswith("https"))

    @property
    def authority(self) -> Authority:
        raise NotOurs(f"the accounts and certificates of {self.kind.name}, given by its URL, are not ours")

    def url(self, database: str, address: Address) -> str:
        """The given URL with another database, and the given way to the server; its options stay."""
        parts = urlsplit(self.text)
        account = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        host = f"[{address.host}]" if ":" in address.host else address.host
        return urlunsplit(parts._replace(netloc=f"{account}{host}:{address.port}", path=f"/{database}"))

    def neighbours(self) -> list[Address]:
        """Other members of its cluster: the URL names one only."""
        return []

    def secured(self) -> None:
        """A server with security of its own: nobody gave one."""

    @property
    def limits(self) -> str:
        """None are known: a user's server is taken for a whole one."""
        return ""

    def up(self) -> None:
        """Unavailable unless the server answers."""
        bring_up(self.directory, lambda: was_ready(self.directory), self._look)

    def _look(self) -> None:
        engine = self.kind.definition
        try:
            engine.probe(self.address)
        except Exception as e:  # whatever a driver raises means: nobody there
            raise Unavailable(
                f"the server given for {self.kind.name} at {self.address.host}:{self.address.port} does not answer "
                f"({type(e).__name__})",
                "start it, or mend the URL",
            ) from e
        finished(self.directory, Start("given by URL", engine.told(self.address), 0.0, 0.0))

    def stop(self) -> None:
        self._refuse("stop")

    def kill(self) -> None:
        self._refuse("kill")

    def pause(self) -> None:
        self._refuse("freeze")

    def resume(self) -> None:
        """Nothing: it was never frozen."""

    def _refuse(self, what: str) -> None:
        raise NotOurs(f"{self.kind.name} was given by its URL: tests do not {what} it")
