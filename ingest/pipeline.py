"""The pipeline: files are decoded in threads, pass through the network in batches, and are committed in chunks.

The three stages overlap. A chunk is one transaction, and what a chunk has committed is never computed again: a killed
ingest goes on where it was.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ingest.isolation import ForEvery, Isolation, is_short_of_memory
from ingest.results import results_of
from ingest.task import Task
from ingest.vision.geometry import Frame, Unfit, fit_image
from ingest.vision.loader import BadImage, decode, thumbnail
from store import write
from store.connection import checkpoint, writing
from store.records import ImageRecord, Run

CHUNK_IMAGES = 256
CHUNK_SECONDS = 10.0
WAITING_BATCHES = 8  # in memory, until each grid's batch is full
PATIENCE = 600.0  # seconds: what took a network long to compute waits long for a reader to let go of the database


@dataclass(frozen=True)
class Plan:
    """What is to be done with every picture. Without a backbone the pictures are only read and listed.

    `asked` are methods (`explaining.Asked`), `target` what those that need one explain; `image_ids` the ids of the
    names that the collection holds already. Without a `run_id` the `run` is made with the first pictures that it has
    results of. `stop` ends what the tasks have under way; it is called at the end too.
    """

    db: Path
    collection_id: int
    stage: str
    backbone: Any = None
    run_id: int | None = None
    run: Run | None = None
    fit: str = "crop"
    size: int | None = None
    asked: tuple[Any, ...] = ()
    target: Any = None
    image_ids: Mapping[str, int] = field(default_factory=dict)
    statistics: bool = False
    batch_size: int = 8
    workers: int = 2
    stop: Callable[[], None] = lambda: None

    def new_run(self) -> Run:
        """The run that is made with the first results. ValueError for a plan that has none to make."""
        if self.run is None:
            raise ValueError("a plan with a network needs a run, or the number of one")
        return self.run


@dataclass
class Counts:
    """How many pictures were added to the run (None: there is none yet), how many failed, with the first reasons, and
    of how many something was `assumed` (keys of `ingest.vision.colour.ASSUMED`)."""

    run_id: int | None = None
    done: int = 0
    failed: int = 0
    reasons: list[tuple[str, str]] = field(default_factory=list)
    assumed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Prepared:
    """A picture that has been read, `place` counted among the tasks, with its `pixels` as the network takes them."""

    place: int
    record: ImageRecord
    pixels: np.ndarray | None
    frame: Frame | None
    assumed: tuple[str, ...] = ()

    @property
    def fitted(self) -> tuple[np.ndarray, Frame]:
        """Pixels and frame of a picture that was read for a network. ValueError for one that was read for none."""
        if self.pixels is None:
            raise ValueError(f"{self.record.path} was not prepared for a network")
        return self.pixels, self.seen

    @property
    def seen(self) -> Frame:
        """The part of a picture that the network sees; what comes from another machine has this without the pixels.
        ValueError for a picture that was read for no network."""
        if self.frame is None:
            raise ValueError(f"{self.record.path} was not prepared for a network")
        return self.frame


@dataclass(frozen=True)
class Failure:
    """A picture that could not be read or looked at, by its name in the collection."""

    name: str
    reason: str


Processed = tuple[list[Prepared], Any]  # pictures of one grid with their Explanation, None without a backbone


def process(plan: Plan, tasks: Iterable[Task], advance: Callable[[int], object] = lambda n: None) -> Counts:
    """Reads every task's picture, passes it through the plan's backbone and stores what comes of it.

    `advance` is told how many pictures have been committed or have failed. Images get their ids in the order of the
    tasks.

    A picture that cannot be read becomes a row of `failures`, and so does one that the network fails at though it has
    none at others: a patch is asked for that its grid does not have, its numbers overflow, whatever is raised for it
    (`ingest.isolation`). What holds for every picture ends the pipeline, with all earlier chunks kept: words that this
    network cannot follow, and the machine, its memory, its disk, the database.
    """
    counts = Counts(plan.run_id)
    with Writer(plan, counts, advance) as writer:
        for item in processed(plan, registered(prepared_pictures(plan, tasks), writer)):
            writer.put(item)
    return counts


def processed(plan: Plan, pictures: Iterable[Prepared | Failure]) -> Iterator[Processed | Failure]:
    """The pictures in batches of one grid with what was found in each, and those that failed, as the writer takes
    them."""
    # A run is there only if it has pictures: then this network has been through some.
    isolation = Isolation(
        lambda batch: observations(plan, batch),
        lambda prepared, reason: Failure(prepared.record.path, reason),
        worked=plan.run_id is not None or plan.backbone is None,
    )
    for batch, failures in batches(plan, pictures):
        yield from failures
        if batch:
            yield from isolation.batch(batch)
    yield from isolation.end()


def registered(pictures: Iterable[Prepared | Failure], writer: Writer) -> Iterator[Prepared | Failure]:
    """The same pictures, told to the writer as they come: a batch may be done before one with earlier pictures, but
    image ids keep their order."""
    for each in pictures:
        if isinstance(each, Prepared):
            writer.registered.append((each.place, each.record))
        yield each


def _prepare(plan: Plan, place: int, task: Task) -> Prepared | Failure:
    try:
        decoded = task.read() if task.read else decode(task.file)
        small, width, height = thumbnail(decoded.pixels) if task.keep else (b"", 0, 0)
        record = ImageRecord(
            path=task.name,
            sha256=decoded.sha256,
            width=decoded.pixels.width,
            height=decoded.pixels.height,
            bytes=decoded.bytes,
            modified=task.modified,
            metadata=task.metadata,
            thumbnail=small,
            thumbnail_width=width,
            thumbnail_height=height,
        )
        if plan.backbone is None:
            return Prepared(place, record, None, None, decoded.assumed)
        pixels, frame = fit_image(decoded.pixels, plan.backbone.rule, plan.fit, plan.size)
        return Prepared(place, record, pixels, frame, decoded.assumed)
    except BadImage as error:
        return Failure(task.name, error.reason)
    except Unfit as error:
        return Failure(task.name, str(error))
    except Exception as error:  # one strange file never stops a collection
        return Failure(task.name, f"{type(error).__name__}: {error}")


def prepared_pictures(plan: Plan, tasks: Iterable[Task]) -> Iterator[Prepared | Failure]:
    """The tasks' pictures in order, decoded ahead in `plan.workers` threads (Pillow decodes outside Python's lock)."""
    ahead = plan.workers * 2 + plan.batch_size
    with (
        ThreadPoolExecutor(plan.workers, thread_name_prefix="decode") as pool,
        ThreadPoolExecutor(1, thread_name_prefix="film") as in_order,
    ):
        waiting: deque[Future] = deque()
        try:
            for place, task in enumerate(tasks):
                waiting.append((in_order if task.in_order else pool).submit(_prepare, plan, place, task))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            plan.stop()  # what is being fetched need not be waited for


def batches(plan: Plan, pictures: Iterable[Prepared | Failure]) -> Iterator[tuple[list[Prepared], list[Failure]]]:
    """Batches of pictures with one grid, filled up as the pictures come; with them the failures since the last.

    When WAITING_BATCHES batches of other pictures have come after a picture, it goes with those of its grid that are
    there: memory stays bounded, and a picture of a rare shape is not left to the end.
    """
    waiting: dict[Any, list[Prepared]] = {}  # by grid, the one whose first picture has waited longest first
    failures: list[Failure] = []
    for prepared in pictures:
        if isinstance(prepared, Failure):
            failures.append(prepared)
            continue
        grid = None if prepared.frame is None else (prepared.frame.rows, prepared.frame.cols)
        waiting.setdefault(grid, []).append(prepared)
        longest, held = next(iter(waiting.items()))
        full = len(waiting[grid]) == plan.batch_size
        if full or prepared.place - held[0].place >= WAITING_BATCHES * plan.batch_size:
            yield waiting.pop(grid if full else longest), failures
            failures = []
    for batch in waiting.values():
        yield batch, failures
        failures = []
    yield [], failures


def observations(plan: Plan, batch: list[Prepared]) -> Iterator[Processed | Failure]:
    """The batch with its Explanation, in halves where it does not fit into memory; pictures as failures where a method
    has no answer for their grid, or their numbers are not finite. Raises whatever else the network raises."""
    if plan.backbone is None:
        yield batch, None
        return
    import torch

    from ingest.vision.attention import GridError
    from ingest.vision.embedding import cells_of
    from ingest.vision.explaining import explain_pictures, overflowing

    pixels = torch.from_numpy(np.stack([prepared.fitted[0] for prepared in batch]))
    cells = cells_of([p.fitted[1] for p in batch], [(p.record.width, p.record.height) for p in batch])
    try:
        ids = [plan.image_ids.get(prepared.record.path) for prepared in batch]
        found = explain_pictures(plan.backbone, pixels, plan.asked, plan.target, cells, ids, plan.statistics)
    except RuntimeError as error:
        if len(batch) == 1 or not is_short_of_memory(error):
            raise
        torch.cuda.empty_cache()
        half = len(batch) // 2
        yield from observations(plan, batch[:half])
        yield from observations(plan, batch[half:])
    except GridError as error:
        if not plan.backbone.rule.varies(plan.fit):  # then no other picture has another grid
            raise ForEvery(str(error)) from error
        yield from _failed(batch, str(error))
    else:
        yield from _finite(plan, batch, found, overflowing(found))


def _finite(plan: Plan, batch: list[Prepared], found: Any, bad: set[int]) -> Iterator[Processed | Failure]:
    """The batch where all its numbers are finite; else the bad ones as failures, and the others once more."""
    if not bad:
        yield batch, found
        return
    yield from _failed([batch[place] for place in sorted(bad)], plan.backbone.overflow())
    good = [prepared for place, prepared in enumerate(batch) if place not in bad]
    if good:
        yield from observations(plan, good)


def _failed(batch: list[Prepared], reason: str) -> Iterator[Failure]:
    return (Failure(prepared.record.path, reason) for prepared in batch)


class Writer:
    """A thread that commits what arrives in chunks of CHUNK_IMAGES pictures or CHUNK_SECONDS seconds. What is put
    together is committed together; `bulk` is for thousands of pictures at once, which are large: only the next ones
    wait.

    Pictures that were `registered` (place, record) become images with the next chunk, whether the network is through
    with them or not.
    """

    def __init__(self, plan: Plan, counts: Counts, advance: Callable[[int], object], bulk: bool = False) -> None:
        self.plan, self.counts, self.advance, self.bulk = plan, counts, advance, bulk
        counts.run_id = plan.run_id
        self.queue: queue.Queue = queue.Queue(maxsize=1 if bulk else 8)
        self.registered: deque[tuple[int, ImageRecord]] = deque()
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._work, name="writer")

    def __enter__(self) -> Writer:
        self.thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        # Also after an interruption: what has been computed is worth committing.
        self.queue.put(None)
        self.thread.join()
        if self.error is None:
            checkpoint(self.plan.db, PATIENCE)
        if self.error is not None and kind is None:
            raise self.error

    def put(self, *items: Processed | Failure) -> None:
        if self.error is not None:
            raise self.error
        self.queue.put(items)

    def _work(self) -> None:
        observed: list[Processed] = []
        failures: list[Failure] = []
        since = time.monotonic()
        finished = False
        while not finished:
            items = self.queue.get()
            finished = items is None
            failures += [item for item in items or () if isinstance(item, Failure)]
            observed += [item for item in items or () if not isinstance(item, Failure)]
            waiting = len(failures) + sum(len(batch) for batch, _ in observed)
            late = time.monotonic() - since > CHUNK_SECONDS
            if waiting and (finished or late or waiting >= CHUNK_IMAGES) and self.error is None:
                try:
                    self._commit(observed, failures)
                except BaseException as error:
                    self.error = error  # the main thread raises it at its next step; the queue is still emptied
                observed, failures, since = [], [], time.monotonic()

    def _commit(self, observed: list[Processed], failures: list[Failure]) -> None:
        plan = self.plan
        done = [(each.place, each.record) for batch, _ in observed for each in batch]
        registered = [self.registered.popleft() for _ in range(len(self.registered))]
        in_order = sorted([*registered, *done], key=lambda each: each[0])
        run_id = self.counts.run_id
        with writing(plan.db, PATIENCE, more=True, bulk=self.bulk) as con:
            # Booked with its first pictures, not before: a run that fails at all of them leaves nothing behind.
            if run_id is None and any(observation is not None for _, observation in observed):
                run_id = write.add_run(con, plan.collection_id, plan.new_run())
            first = write.next_image_id(con)
            ids = write.add_images(con, plan.collection_id, [record for _, record in in_order])
            for batch, observation in observed:
                if observation is not None and run_id is not None:
                    batch_ids = np.array([ids[prepared.record.path] for prepared in batch], dtype=np.int64)
                    frames = [prepared.seen for prepared in batch]
                    results = results_of(observation, batch_ids, frames)
                    write.add_results(con, run_id, results, fresh=bool(batch_ids.min() >= first))
            write.clear_failures(con, plan.collection_id, [record.path for _, record in done])
            write.add_failures(con, plan.collection_id, [(f.name, plan.stage, f.reason) for f in failures])
        self.counts.run_id = run_id
        self.counts.done += len(done)
        self.counts.failed += len(failures)
        self.counts.assumed.update(key for batch, _ in observed for each in batch for key in each.assumed)
        self.counts.reasons += [(failure.name, failure.reason) for failure in failures]
        self.advance(len(done) + len(failures))
