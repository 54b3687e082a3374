"""The questions asked of every layout: filters of each kind, pages in visibility order, counts.

This module only builds statements for one layout's way of reading; it never runs one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from .columns import ATTRIBUTES, BASE, CLOSE_ORDER
from .layouts import Layout

PAGE: Final = 100

Column = Callable[[str], str]
Position = tuple[int, int, str]
"""Where a page ended: close time or open in microseconds, start time in microseconds, run id."""


@dataclass(frozen=True, slots=True)
class Case:
    """One question about one namespace."""

    name: str
    kind: str
    """page: first page; deep: the page that starts after ``skip`` rows; count: how many; groups: how many per status."""
    uses: tuple[str, ...] = ()
    where: Callable[[Column], str] | None = None
    skip: int = 0


def time(micros: int) -> str:
    return f"fromUnixTimestamp64Micro({micros}, 'UTC')"


def cases(rows_in_namespace: int, sample: dict[str, object]) -> tuple[Case, ...]:
    """Every question; ``sample`` is one real record of the namespace, so that each filter finds something."""
    day = 86_400_000_000
    start, closed = int(str(sample["StartTime"])), int(str(sample["CloseTime"]))
    word = str(sample["Text01"]).split(" ", 1)[0]
    tag = sample["KeywordList01"]
    assert isinstance(tag, list)
    filters: dict[str, tuple[tuple[str, ...], Callable[[Column], str]]] = {
        "status=Running": (("ExecutionStatus",), lambda c: f"{c('ExecutionStatus')} = 'Running'"),
        "status=Failed": (("ExecutionStatus",), lambda c: f"{c('ExecutionStatus')} = 'Failed'"),
        "type": (("WorkflowType",), lambda c: f"{c('WorkflowType')} = '{sample['WorkflowType']}'"),
        "workflow id": (("WorkflowId",), lambda c: f"{c('WorkflowId')} = '{sample['WorkflowId']}'"),
        "run id": (("RunId",), lambda c: f"{c('RunId')} = '{sample['RunId']}'"),
        "workflow id prefix": (
            ("WorkflowId",),
            lambda c: f"startsWith({c('WorkflowId')}, '{str(sample['WorkflowId'])[:8]}')",
        ),
        "start range": (
            ("StartTime",),
            lambda c: f"{c('StartTime')} BETWEEN {time(start - day // 2)} AND {time(start + day // 2)}",
        ),
        "close range": (
            ("CloseTime",),
            lambda c: f"{c('CloseTime')} BETWEEN {time(closed - day // 2)} AND {time(closed + day // 2)}",
        ),
        "Keyword": (("Keyword01",), lambda c: f"{c('Keyword01')} = '{sample['Keyword01']}'"),
        "Keyword, common": (("Keyword03",), lambda c: f"{c('Keyword03')} = 'gold'"),
        "Keyword missing": (("Keyword01",), lambda c: f"{c('Keyword01')} IS NULL"),
        "Int": (("Int01",), lambda c: f"{c('Int01')} BETWEEN 500000 AND 500999"),
        "Double": (("Double01",), lambda c: f"{c('Double01')} > 145.0"),
        "Bool": (("Bool01",), lambda c: f"{c('Bool01')} = true"),
        "Datetime": (
            ("Datetime01",),
            lambda c: f"{c('Datetime01')} BETWEEN {time(start)} AND {time(start + day // 24)}",
        ),
        "Text": (("Text01",), lambda c: f"hasToken(lower(ifNull({c('Text01')}, '')), '{word}')"),
        "KeywordList": (("KeywordList01",), lambda c: f"has({c('KeywordList01')}, '{tag[0]}')"),
    }
    deep = min(499 * PAGE, rows_in_namespace // 2)
    pages = [
        Case("page 1", "page"),
        Case("page 500" if deep == 499 * PAGE else "page in the middle", "deep", skip=deep),
    ]
    pages += [Case(name, "page", uses, where) for name, (uses, where) in filters.items()]
    counts = [Case("count", "count"), Case("count by status", "groups")]
    counts += [Case(f"count, {name}", "count", *filters[name]) for name in ("type", "start range", "Keyword", "Bool")]
    return (*pages, *counts)


def order(layout: Layout) -> str:
    close = "CloseOrder" if "CloseOrder" in layout.key else CLOSE_ORDER
    lead = "NamespaceId, " if "CloseOrder" in layout.key else ""
    return f"{lead}{close} DESC, StartTime DESC, RunId"


def place(layout: Layout) -> str:
    """The close-or-open column or expression the layout's rows are compared by."""
    return "CloseOrder" if "CloseOrder" in layout.key else CLOSE_ORDER


def after(position: Position | None, close: str) -> str:
    """Rows behind a position in visibility order."""
    if position is None:
        return "1"
    co, st, run = time(position[0]), time(position[1]), position[2]
    return f"({close} <= {co} AND ({close} < {co} OR StartTime < {st} OR (StartTime = {st} AND RunId > '{run}')))"


def until(position: Position, close: str) -> str:
    """Rows not behind a position in visibility order."""
    co, st, run = time(position[0]), time(position[1]), position[2]
    return f"({close} > {co} OR ({close} = {co} AND (StartTime > {st} OR (StartTime = {st} AND RunId <= '{run}'))))"


def whole_row(layout: Layout) -> str:
    names = [name for name in (*BASE, *ATTRIBUTES) if name not in ("NamespaceId", "_deleted")]
    return ", ".join(f"{layout.column(name)} AS `{name}`" if layout.column(name) != name else name for name in names)


def _where(layout: Layout, namespace: str, case: Case) -> str:
    found = case.where(layout.column) if case.where else "1"
    return f"NamespaceId = '{namespace}' AND {found}"


def _newest(layout: Layout, namespace: str, case: Case) -> str:
    """The newest version of every run as a subquery with the columns the question needs."""
    names = dict.fromkeys(
        ("NamespaceId", "RunId", "StartTime", "CloseTime", "ExecutionStatus", "_version", "_deleted", *case.uses)
    )
    return (
        f"(SELECT {', '.join(names)} FROM t WHERE NamespaceId = '{namespace}' "
        "ORDER BY NamespaceId, RunId, _version DESC LIMIT 1 BY NamespaceId, RunId)"
    )


def count_sql(layout: Layout, namespace: str, case: Case) -> str:
    """The statement for a count."""
    match layout.reader:
        case "limit_by":
            source = f"{_newest(layout, namespace, case)} WHERE _deleted = 0 AND"
        case "plain":
            source = "t WHERE"
        case _:
            source = "t FINAL WHERE"
    where = _where(layout, namespace, case)
    if case.kind == "groups":
        return f"SELECT ExecutionStatus, count() AS n FROM {source} {where} GROUP BY ExecutionStatus ORDER BY ExecutionStatus"
    return f"SELECT count() AS n FROM {source} {where}"


def page_sql(layout: Layout, namespace: str, case: Case, position: Position | None) -> str:
    """The one statement for a page: find the keys in order, then read whole rows for these keys only."""
    match layout.reader:
        case "limit_by":
            key = ("NamespaceId", "RunId", "_version")
            source, final = f"{_newest(layout, namespace, case)} WHERE _deleted = 0 AND", ""
        case "plain":
            key, source, final = layout.key, "t WHERE", ""
        case _:
            key, source, final = layout.key, "t FINAL WHERE", "FINAL"
    names = ", ".join(key)
    where = f"{_where(layout, namespace, case)} AND {after(position, place(layout))}"
    return (
        f"SELECT {whole_row(layout)} FROM t {final} WHERE ({names}) IN (SELECT {names} FROM {source} {where} "
        f"ORDER BY {order(layout)} LIMIT {PAGE}) ORDER BY {order(layout)} LIMIT {PAGE}"
    )


def candidates_sql(layout: Layout, namespace: str, case: Case, position: Position | None, limit: int) -> str:
    """The first step of a checked page: versions in order, old ones and all."""
    if layout.candidates_from == "by_close":
        where = f"NamespaceId = '{namespace}' AND {after(position, 'CloseOrder')}"
        return (
            f"SELECT toUnixTimestamp64Micro(CloseOrder), toUnixTimestamp64Micro(StartTime), RunId FROM by_close WHERE {where} "
            f"ORDER BY NamespaceId, CloseOrder DESC, StartTime DESC, RunId LIMIT {limit}"
        )
    where = f"{_where(layout, namespace, case)} AND _deleted = 0 AND {after(position, CLOSE_ORDER)}"
    return (
        f"SELECT toUnixTimestamp64Micro({CLOSE_ORDER}) AS co, toUnixTimestamp64Micro(StartTime) AS st, RunId FROM t "
        f"WHERE {where} ORDER BY {CLOSE_ORDER} DESC, StartTime DESC, RunId LIMIT {limit}"
    )


def checked_sql(
    layout: Layout, namespace: str, case: Case, position: Position | None, found: Sequence[Position]
) -> str:
    """The second step: the newest versions of these runs, kept if they still match and lie before the last candidate."""
    runs = ", ".join(f"'{run}'" for run in dict.fromkeys(run for _, _, run in found))
    wanted = f"RunId IN ({runs})"
    if "StartTime" in layout.key:
        pairs = dict.fromkeys((st, run) for _, st, run in found)
        wanted = f"(StartTime, RunId) IN ({', '.join(f'({time(st)}, {run!r})' for st, run in pairs)})"
    elif "toStartOfDay(StartTime)" in layout.key:
        low, high = min(st for _, st, _ in found), max(st for _, st, _ in found)
        wanted += f" AND StartTime BETWEEN {time(low)} AND {time(high)}"
    where = f"{_where(layout, namespace, case)} AND {after(position, CLOSE_ORDER)} AND {until(found[-1], CLOSE_ORDER)}"
    return f"SELECT {whole_row(layout)} FROM t FINAL WHERE {where} AND {wanted} ORDER BY {order(layout)} LIMIT {PAGE}"
