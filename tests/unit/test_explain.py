"""The forms of a plan: nothing that comes from a store gets out of its place, and no unknown number is shown as one."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.engines.online import Problem
from toolkit.explain import html, markdown, picture, text
from toolkit.explain.totals import Explained, totals, totals_json
from toolkit.explain.words import duration, size, way_back
from toolkit.plan import NO_LOCK, Estimate, Expect, Lock, Mode, Plan, Request, Sql, Step, StepClass

WRITES = Lock("SHARED", "writes")
MOMENT = Lock("METADATA", "writes, for a moment", brief=True)
NASTY = "</pre><script>alert(1)</script>``` ``` | `x` \n\n# head ]](http://e) <img src=x onerror=alert(1)> & \" '"


def step(id: str, estimate: Estimate | None, lock: Lock = NO_LOCK, words: str = "words") -> Step:
    return Step(
        id, f"Do {words}", words, StepClass.REBUILD, lock, (Sql(f"SELECT '{words}'"),), (Sql("SELECT 2"),),
        (Expect(("catalog", "tables", words), {"a": 1}),), (words,), Mode.ONCE, (), estimate,
    )  # fmt: skip


def plan(*steps: Step, words: str = "words") -> Plan:
    return Plan("postgresql", ("1.9",), words, "1.14", "base", "goal", steps, foreign=(("tables", words),))


def explained(words: str) -> Explained:
    steps = (step("a", Estimate(7, 10, 2.0, 5, words), WRITES, words), step("b", None, words=words))
    return Explained(words, plan(*steps, words=words), (Problem("TV0001", words, words),))


class Tags(HTMLParser):
    """The tags of a page, and whether each is closed in its turn."""

    EMPTY = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(words: str) -> Tags:
    found = Tags()
    found.feed("\n".join(html.page([explained(words)])))
    found.close()
    assert found.open == []
    return found


@given(st.text(max_size=60) | st.just(NASTY))
def test_no_word_becomes_a_tag_of_the_page(words: str) -> None:
    plain, given_ = tags("words"), tags(f"w{words}")
    assert given_.seen == plain.seen
    assert given_.attributes == plain.attributes
    assert not {"src", "href", "onerror"} & given_.attributes


def test_the_page_loads_and_runs_nothing() -> None:
    page = "\n".join(html.page([explained(NASTY)]))
    assert "default-src 'none'" in page
    assert not re.search(r"<script|<link|url\((?!#)|@import|https?://", page.replace("http://e", ""))


@given(st.text(st.characters(exclude_categories=("C",)), max_size=40) | st.just(NASTY))
def test_the_picture_is_well_formed(words: str) -> None:
    shapes = [ElementTree.fromstring(picture.picture(totals(explained(w).plan))) for w in ("words", f"w{words}")]
    assert [e.tag for e in shapes[0].iter()] == [e.tag for e in shapes[1].iter()]


@given(st.text(max_size=60) | st.just(NASTY))
def test_markdown_keeps_its_lines(words: str) -> None:
    """As many table rows, headings and blocks as with harmless words: nothing ends a cell or a fence early."""
    shape = [outline("\n".join(markdown.lines(explained(w)))) for w in ("words", f"w{words}")]
    assert shape[0] == shape[1]


def outline(page: str) -> list[str]:
    """What each line outside of a code block is: heading, number of cells, tag, or text."""
    found, fence = [], ""
    for line in page.split("\n"):
        ticks = re.match(r"`{3,}", line)
        if fence:
            fence = "" if line == fence else fence
            continue
        if ticks:
            fence = ticks[0]
            found.append("fence")
        elif line.startswith("|"):
            cells = len(re.findall(r"(?<!\\)\|", line))
            found.append(f"row {cells}")
        elif line.startswith("#"):
            found.append(line.split(" ")[0])
        elif line.strip():
            found.append("text")
    assert fence == ""
    return found


def test_unknown_is_never_a_number() -> None:
    unknown = plan(step("a", None, WRITES), step("b", Estimate()))
    shown = "\n".join(text.lines(Explained("t", unknown)))
    assert "unknown  " in shown
    assert "Extra disk at peak  unknown" in shown
    assert "Time                unknown" in shown
    assert "nobody knows how long" in shown
    assert not re.search(r"\b0 (B|s|rows)\b", shown)
    facts = totals_json(totals(unknown))
    assert facts["seconds_unknown_in_steps"] == [1, 2]
    assert facts["disk_unknown_in_steps"] == [1, 2]


def test_sums() -> None:
    """The peak is not the end; an unknown wait outweighs a known one, and an instant any of them never."""
    steps = (
        step("a", Estimate(1, 100, 5.0, 20), WRITES),
        step("b", Estimate(1, 50, 70.0, 50), MOMENT),
        step("c", Estimate(1, 0, 1.0, 0)),
    )
    found = totals(plan(*steps))
    assert (found.peak, found.left, found.seconds) == (100, 70, 76.0)
    assert found.block is not None
    assert (found.block.number, found.block.seconds) == (1, 5.0)
    more = totals(plan(*steps, step("d", None, WRITES)))
    assert more.block is not None
    assert (more.block.number, more.block.seconds, more.untimed) == (4, None, (4,))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "unknown"),
        (0.0, "< 1 s"),
        (1.4, "1 s"),
        (99.4, "99 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (864000, "10 days"),
    ],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (None, "unknown"),
        (0, "none"),
        (999, "999 B"),
        (1536, "1.5 kB"),
        (22 * 1024**2, "22 MB"),
        (5 * 1024**4, "5.0 TB"),
    ],
)
def test_sizes(number: int | None, words: str) -> None:
    assert size(number) == words


@pytest.mark.parametrize(
    ("found", "wanted", "words"),
    [
        ("1.9", "1.14", "`schema downgrade --to 1.9`"),
        ("1.14", "1.9", "`schema upgrade --to 1.14`"),
        ("1.14", "nothing", "`schema upgrade --to 1.14`"),
        ("1.9", "1.9", "none: the schema is that of 1.9 before and after"),
    ],
)
def test_the_way_back_leads_back(found: str, wanted: str, words: str) -> None:
    assert way_back(replace(plan(), found=("1.0", found), wanted=wanted)) == words


def test_requests_are_shown_as_such() -> None:
    asks = Step("r", "Ask", "", StepClass.METADATA, NO_LOCK, (Request("PUT", "/i", {"a": "```"}),), (), ())
    page = "\n".join(markdown.lines(Explained("t", plan(asks))))
    assert "````http\nPUT /i\n" in page
