"""`python -m toolkit` is the command `temporal-visibility`."""

from toolkit.cli import main

if __name__ == "__main__":
    main()
