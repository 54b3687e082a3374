"""URLs that go through TLS and accounts, for one test: those that must work, and those that must be refused, by what
is wrong.

PostgreSQL, MySQL and OpenSearch with its security plugin enforce it themselves; for the others a front of our own does.
Option names in the URLs are the drivers' own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from tests.engines.authority import CERTIFICATE_USER, PASSWORD_USER, Authority
from tests.engines.engine import Address
from tests.engines.secure_front import Front, api_key, basic

WRONG_PASSWORD = "not-the-password"


@dataclass(frozen=True, slots=True)
class Secured:
    """`good` and `bad`: URLs by what they show (`password`, `certificate`, `api key`; `wrong password`, `no TLS`, …).

    `secrets` are the words that no output may contain.
    """

    good: Mapping[str, str]
    bad: Mapping[str, str]
    secrets: tuple[str, ...]
    fronts: tuple[Front, ...] = field(default=())

    def replaced(self, other: Secured) -> Secured:
        """These URLs, with `other`'s in the place of those that show the same."""
        return Secured(
            {**self.good, **other.good},
            {**self.bad, **other.bad},
            (*self.secrets, *other.secrets),
            (*self.fronts, *other.fronts),
        )

    def close(self) -> None:
        for front in self.fronts:
            front.close()


Secure = Callable[[Address, str, Authority], Secured]


def _native(scheme: str, address: Address, database: str, options: Mapping[str, Mapping[str, object]]) -> Secured:
    """For servers that know TLS: accounts that must use it, one with a password, one with a certificate."""

    def url(user: str, password: str, *names: str) -> str:
        login = f"{user}:{quote(password)}" if password else user
        query = urlencode({key: value for name in names for key, value in options[name].items()})
        return f"{scheme}://{login}@{address.host}:{address.port}/{database}{'?' + query if query else ''}"

    good = {
        "password": url(PASSWORD_USER, address.password, "verify"),
        "certificate": url(CERTIFICATE_USER, "", "verify", "certificate"),
    }
    bad = {
        "wrong password": url(PASSWORD_USER, WRONG_PASSWORD, "verify"),
        "unknown authority": url(PASSWORD_USER, address.password, "stranger"),
        "no TLS": url(PASSWORD_USER, address.password, "plain"),
        "no client certificate": url(CERTIFICATE_USER, "", "verify"),
    }
    return Secured(good, bad, (address.password, WRONG_PASSWORD))


def postgresql(address: Address, database: str, authority: Authority) -> Secured:
    """libpq's options."""
    certificate, key = authority.client
    return _native("postgresql", address, database, {
        "verify": {"sslmode": "verify-full", "sslrootcert": authority.ca},
        "stranger": {"sslmode": "verify-full", "sslrootcert": authority.stranger},
        "certificate": {"sslcert": certificate, "sslkey": key},
        "plain": {"sslmode": "disable"},
    })  # fmt: skip


def mysql(address: Address, database: str, authority: Authority) -> Secured:
    """PyMySQL's options."""
    certificate, key = authority.client
    return _native("mysql", address, database, {
        "verify": {"ssl_ca": authority.ca, "ssl_verify_identity": "true"},
        "stranger": {"ssl_ca": authority.stranger, "ssl_verify_identity": "true"},
        "certificate": {"ssl_cert": certificate, "ssl_key": key},
        "plain": {"ssl_disabled": "true"},
    })  # fmt: skip


def search(scheme: str, address: Address, database: str, authority: Authority) -> Secured:
    """elasticsearch-py's and opensearch-py's options; a front with accounts, and one that also wants a certificate."""
    password, key = "correct-horse", api_key("key-1", "battery-staple")
    accepted = (basic(PASSWORD_USER, password), f"ApiKey {key}")
    front = Front(authority, lambda: (address.host, address.port), accepted)
    strict = Front(authority, lambda: (address.host, address.port), accepted, client_certificate=True)

    def url(port: int, login: str, **options: object) -> str:
        return f"{scheme}+https://{login}127.0.0.1:{port}/{database}?{urlencode(options)}"

    ca, stranger, (certificate, certificate_key) = authority.ca, authority.stranger, authority.client
    login = f"{PASSWORD_USER}:{password}@"
    good = {
        "password": url(front.port, login, ca_certs=ca),
        "certificate": url(strict.port, login, ca_certs=ca, client_cert=certificate, client_key=certificate_key),
        "api key": url(front.port, "", ca_certs=ca, api_key=key),
    }
    bad = {
        "wrong password": url(front.port, f"{PASSWORD_USER}:{WRONG_PASSWORD}@", ca_certs=ca),
        "unknown authority": url(front.port, login, ca_certs=stranger),
        "no TLS": f"{scheme}+http://{login}127.0.0.1:{front.port}/{database}",
        "no client certificate": url(strict.port, login, ca_certs=ca),
        "wrong API key": url(front.port, "", ca_certs=ca, api_key=api_key("key-1", "wrong-staple")),
        "no credentials": url(front.port, "", ca_certs=ca),
    }
    secrets = (password, key, "battery-staple", WRONG_PASSWORD, api_key("key-1", "wrong-staple"))
    return Secured(good, bad, secrets, (front, strict))


def search_itself(scheme: str, address: Address, database: str, authority: Authority) -> Secured:
    """As `search`, for a server that has security of its own: one account has a password, the other a certificate."""

    def url(login: str, **options: object) -> str:
        return f"{scheme}+https://{login}{address.host}:{address.port}/{database}?{urlencode(options)}"

    ca, (certificate, key) = authority.ca, authority.client
    login = f"{PASSWORD_USER}:{quote(address.password)}@"
    good = {
        "password": url(login, ca_certs=ca),
        "certificate": url("", ca_certs=ca, client_cert=certificate, client_key=key),
    }
    bad = {
        "wrong password": url(f"{PASSWORD_USER}:{WRONG_PASSWORD}@", ca_certs=ca),
        "unknown authority": url(login, ca_certs=authority.stranger),
        "no TLS": f"{scheme}+http://{login}{address.host}:{address.port}/{database}",
        "no client certificate": url(f"{CERTIFICATE_USER}@", ca_certs=ca),
        "no credentials": url("", ca_certs=ca),
    }
    return Secured(good, bad, (address.password, WRONG_PASSWORD))


def clickhouse(address: Address, database: str, authority: Authority) -> Secured:
    """clickhouse-connect's options; the fronts add TLS and certificates, the server behind them checks passwords."""
    account = (address.user, address.password)
    front = Front(authority, lambda: (address.host, address.port), None)
    strict = Front(authority, lambda: (address.host, address.port), None, client_certificate=True, account=account)

    def url(port: int, login: str, **options: object) -> str:
        return f"clickhouse+https://{login}@127.0.0.1:{port}/{database}?{urlencode(options)}"

    ca, stranger, (certificate, key) = authority.ca, authority.stranger, authority.client
    login = f"{address.user}:{quote(address.password)}"
    good = {
        "password": url(front.port, login, ca_cert=ca),
        "certificate": url(strict.port, CERTIFICATE_USER, ca_cert=ca, client_cert=certificate, client_cert_key=key),
    }
    bad = {
        "wrong password": url(front.port, f"{address.user}:{WRONG_PASSWORD}", ca_cert=ca),
        "unknown authority": url(front.port, login, ca_cert=stranger),
        "no TLS": f"clickhouse+http://{login}@127.0.0.1:{front.port}/{database}",
        "no client certificate": url(strict.port, login, ca_cert=ca),
    }
    return Secured(good, bad, (address.password, WRONG_PASSWORD), (front, strict))
