"""A throwaway index name on a target's cluster; see `toolkit.engines.scratches`. The name has a template of its own, so
that no other index of the cluster is touched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.engines import script
from toolkit.engines.elasticsearch import inspect, render, versions
from toolkit.engines.elasticsearch.client import SearchClient, connect
from toolkit.engines.elasticsearch.typemap import profile
from toolkit.errors import ToolkitError, UsageError
from toolkit.targets import Target

_SIZES = "_stats/store?filter_path=_all.total.store.size_in_bytes"


@dataclass(frozen=True, slots=True)
class SearchScratch:
    """See `toolkit.engines.scratches.Scratch`. `client`: a session of its own."""

    target: Target
    client: SearchClient
    index: str

    def size(self) -> int | None:
        """See `Scratch.size`."""
        with suppress(ToolkitError, KeyError, TypeError):
            found: Mapping[str, Any] = self.client.request("GET", f"{render.path(self.index)}*/{_SIZES}")
            return int(found["_all"]["total"]["store"]["size_in_bytes"])
        return None

    def claim(self, label: str | None) -> None:
        """See `Scratch.claim`."""
        self.client.request("PUT", f"{render.path(self.index)}/_mapping", {"_meta": versions.note(label)})

    def load(self, dump: Path) -> None:
        """See `Scratch.load`: what `GET /INDEX` answers; settings that a cluster gives by itself are left out, as are
        pipelines, which may not be there, and would make other records of ours."""
        try:
            (found,) = json.loads(script.read(dump)).values()
            flat = inspect.flat_settings(found["settings"])
            # Where its shards may lie depends on the cluster.
            kept = {k: v for k, v in flat.items() if not (inspect.belongs_to_one(k) or k.startswith("routing."))}
            settings = {k: v for k, v in kept.items() if k not in (*render.PIPELINES, "search.default_pipeline")}
            body = {"mappings": found["mappings"], "settings": {"index": settings}}
        except (ValueError, KeyError, AttributeError, TypeError):
            raise UsageError("TV2083", f"{dump} is not the answer of GET /INDEX", "Save it with curl.") from None
        self.client.request("PUT", render.path(self.index), body)

    def drop(self) -> None:
        """See `Scratch.drop`. Indices are named one by one: a cluster may forbid to delete by pattern."""
        with suppress(ToolkitError):
            for name in self.client.request("GET", f"{render.path(self.index)}*?expand_wildcards=all"):
                self.client.request("DELETE", render.path(name))
            for kind in ("_template", "_index_template"):
                self.client.request("DELETE", f"/{kind}{render.path(f'{self.index}_template')}")
        self.client.close()


def make(target: Target, name: str) -> SearchScratch:
    """The index name `name`; nothing is made yet. Raises ConnectionFailed or TargetError."""
    prefix, _, _ = target.path.rpartition("/")
    path = f"{prefix}/{name}" if prefix else name
    options = {**target.options, "cluster_settings": "skip"}
    made = replace(target, path=path, options=options, shown=f"{target.shown} ({name})")
    return SearchScratch(made, connect(made, profile()), name)
