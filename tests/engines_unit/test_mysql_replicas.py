"""Which replicas are asked how far they are behind: those that the URL names, else those that the server can name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pymysql
import pytest
from pymysql.constants import ER

from toolkit.engines.mysql import replicas
from toolkit.engines.mysql.replicas import Place
from toolkit.errors import EngineError, TargetError
from toolkit.targets import parse_url

Answer = Sequence[Mapping[str, Any]] | int
DENIED = ER.SPECIFIC_ACCESS_DENIED_ERROR


def places(**answers: Answer) -> tuple[Place, ...]:
    """What `known` makes of a server's answers by a word of the question; a number is an error's."""

    def ask(query: str) -> Sequence[Mapping[str, Any]]:
        answer = next(found for word, found in answers.items() if word in query)
        if isinstance(answer, int):
            raise pymysql.ProgrammingError(answer, "no")
        return answer

    return replicas.known(ask)


def row(host: str, port: int = 3306) -> Mapping[str, Any]:
    return {"Server_Id": 2, "Host": host, "Port": port}


def test_those_that_the_server_can_name() -> None:
    assert places(REPLICAS=[], group=[]) == ()
    assert places(REPLICAS=[row("db2"), row("db3", 3307)], group=DENIED) == (Place("db2", 3306), Place("db3", 3307))
    assert places(REPLICAS=ER.PARSE_ERROR, SLAVE=[row("old")], group=[]) == (Place("old", 3306),)
    members = [{"host": "db2", "port": 3306}, {"host": "db4", "port": 3306}]
    assert places(REPLICAS=[row("db2")], group=members) == (Place("db2", 3306), Place("db4", 3306))


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"REPLICAS": DENIED, "group": []}, "TV5113"),
        ({"REPLICAS": ER.PARSE_ERROR, "SLAVE": DENIED, "group": []}, "TV5113"),
        ({"REPLICAS": [row("db2"), row("")], "group": []}, "TV5160"),
    ],
)
def test_one_that_cannot_be_seen_is_no_small_lag(answers: dict[str, Answer], code: str) -> None:
    with pytest.raises(EngineError) as refused:
        places(**answers)
    assert refused.value.code == code
    assert "?replicas=" in refused.value.hint


def named(text: str) -> tuple[Place, ...]:
    return replicas.named(parse_url(f"mysql://u:p@db1/v?replicas={text}", {}))


def test_those_that_the_url_names() -> None:
    assert named("db2,db3:3307,[::1]:3308") == (Place("db2", 3306), Place("db3", 3307), Place("::1", 3308))
    for text in ("db2,", "db2:x", "db2/v", "u@db2", "db2:99999"):
        with pytest.raises(TargetError) as refused:
            named(text)
        assert refused.value.code == "TV3009", text
