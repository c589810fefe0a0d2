"""The pictures that a collection holds already, to be read again from where they lay."""

from __future__ import annotations

from pathlib import Path

from ingest.listing.nouns import Listing
from ingest.metadata import chosen_collection
from ingest.sources.address import is_stored, tasks_again
from ingest.sources.film import with_films
from ingest.sources.iiif import Wishes, is_address, with_pictures
from ingest.sources.pages import with_pages
from ingest.task import Task
from ingest.vision.paths import raw_name
from store import read
from store.connection import reading


def list_collection(db: Path, collection: str | None, allow_hosts: tuple[str, ...] = ()) -> Listing:
    """The pictures of the collection of this name, or of the only one. SourceError if there is none."""
    with reading(db) as con:
        row = chosen_collection(con, collection)
        known = read.known(con, row["collection_id"])
        sizes = read.sizes(con, row["collection_id"]) if any(map(is_address, known)) else {}
    name, collection_id, source = row["name"], row["collection_id"], row["source"]
    if is_stored(source):
        return Listing(name, collection_id, tasks_again(source, known), known)
    folder = Path(source)
    tasks = [Task(folder / raw_name(each), each, held.bytes, held.modified) for each, held in known.items()]
    here = with_pages(with_films([task for task in tasks if task.name not in sizes]))
    if not sizes:
        return Listing(name, collection_id, here, known)
    web = Wishes(allow_hosts=allow_hosts).open()
    return Listing(name, collection_id, here + with_pictures(tasks, known, sizes, web), known, close=web.close)
