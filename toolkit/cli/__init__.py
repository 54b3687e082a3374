"""The command line: groups whose commands are imported only when they run; errors become exit codes in one place.

No command does work of its own; each gathers options, calls one function and prints the answer.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from importlib import import_module

import click

from toolkit import __version__

# Command → (module that has it as `command`, its line in --help). Written out, so that --help imports nothing.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "query": ("toolkit.cli.query", "List or count executions with a List Filter."),
    "sample": ("toolkit.cli.sample", "Fill a store with realistic records."),
}
SCHEMA_COMMANDS: Mapping[str, tuple[str, str]] = {
    "adopt": ("toolkit.cli.adopt", "Take over a store that other tools or hands made."),
    "check": ("toolkit.cli.check", "Find what a change does to values and saved filters."),
    "diff": ("toolkit.cli.diff", "Show what changes between two versions."),
    "downgrade": ("toolkit.cli.downgrade", "Bring a store to an earlier version, and say what that loses."),
    "drift": ("toolkit.cli.drift", "Show where a store is not as its version says, and repair it."),
    "finish": ("toolkit.cli.finish", "Drop the old data that an upgrade kept for a rollback."),
    "generate": ("toolkit.cli.generate", "Write the files under schema/ from the definitions, or check them."),
    "identify": ("toolkit.cli.identify", "Say which published schema a store is, or is nearest to."),
    "new": ("toolkit.cli.new", "Freeze the working definition as a new version."),
    "overlay": ("toolkit.cli.overlay", "Show a store's overlay, and what Temporal's server must be told of it."),
    "plan": ("toolkit.cli.plan", "Show what an upgrade of a store would do."),
    "require": ("toolkit.cli.require", "Say by the exit code whether a release of Temporal's server may start."),
    "rollback": ("toolkit.cli.rollback", "Take back the last run on a store."),
    "runs": ("toolkit.cli.runs", "List the runs on a store, and who holds its lock."),
    "show": ("toolkit.cli.show", "Show one version, or how it looks on an engine."),
    "status": ("toolkit.cli.status", "Show which version a store has, claims to have, and lacks."),
    "throttle": ("toolkit.cli.throttle_run", "Make a run gentler or faster, hold it, or let it go on, while it runs."),
    "unlock": ("toolkit.cli.unlock", "Take away the lock of a run that will not come back."),
    "upgrade": ("toolkit.cli.upgrade", "Bring a store to a version."),
    "verify-paths": ("toolkit.cli.verify_paths", "Walk upgrade paths on throwaway stores, and report."),
    "versions": ("toolkit.cli.versions", "List the released versions."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by a table and imports one only when it is called."""

    def __init__(self, table: Mapping[str, tuple[str, str]], **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted([*self._table, *self.commands])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, imported now."""
        if cmd_name not in self._table:
            return super().get_command(ctx, cmd_name)
        command = import_module(self._table[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, without importing anything."""
        rows = [(name, self._table[name][1] if name in self._table else self.commands[name].get_short_help_str())
                for name in self.list_commands(ctx)]  # fmt: skip
        with formatter.section("Commands"):
            formatter.write_dl(rows)


root = LazyGroup(
    COMMANDS,
    name="temporal-visibility",
    help="Versions, migrations and checks for Temporal's visibility store.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    no_args_is_help=True,
)
click.version_option(__version__, prog_name="temporal-visibility")(root)
root.add_command(
    LazyGroup(SCHEMA_COMMANDS, name="schema", help="The schema: versions, plans, upgrades.", no_args_is_help=True)
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, or `arguments` in its place; errors leave with their exit code and without a traceback."""
    from toolkit.cli.output import run_command, settle_streams

    settle_streams()
    try:
        sys.exit(run_command(root, sys.argv[1:] if arguments is None else arguments))
    finally:
        # The process ends with everything in it: to look for cycles once more would be a tenth of a short command.
        gc.freeze()
