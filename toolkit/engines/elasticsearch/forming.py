"""What the templates of a cluster would make of a plan's new indexes besides what the plan says. It changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any
from urllib.parse import unquote

from toolkit.engines.elasticsearch import render
from toolkit.engines.elasticsearch.books import Ask
from toolkit.engines.elasticsearch.store import SearchStore
from toolkit.engines.online import Problem
from toolkit.plan import Plan, Request

NEVER = (400, 401, 403, 404, 405, 500)


@dataclass(frozen=True, slots=True)
class Templates:
    """Those of the cluster, name → body; none where it does not tell this user."""

    composable: Mapping[str, Mapping[str, Any]]
    legacy: Mapping[str, Mapping[str, Any]]

    @staticmethod
    def of(ask: Ask) -> Templates:
        """Asked once for all that follows."""
        found = ask("GET", "/_index_template", None, NEVER).body.get("index_templates") or []
        old = ask("GET", "/_template", None, NEVER)
        return Templates({e["name"]: e["index_template"] for e in found}, old.body if old.status == 200 else {})

    def meant(self, name: str) -> dict[str, Mapping[str, Any]]:
        """Those that form an index of that name. Where a composable one applies, no legacy one does."""
        return _fitting(self.composable, name) or _fitting(self.legacy, name)


def _fitting(templates: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Mapping[str, Any]]:
    return {
        known: body
        for known, body in templates.items()
        if any(fnmatch(name, str(pattern)) for pattern in body.get("index_patterns") or ())
    }


def check(ask: Ask, plan: Plan, store: SearchStore) -> Iterator[Problem]:
    """All problems that come of templates."""
    known = Templates.of(ask)
    for name in made(plan):
        yield from formed(name, _parts(ask, name, known, plan, store), store)
        if plan.kept:
            yield from hidden(known, name, store)
    yield from beside(known, plan, store)


def requests(plan: Plan) -> list[Request]:
    """All that the plan sends."""
    return [s for step in plan.steps for s in step.statements if isinstance(s, Request)]


def creating(plan: Plan, parts: Collection[str] = ("create",)) -> list[Request]:
    """The requests that make the plan's new indexes; with the part `clone`, those that clone one, too."""
    return [request for request in requests(plan) if request.part in parts]


def made(plan: Plan, parts: Collection[str] = ("create",)) -> list[str]:
    """The names of those."""
    return [unquote(request.path.rpartition("/")[2]) for request in creating(plan, parts)]


def cut(facts: Mapping[str, Any]) -> bool:
    """Whether an index with these mappings does not keep the whole of its documents."""
    found = (facts.get("mappings") or {}).get("_source") or {}
    return bool(found.get("enabled", True) in (False, "false") or found.get("includes") or found.get("excludes"))


def _parts(ask: Ask, name: str, known: Templates, plan: Plan, store: SearchStore) -> list[Mapping[str, Any]]:
    """What forms an index of that name: all composable ones as the server puts them together, or each legacy one, but
    for our own where the plan writes it anew."""
    path = f"/_index_template/_simulate_index{render.path(name)}"
    if together := ask("POST", path, None, NEVER).body.get("template"):
        return [together]
    anew = any(step.id == "record.template" for step in plan.steps)
    return [body for n, body in _fitting(known.legacy, name).items() if not (anew and n == store.names.template)]


def formed(name: str, parts: list[Mapping[str, Any]], store: SearchStore) -> Iterator[Problem]:
    """An alias that is the store's own name, given to the new index at once: both would answer to it before the copy is
    whole, and no write would know where to go. And documents that lose a part of themselves in it, which no comparison
    shows."""
    if store.exists and any(store.names.index in (found.get("aliases") or {}) for found in parts):
        text = f"a template makes the new index {name} answer to {store.names.index} as soon as it is there"
        yield Problem("TV4528", text, "Take the alias out of that template: the upgrade gives the name by itself.")
    if any(cut(found) for found in parts):
        text = f"a template has the new index {name} keep only a part of the _source of its documents"
        yield Problem("TV4531", text, "Take `_source` out of that template's mapping, or give it other names.")


def hidden(known: Templates, name: str, store: SearchStore) -> Iterator[Problem]:
    """Templates of others that would also form the new index."""
    for other, body in known.meant(name).items():
        if other != store.names.template:
            text = f"the template {other} ({', '.join(body['index_patterns'][:3])}) also forms {name}"
            yield Problem("TV4522", text, "What it adds to the mapping or the settings stays.", fatal=False)


def beside(known: Templates, plan: Plan, store: SearchStore) -> Iterator[Problem]:
    """From 8 on Elasticsearch takes no new legacy template beside a composable one for some of the same names."""
    product, _, number = store.server.partition(" ")
    if product != "Elasticsearch" or number.partition(".")[0] in ("6", "7"):
        return
    templates = (r for r in requests(plan) if r.method == "PUT" and r.path.startswith("/_template/"))
    for put in templates:
        mine = put.body.get("index_patterns") if isinstance(put.body, dict) else None
        old = known.legacy.get(store.names.template) or {}
        if not isinstance(mine, list) or old.get("index_patterns") == mine:
            return
        for name, body in known.composable.items():
            theirs = body.get("index_patterns") or []
            # One of the same name is no other to it.
            if name != store.names.template and any(_meet(str(a), b) for a in mine for b in theirs):
                text = f"{product} takes no legacy template beside the composable one {name}"
                hint = "Say `elasticsearch: {template: composable}` in an overlay, or give that template other names."
                yield Problem("TV4530", text, hint)


def _meet(name: str, pattern: str) -> bool:
    """Whether an index may fit both: `name` is whole, or has a `*` at its end."""
    start, star, _ = name.partition("*")
    if not star or "*" not in pattern:
        return fnmatch(start, pattern) if not star else fnmatch(pattern, name)
    literal = pattern.partition("*")[0]
    return literal.startswith(start) or start.startswith(literal)
