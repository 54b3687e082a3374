"""Refusing writes to an index, and letting them in again, so that it is true afterwards.

A server refuses new writes at once and then waits for those under way, but not for long. Where it gave up, a write may
still arrive, and the setting that would let writers in does not: only the same request, once it has ended well, makes
a block that can be taken away.
"""

from __future__ import annotations

from collections.abc import Callable

from toolkit.engines.elasticsearch import render
from toolkit.engines.elasticsearch.books import Ask
from toolkit.engines.elasticsearch.transport import Answer
from toolkit.errors import EngineError
from toolkit.plan import Request

# A server waits for half a minute each time.
ATTEMPTS = 10
_NO_ANSWER = (400, 401, 403, 404)


def refuses(request: Request) -> bool:
    """Whether it is the request that refuses writes."""
    return request.path.endswith("/_block/write")


def lets_in(request: Request) -> bool:
    """Whether it lets writers in again."""
    settings = request.body.get("index") if isinstance(request.body, dict) else None
    return isinstance(settings, dict) and settings.get("blocks.write", "") is None


def refuse(ask: Ask, request: Request, index: str, check: Callable[[], None]) -> None:
    """Refuse writes until none is under way. EngineError when they do not end; new ones are refused all the same."""
    for _ in range(ATTEMPTS):
        check()
        if _whole(ask, request):
            return
    hint = f"Writes to {index} stay refused until they do: then the same command goes on, or `schema rollback` does."
    raise EngineError("TV4525", f"writes to {index} that are under way do not end", hint)


def let_in(send: Callable[[], Answer], ask: Ask, index: str) -> None:
    """Let writers in by `send`, twice where a block was left that no setting takes away."""
    if send().status < 400 and _mended(ask, index):
        send()


def _mended(ask: Ask, index: str) -> bool:
    """Whether such a block was left on `index`, and is now one that the setting takes away."""
    answer = ask("GET", f"{render.path('_cluster', 'state', 'blocks', index)}", None, _NO_ANSWER).body
    blocks = ((answer.get("blocks") or {}).get("indices") or {}).get(index) or {}
    return any("uuid" in block for block in blocks.values()) and _whole(ask, render.block_writes(index))


def _whole(ask: Ask, request: Request) -> bool:
    """Where writes were refused already, no index is named."""
    answer = ask(request.method, request.path, request.body, ()).body
    return answer.get("acknowledged") is True and all(i.get("blocked") for i in answer.get("indices") or ())
