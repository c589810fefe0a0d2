"""The pipeline on a cluster: Ray Data reads the pictures on the CPUs of all machines and passes them through networks
that stay loaded, one on each GPU; what comes of it is written as parts, which this process loads into the database.

Only this process writes the database. Parts that a stopped run has left are loaded first, and their pictures are not
computed again; a worker that is lost is replaced, and its batch done again.
"""

from __future__ import annotations

import logging
import os
import pickle
import re
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from ingest.engines.shards import Shards, fingerprint_of, from_table, key_of, to_table
from ingest.errors import SourceError
from ingest.pipeline import CHUNK_SECONDS, Counts, Failure, Plan, Prepared, Writer, prepared_pictures, processed
from ingest.sources import registry
from ingest.sources.iiif.tasks import is_address
from ingest.task import Task
from store.counts import counted

READ_IMAGES = 32  # pictures that one task reads, in READ_THREADS threads: far disks answer late
READ_THREADS = 4
READ_MEMORY = 2**28  # bytes
PART_IMAGES = 128
# Of several parts at once so many pictures go into the database. Beyond 122,880 rows, one a map, DuckDB writes them to
# their place in the file at once, and not first to its log; and each statement costs milliseconds.
LOAD_IMAGES = 2048
LOAD_BYTES = 2**27  # of them in memory, at which they go in any case
MOST_BLOCKS = 10_000
KNOCK_SECONDS = 10.0


class ClusterError(OSError):
    """A cluster that is not there, or whose workers cannot do what they are asked; the message is one sentence."""


@dataclass(frozen=True)
class RayEngine:
    """A cluster that does what `pipeline.process` does.

    `shards` is where parts are kept until they are in the database, a path or an address for fsspec that all machines
    see: beside the database unless given. `workers` networks are loaded, each with a GPU of its own if `on_gpus` and
    with so many CPUs; the other CPUs read.
    """

    workers: int
    on_gpus: bool
    cpus_each: float = 1.0
    shards: str | None = None
    batch_size: int | None = None
    part_images: int = PART_IMAGES
    load_images: int = LOAD_IMAGES

    def describe(self) -> str:
        """Who looks at the pictures, for people."""
        each = "a GPU each" if self.on_gpus else "without GPUs"
        return f"ray, {counted(self.workers, 'worker')}, {each}"

    def precision(self) -> Any:
        """The torch dtype in which the workers compute: asked of one of them, since this machine may have no GPU."""
        import ray
        import torch

        if not self.on_gpus:
            return torch.float32
        return getattr(torch, ray.get(ray.remote(num_gpus=1)(_precision_of_gpu).remote()))

    def process(self, plan: Plan, tasks: list[Task], advance: Callable[[int], object] = lambda n: None) -> Counts:
        """As `ingest.pipeline.process`."""
        shards = Shards(self.shards or f"{plan.db.resolve()}.parts", fingerprint_of(plan))
        counts = Counts()
        loading = Loading(shards, {key_of(task) for task in tasks}, advance, self.load_images)
        with Writer(plan, counts, loading.committed, bulk=True) as writer:
            for name in shards.names():
                if not loading.load(name, writer):
                    shards.remove(name)
            loading.flush(writer)
            left = [(place, task) for place, task in enumerate(tasks) if key_of(task) in loading.wanted]
            for name in self._made(plan, shards, left) if left else ():
                if not loading.load(name, writer):
                    raise ClusterError(
                        f"a worker has written {name} to {shards.address}, but it is not to be found from here: "
                        "name a place that all machines see with --parts, such as s3://bucket/folder"
                    )
            loading.flush(writer)
        loading.committed(0)  # parts of which nothing was wanted any more
        shards.close()
        return counts

    def _made(self, plan: Plan, shards: Shards, tasks: list[tuple[int, Task]]) -> Iterator[str]:
        """The names of the parts, as workers finish them."""
        import ray

        groups = [{"tasks": pickle.dumps(group)} for group in _grouped(tasks, READ_IMAGES)]
        backbone = plan.backbone
        bare = replace(plan, backbone=None, image_ids={}, stop=_nothing, batch_size=READ_IMAGES, workers=READ_THREADS)
        # Reading asks the network for its rule alone.
        reading = replace(bare, backbone=SimpleNamespace(rule=backbone.rule))
        network = _Network(
            backbone.key,
            backbone.weights,
            backbone.layer,
            str(backbone.precision),
            backbone.weights_sha256,
            backbone.settings(),
        )
        made = (
            ray.data.from_items(groups, override_num_blocks=min(len(groups), MOST_BLOCKS))
            # A need of its own also keeps Ray from making one step of reading and looking, on the CPU of one worker.
            .map_batches(
                _read,
                batch_size=1,
                batch_format="pyarrow",
                fn_kwargs={"plan": reading},
                num_cpus=1,
                memory=READ_MEMORY,
            )
            .map_batches(
                Processor,
                batch_size=self.part_images,
                batch_format="pyarrow",
                fn_constructor_args=(bare, network, self.on_gpus, self.batch_size, shards),
                compute=ray.data.ActorPoolStrategy(size=min(self.workers, len(groups))),
                num_cpus=self.cpus_each,
                num_gpus=1 if self.on_gpus else 0,
            )
        )
        try:
            for row in made.iter_rows():
                yield row["part"]
        except ray.exceptions.RayError as error:
            raise ClusterError(f"the cluster could not go on: {innermost(error)}") from error


def refuse_source(source: str) -> None:
    """SourceError for a source whose pictures one machine has to read, one after the other."""
    if registry.source_of(source).one_machine:
        kinds = " or ".join(kind.noun for kind in reversed(registry.SOURCES) if kind.one_machine)
        raise SourceError(f"--engine ray reads files, and {source} is {kinds}; leave --engine out")


def refuse_tasks(tasks: Iterable[Task]) -> None:
    """SourceError if one of the pictures that a collection holds has to be read by one machine, after the others."""
    found = next((task.name for task in tasks if task.in_order or is_address(task.name)), None)
    if found is not None:
        raise SourceError(f"--engine ray reads files, and {found} is part of a film or of IIIF; leave --engine out")


@contextmanager
def open_cluster(
    address: str | None = None,
    shards: str | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
) -> Iterator[RayEngine]:
    """The cluster at `address`, at $RAY_ADDRESS, or one that is made of this machine; left again at the end.

    ClusterError where it does not answer or has no GPU though one is asked for; ValueError where Ray is not installed.
    """
    # Nothing is told to anybody about the use of this program.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # warnings about its own workings, nobody's concern here
    try:
        import ray
        import ray.data
    except ImportError:
        raise ValueError(
            "--engine ray needs Ray, on every machine; type: pip install -r requirements-ray.txt"
        ) from None
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(
            f"--engine ray gives each worker a GPU of its own: --device is auto, cuda or cpu, not {device}"
        )
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    _knock(address)
    joined = not ray.is_initialized()
    if joined:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ClusterError(f"there is no Ray cluster at {address}: {innermost(error)}") from error
    try:
        _quieten()
        has = ray.cluster_resources()
        gpus, cpus = int(has.get("GPU", 0)), int(has.get("CPU", 0))
        if device == "cuda" and not gpus:
            raise ClusterError("no machine of the cluster has a GPU; leave --device out, or type --device cpu")
        on_gpus = gpus > 0 and device != "cpu"
        workers = workers or (gpus if on_gpus else max(1, cpus // 2))
        cpus_each = min(1.0, max(0.01, round(cpus / workers / 2, 2)))  # half of the CPUs at least are left to read
        yield RayEngine(workers, on_gpus, cpus_each, shards, batch_size)
    finally:
        if joined:
            ray.shutdown()


@dataclass(frozen=True)
class _Network:
    """What a worker needs to load the same network."""

    key: str
    weights: str | None
    layer: int | None
    precision: str
    sha256: str
    settings: dict[str, Any]

    def load(self, device: str) -> Any:
        import torch

        from ingest.models import load_backbone

        backbone = load_backbone(self.key, self.weights, self.layer, "cpu", self.settings)
        if backbone.weights_sha256 != self.sha256:
            raise ValueError(f"the weights of {self.key} are others on this machine than where the run was started")
        return backbone.to(device, getattr(torch, self.precision.removeprefix("torch.")))


class Processor:
    """A worker with its network: tables of read pictures become parts."""

    def __init__(self, plan: Plan, network: _Network, on_gpu: bool, batch_size: int | None, shards: Shards) -> None:
        from ingest.models import choose_batch_size

        backbone = network.load("cuda" if on_gpu else "cpu")
        batch_size = batch_size or choose_batch_size(backbone, plan.size or backbone.rule.size)
        self.plan = replace(plan, backbone=backbone, batch_size=batch_size)
        self.shards = shards

    def __call__(self, table: pa.Table) -> pa.Table:
        rows = sorted(table.to_pylist(), key=lambda row: row["place"])
        tasks = {row["path"]: (row["key"], row["place"]) for row in rows}
        pictures = (_at(place, pickle.loads(row["picture"])) for place, row in enumerate(rows))
        found = list(processed(self.plan, pictures))
        failures = [each for each in found if isinstance(each, Failure)]
        done = [each for each in found if not isinstance(each, Failure)]
        return pa.table({"part": [self.shards.write(to_table(done, failures, tasks))]})


class Loading:
    """Parts on their way into the database: loaded once each, several at once, removed when what they hold is
    committed."""

    def __init__(
        self, shards: Shards, wanted: set[str], advance: Callable[[int], object], images: int = LOAD_IMAGES
    ) -> None:
        self.shards, self.wanted, self.advance, self.images = shards, wanted, advance, images
        self.tables: list[pa.Table] = []  # of the parts that wait for others to go with
        self.names: list[str] = []
        self.since = 0.0
        self.put, self.done = 0, 0
        self.waiting: deque[tuple[int, list[str]]] = deque()  # how much is to be committed before these parts may go

    def load(self, name: str, writer: Writer) -> bool:
        """Take what is wanted of a part, and hand it to the writer with that of others as soon as it is enough; False
        if the part cannot be read."""
        table = self.shards.read(name)
        if table is None:
            return False
        keys = table["key"].to_pylist()
        places = [place for place, key in enumerate(keys) if key in self.wanted]
        self.wanted.difference_update(keys)
        if not self.names:
            self.since = time.monotonic()
        self.names.append(name)
        self.tables.append(table if len(places) == len(keys) else table.take(pa.array(places, pa.int64())))
        enough = sum(map(len, self.tables)) >= self.images or sum(each.nbytes for each in self.tables) >= LOAD_BYTES
        if enough or time.monotonic() - self.since > CHUNK_SECONDS:
            self.flush(writer)
        return True

    def flush(self, writer: Writer) -> None:
        """Hand over what waits."""
        if not self.names:
            return
        table = pa.concat_tables(self.tables)
        self.put += len(table)
        self.waiting.append((self.put, self.names))
        self.tables, self.names = [], []
        writer.put(*from_table(table))

    def committed(self, count: int) -> None:
        """Called by the writer when so many more pictures are in the database."""
        self.done += count
        while self.waiting and self.waiting[0][0] <= self.done:
            for name in self.waiting.popleft()[1]:
                self.shards.remove(name)
        self.advance(count)


def _read(table: pa.Table, plan: Plan) -> pa.Table:
    """Groups of tasks as read pictures, a row each."""
    tasks = [pair for group in table["tasks"].to_pylist() for pair in pickle.loads(group)]
    pictures = prepared_pictures(plan, [task for _, task in tasks])
    rows = [
        {"key": key_of(task), "place": place, "path": task.name, "picture": pickle.dumps(picture)}
        for (place, task), picture in zip(tasks, pictures, strict=True)
    ]
    return pa.Table.from_pylist(rows)


def _at(place: int, picture: Prepared | Failure) -> Prepared | Failure:
    return replace(picture, place=place) if isinstance(picture, Prepared) else picture


def _grouped(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _nothing() -> None:
    pass


def _precision_of_gpu() -> str:
    from ingest.models import choose_precision

    return str(choose_precision("cuda")).removeprefix("torch.")


def _quieten() -> None:
    """No bars and lines of Ray's own: the command has its own."""
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray.data", "ray._private", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _knock(address: str) -> None:
    """ClusterError where nobody listens at HOST:PORT: Ray itself would go on asking for minutes."""
    found = re.fullmatch(r"(?:\w+://)?\[?(.+?)\]?:([0-9]+)", address)
    try:
        if found:
            socket.create_connection((found[1], int(found[2])), KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"there is no Ray cluster at {address}: {error}") from None


def innermost(error: BaseException | None) -> str:
    """The last sentence of an error that has travelled from one machine to another."""
    sentence = type(error).__name__
    while error is not None:
        sentence = str(error).strip() or sentence
        error = getattr(error, "cause", None) or error.__cause__
    return re.sub(r"^[\w.]*(Error|Exception): ", "", sentence.splitlines()[-1].strip())
