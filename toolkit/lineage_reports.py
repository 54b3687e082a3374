"""What a store was recognised as, in plain words and as JSON.

Pure; what it is, `lineage` finds out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.lineage import Identity, Known, Partial


def lines(identity: Identity) -> Iterator[str]:
    """What the store is, in plain words."""
    if identity.is_empty:
        yield "nothing of the visibility schema is here yet"
    elif identity.exact:
        yield from _exactly(identity)
    elif identity.partial:
        yield _partly(identity.partial)
        yield f"version {identity.partial.goal.name} was begun and not ended; `schema upgrade` finishes it"
    elif identity.nearest:
        yield (
            f"no published schema; {identity.nearest.name} is nearest, {identity.confidence:.1%} alike, "
            f"with {_count(len(identity.differences), 'difference')}"
        )


def _exactly(identity: Identity) -> Iterator[str]:
    best, recorded = identity.exact[0], identity.recorded
    names = ", ".join(dict.fromkeys(one.name for one in identity.exact))
    if best.defect:
        yield f"{best.name}, exactly: a known defect; {best.note}"
    elif best.route and best.records == recorded is not None:
        yield f"{best.version}, exactly, and rightly so although it records {recorded}: made by {best.by}; {best.note}"
    else:
        yield f"{names}, exactly ({best.by})" if len(identity.exact) > 1 else f"{best.name}, exactly ({best.by})"
        if best.note:
            yield best.note
    if recorded is not None and all(one.records != recorded for one in identity.exact if one.records):
        yield f"but it records {recorded}"


def _partly(partial: Partial) -> str:
    done = [f"{p.done} of {_count(p.total, _ONE[p.kind], p.kind)}" for p in partial.progress if not p.removed]
    gone = [f"without {p.done} of {_count(p.total, _ONE[p.kind], p.kind)}" for p in partial.progress if p.removed]
    text = f"{partial.base.name} plus {_and(done)} of {partial.goal.name}" if done else partial.base.name
    text += f", {_and(gone)} that {partial.goal.name} drops" if gone else ""
    broken = [f"{'an' if n == 0 else ''} INVALID index {name}".strip() for n, name in enumerate(partial.unfinished)]
    return f"{text}; {_and(broken)}" if broken else text


_ONE = {"columns": "column", "indexes": "index", "tables": "table", "functions": "function", "extensions": "extension",
        "properties": "field", "settings": "setting", "virtual_tables": "full-text table",
        "triggers": "trigger"}  # fmt: skip


def _and(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def to_json(identity: Identity) -> dict[str, object]:
    """The identity as `--output json` shows it."""
    partial = identity.partial
    return {
        "recorded": identity.recorded,
        "empty": identity.is_empty,
        "exact": [_known_json(one) for one in identity.exact],
        "partial": None if partial is None else {
            "base": partial.base.name,
            "goal": partial.goal.name,
            "progress": [{"kind": p.kind, "done": p.done, "total": p.total, "removed": p.removed}
                         for p in partial.progress],
            "unfinished": list(partial.unfinished),
        },
        "nearest": None if identity.nearest is None else _known_json(identity.nearest),
        "confidence": identity.confidence,
        "differences": [str(difference) for difference in identity.differences],
        "foreign": ["/".join(path) for path in identity.foreign],
        "fingerprint": identity.fingerprint,
        "words": list(lines(identity)),
    }  # fmt: skip


def _known_json(one: Known) -> dict[str, object]:
    return {"name": one.name, "version": one.version, "records": one.records, "by": one.by, "note": one.note,
            "defect": one.defect}  # fmt: skip
