"""`schema verify-paths`: walk upgrade paths on throwaway stores, and report what that showed."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import click

from toolkit import overlay_file as overlays
from toolkit.cli.files import writable, write
from toolkit.cli.output import ci_output_option, emit, interrupted
from toolkit.definition import Definition
from toolkit.engines import ENGINES, engine
from toolkit.errors import Differences, Stopped, ToolkitError, UsageError
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.routes import published
from toolkit.targets import Target, parse_url
from toolkit.verify import containers, report
from toolkit.verify.evidence import Evidence, UpgradePath, none, passed
from toolkit.verify.paths import chosen, paths
from toolkit.verify.places import walk_from_dump, walk_on
from toolkit.versions import chain, find, over_any

_EMBEDDED = ("sqlite", "clickhouse")


@click.command("verify-paths")
@click.option("--engine", "engines", type=click.Choice(list(ENGINES)), multiple=True,
              help="Engines to walk on.  [default: sqlite and clickhouse, embedded]")  # fmt: skip
@click.option("--from", "starts", multiple=True, metavar="VERSION", help="Begin here only (1.9, 1.12-combined, or "
              "a label: v9); may be repeated.  [default: every published schema]")  # fmt: skip
@click.option("--to", "version", default="latest", show_default=True, help="Wanted schema version.")
@click.option("--overlay", "overlay_file", type=click.Path(dir_okay=False, path_type=Path), help="Your overlay.")
@click.option("--dump", type=click.Path(dir_okay=False, path_type=Path),
              help="Begin with the store that this dump makes (SQL, a SQLite file, or the answer of GET /INDEX); "
              "name its engine with --engine or --on.")  # fmt: skip
@click.option("--on", "urls", multiple=True, metavar="URL", help="Walk on this server, in stores of our own there.")
@click.option("--containers", "in_containers", is_flag=True, help="Start official images with Docker for the engines.")
@click.option("--image", "images", multiple=True, metavar="ENGINE=IMAGE", help="Another image than the official one.")
@click.option("--rows", type=click.IntRange(0, 100_000_000), default=2000, show_default=True, help="Records a store.")
@click.option("--markdown", "markdown_file", type=click.Path(dir_okay=False, path_type=Path), help="Write a page here.")
@click.option("--junit", "junit_file", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML here.")
@ci_output_option()
def command(
    engines: tuple[str, ...], starts: tuple[str, ...], version: str, overlay_file: Path | None, dump: Path | None,
    urls: tuple[str, ...],
    in_containers: bool, images: tuple[str, ...], rows: int, markdown_file: Path | None, junit_file: Path | None,
    output: str,
) -> None:  # fmt: skip
    """Prove upgrade paths by walking them: throwaway stores are made, filled, upgraded beside a writer, compared, taken
    back. Nothing of yours is touched."""
    for file in filter(None, (markdown_file, junit_file)):
        writable(file)
    goal = find(version)
    wishes = over_any(overlays.load(overlay_file)) if overlay_file else NO_OVERLAY
    found: list[Evidence] = []
    stopped: Stopped | None = None
    try:
        with _removing(), ExitStack() as stack:
            places = _places(stack, engines, urls, in_containers, containers.images(images))
            if dump is None:
                _walk(places, goal, wishes, starts, rows, output, found)
            else:
                found.append(_from_dump(places, dump, goal, wishes, rows))
    except KeyboardInterrupt:
        if not found:
            raise
        stopped = interrupted()
        stopped.told = True
    _tell(found, output, markdown_file, junit_file)
    if stopped:
        raise stopped
    if not passed(found):
        raise Differences("TV8208", "not every upgrade path holds", "The report says what was found on each.")


def _tell(found: Sequence[Evidence], output: str, markdown_file: Path | None, junit_file: Path | None) -> None:
    page = list(report.markdown(found))
    emit(output, report.to_json(found), lambda: page, lambda: report.github(found))
    if markdown_file:
        write(markdown_file, "\n".join(page) + "\n")
    if junit_file:
        write(junit_file, report.junit(found))


@contextmanager
def _removing() -> Iterator[None]:
    """SIGTERM, by which CI servers stop a job, ends the walk as Ctrl-C does: what was made for it is removed."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _places(
    stack: ExitStack, engines: Sequence[str], urls: Sequence[str], in_containers: bool, images: dict[str, str]
) -> list[Target]:
    """Where to walk: servers given by URL, containers, or a folder for the embedded engines."""
    given = [parse_url(url, os.environ) for url in urls]
    rest = [name for name in engines if name not in {target.engine for target in given}]
    if given and not rest:
        return given
    names = rest or list(_EMBEDDED)
    if in_containers:
        return [*given, *(stack.enter_context(containers.running(name, images)) for name in names)]
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="temporal-visibility-")))
    homeless = [name for name in names if name not in _EMBEDDED]
    if homeless:
        raise UsageError("TV2081", f"{homeless[0]} is no embedded engine", "Give --containers, or --on URL.")
    forms = {"sqlite": f"sqlite:///{folder}/verify.db", "clickhouse": f"chdb://{folder}?database=visibility"}
    return [*given, *(parse_url(forms[name], {}) for name in names)]


def _ways(place: Target, goal: Definition, wishes: Overlay, starts: Sequence[str]) -> tuple[UpgradePath, ...]:
    found = paths(engine(place.engine), chain(), published().routes, goal, wishes)
    return chosen(place.engine, found, starts, chain())


def _walk(
    places: Sequence[Target], goal: Definition, wishes: Overlay, starts: Sequence[str], rows: int, output: str,
    found: list[Evidence],
) -> None:  # fmt: skip
    """Add to `found` what walking showed. Every start is known before the first path is walked."""
    ways = [(place, _ways(place, goal, wishes, starts)) for place in places]
    for place, some in ways:
        _walk_on(place, some, rows, output, found)


def _walk_on(place: Target, ways: Sequence[UpgradePath], rows: int, output: str, found: list[Evidence]) -> None:
    """Where no store can be had, or somebody stops the walk, that is an error while there is nothing to report, and
    evidence, too, afterwards: hours may have gone into what is there."""
    for number, path in enumerate(ways, 1):
        try:
            if output != "json":
                click.echo(f"[{number}/{len(ways)}] {path.name}", err=True)
            found.append(walk_on(engine(place.engine), path, place, rows, chain()))
        except ToolkitError as error:
            if not found:
                raise
            found.append(none(path, rows, error.code, place.redact(f"{error.message}. {error.hint}")))
            return
        except KeyboardInterrupt:
            if found:
                found.append(none(path, rows, "TV5108", "stopped: neither this path nor those after it were walked"))
            raise


def _from_dump(places: Sequence[Target], dump: Path, goal: Definition, wishes: Overlay, rows: int) -> Evidence:
    if len(places) != 1:
        raise UsageError("TV2084", "a dump is of one engine", "Name it with --engine, or a server with --on.")
    known = engine(places[0].engine)
    return walk_from_dump(known, dump, goal, wishes, places[0], rows, chain(), published().routes)
