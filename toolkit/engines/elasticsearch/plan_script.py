"""A plan as a shell script that needs curl: guard, requests, check. Pure; the requests are the plan's own.

Guard and check look for each field, with its type, in the mapping the server gives back, and for the recorded label. A
step that keeps writers waiting is taken back when it fails, as in a run.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping

from toolkit.catalog import Catalog, Json
from toolkit.engines import scripting
from toolkit.engines.elasticsearch import blocking, render
from toolkit.engines.elasticsearch.store import SearchStore
from toolkit.plan import Plan, Request, Step

HOW = "URL=https://user:password@host:9200 sh FILE    (more for curl, such as --cacert: CURL_OPTIONS)"

_SHELL = r"""set -eu
: "${URL:?where the cluster is, such as https://user:password@host:9200}"
back=
last=

fail() {
  echo "Error: $1" >&2
  if [ -n "$back" ]; then undo=$back; back=; "$undo"; fi
  exit 1
}

# METHOD PATH [another status that is fine]; the body of the request on standard input.
send() {
  out=$(curl -sS ${CURL_OPTIONS:-} -w '\n%{http_code}' -X "$1" -H 'content-type: application/json' \
    --data-binary @- "$URL$2") || doubt "$1 $2: no answer"
  code=$(printf '%s' "$out" | tail -n 1)
  body=$(printf '%s' "$out" | sed '$d')
  case $code in 2??|"${3:-}") ;; 4??) fail "$1 $2: $code $body" ;; *) doubt "$1 $2: $code $body" ;; esac
}

# Nobody refused it: the last request of a step may have been done all the same, and is not taken back.
doubt() { [ -z "$last" ] || back=; fail "$1"; }

ask() { send "$@" </dev/null; }

# Refuse writes until none is under way, for which a server waits only so long: PATH.
block() {
  for again in 1 2 3 4 5 6 7 8 9 10; do
    ask PUT "$1"
    if printf '%s' "$body" | grep -q '"acknowledged" *: *true'; then return; fi
  done
  fail "writes that are under way do not end: $body"
}

# How many records an index has, if all its shards answer: PATH.
count() {
  ask POST "$1/_refresh"
  ask GET "$1/_count?filter_path=count,_shards.total,_shards.successful"
  printf '%s' "$body" | grep -q '"total":\([0-9]*\),"successful":\1[,}]' || fail "not all shards of $1 answer: $body"
}

# Start a copy and wait for its end: PATH SOURCE TARGET.
copy() {
  send POST "$1"
  task=$(printf '%s' "$body" | sed -n 's/.*"task" *: *"\([^"]*\)".*/\1/p')
  [ -n "$task" ] || fail "no task in: $body"
  while ask GET "/_tasks/$task"; ! printf '%s' "$body" | grep -q '"completed" *: *true'; do sleep 1; done
  printf '%s' "$body" | grep -q '"failures" *: *\[ *\]' || fail "the copy failed: $body"
  count "$2"; before=$body
  count "$3"
  [ "${before%%,*}" = "${body%%,*}" ] || fail "the copy has not as many records: $before, $body"
}

has() { printf '%s' "$body" | grep -qF -e "$1" || fail "$problem: no $1 in the mapping"; }
lacks() { if printf '%s' "$body" | grep -qF -e "$1"; then fail "$problem: $1 is in the mapping"; fi; }
"""


def script(plan: Plan, store: SearchStore, goal: Catalog) -> str:
    """The plan for sh and curl. `store`: what it was made on; `goal`: the wanted catalog."""
    index = render.path(store.names.index)
    parts = ["#!/bin/sh", scripting.heading(plan, HOW, "#"), _SHELL, "# The guard.", *_guard(index, store, goal), ""]
    for number, step in enumerate(plan.steps, 1):
        parts += [f"# {number}. {scripting.line(step.title)}", *_step(number, step), ""]
    if plan.steps:
        parts += ["# The check.", *_check(index, plan, store, goal)]
    return "\n".join(parts) + "\n"


def _guard(index: str, store: SearchStore, goal: Catalog) -> Iterator[str]:
    yield f"problem={shlex.quote(scripting.STALE)}"
    if not store.exists:
        yield f"ask GET {shlex.quote(f'{index}/_mapping')} 404"
        yield '[ "$code" = 404 ] || fail "$problem: the index is there"'
        return
    have, want = store.catalog.children(("properties",)), goal.children(("properties",))
    yield f"ask GET {shlex.quote(f'{index}/_mapping')}"
    yield from _fields(have)
    yield from (
        f"lacks {shlex.quote(_start(name))}" for name in sorted(want.keys() - _names(dict(store.kept.properties)))
    )
    yield f"has {shlex.quote(_label(store.recorded))}" if store.recorded else f"lacks {shlex.quote(_NOTE)}"


def _check(index: str, plan: Plan, store: SearchStore, goal: Catalog) -> Iterator[str]:
    yield f"problem={shlex.quote(scripting.UNREACHED)}"
    yield f"ask GET {shlex.quote(f'{index}/_mapping')}"
    yield from _fields(goal.children(("properties",)))
    label = scripting.recorded(plan, store)
    if label:
        yield f"has {shlex.quote(_label(label))}"
    yield "echo Done."


def _names(properties: Json) -> set[str]:
    """All words that stand before a brace in a mapping, at whatever depth: names of fields, and of what fields have."""
    if not isinstance(properties, dict):
        return set()
    inner = (_names(value) for value in properties.values())
    return set(properties).union(*inner)


def _fields(properties: Mapping[str, Json]) -> Iterator[str]:
    """A search engine gives its mapping back without blanks, and the type of a field first."""
    for name, facts in sorted(properties.items()):
        kind = facts.get("type") if isinstance(facts, dict) else None
        typed = f'{_start(name)}"type":{json.dumps(kind)}'
        yield f"has {shlex.quote(_start(name) if kind == 'object' else typed)}"


def _start(name: str) -> str:
    return f"{json.dumps(name, ensure_ascii=False)}:{{"


_NOTE = f'"{render.NOTE}":{{"label"'


def _label(label: str) -> str:
    return f'"label":{json.dumps(label)}'


def _step(number: int, step: Step) -> Iterator[str]:
    """A step that keeps writers waiting is taken back unless its last request is the one that fails unrefused."""
    requests = [s for s in step.statements if isinstance(s, Request)]
    waits = step.lock.blocks != "nobody" and step.reverse
    if waits:
        yield f"undo_{number}() {{"
        yield from (text for s in step.reverse if isinstance(s, Request) for text in _request(s, "404"))
        yield "}"
        yield f"back=undo_{number}"
    for place, request in enumerate(requests, 1):
        if waits and place == len(requests):
            yield "last=yes"
        yield from _request(request, "404" if request.method == "DELETE" or request.part == "if there" else "")
    if waits:
        yield "back= last="


def _request(request: Request, fine: str) -> Iterator[str]:
    if blocking.refuses(request):
        yield f"block {shlex.quote(request.path)}"
        return
    words = f"{request.method} {shlex.quote(request.path)}{f' {fine}' if fine else ''}"
    if request.body is None:
        yield f"ask {words}"
        return
    if request.path.startswith("/_reindex?"):
        words = f"{shlex.quote(request.path)} {' '.join(shlex.quote(side) for side in _sides(request.body))}"
    yield f"{'copy' if request.path.startswith('/_reindex?') else 'send'} {words} <<'BODY'"
    yield json.dumps(request.body, ensure_ascii=False)
    yield "BODY"


def _sides(body: Json) -> tuple[str, str]:
    """The paths of both indices of a copy."""
    assert isinstance(body, dict)
    source, target = body["source"], body["dest"]
    assert isinstance(source, dict)
    assert isinstance(target, dict)
    return render.path(str(source["index"])), render.path(str(target["index"]))
