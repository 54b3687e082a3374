"""OpenSearch with its own security plugin: TLS on HTTP and transport, accounts with passwords, and one with a
certificate.

The account of the server's address may do everything and, by the plugin's own requests, make accounts and roles. What
they may do is the test's business.
"""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tests.engines import secured
from tests.engines.authority import CERTIFICATE_USER, PASSWORD_USER
from tests.engines.engine import Address, Engine, Version
from tests.engines.processes import Command
from tests.engines.servers import search
from tests.engines.servers.search_homes import SECURITY

NAME = "opensearch_secured"
VERSIONS = (Version("2.19", "Maven integ-test-zip and security plugin 2.19.4", "", default=True, container=False),)
ADMINISTRATOR, PASSWORD = "administrator", "correct-horse-battery"
# PASSWORD as the plugin keeps it: bcrypt with the fewest rounds, because every test logs in anew.
HASH = "$2y$04$nfwSlHHVSHLrfAIfFf.OeO3c2wlIdVRYrTz5OB37/jtk.EeVEeeNi"
EVERYTHING = "all_access"  # a role of the plugin's own
ACCOUNTS = "/_plugins/_security/api"
SETTINGS = {
    **{
        f"plugins.security.ssl.{layer}.{name}_filepath": f"tls/{file}"
        for layer in ("http", "transport")
        for name, file in (("pemcert", "server.pem"), ("pemkey", "server.key"), ("pemtrustedcas", "ca.pem"))
    },
    "plugins.security.ssl.http.enabled": "true",
    "plugins.security.ssl.http.clientauth_mode": "OPTIONAL",
    "plugins.security.ssl.transport.enforce_hostname_verification": "false",
    # The node fills the index of accounts from the files when it finds none.
    "plugins.security.allow_default_init_securityindex": "true",
    "plugins.security.restapi.roles_enabled": f'["{EVERYTHING}"]',
    "plugins.security.password.hashing.bcrypt.rounds": 4,
    "plugins.security.audit.type": "noop",
}


def _authentication(order: int, kind: str, backend: str, **more: object) -> dict[str, object]:
    authenticator = {"type": kind, "challenge": kind == "basic", **more}
    return {
        "http_enabled": True,
        "transport_enabled": True,
        "order": order,
        "http_authenticator": authenticator,
        "authentication_backend": {"type": backend},
    }


FILES: dict[str, tuple[str, dict[str, object]]] = {
    "config": (
        "config",
        {"config": {"dynamic": {"http": {"anonymous_auth_enabled": False}, "authc": {
            "certificate": _authentication(0, "clientcert", "noop", config={"username_attribute": "cn"}),
            "password": _authentication(1, "basic", "internal"),
        }}}},
    ),
    "internal_users": ("internalusers", {name: {"hash": HASH} for name in (ADMINISTRATOR, PASSWORD_USER)}),
    "roles_mapping": (
        "rolesmapping",
        {EVERYTHING: {"users": [ADMINISTRATOR, PASSWORD_USER, CERTIFICATE_USER]}},
    ),
}  # fmt: skip


def initialise(home: Path, directory: Path) -> None:
    """As without security, and the plugin's own files with our accounts; keys in the one form that it reads."""
    search.initialise(home, directory)
    shutil.copytree(directory / "tls", directory / "config/tls")
    key = load_pem_private_key((directory / "tls/server.key").read_bytes(), None)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "config/tls/server.key").write_bytes(plain)
    accounts = directory / "config" / SECURITY
    shutil.copytree(home / "home/plugins" / SECURITY / "config", accounts)
    for name, (kind, content) in FILES.items():
        meta = {"_meta": {"type": kind, "config_version": 2}}
        (accounts / f"{name}.yml").write_text(json.dumps({**meta, **content}))


def command(home: Path, directory: Path, port: int) -> Command:
    """As without security, with the plugin's settings."""
    return search.command(home, directory, port, SETTINGS)


def drop(address: Address, database: str) -> None:
    """As without security, and the accounts and roles whose names begin with the prefix."""
    search.drop(address, database)
    for kind in ("rolesmapping", "roles", "internalusers"):
        found = search.request(address, "GET", f"{ACCOUNTS}/{kind}")
        for name in found if isinstance(found, dict) else ():
            if name.startswith(database):
                search.request(address, "DELETE", f"{ACCOUNTS}/{kind}/{name}")


def url(address: Address, database: str) -> str:
    login = f"{address.user}:{quote(address.password)}"
    return f"opensearch+https://{login}@{address.host}:{address.port}/{database}?{urlencode({'ca': address.ca})}"


OPENSEARCH_SECURED = Engine(
    name=NAME,
    versions=VERSIONS,
    prepare=partial(search.prepare, NAME),
    initialise=initialise,
    command=command,
    probe=search.probe,
    told=search.told,
    create=search.create,
    drop=drop,
    url=url,
    container_port=9200,
    user=ADMINISTRATOR,
    password=PASSWORD,
    start_seconds=search.START_SECONDS,
    secure=partial(secured.search_itself, "opensearch"),
    tls=True,
)
