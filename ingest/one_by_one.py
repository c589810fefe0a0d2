"""Pictures of a listing one after the other, each read in parts and stored in a transaction of its own: what is stored
is never computed again, and a picture that fails is reported and stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ingest.isolation import is_machines, sentence_of
from ingest.open_picture import OpenPicture, opened
from ingest.pipeline import PATIENCE
from ingest.report import Report
from ingest.sources.listing import Listing
from ingest.task import Task
from ingest.vision.backbones import BackboneError
from ingest.vision.bad_image import BadImage
from store import write
from store.connection import checkpoint, reading, writing


class Stored(Protocol):
    """Where the results of a kind of run are: `find` gives the id of the run that is meant, or None, `add` the same
    and makes it if it is new, `done` the ids of the images that a run has results of."""

    def find(self, con: Any) -> int | None: ...

    def add(self, con: Any) -> int: ...

    def done(self, con: Any, run_id: int) -> set[int]: ...


@dataclass
class OneByOne:
    """What one command does to a listing, in the `stage` that its failures are of. `run_id` is None until the run has
    its first picture; `new` and `failed`, (name, reason), count as it goes."""

    db: Path
    listing: Listing
    stage: str
    stored: Stored
    report: Report
    run_id: int | None = None
    new: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)

    def find_run(self) -> None:
        """The run that is meant, if the database has it."""
        with writing(self.db) as con:  # which brings an older database up to date
            self.run_id = self.stored.find(con)

    def remaining(self) -> list[Task]:
        """The tasks whose pictures are new or changed, or have no results yet."""
        if self.run_id is None:
            return list(self.listing.tasks)
        with reading(self.db) as con:
            done = self.stored.done(con, self.run_id)
        return [task for task in self.listing.tasks if self.known(task) not in done]

    def all_of(
        self,
        tasks: list[Task],
        doing: str,
        found: Callable[[OpenPicture], Any],
        store: Callable[..., None],
        before: Callable[[], None] | None = None,
    ) -> None:
        """Stores what is `found` of each task's picture, given it open (`image_id` has its id): `store(con, run_id,
        found)` is called in a transaction. `before` is called first. Raises what holds for every picture: the machine's
        faults."""
        try:
            if before is not None:
                before()
            with self.report.progress(len(tasks), doing) as advance:
                for task in tasks:
                    self._one(task, found, store)
                    advance(1)
        finally:
            self.listing.close()
            if self.db.exists():
                checkpoint(self.db, PATIENCE)

    def _one(self, task: Task, found: Callable[[OpenPicture], Any], store: Callable[..., None]) -> None:
        try:
            picture = opened(task)
            results = found(picture)
        except Exception as error:
            if not isinstance(error, BadImage | BackboneError) and is_machines(error):
                raise
            reason = str(error) if isinstance(error, BadImage | BackboneError) else sentence_of(error)
            self.failed.append((task.name, reason))
            with self.writing() as con:
                write.add_failures(con, self.listing.collection_id, [(task.name, self.stage, reason)])
            return
        with self.writing() as con:
            store(con, self.made_run(con), results)
            write.clear_failures(con, self.listing.collection_id, [task.name], self.stage)
        self.new += 1

    def known(self, task: Task) -> int | None:
        """The id of a task's picture, if the collection holds it and the file has not changed."""
        return self.listing.known[task.name].image_id if self.listing.is_unchanged(task) else None

    def image_id(self, picture: OpenPicture) -> int:
        """The id of an open picture, which the collection holds from now on."""
        known = self.known(picture.task)
        if known is not None:
            return known
        record = picture.record()
        with self.writing() as con:
            return write.add_images(con, self.listing.collection_id, [record])[record.path]

    def made_run(self, con: Any) -> int:
        """The run. It is made with its first picture, not before: one that fails at all of them leaves nothing
        behind."""
        if self.run_id is None:
            self.run_id = self.stored.add(con)
        return self.run_id

    def writing(self) -> AbstractContextManager[Any]:
        """A transaction, which a reader may keep waiting for long."""
        return writing(self.db, PATIENCE, more=True)

    def counts(self, tasks: list[Task], **more: Any) -> dict[str, Any]:
        """The counts of the last line, where these `tasks` were to be done; `more` stands after those of pictures."""
        return {
            "db": str(self.db),
            "collection": self.listing.collection,
            "found": len(self.listing.tasks),
            "new": self.new,
            "already": len(self.listing.tasks) - len(tasks),
            "failed": len(self.failed),
            "skipped": self.listing.skipped,
            **self.listing.notes(),
            "run_id": self.run_id,
            **more,
        }
