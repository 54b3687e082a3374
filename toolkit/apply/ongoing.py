"""Which run of a store's journal is not over: begun and not ended, or done with its old data still there.

It reads the journal and changes nothing.
"""

from __future__ import annotations

from toolkit.engines.online import Coordinated, Run


def unfinished(client: Coordinated) -> Run | None:
    """The run that was begun and not ended, if there is one: the rollback rather than what it takes back."""
    return next((r for r in reversed(client.journal().runs()) if r.status == "running"), None)


def kept(client: Coordinated) -> Run | None:
    """The run whose old data is still in the store, if there is one."""
    return next((r for r in client.journal().runs() if r.status == "kept"), None)
