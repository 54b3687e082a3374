"""Found before the standard library's sqlite3 by child processes of tests on the newest SQLite."""

from pysqlite3 import *  # type: ignore[import-not-found]  # noqa: F403
