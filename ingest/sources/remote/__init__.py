"""Pictures below an address that fsspec knows: s3://bucket/folder, gs://, az://, sftp://, file:// …"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ingest.sources.options import PAGES
from ingest.sources.request import Request
from ingest.sources.source import Source, StoredCollection

if TYPE_CHECKING:
    from ingest.report import Report
    from ingest.sources.listing import Listing
    from ingest.task import Task


class RemoteSource(Source):
    """A place far away, whose files are read where they lie."""

    noun = "a store"
    options = (PAGES,)
    columns = ("document", "page", "pages")

    def recognises(self, address: str) -> bool:
        from ingest.remote_files import is_remote

        return is_remote(address)

    def list_pictures(self, db: Path, request: Request, report: Report) -> Listing:
        from ingest.sources.remote.listing import list_remote

        return list_remote(db, request, report)

    def read_again(self, stored: StoredCollection) -> list[Task]:
        if not self.recognises(stored.source):
            return []
        from ingest.sources.remote.files import tasks_again

        return tasks_again(stored.source, stored.known)
