"""A Java that was only unpacked trusts whom the machine trusts; otherwise Maven could fetch nothing on a machine that
has no Java."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.engines.java import java_home, trusting


def test_an_unpacked_java_is_told_whom_to_trust(tmp_path: Path) -> None:
    [store, kind] = trusting(tmp_path)
    arguments = ["-list", "-keystore", store.partition("=")[2], "-storetype", kind.partition("=")[2]]
    listed = subprocess.run(
        [java_home(11) / "bin/keytool", *arguments], input="\n", capture_output=True, text=True, check=True
    )
    assert listed.stdout.count("trustedCertEntry") > 100


def test_a_java_with_a_list_of_its_own_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "lib/security").mkdir(parents=True)
    (tmp_path / "lib/security/cacerts").touch()
    assert trusting(tmp_path) == []
