"""What `explain` needs beside the pipeline: the pictures somebody means, and the target."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest.errors import SourceError
from ingest.sources.listing import Listing
from store import read, sandbox, search
from store.connection import reading
from store.errors import SqlFailed, SqlRefused


def narrow(db: Path, listing: Listing, images: str | None, where: str | None) -> Listing:
    """The listing with only the images named by id (`3,5,7`), or for which an SQL condition on the catalogue holds.

    SourceError with a sentence for an id that the collection does not hold, a condition that is no SQL, or no image.
    """
    if images is None and where is None:
        return listing
    stored = {each.image_id: name for name, each in listing.known.items()}
    if images is not None:
        chosen = image_ids(images)
        strange = [number for number in chosen if number not in stored]
        if strange:
            raise SourceError(f"the collection {listing.collection!r} holds no image {strange[0]}")
    else:
        try:
            chosen = sandbox.matching(db, where)
        except (SqlFailed, SqlRefused) as error:
            raise SourceError(f"--where {where!r} cannot be asked of the catalogue: {error}") from error
    names = {stored[number] for number in chosen if number in stored}
    if not names:
        raise SourceError(f"no image of the collection {listing.collection!r} is meant by {where or images!r}")
    return replace(listing, tasks=[task for task in listing.tasks if task.name in names])


def target_for(db: Path, run_id: int | None, backbone: Any, text: str) -> Any:
    """The target written as `text`, with the features and labels of the run that it needs. TargetError, StoreError."""
    from ingest.vision.targets import Bank, make_target

    with reading(db) as con:
        features = None if run_id is None else search.features(con, run_id)

    def encode(words: str) -> Any:
        from ingest.report import Report
        from ingest.runs import newest_run
        from ingest.words import vectors_of

        return vectors_of(db, newest_run(db, run_id), [words], "cpu", Report())[words].vector

    if features is None:
        return make_target(text, backbone)
    ids, _ = features

    def labels(column: str) -> list[frozenset[str]]:
        with reading(db) as con:
            return read.labels(con, column, ids)

    return make_target(text, backbone, Bank(*features), labels, encode)


def image_ids(text: str) -> list[int]:
    """Ids from `3,5,7`. SourceError for anything else."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SourceError(f"--images expects ids such as 3,5,7, not {text!r}") from None
