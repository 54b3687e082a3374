"""A question in an engine's own words with its values apart: what filters make and clients run.

Two values and nothing else, so that a client need not load the filter language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BoundSql:
    """One SQL statement; every value from outside is among `parameters`, never in `text`."""

    text: str
    parameters: tuple[Any, ...] | Mapping[str, Any] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """One request to a search engine about the index that holds the records; `path` is `_search` or `_count`."""

    path: str
    body: Mapping[str, Any]
