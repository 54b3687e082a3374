"""The two ways the harness says no: an engine that cannot be had, and a test that asks for something it must not.

Both carry one line for the reader of the report; neither carries a password.
"""

from __future__ import annotations


class Unavailable(Exception):
    """An engine cannot be had on this machine. `how` says how to get it."""

    def __init__(self, what: str, how: str = "") -> None:
        super().__init__(f"{what}; to get it: {how}" if how else what)


class NotAllowed(Exception):
    """A test used the harness in a way that would disturb other tests."""


class NotOurs(NotAllowed):
    """A test would do something to a server that was given by URL. It is left out there, with the reason."""
