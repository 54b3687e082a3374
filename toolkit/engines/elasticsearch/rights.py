"""What the user lacks for a plan, before anything is done.

Elasticsearch is asked for it. OpenSearch has no such question, but its security answers before anything else does: so
each kind of request that the plan sends is sent once in a form that no server can carry out, and only a refusal of this
user counts. Nothing can come of them, whoever may do what.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from toolkit.catalog import Json
from toolkit.engines.elasticsearch import render
from toolkit.engines.elasticsearch.books import Ask
from toolkit.engines.elasticsearch.names import BOOKS
from toolkit.engines.elasticsearch.refusals import NO_RIGHT, RIGHTS_HINT
from toolkit.engines.elasticsearch.store import SearchStore
from toolkit.engines.elasticsearch.transport import forbidden
from toolkit.engines.online import Problem, listed
from toolkit.plan import Plan, Request

# Whatever is wrong with such a request is no failure.
_ALL = (400, 401, 403, 404, 405, 409, 500)
_WHO, _WHO_ELASTIC = "/_plugins/_security/authinfo", "/_security/_authenticate"
_LACKS = re.compile(r"no permissions for \[([^\]]+)\]")
# No server has a setting of this name, so none takes a body with it.
_NONSENSE = "temporal_visibility_no_such_setting"
# What is wrong with the form of a request is found before its user is looked at.
_BODIES: Mapping[str, Json] = {
    "_mget": {"ids": ["1"]},
    "_mapping": {"properties": {}},
    "_settings": {_NONSENSE: 1},
}
SHOWN = 8


def lacking(ask: Ask, plan: Plan, store: SearchStore) -> Iterator[Problem]:
    """The rights that the user of the connection lacks; nothing where the cluster cannot tell."""
    if not store.server.startswith("OpenSearch"):
        yield from privileges(ask("POST", "/_security/user/_has_privileges", wanted(store), _ALL).body)
        return
    who = ask("GET", _WHO, None, _ALL)
    if who.status == 200 and "user_name" in who.body:
        refused = [*_refused(ask, probes(plan, f"{store.names.index}-{secrets.token_hex(8)}"), store)]
        yield from _problem(str(who.body["user_name"]), refused)


def hidden(ask: Ask, store: SearchStore) -> Iterator[Problem]:
    """Whether something of the documents is hidden from the user: a copy would lack it, and nobody would see it. An
    index that is so cannot be cloned; and no index can have a name in capitals, so nothing can come of the question."""
    if ask("GET", _WHO if store.server.startswith("OpenSearch") else _WHO_ELASTIC, None, _ALL).status != 200:
        return
    path = render.path(store.names.holder, "_clone", f"{store.names.index}-NO-SUCH-INDEX")
    answer = ask("PUT", path, {}, _ALL)
    error = answer.body.get("error")
    if isinstance(error, dict) and error.get("type") == "security_exception" and not forbidden(answer):
        hint = "Use an account whose roles neither hide documents or fields nor mask any (DLS, FLS, masked fields)."
        text = f"this user is not shown all of {store.names.holder}, and a copy would lack it: {answer.reason[:300]}"
        yield Problem("TV4527", text, hint)


def wanted(store: SearchStore) -> Json:
    """The rights that any plan needs, in the words of Elasticsearch's security: what may be done by an alias may not be
    done to its index, whatever that is called."""
    names = store.names
    own: list[Json] = [names.index, f"{names.index}-*"]
    if names.holder != names.index and not names.holder.startswith(f"{names.index}-"):
        own.append(names.holder)
    return {
        "cluster": ["monitor", "manage_index_templates"],
        "index": [
            {"names": own, "privileges": ["manage", "read", "write", "create_index"]},
            {"names": [BOOKS], "privileges": ["manage", "read", "write", "create_index"]},
        ],
    }


def privileges(answer: Mapping[str, Any]) -> Iterator[Problem]:
    """What Elasticsearch says that this user lacks; nothing when it cannot tell."""
    if answer.get("has_all_requested") is not False:
        return
    lacks = [name for name, has in (answer.get("cluster") or {}).items() if not has]
    for index, rights in (answer.get("index") or {}).items():
        lacks += [f"{right} on {index}" for right, has in rights.items() if not has]
    yield from _problem(str(answer.get("username")), lacks)


def _problem(user: str, lacks: Iterable[str]) -> Iterator[Problem]:
    if found := [*dict.fromkeys(lacks)]:
        yield Problem(NO_RIGHT, f"user {user} may not: {listed(found, SHOWN)}", RIGHTS_HINT)


def probes(plan: Plan, nowhere: str) -> tuple[Request, ...]:
    """A request for each kind that `plan` or its way back sends, about the index `nowhere`, which is not there; and
    those of lock and journal."""
    steps = [*plan.steps, *plan.rollback, *plan.abandon, *plan.finish]
    sent = [s for step in steps for s in step.statements if isinstance(s, Request)]
    found = [probe for request in sent if (probe := _probe(request, nowhere)) is not None]
    books = [
        Request("PUT", render.path(BOOKS), {"settings": {_NONSENSE: 1}}),
        Request("GET", render.path(BOOKS, "_doc", nowhere)),
        Request("POST", render.path(BOOKS, "_search"), {"size": 0}),
        _write(BOOKS),
    ]
    return tuple({(p.method, p.path): p for p in (*found, *books)}.values())


def _probe(request: Request, nowhere: str) -> Request | None:
    """The same right, and nothing to be had by it."""
    setting: Json = {_NONSENSE: 1}
    match request.method, request.path.partition("?")[0].strip("/").split("/"):
        case "PUT", ["_cluster", "settings"]:
            return Request("PUT", "/_cluster/settings", {"persistent": setting})
        case _, ["_cluster", *_]:
            return None
        case "PUT", ["_template", _]:
            body: Json = {"index_patterns": [nowhere], "settings": setting}
            return Request("PUT", render.path("_template", nowhere), body)
        case "PUT", ["_index_template", _]:
            body = {"index_patterns": [nowhere], "template": {"settings": setting}}
            return Request("PUT", render.path("_index_template", nowhere), body)
        case method, ["_template" | "_index_template" as kind, _]:
            return Request(method, render.path(kind, nowhere))
        case "POST", ["_aliases"]:
            return render.aliases([{"remove": {"index": nowhere, "alias": f"{nowhere}-alias"}}])
        case "POST", ["_reindex"]:
            body = {"source": {"index": nowhere}, "dest": {"index": nowhere}}
            return Request("POST", "/_reindex?require_alias=true", body)
        case _, ["_bulk"]:
            return _write(nowhere)
        case "PUT", [_]:
            return Request("PUT", render.path(nowhere), {"settings": setting})
        case "PUT", [_, "_clone", _]:
            return Request("PUT", render.path(nowhere, "_clone", f"{nowhere}-clone"), {})
        case method, [_, *rest]:
            body = _BODIES.get(rest[0]) if rest and method != "GET" else None
            return Request(method, render.path(nowhere, *rest), body)
        case _:
            return None


def _write(index: str) -> Request:
    """A document for an alias of that name: an index takes it no more than nothing does."""
    return Request("PUT", f"{render.path(index, '_doc', _NONSENSE)}?require_alias=true", {})


def _refused(ask: Ask, asked: Iterable[Request], store: SearchStore) -> Iterator[str]:
    """The rights for want of which requests were refused, as the server names them."""
    for request in asked:
        answer = ask(request.method, request.path, request.body, _ALL)
        if forbidden(answer):
            named = _LACKS.search(answer.reason)
            right = named[1] if named else f"{request.method} {request.path.partition('?')[0]}"
            place = "" if request.path.startswith("/_") else f" on {_place(request, store)}"
            yield f"{right}{place}"


def _place(request: Request, store: SearchStore) -> str:
    return BOOKS if request.path.startswith(render.path(BOOKS)) else f"{store.names.index}-*"
