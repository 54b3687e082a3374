"""A full-text table as a value: FTS5 over columns of another table.

Pure; it renders nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.catalog import Json


@dataclass(frozen=True, slots=True)
class SearchTable:
    """`content`: the table whose columns are searched; `tokenizer`: how FTS5 cuts values into words."""

    name: str
    columns: tuple[str, ...]
    content: str
    tokenizer: str

    def to_json(self) -> Json:
        """The table's part of a catalog."""
        options: Json = {"content": self.content, "tokenize": self.tokenizer}
        return {"module": "fts5", "columns": list(self.columns), "options": options}
