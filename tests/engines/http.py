"""One small HTTP call for probes and clean-up, with the server's own words in the error.

Tests of the toolkit use real clients, never this.
"""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping

from tests.engines.engine import Address


class HttpError(OSError):
    """The server answered with an error status."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"HTTP {status}: {said[:500]}")
        self.status = status


def base(address: Address) -> str:
    """The URL of a server's root."""
    return f"{'https' if address.secure else 'http'}://{address.host}:{address.port}"


def trusting() -> ssl.SSLContext:
    """For clean-up on servers of the user's own; whether the toolkit checks certificates is tested elsewhere."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def call(method: str, url: str, body: bytes | None, headers: Mapping[str, str], seconds: float = 30) -> bytes:
    """The body of the answer; HttpError for an error status, OSError when nobody answers."""
    request = urllib.request.Request(url, body, dict(headers), method=method)
    try:
        context = trusting() if url.startswith("https:") else None
        with urllib.request.urlopen(request, timeout=seconds, context=context) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as e:
        with e:
            raise HttpError(e.code, e.read().decode(errors="replace")) from None
