"""A Java that was only unpacked trusts whom the machine trusts; otherwise Maven could fetch nothing on a machine that
has no Java."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.engines.java import bundle, java_home, trust_store


def test_java_reads_the_list_of_authorities_that_is_made_for_it(tmp_path: Path) -> None:
    store = tmp_path / "cacerts"
    store.write_bytes(trust_store(bundle()))
    listed = subprocess.run(
        [java_home(11) / "bin/keytool", "-list", "-keystore", store],
        input="\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.count("trustedCertEntry") > 100
