"""A run that gets a signal at its n-th event: `python -m tests.support.doomed URL VERSION N`.

Events are counted before and after every action of the machine; a run that ends before the n-th event leaves with 0.
`--signal STOP` freezes it instead of killing it; `--statements` counts the statements of a step, too.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from tests.support.online import go
from toolkit.apply.limits import Limits
from toolkit.apply.runner import Options
from toolkit.errors import ToolkitError


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("version")
    parser.add_argument("number", type=int)
    parser.add_argument("--signal", default="KILL")
    parser.add_argument("--statements", action="store_true")
    parser.add_argument("--kind", default="upgrade")
    arguments = parser.parse_args()
    events = [0]

    def happened(*_: object) -> None:
        events[0] += 1
        if events[0] == arguments.number:
            os.kill(os.getpid(), signal.Signals[f"SIG{arguments.signal}"])

    tick = happened if arguments.statements else lambda _: None
    options = Options(limits=Limits(chunk_seconds=0.01), lease_seconds=0.6, watch=happened, tick=tick)
    try:
        go(arguments.url, arguments.version, options, arguments.kind)
    except ToolkitError as error:
        print(f"{type(error).__name__} {error.code}: {error.message}", file=sys.stderr)
        sys.exit(error.exit_code)
    print(f"events {events[0]}")


if __name__ == "__main__":
    main()
