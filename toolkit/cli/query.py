"""`query`: list or count executions with a List Filter, or show how the store would do it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from toolkit import document
from toolkit.apply.recognising import readable
from toolkit.attributes import AttributeType, status_name
from toolkit.catalog import Json
from toolkit.cli.options import connected, targets
from toolkit.cli.output import emit, number, output_option, table
from toolkit.definition import Definition
from toolkit.engines import Client, Engine, asking
from toolkit.engines.asking import Explanation, Listing
from toolkit.engines.attribute_json import to_json
from toolkit.engines.filtering import Filters, Question, filters, meaning
from toolkit.errors import EngineError, UsageError
from toolkit.query import check
from toolkit.query.page import MAX_LIMIT
from toolkit.query.scope import Scope
from toolkit.query.semantics import COMMON
from toolkit.query.tree import Kind
from toolkit.records import Record, rfc3339
from toolkit.reports import on_one_line
from toolkit.targets import Target
from toolkit.versions import chain

_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    namespace: str
    filter: str
    count: bool
    limit: int
    page_token: str | None
    explain: bool
    semantics: str
    aliases: Mapping[str, str]
    attributes: Mapping[str, AttributeType]
    division: str | None


def _pairs(_: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    found = {}
    for value in values:
        name, equals, meant = value.partition("=")
        if not (name and equals and meant):
            raise click.BadParameter(f"{value[:60]!r} is not of the form NAME=VALUE", param=parameter)
        found[name] = meant
    return found


def _typed(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, AttributeType]:
    known = {kind.value: kind for kind in AttributeType}
    found = _pairs(context, parameter, values)
    for name, kind in found.items():
        if kind not in known:
            raise click.BadParameter(f"{name}: there is no type {kind[:40]!r}; there are {', '.join(known)}")
    return {name: known[kind] for name, kind in found.items()}


def _storable(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Bytes that are no UTF-8 come as halves of characters, which every driver refuses in its own way."""
    if value is not None and any(0xD800 <= ord(c) < 0xE000 for c in value):
        raise click.BadParameter("it is no UTF-8 text", param=parameter)
    return value


@click.command("query")
@click.argument("target")
@click.argument("filter_text", metavar="[FILTER]", default="")
@click.option("--namespace", required=True, metavar="ID", callback=_storable,
              help="Namespace id, as the store holds it.")  # fmt: skip
@click.option("--count", is_flag=True, help="Print the exact number; with GROUP BY in the filter, by value.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=_LIMIT, show_default=True, help="Records a page.")
@click.option("--page-token", metavar="TOKEN", help="What the page before printed: go on from there.")
@click.option("--explain", is_flag=True, help="Show the statement and the engine's own plan instead of running it.")
@click.option(
    "--semantics",
    type=click.Choice(["engine", COMMON.name]),
    default="engine",
    show_default=True,
    help="Mean what Temporal's server means on this engine, or the same on all engines.",
)
@click.option("--alias", multiple=True, metavar="NAME=FIELD", callback=_pairs, help="A name of the namespace.")
@click.option("--aliases", type=click.Path(dir_okay=False, path_type=Path), help="YAML file of NAME: FIELD.")
@click.option("--attribute", multiple=True, metavar="NAME=TYPE", callback=_typed,
              help="Type that a mapping does not tell (Elasticsearch: Keyword or KeywordList).")  # fmt: skip
@click.option("--division", metavar="TEXT", callback=_storable,
              help="Namespace division meant when the filter names none; none: workflows.")  # fmt: skip
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="File that names stores.")
@output_option
def command(
    target: str,
    filter_text: str,
    namespace: str,
    count: bool,
    limit: int,
    page_token: str | None,
    explain: bool,
    semantics: str,
    alias: dict[str, str],
    aliases: Path | None,
    attribute: dict[str, AttributeType],
    division: str | None,
    config: Path | None,
    output: str,
) -> None:
    """List or count the executions in TARGET that a List FILTER asks for: the language of Temporal's own lists."""
    if count and page_token:
        raise UsageError("TV7015", "--count has no pages", "Leave --page-token out.")
    named = {**(_read_aliases(aliases) if aliases else {}), **alias}
    wanted = Wanted(
        namespace, filter_text, count, limit, page_token, explain, semantics, named, attribute, division
    )  # fmt: skip
    [store] = targets(target, config)
    with connected(store) as (engine, client):
        _answer(engine, client, store, wanted, output)


def _read_aliases(path: Path) -> dict[str, str]:
    return document.read(path, lambda root: {name: value.text() for name, _, value in root.items()})


def _answer(engine: Engine, client: Client, store: Target, wanted: Wanted, output: str) -> None:
    compiled = filters(engine.NAME)
    question, reading = _question(engine, client, store, wanted, compiled)
    if wanted.explain:
        shown = asking.explain(compiled, client, question, None if wanted.count else wanted.limit)
        data = {"statement": shown.statement, "plan": shown.plan, "notes": list(shown.notes)}
        emit(output, data, lambda: _explanation_lines(shown))
    elif wanted.count:
        counts = asking.count(compiled, client, question)
        emit(output, _count_json(question, counts), lambda: _count_lines(question, counts))
    else:
        page = asking.listing(compiled, client, reading, wanted.limit, wanted.page_token)
        data = {"executions": [_record_json(r) for r in page.records], "next_page_token": page.next_token}
        emit(output, data, lambda: _listing_lines(page))


def _question(
    engine: Engine, client: Client, store: Target, wanted: Wanted, compiled: Filters
) -> tuple[Question, Question]:
    """The question, and the same for reading records with all their attributes."""
    observed = client.observe()
    version = readable(engine, observed, store.overlay)
    if version is None:
        raise EngineError("TV4101", f"{store.name or store.shown} has no published schema, so it cannot be asked",
                          "See `temporal-visibility schema status`.")  # fmt: skip
    definition: Definition = store.overlay.apply(next(d for d in chain() if d.version == version))
    typed, reading = asking.with_own(definition, engine.FAMILY, observed.catalog, wanted.attributes)
    scope = Scope.of(typed, engine.FAMILY, wanted.aliases, wanted.division)
    found = check.parse(wanted.filter, scope, grouping=wanted.count)
    question = Question(typed, wanted.namespace, found, meaning(wanted.semantics, compiled))
    return question, replace(question, definition=reading)


def _record_json(record: Record) -> dict[str, Json]:
    def time(value: int | None) -> str | None:
        return None if value is None else rfc3339(value)

    return {
        "workflow_id": record.workflow_id,
        "run_id": record.run_id,
        "type": record.workflow_type,
        "status": status_name(record.status),
        "start_time": rfc3339(record.start_time),
        "execution_time": rfc3339(record.execution_time),
        "close_time": time(record.close_time),
        "task_queue": record.task_queue,
        "history_length": record.history_length,
        "history_size_bytes": record.history_size_bytes,
        "execution_duration": record.execution_duration,
        "state_transition_count": record.state_transition_count,
        "parent_workflow_id": record.parent_workflow_id,
        "parent_run_id": record.parent_run_id,
        "root_workflow_id": record.root_workflow_id,
        "root_run_id": record.root_run_id,
        "search_attributes": to_json(record.attributes),
    }


def _listing_lines(page: Listing) -> Iterator[str]:
    if not page.records:
        yield "No executions."
        return
    yield from table(["STATUS", "START", "CLOSE", "TYPE", "WORKFLOW ID", "RUN ID"], [_row(r) for r in page.records])
    if page.next_token:
        yield f"\nMore: --page-token {page.next_token}"


def _row(record: Record) -> list[str]:
    close = "" if record.close_time is None else rfc3339(record.close_time)
    status = status_name(record.status)
    texts = (record.workflow_type, record.workflow_id, record.run_id)
    return [status, rfc3339(record.start_time), close, *map(on_one_line, texts)]


def _value(question: Question, value: object) -> Json:
    group = question.filter.group_by
    if value is None:
        return None
    if group is not None and group.kind is Kind.STATUS:
        return status_name(int(str(value)))
    return str(value)


def _count_json(question: Question, counts: Mapping[object, int]) -> dict[str, Json]:
    data: dict[str, Json] = {"count": sum(counts.values())}
    if question.filter.group_by is not None:
        data["groups"] = [{"value": _value(question, v), "count": n} for v, n in _largest_first(counts)]
    return data


def _count_lines(question: Question, counts: Mapping[object, int]) -> Iterator[str]:
    if question.filter.group_by is None:
        yield number(sum(counts.values()))
        return
    rows = [[number(n), on_one_line(str(_value(question, v) or "(none)"))] for v, n in _largest_first(counts)]
    yield from table(["COUNT", question.filter.group_by.shown], rows)


def _largest_first(counts: Mapping[object, int]) -> list[tuple[object, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))


def _explanation_lines(shown: Explanation) -> Iterator[str]:
    yield shown.statement if isinstance(shown.statement, str) else json.dumps(shown.statement, indent=2)
    yield ""
    if isinstance(shown.plan, list) and all(isinstance(line, str) for line in shown.plan):
        yield from (str(line) for line in shown.plan)
    else:
        yield json.dumps(shown.plan, indent=2)
    for note in shown.notes:
        yield f"\nNote: {note}"
