"""A run that is killed with SIGKILL at its n-th event: `python -m tests.support.doomed URL VERSION N [SIGSTOP]`.

With SIGSTOP it is only paused, until SIGCONT comes. Events are counted before and after every action of the machine;
a run that ends before the n-th event leaves with 0.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from toolkit.apply import plan_json
from toolkit.apply.limits import Limits
from toolkit.apply.runner import Options, perform, plan_store, unfinished, upgrade_task
from toolkit.engines import engine
from toolkit.engines.online import Coordinated
from toolkit.overlay import NO_OVERLAY
from toolkit.targets import parse_url
from toolkit.versions import chain, find


def main() -> None:
    """See the module."""
    url, version, number, *other = sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:]
    end = signal.Signals[other[0]] if other else signal.SIGKILL
    target, events = parse_url(url, {}), [0]
    chosen = engine(target.engine)
    client = chosen.connect(target)

    def watch(*_: object) -> None:
        events[0] += 1
        if events[0] == number:
            os.kill(os.getpid(), end)

    wanted = find(version)
    known = unfinished(client) if isinstance(client, Coordinated) else None
    plan = plan_json.load(known.plan) if known else plan_store(chosen, client, wanted, chain(), NO_OVERLAY)
    task = upgrade_task(chosen, plan, wanted, NO_OVERLAY)
    options = Options(limits=Limits(chunk_seconds=0.01), lease_seconds=0.6, watch=watch)
    perform(client, task, lambda *_: None, time.monotonic, options)
    print(f"events {events[0]}")


if __name__ == "__main__":
    main()
