"""From a target to a path walked there: a throwaway store is made beside it, walked on, and removed.

What a throwaway store is, each engine's `scratch` module knows.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

from toolkit.definition import Definition
from toolkit.engines import Engine, scratches
from toolkit.targets import Target
from toolkit.verify.evidence import Evidence, UpgradePath
from toolkit.verify.prove import Place, walk

PREFIX = "tv_verify_"


def walk_on(engine: Engine, path: UpgradePath, beside: Target, rows: int, chain: Sequence[Definition]) -> Evidence:
    """Walk `path` in a throwaway store beside `beside`. Raises EngineError, ConnectionFailed or TargetError when there
    can be none; what happens on the way is in the evidence."""
    scratch = scratches.make(replace(beside, overlay=path.overlay), f"{PREFIX}{secrets.token_hex(5)}")
    usual = engine.label(path.definition)

    def deviate() -> None:
        if path.label != usual:
            scratch.claim(path.label)

    try:
        return walk(engine, path, Place(scratch.target, scratch.size, deviate), rows, chain)
    finally:
        scratch.drop()
