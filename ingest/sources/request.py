"""What the user asks to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.tables.tabular import TableOptions


@dataclass(frozen=True)
class Request:
    """Where pictures are to be read from, and how.

    `address` is a folder or file, an address on the web, or one that fsspec knows: whatever a kind of source
    recognises. `table` describes the pictures, its `file_column` names their files, its `table_options` say how to read
    it. Only the first `limit` pictures are taken. `options` are those of single kinds of source that were given, by
    name (`Source.options`).
    """

    address: str
    collection: str | None = None
    table: str | None = None
    file_column: str | None = None
    limit: int | None = None
    table_options: TableOptions | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def first_page_only(self) -> bool:
        """Whether of files with many pages only the first is a picture."""
        return self.options.get("pages") == "first"
