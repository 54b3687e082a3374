"""TARGET: a URL in the driver's own form, or the name of a store in `temporal-visibility.yaml`.

It takes addresses apart and fills in `${ENV}`; it never connects, and never shows a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from toolkit import document
from toolkit import overlay_file as overlays
from toolkit.attributes import name_problem
from toolkit.document import Value
from toolkit.errors import TargetError, shown
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.versions import over_any

DEFAULT_FILE = "temporal-visibility.yaml"

# URL scheme → (engine, transport).
SCHEMES: Mapping[str, tuple[str, str]] = {
    "postgresql": ("postgresql", ""),
    "postgres": ("postgresql", ""),
    "mysql": ("mysql", ""),
    "sqlite": ("sqlite", ""),
    "elasticsearch+http": ("elasticsearch", "http"),
    "elasticsearch+https": ("elasticsearch", "https"),
    "opensearch+http": ("elasticsearch", "http"),
    "opensearch+https": ("elasticsearch", "https"),
    "clickhouse+http": ("clickhouse", "http"),
    "clickhouse+https": ("clickhouse", "https"),
    "chdb": ("clickhouse", "chdb"),
}
_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_VARIABLE = re.compile(rf"\$\{{({_NAME})\}}")
_ODD = re.compile(rf"\$\{{(?!{_NAME}\}})")
_PORT = re.compile(rf".*:(\$\{{{_NAME}\}})")
_SHORT = 4
_ENCODE = "Example: postgresql://user:${PASSWORD}@host:5432/db. Written out, / is %2F, # is %23, ? is %3F, @ is %40."
_HOSTS = f"Several hosts with ports are options: postgresql://user@/db?host=a,b&port=5432,5433. {_ENCODE}"
# A proxy's address may have a password in it; the last three are libpq's.
SECRET_OPTIONS = frozenset({
    "password", "api_key", "token", "sslpassword", "access_token", "http_proxy", "https_proxy",
    "oauth_client_secret", "scram_client_key", "scram_server_key",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """One store's address. `path` is unquoted and without its leading '/'; `transport` is http, https, chdb or ''.

    `shown` is the address without secrets, fit for any output; the secrets are kept out of `repr`.
    """

    engine: str
    scheme: str
    transport: str
    shown: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    path: str = ""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    name: str | None = None
    overlay: Overlay = NO_OVERLAY

    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown."""
        hidden = [self.password, *(v for k, v in self.options.items() if k.lower() in SECRET_OPTIONS)]
        return tuple(text for text in hidden if text)

    def redact(self, text: str) -> str:
        """`text` with every secret of this target replaced; one of a few letters, only where it stands by itself: no
        message could be read without these letters."""
        for secret in sorted(self.secrets(), key=len, reverse=True):
            if len(secret) < _SHORT:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
            else:
                text = text.replace(secret, "***")
        return text


def parse_url(
    text: str, environment: Mapping[str, str], overlay: Overlay = NO_OVERLAY, name: str | None = None
) -> Target:
    """The target that a URL names; `${NAME}` is taken from `environment`. Raises TargetError."""
    scheme, colon, _ = text.partition("://")
    if not colon or scheme not in SCHEMES:
        known = ", ".join(f"{known}://" for known in SCHEMES)
        raise TargetError("TV3002", f"{shown(scheme)!r} is not a kind of store this tool knows", f"Known: {known}")
    if _ODD.search(text):
        hint = "Write ${NAME} and nothing more: defaults are a shell's. A '$' that is meant as such is %24."
        raise TargetError("TV3003", "what stands between ${ and } in the URL is not the name of a variable", hint)
    try:
        parts = urlsplit(text)
        port = _port(parts, environment)
    except ValueError:
        several = "," in text.partition("?")[0] and SCHEMES[scheme][0] == "postgresql"
        hint = _HOSTS if several else _ENCODE
        raise TargetError("TV3003", "the URL's host or port cannot be understood", hint) from None
    if "#" in text or _ends_early(parts):
        raise TargetError(
            "TV3003", "the URL cannot be understood: it has a special character that is not encoded", _ENCODE
        )
    engine, transport = SCHEMES[scheme]
    query = {k: _expand(v, environment) for k, v in _pairs(parts)}
    user = _expand(unquote(parts.username), environment) if parts.username else None
    return Target(
        engine=engine,
        scheme=scheme,
        transport=transport,
        shown=_shown(parts),
        host=_expand(unquote(_host(parts)), environment) or None,
        port=port,
        user=user,
        password=_expand(unquote(parts.password), environment) if parts.password else None,
        path=_expand(unquote(parts.path), environment).removeprefix("/"),
        options=query,
        name=name,
        overlay=overlay,
    )


def _ends_early(parts: SplitResult) -> bool:
    """Whether a '/' or '?' of the password was taken for the end of the host: what is left of the password would be
    shown as the path or as an option."""
    return bool(parts.netloc) and ("@" in parts.path or any("@" in name for name, _ in _pairs(parts)))


def _pairs(parts: SplitResult) -> list[tuple[str, str]]:
    """The URL's options. A '+' is one, as libpq has it: blanks are %20."""
    return parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True)


def _host(parts: SplitResult) -> str:
    """The host as `urlsplit` gives it, but for names of variables and of directories (%2Frun), whose case counts."""
    host = parts.hostname or ""
    found = parts.netloc.lower().rfind(host) if "${" in host or "%" in host else -1
    return host if found < 0 else parts.netloc[found : found + len(host)]


def _port(parts: SplitResult, environment: Mapping[str, str]) -> int | None:
    """The port, which may be a variable. Raises ValueError when it is no number of one."""
    found = _PORT.fullmatch(parts.netloc)
    if found is None:
        return parts.port
    value = _expand(found[1], environment)
    if value and not (value.isascii() and value.isdigit()):
        raise ValueError(found[1])
    return urlsplit(f"//host:{value}").port


def _shown_port(parts: SplitResult) -> str:
    found = _PORT.fullmatch(parts.netloc)
    port = parts.port if found is None else found[1]
    return "" if port is None else f":{port}"


def _expand(text: str, environment: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise TargetError("TV3004", f"the environment variable {match[1]} is not set", f"export {match[1]}=…")
        return environment[match[1]]

    return _VARIABLE.sub(value, text)


def _shown(parts: SplitResult) -> str:
    """The URL as typed, `${…}` included, without the password and without options that are secrets."""
    login = f"{parts.username}@" if parts.username else ""
    port = _shown_port(parts)
    query = "&".join(f"{k}={'***' if k.lower() in SECRET_OPTIONS else v}" for k, v in _pairs(parts))
    host = f"[{_host(parts)}]" if ":" in _host(parts) else _host(parts)
    return f"{parts.scheme}://{login}{host}{port}{parts.path}{'?' if query else ''}{query}"


def load_stores(path: Path, environment: Mapping[str, str], only: Sequence[str] = ()) -> dict[str, Target]:
    """All stores of a configuration file, by name; those called `only` by themselves, if all are there: what others
    need of `environment` is then not asked for. Raises DefinitionError or TargetError."""

    def decode(root: Value) -> dict[str, Target]:
        stores = {name: (key, value) for name, key, value in root.members(("stores",))["stores"].items()}
        wanted = only if only and stores.keys() >= set(only) else stores
        return {name: _store(name, *stores[name], environment) for name in wanted}

    return document.read(path, decode)


def _store(name: str, key: Value, value: Value, environment: Mapping[str, str]) -> Target:
    if problem := name_problem(name.replace("-", "_")):
        raise key.error("TV1011", f"{shown(name)!r} cannot be a store's name: {problem}")
    parts = value.members(("url",), ("overlay",))
    overlay = over_any(overlays.decode(parts["overlay"])) if "overlay" in parts else NO_OVERLAY
    try:
        target = parse_url(parts["url"].text(), environment, overlay, name)
        overlays.check(overlay, target.engine)
        return target
    except TargetError as error:
        raise TargetError(error.code, f"{parts['url'].location}: {error.message}", error.hint) from None


def is_url(text: str) -> bool:
    """Whether TARGET is meant as a URL, not as the name of a store."""
    return "://" in text


def _there(path: Path) -> bool:
    """Whether there is a file, or something that whoever reads it can tell what is wrong with."""
    try:
        return path.exists()
    except OSError:
        return True


def resolve(text: str | None, file: Path | None, environment: Mapping[str, str]) -> tuple[Target, ...]:
    """The targets that the command line means: a URL, the name of a store in `file`, or (None) all stores in it.

    `file` None means `temporal-visibility.yaml` in the working directory. Raises TargetError or DefinitionError.
    """
    if text is not None:
        return (resolve_each((text,), file, environment)[text],)
    path = file or Path(DEFAULT_FILE)
    if not _there(path):
        raise TargetError("TV3005", f"no TARGET given, and there is no {path}", "Give a URL such as sqlite:///file.db.")
    stores = load_stores(path, environment)
    if not stores:
        # A gate or a check of nothing would find nothing wrong.
        raise TargetError("TV3005", f"no TARGET given, and {path} names no store", "Give a URL, or write one there.")
    return tuple(stores.values())


def resolve_each(texts: Sequence[str], file: Path | None, environment: Mapping[str, str]) -> dict[str, Target]:
    """As `resolve`, for several: each of `texts` with its target. The file is read once, which is all a pipe allows."""
    found = {text: parse_url(text, environment) for text in texts if is_url(text)}
    names = [text for text in texts if text not in found]
    if not names:
        return found
    path = file or Path(DEFAULT_FILE)
    if not _there(path):
        raise TargetError(
            "TV3006", f"{shown(names[0])!r} is not a URL, and there is no {path}", "URLs look like sqlite:///file.db."
        )
    stores = load_stores(path, environment, names)
    for name in names:
        if name not in stores:
            hint = f"It has: {', '.join(stores) or 'none'}."
            raise TargetError("TV3007", f"{path} has no store {shown(name)!r}", hint)
    return found | {name: stores[name] for name in names}
