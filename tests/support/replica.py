"""A streaming replica of a test's own PostgreSQL: a copy of its stopped data directory, started as a standby."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.engines.handles import Handle
from tests.engines.ports import free_port
from tests.engines.processes import give_away
from tests.engines.runs import runs_root
from tests.engines.servers import postgresql as server
from tests.support.one_more import running


@contextmanager
def replica(primary: Handle) -> Iterator[str]:
    """The URL of the same database on a standby of `primary`, a server that the test has to itself."""
    host = primary._host
    origin: Path = host.directory  # type: ignore[attr-defined]
    primary.stop()
    with (origin / "data/pg_hba.conf").open("a") as access:
        access.write(f"host replication {server.USER} samehost scram-sha-256\n")
    with tempfile.TemporaryDirectory(dir=runs_root()) as folder:
        home, place, port = server.prepare(primary.version), Path(folder), free_port()
        place.chmod(0o755)
        for part in ("data", "tls"):
            if (origin / part).exists():
                shutil.copytree(origin / part, place / part)
        primary.start()
        address = primary.address
        way = (f"host={address.host} port={address.port} user={address.user} password={address.password} "
               "application_name=standby")  # fmt: skip
        with (place / "data/postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = '{way}'\nhot_standby = on\nwal_receiver_status_interval = 1\n")
        (place / "data/standby.signal").touch()
        give_away(place)
        (place / "data").chmod(0o700)
        url = server.url(type(address)(address.host, port, address.user, address.password), primary.database)

        def probe() -> None:
            with psycopg.connect(url, connect_timeout=2) as connection:
                connection.execute("SELECT 1")

        with running(server.command(home, place, port), place / "log", probe, 60, "the standby"):
            yield url
