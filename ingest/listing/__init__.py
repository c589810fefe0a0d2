"""The pictures of a source beside what a collection holds of them: which are new, changed, moved or gone.

`ingest.sources` says what lies in a source; here it meets the database. Each kind of source has a file of its own.
"""

from __future__ import annotations

from pathlib import Path

from ingest.errors import SourceError
from ingest.listing import films, folders, manifests, stores
from ingest.listing.nouns import Listing, Source
from ingest.listing.stored import list_collection
from ingest.report import Report
from ingest.sources.address import is_stored
from ingest.sources.film import is_film
from ingest.sources.iiif import is_iiif

__all__ = ["Listing", "Source", "list_collection", "list_source"]


def list_source(db: Path, source: Source, report: Report) -> Listing:
    """Looks through a source, reads the table that describes it, and brings the collection's names and metadata up to
    date: a folder; a film, whose frames are then the pictures; a IIIF manifest or collection; an address that fsspec
    knows. SourceError for wishes that do not fit the source, or a source without pictures.
    """
    address = source.address
    if is_stored(address):
        return stores.list_store(db, source, report)
    if source.pages != "all" and (is_iiif(address) or is_film(address)):
        raise SourceError(f"--pages is for folders with PDF and TIFF files, and {address} is none; IIIF has --canvases")
    if is_iiif(address) and source.every is None:
        return manifests.list_iiif(db, source, report)
    if source.wishes is not None:
        raise SourceError(
            "--language, --canvases, --keep, --side, --per-second and --allow-host are for IIIF manifests, "
            f"and {address} is none"
        )
    if is_film(address):
        return films.list_film(db, source, report)
    if source.every is not None:
        raise SourceError(f"--every is for films, and {address} is not a film")
    return folders.list_folder(db, source, report)
