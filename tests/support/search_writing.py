"""The writer for Elasticsearch and OpenSearch: the bulk API with external versions, as Temporal's own server writes.

What the cluster refuses for a while (a write block, too busy, not there) is tried again until it is taken.
"""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

from tests.support.writing import NAMESPACE, Truth, Writer

STATUSES = {"Running": 1, "Completed": 2}
# Versions go on from here, above those of the sample's records.
FIRST_VERSION = 1 << 40
_TAKEN = (200, 201, 404, 409)
PATIENCE = 120.0


class SearchWriter(Writer):
    """Writes to the index or alias of `url`. `versions`: the version of each record that must be there; `refused`:
    how often the cluster had to be asked again."""

    def __init__(self, url: str, pause: float = 0.002, seed: int = 5) -> None:
        super().__init__(url, pause, seed)
        parts = urlsplit(url)
        self._server, self._index = parts.netloc, parts.path[1:]
        self._version = FIRST_VERSION
        self.versions: dict[str, int] = {}
        self.refused = 0

    def open(self) -> dict[str, http.client.HTTPConnection]:
        """See `Writer.open`. The connection is made anew when it breaks."""
        return {}

    def close(self, connection: Any) -> None:
        """See `Writer.close`."""
        for known in connection.values():
            known.close()

    def insert(self, connection: Any, run: str, word: str) -> None:
        """See `Writer.insert`; `word` is kept as the task queue, which every version has."""
        self._index_document(connection, run, word, "Running", {})

    def update(self, connection: Any, run: str, word: str) -> None:
        """See `Writer.update`."""
        self._index_document(connection, run, word, "Completed", {"CloseTime": "2024-01-02T03:04:06.5Z"})

    def delete(self, connection: Any, run: str) -> None:
        """See `Writer.delete`."""
        self._send(connection, "delete", run, None)
        del self.versions[run]

    def _index_document(self, connection: Any, run: str, word: str, status: str, more: dict[str, str]) -> None:
        document = {
            "NamespaceId": NAMESPACE, "WorkflowId": "w", "RunId": run, "WorkflowType": "t", "TaskQueue": word,
            "StartTime": "2024-01-02T03:04:05Z", "ExecutionTime": "2024-01-02T03:04:05Z", "ExecutionStatus": status,
            **more,
        }  # fmt: skip
        self.versions[run] = self._send(connection, "index", run, document)

    def _send(self, connection: Any, action: str, run: str, document: Any) -> int:
        self._version += 1
        facts = {"_index": self._index, "_id": f"w~{run}", "version": self._version, "version_type": "external"}
        lines = [json.dumps({action: facts})] + ([json.dumps(document)] if document else [])
        body = "\n".join(lines) + "\n"
        deadline = time.monotonic() + PATIENCE
        while (seen := self._status(connection, action, body)) not in _TAKEN or (seen == 404 and action == "index"):
            assert time.monotonic() < deadline, f"refused for {PATIENCE:g} s, at last with {seen}"
            self.refused += 1
            self._stop.wait(0.01)
        return self._version

    def _status(self, connection: dict[str, http.client.HTTPConnection], action: str, body: str) -> int:
        """What became of the one action; 0: no answer."""
        try:
            if "line" not in connection:
                connection["line"] = http.client.HTTPConnection(self._server, timeout=30)
            line = connection["line"]
            line.request("POST", "/_bulk", body, {"Content-Type": "application/x-ndjson"})
            answer = line.getresponse()
            content = json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError):
            if "line" in connection:
                connection.pop("line").close()
            return 0
        if answer.status != 200:
            return answer.status
        item = content["items"][0][action]
        # A delete in an index that is not there is no delete.
        return (
            int(item["status"])
            if "error" not in item or item["status"] == 409
            else max(400, int(item["status"])) + 1000
        )


def read_truth(hits: list[dict[str, Any]]) -> tuple[Truth, dict[str, int]]:
    """The writer's records in an answer: status and word, and their versions."""
    truth = {
        h["_source"]["RunId"]: (STATUSES[h["_source"]["ExecutionStatus"]], h["_source"]["TaskQueue"]) for h in hits
    }
    return truth, {h["_source"]["RunId"]: h["_version"] for h in hits}
