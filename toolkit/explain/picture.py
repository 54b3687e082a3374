"""A plan as a picture on a time axis: what runs when, who waits, how much disk is in use. SVG text, made of numbers.

Pure. Colours are classes that the page defines; every word that comes from outside is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from toolkit.explain.totals import Span, Totals
from toolkit.explain.words import blocks, duration, size

WIDTH, LEFT, RIGHT = 1120, 330, 20
ROW, BAR, TOP = 26, 14, 34
LOCK_HEIGHT, DISK_HEIGHT, GAP = 26, 96, 24
# A bar that would be thinner cannot be seen; a step of unknown length gets this share of the axis.
THIN, UNKNOWN_SHARE = 3.0, 0.06


@dataclass(frozen=True, slots=True)
class _Placed:
    """A step's bar, in the picture's units."""

    span: Span
    left: float
    right: float


def picture(found: Totals) -> str:
    """The whole picture; empty when there are no steps."""
    if not found.spans:
        return ""
    placed = _placed(found.spans)
    lock_top = TOP + ROW * len(placed) + GAP
    disk_top = lock_top + LOCK_HEIGHT + GAP
    height = disk_top + DISK_HEIGHT + 34
    parts = [
        *_axis(placed, found, height),
        *(part for n, bar in enumerate(placed) for part in _bar(bar, TOP + ROW * n)),
        *_locks(placed, lock_top),
        *_disk(placed, found, disk_top),
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="The steps of the plan on a time axis">\n'
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="3" height="6" class="hatch"/></pattern></defs>\n' + "\n".join(parts) + "\n</svg>"
    )


def _placed(spans: Sequence[Span]) -> list[_Placed]:
    """Bars side by side along the axis, as long as their steps; unknown ones get a share of their own."""
    room = WIDTH - LEFT - RIGHT
    unknown = sum(not span.known for span in spans)
    # At most half of the axis is for what is not known.
    share = min(UNKNOWN_SHARE, 0.5 / unknown) * room if unknown else 0.0
    known = sum(span.end - span.start for span in spans)
    rest = room - share * unknown
    if known == 0:
        share, rest = room / len(spans), 0.0
    found, at = [], float(LEFT)
    for span in spans:
        wide = (span.end - span.start) / known * rest if known and span.known else 0.0 if span.known else share
        wide = share if known == 0 else wide
        found.append(_Placed(span, at, at + wide))
        at += wide
    return found


def _axis(placed: Sequence[_Placed], found: Totals, height: int) -> Iterator[str]:
    bottom = height - 24
    yield f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{WIDTH - RIGHT}" y2="{bottom}"/>'
    ticks = _ticks(placed, found)
    for x, word in ticks:
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP - 10}" x2="{x:.1f}" y2="{bottom}"/>'
        anchor = "start" if x < LEFT + 30 else "end" if x > WIDTH - RIGHT - 30 else "middle"
        yield f'<text class="tick" x="{x:.1f}" y="{bottom + 16}" text-anchor="{anchor}">{escape(word)}</text>'


def _ticks(placed: Sequence[_Placed], found: Totals) -> list[tuple[float, str]]:
    """The ends of the steps that stand far enough apart, each with the time passed until then."""
    ticks = [(float(LEFT), "start")]
    for bar in placed:
        if bar.right - ticks[-1][0] > 90:
            partly = any(number <= bar.span.number for number in found.untimed)
            ticks.append((bar.right, f"{duration(bar.span.end)}{' + ?' if partly else ''}"))
    return ticks


def _bar(bar: _Placed, top: float) -> Iterator[str]:
    span, step = bar.span, bar.span.step
    kind = step.step_class.value if span.known else "unknown"
    took = duration(span.end - span.start) if span.known else "unknown time"
    tip = f"{span.number}. {step.title}: {step.step_class.value}, {took}, blocks {blocks(step.lock)}"
    title = _cut(f"{span.number}. {step.title}", 44)
    yield "<g>"
    yield f"<title>{escape(tip)}</title>"
    yield f'<rect class="row" x="0" y="{top}" width="{WIDTH}" height="{ROW}"/>'
    yield f'<text class="label" x="8" y="{top + 17}">{escape(title)}</text>'
    wide = max(THIN, bar.right - bar.left)
    yield f'<rect class="bar {kind}" x="{bar.left:.1f}" y="{top + 6}" width="{wide:.1f}" height="{BAR}" rx="2"/>'
    room_right = WIDTH - RIGHT - bar.left - wide
    x, anchor = (bar.left + wide + 6, "start") if room_right > 80 else (bar.left - 6, "end")
    if x > LEFT + 70 or anchor == "start":
        yield f'<text class="tick" x="{x:.1f}" y="{top + 17}" text-anchor="{anchor}">{escape(took)}</text>'
    yield "</g>"


def _locks(placed: Sequence[_Placed], top: float) -> Iterator[str]:
    """Who waits when: a block as long as the step, or a thin mark for an instant."""
    yield f'<text class="label" x="8" y="{top + 17}">Who waits</text>'
    yield f'<rect class="lane" x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{LOCK_HEIGHT}" rx="2"/>'
    for bar in placed:
        lock = bar.span.step.lock
        if not lock.waits:
            continue
        kind = "moment" if lock.brief else "waits"
        wide = THIN if lock.brief else max(THIN, bar.right - bar.left)
        left = max(LEFT, bar.right - THIN) if lock.brief else bar.left
        yield (
            f'<rect class="{kind}" x="{left:.1f}" y="{top}" width="{wide:.1f}" height="{LOCK_HEIGHT}">'
            f"<title>{escape(f'Step {bar.span.number}: {blocks(lock)}')}</title></rect>"
        )
        if wide > 120:
            words = escape(_cut(lock.blocks, int(wide / 8)))
            yield f'<text class="on" x="{left + 8:.1f}" y="{top + 17}">{words}</text>'


def _disk(placed: Sequence[_Placed], found: Totals, top: float) -> Iterator[str]:
    """Extra bytes in use: up at once when a step begins, as nobody knows how it grows, and down when it ends."""
    bottom = top + DISK_HEIGHT
    yield f'<text class="label" x="8" y="{top + 17}">Extra disk</text>'
    known = found.peak > 0
    partly = ", unknown in part" if found.unsized else ""
    words = f"at most {size(found.peak)}{partly}" if known else f"none{partly}"
    if found.unsized and len(found.unsized) == len(found.spans):
        words = "unknown"
    yield f'<text class="tick" x="8" y="{top + 36}">{escape(words)}</text>'
    yield f'<rect class="lane" x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{DISK_HEIGHT}" rx="2"/>'
    if not known:
        return
    points, level = [(float(LEFT), bottom)], bottom
    for bar in placed:
        peak = bottom - (DISK_HEIGHT - 8) * bar.span.peak / found.peak
        after = bottom - (DISK_HEIGHT - 8) * bar.span.after / found.peak
        points += [(bar.left, level), (bar.left, peak), (bar.right, peak), (bar.right, after)]
        level = after
    points += [(float(WIDTH - RIGHT), level), (float(WIDTH - RIGHT), bottom)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polygon class="disk" points="{path}"><title>{escape(words)}</title></polygon>'


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
