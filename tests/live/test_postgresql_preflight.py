"""What hangs on a PostgreSQL table, kind by kind: carried over to the new table or refused; never dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.engines.handles import Handle
from tests.support import journeys, online
from tests.support.command import here
from toolkit.apply import plan_json
from toolkit.apply.actions import Action, CompareChunk, Outcome, RunStep, Swap
from toolkit.apply.runner import Options, perform, plan_store, upgrade_task
from toolkit.engines.bound import BoundSql
from toolkit.engines.online import Checking, Problem
from toolkit.engines.postgresql import preflight
from toolkit.engines.postgresql.client import PostgresClient
from toolkit.engines.postgresql.rebuilder import PostgresRebuilder
from toolkit.errors import EngineError, Stopped, StoreChanged
from toolkit.overlay import NO_OVERLAY
from toolkit.plan import Step
from toolkit.sample import generate
from toolkit.versions import chain, find

TABLE = "executions_visibility"
# What is found → the statements that make it, and those that take it away.
REFUSED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "view own_view": ((f"CREATE VIEW own_view AS SELECT run_id FROM {TABLE}",), ("DROP VIEW own_view",)),
    "materialized view own_copy": (
        (f"CREATE MATERIALIZED VIEW own_copy AS SELECT run_id FROM {TABLE}",),
        ("DROP MATERIALIZED VIEW own_copy",),
    ),
    "rule own_rule": (
        (f"CREATE RULE own_rule AS ON DELETE TO {TABLE} WHERE OLD.status = 99 DO INSTEAD NOTHING",),
        (f"DROP RULE own_rule ON {TABLE}",),
    ),
    "trigger own_trigger": (
        (
            "CREATE FUNCTION own_trigger() RETURNS trigger AS $$ BEGIN RETURN NEW; END $$ LANGUAGE plpgsql",
            f"CREATE TRIGGER own_trigger BEFORE UPDATE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION own_trigger()",
        ),
        (f"DROP TRIGGER own_trigger ON {TABLE}", "DROP FUNCTION own_trigger()"),
    ),
    "trigger temporal_visibility_own": (
        (
            f"CREATE TRIGGER temporal_visibility_own BEFORE UPDATE ON {TABLE} "
            "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        ),
        (f"DROP TRIGGER temporal_visibility_own ON {TABLE}",),
    ),
    "policy own_policy": (
        (f"CREATE POLICY own_policy ON {TABLE} USING (true)",),
        (f"DROP POLICY own_policy ON {TABLE}",),
    ),
    f"row security {TABLE}": (
        (f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",),
        (f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY",),
    ),
    "foreign key own_child": (
        (
            "CREATE TABLE own_children (namespace_id CHAR(64), run_id CHAR(64), CONSTRAINT own_child "
            f"FOREIGN KEY (namespace_id, run_id) REFERENCES {TABLE} (namespace_id, run_id))",
        ),
        ("DROP TABLE own_children",),
    ),
    "constraint own_unique": (
        (f"ALTER TABLE {TABLE} ADD CONSTRAINT own_unique UNIQUE (namespace_id, run_id, status)",),
        (f"ALTER TABLE {TABLE} DROP CONSTRAINT own_unique",),
    ),
    "constraint that was never checked own_check": (
        (f"ALTER TABLE {TABLE} ADD CONSTRAINT own_check CHECK (status < 1) NOT VALID",),
        (f"ALTER TABLE {TABLE} DROP CONSTRAINT own_check",),
    ),
    "publication own_publication": (
        (f"CREATE PUBLICATION own_publication FOR TABLE {TABLE}",),
        ("DROP PUBLICATION own_publication",),
    ),
    "inheritance own_heir": ((f"CREATE TABLE own_heir () INHERITS ({TABLE})",), ("DROP TABLE own_heir",)),
    "statistics own_statistics": (
        (f"CREATE STATISTICS own_statistics ON status, workflow_type_name FROM {TABLE}",),
        ("DROP STATISTICS own_statistics",),
    ),
    "sequence own_sequence": (
        (f"CREATE SEQUENCE own_sequence OWNED BY {TABLE}.status",),
        ("DROP SEQUENCE own_sequence",),
    ),
    "function own_function": (
        (f"CREATE FUNCTION own_function(r {TABLE}) RETURNS int AS $$ SELECT 1 $$ LANGUAGE sql",),
        (f"DROP FUNCTION own_function({TABLE})",),
    ),
    "function own_lists": (
        (f"CREATE FUNCTION own_lists(r {TABLE}[]) RETURNS int AS $$ SELECT 1 $$ LANGUAGE sql",),
        (f"DROP FUNCTION own_lists({TABLE}[])",),
    ),
    "view own_typed": ((f"CREATE VIEW own_typed AS SELECT NULL::{TABLE} AS r",), ("DROP VIEW own_typed",)),
    "policy own_reader on public.own_other": (
        (
            "CREATE TABLE own_other (run_id CHAR(64))",
            f"CREATE POLICY own_reader ON own_other USING (EXISTS (SELECT FROM {TABLE} e WHERE e.status = 1))",
        ),
        ("DROP TABLE own_other",),
    ),
    "default value for public.own_other.here": (
        (f"CREATE TABLE own_other (here BOOLEAN DEFAULT (NULL::{TABLE} IS NULL))",),
        ("DROP TABLE own_other",),
    ),
    "table constraint own_here on public.own_other": (
        (f"CREATE TABLE own_other (a INT CONSTRAINT own_here CHECK (a > 0 OR NULL::{TABLE} IS NULL))",),
        ("DROP TABLE own_other",),
    ),
    "type public.own_domain": ((f"CREATE DOMAIN own_domain AS {TABLE}[]",), ("DROP DOMAIN own_domain",)),
    "column of its type own_pair.r": ((f"CREATE TYPE own_pair AS (r {TABLE})",), ("DROP TYPE own_pair",)),
    "subscription own_subscription": (
        (
            "CREATE SUBSCRIPTION own_subscription CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)",
            "INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate, srsublsn) "
            f"SELECT oid, '{TABLE}'::regclass, 'r', '0/0' FROM pg_subscription WHERE subname = 'own_subscription'",
        ),
        (
            "DELETE FROM pg_subscription_rel",
            "ALTER SUBSCRIPTION own_subscription SET (slot_name = NONE)",
            "DROP SUBSCRIPTION own_subscription",
        ),
    ),
    "column of its type own_rows.r": ((f"CREATE TABLE own_rows (r {TABLE}[])",), ("DROP TABLE own_rows",)),
    "comment on by_execution_time": (
        ("COMMENT ON INDEX by_execution_time IS 'own'",),
        ("COMMENT ON INDEX by_execution_time IS NULL",),
    ),
    f"comment on {TABLE}_pkey": (
        (f"COMMENT ON CONSTRAINT {TABLE}_pkey ON {TABLE} IS 'own'",),
        (f"COMMENT ON CONSTRAINT {TABLE}_pkey ON {TABLE} IS NULL",),
    ),
    f"clustering by {TABLE}_pkey": (
        (f"ALTER TABLE {TABLE} CLUSTER ON {TABLE}_pkey",),
        (f"ALTER TABLE {TABLE} SET WITHOUT CLUSTER",),
    ),
    f"replica identity by index {TABLE}_pkey": (
        (f"ALTER TABLE {TABLE} REPLICA IDENTITY USING INDEX {TABLE}_pkey",),
        (f"ALTER TABLE {TABLE} REPLICA IDENTITY DEFAULT",),
    ),
    "settings of column status": (
        (f"ALTER TABLE {TABLE} ALTER COLUMN status SET STATISTICS 500",),
        (f"ALTER TABLE {TABLE} ALTER COLUMN status SET STATISTICS -1",),
    ),
    "access method own_way": (
        (
            "CREATE ACCESS METHOD own_way TYPE TABLE HANDLER heap_tableam_handler",
            f"UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'own_way') WHERE relname = '{TABLE}'",
        ),
        (
            f"UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'heap') WHERE relname = '{TABLE}'",
            "DROP ACCESS METHOD own_way",
        ),
    ),
    f"unlogged table {TABLE}": ((f"ALTER TABLE {TABLE} SET UNLOGGED",), (f"ALTER TABLE {TABLE} SET LOGGED",)),
}
# Only since 18.
REFUSED_18: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "constraint that was never checked own_not_null": (
        (f"ALTER TABLE {TABLE} ADD own_column INT, ADD CONSTRAINT own_not_null NOT NULL own_column NOT VALID",),
        (f"ALTER TABLE {TABLE} DROP own_column",),
    ),
}
# Everything that moves to the new table, as the server's own catalog says it.
CARRIED = f"""
SELECT c.relowner::regrole::text, c.relacl::text, c.reloptions, c.relreplident::text, obj_description(c.oid),
       (SELECT reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid),
       (SELECT array_agg(a.attname || col_description(c.oid, a.attnum) ORDER BY a.attname) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND col_description(c.oid, a.attnum) IS NOT NULL),
       (SELECT array_agg(a.attname || a.attacl::text ORDER BY a.attname) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL),
       (SELECT array_agg(k.conname || pg_get_constraintdef(k.oid) || coalesce(obj_description(k.oid), '')
                         ORDER BY k.conname) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype <> 'n'),
       (SELECT array_agg(pg_get_indexdef(i.indexrelid) ORDER BY 1) FROM pg_index i JOIN pg_class x
        ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND x.relname LIKE 'own%')
FROM pg_class c WHERE c.oid = '{TABLE}'::regclass
"""
# Tables of ours that hold keys or records of the live one.
READ_BY_OTHERS = """
SELECT c.relname, a.grantee::regrole::text FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
WHERE c.relname = 'temporal_visibility_log' AND a.grantee <> c.relowner
"""


def prepared(url: str) -> None:
    with journeys.opened(url) as (chosen, client):
        journeys.upgrade(chosen, client, find("1.9"))
        for _ in client.write(find("1.9"), generate(find("1.9"), 60, 3)):
            pass


def looked(url: str, offline: bool = False, version: str = "1.14") -> list[Problem]:
    return looks(url, (offline,), version)[0]


def looks(url: str, ways: Sequence[bool] = (False, True), version: str = "1.14") -> list[list[Problem]]:
    """What a plan meets: online, and offline."""
    with journeys.opened(url) as (chosen, client):
        assert isinstance(client, Checking)
        plans = [plan_store(chosen, client, find(version), chain(), NO_OVERLAY, offline) for offline in ways]
        return [list(client.preflight(plan)) for plan in plans]


@pytest.mark.short
def test_what_would_be_lost_is_refused(postgresql: Handle) -> None:
    """Each kind is named while it is there, and not when it is gone; the plain way, which loses nothing, is open."""
    url = postgresql.url
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        version = connection.info.server_version
        for name, (make, unmake) in (REFUSED | (REFUSED_18 if version >= 180000 else {})).items():
            for statement in make:
                connection.execute(statement)
            meanwhile, plainly = looks(url)
            found = [p for p in meanwhile if p.code == "TV5206"]
            assert len(found) == 1, name
            assert name in found[0].message
            assert found[0].fatal
            assert not [p for p in plainly if p.fatal], name
            for statement in unmake:
                connection.execute(statement)
            assert not [p for p in looked(url) if p.code == "TV5206"], name
        if version >= 160000:
            no_owner_to_give(url, connection, f"own_{postgresql.database}")


def no_owner_to_give(url: str, connection: psycopg.Connection[Any], me: str) -> None:
    """A member of the owner that may not give it anything, as membership may be since 16, is told so."""
    both = f"{me}, {me}_owner"
    connection.execute(f"CREATE ROLE {me}; CREATE ROLE {me}_owner; GRANT {me}_owner TO {me} WITH SET FALSE".encode())
    try:
        connection.execute(f"GRANT ALL ON SCHEMA public TO {both}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {me}; "
                           f"ALTER TABLE {TABLE} OWNER TO {me}_owner".encode())  # fmt: skip
        found = [p.hint for p in looked(f"{url}?options=-crole%3D{me}") if p.code == "TV5201" and "copy" in p.message]
        assert found == [f"GRANT {me}_owner TO {me} WITH SET TRUE."]
    finally:
        connection.execute(f"REASSIGN OWNED BY {both} TO CURRENT_USER; DROP OWNED BY {both}; DROP ROLE {both}".encode())


def test_what_stands_in_the_way_is_in_the_plan(postgresql: Handle) -> None:
    """In every form; and the run refuses, with the same words, and leaves nothing behind."""
    url = postgresql.url
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE VIEW own_view AS SELECT run_id FROM {TABLE}")
        # An autovacuum between two looks would make the table larger.
        connection.execute(f"ALTER TABLE {TABLE} SET (autovacuum_enabled = false)")
        before = objects(connection)
        plan = here("schema", "plan", url, "--output", "json").json("schema-plan")["plans"][0]
        (problem,) = [p for p in plan["preflight"] if p["code"] == "TV5206"]
        assert problem["fatal"] is True
        assert "view own_view" in problem["message"]
        for form in ("text", "markdown", "html"):
            shown = here("schema", "plan", url, "--format", form).out
            assert "TV5206" in shown, form
            assert "own" in shown, form
            assert "must be mended" in shown, form
        dry = here("schema", "upgrade", url, "--dry-run", "--output", "json").json("schema-upgrade")["runs"][0]
        assert dry["preflight"] == plan["preflight"]
        ran = here("schema", "upgrade", url, "--yes")
        assert (ran.code, problem["message"] in ran.err) == (1, True), ran.err
        assert objects(connection) == before
        connection.execute("DROP VIEW own_view")
    left = [one for one in plan["preflight"] if one != problem]
    done = here("schema", "upgrade", url, "--yes", "--output", "json").json("schema-upgrade")["runs"][0]
    assert (done["done"], done["preflight"]) == (True, left)
    assert here("schema", "finish", url, "--yes").code == 0
    down = ("schema", "downgrade", url, "--to", "1.13", "--output", "json")
    dry, done = (here(*down, word).json("schema-downgrade")["runs"][0] for word in ("--dry-run", "--yes"))
    assert (done["done"], [one["code"] for one in done["preflight"]]) == (True, [p["code"] for p in dry["preflight"]])


def objects(connection: psycopg.Connection[Any]) -> list[Any]:
    """All relations and triggers besides the books."""
    rows = connection.execute(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace UNION ALL "
        "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    ).fetchall()
    books = ("temporal_visibility_lock", "temporal_visibility_run", "temporal_visibility_journal")
    return [name for (name,) in rows if not name.startswith(books)]


def test_what_moves_to_the_new_table(postgresql: Handle) -> None:
    """Owner, grants, options, comments, checks, own indexes, replica identity, place: as before, after, and back again.
    Rights that tables get by default are not among them: they may have been taken away. Nor is a place by default."""
    url = postgresql.url
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC, pg_signal_backend",
            f"GRANT UPDATE ON {TABLE} TO PUBLIC",
            f"GRANT INSERT ON {TABLE} TO pg_monitor WITH GRANT OPTION",
            f"GRANT UPDATE (status) ON {TABLE} TO pg_monitor",
            f"ALTER TABLE {TABLE} SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)",
            f"ALTER TABLE {TABLE} SET (toast.autovacuum_enabled = false)",
            f"ALTER TABLE {TABLE} REPLICA IDENTITY FULL",
            f"ALTER TABLE {TABLE} ADD CONSTRAINT own_check CHECK (status < 100)",
            f"COMMENT ON CONSTRAINT own_check ON {TABLE} IS 'of the check'",
            f"COMMENT ON TABLE {TABLE} IS 'it''s ours'",
            f"COMMENT ON COLUMN {TABLE}.status IS 'of the column'",
            f"CREATE INDEX own_partial ON {TABLE} (status) WITH (fillfactor = 70) WHERE close_time IS NULL",
            f"CREATE UNIQUE INDEX own_unique ON {TABLE} (namespace_id, run_id, start_time) INCLUDE (status)",
        ):
            connection.execute(statement)
        connection.execute(f"ALTER DATABASE {postgresql.database} SET default_tablespace = pg_global".encode())
        before = connection.execute(CARRIED).fetchone()
        oid = connection.execute(f"SELECT '{TABLE}'::regclass::oid").fetchone()
        for words in (("upgrade",), ("rollback",), ("upgrade",), ("finish",)):
            ran = here("schema", *words, url, "--yes")
            assert ran.code == 0, ran.err
            assert connection.execute(CARRIED).fetchone() == before, words
            assert connection.execute(READ_BY_OTHERS).fetchall() == [], words
        assert connection.execute(f"SELECT '{TABLE}'::regclass::oid").fetchone() != oid


# Places that a run names → what is changed there while it runs, and how that is undone.
MEANWHILE: Mapping[str, tuple[str, str]] = {
    "own_before": ("DROP COLUMN own_before", "ADD COLUMN own_before INT"),
    "table/columns/own_later": ("ADD COLUMN own_later INT", "DROP COLUMN own_later"),
    "details/checks/own_check": ("ADD CONSTRAINT own_check CHECK (status < 100)", "DROP CONSTRAINT own_check"),
    "details/columns/status": ("ALTER COLUMN status SET DEFAULT 1", "ALTER COLUMN status DROP DEFAULT"),
    "details/columns/memo": ("ALTER COLUMN memo SET STORAGE MAIN", "ALTER COLUMN memo SET STORAGE EXTENDED"),
}


# The same, of what takes no lock that the swap's weak one would keep waiting.
AT_LAST: Mapping[str, tuple[str, str]] = {
    "table/obstacles": (f"CREATE VIEW own_view AS SELECT run_id FROM {TABLE}", "DROP VIEW own_view"),
    "table/grants": (f"GRANT DELETE ON {TABLE} TO pg_monitor", f"REVOKE DELETE ON {TABLE} FROM pg_monitor"),
}


def test_what_is_changed_while_a_run_copies_is_not_lost(postgresql: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run stops before its swap, names the place, and goes on once it is as it was."""
    url = postgresql.url
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:

        def alter(clause: str) -> None:
            connection.execute(f"ALTER TABLE {TABLE} {clause}".encode())

        alter("ADD COLUMN own_before INT")
        watch, met = online.once_before(CompareChunk, lambda: None)
        with pytest.raises(Stopped):
            online.go(url, options=Options(watch=watch, stopped=lambda: bool(met)))
        for place, (make, unmake) in MEANWHILE.items():
            alter(make)
            ran = here("schema", "upgrade", url, "--yes")
            assert (ran.code, "TV5001" in ran.err, place in ran.err) == (1, True, True), ran.err
            alter(unmake)
        # After the last look, too, as when this waits in front of the swap for the same lock.
        (place, (make, unmake)), *_ = MEANWHILE.items()
        watch, met = online.once_before(Swap, lambda: alter(make))
        with pytest.raises(StoreChanged, match=place):
            online.go(url, options=Options(watch=watch))
        assert met
        alter(unmake)
        # And after the look under the weak lock, while the swap waits for the strong one.
        for place, (make, unmake) in AT_LAST.items():
            with monkeypatch.context() as patched:
                before_the_strong_lock(patched, lambda make=make: connection.execute(make.encode()))
                with pytest.raises(StoreChanged, match=place):
                    online.go(url)
            connection.execute(unmake.encode())
        ran = here("schema", "upgrade", url, "--yes")
        assert ran.code == 0, ran.err


def before_the_strong_lock(patched: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have `act` done when a swap is about to ask for its strong lock."""
    ran = PostgresRebuilder._run

    def run(self: PostgresRebuilder, step: Step, part: str, values: Mapping[str, object] | None = None) -> Any:
        if part == "lock":
            act()
        return ran(self, step, part, values)

    patched.setattr(PostgresRebuilder, "_run", run)


def test_a_run_by_a_member_of_the_owner_leaves_the_store_to_the_owner(postgresql: Handle) -> None:
    """What was granted to the member itself is there after it, and the way back is open; and once the member is none
    any more, writes are recorded all the same."""
    url, me = postgresql.url, f"own_{postgresql.database}"
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {me}; CREATE ROLE {me}_owner; GRANT {me}_owner TO {me}".encode())
        try:
            connection.execute(
                f"REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT ALL ON SCHEMA public TO {me}_owner; "
                f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {me}_owner; ALTER TABLE {TABLE} OWNER TO {me}_owner; "
                f"GRANT SELECT ON {TABLE} TO {me}".encode()
            )
            before = connection.execute(CARRIED).fetchone()
            for words in ("upgrade", "rollback", "upgrade"):
                ran = here("schema", words, f"{url}?options=-crole%3D{me}", "--yes")
                assert ran.code == 0, ran.err
                assert connection.execute(CARRIED).fetchone() == before, words
            connection.execute(f"REVOKE {me}_owner FROM {me}; SET ROLE {me}_owner".encode())
            connection.execute(f"UPDATE {TABLE} SET status = 5")
            connection.execute("RESET ROLE")
            recorded = connection.execute("SELECT count(*) FROM temporal_visibility_log").fetchone()
            assert recorded == connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone()
        finally:
            both = f"{me}, {me}_owner"
            connection.execute(
                f"RESET ROLE; REASSIGN OWNED BY {both} TO CURRENT_USER; DROP OWNED BY {both}; DROP ROLE {both}".encode()
            )


def test_a_partitioned_table_is_refused_at_once(postgresql: Handle) -> None:
    """Not after its columns were added: no index is built concurrently there."""
    url = postgresql.url
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {TABLE} RENAME TO own_old")
        connection.execute(f"CREATE TABLE {TABLE} (LIKE own_old INCLUDING DEFAULTS INCLUDING GENERATED) "
                           "PARTITION BY HASH (namespace_id)")  # fmt: skip
        connection.execute(f"CREATE TABLE own_part PARTITION OF {TABLE} FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
        before = objects(connection)
        assert "TV5211" in [p.code for p in looked(url) if p.fatal]
        ran = here("schema", "upgrade", url, "--yes")
        assert (ran.code, "TV5211" in ran.err) == (1, True), ran.err
        assert objects(connection) == before


def test_what_a_run_can_wait_for_is_a_note(postgresql: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that is open, and the disk that is needed: told, and no reason to stop."""
    url = postgresql.url
    prepared(url)
    monkeypatch.setattr(preflight, "LONG_SECONDS", 0)
    with psycopg.connect(url, application_name="own-session") as waiting:
        waiting.execute("SELECT 1")
        notes = looked(url)
    assert [p.fatal for p in notes if p.code == "TV5203"] == [False]
    assert [p.fatal for p in notes if "own-session" in p.message] == [False]
    assert not [p for p in notes if p.fatal]


# What a rollback says → the statement made since the upgrade that it would lose, and the one that takes that back.
SINCE: Mapping[str, tuple[str, str]] = {
    "view own_view": (f"CREATE VIEW own_view AS SELECT run_id FROM {TABLE}", "DROP VIEW own_view"),
    "column own_notes is new": (
        f"ALTER TABLE {TABLE} ADD COLUMN own_notes TEXT",
        f"ALTER TABLE {TABLE} DROP COLUMN own_notes",
    ),
    "index own_later is new": (f"CREATE INDEX own_later ON {TABLE} (status)", "DROP INDEX own_later"),
    "SELECT of pg_monitor was granted": (
        f"GRANT SELECT ON {TABLE} TO pg_monitor",
        "GRANT SELECT ON temporal_visibility_old TO pg_monitor",
    ),
    "INSERT of pg_monitor was revoked": (
        f"REVOKE INSERT ON {TABLE} FROM pg_monitor",
        f"GRANT INSERT ON {TABLE} TO pg_monitor WITH GRANT OPTION",
    ),
    "check constraint own_check is new": (
        f"ALTER TABLE {TABLE} ADD CONSTRAINT own_check CHECK (status < 100)",
        f"ALTER TABLE {TABLE} DROP CONSTRAINT own_check",
    ),
    "check constraint own_before was dropped": (
        f"ALTER TABLE {TABLE} DROP CONSTRAINT own_before",
        f"ALTER TABLE {TABLE} ADD CONSTRAINT own_before CHECK (own_column <> '')",
    ),
    "column own_column was altered": (
        f"ALTER TABLE {TABLE} ALTER own_column TYPE VARCHAR(9), ALTER own_column SET DEFAULT 'x'",
        f"ALTER TABLE {TABLE} ALTER own_column TYPE TEXT, ALTER own_column DROP DEFAULT",
    ),
    "column task_queue was altered; index by_status was altered": (
        f"ALTER TABLE {TABLE} ALTER task_queue DROP DEFAULT; DROP INDEX by_status; "
        f"CREATE INDEX by_status ON {TABLE} (status)",
        f"ALTER TABLE {TABLE} ALTER task_queue SET DEFAULT ''; DROP INDEX by_status",
    ),
    "comment on column status was changed": (
        f"COMMENT ON COLUMN {TABLE}.status IS 'new'",
        "COMMENT ON COLUMN temporal_visibility_old.status IS 'new'",
    ),
    "comment was changed": (f"COMMENT ON TABLE {TABLE} IS 'new'", f"COMMENT ON TABLE {TABLE} IS NULL"),
    "gone from executions_visibility: own_column": (
        f"ALTER TABLE {TABLE} DROP COLUMN own_column",
        f"ALTER TABLE {TABLE} ADD COLUMN own_column TEXT, ADD CONSTRAINT own_before CHECK (own_column <> '')",
    ),
}


def test_a_rollback_loses_nothing_that_was_made_since(postgresql: Handle) -> None:
    """It is refused before it begins, so that finish stays open; an index that was dropped since is no hindrance."""
    url = postgresql.url
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SINCE[f"gone from {TABLE}: own_column"][1].encode())
        connection.execute(f"CREATE INDEX own_index ON {TABLE} (own_column)")
        connection.execute(f"GRANT INSERT ON {TABLE} TO pg_monitor WITH GRANT OPTION")
        for grantee in ("pg_monitor WITH GRANT OPTION", "pg_signal_backend WITH GRANT OPTION"):
            connection.execute(f"GRANT DELETE ON {TABLE} TO {grantee}".encode())
        # By another role, too, which comes later in the list and passes on less.
        connection.execute(f"SET ROLE pg_monitor; GRANT DELETE ON {TABLE} TO pg_signal_backend; RESET ROLE")
        assert here("schema", "upgrade", url, "--yes").code == 0
        for said, (make, unmake) in SINCE.items():
            connection.execute(make.encode())
            ran = here("schema", "rollback", url, "--yes")
            assert (ran.code, said in ran.err, "schema finish" in ran.err) == (1, True, True), ran.err
            dry = here("schema", "rollback", url, "--dry-run", "--output", "json").json("schema-rollback")["runs"][0]
            (problem,) = [one for one in dry["preflight"] if said in one["message"]]
            assert problem["fatal"]
            assert problem["code"] in here("schema", "rollback", url, "--dry-run").out
            connection.execute(unmake.encode())
        begun = connection.execute("SELECT 1 FROM temporal_visibility_run WHERE kind = 'rollback'").fetchall()
        assert begun == []
        connection.execute("DROP INDEX IF EXISTS own_index, by_int_01")
        ran = here("schema", "rollback", url, "--yes")
        assert ran.code == 0, ran.err
        assert connection.execute("SELECT to_regclass('own_index') IS NOT NULL").fetchone() == (True,)


def test_writes_that_no_trigger_saw_are_not_lost(postgresql: Handle) -> None:
    """Whoever loads data with all triggers disabled: neither a swap nor a rollback brings back the rows of before."""
    url = postgresql.url
    prepared(url)
    disabled, enabled = (f"ALTER TABLE {TABLE} {word} TRIGGER ALL" for word in ("DISABLE", "ENABLE"))
    load = f"{disabled}; UPDATE {TABLE} SET status = 7; {enabled}"

    def watch(action: Action, outcome: Outcome | None) -> None:
        if isinstance(action, Swap) and outcome is None:
            connection.execute(load.encode())

    with psycopg.connect(url, autocommit=True) as connection:
        with journeys.opened(url) as (chosen, client):
            task = upgrade_task(
                chosen, plan_store(chosen, client, find("1.14"), chain(), NO_OVERLAY), find("1.14"), NO_OVERLAY
            )
            with pytest.raises(EngineError, match="not recorded all the time"):
                perform(client, task, lambda *_: None, time.monotonic, Options(watch=watch))
        for words in (("rollback",), ("upgrade",)):
            ran = here("schema", *words, url, "--yes")
            assert ran.code == 0, ran.err
        connection.execute(load.replace("7", "8").encode())
        ran = here("schema", "rollback", url, "--yes")
        assert (ran.code, "TV5213" in ran.err, "schema finish" in ran.err) == (1, True, True), ran.err
        assert here("schema", "finish", url, "--yes").code == 0
        assert connection.execute(f"SELECT DISTINCT status FROM {TABLE}").fetchall() == [(8,)]


def test_nor_after_a_run_that_did_not_write_down_what_it_made(postgresql: Handle) -> None:
    """As those of earlier releases: downwards, too, where columns go that the old table has."""
    url = postgresql.url
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SINCE[f"gone from {TABLE}: own_column"][1].encode())
        connection.execute(f"ALTER TABLE {TABLE} ALTER COLUMN workflow_type_name TYPE TEXT")
        connection.execute(f"CREATE INDEX own_index ON {TABLE} (own_column)")
        down = here("schema", "downgrade", url, "--to", "1.4", "--yes")
        assert (down.code, "`schema finish` drops it" in down.out) == (0, True)
        with journeys.opened(url) as (_, client):
            run = client.journal().runs()[-1]
        plan = plan_json.load(run.plan)
        assert "own_index" in plan.rollback[0].objects
        older = replace(plan, rollback=tuple(replace(step, objects=()) for step in plan.rollback))
        connection.execute(
            "UPDATE temporal_visibility_run SET plan = %s WHERE id = %s", (Jsonb(plan_json.dump(older)), run.id)
        )
        for said in ("column own_notes is new", "index own_later is new", f"gone from {TABLE}: own_column"):
            make, unmake = SINCE[said]
            connection.execute(make.encode())
            ran = here("schema", "rollback", url, "--yes")
            assert (ran.code, said in ran.err) == (1, True), ran.err
            connection.execute(unmake.encode())
        ran = here("schema", "rollback", url, "--yes")
        assert ran.code == 0, ran.err


@pytest.mark.parametrize("key", [None, "(run_id, namespace_id)", "(namespace_id, run_id) DEFERRABLE"])
def test_without_its_primary_key_a_table_is_not_rebuilt(postgresql: Handle, key: str | None) -> None:
    """Rows are copied and followed by it. The plan can be looked at, and the plain way needs none."""
    url = postgresql.url
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT {TABLE}_pkey")
        if key is not None:
            connection.execute(f"ALTER TABLE {TABLE} ADD CONSTRAINT own_key PRIMARY KEY {key}".encode())
        assert [p.code for p in looked(url) if p.fatal] == ["TV5214"]
        assert not [p for p in looked(url, offline=True) if p.fatal]
        for command in ("status", "plan"):
            assert here("schema", command, url).code in (0, 3), command


def test_a_unique_index_in_which_copied_rows_can_meet_is_refused(postgresql: Handle) -> None:
    """One running execution a workflow, say; the plain way is open, and one that contains the key is carried over."""
    url = postgresql.url
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for name, keys in (
            ("own_run", "run_id) INCLUDE (namespace_id"),
            ("own_expression", "namespace_id, run_id, (status + 1)"),
            ("own_whole", "run_id, status, namespace_id"),
        ):
            connection.execute(f"CREATE UNIQUE INDEX {name} ON {TABLE} ({keys})".encode())
        (problem,) = [p for p in looked(url) if p.fatal]
        assert (problem.code, problem.message.partition(": ")[2]) == ("TV5215", "own_run")
        assert not [p for p in looked(url, offline=True) if p.fatal]


def test_what_uses_columns_that_go_is_told_before(postgresql: Handle) -> None:
    """An index, a check and statistics would go in silence, and a view stop the way down half-way. A repair that drops
    a column with its check is none of that."""
    url = postgresql.url
    online.prepared(url, 20, "1.14")
    down = ("schema", "downgrade", url, "--to", "1.9", "--yes")
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (
            f"CREATE INDEX own_index ON {TABLE} (run_id) WHERE temporalbool01",
            f"ALTER TABLE {TABLE} ADD CONSTRAINT own_check CHECK (temporalint01 IS NULL OR status < 100)",
            f"CREATE STATISTICS own_statistics ON temporalint01, status FROM {TABLE}",
            f"CREATE VIEW own_view AS SELECT temporalbool01 FROM {TABLE}",
            f"CREATE INDEX own_other ON {TABLE} (status)",
        ):
            connection.execute(statement.encode())
        before = objects(connection)
        ran = here(*down)
        assert (ran.code, "TV5218" in ran.err) == (1, True), ran.err
        said = " ".join(ran.err.partition("to lose: ")[2].split())
        used = "index own_index, statistics object public.own_statistics, table constraint own_check, view own_view"
        assert said.startswith(f"{used} "), said
        assert objects(connection) == before
        connection.execute(f"DROP VIEW own_view; DROP STATISTICS own_statistics; DROP INDEX own_index; "
                           f"ALTER TABLE {TABLE} DROP CONSTRAINT own_check".encode())  # fmt: skip
        ran = here(*down)
        assert ran.code == 0, ran.err
        connection.execute(f"ALTER TABLE {TABLE} ADD COLUMN own_column INT CHECK (own_column > 0)")
        ran = here("schema", "drift", url, "--repair", "--yes")
        assert ran.code == 0, ran.err
        # What a repair makes anew loses its checks, and keeps its comment; what it drops itself is no hindrance later.
        connection.execute(f"ALTER TABLE {TABLE} DROP keyword07, ADD keyword07 VARCHAR(255); ALTER TABLE {TABLE} ADD "
                           "CONSTRAINT own_check CHECK (keyword07 <> '%'); "
                           f"COMMENT ON COLUMN {TABLE}.keyword07 IS 'it''s own'".encode())  # fmt: skip
        ran = here("schema", "drift", url, "--repair", "--keep-extra", "--yes")
        assert (ran.code, "TV5218" in ran.err, "table constraint own_check" in ran.err) == (1, True, True), ran.err
        for words in (("drift", url, "--repair"), ("rollback", url)):
            ran = here("schema", *words, "--yes")
            assert ran.code == 0, ran.err


def test_what_uses_columns_that_are_taken_back_is_told_before(postgresql: Handle) -> None:
    """A run that changes the table in place, as of an empty one, was cut off, and somebody used what it has made."""
    url = postgresql.url
    online.prepared(url, 0)
    watch, met = online.once_before(RunStep, lambda: None)
    with pytest.raises(Stopped):
        online.go(url, options=Options(watch=watch, stopped=lambda: bool(met)))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE INDEX own_index ON {TABLE} (temporalint01)")
        ran = here("schema", "rollback", url, "--yes")
        assert (ran.code, "TV5218" in ran.err, "lose: index own_index" in ran.err) == (1, True, True), ran.err
        connection.execute("DROP INDEX own_index")
    ran = here("schema", "rollback", url, "--yes")
    assert ran.code == 0, ran.err


USING = (
    "CREATE TABLE own_other (a INT, s VARCHAR, at TIMESTAMP GENERATED ALWAYS AS (convert_ts(s)) STORED); "
    "CREATE INDEX own_index ON own_other USING GIN (a)"
)


def test_what_cannot_go_at_the_end_of_a_way_back_is_told_before(postgresql: Handle) -> None:
    """Not after the swap, when neither rollback nor finish leads on; nor when it has come up since it was cut off."""
    url = postgresql.url
    online.prepared(url, 20, "1.1")
    online.go(url, "1.2")
    said = "extension btree_gin, which is to go: own_index", "function convert_ts, which is to go: own_other.at"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(USING.encode())
        ran = here("schema", "rollback", url, "--dry-run")
        assert all(one in " ".join(ran.out.split()) for one in said), ran.out
        ran = here("schema", "rollback", url, "--yes")
        assert (ran.code, "TV5218" in ran.err) == (1, True), ran.err
        connection.execute("DROP TABLE own_other")
        # The newer table, put aside and not dropped yet, is ours.
        watch, met = online.once_before(RunStep, lambda: connection.execute(USING.encode()))
        with pytest.raises(Stopped):
            online.go(url, kind="rollback", options=Options(watch=watch, stopped=lambda: bool(met)))
        with pytest.raises(EngineError, match=said[0]):
            online.go(url, kind="rollback")
        connection.execute("DROP TABLE own_other")
        online.go(url, kind="rollback")


def test_what_cannot_go_at_the_end_of_a_way_down_is_told_before(postgresql: Handle) -> None:
    """An extension is its maker's, often a superuser's, and others may use it: when the last steps fail, all else is
    gone, and there is no way back."""
    url, me = postgresql.url, f"own_{postgresql.database}"
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        assert not [p for p in looked(url, version="1.1") if p.fatal]
        connection.execute(f"CREATE ROLE {me}; GRANT ALL ON SCHEMA public TO {me}".encode())
        connection.execute(USING.encode())
        connection.execute(f"CREATE INDEX own_gin ON {TABLE} USING GIN (run_id)")
        try:
            connection.execute(
                f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {me}; ALTER TABLE {TABLE} OWNER TO {me}".encode()
            )
            found = [p.message for p in looked(f"{url}?options=-crole%3D{me}", version="1.1") if p.fatal]
            assert found == [
                f"the extension btree_gin, which is to go, belongs to temporal, and {me} is no member of it",
                f"the function convert_ts, which is to go, belongs to temporal, and {me} is no member of it",
                "these use the extension btree_gin, which is to go: own_gin, own_index",
                "these use the function convert_ts, which is to go: own_other.at",
            ]
            assert not [p for p in looked(f"{url}?options=-crole%3D{me}", version="1.2") if p.fatal]
        finally:
            connection.execute(f"REASSIGN OWNED BY {me} TO CURRENT_USER; DROP OWNED BY {me}; DROP ROLE {me}".encode())


def test_names_that_are_taken_are_told_before(postgresql: Handle) -> None:
    """A table that was renamed keeps its indexes' names: neither a rebuild nor a new table gets them. Nor has a
    rebuild room for the old table where one is left that no run knows of."""
    url = postgresql.url
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE own_other (a INT); CREATE INDEX by_temporal_bool_01 ON own_other (a)")
        for offline in (False, True):
            (problem,) = [p for p in looked(url, offline) if p.fatal]
            assert (problem.code, "by_temporal_bool_01 of own_other" in problem.message) == ("TV5209", True)
        connection.execute("ALTER TABLE own_other RENAME TO temporal_visibility_old; DROP INDEX by_temporal_bool_01")
        ran = here("schema", "upgrade", url, "--yes")
        assert (ran.code, "TV5107" in ran.err, "DROP TABLE temporal_visibility_old" in ran.err) == (1, True, True), ran
        connection.execute("DROP TABLE temporal_visibility_old")
        assert not [p for p in looked(url) if p.fatal]
        connection.execute(f"ALTER TABLE {TABLE} RENAME TO own_backup")
        ran = here("schema", "upgrade", url, "--yes")
        assert (ran.code, "by_batcher_user of own_backup" in ran.err) == (1, True), ran.err
        connection.execute("DROP TABLE own_backup")
        ran = here("schema", "upgrade", url, "--yes")
        assert ran.code == 0, ran.err


@pytest.mark.parametrize("offline", [False, True])
def test_a_primary_key_of_another_name_gets_its_own(postgresql: Handle, offline: bool) -> None:
    """It is there all the time, for without it no upsert is taken, and the way back of a rebuild is open."""
    url, way = postgresql.url, ["--offline"] * offline
    prepared(url)
    key = f"SELECT conname FROM pg_constraint WHERE conrelid = '{TABLE}'::regclass AND contype = 'p'"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {TABLE} RENAME CONSTRAINT {TABLE}_pkey TO own_pkey")
        connection.execute(f"CREATE TABLE own_backup (a INT CONSTRAINT {TABLE}_pkey PRIMARY KEY)")
        ran = here("schema", "upgrade", url, "--yes", *way)
        assert (ran.code, "TV5209" in ran.err, f"{TABLE}_pkey of own_backup" in ran.err) == (1, True, True), ran.err
        assert connection.execute(key).fetchall() == [("own_pkey",)]
        connection.execute("DROP TABLE own_backup")
        # A key that is made anew is another one.
        index = connection.execute("SELECT 'own_pkey'::regclass::oid").fetchone()
        for words in (["upgrade", *way], *([] if offline else [["rollback"], ["upgrade"]])):
            ran = here("schema", *words, url, "--yes")
            assert ran.code == 0, ran.err
            name = "own_pkey" if words == ["rollback"] else f"{TABLE}_pkey"
            assert connection.execute(key).fetchall() == [(name,)]
        renamed = connection.execute(f"SELECT '{TABLE}_pkey'::regclass::oid").fetchone() == index
        assert renamed == offline


def test_a_role_that_may_not_record_the_version_is_told_before(postgresql: Handle) -> None:
    """Not after the swap; nor, where it is only a member of the owner, what that one lacks for the copy."""
    url, me = postgresql.url, f"own_{postgresql.database}"
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {me}; CREATE ROLE {me}_owner".encode())
        try:
            for statement in (
                f"GRANT {me}_owner TO {me}",
                "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
                f"GRANT ALL ON SCHEMA public TO {me}",
                f"GRANT SELECT, INSERT ON schema_version, schema_update_history, alembic_version TO {me}",
                f"ALTER TABLE {TABLE} OWNER TO {me}_owner",
            ):
                connection.execute(statement.encode())
            found = looked(f"{url}?options=-crole%3D{me}")
            assert [p.message for p in found if p.code == "TV5201"] == [
                f"{me}_owner, who shall own the copy of {TABLE}, may not create tables",
                f"role {me} lacks DELETE on alembic_version",
                f"role {me} lacks UPDATE on schema_version",
                f"role {me} lacks SELECT, INSERT on temporal_visibility_journal",
                f"role {me} lacks SELECT, UPDATE on temporal_visibility_lock",
                f"role {me} lacks SELECT, INSERT, UPDATE on temporal_visibility_run",
            ]
            connection.execute(f"ALTER ROLE {me} CONNECTION LIMIT 3".encode())
            with journeys.opened(url) as (chosen, client):
                assert isinstance(client, PostgresClient)
                plan = plan_store(chosen, client, find("1.14"), chain(), NO_OVERLAY)
                client.ask(BoundSql("SELECT set_config('session_authorization', %s, false)", (me,)))
                (note,) = [p for p in client.preflight(plan) if p.code == "TV5219"]
            assert (note.fatal, note.message.endswith(" lets in 3 now")) == (False, True), note
        finally:
            both = f"{me}, {me}_owner"
            connection.execute(
                f"REASSIGN OWNED BY {both} TO CURRENT_USER; DROP OWNED BY {both}; DROP ROLE {both}".encode()
            )


def test_own_columns_of_any_type_are_carried_over(postgresql: Handle) -> None:
    """Types without an equality, too; and rights on a column that the way down drops do not hinder it."""
    url = postgresql.url
    prepared(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {TABLE} ADD COLUMN own_json JSON, ADD COLUMN own_points POINT[]")
        connection.execute(f"UPDATE {TABLE} SET own_json = '{{\"a\": 1}}', own_points = ARRAY[point(1, 2)]")
        assert here("schema", "upgrade", url, "--yes").code == 0
        assert here("schema", "finish", url, "--yes").code == 0
        kept = f"SELECT count(*) FROM {TABLE} WHERE own_json ->> 'a' = '1' AND own_points[1] ~= point(1, 2)"
        assert connection.execute(kept).fetchone() == (60,)
        connection.execute(f"GRANT SELECT (run_id, temporalbool01) ON {TABLE} TO pg_monitor")
        connection.execute(f"ALTER TABLE {TABLE} ALTER COLUMN workflow_type_name TYPE TEXT")
        ran = here("schema", "downgrade", url, "--to", "1.9", "--yes")
        assert ran.code == 0, ran.err
        ran = here("schema", "rollback", url, "--yes")
        assert ran.code == 0, ran.err
