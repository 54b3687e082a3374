"""What a stand-in image of Elasticsearch or OpenSearch is made of, and the script that starts it as the official one
is started: settings as variables, port 9200, data in /data.

Text only: nothing is built here.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.engines.servers.search import COMPILER, JVM, LAUNCH, LOGGING
from tests.engines.servers.search_homes import HOMES, server_home

NEWER = ("trixie", "openjdk-21-jre-headless", "/usr/lib/jvm/java-21-openjdk-amd64")
OLDER = ("bookworm", "openjdk-17-jre-headless", "/usr/lib/jvm/java-17-openjdk-amd64")
SCRIPT = """#!/bin/bash
# Stand-in for the official image: settings come as variables with a dot in their names, {variable} bounds the heap.
# No security, lifecycle or stream modules are in it, so settings of those are left out.
set -euo pipefail
mkdir -p /data/config /data/data /data/logs /data/tmp
{{
  printf "path.data: /data/data\\npath.logs: /data/logs\\nhttp.host: 0.0.0.0\\ntransport.host: 127.0.0.1\\n"
  env | sed -n 's/^\\([a-z][a-z0-9_.]*\\.[a-z0-9_.]*\\)=\\(.*\\)$/\\1: "\\2"/p' | grep -v '^{absent}' || true
}} >/data/config/{product}.yml
cat >/data/config/log4j2.properties <<'END'
{logging}END
cat >/data/config/jvm.options <<'END'
{jvm}END
chown -R 65534:65534 /data
{exports}
cd /opt/server
exec setpriv --reuid=65534 --regid=65534 --clear-groups {before} ${{{variable}:-}} {after}
"""


@dataclass(frozen=True, slots=True)
class Made:
    """Debian suite, Java package, the server's home, and the entrypoint."""

    suite: str
    java: str
    home: Path
    script: str


def recipe(product: str, label: str) -> Made:
    """The stand-in for a version."""
    home = HOMES[f"{product}-{label}"]
    major = int(home.version.split(".")[0])
    suite, java, java_home = NEWER if home.java > 17 else OLDER
    command = LAUNCH[product, major](Path("/opt/server"), Path("/data"), Path(java_home), ())
    argv = list(command.argv)
    classes = argv.index("-cp")
    launcher = (product, major) in (("elasticsearch", 8), ("elasticsearch", 9))
    variable = "OPENSEARCH_JAVA_OPTS" if product == "opensearch" else "ES_JAVA_OPTS"
    exports = [_export(key, value, key == variable) for key, value in command.environment.items()]
    script = SCRIPT.format(
        product=product,
        variable="NOTHING_MORE" if launcher else variable,  # a launcher reads the variable itself
        absent="xpack\\.[^s]" if launcher else "xpack\\.",
        logging=LOGGING,
        jvm="\n".join([*JVM, *COMPILER, "-Djava.io.tmpdir=/data/tmp"]) + "\n",
        exports="\n".join(exports),
        before=shlex.join(argv[:classes]),
        after=shlex.join(argv[classes:]),
    )
    return Made(suite, java, server_home(f"{product}-{label}"), script)


def _export(key: str, value: str, given: bool) -> str:
    """A line that sets a variable; `given`: whoever starts the container may have set it."""
    return f'export {key}="${{{key}:-{value}}}"' if given else f"export {key}={shlex.quote(value)}"
