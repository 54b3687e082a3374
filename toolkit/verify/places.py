"""From a target to a path walked there: a throwaway store is made beside it, walked on, and removed.

What a throwaway store is, each engine's `scratch` module knows.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from toolkit.definition import Definition
from toolkit.engines import Engine, scratches
from toolkit.errors import UsageError
from toolkit.lineage import identify, members
from toolkit.overlay import Overlay
from toolkit.routes import PublishedRoute
from toolkit.targets import Target
from toolkit.verify.evidence import Evidence, UpgradePath
from toolkit.verify.paths import definition_of
from toolkit.verify.prove import Place, walk

PREFIX = "tv_verify_"


def walk_on(engine: Engine, path: UpgradePath, beside: Target, rows: int, chain: Sequence[Definition]) -> Evidence:
    """Walk `path` in a throwaway store beside `beside`. Raises EngineError, ConnectionFailed or TargetError when there
    can be none; what happens on the way is in the evidence."""
    scratch = _scratch(beside, path.overlay)
    usual = engine.label(path.definition)

    def deviate() -> None:
        if path.deviation:
            _run(engine, scratch.target, path.deviation)
        if path.label != usual:
            scratch.claim(path.label)

    try:
        return walk(engine, path, Place(scratch.target, scratch.size, deviate), rows, chain)
    finally:
        scratch.drop()


def _run(engine: Engine, target: Target, statements: Sequence[str]) -> None:
    client = engine.connect(target)
    try:
        for text in statements:
            client.execute(scratches.statement(text))
    finally:
        client.close()


def walk_from_dump(
    engine: Engine, dump: Path, goal: Definition, overlay: Overlay, beside: Target, rows: int,
    chain: Sequence[Definition], routes: Sequence[PublishedRoute],
) -> Evidence:  # fmt: skip
    """Walk from the store that `dump` makes to `goal`. UsageError: no such dump, or nothing of ours in it."""
    scratch = _scratch(beside, overlay)
    try:
        scratch.load(dump)
        client = engine.connect(scratch.target)
        try:
            observed = client.observe()
        finally:
            client.close()
        known = members(engine, chain, routes)
        found = identify(observed.recorded, observed.catalog, known, engine.empty())
        if found.best is None:
            raise UsageError("TV2083", f"{dump} makes no visibility store", "Dump the store's own database or index.")
        definition = definition_of(engine, chain, found.best, known)
        path = UpgradePath(
            engine.NAME, f"{found.best.name} ({dump.name})", definition, observed.recorded, goal, overlay
        )
        return walk(engine, path, Place(scratch.target, scratch.size, made=True), rows, chain)
    finally:
        scratch.drop()


def _scratch(beside: Target, overlay: Overlay) -> scratches.Scratch:
    return scratches.make(replace(beside, overlay=overlay), f"{PREFIX}{secrets.token_hex(5)}")
