"""The pre-commit hook: the files it is given hold saved filters; everything else is an option of `schema check`.

python -m toolkit.cli.hook --to 1.14 --engine postgresql filters.yaml more.txt
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def arguments(given: Sequence[str]) -> list[str]:
    """The arguments of `schema check`: trailing words that begin with no dash and follow no option are files."""
    split = len(given)
    while split > 0 and not given[split - 1].startswith("-") and not _takes_a_value(given[: split - 1]):
        split -= 1
    files = [word for file in given[split:] for word in ("--queries", file)]
    return ["schema", "check", *given[:split], *files]


def _takes_a_value(before: Sequence[str]) -> bool:
    return bool(before) and before[-1].startswith("--") and "=" not in before[-1]


def main() -> None:
    """Run `schema check` over the files."""
    from toolkit.cli import main as command_line

    command_line(arguments(sys.argv[1:]))


if __name__ == "__main__":
    main()
