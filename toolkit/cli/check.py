"""`schema check`: what a change of version, store or engine does to values and saved filters."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import click
from click.core import ParameterSource

from toolkit import check, document
from toolkit import overlay_file as overlays
from toolkit.check import Finding, Gentle, Live, Saved, Severity, World
from toolkit.cli.options import Finite, connected, version_option
from toolkit.cli.output import as_json, ci_output_option, emit
from toolkit.definition import Definition
from toolkit.engines import ENGINES, Client, Engine, engine, refuse_unsupported
from toolkit.errors import Differences, UsageError
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.query.semantics import COMMON
from toolkit.reports import on_one_line
from toolkit.targets import Target, is_url, resolve_each
from toolkit.versions import find, over_any

_LEVELS = [severity.value for severity in Severity if severity is not Severity.SAFE]


@click.command("check")
@click.argument("target", required=False)
@click.argument("other", required=False)
@click.option("--from", "before", metavar="VERSION", help="Version to come from, instead of TARGET.")
@version_option()
@click.option("--engine", "names", type=click.Choice(list(ENGINES)), multiple=True,
              help="Engine, without TARGET; may be given again.  [default: all]")  # fmt: skip
@click.option("--overlay", "overlay_file", type=click.Path(dir_okay=False, path_type=Path),
              help="Your overlay over both versions, without TARGET; a store has its own.")  # fmt: skip
@click.option("--queries", type=click.Path(dir_okay=False, path_type=Path), multiple=True,
              help="File of saved filters, one a line or YAML of NAME: FILTER; may be given again.")  # fmt: skip
@click.option("--data", metavar="TARGET", help="Store that counts the values that would not survive.")
@click.option("--rows", type=click.IntRange(100, 10_000_000), default=Gentle().rows, show_default=True,
              help="Records that --data looks at before it rests.")  # fmt: skip
@click.option("--rest", type=Finite(0, 100), default=Gentle().rest, show_default=True,
              help="Length of a rest, as a multiple of the time its part took.")  # fmt: skip
@click.option("--alias", multiple=True, metavar="NAME=FIELD", help="A name of the namespace, for --queries.")
@click.option("--aliases", type=click.Path(dir_okay=False, path_type=Path), help="YAML file of NAME: FIELD.")
@click.option("--semantics", type=click.Choice(["engine", COMMON.name]), default="engine", show_default=True,
              help="What saved filters are asked for with.")  # fmt: skip
@click.option("--fail-on", type=click.Choice(_LEVELS), default=Severity.LOSSY.value, show_default=True,
              help="Leave with 3 when a finding is as bad as this, or worse.")  # fmt: skip
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="File that names stores.")
@ci_output_option("sarif")
def command(
    target: str | None,
    other: str | None,
    before: str | None,
    version: str,
    names: tuple[str, ...],
    overlay_file: Path | None,
    queries: tuple[Path, ...],
    data: str | None,
    rows: int,
    rest: float,
    alias: tuple[str, ...],
    aliases: Path | None,
    semantics: str,
    fail_on: str,
    config: Path | None,
    output: str,
) -> None:
    """Find what would be lost between two versions (--from, --to), between TARGET and a version (--to), or between
    TARGET and the store OTHER."""
    if target is not None and (before is not None or names or overlay_file is not None):
        raise UsageError("TV8112", "TARGET says what to come from; --from, --engine and --overlay do not go with it",
                         "Leave them out, or leave TARGET out.")  # fmt: skip
    if target is None and before is None and not queries:
        # A gate that compares nothing would be green for ever.
        raise UsageError("TV8114", "there is nothing to check: no store, no version to come from, no filters",
                         "Give TARGET, --from, or --queries.")  # fmt: skip
    said = click.get_current_context().get_parameter_source("version") is not ParameterSource.DEFAULT
    if other is not None and said:
        raise UsageError("TV8112", "OTHER says what to go to; --to does not go with it", "Leave one of them out.")
    if config is not None and all(is_url(text) for text in (target, other, data) if text is not None):
        raise click.UsageError("--config names stores, and none is asked about: name one, or leave --config out")
    wishes = over_any(overlays.load(overlay_file)) if overlay_file else NO_OVERLAY
    saved = [each for path in queries for each in check.read(path)]
    named = {**(_read_aliases(aliases) if aliases else {}), **_pairs(alias)}
    with ExitStack() as stack:
        stores = resolve_each([text for text in (target, other, data) if text is not None], config, os.environ)
        opened = {text: _open(stack, store) for text, store in stores.items()}
        found: list[Finding] = []
        for old, new, changed in _sides(opened, target, other, before, find(version), names, wishes):
            found += changed
            start, goal = (side and World(*side, named, semantics, target is not None) for side in (old, new))
            assert goal is not None
            found += check.filters(saved, start, goal)
        if data is not None:
            live, client = opened[data]
            found = list(check.count(live, client, found, Gentle(rows, rest)))
    _show(check.worst_first(found), output, Severity(fail_on), saved)


_Side: TypeAlias = tuple[Engine, Definition]


def _sides(
    opened: Mapping[str, tuple[Live, Client]],
    target: str | None,
    other: str | None,
    before: str | None,
    wanted: Definition,
    names: Sequence[str],
    wishes: Overlay,
) -> Iterator[tuple[_Side | None, _Side, tuple[Finding, ...]]]:
    """Where from, where to, and what changes on the way; several when several engines are asked about."""
    if target is not None and other is not None:
        old, new = opened[target][0], opened[other][0]
        yield (old.engine, old.known()), (new.engine, new.known()), check.stores(old, new)
    elif target is not None:
        live, _ = opened[target]
        there = None if live.definition is None else (live.engine, live.definition)
        yield there, (live.engine, check.goal(live, wanted)), check.store(live, wanted)
    else:
        start = None if before is None else wishes.apply(find(before))
        wanted = wishes.apply(wanted)
        for name in names or ENGINES:
            chosen = engine(name)
            if names:
                refuse_unsupported(chosen, wanted, *filter(None, (start,)))
            if chosen.supports(wanted) and (start is None or chosen.supports(start)):
                changed = () if start is None else check.versions(chosen, start, wanted)
                yield None if start is None else (chosen, start), (chosen, wanted), changed


def _open(stack: ExitStack, store: Target) -> tuple[Live, Client]:
    chosen, client = stack.enter_context(connected(store))
    return check.observe(chosen, client, store.overlay, _named(store)), client


def _named(store: Target) -> str:
    return store.name or store.shown


def _read_aliases(path: Path) -> dict[str, str]:
    return document.read(path, lambda root: {name: value.text() for name, _, value in root.items()})


def _pairs(values: Sequence[str]) -> dict[str, str]:
    found = {}
    for value in values:
        name, equals, meant = value.partition("=")
        if not (name and equals and meant):
            raise click.BadParameter(f"{value[:60]!r} is not of the form NAME=FIELD", param_hint="--alias")
        found[name] = meant
    return found


def _show(found: Sequence[Finding], output: str, level: Severity, saved: Sequence[Saved]) -> None:
    bad = check.at_least(found, level)
    if output == "sarif":
        click.echo(as_json(check.sarif(found)))
    else:
        data = {"findings": [f.to_json() for f in found], "filters": len(saved), "failed": len(bad)}
        emit(output, data, lambda: _lines(found, saved), lambda: check.github(found))
    if bad:
        count = f"{len(bad)} finding{'s' * (len(bad) > 1)} at or above {level.value}"
        raise Differences("TV8113", count, "Each code is explained in docs/codes.md.")


def _lines(found: Sequence[Finding], saved: Sequence[Saved]) -> Iterator[str]:
    for finding in found:
        place = f"{on_one_line(finding.place.file)}:{finding.place.line}: " if finding.place else ""
        yield f"{finding.severity.value:<8} {finding.code}  {place}{check.sentence(finding)}"
        if finding.example is not None and finding.example != "":
            yield f"{'':17}e.g. {on_one_line(json.dumps(finding.example, ensure_ascii=False))}"
        if finding.hint:
            yield f"{'':17}{finding.hint}"
    filters = f"{len(saved)} filter{'s' * (len(saved) != 1)} checked; " if saved else ""
    yield f"{filters}{len(found)} finding{'s' * (len(found) != 1)}." if found else f"{filters}nothing is lost."
