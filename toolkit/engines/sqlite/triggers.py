"""What a trigger of SQLite does, read from its text, and which full-text tables it has kept in step.

Pure. A catalog tells a trigger's table, timing and event; two that do different things are the same to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.catalog import Json
from toolkit.engines.sqlite import render
from toolkit.engines.sqlite.search import SearchTable
from toolkit.engines.sqlite.tokens import Token, canonical, enclosed, groups, tokens
from toolkit.plan import Observed

# What stands for a trigger's condition among what it does.
WHEN = "WHEN"


def unkept(
    observed: Observed,
    wanted: dict[str, Json],
    names: tuple[str, str, str],
    table: str,
    searches: Sequence[SearchTable],
) -> frozenset[str]:
    """The full-text tables among `searches` that triggers of these `names` do not keep in step with `table` as they
    should: one is missing, is another, or does something else. `wanted`: the triggers by the wanted catalog."""
    have = observed.catalog.children(("triggers",))
    if any(have.get(name) != wanted.get(name) for name in names):
        return frozenset(search.name for search in searches)
    texts = observed.traits.get("texts")
    known = texts if isinstance(texts, dict) else {}
    made = zip(names, render.create_triggers(table, names, searches), strict=True)
    pairs = [(does(str(known[name])), does(statement.text)) for name, statement in made if name in known]
    return frozenset(
        search.name
        for search in searches
        if any(there.get(part) != ours.get(part) for there, ours in pairs for part in (search.name.lower(), WHEN))
    )


def as_made(text: str, made: str, name: str) -> bool:
    """Whether the trigger is in our own words; SQLite keeps them, but for an IF NOT EXISTS before the name."""
    return text.partition(f'"{name}"')[2] == made.partition(f'"{name}"')[2] != ""


def does(text: str) -> dict[str, list[str]]:
    """What a trigger does, full-text table by full-text table: the order of tables, of columns, and letters' case are
    the writer's own business, as Temporal's own files show."""
    found: dict[str, list[str]] = {}
    body = text[text.upper().find("BEGIN") + len("BEGIN") : text.upper().rfind("END")]
    for part in groups(tokens(body), ";"):
        if part:
            table, words = _written(part)
            found.setdefault(table, []).append(words)
    head = text[: text.upper().find("BEGIN")].upper()
    return found | ({WHEN: [canonical(tokens(head.partition("WHEN")[2]))]} if " WHEN" in head else {})


def _written(part: list[Token]) -> tuple[str, str]:
    """The table an INSERT goes to, and its values by column; any other statement as it is."""
    opens = [place for place, token in enumerate(part) if token.text == "("]
    if not part[0].is_word("INSERT") or not any(token.is_word("VALUES") for token in part) or len(opens) < 2:
        return "", canonical(part).lower()
    columns, _ = enclosed(part, opens[0])
    start = next(place for place, token in enumerate(part) if token.is_word("VALUES"))
    values, _ = enclosed(part, start + 1)
    names = [canonical(column).lower() for column in groups(columns)]
    pairs = zip(names, (canonical(value).lower() for value in groups(values)), strict=False)
    return part[2].value.lower(), ", ".join(sorted(f"{name}={value}" for name, value in pairs))
