"""What is written in a filter → the value of a column's kind: statuses, durations and moments have several spellings.

Pure; every function raises ValueError with the reason, and `check` adds the place.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

from toolkit.attributes import STATUS_NAMES
from toolkit.records import nanoseconds

# The years that every engine's own time type can be compared with.
FIRST_MOMENT = nanoseconds(datetime(1, 1, 1, tzinfo=UTC))
LAST_MOMENT = nanoseconds(datetime.max.replace(tzinfo=UTC)) + 999
MAX_INT = 2**63 - 1
MIN_INT = -(2**63)

_STATUS_NUMBERS = {name: number for number, name in STATUS_NAMES.items()}
_LONG_STATUS = "WORKFLOW_EXECUTION_STATUS_"
_LONG_NUMBERS = {
    _LONG_STATUS + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper(): number for name, number in _STATUS_NUMBERS.items()
}
_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:(Z)|([+-])(\d\d):(\d\d))", re.ASCII)
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII)
_CLOCK = re.compile(r"(\d{1,9}):(\d{1,2}):(\d{1,2})", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)


def status(value: str | int) -> int:
    """A status by number (1…8), name (`Running`) or long name (`WORKFLOW_EXECUTION_STATUS_RUNNING`)."""
    if isinstance(value, int):
        if value in STATUS_NAMES:
            return value
        raise ValueError(f"there is no status {value}; they are 1 to {max(STATUS_NAMES)}")
    number = _STATUS_NUMBERS.get(value) or _LONG_NUMBERS.get(value)
    if number is None:
        raise ValueError(f"there is no status {value[:40]!r}; they are {', '.join(_STATUS_NUMBERS)}")
    return number


def moment(value: str | int) -> int:
    """Nanoseconds since 1970 from an RFC 3339 text or from that number itself."""
    if isinstance(value, int):
        return in_range(value)
    found = _RFC3339.fullmatch(value)
    if not found:
        raise ValueError(f"{value[:40]!r} is no RFC 3339 time such as '2026-01-31T12:00:00Z'")
    year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
    shift = 0 if found[8] else (int(found[10]) * 60 + int(found[11])) * (-60 if found[9] == "+" else 60)
    if not found[8] and (int(found[10]) > 23 or int(found[11]) > 59):
        raise ValueError(f"{value[:40]!r} has an impossible offset")
    try:
        whole = nanoseconds(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
    except ValueError as error:
        raise ValueError(f"{value[:40]!r}: {error}") from None
    found_at = whole + shift * 1_000_000_000 + int((found[7] or "0")[:9].ljust(9, "0"))
    if not FIRST_MOMENT <= found_at <= LAST_MOMENT:
        raise ValueError(f"{value[:40]!r} in UTC lies outside of the years 1 to 9999")
    return found_at


def duration(value: str | int) -> int:
    """Nanoseconds from a number, a Go duration (`1h30m`, `1.5d`), or `hh:mm:ss`."""
    if isinstance(value, int):
        return in_range(value)
    if _WHOLE.fullmatch(value):
        return in_range(int(value))
    if clock := _CLOCK.fullmatch(value):
        hours, minutes, seconds = (int(part) for part in clock.groups())
        if minutes > 59 or seconds > 59:
            raise ValueError(f"{value[:40]!r}: minutes and seconds end at 59")
        return in_range(((hours * 60 + minutes) * 60 + seconds) * 1_000_000_000)
    sign, rest = (-1, value[1:]) if value.startswith("-") else (1, value.removeprefix("+"))
    parts = _PART.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest or len(rest) > 100:
        raise ValueError(f"{value[:40]!r} is no duration such as '1h30m', '90s' or '01:30:00'")
    return in_range(sign * sum(int(Decimal(number) * _UNITS[unit]) for number, unit in parts))


def in_range(value: int) -> int:
    """`value`, when it fits in 64 bits."""
    if not MIN_INT <= value <= MAX_INT:
        raise ValueError("the number does not fit in 64 bits")
    return value
