"""See the package."""

from pysqlite3.dbapi2 import *  # type: ignore[import-not-found]  # noqa: F403
