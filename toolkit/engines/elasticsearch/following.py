"""Keeping one index the image of another that is written to: copy windows of sequence numbers, see that they arrived.

Every change goes through an alias that belongs to the holder of the lock, and carries the documents' own versions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolkit.catalog import Json
from toolkit.engines.elasticsearch import inspect, rebuild, render, shadow
from toolkit.engines.elasticsearch.books import Ask, Books, SearchLease
from toolkit.engines.elasticsearch.names import WRITER
from toolkit.engines.elasticsearch.refusals import failed, full
from toolkit.engines.elasticsearch.shadow import Key
from toolkit.engines.elasticsearch.transport import Answer, TooBusy
from toolkit.engines.elasticsearch.transport import Outcome as Written
from toolkit.errors import EngineError
from toolkit.plan import Statement

Bulk = Callable[[Iterable[dict[str, Any]]], Iterator[Written]]
# Shard → the last sequence number that was followed.
Positions = dict[str, int]

# Settings that the steps of a rebuild give and take by themselves.
_MANAGED = ("gc_deletes", "translog.durability", "write.wait_for_active_shards", *render.PIPELINES)
_WAIT = (429, 503)
_REFUSED = (400, 403, 404, 409, 429, 500, 503)


def checkpoints(answer: Answer, index: str, shards: int) -> Positions:
    """How far each shard is: what all its copies have, and no failure takes back. `shards`: how many the index has, for
    one that is nowhere is not spoken of. TooBusy when one of them has no primary."""
    found: Positions = {}
    for facts in answer.body["indices"].values():
        for shard, copies in facts["shards"].items():
            primary = next((copy for copy in copies if copy["routing"]["primary"] and "seq_no" in copy), None)
            if primary is not None:
                found[shard] = int(primary["seq_no"]["global_checkpoint"])
    if missing := [str(number) for number in range(shards) if str(number) not in found]:
        text = f"shard {missing[0]} of {index} has no primary"
        raise TooBusy("TV4511", text, "Wait for the cluster, and run it again.")
    return found


# Parts that change nothing.
_SIDES = [
    f"{what} {side}"
    for what in ("fingerprint", "slices", "list", "runs", "count", "refresh", "flush", "fields", "settings")
    for side in ("source", "target")
]
_LOOKS = frozenset([*_SIDES, "progress", "progress target", "changed", "arrived", "live"])


@dataclass(slots=True)
class Following:
    """One pair of indices during one step. `overlaid`: settings that an overlay decides; `shards`: how many each has;
    `late`: those that do not put each write to disk at once."""

    statements: Sequence[Statement]
    ask: Ask
    bulk: Bulk
    books: Books
    lease: SearchLease
    overlaid: Collection[str] = ()
    shards: dict[str, int] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    fields: dict[str, Json] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The index that is being filled."""
        body = shadow.part(self.statements, "writer").body
        return str(body["actions"][0]["add"]["index"])  # type: ignore[index,call-overload]

    @property
    def source(self) -> str:
        """The index that is followed."""
        body = shadow.part(self.statements, "copy").body
        return str(body["source"]["index"])  # type: ignore[index,call-overload]

    @property
    def writer(self) -> str:
        """The alias through which only we write to it."""
        return f"{self.target}{WRITER}{self.lease.fencing}"

    def send(self, part: str, fine: tuple[int, ...] = (), **values: Json) -> Answer:
        """Send the request of that part; one that changes anything only if the lock is still ours."""
        if part not in _LOOKS:
            self.lease.check()
        request = shadow.filled(shadow.part(self.statements, part), {"writer": self.writer, **values})
        return self.ask(request.method, request.path, request.body, fine)

    def claim(self) -> None:
        """Take the writer's alias, so that whoever had the lock before can no longer write."""
        aliases = self.writers()
        others: list[Json] = [{"remove": {"index": self.target, "alias": a}} for a in aliases if a != self.writer]
        if self.writer in aliases and not others:
            return
        self.lease.check()
        add = shadow.filled(shadow.part(self.statements, "writer"), {"writer": self.writer}).body
        assert isinstance(add, dict)
        actions = add["actions"]
        assert isinstance(actions, list)
        self.ask("POST", "/_aliases", {"actions": [*others, *actions]}, ())

    def disclaim(self) -> bool:
        """Give up the writer's alias. Whether it was there."""
        gone: Json = {"remove": {"index": self.target, "alias": self.writer, "must_exist": True}}
        return self.ask("POST", "/_aliases", {"actions": [gone]}, (404,)).status == 200

    def writers(self) -> list[str]:
        """The aliases through which holders of the lock, past or present, write to the target."""
        answer = self.ask("GET", f"{render.path(self.target)}/_alias", None, (404,))
        if answer.status == 404:
            hint = "`schema rollback` ends an upgrade that was to fill it, and `schema finish` a rollback."
            raise EngineError("TV4526", f"the index {self.target} is gone", hint)
        found = answer.body
        return [name for facts in found.values() for name in facts["aliases"] if name.startswith(self.target + WRITER)]

    def progress(self, side: str = "source") -> Positions:
        """How far each shard of that side is. TooBusy when one has no primary."""
        part, index = ("progress", self.source) if side == "source" else ("progress target", self.target)
        if index not in self.shards:
            found = self.ask("GET", f"{render.path(index)}/_settings?flat_settings=true", None, ()).body
            [settings] = [facts["settings"] for facts in found.values()]
            self.shards[index] = int(settings["index.number_of_shards"])
            if str(settings.get("index.translog.durability")).lower() == "async":
                self.late.add(index)
        if side == "source" and index in self.late:
            self._flush()
        return checkpoints(self.send(part), index, self.shards[index])

    def _flush(self) -> None:
        """A shard tells how far its disk is: what was written in the last seconds would not be followed."""
        if shadow.has(self.statements, "flush source"):
            shards = self.send("flush source").body.get("_shards") or {}
            if shards.get("failed"):
                raise TooBusy("TV4511", f"a shard of {self.source} was not put to disk", "Run the same command again.")

    def take_fields(self) -> None:
        """Give the target the fields, and forms of fields, that somebody has added to the source: after a look how far
        that is, and before what it has is copied, so that no document comes before its fields."""
        if not shadow.has(self.statements, "fields"):
            return
        self.fields = self.fields or self._mapped("target")
        both = rebuild.merged(self.fields, rebuild.added(self._mapped("source"), self.fields))
        added: dict[str, Json] = {n: f for n, f in both.items() if f != self.fields.get(n)}
        if added:
            # Somebody may have raised the limit of fields for them.
            self.take_settings()
            self.send("fields", fields=added)
            self.fields |= added

    def _mapped(self, side: str) -> dict[str, Json]:
        found = self.send(f"fields {side}").body
        return next((dict(facts["mappings"]["properties"]) for facts in found.values()), {})

    def _settings(self, side: str) -> dict[str, Json]:
        """Those of an index that are no business of ours, or only an overlay's."""
        [facts] = self.send(f"settings {side}").body.values()
        found = inspect.own_settings(inspect.flat_settings(facts["settings"]))
        return {name: value for name, value in found.items() if name not in _MANAGED}

    def note_settings(self, side: str = "source", target: str | None = None) -> None:
        """Note what the settings of a source are now, before somebody changes them."""
        if shadow.has(self.statements, "settings"):
            known = self._settings(side)
            self.lease.check()
            self.books.write(f"settings~{target or self.target}", known, None, kind="settings")

    def take_settings(self) -> None:
        """Give the target those that somebody has changed on the source since they were noted. What only a closed index
        can be given, the server refuses, and all that is in the same request: there the target stays as it is."""
        if not shadow.has(self.statements, "settings"):
            return
        page = self.books.read(f"settings~{self.target}")
        now = self._settings("source")
        names = {*page.body, *now} - {*self.overlaid} if page.seq >= 0 else ()
        changed: dict[str, Json] = {n: now.get(n) for n in names if now.get(n) != page.body.get(n)}
        if changed and self.send("settings", (400,), settings=changed).status == 400:
            for name, value in changed.items():
                self.send("settings", (400,), settings={name: value})

    def position(self) -> Positions:
        """How far the source was followed into this target; {} when it never was."""
        return {k: int(v) for k, v in self.books.read(f"position~{self.target}").body.items()}

    def remember(self, at: Mapping[str, int], target: str | None = None) -> None:
        """Note how far it was followed."""
        self.lease.check()
        self.books.write(f"position~{target or self.target}", dict(at), None, kind="position")

    def copy(self, shard: str, after: int, upto: int) -> int:
        """Copy what lies between two sequence numbers of a shard; how many documents that was."""
        answer = self.send("copy", _REFUSED, shard=int(shard), after=after, upto=upto)
        failures = answer.body.get("failures") or []
        if failures or answer.status >= 400 or answer.body.get("timed_out"):
            cause = failures[0].get("cause") or failures[0] if failures else answer.body.get("error")
            if answer.status == 404:
                self.lease.check()
            why = Answer(answer.status, {"error": cause}).reason
            if no_room := full(why, self.target):
                raise no_room
            if answer.status in _WAIT or (failures and failures[0].get("status") in _WAIT):
                raise TooBusy("TV4505", f"copying into {self.target} was refused: {why[:400]}")
            hint = "Nothing has changed for readers and writers. The message names the document or what is missing."
            raise failed("TV4505", f"copying into {self.target} failed", self.target, why, hint)
        return int(answer.body["total"])

    def follow(self, most: int | None = None) -> tuple[int, int]:
        """Copy what was written since the last time, at most `most` operations of each shard, and see that it arrived.
        How many operations were followed, and how many are left."""
        at = self.position()
        goal = self.progress()
        self.take_fields()
        self.send("refresh source")
        taken = left = 0
        for shard, end in goal.items():
            begin = at.get(shard, -1)
            upto = end if most is None else min(end, begin + most)
            if upto > begin:
                self.copy(shard, begin, upto)
                self._arrived(shard, begin, upto)
                at[shard] = upto
            taken, left = taken + upto - begin, left + end - upto
        if taken:
            self.remember(at)
        return taken, left

    def _arrived(self, shard: str, after: int, upto: int) -> None:
        """See that every document of a window is in the target, with its version."""
        while True:
            answer = self.send("changed", shard=int(shard), after=after, upto=upto)
            hits = answer.body["hits"]["hits"]
            wrong = self.wrong({shadow.key(hit): hit["_version"] for hit in hits})
            if wrong:
                raise EngineError(
                    "TV4512",
                    f"document {wrong[0][0][:120]!r} did not arrive in {self.target} with its version",
                    "Was it deleted and written again with a lower version? `schema rollback` takes the copy back.",
                )
            if len(hits) < shadow.PAGE:
                return
            after = hits[-1]["sort"][0]

    def wrong(self, wanted: Mapping[Key, int]) -> list[Key]:
        """Those of `wanted` that the target does not have in that version, although the source still has."""
        have = self.versions("arrived", wanted)
        doubtful = [key for key, version in wanted.items() if have.get(key) != version]
        live = self.versions("live", doubtful)
        return [key for key in doubtful if live.get(key) == wanted[key]]

    def versions(self, part: str, keys: Iterable[Key]) -> dict[Key, int]:
        """The versions of these documents at this moment; those that are not there are left out. TooBusy where the
        server cannot tell, for want of a shard: that is no sign of a delete."""
        known, found = list(keys), {}
        for start in range(0, len(known), shadow.PAGE):
            some = known[start : start + shadow.PAGE]
            docs: list[Json] = [{"_id": id, **shadow.routed(routing)} for id, routing in some]
            # Plans that an earlier release wrote down ask for ids alone.
            answer = self.send(part, docs=docs, ids=[id for id, _ in some])
            for key, doc in zip(some, answer.body["docs"], strict=True):
                if "error" in doc:
                    why = Answer(503, {"error": doc["error"]}).reason
                    raise TooBusy("TV4003", f"document {key[0][:120]!r} cannot be looked at: {why[:400]}")
                if doc.get("found"):
                    found[key] = int(doc["_version"])
        return found

    def counts(self) -> tuple[int, int]:
        """How many documents both sides have."""
        self.send("refresh target")
        return int(self.send("count source").body["count"]), int(self.send("count target").body["count"])
