"""The command line as an impatient user meets it: right answers, coded errors, exit codes, no secrets."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from typing import Any

import click
import pytest

from tests.support.catalogs import released
from tests.support.command import Ran, here
from tests.support.command import process as temporal_visibility
from toolkit.apply.actions import Pause
from toolkit.cli import COMMANDS, SCHEMA_COMMANDS, files, root, upgrade
from toolkit.cli.generate import write
from toolkit.cli.output import TRACEBACK, run_command
from toolkit.cli.running import LIVE_SECONDS, RunProgress, confirm, safe_stop
from toolkit.engines import ENGINES
from toolkit.errors import TargetError, UsageError
from toolkit.generate import Stale
from toolkit.plan import NO_LOCK, Plan, Step, StepClass
from toolkit.targets import resolve

# What CI runs speaks to GitHub, too.
OUTPUTS = {name: "text|json|github" for name in ("drift", "verify-paths", "generate")}
ROOT = str(Path(__file__).resolve().parent.parent.parent)
OUTPUTS["check"] = "text|json|github|sarif"


def failed(ran: Ran, code: str, exit_code: int) -> None:
    assert (ran.code, code in ran.err) == (exit_code, True), ran


def test_versions() -> None:
    ran = temporal_visibility("schema", "versions", "--output", "json")
    versions = ran.json("schema-versions")["versions"]
    assert [v["version"] for v in versions] == [d.version for d in released()]
    assert "Elasticsearch" in temporal_visibility("schema", "versions").out


@pytest.mark.parametrize("version", ["1.0", "1.14", "v3", "latest", "working"])
def test_show(version: str) -> None:
    assert here("schema", "show", version, "--output", "json").json("schema-show")["fields"]
    assert "NamespaceId" in here("schema", "show", version).out


@pytest.mark.parametrize("store", list(ENGINES))
def test_show_on_an_engine(store: str) -> None:
    data = here("schema", "show", "1.9", "--engine", store, "--output", "json").json("schema-show-engine")
    assert data["statements"]
    assert here("schema", "show", "1.9", "--engine", store).out.strip()


def test_diff() -> None:
    data = here("schema", "diff", "1.5", "1.6", "--output", "json").json("schema-diff")
    assert {c["after"]["name"] for c in data["changes"]} == {"RootWorkflowId", "RootRunId"}
    data = here("schema", "diff", "1.13", "1.14", "--engine", "postgresql", "--output=json").json("schema-diff")
    assert [s["class"] for s in data["steps"]] == ["rebuild", "online", "online"]
    assert here("schema", "diff", "1.6", "1.6", "--exit-code").code == 0
    assert here("schema", "diff", "1.5", "1.6", "--exit-code").code == 3


def test_generated_files_are_current() -> None:
    ran = temporal_visibility("schema", "generate", "--check", "--output", "json")
    assert (ran.code, ran.json("schema-generate")["stale"]) == (0, [])


def test_a_folder_that_takes_no_files(tmp_path: Path) -> None:
    (tmp_path / "sql").write_text("a file where a folder should be")
    with pytest.raises(UsageError) as refused:
        write(tmp_path, Stale({"sql/x.sql": ""}, ()))
    assert refused.value.code == "TV2008"


@pytest.mark.parametrize(("reason", "left"), [(errno.ENOSPC, "before"), (errno.EBUSY, "after")])
def test_a_report_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int, left: str
) -> None:
    """Nothing is left beside it, and one that is mounted by itself keeps its place."""
    report = tmp_path / "drift.xml"
    report.write_text("before")

    def refuse(*_: object) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(os, "replace", refuse)
    with nullcontext() if left == "after" else pytest.raises(UsageError):
        files.write(report, "after")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("drift.xml", left)]


def test_wrong_words() -> None:
    failed(here("schema", "show", "9.9"), "TV2002", 2)
    failed(here("schema", "show", "one"), "TV2002", 2)
    for words in (("show", "1.0"), ("diff", "1.5", "1.14"), ("diff", "1.14", "1.5"), ("check", "--from", "1.5")):
        failed(here("schema", *words, "--engine", "clickhouse"), "TV2005", 2)
    failed(here("schema", "status", "oracle://host/db"), "TV3002", 2)
    failed(here("schema", "status", "postgresql://host:port/db"), "TV3003", 2)
    failed(here("schema", "status", "postgresql://u:${NOT_SET}@host/db"), "TV3004", 2)
    assert here("schema", "frobnicate").code == 2
    assert here("schema", "show").code == 2
    assert here("--frobnicate").code == 2
    for words in (("status", "--watch", "nan"), ("upgrade", "--max-load", "inf"), ("upgrade", "--chunk-time", "nan")):
        ran = here("schema", *words, "sqlite:///none.db")
        assert (ran.code, "is no number" in ran.err) == (2, True), ran


def test_errors_as_json(tmp_path: Path) -> None:
    for words in (
        ("schema", "show", "9.9"),
        ("schema", "frobnicate"),
        ("schema", "plan", "postgresql://127.0.0.1:1/x"),
        ("schema", "plan", f"sqlite:///{tmp_path}/x.db", "--out", f"{tmp_path}/none/plan.json"),
    ):
        ran = here(*words, "--output", "json")
        assert ran.code in (1, 2)
        assert ran.json("error")["error"]["message"]
    # It may be about many stores, and tells of those that answer.
    ran = here("schema", "status", "postgresql://127.0.0.1:1/x", "--output", "json")
    assert (ran.code, ran.json("schema-status")["stores"][0]["error"]["code"]) == (1, "TV4001")


def test_no_target_and_no_configuration(tmp_path: Path) -> None:
    failed(temporal_visibility("schema", "status", cwd=tmp_path), "TV3005", 2)
    failed(temporal_visibility("schema", "status", "main", cwd=tmp_path), "TV3006", 2)
    failed(here("schema", "status", "--config", "x" * 300), "TV1001", 2)
    failed(here("schema", "status", f"sqlite:///{'x' * 300}"), "TV4001", 1)
    # The file's overlay would be passed over without a word.
    failed(here("schema", "drift", "sqlite:///x.db", "--config", f"{tmp_path}/none.yaml"), "--config", 2)
    assert not (tmp_path / "x.db").exists()
    (tmp_path / "none.yaml").write_text("stores: {}\n")
    failed(here("schema", "require", "--server", "1.31", "--config", f"{tmp_path}/none.yaml"), "TV3005", 2)


def test_stores_of_a_configuration_file(tmp_path: Path) -> None:
    config = tmp_path / "temporal-visibility.yaml"
    config.write_text("stores:\n  a: {url: 'postgresql://u:${PW}@127.0.0.1:1/x'}\n  b: {url: 'nonsense'}\n")
    failed(temporal_visibility("schema", "status", "c", cwd=tmp_path, env={"PW": "s3cret"}), "TV3002", 2)
    config.write_text("stores:\n  a: {url: 'postgresql://u:${PW}@127.0.0.1:1/x'}\n")
    failed(temporal_visibility("schema", "status", "c", cwd=tmp_path, env={"PW": "s3cret"}), "TV3007", 2)
    for ran in (
        temporal_visibility("schema", "status", "a", cwd=tmp_path, env={"PW": "s3cret"}),
        temporal_visibility("schema", "upgrade", "--yes", cwd=tmp_path, env={"PW": "s3cret"}),
    ):
        failed(ran, "TV4001", 1)
        assert "s3cret" not in ran.out + ran.err
    config.write_text("stores:\n  a: {url: 'sqlite:///x.db', overlay: {preallocated: {Keyword: 200}}}\n")
    failed(temporal_visibility("schema", "status", cwd=tmp_path), "TV1003", 2)


def test_of_several_stores_one_fails(tmp_path: Path) -> None:
    config = tmp_path / "stores.yaml"
    urls = {
        "a": f"sqlite:///{tmp_path}/a.db",
        "b": f"sqlite:///{tmp_path}/none/b.db",
        "c": f"sqlite:///{tmp_path}/c.db",
    }
    config.write_text("stores:\n" + "".join(f"  {name}: {{url: '{url}'}}\n" for name, url in urls.items()))
    ran = here("schema", "upgrade", "--to", "1.0", "--yes", "--config", str(config), "--output", "json")
    told = ran.json("error")
    assert (ran.code, told["error"]["target"]) == (1, "b")
    assert [(run["target"], run["done"]) for run in told["runs"]] == [("a", True)]
    for words in (("identify",), ("require", "--server", "1.31"), ("unlock",)):
        ran = here("schema", *words, "--config", str(config))
        assert (ran.code, "Error TV4001: b: " in ran.err) == (1, True), ran


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    """As Linux allows: Python has such bytes as halves of characters."""
    name = f"{tmp_path}/\udcff"
    url, proof = f"sqlite:///{name}.db", ("schema", "verify-paths", "--engine", "sqlite", "--rows", "5")
    for words in (
        ("schema", "upgrade", url, "--to", "1.13", "--yes"),
        ("sample", url, "--rows", "5"),
        ("schema", "drift", url, "--junit", f"{name}.xml", "--metrics", f"{name}.prom"),
        (*proof, "--dump", f"{name}.db", "--markdown", f"{name}.md", "--junit", f"{name}.xml"),
    ):
        ran = here(*words)
        assert ran.code == 0, ran
    assert os.path.getsize(f"{name}.db") > 0


def test_status_tells_of_the_other_stores(tmp_path: Path) -> None:
    """Also where a URL is wrong in a way that only its engine sees."""
    config = tmp_path / "stores.yaml"
    wrong = "b: {url: 'mysql://root@localhost'}, c: {url: 'sqlite:///x.db', overlay: {without_indexes: [none]}}"
    config.write_text(f"stores: {{a: {{url: 'sqlite:///{tmp_path}/a.db'}}, {wrong}}}\n")
    ran = here("schema", "status", "--config", str(config), "--output", "json")
    told = [(store["target"], store.get("error", {}).get("code")) for store in ran.json("schema-status")["stores"]]
    assert (ran.code, told) == (2, [("a", None), ("b", "TV3008"), ("c", "TV2004")])
    failed(here("schema", "status", "--config", str(config), "--server", "soon"), "TV2040", 2)


def test_a_store_needs_its_own_variables_only(tmp_path: Path) -> None:
    config = tmp_path / "stores.yaml"
    config.write_text("stores:\n  a: {url: 'sqlite:///${Dir}/x.db'}\n  b: {url: 'postgresql://u:${NOT_SET}@h/d'}\n")
    (target,) = resolve("a", config, {"Dir": "tmp"})
    assert target.path == "tmp/x.db"
    (target,) = resolve("postgresql://u@${Db_Host}:5432/d", None, {"Db_Host": "h.example"})
    assert (target.host, target.port, target.shown) == ("h.example", 5432, "postgresql://u@${Db_Host}:5432/d")
    (target,) = resolve("postgresql://u@Db.Example/d", None, {})
    assert target.host == "db.example"
    (target,) = resolve("mysql://u:${PW}@[::1]:${P}/d", None, {"P": "33306", "PW": "x"})
    assert (target.host, target.port, target.shown) == ("::1", 33306, "mysql://u@[::1]:${P}/d")
    for port, code in (({"P": "3306/x@h"}, "TV3003"), ({"P": "70000"}, "TV3003"), ({}, "TV3004")):
        with pytest.raises(TargetError) as refused:
            resolve("mysql://u@h:${P}/d", None, port)
        assert refused.value.code == code


def test_a_short_password_does_not_make_messages_unreadable() -> None:
    (target,) = resolve("mysql://a:p@h/d", None, {})
    assert target.redact("password 'p' of a@h: is the port right?") == "password '***' of a@h: is the port right?"
    (target,) = resolve("mysql://a:pass@h/d", None, {})
    assert target.redact("mypassword") == "my***word"


def test_addresses_say_what_they_mean() -> None:
    (target,) = resolve("postgresql://u@[::1]:5432/d?application_name=a+b&user=me@server", None, {})
    assert target.shown == "postgresql://u@[::1]:5432/d?application_name=a+b&user=me@server"
    assert (target.host, target.options["application_name"]) == ("::1", "a+b")
    # A socket's directory, as libpq has it.
    (target,) = resolve("postgresql://u@%2Frun%2FPg:5433/d", None, {})
    assert (target.host, target.shown) == ("/run/Pg", "postgresql://u@%2Frun%2FPg:5433/d")
    (target,) = resolve("clickhouse+http://u@h/d?https_proxy=http://p:s3cret@proxy:3128&verify=false", None, {})
    assert target.shown == "clickhouse+http://u@h/d?https_proxy=***&verify=false"
    (target,) = resolve("sqlite:///a@b.db", None, {})
    assert target.path == "a@b.db"
    ran = here("schema", "status", "postgresql://u@a:5432,b:5433/d")
    assert ("TV3003" in ran.err, "host=a,b&port=" in ran.err) == (True, True)
    # Another file than meant: what follows the '#' would be dropped.
    failed(here("schema", "status", "sqlite:///a#b.db"), "TV3003", 2)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_question_is_not_part_of_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Plan("sqlite", (), None, "1.9", "", "", ())
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    confirm(plan, yes=False)
    said = capsys.readouterr()
    assert (said.out.strip(), "Go on?" in said.err) == ("", True)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError) as nobody:
        confirm(plan, yes=False)
    assert nobody.value.code == "TV2007"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{main: ADDRESS}", "TV1003"),
        ("{main: {url: [ADDRESS]}}", "TV1003"),
        ("{main: {url: 'sqlite:///x', overlay: ADDRESS}}", "TV1003"),
        ("{main: {url: 'sqlite:///x', ADDRESS: 3}}", "TV1005"),
        ("{ADDRESS: {url: 'sqlite:///x'}}", "TV1011"),
        ("{main: {url: 'temporal:s3cret@db:5432/t'}}", "TV3002"),
        ("{main: {url: 'temporal:s3cret@db://t'}}", "TV3002"),
        ("{main: {url: 'postgresql://h/d?Password=s3cret'}}", "TV3009"),
        # A '/', '?' or '#' that is not encoded, after something that could be a port.
        ("{main: {url: 'postgresql://temporal:12345/s3cret@db/t'}}", "TV3003"),
        ("{main: {url: 'mysql://temporal:12345?s3cret@db/t'}}", "TV3003"),
        ("{main: {url: 'mysql://temporal:12345@s3/cret@db/t'}}", "TV3003"),
        ("{main: {url: 'mysql://temporal:12345#s3cret@db/t'}}", "TV3003"),
        # What only a shell knows would be a password as it stands.
        ("{main: {url: 'mysql://temporal:${PW:-s3cret}@db/t'}}", "TV3003"),
        ("{main: {url: 'mysql://temporal@db/t?socket=${}s3cret'}}", "TV3003"),
        ("{}", "TV3007"),
        ("{}", "TV3006"),
    ],
)
def test_no_password_is_told_wherever_it_stands(tmp_path: Path, content: str, code: str) -> None:
    config = tmp_path / "stores.yaml"
    config.write_text(f"stores: {content}\n".replace("ADDRESS", "'postgresql://u:s3cret@db:5432/t'"))
    if code == "TV3006":
        config.unlink()
    name = "temporal:s3cret@db/t" if code in ("TV3006", "TV3007") else "main"
    ran = here("schema", "plan", name, "--config", str(config))
    failed(ran, code, 2)
    assert "s3cret" not in ran.out + ran.err


def test_a_terminal_that_lacks_characters_and_closed_streams(tmp_path: Path) -> None:
    latin = {"PYTHONIOENCODING": "latin-1"}
    ran = temporal_visibility("schema", "show", "1.14", "--engine", "sqlite", cwd=tmp_path, env=latin)
    assert (ran.code, r"\u2661" in ran.out) == (0, True)
    words = ("schema", "show", "1.14", "--engine", "sqlite", "--output", "json")
    said = [temporal_visibility(*words, env=env).json("schema-show-engine") for env in (latin, None)]
    assert said[0] == said[1]
    upgrade = f"{sys.executable} -m toolkit schema upgrade sqlite:///x.db --to 1.0 --yes"
    for closed in ("2>&-", ">&- 2>&-"):
        done = subprocess.run(["sh", "-c", f"{upgrade} {closed}"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": ROOT})
        assert done.returncode == 0, closed
        (tmp_path / "x.db").unlink()


def test_what_a_terminal_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colour where none is wanted, and no progress that takes two lines, of which one would stay."""
    for wish, coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", wish)
        with redirect_stderr(Terminal()) as said:
            run_command(root, ["schema", "show", "9.9"])
        assert ("\033[31m" in said.getvalue()) is coloured
    shown = Terminal()
    step = Step("copy", "Copy executions_visibility into the shadow, chunk by chunk along the primary key", "",
                StepClass.REBUILD, NO_LOCK, (), (), ())  # fmt: skip
    progress = RunProgress(9, False, shown)
    progress.report(2, step, None)
    progress._shown -= LIVE_SECONDS
    progress.watch(Pause(1.0, "the replica 10.0.0.2 is 12 seconds behind"), None)
    lines = shown.getvalue().split("\r\033[K")
    assert [max(map(len, lines)), lines[1][-8:]] == [79, "s behind"]


def test_a_reader_that_leaves_and_a_full_disk_end_no_upgrade(tmp_path: Path) -> None:
    upgrade = f"{sys.executable} -m toolkit schema upgrade sqlite:///x.db --to 1.4 --yes"
    environment = {**os.environ, "PYTHONPATH": ROOT}
    for gone, code, said in (
        ("2>&1 | true", 0, ""),
        ("> /dev/full", 1, "TV2043"),
        ("2> /dev/full", 0, "Done"),
        ("--output json > /dev/full", 1, "TV2043"),
    ):
        script = f"set -o pipefail; {upgrade} {gone}"
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.returncode, said in done.stdout + done.stderr) == (code, True), (gone, done)
        assert "Traceback" not in done.stderr, done
        assert here("schema", "status", f"sqlite:///{tmp_path}/x.db", "--output", "json").out.count('"1.4"'), gone
        (tmp_path / "x.db").unlink()


@pytest.mark.parametrize("end", [KeyboardInterrupt, click.Abort], ids=["Ctrl-C", "no"])
def test_ctrl_c_is_told_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]) -> None:
    config = tmp_path / "stores.yaml"
    config.write_text("stores: {a: {url: 'sqlite:///a.db'}, b: {url: 'sqlite:///b.db'}}\n")
    monkeypatch.chdir(tmp_path)
    real = upgrade.run_task

    def run_task(client: Any, *rest: Any) -> Any:
        if (tmp_path / "a.db").exists():
            raise end
        return real(client, *rest)

    monkeypatch.setattr(upgrade, "run_task", run_task)
    ran = here("schema", "upgrade", "--config", str(config), "--to", "1.0", "--yes", "--output", "json")
    said = json.loads(ran.out)
    assert (ran.code, said["error"]["code"], said["error"]["target"]) == (130, "TV5108", "b")
    assert [(run["target"], run["done"]) for run in said["runs"]] == [("a", True)]


def spoiled(file: Path, plan: str) -> str:
    """The URL of a new store whose journal has an open run with that plan."""
    url = f"sqlite:///{file}"
    assert here("schema", "upgrade", url, "--to", "1.9", "--yes").code == 0
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE temporal_visibility_run SET status = 'running', plan = ?", (plan,))
    return url


def test_the_plan_of_another_version_of_the_tool_is_left_to_that(tmp_path: Path) -> None:
    url = spoiled(tmp_path / "v.db", '{"format": "temporal-visibility-plan/2"}')
    for command in (("upgrade", url, "--to", "1.9", "--yes"), ("rollback", url, "--yes")):
        failed(temporal_visibility("schema", *command), "TV5119", 1)
    assert temporal_visibility("schema", "plan", url).code == 0


def test_a_defect_is_told_in_a_line(tmp_path: Path) -> None:
    """Without its words, which may have a secret in them; whoever reports it can have them."""
    url = spoiled(tmp_path / "v.db", "[1, 2")
    ran = temporal_visibility("schema", "status", url, "--output", "json", env={TRACEBACK: ""})
    told = ran.json("error")["error"]
    assert (ran.code, ran.err, told["code"]) == (1, "", "TV0004")
    assert re.fullmatch(r"a defect of this tool: JSONDecodeError in engines/sqlite/\w+\.py, line \d+", told["message"])
    with pytest.raises(json.JSONDecodeError):  # conftest.py has set the variable
        here("schema", "status", url)


def test_a_job_in_the_background_does_not_hear_ctrl_c() -> None:
    """A shell has it ignore the signal, which is for what stands before the terminal."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with safe_stop(quiet=True) as asked:
            signal.raise_signal(signal.SIGINT)
            assert not asked.is_set()
            signal.raise_signal(signal.SIGTERM)
            assert asked.is_set()
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_modules_are_read() -> None:
    once = """
import sys
from contextlib import nullcontext, redirect_stderr
from importlib.abc import MetaPathFinder
from toolkit.__main__ import main
class Once(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "click":
            sys.meta_path.remove(self)
            raise KeyboardInterrupt
sys.meta_path.insert(0, Once())
sys.argv[1:] = ["schema", "versions", "--output", "json"]
main()
"""
    done = subprocess.run([sys.executable, "-c", once], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr, json.loads(done.stdout)["error"]["code"]) == (130, "", "TV5108")


def test_every_command_has_help_and_an_output_option() -> None:
    assert "schema" in temporal_visibility("--help").out
    assert temporal_visibility().code == 2
    for words in [*((name,) for name in COMMANDS), *(("schema", name) for name in SCHEMA_COMMANDS)]:
        ran = here(*words, "--help")
        assert ran.code == 0
        forms = OUTPUTS.get(words[-1], "text|json")
        assert f"--output [{forms}]" in ran.out, words
