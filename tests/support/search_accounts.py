"""Users of OpenSearch's security plugin, each with a role of its own, whose rights a test may change at any time.

They go with the database of the handle that they belong to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from tests.engines.handles import Handle
from tests.engines.servers.search import request
from tests.engines.servers.search_secured import ACCOUNTS
from toolkit.engines.elasticsearch.names import BOOKS

PASSWORD = "users-own-Secret-7+3"
DOCUMENT = Path(__file__).parents[2] / "docs/upgrading.md"


def documented(row: str) -> dict[str, list[str]]:
    """What a row of the table of rights in docs/upgrading.md asks for, by the words before each list of rights."""
    [line] = [text for text in DOCUMENT.read_text().splitlines() if text.startswith(f"| {row} |")]
    clauses = [clause.rpartition(": `") for clause in line.split("|")[2].strip().split("; ")]
    return {head: re.findall("`([^`]+)`", f"`{rights}") for head, _, rights in clauses}


@dataclass(frozen=True)
class Account:
    """A user; `name` is that of its role, too."""

    handle: Handle
    name: str

    @staticmethod
    def create(handle: Handle, word: str = "user") -> Account:
        """A new user without any right."""
        account = Account(handle, f"{handle.database}_{word}")
        account.grant()
        account.let_in(PASSWORD)
        return account

    def let_in(self, password: str) -> None:
        """From now on it logs in with that password."""
        user = {"password": password, "opendistro_security_roles": [self.name]}
        request(self.handle.address, "PUT", f"{ACCOUNTS}/internalusers/{self.name}", user)

    @property
    def url(self) -> str:
        """The database of the handle, by this account."""
        address = self.handle.address
        options = urlencode({"ca": address.ca, "cluster_settings": "skip"})
        login = f"{self.name}:{quote(PASSWORD, safe='')}"
        return f"opensearch+https://{login}@{address.host}:{address.port}/{self.handle.database}?{options}"

    def grant(
        self, cluster: Sequence[str] = (), index: Sequence[str] = (), books: Sequence[str] | None = None, **less: object
    ) -> None:
        """These rights, and no others: on the cluster, on the database, and on the books (None: as on the database).
        `less`: what is hidden of the database."""
        names = [self.handle.database, f"{self.handle.database}-*"]
        on: list[Mapping[str, object]] = [
            {"index_patterns": names, "allowed_actions": [*index], **less},
            {"index_patterns": [BOOKS], "allowed_actions": [*(index if books is None else books)]},
        ]
        role = {"cluster_permissions": [*cluster], "index_permissions": [o for o in on if o["allowed_actions"]]}
        request(self.handle.address, "PUT", f"{ACCOUNTS}/roles/{self.name}", role)

    def grant_what_is_documented(self, row: str = "OpenSearch", **less: object) -> None:
        """As the table in docs/upgrading.md has it, without what is needed but once."""
        found = documented(row)
        self.grant(found["on the cluster"], found["on the same names"], **less)
