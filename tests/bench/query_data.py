"""The records of the query benchmark: record n follows from n alone, so that every store can make them by itself.

`record` says it in Python, for stores that are written to; the statements say the same in SQL. Times are multiples of
250 ms, which every store keeps exactly.
"""

from __future__ import annotations

from toolkit.records import Record

# 2026-01-01T00:00:00Z; an execution starts every quarter of a second.
BASE = 1_767_225_600
TICK = 250
PRIME = 2_147_483_647
_FACTORS = (48_271, 69_621, 16_807, 39_373, 742_938_285, 950_706_376, 1_226_874_159, 62_089_911, 1_343_714_438)
NAMESPACES = tuple(f"00000000-0000-4000-8000-0000000000{number:02d}" for number in range(20))
# 60 of 100 records are in this one.
BUSY = NAMESPACES[0]


def mixed(n: int, which: int) -> int:
    """A number that looks random: the same in every engine's 64-bit arithmetic."""
    return (n + 1) * _FACTORS[which] % PRIME


def _of(n: str, which: int, values: int) -> str:
    """`mixed(n, which) % values` in SQL, in parentheses: || binds tighter than % in SQLite."""
    return f"({_mix(n, which)} % {values})"


def _mix(n: str, which: int) -> str:
    return f"((({n}) + 1) * {_FACTORS[which]} % {PRIME})"


def record(n: int) -> Record:
    """Record n."""
    place, chance = mixed(n, 0) % 100, mixed(n, 1) % 100
    namespace = NAMESPACES[0 if place < 60 else 1 + mixed(n, 0) % 19]
    status = 1 if chance < 10 else 2 if chance < 80 else 3 if chance < 92 else 5 if chance < 96 else 7
    start = BASE * 1000 + n * TICK
    duration = mixed(n, 2) % 14_400 * TICK
    close = None if status == 1 else start + duration
    run = f"{mixed(n, 3):08x}-0000-4000-8000-{n:012x}"
    workflow = f"order-{mixed(n, 4) % 100_000}"
    return Record(
        namespace_id=namespace, run_id=run, workflow_id=workflow, workflow_type=f"Type{mixed(n, 5) % 30}",
        start_time=start * 10**6, execution_time=start * 10**6, status=status, task_queue=f"queue-{mixed(n, 5) % 7}",
        close_time=None if close is None else close * 10**6,
        history_length=None if close is None else mixed(n, 6) % 1000,
        execution_duration=None if close is None else duration * 10**6,
        root_workflow_id=workflow, root_run_id=run, version=n + 1,
        attributes={
            "Keyword01": f"customer-{mixed(n, 6) % 100_000}",
            "Int01": mixed(n, 7) % 10_000,
            "KeywordList01": (f"tag-{mixed(n, 8) % 50}",),
        },
    )  # fmt: skip


_COLUMNS = (
    "namespace_id, run_id, workflow_id, workflow_type_name, start_time, execution_time, status, task_queue, "
    "close_time, history_length, execution_duration, root_workflow_id, root_run_id, _version, encoding"
)


def _namespace(number: str) -> str:
    """`number` writes the last two digits, given the SQL of a number."""
    other = number.format(f"(1 + {_of('n', 0, 19)})")
    return f"CASE WHEN {_of('n', 0, 100)} < 60 THEN '{BUSY}' ELSE {other} END"


def _status() -> str:
    chance = _of("n", 1, 100)
    steps = " ".join(f"WHEN {chance} < {below} THEN {status}" for below, status in ((10, 1), (80, 2), (92, 3), (96, 5)))
    return f"CASE {steps} ELSE 7 END"


def postgresql(first: int, last: int) -> str:
    """Records first … last - 1 into PostgreSQL."""
    namespace = _namespace(f"'{BUSY[:-2]}' || lpad({{}}::text, 2, '0')")
    inner = (
        f"SELECT n, {namespace} AS ns, "
        f"{_status()} AS status, {BASE * 1000} + n * {TICK} AS start_ms, {_of('n', 2, 14400)} * {TICK} AS took, "
        f"lpad(to_hex({_mix('n', 3)}), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(n), 12, '0') AS run, "
        f"'order-' || {_of('n', 4, 100000)} AS workflow "
        f"FROM generate_series({first}::bigint, {last - 1}::bigint) AS n"
    )
    time = "to_timestamp({} / 1000.0) AT TIME ZONE 'UTC'"
    attributes = (
        f"jsonb_build_object('Keyword01', 'customer-' || {_of('n', 6, 100000)}, 'Int01', {_of('n', 7, 10000)}, "
        f"'KeywordList01', jsonb_build_array('tag-' || {_of('n', 8, 50)}))"
    )
    return (
        f"INSERT INTO executions_visibility ({_COLUMNS}, search_attributes) SELECT ns, run, workflow, "
        f"'Type' || {_of('n', 5, 30)}, {time.format('start_ms')}, {time.format('start_ms')}, status, "
        f"'queue-' || {_of('n', 5, 7)}, CASE WHEN status <> 1 THEN {time.format('(start_ms + took)')} END, "
        f"CASE WHEN status <> 1 THEN {_of('n', 6, 1000)} END, CASE WHEN status <> 1 THEN took * 1000000 END, "
        f"workflow, run, n + 1, '', {attributes} FROM ({inner}) AS made ON CONFLICT DO NOTHING"
    )


def sqlite(first: int, last: int) -> str:
    """Records first … last - 1 into SQLite."""
    namespace = _namespace(f"'{BUSY[:-2]}' || printf('%02d', {{}})")
    inner = (
        f"SELECT n, {namespace} AS ns, {_status()} AS status, {BASE * 1000} + n * {TICK} AS start_ms, "
        f"{_of('n', 2, 14400)} * {TICK} AS took, printf('%08x-0000-4000-8000-%012x', {_mix('n', 3)}, n) AS run, "
        f"'order-' || {_of('n', 4, 100000)} AS workflow FROM numbers"
    )
    time = (
        "strftime('%Y-%m-%d %H:%M:%S', {0} / 1000, 'unixepoch') || "
        "CASE {0} % 1000 WHEN 0 THEN '' WHEN 250 THEN '.25' WHEN 500 THEN '.5' ELSE '.75' END || '+00:00'"
    )
    attributes = (
        f"json_object('Keyword01', 'customer-' || {_of('n', 6, 100000)}, 'Int01', {_of('n', 7, 10000)}, "
        f"'KeywordList01', 'tag-' || {_of('n', 8, 50)})"
    )
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last - 1})"
    return (
        f"INSERT OR IGNORE INTO executions_visibility ({_COLUMNS}, search_attributes) {numbers} "
        f"SELECT ns, run, workflow, "
        f"'Type' || {_of('n', 5, 30)}, {time.format('start_ms')}, {time.format('start_ms')}, status, "
        f"'queue-' || {_of('n', 5, 7)}, CASE WHEN status <> 1 THEN {time.format('(start_ms + took)')} END, "
        f"CASE WHEN status <> 1 THEN {_of('n', 6, 1000)} END, CASE WHEN status <> 1 THEN took * 1000000 END, "
        f"workflow, run, n + 1, '', {attributes} FROM ({inner})"
    )


def clickhouse(first: int, last: int) -> str:
    """Records first … last - 1 into ClickHouse; written twice, they are one."""
    namespace = _namespace(f"concat('{BUSY[:-2]}', leftPad(toString({{}}), 2, '0'))")
    time = "fromUnixTimestamp64Micro({} * 1000, 'UTC')"
    digits = "leftPad(lower(hex({})), {}, '0')"
    run = f"concat({digits.format(_mix('n', 3), 8)}, '-0000-4000-8000-', {digits.format('n', 12)})"
    inner = (
        f"SELECT toInt64(number) AS n, {namespace} AS ns, {_status()} AS st, "
        f"{BASE * 1000} + n * {TICK} AS start_ms, "
        f"{_of('n', 2, 14400)} * {TICK} AS took, {run} AS run, concat('order-', toString({_of('n', 4, 100000)})) "
        f"AS workflow FROM numbers({first}, {last - first})"
    )
    return (
        f"INSERT INTO executions_visibility ({_COLUMNS}, keyword01, int01, keywordlist01) SELECT ns, run, workflow, "
        f"concat('Type', toString({_of('n', 5, 30)})), {time.format('start_ms')}, {time.format('start_ms')}, st, "
        f"concat('queue-', toString({_of('n', 5, 7)})), if(st <> 1, {time.format('(start_ms + took)')}, NULL), "
        f"if(st <> 1, {_of('n', 6, 1000)}, NULL), if(st <> 1, took * 1000000, NULL), workflow, run, n + 1, '', "
        f"concat('customer-', toString({_of('n', 6, 100000)})), {_of('n', 7, 10000)}, "
        f"[concat('tag-', toString({_of('n', 8, 50)}))] FROM ({inner})"
    )
