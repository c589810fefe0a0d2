"""Folders of pictures. A single picture is one too."""

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


class FolderSource(Source):
    """A folder with all its subfolders, or a picture: whatever nothing else recognises."""

    noun = "a folder"
    options = (PAGES,)
    misplaced = "--pages is for folders with PDF and TIFF files, and {address} is none; IIIF has --canvases"
    columns = ("document", "page", "pages")

    def recognises(self, address: str) -> bool:
        return True

    def list_pictures(self, db: Path, request: Request, report: Report) -> Listing:
        from ingest.sources.folder.listing import list_folder

        return list_folder(db, request, report)

    def read_again(self, stored: StoredCollection) -> list[Task]:
        from ingest.sources.pages import with_pages

        return with_pages(stored.files())
