"""An upgrade in a process of its own, to be mistreated: `python -m tests.support.unsteady URL VERSION LEASE SKEW`.

LEASE: seconds after which its lock may be taken over. SKEW: seconds by which this process's clock is wrong. It
upgrades, drops what was kept, and leaves with 0; with the exit code of the error otherwise.
"""

from __future__ import annotations

import datetime
import sys
import time


def skew(seconds: float) -> None:
    """Every clock of Python that tells the time of day is wrong from here on; how long things take stays right."""
    right, right_ns, moment = time.time, time.time_ns, datetime.datetime

    class Skewed(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return moment.now(tz) + datetime.timedelta(seconds=seconds)

    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + int(seconds * 1e9)
    datetime.datetime = Skewed  # type: ignore[misc]


def main() -> int:
    """See the module."""
    url, version, lease, wrong = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
    if wrong:
        skew(wrong)
    from toolkit.apply import plan_json, ways_back
    from toolkit.apply.limits import Limits
    from toolkit.apply.ongoing import kept, unfinished
    from toolkit.apply.runner import Options, perform, plan_store, upgrade_task
    from toolkit.engines import engine
    from toolkit.errors import ToolkitError
    from toolkit.overlay import NO_OVERLAY
    from toolkit.targets import parse_url
    from toolkit.versions import chain, find

    options = Options(limits=Limits(chunk_seconds=0.02, attempts=400), lease_seconds=lease)
    target = parse_url(url, {})
    chosen, wanted = engine(target.engine), find(version)
    try:
        client = chosen.connect(target)
        open_run = unfinished(client)
        if open_run is None or open_run.kind == "upgrade":
            plan = (
                plan_json.load(open_run.plan) if open_run else plan_store(chosen, client, wanted, chain(), NO_OVERLAY)
            )
            perform(client, upgrade_task(chosen, plan, wanted, NO_OVERLAY), lambda *_: None, time.monotonic, options)
        if kept(client) or unfinished(client):
            perform(client, ways_back.finish(client), lambda *_: None, time.monotonic, options)
        client.close()
    except ToolkitError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
