"""Ten thousand broken and hostile definitions: a coded error or valid output, no traceback, no stray statement."""

from __future__ import annotations

import random
import string

import sqlglot
import yaml

from tests.support.catalogs import released
from toolkit.engines import ENGINES
from toolkit.errors import ToolkitError
from toolkit.load import loads
from toolkit.plan import Observed, Sql
from toolkit.resources import schema_dir

HOSTILE = (
    'x"; DROP TABLE t; --', "a`b", "a'b", "$$", "a\x00b", "🦄", "é", "ﬁ", "a" * 300, "", " ", "select", "ORDER", "null",
    "~",    "1", "-1", "1e400",
    "0x10", "9" * 400, "true", "{}", "[]", "&a", "*a", "!!python/name:os.system", "%s", "{member}",
    "\\'", "a\nb", "a;b", "/*", "--", "Robert'); DROP TABLE students;--", "${HOME}", "\u202e", "A" * 63, "A" * 64,
)  # fmt: skip
# The same dumper in C, where PyYAML was built with it: a test of four thousand dumps is mostly the other one.
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}


def mutated_text(dice: random.Random, text: str) -> str:
    """A few characters or lines of a real file changed."""
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(text) + 1)
        match dice.randrange(6):
            case 0:
                text = text[:at] + dice.choice(HOSTILE) + text[at:]
            case 1:
                text = text[:at] + text[at + dice.randint(1, 30) :]
            case 2:
                text = text[:at] + dice.choice(string.printable) + text[at:]
            case 3:
                lines = text.splitlines()
                lines.insert(dice.randrange(len(lines) + 1), dice.choice(lines or [""]))
                text = "\n".join(lines)
            case 4:
                lines = text.splitlines()
                dice.shuffle(lines)
                text = "\n".join(lines)
            case _:
                text = text.replace(dice.choice(["Keyword", "Int", "true", "Id", "sql", ":"]), dice.choice(HOSTILE), 1)
    return text


def mutated_tree(dice: random.Random, tree: object) -> object:
    """A real file's data with values, keys and types replaced."""
    if dice.random() < 0.04:
        return dice.choice([None, True, 0, -1, 10**30, 1.5, [], {}, "", *HOSTILE])
    if isinstance(tree, dict):
        changed = {k: mutated_tree(dice, v) for k, v in tree.items() if dice.random() > 0.02}
        if dice.random() < 0.1:
            changed[dice.choice(HOSTILE)] = dice.choice(["Keyword", "Int", "Text", {"type": "Keyword"}, None])
        return changed
    if isinstance(tree, list):
        return [mutated_tree(dice, v) for v in tree]
    return tree


def check(text: str) -> bool:
    """Whether `text` was a definition; when it was, every engine's statements are single and parse."""
    try:
        definition = loads(text)
    except ToolkitError as error:
        assert error.code.startswith("TV")
        return False
    for name, make in ENGINES.items():
        engine = make()
        try:
            if not engine.supports(definition):
                continue
            steps = engine.steps(Observed(engine.empty(), None, ""), definition)
        except ToolkitError as error:
            assert error.code.startswith("TV")
            continue
        texts = [s.text for step in steps for s in step.statements if isinstance(s, Sql)]
        assert "DROP TABLE t" not in "".join(texts)
        if name in DIALECTS:
            plain = [
                t
                for t in texts
                if t.startswith(("CREATE TABLE", "CREATE INDEX", "ALTER TABLE")) and "USING GIN" not in t
            ]
            for statement in plain[:3]:
                assert len(sqlglot.parse(statement, read=DIALECTS[name])) == 1
    return True


def test_fuzzed_definitions() -> None:
    dice = random.Random(20261124)
    small = """version: "2.0"
summary: Small.
servers: none
labels: {sql: "2.0", elasticsearch: [v20], clickhouse: "2.0"}
fields:
  NamespaceId: {type: Id, required: true}
  RunId: {type: Id, required: true}
  StartTime: {type: Datetime, required: true}
  CloseTime: Datetime
  SearchAttributes: {type: Attributes, stores: [sql]}
attributes:
  predefined: {BuildIds: KeywordList}
  custom: {Keyword01: Keyword, Text01: Text, Int01: {type: Int, index: false}}
indexes:
  default_idx: [NamespaceId, ListOrder]
"""
    tree = yaml.safe_load(small)
    real = (schema_dir() / "versions" / f"{released()[-1].version}.yaml").read_text()
    good = sum(check(mutated_text(dice, small)) for _ in range(5500))
    good += sum(check(yaml.dump(mutated_tree(dice, tree), Dumper=DUMPER, allow_unicode=True)) for _ in range(4300))
    good += sum(check(mutated_text(dice, real)) for _ in range(200))
    assert check(small)
    assert good > 300, "too few of the fuzzed definitions were legal for the test to mean anything"
