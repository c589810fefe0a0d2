"""From two groups of pictures to what sets them apart: their maps read, brought to one measure, compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from dashboard.compute import contrast
from dashboard.compute.contrast import Contrast
from dashboard.compute.methods import entry_of
from dashboard.data import cache
from dashboard.drawing import panels
from dashboard.views.aggregate import figures
from dashboard.views.aggregate.groups import Pair
from store.aggregate import Head
from store.records import RunRecord

HOLD = 2**25  # weights in memory at a time, 128 MB; of more pictures some are drawn by lot
AVERAGED = 100  # thumbnails in an average picture


@dataclass(frozen=True)
class Choice:
    """A stored method, the target (None: each picture's own), a layer or depth, and a head, "mean" or "max" of all,
    or None where a map belongs to no head; of a method that accumulates, whether the layer is taken `alone`."""

    method: str
    target: str | None
    layer: int
    head: Head
    alone: bool = False

    @property
    def entry(self) -> Any:
        """The method's entry in the registry; None for one that this version does not know."""
        return entry_of(self.method)

    @property
    def accumulates(self) -> bool:
        """Whether the method is one that accumulates."""
        return self.entry is not None and self.entry.accumulates

    @property
    def accumulated(self) -> bool:
        """Whether the maps are the sums of all layers up to this one."""
        return self.accumulates and not self.alone


@dataclass(frozen=True)
class Settings:
    """How the groups are compared: whether each picture counts the same, how many shuffles, their seed."""

    even: bool
    shuffles: int
    seed: int


@dataclass(frozen=True)
class GroupComparison:
    """What came out: the comparison, the pictures in it, from how many grids their maps were brought onto one, and how
    many pictures were left out for want of a map, for an empty map, and since there were too many."""

    contrast: Contrast
    a: np.ndarray
    b: np.ndarray
    without: int
    grids: int
    empty: int
    too_many: int


def attribution(choice: Choice) -> bool:
    """Whether the method's weights are scores, not shares of attention."""
    return choice.entry is not None and choice.entry.kind == "attribution"


def find(run: RunRecord, choice: Choice, pair: Pair, settings: Settings) -> GroupComparison | None:
    """The comparison, kept for as long as the choices are the same; None where one of the groups has no maps."""
    return cache.remembered(
        lambda: compare(run, choice, pair, settings), "aggregate", *key_of(run, choice, pair, settings)
    )


def key_of(run: RunRecord, choice: Choice, pair: Pair, settings: Settings) -> tuple[str, ...]:
    """What a comparison depends on, as a key to remember something by."""
    return (*map(repr, (run.run_id, choice, settings)), pair.digest)


def compare(run: RunRecord, choice: Choice, pair: Pair, settings: Settings) -> GroupComparison | None:
    """Reads the maps of both groups, brings them to one measure, and compares them."""
    limit = HOLD // max(1, (run.size // run.patch) ** 2)
    everyone = cache.catalogue(run.collection)["image_id"].to_numpy(np.int64)
    a, b = drawn_by_lot(pair, limit, settings.seed)
    asked = np.union1d(a, b)
    # All at once where they fit: the next groups are then at hand.
    reading = np.sort(everyone) if len(everyone) <= limit else asked
    which = (choice.method, choice.target, choice.layer, choice.head, choice.accumulated)
    maps = cache.group_maps(run.run_id, reading, *which)
    chosen = np.isin(maps.image_ids, asked)
    ids, weights = maps.image_ids[chosen], maps.weights[chosen]
    if run.fit == "pad" and len(ids):
        weights = contrast.on_pictures(weights, cache.frames(run.run_id).set_index("image_id").loc[ids])
    holding = weights.any(axis=(1, 2))
    ids, weights = ids[holding], weights[holding]
    in_a, in_b = np.isin(ids, a), np.isin(ids, b)
    if not in_a.any() or not in_b.any():
        return None
    if settings.even:
        weights = contrast.evened(weights)
    return GroupComparison(
        contrast.contrast(weights[in_a], weights[in_b], settings.shuffles, settings.seed),
        ids[in_a],
        ids[in_b],
        without=len(asked) - int(chosen.sum()),
        grids=maps.grids,
        empty=int((~holding).sum()),
        too_many=len(pair.a) + len(pair.b) - len(asked),
    )


def drawn_by_lot(pair: Pair, limit: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Both groups, or where they are more than `limit` pictures together, the same part of each."""
    total = len(pair.a) + len(pair.b)
    if total <= limit:
        return pair.a, pair.b
    random = np.random.default_rng(seed)
    a, b = (np.sort(random.choice(ids, max(1, limit * len(ids) // total), replace=False)) for ids in (pair.a, pair.b))
    return a, b


def average(run: RunRecord, ids: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """The average of the group's thumbnails, or of AVERAGED of them, cut to what the network saw."""

    def make() -> Image.Image:
        some = ids[panels.spread(len(ids), AVERAGED)]
        jpegs = cache.thumbnails(some.tolist())
        frames = cache.frames(run.run_id).set_index("image_id").loc[some]
        across, down = (
            frames[["x0", "x1"]].div(frames["width"], axis=0),
            frames[["y0", "y1"]].div(frames["height"], axis=0),
        )
        boxes = zip(some.tolist(), across["x0"], down["y0"], across["x1"], down["y1"], strict=True)
        return figures.average([(jpegs[i], tuple(box)) for i, *box in boxes if i in jpegs], size)

    return cache.remembered(make, "aggregate_average", run.run_id, ids.tobytes(), size)
