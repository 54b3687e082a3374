"""Looks for what would stop a plan half-way on this cluster, with this user. It changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from toolkit.catalog import Json
from toolkit.engines.elasticsearch import forming, render, rights, shadow, slices
from toolkit.engines.elasticsearch.books import Ask
from toolkit.engines.elasticsearch.forming import NEVER
from toolkit.engines.elasticsearch.inspect import flat_settings, meta
from toolkit.engines.elasticsearch.rebuild import COMPUTED
from toolkit.engines.elasticsearch.render import NO_PIPELINE
from toolkit.engines.elasticsearch.store import SearchStore
from toolkit.engines.elasticsearch.transport import Answer, forbidden
from toolkit.engines.online import Problem
from toolkit.plan import Observed, Plan, Request

OLDEST = (7, 10)
STRATEGY = "cluster.indices.replication.strategy"
PLACES = "cluster.routing.allocation.enable"
# A node that is fuller than this gets no new shards, unless the cluster says otherwise.
FULL = 0.85
# All that a comparison asks at once, of run ids that are none: many ranges, many ids, and long pages of them.
_RANGES: list[Json] = [{"range": {"RunId": {"gte": f"~{n}", "lt": f"~{n}~"}}} for n in range(slices.AT_ONCE)]
_LIST: Json = {"terms": {"RunId": [f"~{n}" for n in range(shadow.PAGE)]}}
ASKED: Json = {
    "size": 0,
    "track_total_hits": False,
    "query": {"bool": {"should": [*_RANGES, _LIST]}},
    "aggs": shadow.BY_RUN,
}


def check(ask: Ask, plan: Plan, observed: Observed) -> tuple[Problem, ...]:
    """All problems of `plan` here, fatal ones first."""
    assert isinstance(observed, SearchStore)
    if not plan.steps:
        return ()
    holder = render.path(observed.names.holder)
    found = [*rights.lacking(ask, plan, observed)]
    if policy := lifecycle(plan):
        answer = ask("GET", f"/_ilm/policy{render.path(policy)}", None, NEVER)
        found += managed(policy, answer.status, answer.body)
    if observed.exists:
        state = ask("GET", f"/_cluster/health{holder}", None, (403, 408)).body
        found += health(state, observed.names.holder)
        facts = next(iter(ask("GET", holder, None, ()).body.values()))
        found += replaced(plan, facts, observed.names.holder)
        # A plain rebuild that was cut off left a block of ours; the plan takes it back.
        # A plan that only drops other indices has nothing to do with blocks of this one.
        free = observed.interrupted or _only_drops(plan)
        found += () if free else blocks(facts, observed.names.holder, mended(plan, observed))
        if _copied(plan):
            found += pages(facts, observed.names.holder)
            found += late(facts, observed.names.holder)
            found += segments(ask, facts, observed.names.holder)
            found += searched(facts, observed.names.holder)
            found += source(facts, observed.names.holder) if observed.rows != 0 else ()
            found += rights.hidden(ask, observed)
        if plan.kept and state.get("status") != "red":
            found += compared(ask("POST", f"{holder}/_search", ASKED, (*NEVER, 503)), observed.names.holder)
    found += forming.check(ask, plan, observed)
    if forming.creating(plan):
        found += placed(ask("GET", "/_cluster/settings?flat_settings=true", None, NEVER).body)
    found += forgotten(plan, observed)
    found += gone(ask, plan)
    if plan.kept:
        found += [*version(observed.server), *taken(plan, observed)]
        found += room(ask("GET", "/_nodes/stats/fs", None, NEVER).body, observed.size, _shards(plan))
    return tuple(sorted(found, key=lambda problem: not problem.fatal))


def lifecycle(plan: Plan) -> str | None:
    """The policy that the plan gives to an index or a template, if there is one."""
    bodies = (request.body for request in forming.requests(plan))
    return next((name for body in bodies if (name := _policy(body)) is not None), None)


def _policy(body: Json) -> str | None:
    for name, value in flat_settings(body).items() if isinstance(body, dict) else ():
        if name.endswith("lifecycle.name") and isinstance(value, str):
            return value
    return None


def managed(policy: str, status: int, answer: Mapping[str, Any]) -> Iterator[Problem]:
    """Whether this server has lifecycles at all, and this one; nothing when it does not tell this user."""
    if status not in (400, 404, 405):
        return
    error = answer.get("error")
    # A server without ILM takes `_ilm` for an index that is not there.
    if isinstance(error, dict) and error.get("type") == "resource_not_found_exception":
        hint = "The index takes the name all the same, and nothing is done with it until the policy is there."
        yield Problem("TV2046", f"there is no lifecycle policy {policy}", hint, fatal=False)
    else:
        hint = "Its distribution is without ILM: take `lifecycle` out of the overlay."
        yield Problem("TV2045", "this Elasticsearch has no index lifecycle management", hint)


def health(answer: Mapping[str, Any], index: str) -> Iterator[Problem]:
    """Primaries that are missing; copies that are missing only cost safety."""
    if answer.get("status") == "red":
        hint = "GET /_cluster/allocation/explain says why. Wait until it is yellow or green."
        yield Problem("TV4516", f"{index} is red: a primary shard is missing", hint)
    elif answer.get("status") == "yellow":
        yield Problem("TV4516", f"{index} is yellow: a copy of a shard is missing", "", fatal=False)


def blocks(facts: Mapping[str, Any], index: str, gone: Collection[str] = ()) -> Iterator[Problem]:
    """An index that somebody made read-only stays so: it would be opened again by us. `gone`: blocks that the plan
    itself takes away."""
    settings = flat_settings(facts.get("settings") or {})
    names = ("write", "read_only", "read_only_allow_delete", "metadata")
    on = [n for n in names if n not in gone and str(settings.get(f"blocks.{n}")).lower() == "true"]
    if on:
        text = f"{index} has the block {', '.join(f'index.blocks.{name}' for name in on)}"
        yield Problem("TV4517", text, "Find out who set it (a full disk sets read_only_allow_delete), and remove it.")


def mended(plan: Plan, store: SearchStore) -> frozenset[str]:
    """The blocks of the index that the plan itself takes away, whoever set them; a swap takes only its own."""
    path = f"{render.path(store.names.holder)}/_settings"
    sent = [request for request in forming.requests(plan) if request.path == path]
    settings = [flat_settings(s.body) for s in sent if isinstance(s.body, dict) and s.part != "unlock"]
    taken = (name for found in settings for name, value in found.items() if value is None)
    return frozenset(name.removeprefix("blocks.") for name in taken if name.startswith("blocks."))


def source(facts: Mapping[str, Any], index: str) -> Iterator[Problem]:
    """Documents are copied from `_source`: it must be whole."""
    if forming.cut(facts):
        hint = "Its documents cannot be copied: fill a new index from another store, or from Temporal itself."
        yield Problem("TV4518", f"{index} does not keep the whole _source of its documents", hint)


def _copied(plan: Plan) -> bool:
    return any(request.path.startswith("/_reindex?") for request in forming.requests(plan))


def _only_drops(plan: Plan) -> bool:
    return all(request.method == "DELETE" for request in forming.requests(plan))


def pages(facts: Mapping[str, Any], index: str) -> Iterator[Problem]:
    """Documents are read so many at once."""
    most = flat_settings(facts.get("settings") or {}).get("max_result_window")
    if most is not None and int(str(most)) < shadow.PAGE:
        hint = f"Set it to {shadow.PAGE} or more, or give it its default back."
        yield Problem("TV4524", f"index.max_result_window of {index} is {most}", hint)


def late(facts: Mapping[str, Any], index: str) -> Iterator[Problem]:
    """A replica that copies segments shows what was written some time after the refresh that should show it; nothing
    tells when. The cluster itself reads from replicas, too, when it copies, and cannot be told not to."""
    settings = flat_settings(facts.get("settings") or {})
    if settings.get("replication.type") == "SEGMENT" and str(settings.get("number_of_replicas", "0")) != "0":
        hint = "Set its auto_expand_replicas to false and its number_of_replicas to 0 for the time of the run."
        yield Problem("TV4529", f"{index} has replicas that show writes late (index.replication.type SEGMENT)", hint)


def segments(ask: Ask, facts: Mapping[str, Any], index: str) -> Iterator[Problem]:
    """An index that copies segments: what is made anew copies what the cluster is made for. A new one that did so, too,
    could not be compared once it has replicas."""
    if flat_settings(facts.get("settings") or {}).get("replication.type") != "SEGMENT":
        return
    known = ask("GET", "/_cluster/settings?flat_settings=true&include_defaults=true", None, NEVER).body
    if "SEGMENT" not in [(known.get(kind) or {}).get(STRATEGY) for kind in ("persistent", "defaults")]:
        text = f"{index} has index.replication.type SEGMENT, which the new index and the one that is kept will not have"
        hint = f"They have what the cluster is made for ({STRATEGY}), or what a template says."
        yield Problem("TV4534", text, hint, fatal=False)


def searched(facts: Mapping[str, Any], index: str) -> Iterator[Problem]:
    """A pipeline that all searches go through, those of a copy, too: it may leave out documents, or change them."""
    name = flat_settings(facts.get("settings") or {}).get("search.default_pipeline", NO_PIPELINE)
    if name != NO_PIPELINE:
        hint = (
            f"Set index.search.default_pipeline to {NO_PIPELINE} for the time of the run, and give it to the new index."
        )
        yield Problem("TV4532", f"searches of {index} go through the pipeline {name}, and so would a copy", hint)


def placed(answer: Mapping[str, Any]) -> Iterator[Problem]:
    """A cluster that gives no new shard a place, as during the restart of its nodes."""
    found = [(answer.get(kind) or {}).get(PLACES) for kind in ("transient", "persistent")]
    if next((value for value in found if value is not None), None) == "none":
        yield Problem("TV4533", f"the cluster gives no shard a place ({PLACES} is none)", "Set it to all again.")


def compared(answer: Answer, index: str) -> Iterator[Problem]:
    """Both indices are compared by ranges and lists of run ids. Some limits are met only where many were deleted."""
    if answer.status >= 400 and not forbidden(answer):
        hint = "Allow it for the time of the rebuild, or use --offline, which compares nothing."
        yield Problem("TV4524", f"{index} takes no such search as a comparison is: {answer.reason[:400]}", hint)


def version(server: str) -> Iterator[Problem]:
    """Writing only through an alias came with 7.10, from which OpenSearch began."""
    product, _, number = server.partition(" ")
    parts = number.split(".")
    if product == "Elasticsearch" and tuple(int(p) for p in parts[:2] if p.isdigit()) < OLDEST:
        yield Problem("TV4519", f"{server} is too old for a rebuild beside live writes", "Use --offline.")


def taken(plan: Plan, store: SearchStore) -> Iterator[Problem]:
    """Names that the plan wants to give to new indices."""
    for name in sorted({*forming.made(plan, ("create", "clone"))} & {*store.taken}):
        yield Problem("TV4520", f"there is an index or alias {name} already", "Make a new plan, or rename it.")


def gone(ask: Ask, plan: Plan) -> Iterator[Problem]:
    """An old index to which the plan leads back, and that somebody has dropped."""
    opened = [s for step in plan.steps if step.id == "rebuild.back.open" for s in step.statements]
    for path in (s.path.rpartition("/")[0] for s in opened if isinstance(s, Request)):
        if ask("GET", f"{path}/_settings", None, (404,)).status == 404:
            text = f"the old index {unquote(path[1:])} is gone, so there is no way back to it"
            yield Problem(
                "TV4526", text, "`schema finish` ends the run; `schema downgrade` goes to an earlier version."
            )


def replaced(plan: Plan, facts: Mapping[str, Any], holder: str) -> Iterator[Problem]:
    """A rebuild that is to be taken back and is done: the index at hand was made by it, and the old one is dropped."""
    undone = [s for step in plan.steps if step.id == "index.rebuild.undo" for s in step.statements]
    old = next((unquote(s.path.split("/")[1]) for s in undone if isinstance(s, Request)), holder)
    note = meta(facts).get(render.NOTE)
    if old != holder and isinstance(note, dict) and "made_for" in note:
        hint = "Give the command again that was cut off; `schema downgrade` goes to an earlier version."
        yield Problem("TV4526", f"the old index {old} is gone, so there is no way back to it", hint)


def forgotten(plan: Plan, store: SearchStore) -> Iterator[Problem]:
    """Computed fields of users that the new index will not have."""
    for body in _created(plan) if store.exists else ():
        mappings = body.get("mappings")
        left = [n for part in COMPUTED if isinstance(mappings, dict) and part not in mappings
                for n in _names(store.kept.more.get(part))]  # fmt: skip
        if left:
            hint = "Its scripts were written for the old layout: give the new index such fields of its own afterwards."
            yield Problem("TV4523", f"the new index will not compute {', '.join(left[:5])}", hint, fatal=False)


def _created(plan: Plan) -> list[dict[str, Json]]:
    """What the plan's new indexes are made with."""
    return [request.body for request in forming.creating(plan) if isinstance(request.body, dict)]


def _names(fields: Json) -> list[str]:
    return sorted(fields) if isinstance(fields, dict) else []


def room(answer: Mapping[str, Any], size: int | None, shards: int = 1) -> Iterator[Problem]:
    """Whether the nodes can take the shards of the copy and stay below the watermark at which no shard goes to them."""
    disks = [(node.get("fs") or {}).get("total") or {} for node in (answer.get("nodes") or {}).values() if _data(node)]
    known = [(d["available_in_bytes"], d["total_in_bytes"]) for d in disks if "available_in_bytes" in d]
    if not known or size is None:
        return
    piece = max(1, -(-size // shards))

    def holds(kept: float) -> bool:
        return sum(max(0, int(avail - kept * total)) // piece for avail, total in known) >= shards

    if not holds(1 - FULL):
        free = max(avail for avail, _ in known)
        parts = f" in {shards} shards" if shards > 1 else ""
        text = f"the copy needs about {size >> 20} MB{parts}, and the emptiest node has {free >> 20} MB"
        yield Problem(
            "TV4521", text, "Above 85 % the cluster gives a node no shards. Free some space.", fatal=not holds(0)
        )


def _data(node: Mapping[str, Any]) -> bool:
    """Whether shards of a live index go to a node; where it does not tell, they may."""
    roles = node.get("roles")
    return roles is None or any(role.startswith("data") and role != "data_frozen" for role in roles)


def _shards(plan: Plan) -> int:
    """How many the new index has."""
    found = [flat_settings(body).get("settings.index.number_of_shards", 1) for body in _created(plan)]
    return max((int(str(number)) for number in found), default=1)
