"""Rights on OpenSearch, enforced by its own security: those that are documented suffice for everything, and want of one
is told in one line, with nothing half-done and no writer kept out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.engines.handles import Handle
from tests.engines.servers.search import request
from tests.support import journeys
from tests.support.catalogs import LAST, released
from tests.support.command import Ran, here, temporal_visibility
from tests.support.search_accounts import PASSWORD, Account, documented
from toolkit.apply.actions import Action, CompareChunk, CopyChunk, Outcome, Swap
from toolkit.apply.limits import Limits
from toolkit.apply.runner import perform, plan_store, upgrade_task
from toolkit.apply.task import Options
from toolkit.engines.elasticsearch.client import SearchClient
from toolkit.engines.elasticsearch.transport import Answer
from toolkit.errors import EngineError
from toolkit.overlay import NO_OVERLAY, Overlay, SearchSettings
from toolkit.sample import generate
from toolkit.versions import find

TWO_SHARDS = Overlay(elasticsearch=SearchSettings(shards=2))
ROWS = 60
QUICK = Options(limits=Limits(chunk_seconds=0.01, rows=100), lease_seconds=2)
BLOCK = "index.blocks.write"
LOOKING = "OpenSearch, only to look"
NOTHING_SAID = ("Traceback", PASSWORD)


@pytest.fixture
def store(opensearch_secured: Handle) -> Handle:
    return opensearch_secured


@pytest.fixture
def user(store: Handle) -> Account:
    """A user with the documented rights, beside an index of others whose name begins like his."""
    user = Account.create(store)
    user.grant_what_is_documented()
    request(store.address, "PUT", f"/{store.database}_of_others", {})
    return user


@contextmanager
def opened(user: Account) -> Iterator[tuple[Any, SearchClient]]:
    with journeys.opened(user.url) as (chosen, client):
        assert isinstance(client, SearchClient)
        yield chosen, client


def brought(
    user: Account, overlay: Overlay = NO_OVERLAY, options: Options = QUICK, spoil: Any = None, offline: bool = False
) -> None:
    """An upgrade in this process; `spoil` gets the client before it begins."""
    with opened(user) as (chosen, client):
        plan = plan_store(chosen, client, find(LAST), released(), overlay, offline)
        if spoil:
            spoil(client)
        perform(client, upgrade_task(chosen, plan, find(LAST), overlay), lambda *_: None, time.monotonic, options)


def filled(user: Account) -> int:
    """A store that needs a rebuild: two shards, which the released template does not want. How many records it has."""
    brought(user, TWO_SHARDS)
    with opened(user) as (_, client):
        for _ in client.write(find(LAST), generate(find(LAST), ROWS, 3)):
            pass
        return client.count()


def seen(store: Handle) -> dict[str, Any]:
    """All of the store that a change could be seen in: indices, with their mappings and settings, and the template."""
    wildcard = f"/{store.database},{store.database}-*?flat_settings=true&expand_wildcards=all&ignore_unavailable=true"
    found = {"indices": request(store.address, "GET", wildcard)}
    for kind in ("_template", "_index_template"):
        every: Any = request(store.address, "GET", f"/{kind}")
        every = every if kind == "_template" else {t["name"]: t for t in every["index_templates"]}
        found[kind] = {name: facts for name, facts in every.items() if name.startswith(store.database)}
    return found


def blocked(store: Handle) -> list[str]:
    """The indices that take no writes, of those behind the name."""
    found: Any = request(store.address, "GET", f"/{store.database}?flat_settings=true")
    return [name for name, facts in found.items() if BLOCK in facts["settings"]]


def count(store: Handle) -> int:
    found: Any = request(store.address, "POST", f"/{store.database}/_refresh")
    found = request(store.address, "GET", f"/{store.database}/_count")
    return int(found["count"])


def told(ran: Ran, *words: str, code: int = 1) -> None:
    """One coded answer, and nothing that must not be shown."""
    assert ran.code == code, ran.err
    assert [word for word in words if word not in ran.err] == [], ran.err
    assert ran.err.count("Error TV") == (code != 0)
    assert [word for word in NOTHING_SAID if word in ran.out + ran.err] == []


def went(ran: Ran) -> Ran:
    told(ran, code=0)
    return ran


def test_the_documented_rights_suffice_for_everything(user: Account, store: Handle) -> None:
    """Up beside live writes and back, the plain way, down, finished, in place; and every command that only looks."""
    rows = filled(user)
    for command, *words in (
        ("upgrade",), ("rollback",), ("upgrade", "--offline"), ("downgrade", "--to", "1.13"), ("finish",), ("upgrade",),
    ):  # fmt: skip
        went(here("schema", command, user.url, *words, "--yes"))
        assert (count(store), blocked(store)) == (rows, []), (command, words)
    for command in ("status", "plan", "drift", "runs", "unlock"):
        went(here("schema", command, user.url))
    assert asked(user)


def asked(user: Account) -> str:
    """What `query` answers."""
    return went(here("query", user.url, "ExecutionStatus = 'Completed'", "--namespace", "n")).out


def test_a_first_install_needs_one_right_more(store: Handle, user: Account) -> None:
    """And says so before anything is done, with the option that does without it."""
    url = user.url.replace("&cluster_settings=skip", "")
    setting = {"persistent": {"action.auto_create_index": None}}
    request(store.address, "PUT", "/_cluster/settings", setting)
    [once] = [rights for head, rights in documented("OpenSearch").items() if head.startswith("once")]
    before = seen(store)
    told(here("schema", "upgrade", url, "--yes"), "TV4515", *once, "docs/upgrading.md")
    assert seen(store) == before
    found = documented("OpenSearch")
    user.grant([*found["on the cluster"], *once], found["on the same names"])
    try:
        went(here("schema", "upgrade", url, "--yes"))
    finally:
        request(store.address, "PUT", "/_cluster/settings", setting)


def test_who_may_only_look_sees_everything_and_begins_nothing(store: Handle, user: Account) -> None:
    """The missing rights stand in the plan; the same command does it once they are given."""
    rows = filled(user)
    user.grant_what_is_documented(LOOKING)
    before = seen(store)
    assert f"records      {rows}" in went(here("schema", "status", user.url)).out
    shown = went(here("schema", "plan", user.url)).out
    assert "TV4515 must be mended" in shown
    told(temporal_visibility("schema", "upgrade", user.url, "--yes"), "TV4515", "docs/upgrading.md")
    told(here("schema", "rollback", user.url, "--yes"), "TV5109")
    assert (seen(store), blocked(store)) == (before, [])
    user.grant_what_is_documented()
    went(here("schema", "upgrade", user.url, "--yes"))
    assert (count(store), blocked(store)) == (rows, [])
    user.grant_what_is_documented(LOOKING)
    assert asked(user)
    assert "no drift" in went(here("schema", "drift", user.url)).out


# What a user may do who lacks nothing; `indices_all` is spelled out, so that a part of it can be left out.
CLUSTER = ("cluster_monitor", "cluster_composite_ops", "indices:admin/template/*", "indices:admin/index_template/*")
INDEX = (
    *("indices:data/*", "indices:monitor/*"),
    *(
        f"indices:admin/{kind}"
        for kind in ("create", "delete", "get", "aliases*", "mapping*", "resize", "refresh*", "flush*")
    ),
    *(f"indices:admin/{kind}" for kind in ("settings/*", "block/*")),
)


@pytest.mark.parametrize(("taken", "left", "lacks"), [
    ("indices:admin/create", (), "indices:admin/create on"),
    ("indices:admin/template/*", ("indices:admin/template/get",), "indices:admin/template/put"),
    pytest.param("indices:admin/settings/*", (), "indices:admin/settings/update on", marks=pytest.mark.long),
    pytest.param("cluster_composite_ops", ("cluster_composite_ops_ro",), "data/write/bulk", marks=pytest.mark.long),
])  # fmt: skip
def test_one_missing_right_is_found_before_anything_is_done(
    store: Handle, user: Account, taken: str, left: tuple[str, ...], lacks: str
) -> None:
    """Looking needs it not; given it, the same command goes on to the end."""
    rows = filled(user)
    cluster, index = ([*(r for r in rights if r != taken), *left] for rights in (CLUSTER, INDEX))
    user.grant(cluster, index, books=["indices_all"])
    before = seen(store)
    went(here("schema", "status", user.url))
    assert "TV4515 must be mended" in went(here("schema", "plan", user.url)).out
    told(here("schema", "upgrade", user.url, "--yes"), "TV4515", lacks)
    assert (seen(store), blocked(store)) == (before, [])
    user.grant([*cluster, taken], [*index, taken], books=["indices_all"])
    went(here("schema", "upgrade", user.url, "--yes"))
    assert (count(store), blocked(store)) == (rows, [])


def test_who_may_not_even_look_is_told_what_is_missing(store: Handle, user: Account) -> None:
    brought(user)
    for cluster in ((), ("cluster_monitor",)):
        user.grant(cluster, ["read", "indices:admin/get"])
        for command in ("status", "plan", "drift", "runs", "upgrade", "rollback", "finish"):
            told(here("schema", command, user.url), "TV4515", "no permissions for [", "docs/upgrading.md")


def test_documents_that_are_hidden_from_the_user_are_not_left_behind(store: Handle, user: Account) -> None:
    """Nor fields, nor what a mask stands for: where the copy would lack it, nothing is begun."""
    rows = filled(user)
    before = seen(store)
    some: tuple[dict[str, object], ...] = (
        {"dls": '{"term": {"ExecutionStatus": "Completed"}}'}, {"fls": ["~Memo"]}, {"masked_fields": ["TaskQueue"]},
    )  # fmt: skip
    for less in some:
        user.grant_what_is_documented(**less)
        for words in ((), ("--offline",)):
            told(here("schema", "upgrade", user.url, "--yes", *words), "TV4527")
    assert (seen(store), blocked(store), count(store)) == (before, [], rows)


def losing(user: Account, *rights: str, books: bool) -> None:
    """All rights are taken away but `rights` on the database."""
    cluster = documented(LOOKING)["on the cluster"]
    user.grant(cluster, rights, books=["indices_all"] if books else [])


def written_meanwhile(store: Handle) -> int:
    """Somebody with all rights writes: nobody keeps him out. How many records there are then."""
    with journeys.opened(f"{store.url}&cluster_settings=skip") as (_, client):
        before = client.count()
        for _ in client.write(find(LAST), generate(find(LAST), 20, 4)):
            pass
        assert client.count() == before + 20
    return before + 20


@pytest.mark.parametrize(("moment", "books"), [
    (CopyChunk, False), (Swap, True),
    pytest.param(CopyChunk, True, marks=pytest.mark.long), pytest.param(CompareChunk, True, marks=pytest.mark.long),
    pytest.param(CompareChunk, False, marks=pytest.mark.long), pytest.param(Swap, False, marks=pytest.mark.long),
])  # fmt: skip
def test_rights_lost_in_the_middle_of_a_rebuild(
    store: Handle, user: Account, moment: type[Action], books: bool
) -> None:
    """One coded answer, writers are not kept out, and given the rights again the same command goes on to the end."""
    rows = filled(user)

    def act(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, moment) and outcome is None:
            losing(user, "read", books=books)

    with pytest.raises(EngineError) as refused:
        brought(user, options=replace(QUICK, watch=act))
    assert (refused.value.code, PASSWORD in f"{refused.value!r}") == ("TV4515", False)
    assert (count(store), blocked(store)) == (rows, [])
    rows = written_meanwhile(store)
    told(temporal_visibility("schema", "upgrade", user.url, "--yes"), "TV4515")
    user.grant_what_is_documented()
    went(here("schema", "upgrade", user.url, "--yes"))
    assert (count(store), blocked(store)) == (rows, [])


def once_blocked(store: Handle, act: Callable[[], None]) -> Callable[[SearchClient], None]:
    """Do something as soon as the client has had writes refused."""

    def spoil(client: SearchClient) -> None:
        send = client._line.send

        def watched(method: str, path: str, body: Any = None, seconds: int = 90) -> Answer:
            answer = send(method, path, body, seconds)
            if path == f"/{store.database}/_block/write":
                assert blocked(store) == [store.database]
                act()
            return answer

        client._line.send = watched  # type: ignore[method-assign]

    return spoil


def test_rights_lost_while_writes_are_refused(store: Handle, user: Account) -> None:
    """Who may still change settings lets writers in again; who may not says how they are let in."""
    rows = filled(user)
    settings = "indices:admin/settings/update"
    with pytest.raises(EngineError) as refused:
        brought(user, spoil=once_blocked(store, lambda: losing(user, "read", settings, books=True)))
    assert (refused.value.code, blocked(store)) == ("TV4515", [])
    assert "stay refused" not in refused.value.message
    user.grant_what_is_documented()
    with pytest.raises(EngineError) as refused:
        brought(user, spoil=once_blocked(store, lambda: losing(user, "read", books=True)))
    assert (refused.value.code, blocked(store)) == ("TV4515", [store.database])
    assert "stay refused" in refused.value.message
    assert "the same command" in refused.value.hint
    user.grant_what_is_documented()
    shut_out_while_writes_are_refused(store, user)
    went(here("schema", "upgrade", user.url, "--yes"))
    assert (count(store), blocked(store)) == (rows, [])


def shut_out_while_writes_are_refused(store: Handle, user: Account, offline: bool = False) -> None:
    """Its password is changed, as a key expires: it is told that writes stay refused."""
    with pytest.raises(EngineError) as refused:
        brought(user, spoil=once_blocked(store, lambda: user.let_in(f"{PASSWORD}-new")), offline=offline)
    assert (refused.value.code, blocked(store)) == ("TV4001", [store.database])
    assert "stay refused" in refused.value.message
    user.let_in(PASSWORD)


def test_rights_lost_during_a_plain_rebuild(store: Handle, user: Account) -> None:
    """With `--offline` writes are refused from its beginning: they are let in although nothing else can be undone."""
    rows = filled(user)

    def act() -> None:
        losing(user, "read", "indices:admin/settings/update", books=True)

    with pytest.raises(EngineError) as refused:
        brought(user, spoil=once_blocked(store, act), offline=True)
    assert (refused.value.code, blocked(store), count(store)) == ("TV4515", [], rows)
    user.grant_what_is_documented()
    shut_out_while_writes_are_refused(store, user, offline=True)
    went(here("schema", "upgrade", user.url, "--offline", "--yes"))
    assert (count(store), blocked(store)) == (rows, [])
