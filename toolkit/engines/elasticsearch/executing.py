"""Sends the requests of a step in their order; copies and new indexes are waited for and looked at.

It decides nothing: what to send comes as a Step.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from urllib.parse import unquote

from toolkit.engines.elasticsearch import blocking, inspect, refusals, render, shadow, transport
from toolkit.engines.elasticsearch.books import Ask
from toolkit.engines.elasticsearch.transport import Answer
from toolkit.engines.rebuilding import Tick
from toolkit.errors import EngineError, LockHeld
from toolkit.plan import Request, Sql, Step
from toolkit.targets import Target

_FIRST_LOOK, _LONGEST_LOOK = 0.1, 5.0


class Executing:
    """What is done to the cluster of `target`."""

    def __init__(self, ask: Ask, target: Target) -> None:
        self._ask = ask
        self._target = target

    def execute(self, step: Step, check: Callable[[], None], tick: Tick) -> None:
        """The requests in order, each after `check`. A step that keeps writers waiting is taken back when it fails,
        except when its last request is the one that failed and nobody refused it: that may have been done although no
        answer came."""
        requests = [s for s in step.statements if isinstance(s, Request)]
        assert not any(isinstance(s, Sql) for s in step.statements)
        for number, request in enumerate(requests, 1):
            try:
                check()
                self._do(request, check)
            except BaseException as error:
                undone = number < len(requests) or isinstance(error, transport.Refusal)
                if step.lock.blocks != "nobody" and undone and not isinstance(error, LockHeld):
                    self._take_back(step, requests[: number - 1], error)
                raise
            tick(number)

    def _take_back(self, step: Step, done: list[Request], error: BaseException) -> None:
        """Undo the step, writers first. EngineError that says so when its user may not even let them in."""
        closed = next((_index(request) for request in done if blocking.refuses(request)), None)
        with contextlib.suppress(EngineError):
            for request in step.reverse:
                if isinstance(request, Request):
                    self._plain(request, (404,))
                    closed = None if blocking.lets_in(request) else closed
        if closed is not None and isinstance(error, EngineError) and refusals.shut_out(error):
            raise refusals.still_closed(error, closed) from None

    def _do(self, request: Request, check: Callable[[], None]) -> None:
        if request.path.startswith("/_reindex?"):
            self._copy(request, check)
        elif request.part == "create":
            self._create(request)
        elif request.part == "if ours":
            self._drop_ours(request)
        elif request.part == "unless named":
            self._drop_unless_named(request)
        elif blocking.refuses(request):
            blocking.refuse(self._ask, request, _index(request), check)
        elif request.part == "health":
            while self._ask(request.method, request.path, request.body, (408,)).body.get("initializing_shards"):
                check()
        else:
            fine = (404,) if request.method == "DELETE" or request.part == "if there" else ()
            self._plain(request, fine)

    def _plain(self, request: Request, fine: tuple[int, ...]) -> None:
        def send() -> Answer:
            return self._ask(request.method, request.path, request.body, fine)

        if blocking.lets_in(request):
            blocking.let_in(send, self._ask, _index(request))
        else:
            send()

    def _create(self, request: Request) -> None:
        """A new index. One of that name is begun anew if it says that it was made for the same purpose."""
        answer = self._ask(request.method, request.path, request.body, (400,))
        if answer.status != 400:
            return
        found = self._ask("GET", request.path, None, (404,)).body
        ours = next((inspect.meta(facts).get(render.NOTE) for facts in found.values()), None)
        mine = isinstance(ours, dict) and "made_for" in ours and ours == render.note_of(request.body)
        if "already_exists" not in answer.reason or not mine:
            raise transport.refused(answer, self._target)
        self._ask("DELETE", request.path, None, (404,))
        self._ask(request.method, request.path, request.body, ())

    def _drop_ours(self, request: Request) -> None:
        found = self._ask("GET", request.path, None, (404,)).body
        assert isinstance(request.body, dict)
        if shadow.ours(found, unquote(request.path[1:]), str(request.body["made_of"])):
            self._ask(request.method, request.path, None, (404,))

    def _drop_unless_named(self, request: Request) -> None:
        assert isinstance(request.body, dict)
        found = self._ask("GET", f"{request.path}/_alias", None, (404,)).body.get(unquote(request.path[1:])) or {}
        if request.body["name"] not in found.get("aliases", ()):
            self._ask(request.method, request.path, None, (404,))

    def _copy(self, request: Request, check: Callable[[], None]) -> None:
        """Start a copy, wait for its end, and see that it is whole."""
        assert isinstance(request.body, dict)
        source, target = (request.body[side]["index"] for side in ("source", "dest"))  # type: ignore[index,call-overload]
        task = str(self._ask(request.method, request.path, request.body, ()).body["task"])
        pause = _FIRST_LOOK
        while not (seen := self._ask("GET", f"/_tasks/{task}", None, ()).body).get("completed"):
            time.sleep(pause)
            check()
            pause = min(pause * 1.5, _LONGEST_LOOK)
        result = seen.get("response") or {}
        failures = [f.get("cause") or f for f in result.get("failures") or ()] + [
            seen[k] for k in ("error",) if k in seen
        ]
        if failures or result.get("canceled"):
            why = Answer(500, {"error": failures[0]}).reason if failures else f"canceled: {result['canceled']}"
            hint = "Nothing has changed. Repair that document, or ask for help, and run again."
            what = f"copying {source} to {target} failed"
            raise refusals.failed("TV4505", what, str(target), self._target.redact(why), hint)
        before, after = self.count(str(source)), self.count(str(target))
        if before != after:
            raise EngineError("TV4506", f"the copy of {source} has {after} records, not {before}",
                              "Nothing has changed. Run the same command again.")  # fmt: skip

    def count(self, index: str) -> int:
        """How many documents an index has at this moment."""
        path = render.path(index)
        self._ask("POST", f"{path}/_refresh", None, ())
        return int(self._ask("GET", f"{path}/_count", None, ()).body["count"])


def _index(request: Request) -> str:
    return unquote(request.path.split("/")[1])
