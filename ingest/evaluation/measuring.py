"""Every map of every picture with a truth, measured; gathered by method and target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ingest.evaluation.truths import Picture
from ingest.vision.evaluation import measures
from ingest.vision.evaluation.truth import GridTruth, NoTruth, Truth, on_grid
from ingest.vision.geometry import Frame
from store import aggregate, evaluations
from store.connection import reading
from store.maps import AttentionMaps

CHUNK = 100  # pictures whose maps are read with one connection


@dataclass
class Group:
    """The maps of one method and target: of k of them `layers` and `heads` (k,), and of each of n pictures its id, its
    measures {metric: (k,)}, what they are by chance, the share of objects found by boxes, (k, thresholds, overlaps,
    sizes), and that of a map that is the same everywhere, (overlaps, sizes)."""

    layers: np.ndarray
    heads: np.ndarray
    image_ids: list[int] = field(default_factory=list)
    by_patch: list[dict[str, np.ndarray]] = field(default_factory=list)
    chance: list[dict[str, float]] = field(default_factory=list)
    found: list[np.ndarray] = field(default_factory=list)
    found_by_chance: list[np.ndarray] = field(default_factory=list)

    def values(self, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """The measure of each map and picture (k, n), and chance (n,)."""
        return np.stack([each[metric] for each in self.by_patch], axis=1), np.array([c[metric] for c in self.chance])

    @cached_property
    def objects(self) -> np.ndarray:
        """`found` as (k, thresholds, overlaps, sizes, n). To be asked when all pictures are there."""
        return np.stack(self.found, axis=-1)


class Measured:
    """What has been measured so far: a Group for each (method, target), and pictures left out, with the reasons."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str, str], Group] = {}
        self.left_out: dict[int, str] = {}

    def add(self, image_id: int, maps: AttentionMaps, truth: GridTruth) -> None:
        """The maps of one picture, method and target."""
        name = f"{maps.method} {maps.target}".strip()
        if maps.grid != truth.coverage.shape:
            self.left_out[image_id] = f"its maps of {name} have another grid than its frame"
            return
        group = self.groups.setdefault((maps.method, maps.target), Group(maps.layers, maps.heads))
        if not (np.array_equal(group.layers, maps.layers) and np.array_equal(group.heads, maps.heads)):
            self.left_out[image_id] = f"its maps of {name} are of other layers and heads than those of the others"
            return
        overlaps = measures.box_overlaps(maps.weights, truth)
        group.image_ids.append(image_id)
        group.by_patch.append(measures.by_patch(maps.weights, truth))
        group.chance.append(measures.chance(truth))
        group.found.append(measures.objects_found(overlaps, truth.sizes).astype(np.float32))
        group.found_by_chance.append(measures.objects_found(measures.whole_overlaps(truth), truth.sizes))


@dataclass(frozen=True)
class Truths:
    """The truth of pictures on the grid of a run, and of which there is no word, with the reasons; `unknown` is the
    number of those of which nothing is known at all."""

    on_grid: Mapping[int, GridTruth]
    left_out: dict[int, str]
    unknown: int


def truths_on_grid(db: Path, run_id: int, known: Iterable[tuple[Picture, Truth | str | None]]) -> Truths:
    """The truths of pictures, or the reasons why there is none, on the grid of a run."""
    with reading(db) as con:
        rows = aggregate.frames(con, run_id).to_pylist()
    frames = {row["image_id"]: Frame(*(row[name] for name in ("x0", "y0", "x1", "y1", "rows", "cols"))) for row in rows}
    found: dict[int, GridTruth] = {}
    left_out: dict[int, str] = {}
    unknown = 0
    for picture, truth in known:
        if truth is None:
            unknown += 1
        elif isinstance(truth, str):
            left_out[picture.image_id] = truth
        elif picture.image_id not in frames:
            left_out[picture.image_id] = f"run {run_id} has not seen it"
        else:
            try:
                found[picture.image_id] = on_grid(truth, frames[picture.image_id], picture.width, picture.height)
            except NoTruth as error:
                left_out[picture.image_id] = str(error)
    return Truths(found, left_out, unknown)


def measure_stored(
    db: Path, run_id: int, truths: Mapping[int, GridTruth], advance: Callable[[int], object] = lambda number: None
) -> Measured:
    """The stored maps of a run, measured on these pictures."""
    measured, ids = Measured(), sorted(truths)
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        with reading(db) as con:
            stored = list(evaluations.run_maps(con, run_id, some))
        for maps in stored:
            image_id = int(maps.image_ids[0])
            measured.add(image_id, maps, truths[image_id])
        for image_id in set(some) - {int(maps.image_ids[0]) for maps in stored}:
            measured.left_out[image_id] = f"run {run_id} has no maps of it"
        advance(len(some))
    return measured
