"""A private certificate authority for one run, with a server certificate for 127.0.0.1, a client's, and a stranger's
authority.

Files only; who checks what is decided by the servers and fronts that read them.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import trustme

CERTIFICATE_USER = "tls_certificate"  # the account that the client's certificate names
PASSWORD_USER = "tls_password"  # the account that must come over TLS, with its password


@dataclass(frozen=True, slots=True)
class Authority:
    """Where the files of an authority are."""

    directory: Path

    @property
    def ca(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def stranger(self) -> Path:
        """The certificate of an authority that signed nothing here."""
        return self.directory / "stranger.pem"

    @property
    def server(self) -> tuple[Path, Path]:
        """The server's certificate and key."""
        return self.directory / "server.pem", self.directory / "server.key"

    @property
    def client(self) -> tuple[Path, Path]:
        """The client's certificate and key."""
        return self.directory / "client.pem", self.directory / "client.key"

    def copy_for_server(self, directory: Path) -> None:
        """Put what a server needs into its own directory, the key for its eyes only."""
        directory.mkdir(exist_ok=True)
        for path in (self.ca, *self.server):
            shutil.copy(path, directory)


def create(directory: Path) -> Authority:
    """Make a new authority in `directory`, which is created."""
    directory.mkdir()
    authority, ca = Authority(directory), trustme.CA()
    ca.cert_pem.write_to_path(authority.ca)
    trustme.CA().cert_pem.write_to_path(authority.stranger)
    _write(ca.issue_cert("127.0.0.1", "localhost"), *authority.server)
    _write(ca.issue_cert("client@test.invalid", common_name=CERTIFICATE_USER), *authority.client)
    return authority


def _write(certificate: trustme.LeafCert, path: Path, key: Path) -> None:
    certificate.cert_chain_pems[0].write_to_path(path)
    with os.fdopen(
        os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb"
    ) as out:  # never readable by others, not even briefly
        out.write(certificate.private_key_pem.bytes())
