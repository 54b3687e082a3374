"""Page tokens: back and forth, and nothing else is taken for one."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.attributes import Family
from toolkit.engines.filtering import Question
from toolkit.errors import UsageError
from toolkit.query import check, page
from toolkit.query.page import Place
from toolkit.query.scope import Scope
from toolkit.query.semantics import COMMON
from toolkit.query.values import FIRST_MOMENT, LAST_MOMENT
from toolkit.versions import find

MARK = page.question_mark("ns", "A = 1", ["Int01"], "common")
PLACE = Place(1_709_251_200_000_000_001, 1_709_251_200_000_000_000, "7a0b2c3d-0000-4000-8000-000000000001")

moments = st.integers(FIRST_MOMENT, LAST_MOMENT)
run_ids = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=64)


@given(st.builds(Place, st.none() | moments, moments, run_ids))
def test_a_token_stands_for_its_place(place: Place) -> None:
    assert page.read(page.write(place, MARK), MARK) == place


def test_a_token_belongs_to_its_question() -> None:
    token = page.write(PLACE, MARK)
    for other in (
        page.question_mark("other", "A = 1", ["Int01"], "common"),
        page.question_mark("ns", "A = 2", ["Int01"], "common"),
        page.question_mark("ns", "A = 1", ["Int02"], "common"),
        page.question_mark("ns", "A = 1", ["Int01"], "sqlite"),
    ):
        with pytest.raises(UsageError) as caught:
            page.read(token, other)
        assert caught.value.code == "TV7013"


def test_the_question_is_what_is_meant_by_its_names() -> None:
    definition, found = find("1.14"), "Customer = 'a'"

    def mark(meant: str, division: str | None = None) -> str:
        scope = Scope.of(definition, Family.SQL, {"Customer": meant}, division)
        return Question(definition, "ns", check.parse(found, scope), COMMON).mark

    marks = [mark("Keyword01"), mark("Keyword02"), mark("Keyword01", "TemporalScheduler"), mark("Keyword01", "other")]
    assert (len(set(marks)), marks[0]) == (4, mark("Keyword01"))


def test_every_change_of_a_character_is_noticed() -> None:
    token = page.write(PLACE, MARK)
    chance = random.Random(3)
    for place in range(len(token)):
        for _ in range(5):
            other = chance.choice(string.ascii_letters + string.digits + "-_.=%'\" ")
            if other != token[place]:
                with pytest.raises(UsageError):
                    page.read(token[:place] + other + token[place + 1 :], MARK)


def forged(body: object) -> str:
    """A token with a good checksum over any content."""
    raw = json.dumps(body, separators=(",", ":")).encode()
    return "tv1." + base64.urlsafe_b64encode(hashlib.sha256(raw).digest()[:4] + raw).decode().rstrip("=")


GOOD = [MARK, None, 5, "run"]
FORGERIES = [
    [],
    {},
    [MARK],
    [MARK, None, 5],
    [MARK, None, 5, "run", 1],
    [5, None, 5, "run"],
    [MARK, "5", 5, "run"],
    [MARK, 5.0, 5, "run"],
    [MARK, True, 5, "run"],
    [MARK, None, None, "run"],
    [MARK, None, "5", "run"],
    [MARK, None, False, "run"],
    [MARK, None, 10**30, "run"],
    [MARK, -(10**30), 5, "run"],
    [MARK, None, 5, None],
    [MARK, None, 5, ["run"]],
    [MARK, None, 5, "r" * 300],
    [MARK, None, 5, "a\nb"],
    [MARK, None, 5, "a\0b"],
    [MARK, None, 5, {"$gt": ""}],
]


def test_a_good_forgery_would_be_taken() -> None:
    assert page.read(forged(GOOD), MARK) == Place(None, 5, "run")


@pytest.mark.parametrize("body", FORGERIES, ids=str)
def test_forged_content_is_refused(body: object) -> None:
    with pytest.raises(UsageError) as caught:
        page.read(forged(body), MARK)
    assert caught.value.code == "TV7012"


@pytest.mark.parametrize(
    "token",
    ["", "tv1.", "tv2." + "a" * 40, "tv1." + "a" * 40, "tv1." + "a" * 10_000, "null", '{"RunID":"x"}', "' OR 1=1 --",
     "tv1." + "é" * 30, page.write(PLACE, MARK) + "=", " " + page.write(PLACE, MARK), page.write(PLACE, MARK) + "\n",
     "eyJTZWFyY2hBZnRlciI6WzFdfQ=="],
)  # fmt: skip
def test_anything_else_is_refused(token: str) -> None:
    with pytest.raises(UsageError) as caught:
        page.read(token, MARK)
    assert caught.value.code == "TV7012"


@given(st.text(max_size=300))
def test_any_text_is_refused(token: str) -> None:
    with pytest.raises(UsageError):
        page.read(token, MARK)
