"""From a Target to an open clickhouse-connect client: a server over HTTP, or chDB in this process.

It opens and explains why it cannot; what is then asked is `client`'s business.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import clickhouse_connect
from clickhouse_connect import common
from clickhouse_connect.driver.exceptions import ClickHouseError

from toolkit.engines.clickhouse.render import identifier, literal
from toolkit.errors import ConnectionFailed, LockHeld, TargetError, Unsupported
from toolkit.targets import Target

# The driver's own type is untyped for us.
Connection = Any
Open = Callable[[], Connection]

DEFAULT_DATABASE = "temporal_visibility"
CONNECT_TIMEOUT = 10
# Options of the URL that the driver understands, and how their text is read.
_OPTIONS: Mapping[str, Callable[[str], object]] = {
    "verify": lambda text: text.lower() not in ("false", "0", "no", "off"),
    "ca_cert": str,
    "client_cert": str,
    "client_cert_key": str,
    "server_host_name": str,
    "tls_mode": str,
    "http_proxy": str,
    "https_proxy": str,
    "proxy_path": str,
    "access_token": str,
    "compress": lambda text: text.lower() not in ("false", "0", "no", "off"),
    "connect_timeout": int,
    "send_receive_timeout": int,
}
# Options of the URL that are ours, and the words they may have.
OWN_OPTIONS: Mapping[str, tuple[str, ...]] = {"lock": ("keeper", "table"), "mutations": ("wait", "kill")}
# Engines differ in what they do by default, and so do versions: nothing is left to it.
_SETTINGS: Mapping[str, str | int] = {
    # Long work goes on in the background; the client looks how far it is instead of holding a request open.
    "mutations_sync": 0,
    "async_insert": 0,
    # A repeated block must arrive: versions decide what stays, not the engine's memory of blocks.
    "insert_deduplicate": 0,
    "materialize_ttl_after_modify": 0,
    "final": 0,
    # What an account's profile may have otherwise, and a statement here would not be what it says.
    "join_use_nulls": 0,
    "aggregate_functions_null_for_empty": 0,
    "data_type_default_nullable": 0,
    "empty_result_for_aggregation_by_empty_set": 0,
    "transform_null_in": 0,
    "cast_keep_nullable": 0,
    "force_primary_key": 0,
    "force_optimize_projection": 0,
    # A lock that an earlier answer tells of may be somebody else's by now.
    "use_query_cache": 0,
    # What a reader without settings of his own sees: versions of a run in several partitions, rows that were deleted.
    "do_not_merge_across_partitions_select_final": 0,
    "apply_deleted_mask": 1,
    # An answer with part of the rows is a wrong one: where a profile's limit is reached, that is an error, and so is a
    # server of a cluster that is down.
    "limit": 0,
    "offset": 0,
    "additional_result_filter": "",
    "additional_table_filters": "{}",
    "skip_unavailable_shards": 0,
    **dict.fromkeys(
        (
            "read_overflow_mode",
            "read_overflow_mode_leaf",
            "result_overflow_mode",
            "timeout_overflow_mode",
            "timeout_overflow_mode_leaf",
            "group_by_overflow_mode",
            "sort_overflow_mode",
            "distinct_overflow_mode",
            "set_overflow_mode",
            "join_overflow_mode",
            "transfer_overflow_mode",
        ),
        "throw",
    ),
    # A plan in the journal is longer than what the server usually takes.
    "max_query_size": 2**26,
}
# Newer servers have these.
_WHERE_KNOWN: Mapping[str, str | int] = {
    # A copy without them would have its indexes for new rows only.
    "materialize_skip_indexes_on_insert": 1,
    "exclude_materialize_skip_indexes_on_insert": "",
    # From 26 on these decide, and not insert_deduplicate.
    "deduplicate_insert": "disable",
    "deduplicate_insert_select": "disable",
    # How the driver writes what it inserts.
    "input_format_native_decode_types_in_binary_format": 0,
    # ClickHouse 26.9 finds nothing by `f(a) != x AND (b IS NULL OR c > y)`, where a and c have indexes and b is never
    # null (ClickHouse/ClickHouse#119528).
    "use_skip_indexes_for_disjunctions": 0,
    # What is read of a table's own statement begins with names in such quotes.
    "show_create_query_identifier_quoting_style": "Backticks",
    # And it has quotes where catalogs expect them: engines and keys are compared as text.
    "show_create_query_identifier_quoting_rule": "when_necessary",
}
# What a column or index of somebody else's may have needed when it was made, its copy needs again.
_ALLOWING = re.compile(r"allow_suspicious_\w+|allow_experimental_\w+_(types?|index|statistics)")
# Of chDB each command begins an engine of its own: what that compiles is used once or never.
_EMBEDDED = dict.fromkeys(("compile_expressions", "compile_aggregate_expressions", "compile_sort_description"), 0)
_ALONE: Mapping[str, str | int] = {"alter_sync": 0}
_CLUSTER: Mapping[str, str | int] = {
    # Wait for this server, never for those that are down; what they have to do waits for them in Keeper.
    "alter_sync": 1,
    "distributed_ddl_output_mode": "null_status_on_timeout",
    "insert_distributed_sync": 1,
}
_STATUS_FILE = "status"
# What stands in the text of a server that cannot be used → what to do.
_REFUSED: Mapping[str, str] = {
    "UNKNOWN_DATABASE": "Create the database first: CREATE DATABASE …",
    # Of all settings, or of the one that the text names.
    "readonly": "This account's profile has readonly = 1, so that no session may choose its settings: use readonly = 2."
    " Or a constraint of it keeps the one named here as it is: take that out.",
    "SETTING_CONSTRAINT_VIOLATION": "A constraint of this account's profile does not let a session choose the setting"
    " named here as this tool needs it: take that out.",
    # The driver asks before it sends settings of a session.
    "QUERY_CACHE_USED_WITH": "This account's profile has use_query_cache = 1, which no driver's first question bears:"
    " take it out, or set query_cache_nondeterministic_function_handling and query_cache_system_table_handling"
    " to 'ignore'.",
    "Unrecognized ClickHouse type": "This account's profile chooses a form of answers that the driver does not read"
    " (output_format_native_encode_types_in_binary_format, or output_format): take that out.",
}


def opener(target: Target) -> Open:
    """A function that opens a client each time it is called. Raises TargetError; the function raises ConnectionFailed,
    LockHeld (another process has the chDB directory open) or Unsupported (chDB is not installed)."""
    # An id of our own would make the server refuse two requests at once.
    common.set_setting("autogenerate_session_id", False)
    settings = {**_SETTINGS, **(_CLUSTER if target.overlay.clickhouse.cluster else _ALONE)}
    return _embedded(target, settings) if target.transport == "chdb" else _server(target, settings)


def _server(target: Target, settings: Mapping[str, str | int]) -> Open:
    options: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT}
    database = target.options.get("database") or target.path
    if not database:
        raise TargetError("TV3008", "the URL names no database", f"Example: {target.scheme}://user@host:8123/temporal")
    for name, text in target.options.items():
        if name in OWN_OPTIONS:
            own_option(target, name)
        elif name != "database":
            options[name] = _option(name, text)

    def open_server() -> Connection:
        try:
            return _careful(
                clickhouse_connect.get_client(
                    interface=target.transport,
                    host=target.host or "localhost",
                    port=target.port or (8443 if target.transport == "https" else 8123),
                    username=target.user or "default",
                    password=target.password or "",
                    database=database,
                    settings=dict(settings),
                    client_name="temporal-visibility",
                    **options,
                )
            )
        except (ClickHouseError, OSError, ValueError) as error:
            _no_server(target, error)

    return open_server


def own_option(target: Target, name: str) -> str:
    """One of our own options, or what it is when the URL has none. Raises TargetError."""
    words = OWN_OPTIONS[name]
    text = target.options.get(name, words[0])
    if text not in words:
        raise TargetError("TV3009", f"the URL's option {name} is {text[:60]!r}", f"Known: {', '.join(words)}.")
    return text


def _option(name: str, text: str) -> object:
    if name not in _OPTIONS:
        raise TargetError(
            "TV3009", f"the URL has an unknown option {name[:60]!r}", f"Known: {', '.join((*_OPTIONS, *OWN_OPTIONS))}."
        )
    try:
        return _OPTIONS[name](text)
    except ValueError:
        raise TargetError("TV3009", f"the URL's option {name} must be a whole number", "") from None


def _no_server(target: Target, error: Exception) -> NoReturn:
    text = shortened(target, error)
    usual = "Is the server up, and are host, port, user and password right?"
    hint = next((told for sign, told in _REFUSED.items() if sign in text), usual)
    raise ConnectionFailed("TV4001", f"cannot connect to {target.shown}: {text}", hint) from None


def _embedded(target: Target, settings: Mapping[str, str | int]) -> Open:
    directory = _directory(target)
    unknown = sorted(set(target.options) - {"database", *OWN_OPTIONS})
    if unknown:
        known = ", ".join(("database", *OWN_OPTIONS))
        raise TargetError("TV3009", f"the URL has an unknown option {unknown[0][:60]!r}", f"Known: {known}.")
    for name in OWN_OPTIONS:
        own_option(target, name)
    database = target.options.get("database") or DEFAULT_DATABASE

    def open_embedded() -> Connection:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            connection = clickhouse_connect.get_client(interface="chdb", path=str(directory))
            try:
                _choose(connection, settings)
                connection.command(f"CREATE DATABASE IF NOT EXISTS {identifier(database)}")
                # The driver opens a database only when it is there, and uses a later one from the next statement on.
                connection.database = database
                return connection
            except BaseException:
                with suppress(Exception):
                    connection.close()
                raise
        except ImportError:
            raise Unsupported(
                "TV4202", "chDB is not installed here", "pip install 'temporal-visibility-toolkit[chdb]'"
            ) from None
        except (ClickHouseError, OSError) as error:
            _no_directory(target, directory, error)

    return open_embedded


def _choose(connection: Connection, settings: Mapping[str, str | int]) -> None:
    """In one statement for chDB's session: the driver would choose them one by one for each connection."""
    chosen = {**settings, **_known(connection), **_EMBEDDED}
    connection.command("SET " + ", ".join(f"{name} = {literal(str(value))}" for name, value in chosen.items()))


def _careful(connection: Connection) -> Connection:
    for name, value in _known(connection).items():
        connection.set_client_setting(name, value)
    return connection


def _known(connection: Connection) -> dict[str, str | int]:
    there = connection.server_settings
    allowed = {name: 1 for name, setting in there.items() if _ALLOWING.fullmatch(name) and not setting.readonly}
    return {**allowed, **{name: value for name, value in _WHERE_KNOWN.items() if name in there}}


def _directory(target: Target) -> Path:
    """`chdb:///data/dir` is absolute, as for the driver; `chdb://./dir` begins in the working directory."""
    if not target.path:
        raise TargetError("TV3008", "the URL names no directory", "Example: chdb:///data/visibility?database=temporal")
    if target.host in (None, ""):
        return Path("/", target.path)
    if target.host in (".", ".."):
        return Path(str(target.host), target.path)
    raise TargetError(
        "TV3008",
        "a chDB URL has no host",
        "Absolute: chdb:///data/dir. In the working directory: chdb://./dir",
    )


def _no_directory(target: Target, directory: Path, error: Exception) -> NoReturn:
    text = shortened(target, error)
    if "already initialized with path" in text:
        raise ConnectionFailed(
            "TV4203",
            "this process has another chDB directory open",
            "chDB opens one directory at a time.",
        ) from None
    if _is_locked(directory / _STATUS_FILE):
        raise LockHeld(
            "TV4204",
            f"another process has {target.shown} open",
            "Wait until it ends: chDB serves one process at a time.",
        ) from None
    raise ConnectionFailed(
        "TV4001", f"cannot open {target.shown}: {text}", "May this user write there, and is it a chDB directory?"
    ) from None


def _is_locked(path: Path) -> bool:
    """Whether another process holds the engine's lock: what chDB says when it fails does not tell."""
    import fcntl

    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def shortened(target: Target, error: Exception) -> str:
    """The engine's words in one line, without secrets, version trailers and stack traces."""
    text = target.redact(str(error)).strip()
    text = text.partition(" (for url ")[0].partition("Stack trace:")[0]
    return " ".join(text.split())[:1000] or type(error).__name__
