"""Places of a manifest that stored maps lead to: the peaks of each picture."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from store import aggregate, regions
from store.connection import reading
from store.manifest import Marked, Picture, Place

BATCH = 256  # pictures whose maps are in memory at a time

# What finds them: weights (rows, cols), the frame's (x0, y0, x1, y1), the picture's (width, height), how many, and
# attention or attribution; what it returns has a box in pixels of the picture, and the weight as `times` a measure.
Find = Callable[[np.ndarray, tuple[float, float, float, float], tuple[int, int], int, str], list[Any]]


@dataclass(frozen=True)
class Peaks:
    """Which maps the peaks are those of, `count` of each picture. `head` is a number, "mean" for the mean over the
    layer's heads, or None where the maps belong to no head; `kind` is attention or attribution; with `accumulate` the
    layers up to this one are added up."""

    count: int
    run_id: int
    method: str
    kind: str
    target: str
    layer: int
    head: aggregate.Head
    accumulate: bool = False

    def words(self, rank: int, times: float) -> str:
        """What is said of the peak of this rank, from 1."""
        target = f" of {self.target}" if self.target else ""
        named = {None: "", "mean": ", mean of all heads", "max": ", head max"}
        head = f", head {self.head}" if isinstance(self.head, int) else named[self.head]
        measure = "times uniform attention" if self.kind == "attention" else "times the mean of the map"
        layer = f"{'accumulated to ' * self.accumulate}layer {self.layer}"
        map_of = f"{self.method}{target}, {layer}{head}, run {self.run_id}"
        return f"Peak {rank} of {self.kind}: {times:.1f} {measure} ({map_of})"


def marked(
    path: Path | str,
    pictures: list[Picture],
    peaks: Peaks | None,
    find: Find,
    kept: bool = True,
    drawn: Mapping[int, list[Place]] | None = None,
) -> list[Marked]:
    """Each picture with its peaks, if any are wanted, the regions that the database holds, if they are to be `kept`,
    and those that are `drawn` beside, by image_id. Raises what `reading` raises."""
    ids = [picture.image_id for picture in pictures]
    with reading(path) as con:
        stored = regions.places(con, ids) if kept else {}
    found = peaks_of(path, pictures, peaks, find) if peaks else ((picture, []) for picture in pictures)
    more = (stored, drawn or {})
    return [(each, [*peak, *(place for by in more for place in by.get(each.image_id, []))]) for each, peak in found]


def peaks_of(path: Path | str, pictures: list[Picture], wanted: Peaks, find: Find) -> Iterator[Marked]:
    """Each picture with its peaks, largest first; none where it has no such map. Raises what `reading` raises."""
    with reading(path) as con:
        table = aggregate.frames(con, wanted.run_id).to_pandas().set_index("image_id")
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        seen = table.loc[table.index.intersection([picture.image_id for picture in batch])]
        maps: dict[int, np.ndarray] = {}
        with reading(path) as con:  # not for all of it: an ingest may be waiting
            for _, same in seen.groupby(["rows", "cols"]):  # one grid at a time, so that no map is drawn onto another
                which = (wanted.method, wanted.target, wanted.layer, wanted.head, wanted.accumulate)
                group = aggregate.group_maps(con, wanted.run_id, same.index, *which)
                maps |= dict(zip(group.image_ids.tolist(), group.weights, strict=True))
        for picture in batch:
            found = picture.image_id in maps
            yield picture, _places(maps[picture.image_id], seen, picture, wanted, find) if found else []


def _places(weights: np.ndarray, frames: Any, picture: Picture, wanted: Peaks, find: Find) -> list[Place]:
    x0, y0, x1, y1 = (float(frames.at[picture.image_id, edge]) for edge in ("x0", "y0", "x1", "y1"))
    found = find(weights, (x0, y0, x1, y1), (picture.width, picture.height), wanted.count, wanted.kind)
    return [Place(peak.box, wanted.words(rank, peak.times)) for rank, peak in enumerate(found, start=1)]
