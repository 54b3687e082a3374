"""What becomes of values when a column's physical type becomes another one of the same engine: one Verdict.

sqlglot reads both types in the engine's own dialect; they are compared part by part and never translated. A type that
sqlglot does not know is a word of its own, equal to itself only.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp
from sqlglot.errors import SqlglotError

from toolkit.compat import SAME, Severity, Verdict

_T = exp.DType
# Kinds of one family, from the narrowest to the widest.
_FAMILIES: Sequence[Sequence[exp.DType]] = (
    (_T.BOOLEAN, _T.TINYINT, _T.SMALLINT, _T.INT, _T.BIGINT),
    (_T.UTINYINT, _T.USMALLINT, _T.UINT, _T.UBIGINT),
    (_T.FLOAT, _T.DOUBLE),
    (_T.CHAR, _T.NCHAR, _T.VARCHAR, _T.NVARCHAR, _T.TEXT),
    (_T.DATE, _T.DATETIME, _T.TIMESTAMP, _T.TIMESTAMPTZ),
    (_T.DATETIME, _T.DATETIME64),
)
_WRAPPERS = (_T.LOWCARDINALITY,)
_HINT = "Count what would not survive with `schema check --data`."


def physical(before: str, after: str, dialect: str | None) -> Verdict:
    """The verdict for a column that is `before` and becomes `after`; `dialect` None: types that are plain words."""
    if before == after:
        return SAME
    if dialect is None:
        return _other(before, after)
    old, new = _parsed(before, dialect), _parsed(after, dialect)
    if old is None or new is None:
        return _other(before, after)
    return _compared(old, new, f"{before} becomes {after}")


def _parsed(text: str, dialect: str) -> exp.DataType | None:
    try:
        found = exp.DataType.build(text, dialect=dialect)
    except SqlglotError:
        return None
    return found if isinstance(found, exp.DataType) else None


def _compared(old: exp.DataType, new: exp.DataType, change: str) -> Verdict:
    if old == new:
        return SAME
    if _nullable(old) and not _nullable(new):
        return Verdict("TV8042", Severity.REFUSED, f"{change}: a missing value has no place", _HINT)
    old, new = _bare(old), _bare(new)
    if old == new:
        return _wider(change)
    inner = [_elements(kind) for kind in (old, new)]
    if old.this == new.this and all(inner) and len(inner[0]) == len(inner[1]):
        found = [_compared(o, n, change) for o, n in zip(*inner, strict=True)]
        return max(found, key=lambda verdict: verdict.severity.rank)
    if old.this == new.this:
        return _parameters(_numbers(old), _numbers(new), change)
    places = [(family.index(old.this), family.index(new.this)) for family in _FAMILIES
              if old.this in family and new.this in family]  # fmt: skip
    if not places:
        return _other_kind(change)
    [(narrow, wide), *_] = places
    shorter = bool(_numbers(new)) and (not _numbers(old) or _numbers(old)[0] > _numbers(new)[0])
    return _narrower(change) if narrow > wide or shorter else _wider(change)


def _parameters(old: Sequence[int], new: Sequence[int], change: str) -> Verdict:
    """Lengths, digits and fractions: all at least as large keeps every value. Fewer parameters mean no limit."""
    if not new:
        return _wider(change)
    if not old:
        return _narrower(change)
    if len(old) == len(new) == 2:
        # DECIMAL(digits, decimals): digits before the point and behind it must both fit.
        return _wider(change) if new[1] >= old[1] and new[0] - new[1] >= old[0] - old[1] else _narrower(change)
    return _wider(change) if all(n >= o for o, n in zip(old, new, strict=False)) else _narrower(change)


def _numbers(kind: exp.DataType) -> list[int]:
    found = [part.this for part in kind.expressions if isinstance(part, exp.DataTypeParam)]
    return [int(each.this) for each in found if isinstance(each, exp.Literal) and not each.is_string]


def _elements(kind: exp.DataType) -> list[exp.DataType]:
    """The types inside a type: those of the elements of an array."""
    return [part for part in kind.expressions if isinstance(part, exp.DataType)]


def _nullable(kind: exp.DataType) -> bool:
    """Whether it says that a value may be missing, which only ClickHouse's types do."""
    inside = kind.this in _WRAPPERS and any(map(_nullable, _elements(kind)))
    return bool(kind.args.get("nullable")) or inside


def _bare(kind: exp.DataType) -> exp.DataType:
    """Without what says how it is stored, and whether it may be missing."""
    while kind.this in _WRAPPERS:
        [kind] = _elements(kind)
    bare = kind.copy()
    bare.set("nullable", None)
    return bare


def _wider(change: str) -> Verdict:
    return Verdict("TV8040", Severity.REINDEX, f"{change}: every value fits", "")


def _narrower(change: str) -> Verdict:
    return Verdict("TV8041", Severity.LOSSY, f"{change}: values that are too long or too fine do not fit", _HINT)


def _other_kind(change: str) -> Verdict:
    return Verdict("TV8043", Severity.LOSSY, f"{change}, another kind of type", _HINT)


def _other(before: str, after: str) -> Verdict:
    return _other_kind(f"{before} becomes {after}")
