"""What a whole plan takes: when each step runs, how much disk is in use meanwhile, who waits longest. Pure arithmetic.

Unknown quantities stay apart: a sum says for which steps it cannot speak.
"""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.engines.online import Problem
from toolkit.explain.words import duration, size
from toolkit.plan import Estimate, Plan, Step


@dataclass(frozen=True, slots=True)
class Explained:
    """A plan for one store, and what a look at the store found beforehand; None when its engine has no such look."""

    target: str
    plan: Plan
    problems: tuple[Problem, ...] | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """One step on the time axis: seconds from the start (as far as they are known), extra bytes in use while it runs
    and when it has ended. `known`: whether its own duration is."""

    number: int
    step: Step
    start: float
    end: float
    known: bool
    peak: int
    after: int


@dataclass(frozen=True, slots=True)
class Block:
    """The longest time that somebody waits: step, seconds; `brief`: an instant, however many rows there are."""

    number: int
    who: str
    seconds: float | None
    brief: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a plan. `untimed`, `unsized`: numbers of the steps that they do not cover."""

    spans: tuple[Span, ...]
    seconds: float
    untimed: tuple[int, ...]
    peak: int
    left: int
    unsized: tuple[int, ...]
    block: Block | None
    bases: tuple[str, ...]


def totals(plan: Plan) -> Totals:
    """The sums."""
    spans: list[Span] = []
    now, level = 0.0, 0
    for number, step in enumerate(plan.steps, 1):
        estimate = step.estimate or Estimate()
        end = now + (estimate.seconds or 0.0)
        peak, after = level + (estimate.disk or 0), level + (estimate.left or 0)
        spans.append(Span(number, step, now, end, estimate.seconds is not None, peak, after))
        now, level = end, after
    unsized = [s.number for s in spans if (e := s.step.estimate) is None or e.disk is None or e.left is None]
    bases = dict.fromkeys(s.step.estimate.basis for s in spans if s.step.estimate and s.step.estimate.rows)
    return Totals(
        spans=tuple(spans),
        seconds=now,
        untimed=tuple(span.number for span in spans if not span.known),
        peak=max((span.peak for span in spans), default=0),
        left=level,
        unsized=tuple(unsized),
        block=_block(spans),
        bases=tuple(basis for basis in bases if basis),
    )


def _block(spans: list[Span]) -> Block | None:
    """An unknown wait is longer than any known one, and any of these longer than an instant."""
    found = None
    for span in spans:
        lock = span.step.lock
        if not lock.waits:
            continue
        block = Block(span.number, lock.blocks, span.end - span.start if span.known else None, lock.brief)
        if found is None or _weight(block) > _weight(found):
            found = block
    return found


def _weight(block: Block) -> tuple[bool, bool, float]:
    return (not block.brief, block.seconds is None, block.seconds or 0.0)


def totals_json(sums: Totals) -> dict[str, object]:
    """The sums as data."""
    block = sums.block
    waits = None if block is None else {"step": block.number, "blocks": block.who, "seconds": block.seconds,
                                        "brief": block.brief}  # fmt: skip
    return {
        "seconds": round(sums.seconds, 3),
        "seconds_unknown_in_steps": list(sums.untimed),
        "disk_peak_bytes": sums.peak,
        "disk_left_bytes": sums.left,
        "disk_unknown_in_steps": list(sums.unsized),
        "longest_block": waits,
        "measured": list(sums.bases),
    }


def sums(found: Totals) -> tuple[tuple[str, str], ...]:
    """The sums in words: heading and text."""
    return (
        ("Extra disk at peak", _bounded(size(found.peak), "at most", found.unsized, len(found.spans))),
        ("Time", _bounded(duration(found.seconds), "about", found.untimed, len(found.spans))),
        ("Longest block", _block_words(found.block)),
        ("Measured", "; ".join(found.bases) or "nothing"),
    )


def _bounded(text: str, word: str, unknown: tuple[int, ...], steps: int) -> str:
    """A sum, and the steps that it leaves out."""
    if len(unknown) == steps:
        return "unknown"
    about = text if text in ("none", "< 1 s") else f"{word} {text}"
    return f"{about}; unknown in step{'s' * (len(unknown) > 1)} {_numbers(unknown)}" if unknown else about


def _numbers(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


def _block_words(block: Block | None) -> str:
    if block is None:
        return "nobody waits"
    if block.brief:
        return f"{block.who} (step {block.number})"
    time = duration(block.seconds)
    words = {"unknown": "nobody knows how long", "< 1 s": "for less than a second"}.get(time, f"for about {time}")
    return f"{block.who}, {words} (step {block.number})"
