"""MySQL without a server: catalogs, quoting, which steps a difference makes, what scripts and URLs say."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlglot
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pymysql.constants import ER
from sqlglot import TokenType

from tests.support.catalogs import FRESH, published, released
from toolkit.attributes import AttributeType, Group
from toolkit.catalog import Absent, Catalog, Json, differences
from toolkit.definition import USUAL_STORES, Definition, SearchAttribute, default_index_name
from toolkit.diff import AddAttribute
from toolkit.engines import mysql
from toolkit.engines.mysql import client as clients
from toolkit.engines.mysql import connection, inspect, layout, others, preflight, refusals, render, scratch
from toolkit.engines.mysql.artefacts import repeatable
from toolkit.engines.mysql.typemap import profile
from toolkit.errors import DefinitionError, TargetError, UsageError
from toolkit.overlay import Overlay
from toolkit.plan import NO_LOCK, Observed, Plan, Sql, Step, StepClass
from toolkit.targets import parse_url

EV, CSA, CHSA = "executions_visibility", "custom_search_attributes", "chasm_search_attributes"
VERSIONS = [d.version for d in released()]


def at(version: str) -> Definition:
    return next(d for d in released() if d.version == version)


def way(before: str | None, after: str) -> list[Step]:
    """The steps from a published catalog without records to a version, but for those that record it."""
    have = published("mysql", before) if before else mysql.empty()
    steps = mysql.steps(Observed(have, before, "MySQL 9", rows=0), at(after))
    return [step for step in steps if not step.id.startswith("record.")]


def texts(step: Step) -> list[str]:
    return [s.text for s in step.statements if isinstance(s, Sql)]


@pytest.mark.parametrize("version", VERSIONS)
def test_catalog_equals_the_published_one(version: str) -> None:
    assert differences(mysql.catalog(at(version)), published("mysql", version)) == ()


def test_newest_catalog_is_that_of_a_fresh_install() -> None:
    assert differences(mysql.catalog(at(FRESH)), published("mysql", "fresh")) == ()


UPWARD = {
    "1.1": ["indexes.executions_visibility.build"],
    "1.2": ["indexes.executions_visibility.drop", "columns.executions_visibility.add",
            "indexes.executions_visibility.build-functional", "table.custom_search_attributes"],
    "1.3": ["table.executions_visibility.copy"],
    "1.4": ["table.executions_visibility.copy"],
    "1.5": ["table.executions_visibility.copy"],
    "1.6": ["columns.executions_visibility.alter"],
    "1.7": ["table.executions_visibility.copy"],
    "1.8": ["table.executions_visibility.copy"],
    "1.9": ["columns.executions_visibility.add", "table.custom_search_attributes.copy"],
    "1.10": ["table.executions_visibility.copy"],
    "1.11": ["table.chasm_search_attributes"],
    "1.12": ["table.chasm_search_attributes.copy"],
    "1.13": ["table.executions_visibility.copy"],
    "1.14": ["table.executions_visibility.copy"],
}  # fmt: skip


@pytest.mark.parametrize("after", UPWARD)
def test_steps_between_neighbours(after: str) -> None:
    before = VERSIONS[VERSIONS.index(after) - 1]
    assert [step.id for step in way(before, after)] == UPWARD[after]


def test_a_fresh_install_only_creates_tables() -> None:
    assert [step.id for step in way(None, "1.14")] == [f"table.{EV}", f"table.{CSA}", f"table.{CHSA}"]


def test_five_versions_copy_the_main_table_once() -> None:
    steps = way("1.9", "1.14")
    assert [step.id for step in steps] == [f"table.{EV}.copy", f"table.{CHSA}"]
    assert steps[0].title == "Copy executions_visibility once: add 4 columns, build 4 indexes"


@pytest.mark.parametrize(("before", "after"), [*itertools.product([None, *VERSIONS, "1.3-v1.21.0"], VERSIONS)])
def test_what_the_steps_expect_is_the_wanted_catalog(before: str | None, after: str) -> None:
    """The facts by which steps are seen to be done, put into the observed catalog, make the published one."""
    tree: dict[str, Json] = copy.deepcopy(dict((published("mysql", before) if before else mysql.empty()).body))
    steps = way(before, after)
    for step in steps:
        assert not step.is_done({"catalog": copy.deepcopy(tree)})
        for fact in step.done:
            _put(tree, fact.path[1:], fact.wanted)
        assert step.is_done({"catalog": tree})
    facts = published("mysql", after)
    tables: dict[str, Any] = tree["tables"]  # type: ignore[assignment]
    for name, table in tables.items():
        for besides in ("engine", "collation", "primary_key"):  # these come with CREATE TABLE
            table.setdefault(besides, facts.children(("tables", name)).get(besides))
        if not table["indexes"]:
            del table["indexes"]
    assert differences(Catalog("mysql", tree), facts) == ()
    copies = [step.id for step in steps if step.id.endswith(".copy")]
    assert len(copies) == len(set(copies))


def _put(tree: Any, path: tuple[str, ...], value: Json | Absent) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    if isinstance(value, Absent):
        tree.pop(path[-1], None)
    else:
        tree[path[-1]] = value


@pytest.mark.parametrize(("before", "after"), [*itertools.permutations(VERSIONS, 2)])
def test_classes_and_locks_are_honest(before: str, after: str) -> None:
    for step in way(before, after):
        text = "\n".join(texts(step))
        losing = "DROP COLUMN" in text or "DROP TABLE" in text
        if "ALGORITHM=COPY" in text:
            assert "LOCK=SHARED" in text
        if "LOCK=SHARED" in text:
            assert (step.lock.name, step.lock.blocks) == ("SHARED", "writes")
            assert step.step_class is (StepClass.BREAKING if losing else StepClass.REBUILD)
        elif losing:
            assert step.step_class is StepClass.BREAKING
        else:
            assert step.step_class in (StepClass.METADATA, StepClass.ONLINE)
        for statement in texts(step):
            assert statement.startswith("ALTER TABLE") == ("ALGORITHM=" in statement)


def test_the_defective_expression_is_repaired() -> None:
    """v1.21.0 left the `$.` out of a path; the column can only be made anew, with its index, in a copy."""
    (step,) = way("1.3-v1.21.0", "1.3")
    assert step.step_class is StepClass.REBUILD
    assert step.title == "Copy executions_visibility once: remake 1 column, build 1 index"
    (text,) = texts(step)
    assert text.index("DROP INDEX `by_build_ids`") < text.index("DROP COLUMN `BuildIds`") < text.index("ADD COLUMN")
    assert [s.id for s in way("1.3-v1.21.0", "1.14")] == [f"table.{EV}.copy", f"table.{CSA}.copy", f"table.{CHSA}"]


def test_reverse_of_a_copy_takes_everything_back() -> None:
    (step,) = way("1.13", "1.14")
    (undo,) = step.reverse
    assert isinstance(undo, Sql)
    assert undo.text.count("DROP INDEX") == undo.text.count("DROP COLUMN") == 2


def test_more_indexes_than_mysql_allows() -> None:
    wanted = Overlay(preallocated={AttributeType.INT: 60}).apply(released()[-1])
    with pytest.raises(DefinitionError, match="allows 64"):
        mysql.catalog(wanted)


def test_two_names_for_one_column() -> None:
    memo = SearchAttribute("MEMO", AttributeType.INT, Group.PREDEFINED, None)
    newest = released()[-1]
    with pytest.raises(DefinitionError, match="would both be the column 'memo'"):
        mysql.catalog(replace(newest, attributes=(*newest.attributes, memo)))


HOSTILE = [
    "x`; DROP TABLE t; --",
    'x"; DROP TABLE t; --',
    "it's",
    "back\\slash",
    "Select",
    "a b",
    "😀",
    "`",
    "x\\' OR 1",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_inside_their_quotes(name: str) -> None:
    attribute = SearchAttribute(name, AttributeType.KEYWORD_LIST, Group.CUSTOM, name, USUAL_STORES[Group.CUSTOM])
    newest = released()[-1]
    table = layout.layout(replace(newest, attributes=(*newest.attributes, attribute)), profile()).table(CSA)
    assert table is not None
    tokens = sqlglot.tokenize(render.create_table(table, layout.PRIMARY_KEY).text, dialect="mysql")
    assert [t.text for t in tokens if t.token_type is TokenType.IDENTIFIER].count(name) == 3  # column, index, its key
    assert not [t for t in tokens if t.token_type in (TokenType.SEMICOLON, TokenType.DROP, TokenType.COMMENT)]


@given(st.text(min_size=1, max_size=40))
def test_any_identifier_reads_back(name: str) -> None:
    tokens = sqlglot.tokenize(render.identifier(name), dialect="mysql")
    assert [token.text for token in tokens] == [name]


@given(st.text(max_size=60))
def test_a_literal_needs_no_escape_that_a_mode_could_change(value: str) -> None:
    text = render.literal(value)
    assert text.isascii()
    assert "\\" not in text
    if text.startswith("CONVERT("):
        assert bytes.fromhex(text[10:].partition("'")[0]).decode() == value
    else:
        assert text[1:-1].replace("''", "'") == value


def test_where_an_attribute_stands_in_the_json() -> None:
    assert render.member("Keyword01") == "$.Keyword01"
    assert render.member('a"b\\c d') == '$."a\\"b\\\\c d"'


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        (r"json_extract(`search_attributes`,_utf8mb4\'$.A\')", "json_extract(`search_attributes`,'$.A')"),
        (r"replace(`a`,_latin1\'Z\',_utf8mb3\'+00:00\')", "replace(`a`,'Z','+00:00')"),
        ("coalesce(`a`,\n  cast('x'  as datetime))", "coalesce(`a`, cast('x' as datetime))"),
        ("`my_utf8mb4`", "`my_utf8mb4`"),
    ],
)
def test_expressions_are_read_free_of_the_session_that_wrote_them(printed: str, read: str) -> None:
    assert inspect.expression(printed) == read


VERBS = {"ALTER", "CREATE", "DELETE", "DROP", "DO", "INSERT", "UPDATE", "SET", "PREPARE", "EXECUTE", "DEALLOCATE",
         "COMMIT"}  # fmt: skip


def test_scripts_never_need_a_delimiter_and_end_every_statement() -> None:
    for name, text in mysql.artefacts(released()).items():
        assert "DELIMITER" not in text
        assert "%" not in text
        assert text.endswith(";\n")
        for paragraph in text.strip().split(";\n\n"):
            words = [line for line in paragraph.splitlines() if line and not line.startswith("--")]
            assert words[0].rstrip(";").split()[0] in VERBS, name


def test_a_script_asks_for_all_that_a_step_makes() -> None:
    (step,) = way("1.13", "1.14")
    look = texts(repeatable(step))[0]
    assert look.startswith("SET @change = IF(\n  (SELECT COUNT(DISTINCT COLUMN_NAME) FROM information_schema.COLUMNS")
    assert ") = 4,\n  'DO 0',\n  'ALTER TABLE `executions_visibility`" in look
    (drop, *_) = way("1.14", "1.13")
    assert ") = 0,\n  'DO 0'" in texts(repeatable(drop))[0]


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ("9.7.4-2", None),
        ("8.0.31", None),
        ("8.0.19-log", None),
        ("8.0.18", "MySQL 8.0.18"),
        ("5.7.44-log", "MySQL 5.7.44-log"),
        ("5.5.5-10.11.6-MariaDB-0+deb12u1", "MariaDB (5.5.5-10.11.6-MariaDB-0+deb12u1)"),
    ],
)
def test_servers_that_cannot_be_used(version: str, problem: str | None) -> None:
    found = clients.unfit(version)
    assert (found is None) == (problem is None)
    assert (found or "").startswith(problem or "")


def encryption(query: str) -> dict[str, object]:
    return connection.encryption(connection.options(parse_url(f"mysql://u:p@h/d?{query}", {})))


def test_encryption_as_the_url_asks_for_it(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    mine = authority.issue_cert("me")
    mine.private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
    ca, me = f"ssl-ca={tmp_path}/ca.pem", f"ssl-cert={tmp_path}/me.pem"
    assert encryption("ssl-mode=disabled") == encryption("ssl_disabled=true") == {"ssl_disabled": True}
    asked = {
        "": (False, "CERT_NONE"),
        "ssl-mode=REQUIRED": (False, "CERT_NONE"),
        me: (False, "CERT_NONE"),
        ca: (False, "CERT_REQUIRED"),
        f"{ca}&ssl-mode=VERIFY_CA": (False, "CERT_REQUIRED"),
        f"{ca}&ssl-mode=verify_identity": (True, "CERT_REQUIRED"),
        f"{ca.replace('-', '_', 1)}&ssl_verify_identity=true": (True, "CERT_REQUIRED"),
    }
    for query, (host, authority_checked) in asked.items():
        context = encryption(query)["ssl"]
        assert (context.check_hostname, context.verify_mode.name) == (host, authority_checked), query  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "query", ["ssl-mood=x", "ssl-mode=perhaps", "ssl-ca=/nowhere/ca.pem", "ssl-mode=REQUIRED&ssl-cert=/nowhere.pem"]
)
def test_options_that_mean_nothing(query: str) -> None:
    with pytest.raises(TargetError) as refused:
        encryption(query)
    assert refused.value.code == "TV3009"


def test_names_a_step_is_explained_by() -> None:
    attribute = SearchAttribute("TemporalX", AttributeType.INT, Group.CHASM, default_index_name("TemporalX"))
    assert mysql.objects(AddAttribute(attribute)) == (CHSA, "TemporalX", "by_temporal_x")


SETTLED = {
    "read_only": 0, "super_read_only": 0, "engine_read_only": 0, "log_bin": 0, "trusts": 0, "format": "ROW",
    "me": "own@%", "here": "db_1", "most": 0,
}  # fmt: skip
EVERYTHING = "GRANT ALL PRIVILEGES ON *.* TO `own`@`%`"
STEP = Step("s", "s", "", StepClass.REBUILD, NO_LOCK, (), (), ())
KEPT = Plan("mysql", (), None, "1.14", "", "", (STEP,), finish=(STEP,))


def problems(grants: tuple[str, ...] = (EVERYTHING,), plan: Plan = KEPT, **facts: object) -> set[str]:
    """Codes of fatal problems on a server with other facts than the usual."""

    def ask(query: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        if "@@read_only" in query:
            return [{**SETTLED, **facts}]
        if query.startswith("SHOW GRANTS"):
            return [{"Grants": line} for line in grants]
        if query.startswith("SHOW VARIABLES"):
            return [{"Variable_name": "wsrep_on", "Value": facts.get("wsrep", "OFF")}]
        if query == "SHOW REPLICA STATUS":
            channel, running = facts.get("channel"), facts.get("running", "No")
            return [] if channel is None else [{"Channel_Name": channel, "Replica_SQL_Running": running}]
        return []

    return {p.code for p in preflight.check(ask, plan, ()) if p.fatal}


def test_what_a_server_must_allow() -> None:
    strong = (EVERYTHING, "GRANT SUPER, SELECT ON *.* TO `own`@`%`")
    assert problems() == set()
    assert problems(log_bin=1) == {"TV4302"}
    assert problems(log_bin=1, trusts=1) == problems(strong, log_bin=1) == set()
    assert problems(log_bin=1, trusts=1, format="STATEMENT") == {"TV4304"}
    assert problems(log_bin=1, plan=replace(KEPT, finish=())) == set()
    assert problems(wsrep="ON") == {"TV4304"}
    assert problems(read_only=1) == problems(super_read_only=1) == problems(engine_read_only=1) == {"TV4303"}
    assert problems(strong, read_only=1) == set()
    assert problems(channel="", running="Yes") == {"TV4304"}
    assert problems(channel="") == problems(channel="group_replication_applier", running="Yes") == set()


def test_rights_by_the_lines_of_show_grants() -> None:
    plain, more = "CREATE, ALTER, INDEX, DROP, SELECT, INSERT, UPDATE, DELETE", "LOCK TABLES, TRIGGER"
    for place in ("*.*", "`db_1`.*", "`db\\_1`.*", "`db%`.*", "`d__1`.*"):
        assert problems((f"GRANT {plain}, {more} ON {place} TO `own`@`%`",)) == set(), place
    for place in ("`db\\_2`.*", "`other`.*", "`db_1`.`executions_visibility`"):
        assert problems((f"GRANT {plain}, {more} ON {place} TO `own`@`%`",)) == {"TV4301"}, place
    assert problems((f"GRANT {plain} ON *.* TO `own`@`%`", f"GRANT {more} ON `db_1`.* TO `own`@`%`")) == set()
    assert problems((f"GRANT {plain} ON *.* TO `own`@`%`",)) == {"TV4301"}
    assert problems((f"GRANT {plain} ON *.* TO `own`@`%`",), replace(KEPT, finish=())) == set()
    role = "GRANT `ops`@`%` TO `own`@`%`"
    for place, fatal in {"`db_1`.*": set(), "*.*": set(), "`db\\_1`.*": {"TV4301"}, "`db%`.*": {"TV4301"}}.items():
        assert problems((f"GRANT {plain}, {more} ON {place} TO `own`@`%`", role)) == fatal, place


@pytest.mark.parametrize(
    ("number", "text", "code", "told"),
    [
        (1406, "Data too long for column 'BatcherUser' at row 1", "TV4311", "->> '$.BatcherUser') > 255."),
        (
            3156,
            "Invalid JSON value for CAST to INTEGER from column json_extract at row 1",
            "TV4311",
            "not of its column",
        ),
        (1665, "impossible to write to binary log since BINLOG_FORMAT = STATEMENT", "TV4304", "binlog_format to ROW"),
        (1878, "Temporary file write failure.", "TV4307", "innodb_tmpdir"),
        (1153, "Got a packet bigger than 'max_allowed_packet' bytes", "TV4003", "max_allowed_packet: 64 MB"),
        (1709, "Index column size too large.", "TV4003", "innodb_default_row_format = DYNAMIC"),
        (3108, "Column 'BatcherUser' has a generated column dependency.", "TV4312", "Drop yours"),
    ],
)
def test_what_the_server_refuses_says_what_to_do(number: int, text: str, code: str, told: str) -> None:
    found = refusals.coded(pymysql.err.OperationalError(number, text), parse_url("mysql://u@h/d", {}))
    assert found.code == code
    assert text in found.message
    assert told in str(found.hint)


def test_transactions_are_asked_for_again() -> None:
    """MySQL 9 refuses the list as long as any session's statement has an emoji in it."""
    refused = [pymysql.err.OperationalError(3854, "Cannot convert string 'x' from utf8mb4 to utf8mb3")] * 3

    def ask(query: str, values: Sequence[object]) -> list[dict[str, Any]]:
        if query == others.SHOWN:
            return [{"Id": 7, "User": "temporal"}]
        if refused:
            raise refused.pop()
        return [{"id": 7, "seconds": 61}, {"id": 8, "seconds": 60}]

    assert others.transactions(ask, 60) == [
        "session 7 (temporal) is in a transaction since 61 s",
        "session 8 (unknown) is in a transaction since 60 s",
    ]


def test_an_account_that_may_not_see_transactions_is_not_kept_waiting() -> None:
    asked: list[str] = []

    def ask(query: str, values: Sequence[object]) -> list[dict[str, Any]]:
        asked.append(query)
        raise pymysql.err.OperationalError(ER.SPECIFIC_ACCESS_DENIED_ERROR, "you need (at least one of) PROCESS")

    with pytest.raises(pymysql.err.OperationalError):
        others.transactions(ask, 60)
    assert len(asked) == 1


def test_a_dump_is_cut_as_mysqls_own_client_does() -> None:
    """What is about its server is left out: `GTID_PURGED` would be that of the server it is read on, and a replica's
    place in its source's log would be another."""
    dump = (
        "-- MySQL dump\n\nSET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;\nSET @@SESSION.SQL_LOG_BIN= 0;\n"
        "--\n-- GTID state\n--\n\nSET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-7';\n"
        "STOP REPLICA;\nCHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='bin.000002', SOURCE_LOG_POS=157;\n"
        "CHANGE MASTER TO MASTER_LOG_FILE='bin.000002', MASTER_LOG_POS=157;\nSTART SLAVE;\n"
        "/*!80001 CREATE USER IF NOT EXISTS `a`@`%` */;\nGRANT ALL PRIVILEGES ON `d`.* TO `a`@`%`;\n"
        "CREATE TABLE `t` (\n  `a` int COMMENT 'ON x.y; --'\n);\nDELIMITER ;;\n"
        "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER `x` AFTER INSERT ON `t` FOR EACH ROW BEGIN\n"
        "  SET @a = 1;\nEND */;;\nDELIMITER ;\n"
        "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50001 VIEW `v` AS select `t`.`a` AS `a` from `t` */;\n"
        "-- Dump completed\n"
    )
    table, trigger, view = scratch.statements(dump)
    assert table.startswith("CREATE TABLE `t`")
    assert (trigger.endswith("END */"), "DEFINER" in trigger) == (True, False)
    assert view.startswith("/*!50001 CREATE")
    for said in ("/*!40000 DROP DATABASE IF EXISTS `d`*/", "ALTER DATABASE `d` CHARACTER SET utf8mb4", "use d",
                 "DROP TABLE IF EXISTS t, d.t2", "INSERT INTO `d`.`t` VALUES (1)",
                 "CREATE TABLE d . t (a int)"):  # fmt: skip
        with pytest.raises(UsageError):
            list(scratch.statements(f"{said};\n"))
