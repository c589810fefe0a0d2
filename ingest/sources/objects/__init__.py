"""The objects that were found in the pictures of a collection, as pictures of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.sources.request import Request
from ingest.sources.source import Source, StoredCollection

if TYPE_CHECKING:
    from ingest.report import Report
    from ingest.sources.listing import Listing
    from ingest.task import Task

_ADDRESS = re.compile(r"objects:(.*)", re.DOTALL)


class ObjectsSource(Source):
    """`objects:RUN`: each object of a run of `objects` is a picture, a part of the picture that it was found in, with
    all that is known of that. No pixels are copied. `again` makes the tasks that read stored pictures again."""

    noun = "a run of objects"
    misplaced = "{option} is not for {address}"
    columns = ("parent", "parent_file", "parent_xywh", "object", "object_run", "object_method", "object_score")
    one_machine = True

    def __init__(self, again: Callable[[StoredCollection], list[Task]]) -> None:
        self.again = again

    def recognises(self, address: str) -> bool:
        return _ADDRESS.fullmatch(address) is not None and not Path(address).exists()

    def list_pictures(self, db: Path, request: Request, report: Report) -> Listing:
        from ingest.sources.objects.listing import list_objects

        return list_objects(db, request, report, self.again)

    def read_again(self, stored: StoredCollection) -> list[Task]:
        from ingest.sources.objects.listing import parts_again

        return parts_again(stored, self.again)
