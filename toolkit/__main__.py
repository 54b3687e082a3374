"""`python -m toolkit` is the command `temporal-visibility`, and begins as that does: with as little as can be read."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C while its modules are read ends it as any other does."""
    try:
        from toolkit.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        from toolkit.cli.output import tell_stopped

        sys.exit(tell_stopped(sys.argv[1:]))


if __name__ == "__main__":
    main()
